#!/bin/sh
# deb.sh -- build the Debian packages of one release, in a chroot of it, from a copy of the tracked files.
#
#     deb.sh SUITE [FOLDER]        bookworm or trixie; into build/deb/SUITE unless FOLDER says otherwise
#
# The version is that of debian/changelog (VERSION says another), with +deb12 or +deb13 behind it, so that
# an upgrade of Debian is one of these packages too. Two builds of one commit from one chroot are
# identical: the date is the commit's.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
suite=${1:?usage: deb.sh SUITE [FOLDER]}
out=${2:-$top/build/deb/$suite}

case $suite in
bookworm) release=deb12 ;;
trixie) release=deb13 ;;
*)
    echo "deb.sh: no such release: $suite (bookworm, trixie)" >&2
    exit 1
    ;;
esac

cd "$top"
git ls-files --error-unmatch debian/changelog >/dev/null || {
    echo "deb.sh: the packages are made of what git tracks, and this is no clone" >&2
    exit 1
}
mkdir -p build/deb
work=$(mktemp -d "$top/build/deb/$suite.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/postern"
git ls-files -z | tar -c --null -T - | tar -x -C "$work/postern"
version=${VERSION:-$(sed -n '1s/^postern (\(.*\)).*/\1/p' debian/changelog)}
sed -i "1s/(.*) [a-z]*/($version+$release) $suite/" "$work/postern/debian/changelog"

# Built at the same path always, and elsewhere than here: the tree stays as it is.
# shellcheck disable=SC2016 # for the shell in there
"$here/chroot.sh" run "$suite" build,compiler,deb-build env SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" sh -ec '
    umask 022
    mkdir /build
    cp -r "$1/postern" /build/
    cd /build/postern
    dpkg-buildpackage -b -uc -us -ui -j"$(nproc)"
    cp ../*.deb "$1/"' sh "$work" >"$work/log" 2>&1 || {
    tail -n 40 "$work/log" >&2
    echo "deb.sh: the build for $suite failed" >&2
    exit 1
}

rm -rf "$out"
mkdir -p "$out/debug"
find "$work" -maxdepth 1 -name '*-dbgsym_*.deb' -exec mv {} "$out/debug/" \;
mv "$work"/*.deb "$out/"
mv "$work/log" "$out/build.log"
(cd "$out" && sha256sum -- *.deb)
