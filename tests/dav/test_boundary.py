"""The boundary and the table of errors: promises 6 and 10 of `docs/reliability.md`, ADR 20."""

from __future__ import annotations

import errno
import inspect
from typing import Any

import pytest

from davstore import errors
from davstore.errors import RequestError, lists, rights
from davstore.middleware.boundary import Boundary
from davstore.middleware.errors import TABLE, refuse
from davstore.model.acl import Privilege
from davstore.model.paths import Path as StorePath
from tests.dav.client import Client, D


def test_every_error_has_a_row() -> None:
    members = [member for module in (errors, lists, rights) for member in inspect.getmembers(module, inspect.isclass)]
    kinds = {kind for _, kind in members if issubclass(kind, RequestError)}
    assert kinds == set(TABLE)
    assert all(row.status >= 400 for row in TABLE.values())


def answer_to(error: BaseException, method: str = "GET", target: str = "/", **environ: str) -> tuple[str, Any, bytes]:
    """Let an application raise an error and return status, headers and body of the answer."""
    begun: list[Any] = []

    def failing(_environ: Any, _start: Any) -> Any:
        raise error

    boundary = Boundary(failing, realm="here")
    parts = boundary(
        {"REQUEST_METHOD": method, "REQUEST_URI": target, **environ}, lambda *words: begun.append(words[:2])
    )
    return begun[0][0], dict(begun[0][1]), b"".join(parts)


SECRET = "the text of an exception"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RuntimeError(SECRET), "500 Internal Server Error"),
        (errors.CorruptBlob(SECRET), "500 Internal Server Error"),
        (OSError(errno.ENOSPC, SECRET), "507 Insufficient Storage"),
        (OSError(errno.EDQUOT, SECRET), "507 Insufficient Storage"),
        (OSError(errno.EFBIG, SECRET), "507 Insufficient Storage"),
        (OSError(errno.EIO, SECRET), "500 Internal Server Error"),
        (RecursionError(SECRET), "500 Internal Server Error"),
        (errors.NotFound(SECRET), "404 Not Found"),
        (errors.Unavailable(SECRET), "503 Service Unavailable"),
    ],
)
def test_no_exception_passes_and_none_is_quoted(error: Exception, status: str) -> None:
    got, headers, body = answer_to(error)
    assert got == status
    assert SECRET.encode() not in body
    assert headers["Content-Length"] == str(len(body))
    assert answer_to(error, "HEAD")[2] == b""


def test_headers_that_errors_bring() -> None:
    assert answer_to(errors.Throttled(30))[1]["Retry-After"] == "30"
    assert answer_to(errors.MethodNotAllowed(("GET", "PUT")))[1]["Allow"] == "GET, PUT"
    assert answer_to(errors.RangeNotSatisfiable(7))[1]["Content-Range"] == "bytes */7"
    assert ("WWW-Authenticate", 'Basic realm="here", charset="UTF-8"') in refuse(
        errors.Unauthenticated(), realm="here"
    ).headers


def test_the_gate_says_which_rule_and_whose() -> None:
    said: Any = {"decided_by": "provider", "device": ("alice", "phone")}
    error = errors.SyncRefused("sync-allowed", rule="no <roaming>", allowed_modes=("manual",), **said)
    status, headers, body = answer_to(error)
    assert (status, headers["Content-Type"]) == ("403 Forbidden", 'application/xml; charset="utf-8"')
    assert b"<C:sync-allowed><C:decided-by>provider</C:decided-by><C:rule>no &lt;roaming&gt;</C:rule>" in body
    assert b"<C:allowed-modes><C:mode>manual</C:mode></C:allowed-modes></C:sync-allowed>" in body
    assert b"<C:policy><D:href>/dav/principals/devices/alice/phone/</D:href></C:policy>" in body
    later = errors.SyncDeferred("sync-interval-respected", rule="hourly", retry_after_seconds=60, **said)
    status, headers, body = answer_to(later)
    assert (status, headers["Retry-After"]) == ("429 Too Many Requests", "60")
    assert b"<C:sync-interval-respected>" in body


def test_the_privileges_that_are_needed() -> None:
    """RFC 3744 §7.1.1: a `D:resource` for each, with the URL of the resource as clients know it."""
    folder = StorePath("alice", ("a b",))
    lacks = (
        rights.Lack(folder, is_collection=True, privilege=Privilege.UNBIND),
        rights.Lack(StorePath("alice", ("a b", "c")), is_collection=False, privilege=Privilege.DELETE),
    )
    status, headers, body = answer_to(rights.NeedPrivileges(lacks))
    assert (status, headers["Content-Type"]) == ("403 Forbidden", 'application/xml; charset="utf-8"')
    assert body.endswith(
        b'<D:error xmlns:D="DAV:" xmlns:C="urn:davstore:cpm"><D:need-privileges>'
        b"<D:resource><D:href>/dav/store/alice/a%20b/</D:href><D:privilege><D:unbind/></D:privilege></D:resource>"
        b"<D:resource><D:href>/dav/store/alice/a%20b/c</D:href><D:privilege><C:delete/></D:privilege></D:resource>"
        b"</D:need-privileges></D:error>"
    )


