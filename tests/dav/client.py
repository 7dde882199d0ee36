"""A client without a network: the application from the boundary inwards, on a real store, for one signed-in user."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from lxml import etree

from davstore.blobs.local import LocalBlobs
from davstore.dav.dispatch import allowing, list_methods
from davstore.dav.kinds import offer_with
from davstore.dav.wsgidav.app import build_dav
from davstore.engine.context import Services
from davstore.metadata.database import Database
from davstore.metadata.migrate import migrate
from davstore.metadata.opening import open_database
from davstore.metadata.volatile import Throttle
from davstore.middleware.auth import PRINCIPAL
from davstore.middleware.boundary import Boundary
from davstore.middleware.origins import OtherOrigins
from davstore.middleware.places import Places
from davstore.middleware.sync_gate import SyncGate
from davstore.middleware.well_known import WellKnown
from davstore.model.functions import ALL, Functions
from davstore.model.limits import Limits
from davstore.model.networks import Networks
from davstore.model.origins import Origins
from davstore.model.principals import Device, DeviceClass, Principal, User
from davstore.model.rules import Rule
from davstore.store import reading, sharing
from davstore.store.gating import Gate
from davstore.store.grouping import acquaint
from davstore.web.app import Pages
from davstore.web.refusals import render_refusal
from tests.contract.storage import add_user

ALICE = Principal(User(1, "alice", 1, 1, disabled=False))
BOB = Principal(User(2, "bob", 2, 1, disabled=False))
PHONE = Principal(ALICE.user, Device("0" * 16, 1, "phone", DeviceClass.PHONE, revoked=False))
HOME = "/dav/store/alice"
NOW = 1_800_000_000_250_000
"""Not a whole second: such times are those that clients set."""
D = "{DAV:}"
FILE = "davstore.sqlite"


@lru_cache
def _empty() -> bytes:
    """Return a database without stores, migrated once: it takes as long as a whole test."""
    with tempfile.TemporaryDirectory() as directory:
        database = open_database("", Path(directory))
        migrate(database)
        database.close()
        return (Path(directory) / FILE).read_bytes()


class Answer(NamedTuple):
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def xml(self) -> Any:
        """The root element of the body."""
        return etree.fromstring(self.body)

    @property
    def condition(self) -> str:
        """The Clark name of the first condition of a `D:error`."""
        root = self.xml
        assert root.tag == f"{D}error"
        return str(root[0].tag)

    def hrefs(self) -> list[str]:
        """The hrefs of a multistatus, in order."""
        return [str(response.findtext(f"{D}href")) for response in self.xml.iter(f"{D}response")]

    def prop(self, href: str, name: str) -> Any:
        """The element of a property that is there; None when the answer says 404."""
        return self.props(href).get(name)

    def text(self, href: str, name: str) -> str:
        """The text of a property that is there."""
        return str(self.prop(href, name).text)

    def props(self, href: str, status: int = 200) -> dict[str, Any]:
        """The properties of one resource that have a status."""
        found: dict[str, Any] = {}
        for propstat in self._response(href).iter(f"{D}propstat"):
            if f" {status} " in str(propstat.findtext(f"{D}status")):
                found |= {str(element.tag): element for element in propstat.find(f"{D}prop")}
        return found

    def gone(self) -> list[str]:
        """The hrefs that are reported as removed."""
        return [
            str(response.findtext(f"{D}href"))
            for response in self.xml.iter(f"{D}response")
            if " 404 " in (response.findtext(f"{D}status") or "")
        ]

    def _response(self, href: str) -> Any:
        found = [one for one in self.xml.iter(f"{D}response") if one.findtext(f"{D}href") == href]
        assert len(found) == 1, (href, self.body)
        return found[0]


class Client:
    """Sends requests as a principal. Paths are raw request targets; those without a slash are in alice's store."""

    def __init__(
        self,
        directory: Path,
        *,
        limits: Limits | None = None,
        quota_bytes: int | None = None,
        proxies: str = "",
        drops: bool = False,
        origins: str = "",
        functions: Functions = ALL,
    ) -> None:
        self.now_us = NOW
        self.principal = ALICE
        self.address = "192.0.2.1"
        directory.mkdir(exist_ok=True)
        if not (directory / FILE).exists():
            (directory / FILE).write_bytes(_empty())
        self.database: Database = open_database("", directory)
        for owner, quota in (("alice", quota_bytes), ("bob", None)):
            self._create(owner, quota)
        self.services = Services(
            self.database,
            LocalBlobs(directory / "blobs"),
            limits or Limits(),
            drops,
            clock=lambda: self.now_us,
        )
        self.rules: Sequence[Rule] = ()
        self.throttle = Throttle(directory / "throttle.sqlite")
        self._proxies, self._origins = Networks.parse(proxies), Origins.parse(origins)
        self.serve(functions)

    def serve(self, functions: Functions) -> None:
        """Serve the store as a server does that is started with these functions."""
        self.services = replace(self.services, functions=functions)
        gate = Gate(lambda: self.rules, self.throttle, self.database)
        faces, without = Pages(build_dav(self.services), self.services), offer_with(functions).reports_without
        placed = Places(
            SyncGate(faces, gate, without=without, clock=lambda: self.now_us),
            lambda asker: acquaint(self.services, asker),
            lambda asker, path: reading.may_know(self.services.context(asker), path),
            lambda asker: sharing.list_shares(self.services, asker),
        )

        def signed_in(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            environ[PRINCIPAL] = self.principal
            self.seen = environ
            return placed(environ, start_response)

        boundary = Boundary(
            WellKnown(signed_in),
            realm="davstore",
            proxies=self._proxies,
            pages=render_refusal,
            allowed=allowing(functions),
        )
        self.application: Any = OtherOrigins(boundary, self._origins, list_methods(functions))

    def _create(self, owner: str, quota_bytes: int | None) -> None:
        self.database.write(lambda unit: add_user(unit, owner, now_us=NOW, quota_bytes=quota_bytes))

    def close(self) -> None:
        """Let go of the database."""
        self.throttle.close()
        self.database.close()

    def __call__(
        self,
        method: str,
        path: str = "",
        body: bytes | str = b"",
        *,
        chunked: bool = False,
        **headers: str | None,
    ) -> Answer:
        """Send one request. Headers are keywords: `If_None_Match="*"`; None is not sent."""
        body = body.encode() if isinstance(body, str) else body
        target = path if path.startswith(("/", "*", "http")) else f"{HOME}/{path}"
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "REQUEST_URI": target,
            "PATH_INFO": "/",
            "SCRIPT_NAME": "",
            "HTTP_HOST": "dav.example",
            "REMOTE_ADDR": self.address,
            "wsgi.input": io.BytesIO(body),
            "wsgi.input_terminated": chunked,
            "wsgi.url_scheme": "http",
        }
        environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items() if value is not None}
        if "Content_Type" in headers:
            environ["CONTENT_TYPE"] = headers["Content_Type"]
        if chunked:
            environ["HTTP_TRANSFER_ENCODING"] = "chunked"
        elif body:
            environ["CONTENT_LENGTH"] = str(len(body))
        environ["CONTENT_LENGTH"] = headers.get("Content_Length", environ.get("CONTENT_LENGTH"))
        return self._send(environ)

    def raw(self, method: str, target: str) -> int:
        """Send a bare request with any target at all and return the status."""
        return self._send({"REQUEST_METHOD": method, "REQUEST_URI": target}).status

    def _send(self, environ: dict[str, Any]) -> Answer:
        begun: list[tuple[str, list[tuple[str, str]]]] = []
        parts = self.application(environ, lambda status, headers, _=None: begun.append((status, headers)))
        try:
            body = b"".join(parts)
        finally:
            if hasattr(parts, "close"):
                parts.close()
        status, headers = begun[-1]
        answer = Answer(int(status[:3]), dict(headers), body)
        if answer.status not in (204, 304):
            assert "Content-Length" in answer.headers
            if environ["REQUEST_METHOD"] != "HEAD":
                assert answer.headers["Content-Length"] == str(len(body))
        return answer

    def put(self, path: str, body: bytes | str = b"x", **headers: str | None) -> str:
        """Store a body and return its entity tag, quotes and all."""
        answer = self("PUT", path, body, **headers)
        assert answer.status in (201, 204), answer
        return answer.headers["ETag"]

    def mkcol(self, *paths: str) -> None:
        """Make collections."""
        for path in paths:
            answer = self("MKCOL", path)
            assert answer.status == 201, answer

    def names(self, path: str = "") -> list[str]:
        """Return what GET of a collection lists."""
        slash = "" if path.endswith("/") or not path else "/"
        answer = self("GET", path + slash, Accept="text/plain")
        assert answer.status == 200
        return answer.body.decode().splitlines()

    def find(self, path: str, *names: str, depth: str = "0") -> Answer:
        """Ask for properties by Clark name."""
        return self("PROPFIND", path, prop_body(*names), Depth=depth)

    def patch(self, path: str, *instructions: str, **headers: str | None) -> Answer:
        """Send a PROPPATCH of `set`/`remove` elements."""
        body = f'<D:propertyupdate xmlns:D="DAV:" xmlns:x="urn:x">{"".join(instructions)}</D:propertyupdate>'
        return self("PROPPATCH", path, body, **headers)

    def sync(self, path: str = "", token: str = "", *, level: str = "infinite", limit: int | None = None) -> Answer:
        """Ask for a sync-collection report of entity tags."""
        return self("REPORT", path, sync_body(token, level=level, limit=limit))


