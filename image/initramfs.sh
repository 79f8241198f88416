#!/bin/bash
# initramfs.sh ROOT OUT -- the first root: busybox, dmsetup, the drivers that initramfs/modules names and
# initramfs/init. Runs in the tree of tools.
set -euo pipefail

here=$(dirname "$0")
root=$1
out=$2
kernel=$(ls "$root/usr/lib/modules")
tree=$(mktemp -d)
chmod 755 "$tree"

# With its libraries, as the loader finds them.
copy_program() {
    install -D "$root$1" "$tree/bin/${1##*/}"
    install -D "$root/lib64/ld-linux-x86-64.so.2" "$tree/lib64/ld-linux-x86-64.so.2"
    chroot "$root" /lib64/ld-linux-x86-64.so.2 --list "$1" | awk '$2 == "=>" { print $3 }' |
        while read -r library; do
            install -D "$root$library" "$tree$library"
        done
}

# Unpacked, since busybox unpacks none; the whole is packed again.
copy_module() {
    to=$tree/${1#"$root/usr"}
    mkdir -p "${to%/*}"
    xz -dc "$1" >"${to%.xz}"
}

mkdir -p "$tree/bin" "$tree/lib" "$tree/lib64" "$tree/dev" "$tree/proc" "$tree/sys" "$tree/run" "$tree/root"
copy_program /usr/bin/busybox
copy_program /usr/sbin/dmsetup
for applet in sh cat chmod cut echo grep ln mkdir modprobe mount sleep switch_root tr; do
    ln -s busybox "$tree/bin/$applet"
done
install "$here/initramfs/init" "$tree/init"
grep -v '^#' "$here/initramfs/modules" >"$tree/modules"

# The same file may be wanted by several.
while read -r module; do
    modprobe -d "$root/usr" -S "$kernel" --show-depends "$module"
done <"$tree/modules" | awk '$1 == "insmod" { print $2 }' | sort -u | while read -r file; do
    copy_module "$file"
done
cp "$root/usr/lib/modules/$kernel"/modules.{order,builtin,builtin.modinfo} "$tree/lib/modules/$kernel/"
depmod -b "$tree" "$kernel"

find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
cd "$tree"
find . | LC_ALL=C sort | cpio -o -H newc --reproducible --quiet -R 0:0 | zstd -q -19 >"$out"
rm -rf "$tree"
