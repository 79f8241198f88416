#!/bin/bash
# customise.sh ROOT DEBS -- makes the appliance of a Debian tree: installs the packages in the folder DEBS, lays
# overlay/ over it, enables what its preset names, and takes out what `slim` lists. Leaves the kernel beside the
# tree, and the list of what is installed as ROOT/../packages.tsv.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$1
debs=$2

inside() {
    chroot "$root" env DEBIAN_FRONTEND=noninteractive LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

# No service is started here, whatever a package's script says.
install_packages() {
    mkdir "$root/debs"
    cp "$debs"/*.deb "$root/debs"
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
    inside sh -c 'dpkg --install /debs/*.deb' >"$root/../dpkg.log" 2>&1 || {
        cat "$root/../dpkg.log" >&2
        echo "customise.sh: dpkg could not install the packages: its reason is above" >&2
        exit 1
    }
    rm -r "$root/debs" "$root/usr/sbin/policy-rc.d"
}

# One line a package: name, version, architecture, source package and its version, and the hash of the file
# that it was installed from.
list_packages() {
    (cd "$debs" && for deb in *.deb; do
        echo "$(dpkg-deb --field "$deb" Package) $(dpkg-deb --field "$deb" Version) $(sha256sum <"$deb")"
    done) | sed 's/ *-$//' | cat - "$root/packages.sha256" >"$root/../sha256"
    # shellcheck disable=SC2016 # for dpkg-query
    inside dpkg-query --show \
        --showformat='${Package} ${Version} ${Architecture} ${source:Package} ${source:Version}\n' |
        LC_ALL=C sort >"$root/../packages"
    awk 'NR == FNR { hash[$1 " " $2] = $3; next } { print $0, hash[$1 " " $2] }' \
        "$root/../sha256" "$root/../packages" | tr ' ' '\t' >"$root/../packages.tsv"
    rm "$root/packages.sha256"
}

# What is a link in the appliance, and no file in overlay/.
lay_links() {
    ln -sf ../run/systemd/resolve/resolv.conf "$root/etc/resolv.conf"
    ln -sf /usr/lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
    # Where the journal goes is said among the secrets; without these files, nowhere.
    for program in journal-upload netlogd; do
        mkdir -p "$root/etc/systemd/$program.conf.d"
        ln -sf "/run/postern-secrets/$program.conf" "$root/etc/systemd/$program.conf.d/appliance.conf"
    done
}

lay_over() {
    cp -R --no-preserve=ownership "$here/overlay/." "$root/"
    lay_links
    # Empty: each start has a number of its own, and nothing takes itself for the first one.
    : >"$root/etc/machine-id"
    : >"$root/etc/fstab"
}

# Links are made anew from the presets: what packages have enabled is not asked.
enable_units() {
    rm -rf "$root"/etc/systemd/system/*.wants "$root"/etc/systemd/system/dbus-*.service
    inside systemctl preset-all >"$root/../preset.log" 2>&1
}

# Every name in `slim` is there, or it is out of date and says so.
slim() {
    grep -v '^#' "$here/slim" | while read -r pattern; do
        # shellcheck disable=SC2086 # a pattern
        (cd "$root" && ls -d $pattern >/dev/null && rm -rf $pattern) || {
            echo "customise.sh: nothing is called $pattern: take it out of image/slim" >&2
            exit 1
        }
    done
    depmod -b "$root/usr" "$(ls "$root/usr/lib/modules")"
    # What is mounted over, and what is written while it runs.
    for folder in boot dev proc run srv sys tmp var; do
        rm -rf "${root:?}/$folder"
        mkdir "$root/$folder"
    done
}

lock_root() {
    inside passwd --lock root >/dev/null
    inside usermod --shell /usr/sbin/nologin root
    rm -f "$root"/etc/passwd- "$root"/etc/shadow- "$root"/etc/group- "$root"/etc/gshadow-
}

umask 022
install_packages
list_packages
lay_over
enable_units
lock_root
mv "$root"/boot/vmlinuz-* "$root/../vmlinuz"
slim
