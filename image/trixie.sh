#!/bin/sh
# trixie.sh -- run a command in a Debian 13 that has the compiler and the libraries of `make` and what unit
# and system tests need, with the repository at its own path; without a command, a shell.
#
#     trixie.sh [COMMAND...]
set -eu
[ $# -gt 0 ] || set -- bash -l
exec "$(dirname "$0")/chroot.sh" run trixie build,compiler,system-test,node "$@"
