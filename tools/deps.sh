#!/bin/sh
# deps.sh -- install those Debian packages that a purpose needs and that are
# missing. Nothing else in the tree calls apt.
#
#     deps.sh PURPOSE...           install: build, test, fuzz, lint, valgrind, bench, man, deb, deb-test, image,
#                                  image-test, oci, oci-test
#     deps.sh --list PURPOSE...    only print them
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
    system-test)
        # What unit and system tests need. prometheus is there for promtool, the last three for docs/deploy.md's volumes.
        echo libcmocka-dev python3 python3-pytest python3-pytest-timeout python3-pytest-xdist \
            python3-websockets python3-yaml ca-certificates iproute2 nftables haproxy curl goaccess prometheus \
            e2fsprogs dosfstools mtools
        ;;
    test)
        packages_for system-test
        echo python3-fastapi python3-uvicorn python3-multipart chromium
        # Many machines have their own Node.js (a chroot has not: `node`), and Debian's npm is hundreds of packages.
        command -v node >/dev/null || echo nodejs
        command -v npm >/dev/null || echo npm
        ;;
    node) echo nodejs ;;
    fuzz) echo clang ;;
    lint) echo clang-tidy clang-format cppcheck shellcheck ;;
    valgrind) echo valgrind libc6-dbg ;;
    bench) echo nginx-light haproxy wrk iproute2 procps python3 ;;
    man) echo scdoc ;;
    deb) echo mmdebstrap debian-archive-keyring ;;
    # In the chroots that `make deb` makes; deb-root is a machine to install the packages on.
    compiler) echo build-essential ;;
    deb-build) echo debhelper lintian scdoc ;;
    deb-root) echo systemd systemd-sysv dbus logrotate iproute2 bash-completion ;;
    deb-test) echo systemd-container systemd iproute2 python3 python3-pytest python3-pytest-timeout scdoc ;;
    # Those of Debian 13 that both programs are linked with.
    libraries) echo libev4t64 libcares2 libmbedtls21 libhttp-parser2.9 libinih1 libjansson4 libsqlite3-0 libpcre2-8-0 ;;
    image) echo mmdebstrap debian-archive-keyring ;;
    # What the appliance is made of, besides its own packages; image/slim takes out again what nothing needs there.
    # The kernel's package wants an initramfs maker, of which tiny-initramfs is the smallest; the image's own is
    # image/initramfs.sh. acpid turns the power button into an orderly end, e2fsprogs formats the data disk.
    image-root)
        echo linux-image-cloud-amd64 tiny-initramfs systemd systemd-sysv systemd-resolved systemd-timesyncd udev \
            kmod nftables acpid busybox dmsetup e2fsprogs ca-certificates systemd-journal-remote systemd-netlogd
        packages_for libraries
        ;;
    # What makes a disk of that.
    image-tools)
        echo erofs-utils cryptsetup-bin mtools dosfstools fdisk grub-pc-bin grub-efi-amd64-bin grub-common kmod cpio \
            zstd xz-utils python3-minimal qemu-utils
        ;;
    image-test)
        echo qemu-system-x86 qemu-utils ovmf seabios mtools dosfstools e2fsprogs xorriso openssl gcc libc6-dev \
            python3 python3-pytest python3-pytest-timeout python3-websockets
        ;;
    oci) echo mmdebstrap debian-archive-keyring ;;
    # What the OCI image is taken from, and what packs it; image/oci/pack.sh says which of that goes into the image.
    oci-root)
        echo dash ca-certificates systemd-standalone-sysusers umoci jq
        packages_for libraries
        ;;
    oci-test) echo crun umoci iproute2 python3 python3-pytest python3-pytest-timeout python3-websockets ;;
    *) fail "no such purpose: $1 (build, test, system-test, node, fuzz, lint, valgrind, bench, man, deb, compiler, deb-build, deb-root, deb-test, image, image-root, image-tools, image-test, oci, oci-root, oci-test)" ;;
    esac
}

is_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

is_list=
[ "${1:-}" != --list ] || { is_list=yes; shift; }
wanted=
for purpose in "$@"; do
    wanted="$wanted $(packages_for "$purpose")"
done
if [ -n "$is_list" ]; then
    # shellcheck disable=SC2086 # a list of words
    printf '%s\n' $wanted | sort -u
    exit 0
fi
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
