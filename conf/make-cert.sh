#!/bin/sh
# make-cert.sh -- a certificate for development: EC P-256, self-signed, for
# localhost, 127.0.0.1 and ::1, valid for 397 days.
#
#     make-cert.sh FILE
#
# FILE gets the certificate and its key as PEM, readable by its owner only. A
# FILE that is valid for another day stays as it is; one that is no certificate
# is never overwritten.
set -eu

fail() {
    echo "make-cert.sh: $1" >&2
    exit 1
}

[ $# -eq 1 ] || fail "usage: make-cert.sh FILE"
command -v openssl >/dev/null 2>&1 || fail "the openssl command is missing: apt install openssl"

file=$1
if [ -s "$file" ]; then
    openssl x509 -in "$file" -noout 2>/dev/null || fail "$file is no certificate: move it away"
    openssl x509 -in "$file" -noout -checkend 86400 >/dev/null && exit 0
fi

umask 077
work=$(mktemp -d "$file.XXXXXX") || fail "cannot write beside $file"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 -days 397 \
    -subj "/CN=localhost" \
    -addext "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1" \
    -addext "basicConstraints=critical,CA:FALSE" \
    -addext "keyUsage=critical,digitalSignature" \
    -addext "extendedKeyUsage=serverAuth" \
    -keyout "$work/key" -out "$work/cert" 2>"$work/log" || {
    cat "$work/log" >&2
    fail "openssl could not make the certificate"
}
cat "$work/cert" "$work/key" >"$work/pem"
mv "$work/pem" "$file"
