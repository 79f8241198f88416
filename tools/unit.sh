#!/bin/sh
# unit.sh -- run cmocka programs: a line for each that passes, all of the output
# of one that does not, and a closing line with the sum.
#
#     unit.sh WRAPPER PROGRAM...       WRAPPER "" or a command such as valgrind
set -u

wrapper=$1
shift
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
passed=0 failed=0 skipped=0

# "[  PASSED  ] 4 test(s)." and "[  FAILED  ] 1 test(s), listed below:", one of
# each for every group of tests; newer versions put the group's name before.
sum() {
    awk -v word="$1" '$2 == word { for (i = 4; i < NF; i++) if ($(i + 1) ~ /^test\(s\)/) n += $i }
        END { print n + 0 }' "$out"
}

for program in "$@"; do
    # shellcheck disable=SC2086 # the wrapper is a command with arguments
    $wrapper "$program" >"$out" 2>&1
    status=$?
    good=$(sum PASSED) bad=$(sum FAILED) left_out=$(sum SKIPPED)
    # One that crashed, or whose wrapper complained, has not counted that itself.
    [ "$status" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
    if [ "$bad" -eq 0 ]; then
        echo "${program##*/unit/}: $good passed$([ "$left_out" -eq 0 ] || echo ", $left_out skipped")"
    else
        cat "$out"
        echo "${program##*/unit/}: $good passed, $bad failed, exit $status"
    fi
    passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + left_out))
done
[ "$skipped" -eq 0 ] || echo "$skipped skipped: this machine's libraries or rights do not do for them"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
