#!/bin/bash
# package_hashes.sh ROOT -- writes ROOT/packages.sha256 while apt still knows: name, version and SHA-256 of the file
# of each package there.
set -euo pipefail

root=$1
# shellcheck disable=SC2016 # for dpkg-query
chroot "$root" dpkg-query --show --showformat='${Package}:${Architecture}=${Version}\n' | sed 's/:all=/=/' |
    xargs chroot "$root" apt-cache show --no-all-versions |
    awk '$1 == "Package:" { name = $2 }
         $1 == "Version:" { version = $2 }
         $1 == "SHA256:" { print name, version, $2 }' >"$root/packages.sha256"