@pytest.mark.parametrize(
    ("error", "condition"),
    [
        (rights.DenyAfterGrant(), b"D:deny-before-grant"),
        (rights.InvertedPrincipal(), b"D:no-invert"),
        (rights.ProtectedAce(), b"D:no-protected-ace-conflict"),
        (rights.InheritedAce(), b"D:no-inherited-ace-conflict"),
        (rights.UnsupportedPrivilege(), b"D:not-supported-privilege"),
        (rights.RecognizedPrincipal(), b"D:recognized-principal"),
        (rights.AllowedPrincipal(), b"D:allowed-principal"),
        (rights.TooManyAces(), b"D:limited-number-of-aces"),
        (rights.ExpiryInFuture(), b"C:expiry-in-future"),
    ],
)
def test_the_preconditions_of_acl(error: RequestError, condition: bytes) -> None:
    """RFC 3744 §8.1.1: 403 or 409, with the element of the precondition."""
    status, _, body = answer_to(error)
    assert status == "403 Forbidden"
    assert b"><%b/></D:error>" % condition in body


def test_what_fails_after_the_first_part_breaks_off() -> None:
    closed = []

    def breaking(_environ: Any, start: Any) -> Any:
        start("200 OK", [])
        try:
            yield b"first"
            raise errors.CorruptBlob(SECRET)
        finally:
            closed.append(True)

    parts: Any = Boundary(breaking, realm="r")({"REQUEST_METHOD": "GET", "REQUEST_URI": "/"}, lambda *_: None)
    with pytest.raises(errors.CorruptBlob):
        b"".join(parts)
    parts.close()
    assert closed == [True]


@pytest.mark.parametrize(
    "target",
    [
        "",
        "x",
        "/dav/../store",
        "/dav/./x",
        "/%2e%2e/x",
        "/%2E/x",
        "/a%2Fb",
        "/a%2fb",
        "/%00",
        "/%0d%0aX:1",
        "/%",
        "/%4",
        "/%zz",
        "/%ff",
        "/%c3%28",
        "/%ed%a0%80",
        "/a#b",
        "/a b",
        "/\x7f",
        "http:///x",
        "ftp://h/x",
        "*",
    ],
)
def test_targets_that_name_nothing(dav: Client, target: str) -> None:
    for method in ("GET", "PUT", "PROPFIND", "BREW"):
        assert dav.raw(method, target) == 400


def test_targets_that_are_too_long_or_too_deep(dav: Client) -> None:
    """RFC 9110 §15.5.15. A thousand segments are looked for, and one more is not."""
    deep = "/dav/store/alice" + "/x" * 997
    for method in ("GET", "PUT", "PROPFIND"):
        assert dav.raw(method, "/" + "x" * 17_000) == 414
        assert dav.raw(method, f"{deep}/x/") == 414
    assert dav.raw("GET", f"{deep}/") == 404
    assert dav.raw("GET", f"/?x={'/' * 2_000}") == dav.raw("GET", "/?x=1")
    dav.put("a")
    assert dav("MOVE", "a", Destination=f"{deep}/x").status == 400
    assert dav("MOVE", "a", Destination=deep).status == 409


@pytest.mark.parametrize("method", ["PUT", "DELETE", "MKCOL", "MOVE", "COPY", "PROPPATCH", "POST", "LOCK"])
def test_other_origins_change_nothing(dav: Client, method: str) -> None:
    dav.put("a")
    for headers in (
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://dav.example:81"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec_Fetch_Site": "none", "Origin": "http://evil.example"},
    ):
        assert dav(method, "a", Destination="/dav/store/alice/b", **headers).status == 403, headers
    assert dav.names() == ["a"]


def test_the_own_origin_may(dav: Client) -> None:
    for headers in (
        {"Sec_Fetch_Site": "same-origin", "Origin": "https://dav.example"},
        {"Sec_Fetch_Site": "none"},
        {"Origin": "http://dav.example"},
        {"Origin": "http://DAV.example:80"},
    ):
        assert dav("PUT", "a", b"x", **headers).status in (201, 204), headers
    assert dav("GET", "a", Sec_Fetch_Site="cross-site").status == 200


def test_errors_name_their_condition(dav: Client) -> None:
    answer = dav("PUT", "x" * 300)
    assert answer.condition == f"{D}name-allowed"
    assert answer.headers["Content-Type"] == 'application/xml; charset="utf-8"'
