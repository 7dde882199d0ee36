"""An RFC 6578 server that is not davstore, for tests only: a tree in memory, opaque entity tags, selectable habits."""

from __future__ import annotations

import base64
import itertools
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import unquote, urlsplit
from xml.sax.saxutils import escape

from lxml import etree

from davstore.protocol.dav.hrefs import render_href

ROOT = "/files"
DAV = "{DAV:}"


class Node(NamedTuple):
    """content is None for a collection."""

    content: bytes | None
    etag: str
    changed: int
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class Store:
    """The tree, its history, and the habits of the server."""

    infinite: bool = True
    """Whether reports go to the bottom."""
    page: int = 0
    """How many rows a report has; 0: all."""
    guards: bool = True
    """Whether collections have sync tokens and `If` is judged."""
    tells_etag: bool = True
    """Whether PUT is answered with the entity tag."""
    resource_id: str = ""
    """The DAV:resource-id of the collection; '': it has none."""
    answer: Callable[[str, str], tuple[int, dict[str, str], bytes] | None] = lambda _method, _path: None
    """Answers instead of the server."""
    before: Callable[[str, str], None] = lambda _method, _path: None
    """Called before each request is judged."""
    knows_ranges: bool = True
    """Whether GET gives parts (RFC 9110 §14)."""
    cut: Callable[[str], int | None] = lambda _path: None
    """After how many bytes of a GET the connection breaks; None: it does not."""
    sent: list[tuple[str, str, int]] = field(default_factory=list)
    """Path, Range and how many bytes went, of each GET."""
    told: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Path and headers of each PUT."""
    nodes: dict[str, Node] = field(default_factory=dict)
    gone: dict[str, int] = field(default_factory=dict)
    floor: int = 0
    requests: list[tuple[str, str]] = field(default_factory=list)
    modes: list[str] = field(default_factory=list)
    """The Sync-Context of each report."""
    questions: list[bytes] = field(default_factory=list)
    """The body of each report."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    number: int = 0

    def tree(self) -> dict[str, bytes | None]:
        """Return what is there."""
        return {path: node.content for path, node in sorted(self.nodes.items())}

    def below(self, path: str) -> list[str]:
        """Return path and everything beneath it."""
        return [other for other in sorted(self.nodes) if not path or other == path or other.startswith(f"{path}/")]

    def write(self, path: str, content: bytes | None) -> str:
        """Put a node and return its entity tag."""
        with self.lock:
            self.number = next(self._numbers)
            etag = f'"opaque-{self.number}"' if content is not None else ""
            self.nodes[path] = Node(content, etag, self.number)
            self.gone.pop(path, None)
            return etag

    def remove(self, path: str) -> None:
        """Remove a tree."""
        with self.lock:
            self.number = next(self._numbers)
            for other in self.below(path):
                del self.nodes[other]
                self.gone[other] = self.number

    def move(self, source: str, target: str) -> None:
        """Move a tree; every member is newly mapped and keeps its tag."""
        with self.lock:
            moved = {target + path[len(source) :]: self.nodes[path] for path in self.below(source)}
            self.remove(source)
            for path, node in moved.items():
                self.number = next(self._numbers)
                self.nodes[path] = node._replace(changed=self.number)
                self.gone.pop(path, None)

    def changed_since(self, path: str, number: int, *, infinite: bool) -> list[tuple[int, str]]:
        """Return the rows of a report, oldest first. Since -1: all resources that are there, and no removals."""
        inside = f"{path}/" if path else ""
        rows = [(node.changed, other) for other, node in self.nodes.items()]
        rows += [(at, other) for other, at in self.gone.items() if number >= 0]
        below = [(at, other) for at, other in rows if at > number and other.startswith(inside) and other != path]
        return sorted(row for row in below if infinite or "/" not in row[1][len(inside) :])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    store: Store

    def log_message(self, *_: object) -> None:
        pass

    def _path(self, raw: str) -> str:
        return unquote(urlsplit(raw).path.removeprefix(ROOT).strip("/"))

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path, store = self._path(self.path), self.store
        store.before(self.command, path)
        with store.lock:
            store.requests.append((self.command, path))
            store.modes += [self.headers.get("Sync-Context", "")] * (self.command == "REPORT")
            expected = "Basic " + base64.b64encode(b"user:password").decode()
            if self.headers.get("Authorization") != expected:
                status, headers, content = 401, {"WWW-Authenticate": "Basic"}, b""
            else:
                status, headers, content = store.answer(self.command, path) or self._answer(path, body)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if status not in (204, 304) and self.command != "HEAD":
            self._give(path, content)
        self.wfile.flush()

    def _give(self, path: str, content: bytes) -> None:
        cut = self.store.cut(path) if self.command == "GET" else None
        if self.command == "GET":
            self.store.sent.append((path, self.headers.get("Range", ""), len(content[:cut])))
        self.wfile.write(content[:cut])
        self.close_connection = self.close_connection or cut is not None

    def _answer(self, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        node = self.store.nodes.get(path) if path else Node(None, "", 0)
        if not self._conditions_hold(node):
            return 412, {}, b""
        return getattr(self, f"_{self.command.lower()}")(path, node, body)

    def _conditions_hold(self, node: Node | None) -> bool:
        match, none = self.headers.get("If-Match"), self.headers.get("If-None-Match")
        if match and (node is None or node.etag != match):
            return False
        if none == "*" and node is not None:
            return False
        guard = re.fullmatch(r"<(.*)> \(<token:(\d+)>\)", self.headers.get("If", ""))
        if guard and self.store.guards:
            return not self.store.changed_since(self._path(guard[1]), int(guard[2]), infinite=True)
        return True

    def _parent_is_there(self, path: str) -> bool:
        parent = path.rpartition("/")[0]
        return not parent or (parent in self.store.nodes and self.store.nodes[parent].content is None)

    def _get(self, path: str, node: Node | None, body: bytes) -> tuple[int, dict[str, str], bytes]:
        if node is None or node.content is None:
            return 404, {}, b""
        headers = {"ETag": node.etag, **dict(node.headers)}
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if not (found and self.store.knows_ranges and self.headers.get("If-Range") == node.etag):
            return 200, headers, node.content
        first, size = int(found[1]), len(node.content)
        if first >= size:
            return 416, {"Content-Range": f"bytes */{size}"}, b""
        return 206, {**headers, "Content-Range": f"bytes {first}-{size - 1}/{size}"}, node.content[first:]

    _head = _get

    def _put(self, path: str, node: Node | None, body: bytes) -> tuple[int, dict[str, str], bytes]:
        if not self._parent_is_there(path) or (node and node.content is None):
            return 409, {}, b""
        etag = self.store.write(path, body)
        self.store.told.append((path, dict(self.headers.items())))
        return 204 if node else 201, {"ETag": etag} if self.store.tells_etag else {}, b""

    def _mkcol(self, path: str, node: Node | None, body: bytes) -> tuple[int, dict[str, str], bytes]:
        if node or not self._parent_is_there(path):
            return 405 if node else 409, {}, b""
        self.store.write(path, None)
        return 201, {}, b""

    def _delete(self, path: str, node: Node | None, body: bytes) -> tuple[int, dict[str, str], bytes]:
        if node is None:
            return 404, {}, b""
        self.store.remove(path)
        return 204, {}, b""

    def _move(self, path: str, node: Node | None, body: bytes) -> tuple[int, dict[str, str], bytes]:
        target = self._path(self.headers["Destination"])
        if node is None or not self._parent_is_there(target):
            return 404 if node is None else 409, {}, b""
        if target in self.store.nodes:
            return 412, {}, b""
        self.store.move(path, target)
        return 201, {}, b""

    def _propfind(self, path: str, node: Node | None, body: bytes) -> tuple[int, dict[str, str], bytes]:
        if node is None:
            return 404, {}, b""
        inside = f"{path}/" if path else ""
        below = [other for other in self.store.below(path) if other != path and "/" not in other[len(inside) :]]
        rows = [path, *(below if self.headers.get("Depth") == "1" else [])]
        return self._multistatus("".join(self._row(other) for other in rows))

    def _report(self, path: str, node: Node | None, body: bytes) -> tuple[int, dict[str, str], bytes]:
        query = etree.fromstring(body)
        token = (query.findtext(f"{DAV}sync-token") or "").removeprefix("token:")
        infinite = query.findtext(f"{DAV}sync-level") == "infinite"
        self.store.questions.append(body)
        if node is None:
            return 404, {}, b""
        if infinite and not self.store.infinite:
            return 403, {}, b'<D:error xmlns:D="DAV:"><D:sync-traversal-supported/></D:error>'
        if token and int(token) < self.store.floor:
            return 403, {}, b'<D:error xmlns:D="DAV:"><D:valid-sync-token/></D:error>'
        changes = self.store.changed_since(path, int(token or -1), infinite=infinite)
        rest = changes[self.store.page :] if self.store.page else []
        changes = changes[: len(changes) - len(rest)]
        last = changes[-1][0] if rest else self.store.number
        while rest and rest[0][0] == last:  # one number, one page: a tree that was removed
            changes.append(rest.pop(0))
        rows = "".join(self._row(other) for _, other in changes)
        if rest:
            rows += self._status(path, 507)
        return self._multistatus(f"{rows}<D:sync-token>token:{last}</D:sync-token>")

    def _row(self, path: str) -> str:
        node = self.store.nodes.get(path) if path else Node(None, "", 0)
        if node is None:
            return self._status(path, 404)
        kind = "<D:collection/>" if node.content is None else ""
        length = f"<D:getcontentlength>{len(node.content)}</D:getcontentlength>" if node.content is not None else ""
        tag = f"<D:getetag>{escape(node.etag)}</D:getetag>" if node.etag else ""
        token = f"<D:sync-token>token:{self.store.number}</D:sync-token>" if self.store.guards else ""
        known = self.store.resource_id if not path else ""
        identity = f"<D:resource-id><D:href>{known}</D:href></D:resource-id>" if known else ""
        prop = f"<D:resourcetype>{kind}</D:resourcetype>{tag}{length}{token}{identity}"
        return (
            f"<D:response><D:href>{self._href(path)}</D:href><D:propstat><D:prop>{prop}</D:prop>"
            f"<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
        )

    def _status(self, path: str, status: int) -> str:
        return (
            f"<D:response><D:href>{self._href(path)}</D:href><D:status>HTTP/1.1 {status} Told</D:status></D:response>"
        )

    def _href(self, path: str) -> str:
        node = self.store.nodes.get(path)
        href = render_href(filter(None, path.split("/")), not path or bool(node and node.content is None))
        return escape(ROOT + href)

    def _multistatus(self, inner: str) -> tuple[int, dict[str, str], bytes]:
        text = f'<?xml version="1.0"?><D:multistatus xmlns:D="DAV:">{inner}</D:multistatus>'
        return 207, {"Content-Type": "application/xml"}, text.encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Devices are killed in tests."""


@contextmanager
def serve(store: Store, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """Run the server, over TLS with a context, and give the URL of its collection."""
    handler = type("Handler", (_Handler,), {"store": store})
    server = _Server(("127.0.0.1", 0), handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http{'s' if context else ''}://127.0.0.1:{server.server_address[1]}{ROOT}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
