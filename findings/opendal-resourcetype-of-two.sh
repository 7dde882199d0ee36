#!/bin/sh
# OpenDAL 0.47.12 (PyPI): its WebDAV service cannot read a multistatus in which a DAV:resourcetype has a second element
# beside DAV:collection. RFC 4918 section 15.9 lets a resource have several types, and CalDAV and CardDAV depend on it.
# Every listing, stat and create_dir beneath such a collection fails with "deserialize xml ... duplicate field `$value`".
#
# Seen on 2026-11-30: one type: the collection is listed. Two types: Unexpected, "deserialize xml", "duplicate field".
#
# Exits 0 when that is what happens, 1 when it is not.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check "opendal==0.47.12" 2> /dev/null
"$work/venv/bin/python" - <<'PYTHON'
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import opendal

TYPES = {"one": "<D:collection/>", "two": '<D:collection/><E:kind xmlns:E="urn:example"/>'}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PROPFIND(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind = TYPES[self.path.strip("/")]
        body = (
            f'<?xml version="1.0" encoding="utf-8"?><D:multistatus xmlns:D="DAV:"><D:response><D:href>{self.path}</D:href>'
            f"<D:propstat><D:prop><D:resourcetype>{kind}</D:resourcetype>"
            "<D:getlastmodified>Thu, 01 Jan 2026 00:00:00 GMT</D:getlastmodified></D:prop>"
            "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>"
        ).encode()
        self.send_response(207)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()


def stat(name):
    operator = opendal.Operator("webdav", endpoint=f"http://127.0.0.1:{server.server_address[1]}", root="/")
    try:
        return f"read: {operator.stat(name + '/').mode}"
    except Exception as error:  # what it raises is what is shown
        return f"{type(error).__name__}: {' '.join(str(error).split('Backtrace')[0].split())}"


one, two = stat("one"), stat("two")
print(f"opendal 0.47.12\none type:  {one}\ntwo types: {two}")
sys.exit(0 if one.startswith("read:") and "deserialize xml" in two and "duplicate field" in two else 1)
PYTHON
