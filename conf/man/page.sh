#!/bin/sh
# page.sh -- print a manual page as scdoc(5): a text by hand, in which a line @commands or @settings stands
# for what the program itself says (--help, settings). Manual pages cannot say anything else than the program.
#
#     page.sh TEXT PROGRAM VERSION
set -eu

here=$(dirname "$0") text=$1 program=$2 version=$3
name=$(basename "$program")
said=$(mktemp -d)
trap 'rm -rf "$said"' EXIT

"$program" --help | awk -v program="$name" -f "$here/commands.awk" >"$said/commands"
"$program" settings | awk -f "$here/settings.awk" >"$said/settings"
sed -e "s/@version/$version/" -e "/^@commands$/{r $said/commands
d}" -e "/^@settings$/{r $said/settings
d}" "$text"