def setting(content: str) -> str:
    """Return an instruction that sets properties."""
    return f"<D:set><D:prop>{content}</D:prop></D:set>"


def removing(content: str) -> str:
    """Return an instruction that removes properties."""
    return f"<D:remove><D:prop>{content}</D:prop></D:remove>"


def prop_body(*names: str) -> bytes:
    """Return the body of a PROPFIND for properties by Clark name."""
    root = etree.Element(f"{D}propfind")
    prop = etree.SubElement(root, f"{D}prop")
    for name in names:
        etree.SubElement(prop, name)
    return etree.tostring(root)


def sync_body(
    token: str = "",
    *,
    level: str = "infinite",
    limit: int | None = None,
    props: str = "<D:getetag/>",
) -> str:
    """Return the body of a sync-collection report."""
    nresults = "" if limit is None else f"<D:limit><D:nresults>{limit}</D:nresults></D:limit>"
    return (
        f'<D:sync-collection xmlns:D="DAV:"><D:sync-token>{token}</D:sync-token>'
        f"<D:sync-level>{level}</D:sync-level>{nresults}<D:prop>{props}</D:prop></D:sync-collection>"
    )


def expand_body(content: str) -> str:
    """Return the body of an expand-property report."""
    return f'<D:expand-property xmlns:D="DAV:">{content}</D:expand-property>'


