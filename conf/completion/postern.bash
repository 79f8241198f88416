# postern.bash -- completion for alb and wsserver. It asks the program itself (--help) for its commands and
# what each of them takes: there is nothing here that could be out of date.

# How commands are used, a line each, without the program's name: "drain GROUP [ADDRESS[:PORT]] | --all".
_postern_usages() {
    "$1" --help 2>/dev/null | sed -n "s/^\(usage:\)\{0,1\} *${1##*/} \(-\{0,2\}[a-z]\)/\2/p" | sed 's/   .*//'
}

_postern_commands() {
    _postern_usages "$1" | awk '{ print $1 } $2 == "|" { print $3 }'
}

# What stands in one command's line as it is to be written, such as "show" and "--json". Words in
# capitals are for what only the user knows.
_postern_words() {
    local usage
    usage=$(_postern_usages "$1" | sed -n "s/^$2 //p")
    # AT stands for options that are said once for all.
    if grep -qw AT <<<"$usage"; then
        usage="$usage $("$1" --help | sed -n '/^AT is /,$p' | grep -oE -- '--[a-z-]+' | tr '\n' ' ')"
    fi
    tr '|[] ' '\n' <<<"$usage" | grep -xE -- '-{0,2}[a-z][a-z-]*'
}

_postern() {
    local program=$1 word=$2 before=$3 command=${COMP_WORDS[1]} words=
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_postern_commands "$program")" -- "$word")
        return
    fi
    case $before in
    --for | --target | --listen | --from | --listener | --remote | --name) return ;;
    --socket | --binary | --ready-file | --state-file | --token-file | --cert | --key | --ca | --config) ;;
    *) words=$(_postern_words "$program" "$command") ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
    if [ -z "$words" ] || _postern_usages "$program" | grep -q "^$command .*FILE"; then
        mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$word")
    fi
}

complete -o filenames -F _postern alb wsserver
