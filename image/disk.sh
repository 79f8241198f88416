#!/bin/bash
# disk.sh ROOT FOLDER VERSION -- makes FOLDER/disk.raw of the tree ROOT, and FOLDER/roothash. Files only: no loop
# device, no mount. Runs in the tree of tools.
#
#     1 bios   1 MiB   GRUB for machines without UEFI, where the first sector looks for it
#     2 esp    FAT16   GRUB for UEFI, the kernel, the first root, one grub.cfg for both
#     3 root-  erofs   what the machine runs
#     4 hash-  dm-verity's tree of that; its root is on the kernel's command line
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$1
folder=$2
version=$3
MIB=1048576
# Numbers that would be random else: each build has the same.
SERIAL=706f7374

size_of() { stat -c %s "$1"; }
mib_of() { echo $((($(size_of "$1") + MIB - 1) / MIB)); }

# Two letters of the hash for each byte: a UUID of its beginning or of its end, as the specification of
# discoverable partitions has it.
as_uuid() { echo "$1" | sed -E 's/^(.{8})(.{4})(.{4})(.{4})(.{12})$/\1-\2-\3-\4-\5/'; }

# Everything of one time and of fixed names; its size is a multiple of a block already.
make_root() {
    mkfs.erofs --quiet -zlz4hc,12 -C65536 -Efragments,dedupe -T "$SOURCE_DATE_EPOCH" --all-root \
        -U 706f7374-6572-6e00-8000-000000000000 --workers=1 "$folder/root.img" "$root"
    hash=$(veritysetup format --no-superblock --salt=- --hash=sha256 --hash-offset=0 \
        "$folder/root.img" "$folder/hash.img" | awk '/^Root hash/ { print $3 }')
    [ ${#hash} -eq 64 ]
    echo "$hash" >"$folder/roothash"
}

make_grub() {
    sed "s/@ROOTHASH@/$hash/; s/@VERSION@/$version/" "$here/grub.cfg" >"$folder/grub.cfg"
    common="part_gpt fat normal configfile linux serial terminal echo sleep reboot"
    # Without a device the folder is on the disk that the firmware started from. The BIOS only gives the disk.
    # shellcheck disable=SC2086 # a list of words
    grub-mkimage -O x86_64-efi -p /grub -o "$folder/bootx64.efi" $common all_video
    # shellcheck disable=SC2086
    grub-mkimage -O i386-pc -p '(,gpt2)/grub' -o "$folder/core.img" $common biosdisk
}

# Large enough for FAT16, and for what is in it with 1 MiB to spare.
make_esp() {
    for file in grub.cfg bootx64.efi vmlinuz initrd.img; do
        touch -d "@$SOURCE_DATE_EPOCH" "$folder/$file"
    done
    esp_mib=$(($(mib_of "$folder/vmlinuz") + $(mib_of "$folder/initrd.img") + $(mib_of "$folder/bootx64.efi") + 1))
    rm -f "$folder/esp.img"
    truncate -s "${esp_mib}M" "$folder/esp.img"
    mkfs.vfat -F 16 -n POSTERN -i $SERIAL --invariant "$folder/esp.img" >/dev/null
    esp="-i $folder/esp.img"
    # shellcheck disable=SC2086 # two words
    {
        mmd $esp ::EFI ::EFI/BOOT ::grub
        mcopy -m $esp "$folder/bootx64.efi" ::EFI/BOOT/BOOTX64.EFI
        mcopy -m $esp "$folder/vmlinuz" "$folder/initrd.img" ::
        mcopy -m $esp "$folder/grub.cfg" ::grub/
    }
}

partition() {
    echo "start=${at}MiB, size=$2, type=$3, uuid=$4, name=$1"
}

# A root partition is as large as its file system to the sector: that is how /init knows how many blocks there are.
partitions() {
    short=$(echo "$hash" | cut -c 1-16)
    echo "label: gpt"
    echo "label-id: $(as_uuid "$(echo "$hash" | cut -c 17-48)")"
    at=1 && partition bios 1MiB 21686148-6449-6E6F-744E-656564454649 706f7374-6572-6e00-8000-000000000001
    at=2 && partition esp "${esp_mib}MiB" C12A7328-F81F-11D2-BA4B-00A0C93EC93B 706f7374-6572-6e00-8000-000000000002
    at=$root_at && partition "root-$short" $(($(size_of "$folder/root.img") / 512)) \
        4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709 "$(as_uuid "$(echo "$hash" | cut -c 1-32)")"
    at=$hash_at && partition "hash-$short" $(($(size_of "$folder/hash.img") / 512)) \
        2C7357ED-EBD2-46D9-AEC1-23D437EC2BF5 "$(as_uuid "$(echo "$hash" | cut -c 33-64)")"
}

put() {
    dd if="$folder/$1" of="$folder/disk.raw" bs=1M seek="$2" conv=notrunc,sparse status=none
}

make_disk() {
    root_at=$((2 + esp_mib))
    hash_at=$((root_at + $(mib_of "$folder/root.img")))
    rm -f "$folder/disk.raw"
    # The last MiB is for the second partition table.
    truncate -s "$((hash_at + $(mib_of "$folder/hash.img") + 1))M" "$folder/disk.raw"
    partitions | sfdisk --quiet "$folder/disk.raw"
    put esp.img 2
    put root.img "$root_at"
    put hash.img "$hash_at"
    python3 "$here/bios_boot.py" "$folder/disk.raw" /usr/lib/grub/i386-pc/boot.img "$folder/core.img"
}

export LC_ALL=C TZ=UTC
mkdir -p "$folder"
make_root
cp "$root"/../vmlinuz "$folder/vmlinuz"
"$here/initramfs.sh" "$root" "$folder/initrd.img"
make_grub
make_esp
make_disk
