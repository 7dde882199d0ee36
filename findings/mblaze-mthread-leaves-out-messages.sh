#!/bin/sh
# mblaze 1.1 (Debian 1.1-1): of several files with one Message-ID, mthread prints the last that it was given, and ends
# with 0. What is done with its list (`mlist Maildir | mthread | mshow`) is not done to the others; two messages that are
# not the same, such as an original and a mailing list's copy of it, or a draft and what was sent, are no different.
#
# Seen on 2026-11-30: of 3 files, 2 are printed; of the sample mail of notmuch 43 of 320 are not.
#
# Exits 0 when that is what happens, 1 when it is not.
set -eu
VERSION=1.1-1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get update -qq
apt-get download -qq "mblaze=$VERSION" 2> /dev/null
dpkg -x mblaze_*.deb root

printf '%s\n' 'Message-ID: <1@example.org>' 'Subject: one' '' one > a
printf '%s\n' 'Message-ID: <1@example.org>' 'Subject: another' '' another > b
printf '%s\n' 'Message-ID: <2@example.org>' 'References: <1@example.org>' '' reply > c
printf '%s\n' "$work/a" "$work/b" "$work/c" | root/usr/bin/mthread > said

echo "mblaze $VERSION was given a, b and c, and printed:"
sed "s|$work/||" said
printf '%s\n' "$work/b" " $work/c" | cmp -s - said || { echo "not b with c beneath: this has changed"; exit 1; }
echo "as stated: a is not there"
