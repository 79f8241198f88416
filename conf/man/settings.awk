# settings.awk -- what `alb settings` prints (Markdown: a heading and a table a section) as scdoc(5): the
# manual pages say the same as docs/settings.md, from the same tables in the code.

# Markdown's code and links are scdoc's words; what means something to scdoc is escaped.
function words(text,    out) {
    gsub(/\]\([^)]*\)/, "]", text)
    gsub(/\\/, "", text)
    gsub(/[_*]/, "\\\\&", text)
    while (match(text, /`[^`]*`/)) {
        out = out substr(text, 1, RSTART - 1) "*" substr(text, RSTART + 1, RLENGTH - 2) "*"
        text = substr(text, RSTART + RLENGTH)
    }
    return out text
}

/^## / { print "# " substr($0, 4) "\n"; in_sections = 1; next }
!in_sections { next }
/^\| *(Setting|---)/ || /^\|---/ { next }
/^\| / {
    split($0, cell, / \| /)
    sub(/^\| /, "", cell[1])
    sub(/ \|$/, "", cell[5])
    print words(cell[1]) "\n\t" words(cell[5])
    print "\n\tDefault: " words(cell[2]) "; " words(cell[3]) "; takes effect: " cell[4] ".\n"
    next
}
/./ { print words($0) "\n" }