def token_of(answer: Answer) -> str:
    """Return the sync token of a report."""
    assert answer.status == 207, answer
    return str(answer.xml.findtext(f"{D}sync-token"))


MESSAGE = (
    b"Subject: two parts\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain;\r\n\tcharset=utf-8\r\n\r\nhello\r\n"
    b"--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\nContent-ID: <one@x>\r\n"
    b'Content-Disposition: attachment; filename="a b.png"\r\n\r\nAAECAwQF\r\nBgcICQ==\r\n--b--\r\n'
)
"""A message whose second part is the bytes 0 to 9."""
REPORTS = {
    "{urn:davstore:cpm}multiget": (
        '<C:multiget xmlns:C="urn:davstore:cpm" xmlns:D="DAV:"><D:prop/><D:href>/</D:href></C:multiget>'
    ),
    "{urn:davstore:cpm}conversation-history": (
        '<C:conversation-history xmlns:C="urn:davstore:cpm" xmlns:D="DAV:"><D:prop/></C:conversation-history>'
    ),
    "{urn:davstore:cpm}explain-access": (
        '<C:explain-access xmlns:C="urn:davstore:cpm" xmlns:D="DAV:"><D:principal>'
        "<D:href>/dav/principals/users/alice/</D:href></D:principal></C:explain-access>"
    ),
    "{urn:davstore:cpm}explain-sync": '<C:explain-sync xmlns:C="urn:davstore:cpm"/>',
    "{urn:davstore:cpm}resolve": (
        '<C:resolve xmlns:C="urn:davstore:cpm"><C:conversation-id>x</C:conversation-id></C:resolve>'
    ),
    f"{D}sync-collection": sync_body(),
    f"{D}acl-principal-prop-set": '<D:acl-principal-prop-set xmlns:D="DAV:"/>',
    f"{D}principal-match": (
        '<D:principal-match xmlns:D="DAV:"><D:principal-property><D:owner/></D:principal-property></D:principal-match>'
    ),
    f"{D}principal-property-search": (
        '<D:principal-property-search xmlns:D="DAV:"><D:property-search><D:prop><D:displayname/></D:prop>'
        "<D:match>alice</D:match></D:property-search></D:principal-property-search>"
    ),
    f"{D}principal-search-property-set": '<D:principal-search-property-set xmlns:D="DAV:"/>',
    f"{D}expand-property": expand_body('<D:property name="owner"><D:property name="displayname"/></D:property>'),
}
"""A good body for each report, by its name: a new report needs one here."""
