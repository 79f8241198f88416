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

for suite in "$@"; do
    echo "== $suite"
    log=$build/test-$suite.log
    # shellcheck disable=SC2086 # make may bring options
    { $make --no-print-directory "$suite" 2>&1; echo $? >"$log.status"; } | tee "$log"
    good=$(number "$log" passed) bad=$(number "$log" 'failed|errors?')
    # One that could not even run has counted nothing.
    [ "$(cat "$log.status")" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
    passed=$((passed + good)) failed=$((failed + bad))
done

for report in "$build"/reports/*; do
    [ -e "$report" ] || continue
    echo "== a sanitizer's report: $report"
    cat "$report"
    failed=$((failed + 1))
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
