#!/bin/sh
# notmuch 0.37 (Debian 0.37-1+b1): every address in angle brackets of In-Reply-To counts as a message's id, also beside
# References. MH and its kin write `In-Reply-To: Message from Bo <bo@example.org> of "Mon, 30 Nov 2026" <1@example.org>`,
# so all replies to one person become one thread, whatever they are about. It is known for reading In-Reply-To strictly,
# one id and nothing else, but does so for the parent within a thread only, not for the thread.
#
# Seen on 2026-11-30: two replies to two messages about two things, with References to each, are one thread of 4.
#
# Exits 0 when that is what happens, 1 when it is not.
set -eu
VERSION=0.37-1+b1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get update -qq
apt-get download -qq "notmuch=$VERSION" "libnotmuch5=$VERSION" libassuan0 libgmime-3.0-0 libgpgme11 libsexp1 \
    libtalloc2 libxapian30 2> /dev/null
for package in *.deb; do dpkg -x "$package" root; done
LD_LIBRARY_PATH=$(echo "$work"/root/usr/lib/*-linux-gnu*)
export HOME="$work" LD_LIBRARY_PATH NOTMUCH_CONFIG="$work/config"
notmuch="$work/root/usr/bin/notmuch"

mkdir mail
printf '[database]\npath=%s/mail\n[user]\nprimary_email=ann@example.org\n' "$work" > config
write() { # NAME SUBJECT FIELD...
    name=$1 subject=$2
    shift 2
    printf '%s\n' 'From: ann@example.org' "Message-ID: <$name@example.org>" "Subject: $subject" \
        'Date: Mon, 30 Nov 2026 10:00:00 +0000' "$@" '' text > "mail/$name"
}
write 1 tea
write 2 coffee
write 3 'Re: tea' 'References: <1@example.org>' \
    'In-Reply-To: Message from Bo <bo@example.org> of "Mon, 30 Nov 2026" <1@example.org>'
write 4 'Re: coffee' 'References: <2@example.org>' \
    'In-Reply-To: Message from Bo <bo@example.org> of "Mon, 30 Nov 2026" <2@example.org>'
"$notmuch" new > log 2>&1 || { cat log; exit 1; }

echo "notmuch $VERSION has these threads:"
"$notmuch" search '*' | tee said
[ "$(grep -c . said)" = 1 ] || { echo "not one thread: this has changed"; exit 1; }
grep -q '\[4/4\]' said || { echo "not of four messages: this has changed"; exit 1; }
sed -i '/^In-Reply-To/d' mail/3 mail/4
rm -rf mail/.notmuch
"$notmuch" new > log 2>&1 || { cat log; exit 1; }
[ "$("$notmuch" count --output=threads '*')" = 2 ] || { echo "not two without In-Reply-To: this has changed"; exit 1; }
echo "as stated: one thread, where References alone make two"
