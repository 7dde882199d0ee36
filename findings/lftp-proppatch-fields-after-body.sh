#!/bin/sh
# lftp 4.9.2 (Debian 4.9.2-2+b1): with `http:use-propfind yes`, `mirror --reverse` sets the time of each file it sent by
# a PROPPATCH whose header ends before its last fields: Authorization and Connection follow the body, where a server
# reads them as the beginning of the next request. So the PROPPATCH has no credentials, and is answered 401 by a server
# that wants some; the upload itself went well.
#
# Seen on 2026-11-30, as the server received it (the body is announced with 156 bytes and ends with </propertyupdate>):
#     PROPPATCH /up/one.txt HTTP/1.1 | ... | Content-Length: 156 | | <?xml ...</propertyupdate>
#     Authorization: Basic YTpi | Connection: keep-alive |
#
# Exits 0 when that is what happens, 1 when it is not.
set -eu
VERSION=4.9.2-2+b1
work=$(mktemp -d)
trap 'kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
server=
cd "$work"
apt-get update -qq
apt-get download -qq "lftp=$VERSION" 2> /dev/null
dpkg -x lftp_*.deb root

cat > server.py <<'PYTHON'
"""Want credentials, accept every request that has some, and keep the bytes of those that are PROPPATCH."""
import re
import socketserver


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while True:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = self.rfile.readline()
                if not line:
                    return
                head += line
            found = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            body = self.rfile.read(int(found[1])) if found else b""
            method = head.split(b" ", 1)[0]
            if method == b"PROPPATCH":
                self.connection.settimeout(1)
                try:
                    after = self.connection.recv(65536) if not self.rfile.peek() else self.rfile.peek()
                except TimeoutError:
                    after = b""
                with open("seen", "ab") as seen:
                    seen.write(head + body + b"|after the body|" + after + b"\n")
                return
            if b"\r\nauthorization:" not in head.lower():
                answer, status = b"", b'401 Unauthorized\r\nWWW-Authenticate: Basic realm="x"'
            elif method == b"PROPFIND":
                answer = b'<?xml version="1.0"?><D:multistatus xmlns:D="DAV:"/>'
                status = b"207 Multi-Status\r\nContent-Type: application/xml"
            elif method == b"GET":
                answer, status = b"", b"200 OK\r\nContent-Type: text/plain"
            else:
                answer, status = b"", b"201 Created"
            self.wfile.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


with Server(("127.0.0.1", 0), Handler) as server:
    with open("port", "w") as file:
        file.write(str(server.server_address[1]))
    server.serve_forever()
PYTHON
python3 server.py & server=$!
until [ -s port ]; do sleep 0.05; done

mkdir up
echo one > up/one.txt
touch -d 2020-01-01 up/one.txt
timeout 30 root/usr/bin/lftp -c "set http:use-propfind yes; set net:max-retries 2;
    set net:timeout 5; open -u a,b http://127.0.0.1:$(cat port)/; mirror --reverse up up" > said 2>&1 || true

echo "lftp $VERSION sent:"
cat seen || { cat said; exit 1; }
head=$(tr -d '\r' < seen | sed '/^$/q')
after=$(tr -d '\r' < seen | sed 's/.*|after the body|//;t;d')
printf '%s' "$head" | grep -q '^PROPPATCH ' || { echo "no PROPPATCH: this has changed"; exit 1; }
if printf '%s' "$head" | grep -qi '^authorization:'; then echo "the credentials are in the header: this has changed"; exit 1; fi
case $after in
Authorization:*) echo "as stated: the credentials follow the body" ;;
*) echo "nothing follows the body: this has changed"; exit 1 ;;
esac
