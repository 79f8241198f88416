#!/bin/sh
# oci.sh -- the packages for Debian 13 as a container image, made without a container engine:
#
#     oci.sh VERSION [FOLDER]      FOLDER/postern-VERSION.tar (build/oci), of build/deb/trixie
#
# The archive is an OCI image layout; the manifest.json in it is for engines that know Docker's format only. Two
# builds of one commit from the same packages are identical: the date is the commit's.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
version=${1:?usage: oci.sh VERSION [FOLDER]}
out=${2:-$top/build/oci}
debs=$top/build/deb/trixie

ls "$debs"/postern-alb_*.deb "$debs"/postern-wsserver_*.deb >/dev/null || {
    echo "oci.sh: no packages in $debs: run \`make deb\`" >&2
    exit 1
}
mkdir -p "$out"
"$here/chroot.sh" run trixie oci-root env LC_ALL=C SOURCE_DATE_EPOCH="$(git -C "$top" log -1 --format=%ct)" \
    "$here/oci/pack.sh" "$version" "$debs" "$out/postern-$version.tar"
(cd "$out" && sha256sum "postern-$version.tar" | tee SHA256SUMS)
