"""Every entrance of the whole application: no way in without credentials, and no hint of others' stores.

Promise 9 of `docs/reliability.md`, and docs/protocol.md#order-of-answers.
"""

from __future__ import annotations

import base64
import io
import itertools
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from davstore import application_wiring, wiring
from davstore.dav import dispatch
from davstore.protocol.dav.hrefs import render_href
from davstore.protocol.urls import AREAS
from davstore.settings import load_settings
from davstore.store import enrolling
from tests.dav.client import sync_body

ROOTS = [render_href(segments, slash=True) for segments in AREAS]
"""Where each area of the URL space begins; what is said of one is said of all."""
THREADS = "/dav/threads/"
IDS = '<D:propfind xmlns:D="DAV:"><D:prop><D:resource-id/></D:prop></D:propfind>'
in_every_area = pytest.mark.parametrize("root", ROOTS)
METHODS = (*dispatch.METHODS, "PATCH")
UNKNOWN = ("BREW", "SEARCH", "TRACE", "CONNECT", "get")
ADDRESSES = (f"10.{high}.{low}.1" for high, low in itertools.product(range(256), repeat=2))
"""A network of its own for each who is refused, so that nobody is throttled for another."""
LOCK = (
    '<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope>'
    "<D:locktype><D:write/></D:locktype></D:lockinfo>"
)
PATCHING = '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><x xmlns="urn:x">1</x></D:prop></D:set></D:propertyupdate>'
MARKING = (
    '<C:bulk-update xmlns:D="DAV:" xmlns:C="urn:davstore:cpm"><D:where><D:is-collection/></D:where>'
    "<D:set><D:prop><C:seen>T</C:seen></D:prop></D:set></C:bulk-update>"
)
BODIES = {
    "PUT": "x",
    "ACL": '<D:acl xmlns:D="DAV:"/>',
    "LOCK": LOCK,
    "PROPPATCH": PATCHING,
    "REPORT": sync_body(level="1"),
    "POST": MARKING,
}
HEADERS = {
    "PROPFIND": {"HTTP_DEPTH": "0"},
    "POST": {"CONTENT_TYPE": "application/xml"},
    "UNLOCK": {"HTTP_LOCK_TOKEN": "<urn:uuid:8f5c5a52-5a3f-4b7e-9d1a-000000000000>"},
}


