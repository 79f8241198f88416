#!/bin/sh
# chroot.sh -- a Debian of its own to build and test in, whatever this machine has. It is made once by
# mmdebstrap, kept under build/cache, and nothing that runs in it changes it.
#
#     chroot.sh make SUITE PURPOSE             make it if need be, and print its folder
#     chroot.sh run SUITE PURPOSE COMMAND...   run COMMAND in it, with the repository at its own path
#
# SUITE is bookworm (Debian 12) or trixie (13). PURPOSE names what is installed: one or more of
# tools/deps.sh, with a comma between them. A chroot is made anew when that list has changed, or the
# packages of the suite have (the dates of its Release files); without a network the last one
# serves, and with KEEP=yes whatever the mirrors have.
#
# What is mounted is so in a mount namespace of its own, and what runs is in a PID namespace: both go with
# COMMAND, however it ends. Changes to the chroot are kept in memory and go as well; the repository is the
# real one. MIRROR and SECURITY_MIRROR are for those who have their own.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
cache=$top/build/cache

say() { echo "chroot.sh: $*" >&2; }
fail() {
    say "$*"
    exit 1
}

# --- where Debian comes from -----------------------------------------------------------------------

# The machine's own mirror, which may be the only one that it reaches.
mirror_of() {
    apt-get indextargets --format "\$(LABEL)|\$(REPO_URI)" 'Created-By: Packages' 2>/dev/null |
        sed -n "s/^$1|//p" | head -n 1
}

find_mirrors() {
    main=${MIRROR:-$(mirror_of Debian)}
    security=${SECURITY_MIRROR:-$(mirror_of Debian-Security)}
    main=${main:-http://deb.debian.org/debian}
    security=${security:-http://deb.debian.org/debian-security}
}

# "URL SUITE", a line each.
sources() {
    echo "${main%/} $suite"
    echo "${main%/} $suite-updates"
    echo "${security%/} $suite-security"
}

# When each was published; nothing of one that cannot be reached.
release_dates() {
    sources | while read -r url name; do
        /usr/lib/apt/apt-helper -o Acquire::http::Timeout=20 -o Acquire::Retries=1 \
            download-file "$url/dists/$name/InRelease" "$work/InRelease" >/dev/null 2>&1 || continue
        sed -n "s/^Date: /$name /p" "$work/InRelease"
    done
}

# --- making it ---------------------------------------------------------------------------------------

needs() {
    [ "$(id -u)" -eq 0 ] || fail "this needs root: mounts, and a chroot"
    command -v mmdebstrap >/dev/null || fail "mmdebstrap is missing: run \`make deps-deb\`"
    unshare --mount --pid --fork true 2>/dev/null ||
        fail "this machine allows no mount and PID namespaces: in a container, run it with --privileged"
}

bootstrap() {
    say "making $suite with $packages"
    sources | sed 's,^,deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ,; s,$, main,' |
        mmdebstrap --quiet --variant=minbase --include="$packages" \
            --customize-hook="$here/package_hashes.sh" "$suite" "$work/root" - >&2 ||
        fail "mmdebstrap could not make $suite: its reason is above (MIRROR=URL names another mirror)"
}

last_one() {
    for folder in "$cache/$suite-$purpose"-*; do [ -d "$folder" ] && echo "$folder"; done | tail -n 1
}

make_chroot() {
    needs
    mkdir -p "$cache"
    exec 9>"$cache/$suite-$purpose.lock"
    flock 9
    work=$(mktemp -d "$cache/new.XXXXXX")
    chmod 755 "$work"
    trap 'rm -rf "$work"' EXIT
    # shellcheck disable=SC2046 # a list of words
    packages=$("$top/tools/deps.sh" --list $(echo "$purpose" | tr , ' ') | paste -sd ,)
    root=$(last_one)
    [ -z "${KEEP:-}" ] || [ -z "$root" ] || return 0
    find_mirrors
    dates=$(release_dates)
    if [ "$(echo "$dates" | grep -c .)" -lt 3 ] && [ -n "$root" ]; then
        say "the mirror $main cannot be reached: $root as it is"
        return
    fi
    root=$cache/$suite-$purpose-$(echo "$packages $dates" | sha256sum | cut -c 1-12)
    [ ! -d "$root" ] || return 0
    bootstrap
    find "$cache" -maxdepth 1 -name "$suite-$purpose-*" -exec rm -rf {} +
    echo "$dates" >"$root.dates" # what it was made of
    mv "$work/root" "$root"
}

# --- running in it -------------------------------------------------------------------------------------

# In namespaces of our own by now: nobody else sees these mounts, and they end with us.
enter() {
    room=$(mktemp -d)
    mount -t tmpfs -o mode=755 chroot "$room"
    mkdir "$room/changes" "$room/work" "$room/root"
    # A kernel without overlayfs copies it, which takes seconds and memory.
    mount -t overlay -o "lowerdir=$root,upperdir=$room/changes,workdir=$room/work" overlay "$room/root" \
        2>/dev/null || cp -a "$root/." "$room/root/"
    mount --bind "$room/root" "$room/root"
    cd "$room/root"
    mount -t proc proc proc
    mount --rbind /dev dev
    mount --rbind /sys sys
    mount -t tmpfs -o mode=755 run run
    mkdir -p run/lock ".$top"
    mount --bind "$top" ".$top"
    cp -L /etc/resolv.conf /etc/hosts etc/
    # A root of its own, not only a changed one: what runs may make namespaces and mounts in it.
    pivot_root . mnt
    # shellcheck disable=SC2016 # for the shell in there
    exec chroot . /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
        TERM="${TERM:-dumb}" TOP="$top" CHROOT="$suite" sh -c 'umount -l /mnt && cd "$TOP" && exec "$@"' sh "$@"
}

usage() { fail "usage: chroot.sh make SUITE PURPOSE | chroot.sh run SUITE PURPOSE COMMAND..."; }

[ $# -ge 3 ] || usage
verb=$1 suite=$2 purpose=$3
shift 3
case $suite in bookworm | trixie) ;; *) fail "no such suite: $suite (bookworm, trixie)" ;; esac
case $verb in
make)
    make_chroot
    echo "$root"
    ;;
run)
    [ $# -gt 0 ] || usage
    root=$("$0" make "$suite" "$purpose")
    exec unshare --mount --propagation private --pid --fork --kill-child \
        "$0" inside "$suite" "$purpose" "$root" "$@"
    ;;
inside)
    root=$1
    shift
    enter "$@"
    ;;
*) usage ;;
esac
