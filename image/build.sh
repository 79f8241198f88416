#!/bin/bash
# build.sh DEBS OUT -- makes the appliance's disk of the packages in the folder DEBS:
#
#     OUT/postern-VERSION.raw, .qcow2, .vmdk    one disk, for clouds, for QEMU, for VMware and as an import
#     OUT/postern-VERSION.cdx.json              what is in it: packages, versions, hashes (CycloneDX)
#     OUT/postern-VERSION.roothash              what the kernel checks the root by
#     OUT/SHA256SUMS
#
# VERSION and SOURCE_DATE_EPOCH say which version of which day it is. Needs root, and a network when the cache
# (build/cache) is not there or out of date. README.md tells the steps.
set -euo pipefail
umask 022

here=$(cd "$(dirname "$0")" && pwd)
debs=${1:?which folder of packages?}
out=${2:?which folder to write to?}
: "${VERSION:?which version?}" "${SOURCE_DATE_EPOCH:?of which time?}"
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC
name=postern-$VERSION

fail() {
    echo "build.sh: $*" >&2
    exit 1
}

say() { echo "image: $*"; }

# A tool of the tree of tools, which has what this machine is not asked for; what is made is in /made there.
tool() { chroot "$work/tools" env PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/ "$@"; }

[ "$(id -u)" -eq 0 ] || fail "this needs root: packages are installed in a chroot"
ls "$debs"/*.deb >/dev/null 2>&1 || fail "no packages in $debs: run make deb"

say "trees of Debian 13 (from build/cache, else from the network)"
root=$("$here/chroot.sh" make trixie image-root)
tools=$("$here/chroot.sh" make trixie image-tools)

mkdir -p "$out"
work=$out/work
rm -rf "$work"
trap 'rm -rf "$work"' EXIT
mkdir "$work"
cp -a "$tools" "$work/tools"
mkdir "$work/tools/made" "$work/tools/image"
cp -a "$root" "$work/tools/made/root"
cp -R "$here"/*.sh "$here"/*.py "$here"/grub.cfg "$here"/initramfs "$work/tools/image/"

say "packages, overlay, presets"
"$here/customise.sh" "$work/tools/made/root" "$debs"

say "root, first root, boot partition, disk"
tool /image/disk.sh /made/root /made/disk "$VERSION"
tool qemu-img convert -f raw -O qcow2 -c -o compression_type=zstd -m 1 /made/disk/disk.raw /made/disk/disk.qcow2
tool qemu-img convert -f raw -O vmdk -o subformat=streamOptimized -m 1 /made/disk/disk.raw /made/disk/disk.vmdk
tool python3 /image/vmdk_id.py /made/disk/disk.vmdk

for format in raw qcow2 vmdk; do mv "$work/tools/made/disk/disk.$format" "$out/$name.$format"; done
cp "$work/tools/made/disk/roothash" "$out/$name.roothash"
tool python3 /image/manifest.py /made/packages.tsv "$VERSION" "$(cat "$out/$name.roothash")" >"$out/$name.cdx.json"
(cd "$out" && sha256sum "$name".* >SHA256SUMS)
say "$out/$name.raw: $(($(stat -c %s "$out/$name.raw") / 1048576)) MiB"