class Answer(NamedTuple):
    """A response without the request's id."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Storage:
    """The application as a worker runs it; alice has a file and a folder, bob is another user, carol is disabled."""

    def __init__(self, directory: Path) -> None:
        settings = load_settings(flags={"data.path": str(directory), "policy.file": ""}, environ={})
        self.directory = directory
        self.database = wiring.open_storage(settings).database
        for name in ("alice", "bob", "carol"):
            enrolling.add_user(self.database, name, f"{name}'s", now_us=1)
        secrets = {
            (user, device): enrolling.add_device(self.database, user, device, now_us=1).secret
            for user, device in (("alice", "phone"), ("alice", "lost"), ("bob", "phone"), ("carol", "phone"))
        }
        enrolling.revoke_device(self.database, "alice", "lost")
        enrolling.set_disabled(self.database, "carol", disabled=True)
        self.alice, self.bob = basic("alice", "alice's"), basic("bob", "bob's")
        self.alices_phone = f"Bearer {secrets['alice', 'phone']}"
        self.bobs_phone = basic("bob", secrets["bob", "phone"])
        self.lost = f"Bearer {secrets['alice', 'lost']}"
        self.phone_secret = secrets["alice", "phone"]
        self.disabled = basic("carol", secrets["carol", "phone"])
        self._application: Any = application_wiring.build_application(settings)

    def __call__(self, method: str, target: str, who: str | None, *, body: str = "", **environ: str) -> Answer:
        environ = {
            "REQUEST_METHOD": method,
            "REQUEST_URI": target,
            "PATH_INFO": target,
            "SCRIPT_NAME": "",
            "HTTP_HOST": "dav.example",
            "wsgi.url_scheme": "http",
            "REMOTE_ADDR": next(ADDRESSES),
            **environ,
        }
        if who is not None:
            environ["HTTP_AUTHORIZATION"] = who
        if body:
            environ["CONTENT_LENGTH"] = str(len(body))
        begun: list[tuple[str, list[tuple[str, str]]]] = []
        parts = self._application(
            environ | {"wsgi.input": io.BytesIO(body.encode())},
            lambda status, headers, _=None: begun.append((status, headers)),
        )
        content = b"".join(parts)
        parts.close()
        status, headers = begun[-1]
        known = tuple(header for header in headers if header[0] != "X-Request-Id")
        return Answer(int(status[:3]), known, content)

    def ask(self, method: str, target: str, who: str | None) -> Answer:
        """Send a method as a client would mean it, COPY and MOVE to a place of the principal's own store."""
        user = "bob" if who in (self.bob, self.bobs_phone) else "alice"
        headers = HEADERS.get(method, {})
        if method in ("COPY", "MOVE"):
            headers = {"HTTP_DESTINATION": f"{ROOTS[0]}{user}/copy-{next(ADDRESSES)}"}
        return self(method, target, who, body=BODIES.get(method, ""), **headers)

    def make(self, kind: str, root: str = ROOTS[0]) -> str:
        """Return the URL of something new of alice's; in threads a file is a message and a folder its thread."""
        if root == THREADS and kind != "missing":
            message = f"{ROOTS[0]}alice/{kind}-{next(ADDRESSES)}.eml"
            assert (
                self("PUT", message, self.alice, body=f"From: a@x\r\nMessage-ID: <{message}>\r\n\r\nhers").status == 201
            )
            depth = {"HTTP_DEPTH": "infinity"}
            found = self("PROPFIND", f"{root}alice/", self.alice, body=IDS, **depth).body.decode()
            own = self("PROPFIND", message, self.alice, body=IDS, HTTP_DEPTH="0").body.decode()
            [url] = re.findall(rf"<D:href>(/dav[^<]*{re.findall('urn:uuid:([^<]*)', own)[0]}[^<]*)</D:href>", found)
            return url if kind == "file" else url.rpartition("/")[0]
        target = f"{root}alice/{kind}-{next(ADDRESSES)}"
        if kind == "file":
            assert self("PUT", target, self.alice, body="hers").status == 201
        if kind == "folder":
            assert self("MKCOL", target, self.alice).status == 201
        return target


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory):
    made = Storage(tmp_path_factory.mktemp("storage"))
    yield made
    made.database.close()


