#!/bin/sh
# test.sh -- run test suites one after the other, all of them even if one fails,
# and close with one line that sums them up.
#
#     test.sh BUILD MAKE SUITE...      each suite is a target of the Makefile
set -u

build=$1 make=$2
shift 2
passed=0 failed=0
mkdir -p "$build"
rm -rf "$build/reports"

# The number before a word in the last line that has one: "3 failed, 9 passed in 2s".
number() {
    awk -v words="^($2),?\$" '/[0-9] (passed|failed|errors?)/ { n = 0
        for (i = 2; i <= NF; i++) if ($i ~ words) n += $(i - 1) }
        END { print n + 0 }' "$1"
}

log_of() { echo "$build/test-$1.log"; }

# shellcheck disable=SC2086 # make may bring options
run() { $make --no-print-directory "$1" 2>&1; echo $? >"$(log_of "$1").status"; }

count() {
    good=$(number "$(log_of "$1")" passed) bad=$(number "$(log_of "$1")" 'failed|errors?')
    # One that could not even run has counted nothing.
    [ "$(cat "$(log_of "$1").status")" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
    passed=$((passed + good)) failed=$((failed + bad))
}

# The browser tests wait for a browser as the others wait for time-outs: side by side
# they take the time of one. With ONE_BY_ONE=yes they do not, and nobody's clock suffers from
# Chromium. Unit tests come first, on all processors.
browser=
for suite in "$@"; do
    case $suite in
    unit) ;;
    browser) continue ;;
    *)
        case "${ONE_BY_ONE:-} $* " in " "*" browser "*) [ -n "$browser" ] || {
            run browser >"$(log_of browser)" &
            browser=$!
        } ;; esac
        ;;
    esac
    echo "== $suite"
    run "$suite" | tee "$(log_of "$suite")"
    count "$suite"
done
case " $* " in *" browser "*)
    echo "== browser"
    if [ -n "$browser" ]; then
        wait "$browser"
        cat "$(log_of browser)"
    else
        run browser | tee "$(log_of browser)"
    fi
    count browser
    ;;
esac

for report in "$build"/reports/*; do
    [ -e "$report" ] || continue
    echo "== a sanitizer's report: $report"
    cat "$report"
    failed=$((failed + 1))
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
