#!/bin/sh
# deps.sh -- install those Debian packages that a purpose needs and that are
# missing. Nothing else in the tree calls apt.
#
#     deps.sh PURPOSE...       build, test, fuzz, lint, valgrind or bench
set -eu

fail() {
    echo "make deps: $*" >&2
    exit 1
}

packages_for() {
    case $1 in
    build)
        echo libc6-dev libev-dev libc-ares-dev libmbedtls-dev libhttp-parser-dev libinih-dev libjansson-dev \
            libsqlite3-dev uthash-dev libpcre2-dev openssl
        ;;
    test)
        # prometheus is there for promtool.
        echo libcmocka-dev python3 python3-pytest python3-pytest-timeout python3-pytest-xdist \
            python3-websockets iproute2 \
            python3-fastapi python3-uvicorn python3-multipart curl chromium \
            goaccess prometheus
        # Many machines have their own Node.js, and Debian's npm is hundreds of packages.
        command -v node >/dev/null || echo nodejs
        command -v npm >/dev/null || echo npm
        ;;
    fuzz) echo clang ;;
    lint) echo clang-tidy clang-format cppcheck shellcheck ;;
    valgrind) echo valgrind libc6-dbg ;;
    bench) echo nginx-light haproxy wrk iproute2 procps python3 ;;
    *) fail "no such purpose: $1 (build, test, fuzz, lint, valgrind, bench)" ;;
    esac
}

is_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

wanted=
for purpose in "$@"; do
    wanted="$wanted $(packages_for "$purpose")"
done
command -v dpkg-query >/dev/null ||
    fail "this is not Debian; install by its own means what Debian calls$wanted"

missing=
for package in $wanted; do
    is_installed "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

# The fuzzers' runtime is only recommended by clang, under a name with a version in it.
recommends=--no-install-recommends
case " $* " in *" fuzz "*) recommends=--install-recommends ;; esac
install="apt-get install -y $recommends$missing"

echo "make deps: to install for $(echo "$*" | sed 's/ /, /g'):$missing"
as_root=
if [ "$(id -u)" -ne 0 ]; then
    # sudo may ask for a password, but not where nobody can type one.
    if ! command -v sudo >/dev/null || { [ ! -t 0 ] && ! sudo -n true 2>/dev/null; }; then
        fail "this needs root; run as root: apt-get update && $install"
    fi
    as_root=sudo
fi

# Unreachable servers are an error of `update` only when asked for, and then one
# of a repository that has nothing to do with this would be too: so it decides
# nothing, it only tells why the installation failed.
apt() {
    $as_root env DEBIAN_FRONTEND=noninteractive "$@" -q -o DPkg::Lock::Timeout=120 \
        -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20
}

# Some packages bring a program that we want and a service that nobody asked for:
# none is started by this (Debian policy 9.3.3.2).
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap '$as_root rm -f $policy' EXIT
    printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
    $as_root chmod 755 $policy
fi

reached=yes
apt apt-get update -o APT::Update::Error-Mode=any || reached=no
# shellcheck disable=SC2086 # a list of words
if ! apt $install; then
    [ $reached = yes ] ||
        fail "cannot reach the package servers: check the network, then try again"
    fail "apt could not install$missing: its reason is above"
fi
