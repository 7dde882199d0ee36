#!/bin/sh
# Dovecot 2.3.19.1 (Debian 1:2.3.19.1+dfsg1-2.1+deb12u7): BODY[1] of a multipart within a multipart ends with the line
# break that belongs to the boundary behind it, when no other line stands between the last boundary of the inner one and
# that of the outer one. RFC 2046 section 5.1.1 says of it: "The CRLF preceding the boundary delimiter line is
# conceptually attached to the boundary". Of parts that are no multiparts (BODY[1.1], BODY[2]) it is not given. So the
# signed part of a multipart/signed, where that is a multipart, is not what was signed (RFC 1847 section 2.1).
#
# Seen on 2026-11-30: BODY[1] has 27 bytes, the last of which are `--inner--` and CRLF; 25 are those of the part.
#
# Exits 0 when that is what happens, 1 when it is not.
set -eu
VERSION=1:2.3.19.1+dfsg1-2.1+deb12u7
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get update -qq
apt-get download -qq "dovecot-core=$VERSION" "dovecot-imapd=$VERSION" libunwind8 2> /dev/null
for package in *.deb; do dpkg -x "$package" root; done

mkdir -p mail/cur mail/new mail/tmp
printf '%s\r\n' 'From: a@example.org' 'MIME-Version: 1.0' 'Content-Type: multipart/mixed; boundary=outer' '' \
    --outer 'Content-Type: multipart/alternative; boundary=inner' '' \
    --inner '' one --inner-- \
    --outer '' two --outer-- > mail/cur/1:2,

# Dovecot lets root read no mail
user=$(id -un) run=
if [ "$user" = root ]; then
    user=nobody run="setpriv --reuid=nobody --regid=nogroup --clear-groups"
    chown -R nobody:nogroup "$work"
fi
printf '%s\r\n' '1 SELECT INBOX' '2 FETCH * (BODY.PEEK[1] BODY.PEEK[1.1] BODY.PEEK[2])' '3 LOGOUT' |
    LD_LIBRARY_PATH="$work/root/usr/lib/dovecot:$(echo "$work"/root/usr/lib/*-linux-gnu*)" USER="$user" HOME="$work" $run \
        root/usr/lib/dovecot/imap -O -o "mail_location=maildir:$work/mail" -o "mail_uid=$user" -o first_valid_uid=1 \
        > said 2> log || { cat said log; exit 1; }

echo "dovecot $VERSION said:"
tr -d '\r' < said | sed -n '/FETCH (/,/^2 OK/p'
for size in '\[1\.1\] {3}' '\[2\] {3}'; do
    grep -q "BODY$size" said || { echo "a part that is no multipart is not as stated: this has changed"; exit 1; }
done
grep -q 'BODY\[1\] {27}' said || { echo "BODY[1] has not 27 bytes: this has changed"; exit 1; }
echo "as stated: 27 bytes where the part has 25"
