#!/bin/sh
# pack.sh VERSION DEBS ARCHIVE -- installs the packages in the Debian that it runs in, copies what they need at run
# time to a tree of its own, and packs that as an OCI image. Called by ../oci.sh in a chroot that is thrown away.
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
version=$1 debs=$2 archive=$3
user=65532 # of nobody else: the number that images without a distribution's users have
description="A balancer for WebSockets (alb) and a chat server (wsserver), for tests"
root=/image layout=/layout
date=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)

# What only an installation needs is gone from then on.
install_packages() {
    {
        dpkg --install "$debs"/postern-alb_*.deb "$debs"/postern-wsserver_*.deb &&
            dpkg --purge --force-all systemd-standalone-sysusers debianutils
    } >/tmp/dpkg.log 2>&1 || {
        cat /tmp/dpkg.log >&2
        exit 1
    }
}

# --- the tree ------------------------------------------------------------------------------------------

# The programs, a shell for the first process, and all that these depend on. base-files has the folders and says
# whose system it is; certificates of authorities are data.
packages() {
    apt-cache depends --installed --recurse --important postern-alb postern-wsserver dash | grep '^[a-z]'
    echo base-files
    echo ca-certificates
}

# Licences stay, what is to be read or is for systemd goes. Character sets: nothing converts any.
leave_out() {
    grep -Ev -e '^/usr/share/doc/.*/(changelog|README|NEWS|AUTHORS|TODO|examples|[^/]*\.(md|html|gz)$)' \
        -e '^/usr/share/(man|locale|lintian|bug|menu|info|doc-base|bash-completion|ca-certificates|debianutils)(/|$)' \
        -e '^/usr/lib/(systemd|sysusers\.d|tmpfiles\.d)(/|$)' \
        -e '^/etc/(logrotate\.d|update-motd\.d|ca-certificates)(/|$)' \
        -e '/gconv(/|$)' -e '^/usr/sbin/update-ca-certificates$'
}

copy_files() {
    xargs dpkg-query --listfiles </tmp/packages | grep '^/' | sort -u | leave_out |
        while read -r path; do if [ -e "$path" ] || [ -L "$path" ]; then echo "$path"; fi; done >/tmp/files
    # What is made by their installation, and is no file of theirs.
    printf '%s\n' /etc/nsswitch.conf /etc/ssl/certs/ca-certificates.crt >>/tmp/files
    mkdir "$root"
    tar -C / -c --no-recursion -T /tmp/files 2>/tmp/tar.log | tar -x -C "$root"
    cp -R "$here/root/." "$root/"
    chmod -R u=rwX,go=rX "$root/etc/postern" "$root/usr/bin"
    chmod 755 "$root"
}

# Says which packages of which version are in there, to whoever looks for known holes.
list_packages() {
    mkdir -p "$root/var/lib/dpkg"
    xargs dpkg-query --status </tmp/packages >"$root/var/lib/dpkg/status"
}

name_users() {
    printf '%s\n' root:x:0:0:root:/root:/usr/sbin/nologin \
        "postern:x:$user:$user:Postern:/nonexistent:/usr/sbin/nologin" >"$root/etc/passwd"
    printf '%s\n' root:x:0: "postern:x:$user:" >"$root/etc/group"
    for folder in run lib log; do
        for program in postern postern-wsserver; do
            case $folder in run) path=run/$program ;; *) path=var/$folder/$program ;; esac
            mkdir -p "$root/$path"
            chown "$user:$user" "$root/$path"
        done
    done
    mkdir -p "$root/tmp"
    chmod 1777 "$root/tmp"
}

# --- the image -----------------------------------------------------------------------------------------

# Without a line for each step.
umoci_() { umoci --log error "$@"; }

pack_layer() {
    tar -C "$root" -c --sort=name --format=gnu --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -f /layer.tar .
    umoci_ init --layout "$layout"
    umoci_ new --image "$layout:$version"
    umoci_ raw add-layer --image "$layout:$version" --history.created "$date" \
        --history.created_by "Debian packages of postern $version" /layer.tar
}

# One port: CI runners wait for each that is named, and the others are not always open.
configure() {
    umoci_ config --image "$layout:$version" --created "$date" --no-history --os linux \
        --architecture "$(dpkg --print-architecture)" --author "" \
        --config.user "$user:$user" --config.entrypoint /usr/bin/postern --config.workingdir / \
        --config.env PATH=/usr/bin \
        --config.exposedports 8080/tcp --config.stopsignal SIGTERM \
        --config.label "org.opencontainers.image.title=postern" \
        --config.label "org.opencontainers.image.description=$description" \
        --config.label "org.opencontainers.image.version=$version" \
        --config.label "org.opencontainers.image.created=$date" \
        --config.label "org.opencontainers.image.licenses=MIT"
    umoci_ gc --layout "$layout"
}

# The names that engines give it; and the same blobs by a list in Docker's format, for those that read no other.
name_image() {
    manifest=$(jq -r '.manifests[0].digest' "$layout/index.json" | tr : /)
    jq -c --arg name "docker.io/library/postern:$version" \
        '.manifests[0].annotations["io.containerd.image.name"] = $name' "$layout/index.json" >/tmp/index.json
    mv /tmp/index.json "$layout/index.json"
    jq -c --arg tag "postern:$version" 'def blob: "blobs/" + sub(":"; "/");
        [{Config: (.config.digest | blob), RepoTags: [$tag], Layers: [.layers[].digest | blob]}]' \
        "$layout/blobs/$manifest" >"$layout/manifest.json"
}

install_packages
packages | sort -u >/tmp/packages
copy_files
list_packages
name_users
pack_layer
configure
name_image
chmod -R u=rwX,go=rX "$layout"
tar -C "$layout" -c --sort=name --format=gnu --numeric-owner --owner=0 --group=0 --mtime="@$SOURCE_DATE_EPOCH" \
    -f "$archive" .
