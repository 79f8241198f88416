# commands.awk -- what `alb --help` and `wsserver --help` say of each command, as scdoc(5).
#
#     alb drain GROUP ...             usage: wsserver run FILE    serve
#     what it does                           wsserver check FILE  what it does

function escaped(text) {
    gsub(/[\\_*<>`]/, "\\\\&", text)
    return text
}

BEGIN { usage = "^(usage:)? *" program " -?-?[a-z]" }
$0 ~ usage {
    sub(/^(usage:)? */, "")
    sub(/ +$/, "")
    help = match($0, /   +/) ? substr($0, RSTART + RLENGTH) : ""
    sub(/   +.*/, "")
    print (many++ ? "\n" : "") "*" escaped($0) "*"
    if (help != "")
        print "\t" escaped(help)
    next
}
# What AT stands for, in many of them: a paragraph, and options.
/^AT is / {
    is_about_all = 1
    print ""
}
is_about_all && /^ +--/ {
    sub(/^ +/, "")
    match($0, /  +/)
    print "\n*" escaped(substr($0, 1, RSTART - 1)) "*\n\t" escaped(substr($0, RSTART + RLENGTH))
    was_option = 1
    next
}
is_about_all {
    print (was_option ? "\n" : "") escaped($0)
    was_option = 0
    next
}
many && /./ { print "\t" escaped($0) }
