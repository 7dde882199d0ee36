#!/bin/sh
# HTTP::DAV 0.49 (Debian 0.49-3) with libwww-perl 6.68 (Debian 6.68-1): `get` of a folder says that it succeeded, and has
# written only those files whose names have something to unescape. Each local path is a URI::file object until
# URI::Escape::uri_unescape changes something in it; LWP takes no object as the place for a body ("Unexpected collect
# argument", in the field X-Died of a response with status 200), and HTTP::DAV looks at the status alone.
#
# Seen on 2026-11-30, of a folder with one.txt and `two 2.txt`: get returns 1, and `two 2.txt` alone is there. With
# `-callback => sub {}`, which has it open the files itself, both are.
#
# Exits 0 when that is what happens, 1 when it is not.
set -eu
VERSION=0.49-3
work=$(mktemp -d)
server=
trap 'kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work"
apt-get update -qq
needed=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
    --no-enhances libhttp-dav-perl | grep -E '^lib[a-z0-9-]+-perl$' | grep -vE '^(libhttp-dav|libwww)-perl$' | sort -u)
# shellcheck disable=SC2086  # one word for each package
apt-get download -qq "libhttp-dav-perl=$VERSION" libwww-perl=6.68-1 $needed 2> /dev/null
for package in *.deb; do dpkg -x "$package" root; done
compiled=$(echo root/usr/lib/*/perl5/*)
export PERL5LIB="$work/root/usr/share/perl5:$work/$compiled"

cat > server.py <<'PYTHON'
"""A collection with two members."""
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FILES = {"/folder/one.txt": b"one\n", "/folder/two%202.txt": b"two\n"}


def response(path):
    kind = "<D:collection/>" if path.endswith("/") else ""
    return (
        f"<D:response><D:href>{path}</D:href><D:propstat><D:prop><D:resourcetype>{kind}</D:resourcetype></D:prop>"
        "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
    )


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body, kind):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_OPTIONS(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(200, b"", "text/plain")

    def do_PROPFIND(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        paths = ["/", "/folder/"] if self.path == "/" else ["/folder/", *FILES]
        body = f'<?xml version="1.0"?><D:multistatus xmlns:D="DAV:">{"".join(map(response, paths))}</D:multistatus>'
        self.answer(207, body.encode(), "application/xml")

    def do_GET(self):
        self.answer(200, FILES[self.path], "text/plain")

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open("port", "w") as file:
    file.write(str(server.server_address[1]))
server.serve_forever()
PYTHON
python3 server.py 2> served & server=$!
until [ -s port ]; do sleep 0.05; done

cat > get.pl <<'PERL'
use strict;
use HTTP::DAV;
my ($url, $to, @more) = @ARGV;
my $dav = HTTP::DAV->new();
$dav->open(-url => "$url/") or die "open: " . $dav->message;
my $got = $dav->get(-url => "folder", -to => $to, @more ? (-callback => sub {}) : ());
print "HTTP::DAV $HTTP::DAV::VERSION, LWP $LWP::VERSION: get returned $got, \"" . $dav->message . "\"\n";
exit !$got;
PERL
url="http://127.0.0.1:$(cat port)"
mkdir plain callback
perl get.pl "$url" "$work/plain" || { echo "get says that it failed: this has changed"; exit 1; }
perl get.pl "$url" "$work/callback" 1 || { echo "get with a callback failed: this has changed"; exit 1; }
echo "without a callback: $(ls -m plain/folder); with one: $(ls -m callback/folder)"
[ "$(ls plain/folder)" = "two 2.txt" ] || { echo "this has changed"; exit 1; }
[ "$(ls callback/folder | wc -l)" = 2 ] || { echo "the callback does not help: this has changed"; exit 1; }
echo "as stated: one.txt is not there"
