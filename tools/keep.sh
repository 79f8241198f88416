#!/bin/sh
# keep.sh -- run a program, each line of its output headed by its name, and run
# it again whenever it ends; `make run` has one for each program.
#
#     keep.sh NAME READY COMMAND...
#
# READY is the file that the program writes when it serves. A program that ends
# without having served once has something to say to the user: then this ends
# too, with status 1. SIGTERM stops the program (SIGKILL after 1.5 s) and this.
set -u

name=$1 ready=$2
shift 2
pid='' stopping='' served=''

stop() {
    stopping=yes
    [ -z "$pid" ] || kill -TERM "$pid" 2>/dev/null
}
trap stop TERM HUP INT

say() {
    echo "$name | -- $*"
}

how() {
    if [ "$1" -gt 128 ]; then echo "was killed (signal $(($1 - 128)))"; else echo "ended (exit $1)"; fi
}

# A session of its own, so that a Ctrl-C of the terminal reaches only the
# supervisor; the signal at the death of the parent, so that a kill -9 of this
# one leaves no program behind.
start() {
    rm -f "$ready" "$ready.out"
    mkfifo "$ready.out" || exit 1
    setsid sed -u "s/^/$name | /" <"$ready.out" &
    setsid setpriv --pdeathsig TERM "$@" >"$ready.out" 2>&1 &
    pid=$!
}

# Wait for the program, also past the signals that interrupt a wait. Those 15
# tenths of a second are all that a stop may take.
await() {
    left=15
    while :; do
        wait "$pid" 2>/dev/null
        status=$?
        kill -0 "$pid" 2>/dev/null || break
        while [ -n "$stopping" ] && [ $left -gt 0 ] && kill -0 "$pid" 2>/dev/null; do
            sleep 0.1
            left=$((left - 1))
        done
        if [ $left -eq 0 ]; then
            say "still there after 1.5 s: killed"
            kill -KILL "$pid" 2>/dev/null
        fi
    done
    pid=''
}

delay=0
while [ -z "$stopping" ]; do
    began=$(date +%s)
    start "$@"
    await
    [ -z "$stopping" ] || break
    [ ! -e "$ready" ] || served=yes
    if [ -z "$served" ]; then
        say "$(how "$status") before it served"
        exit 1
    fi
    # Dying at once, again and again: give whatever is wrong some time to pass.
    if [ $(($(date +%s) - began)) -ge 5 ]; then delay=0; else delay=$((delay < 8 ? delay * 2 + 1 : 15)); fi
    if [ $delay -le 1 ]; then
        say "$(how "$status"): starting it again"
    else
        say "$(how "$status"): starting it again in $delay s"
        sleep $delay &
        pid=$!
        await
    fi
done
rm -f "$ready" "$ready.out"
