#!/bin/sh
# git 2.39.5 (Debian 1:2.39.5-0+deb12u3): `git push` over WebDAV to a repository whose URL has `&` in it ends well, and
# leaves a repository that clones as empty. Of the text of an href, git keeps only what follows the last entity
# (`&amp;`, as XML wants the character), so no member is found beneath refs/, and info/refs is written without a line.
#
# Seen on 2026-11-30: "R&D.git": push ends with 0, "Parsed path 'D.git/refs/' does not match url: '/R&D.git/'", 0 bytes
# of info/refs. "RD.git", by the same server: push ends with 0, info/refs names the branch.
#
# Exits 0 when that is what happens, 1 when it is not.
set -eu
VERSION=1:2.39.5-0+deb12u3
work=$(mktemp -d)
server=
trap 'kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work"
apt-get update -qq
apt-get download -qq "git=$VERSION" 2> /dev/null
dpkg -x git_*.deb root
export HOME="$work" PATH="$work/root/usr/bin:$PATH" GIT_EXEC_PATH="$work/root/usr/lib/git-core"
export GIT_TEMPLATE_DIR="$work/root/usr/share/git-core/templates" GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0

cat > server.py <<'PYTHON'
"""WebDAV over what lies beneath the current directory, as far as git needs it; hrefs are spelled as the URL was."""
import os
import shutil
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, unquote, urlsplit
from xml.sax.saxutils import escape

TYPE = "<D:supportedlock><D:lockentry><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype>"
TYPE += "</D:lockentry></D:supportedlock>"
LOCK = '<D:prop xmlns:D="DAV:"><D:lockdiscovery><D:activelock><D:timeout>Second-600</D:timeout><D:locktoken>'
LOCK += "<D:href>urn:example:1</D:href></D:locktoken></D:activelock></D:lockdiscovery></D:prop>"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", **fields):
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def parse_request(self):
        parsed = super().parse_request()
        if parsed:
            self.file = "." + unquote(urlsplit(self.path).path)
            self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return parsed

    def do_GET(self):
        if not os.path.isfile(self.file):
            return self.answer(200 if os.path.isdir(self.file) else 404)
        with open(self.file, "rb") as file:
            self.answer(200, file.read())

    do_HEAD = do_GET

    def do_OPTIONS(self):
        self.answer(200, DAV="1, 2")

    def do_PUT(self):
        with open(self.file, "wb") as file:
            file.write(self.body)
        self.answer(201)

    def do_MKCOL(self):
        os.makedirs(self.file, exist_ok=True)
        self.answer(201)

    def do_MOVE(self):
        shutil.move(self.file, "." + unquote(urlsplit(self.headers["Destination"]).path))
        self.answer(201)

    def do_LOCK(self):
        self.answer(200, LOCK.encode(), Content_Type="application/xml", Lock_Token="<urn:example:1>")

    def do_UNLOCK(self):
        self.answer(204)

    def do_PROPFIND(self):
        if not os.path.exists(self.file):
            return self.answer(404)
        top, found = self.file.rstrip("/"), [self.file.rstrip("/")]
        if self.headers.get("Depth") == "1" and os.path.isdir(top):
            found += sorted(f"{top}/{name}" for name in os.listdir(top))
        responses = ""
        for path in found:
            href = escape(quote(path[1:] + "/" * os.path.isdir(path), safe="/&"))
            kind = f"<D:resourcetype>{'<D:collection/>' if os.path.isdir(path) else ''}</D:resourcetype>"
            responses += f"<D:response><D:href>{href}</D:href><D:propstat><D:prop>{TYPE}{kind}</D:prop>"
            responses += "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
        body = f'<?xml version="1.0"?><D:multistatus xmlns:D="DAV:">{responses}</D:multistatus>'.encode()
        self.answer(207, body, Content_Type="application/xml")

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open("../port", "w") as file:
    file.write(str(server.server_address[1]))
server.serve_forever()
PYTHON

git init -q --initial-branch=main here
echo one > here/one.txt
git -C here add .
git -C here -c user.name=a -c user.email=a@example.org commit -q -m one
mkdir there
for name in "RD.git" "R&D.git"; do
    git init -q --bare --initial-branch=main "there/$name"
    git -C "there/$name" update-server-info
done
(cd there && exec python3 ../server.py) & server=$!
until [ -s port ]; do sleep 0.05; done

git --version
for name in "RD.git" "R&D.git"; do
    ended=0
    timeout 60 git -C here push "http://127.0.0.1:$(cat port)/$name" main > said 2>&1 || ended=$?
    echo "$name: push ended with $ended; info/refs: $(cat "there/$name/info/refs")"
    grep '^error' said || true
    [ "$ended" = 0 ] || { cat said; echo "this has changed"; exit 1; }
done
grep -q refs/heads/main "there/RD.git/info/refs" || { echo "not even without &: this has changed"; exit 1; }
[ -s "there/R&D.git/refs/heads/main" ] || { echo "the branch did not arrive: this has changed"; exit 1; }
[ ! -s "there/R&D.git/info/refs" ] || { echo "the branch is named: this has changed"; exit 1; }
echo "as stated: the branch is there, and a clone sees none"