PATHS = (
    "/", "/dav", "/dav/", *(root + path for root in ROOTS for path in ("", "alice/", "alice/file", "nobody/x")),
    "/dav/principals/", "/dav/principals/users/alice/", "/dav/principals/devices/alice/phone/",
    "/.well-known/", "/.well-known/caldav", "/.well-known/davstore/x", "/favicon.ico", "/index.html", "/robots.txt",
    "/healthz/", "/healthz/x", "/Readyz", "/%68ealthz/", "/dav/healthz", "/?page", "/dav/store/alice/?preview=256",
    "/dav/store/alice/file?part=1",
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_without_credentials_every_path_and_method_is_401(storage: Storage, path: str) -> None:
    for method in (*METHODS, *UNKNOWN):
        for headers in ({}, {"HTTP_ACCEPT": "text/html"}, {"HTTP_DEPTH": "seven", "HTTP_IF": "("}):
            answer = storage(method, path, None, body="<not-xml", **headers)
            assert answer.status == 401, (method, path)
            assert [value.split()[0] for name, value in answer.headers if name == "WWW-Authenticate"] == [
                "Basic",
                "Bearer",
            ]
            is_page = headers == {"HTTP_ACCEPT": "text/html"} and method in ("GET", "HEAD")
            assert answer.body in (b"Unauthorized\n", b"") or (is_page and b"Please sign in" in answer.body)
    assert storage("OPTIONS", "*", None).status == 401


@pytest.mark.parametrize("method", [*METHODS, *UNKNOWN])
def test_what_is_open_to_anybody_tells_nothing(storage: Storage, method: str) -> None:
    for path in ("/healthz", "/readyz", "/healthz?x", "/%68ealthz"):
        answer = storage(method, path, None)
        assert answer.status == (200 if method in ("GET", "HEAD") else 405)
        assert answer.body == {"GET": b"ok\n", "HEAD": b""}.get(method, b"Method Not Allowed\n")
    # RFC 6764 §5: the redirection comes before any credentials are asked for.
    assert storage(method, "/.well-known/davstore", None)[:2] == (307, (("Location", "/dav/"), ("Content-Length", "0")))


def test_a_store_that_cannot_serve_does_not_say_why(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "storage")
    storage.database.close()
    shutil.rmtree(storage.directory)
    answer = storage("GET", "/readyz", None)
    assert (answer.status, answer.body) == (503, b"Service Unavailable\n")
    assert "storage" not in repr(answer)


@pytest.mark.parametrize(
    "authorization",
    [
        "", " ", "Basic", "Basic ", "basic =", "Basic !!!", "Basic YQ", "Basic YWxpY2U=",
        "Basic YWxpY2U6eA==, Basic YTpi",
        "Basic " + base64.b64encode(b"alice:\xff\xfe").decode(), "Basic " + base64.b64encode(b"al\0ice:x").decode(),
        "Basic " + base64.b64encode(b"alice:x\n").decode(), "Basic \xff\xfe", "Basic\tYWxpY2U6eA==", "YWxpY2U6eA==",
        "Bearer", "Bearer ", "Bearer a b", "Bearer \xe9", "Bearer ,", "Digest username=\"alice\"", "Negotiate YII=",
        "Basic " + "A" * 30_001, "Basic " + "QUFB" * 8_000, "Bearer " + "A" * 30_000, ":", "\x00",
    ],
)  # fmt: skip
def test_credentials_that_cannot_be_read_are_401(storage: Storage, authorization: str) -> None:
    """WsgiDAV answered them 500."""
    assert storage("PROPFIND", "/dav/store/alice/", authorization).status == 401


def test_very_long_names_and_passwords_are_wrong_like_others(storage: Storage) -> None:
    for user, password in (("a" * 20_000, "x"), ("alice", "x" * 20_000), ("", ""), ("alice", ""), ("älice", "pä")):
        assert storage("GET", "/dav/store/alice/", basic(user, password)).status == 401


def test_a_suspended_device_is_told_so_and_no_other(storage: Storage) -> None:
    secret = enrolling.add_device(storage.database, "alice", "tablet", now_us=1).secret
    file, tablet = storage.make("file"), f"Bearer {secret}"
    assert storage("LOCK", file, tablet, body=LOCK).status == 200
    enrolling.set_suspended(storage.database, "alice", "tablet", suspended=True)
    answers = {
        storage(method, target, who, HTTP_DEPTH="seven")
        for method in (*METHODS, *UNKNOWN)
        for target in (file, "/dav/store/bob/", "/dav/principals/devices/alice/tablet/", "/nothing")
        for who in (tablet, basic("alice", secret))
        if method not in ("OPTIONS", "HEAD")
    }
    [(status, _, body)] = answers
    assert status == 403
    assert b"<C:device-enrolled><C:state>suspended</C:state></C:device-enrolled>" in body
    assert storage("OPTIONS", file, tablet).status == 200
    assert storage("HEAD", file, tablet).status == 403
    assert storage("GET", file, f"{tablet[:-4]}0000").status == 401  # wrong: nothing is said of the device
    assert storage("PUT", file, storage.alice, body="x").status == 423  # its lock stays
    enrolling.set_suspended(storage.database, "alice", "tablet", suspended=False)
    assert storage("GET", file, tablet).status == 200


OWN_THREADS = {
    "OPTIONS": (200, 200, 200),
    "GET": (200, 307, 404),
    "HEAD": (200, 307, 404),
    "PROPFIND": (207, 207, 404),
    "REPORT": (403, 207, 404),
    "DELETE": (204, 204, 404),
    "PROPPATCH": (207, 207, 404),
    "COPY": (201, 201, 404),
    "ACL": (200, 200, 404),
    **dict.fromkeys(("PUT", "MKCOL", "MOVE", "LOCK", "UNLOCK"), (403, 403, 403)),
    "POST": (405, 207, 404),
    "PATCH": (405, 405, 405),
    "BREW": (501, 501, 501),
}
OWN = {
    # method: status on the own file, folder, and where nothing is
    "OPTIONS": (200, 200, 200),
    "GET": (200, 307, 404),
    "HEAD": (200, 307, 404),
    "PROPFIND": (207, 207, 404),
    "REPORT": (403, 207, 404),
    "PUT": (204, 405, 201),
    "DELETE": (204, 204, 404),
    "MKCOL": (405, 405, 201),
    "PROPPATCH": (207, 207, 404),
    "COPY": (201, 201, 404),
    "MOVE": (201, 201, 404),
    "ACL": (200, 200, 404),
    "LOCK": (200, 200, 201),
    "UNLOCK": (409, 409, 404),
    "POST": (405, 207, 404),
    "PATCH": (405, 405, 405),
    "BREW": (501, 501, 501),
}
KINDS = ("file", "folder", "missing")


def test_the_matrix_knows_every_method() -> None:
    assert OWN.keys() == OWN_THREADS.keys() == {*METHODS, "BREW"}


@in_every_area
@pytest.mark.parametrize("method", OWN)
def test_the_owner_and_its_device_may_do_what_the_method_says(storage: Storage, method: str, root: str) -> None:
    expected = (OWN_THREADS if root == THREADS else OWN)[method]
    for who in (storage.alice, storage.alices_phone):
        assert tuple(storage.ask(method, storage.make(kind, root), who).status for kind in KINDS) == expected


@in_every_area
@pytest.mark.parametrize("method", OWN)
def test_what_is_others_is_not_there(storage: Storage, method: str, root: str) -> None:
    """One answer, byte for byte, for resources that exist, for unmapped URLs, and for a store that no user has."""
    file, folder = storage.make("file", root), storage.make("folder", root)
    targets = (
        file, f"{file}/", f"{file}?part=1", f"{file}?part=1.", f"{folder}/", storage.make("missing", root),
        f"{folder}/missing", f"{root}alice/", f"{root}alice", f"{root}nobody/", f"{root}nobody/x",
        f"{root}nobody/x?part=2", "/dav/principals/users/alice/", "/dav/principals/users/nobody/",
        "/dav/principals/devices/alice/phone/", "/dav/principals/devices/nobody/phone/",
    )  # fmt: skip
    for who in (storage.bob, storage.bobs_phone):
        answers = {storage.ask(method, target, who) for target in targets}
        assert len(answers) == 1
        assert answers.pop().status == 404
    assert storage("GET", file, storage.alice).body.endswith(b"hers")


@in_every_area
@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_nothing_goes_into_the_store_of_another(storage: Storage, method: str, root: str) -> None:
    file = storage.make("file", root)
    own = f"{ROOTS[0]}bob/source"
    assert storage("PUT", own, storage.bob, body="his").status in (201, 204)
    places = (file, storage.make("missing", root), f"{root}alice/", f"{root}nobody/x", f"{file}?part=1")
    for source in (own, f"{root}bob/missing"):
        answers = {storage(method, source, storage.bob, HTTP_DESTINATION=place) for place in places}
        assert len(answers) == 1
        assert answers.pop().status == 502
    assert storage("GET", file, storage.alice).body.endswith(b"hers")
    assert storage("GET", own, storage.bob).body == b"his"


@in_every_area
def test_conditions_tell_nothing_of_others(storage: Storage, root: str) -> None:
    """An `If` list that is tagged with another's URL is judged as if nothing were there."""
    file = storage.make("file", root)
    etag = dict(storage("GET", file, storage.alice).headers)["ETag"]
    for target in (file, storage.make("missing", root), f"{file}?part=1"):
        for condition, status in ((f"([{etag}])", 412), (f"(Not [{etag}])", 201)):
            place = f"{ROOTS[0]}bob/conditional-{next(ADDRESSES)}"
            tagged = f"<http://dav.example{target}> {condition}"
            assert storage("PUT", place, storage.bob, body="x", HTTP_IF=tagged).status == status


@pytest.mark.parametrize("method", OWN)
def test_who_is_refused_learns_nothing(storage: Storage, method: str) -> None:
    whose: list[Callable[[], str]] = [
        lambda: storage.disabled,
        lambda: storage.lost,
        lambda: basic(f"nobody-{next(ADDRESSES)}", storage.phone_secret),
        lambda: "Bearer dvs_" + "0" * 16 + "_" + "0" * 64,
    ]
    answers = set()
    for who in whose:
        answers |= {storage.ask(method, storage.make(kind), who()) for kind in KINDS}
    assert len(answers) == 1
    assert answers.pop().status == 401


def test_a_wrong_password_a_missing_user_and_a_disabled_one_are_told_the_same(storage: Storage) -> None:
    answers = [
        storage("PROPFIND", "/dav/store/alice/", basic(*who))
        for who in (
            ("alice", "x"),
            ("nobody", "x"),
            ("carol", "x"),
            ("carol", "carol's"),
            ("bob", storage.phone_secret),
        )
    ]
    assert len(set(answers)) == 1
    assert answers[0].status == 401
