#!/bin/sh
# selftest.sh -- what a machine says of itself, once it serves: lines "FACT NAME=VALUE" on its console. The tests bring
# it along as a credential; the image knows nothing of it.
fact() {
    while read -r value; do echo "FACT $1=$value"; done
}

# ADDRESS:PORT in the kernel's hexadecimal, and the user's number, of sockets that wait for anybody.
listening() { awk -v state="$2" '$4 == state && $3 ~ /:0000$/ { print $2, $8 }' "/proc/net/$1"; }

can_write() { touch "$1/written" 2>/dev/null && echo "$1"; }

for program in agetty apt apt-get bash dpkg getty login passwd perl python3 sshd su sulogin; do
    command -v $program | fact has
done
for folder in / /etc /usr /boot /opt; do can_write $folder | fact writable; done
for table in tcp tcp6; do listening $table 0A | fact $table; done
for table in udp udp6; do listening $table 07 | fact $table; done
awk -F: '$1 == "systemd-timesync" || $1 == "systemd-resolve" { print $3 }' /etc/passwd | fact asks
for unit in postern-alb postern-wsserver postern-configure postern-filter; do
    systemd-analyze security --no-pager $unit.service | sed -n 's/.*level for .*: \([0-9.]*\) .*/\1/p' | fact security.$unit
done
findmnt -n -o FSTYPE,OPTIONS / | fact root
findmnt -n -o FSTYPE,SOURCE /var/lib/postern-wsserver | fact data
systemctl --failed --no-legend --plain | fact failed
systemctl is-active systemd-timesyncd.service systemd-resolved.service | fact active
systemctl show --value --property=LogRateLimitIntervalUSec postern-alb.service | fact rate_limit
systemctl is-active systemd-journal-upload.service systemd-netlogd.service | fact sends
awk -F: '$7 !~ /(nologin|false|sync)$/ { print $1 }' /etc/passwd | fact shell
awk -F: '$2 !~ /^[!*]/ { print $1 }' /etc/shadow | fact password
fact ulp </proc/sys/net/ipv4/tcp_available_ulp
# A program of the tests, among the secrets: these may not be run where they are.
if [ -e /run/postern-secrets/ktls ]; then
    install -m 755 /run/postern-secrets/ktls /var/tmp/ktls
    /var/tmp/ktls 2>&1 | fact ktls
fi
grep -c 'BEGIN CERTIFICATE' /etc/ssl/certs/ca-certificates.crt | fact authorities
sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo | fact available_kb
fact machine_id </etc/machine-id
[ -d /sys/firmware/efi ] && echo uefi | fact firmware
fact cmdline </proc/cmdline
busybox wget -q -T 5 -O - http://169.254.169.254/latest/user-data 2>&1 | head -n 1 | fact metadata
echo yes | fact end
