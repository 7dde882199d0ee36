"""A collection has its URL with a slash (RFC 4918 §5.2): GET and HEAD lead there, other methods say where it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from davstore.dav import dispatch
from tests.dav.client import BOB, HOME, Answer, Client, setting, sync_body
from tests.dav.test_forwarded import HEADERS as PROXY
from tests.dav.test_locks import info

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
NAMES = ["c", "a%20b", "x%3Ay", "%22", "%25", "%3F", "%23", "%C3%BC"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("accept", [None, "*/*", "text/plain", BROWSER])
def test_get_leads_to_the_slash(dav: Client, method: str, accept: str | None) -> None:
    dav.mkcol(*NAMES)
    for name in NAMES:
        answer = dav(method, name, Accept=accept)
        assert (answer.status, answer.headers["Location"], answer.body) == (307, f"{HOME}/{name}/", b"")
        assert answer.headers["Content-Length"] == "0"
        assert dav(method, answer.headers["Location"], Accept=accept).status == 200
    assert dav(method, HOME, Accept=accept).headers["Location"] == f"{HOME}/"
    for path in ("/dav/principals", "/dav/principals/users/alice"):
        assert dav(method, path, Accept=accept).headers["Location"] == f"{path}/"


def test_the_query_is_kept(dav: Client) -> None:
    dav.mkcol("c")
    assert dav("GET", "c?sort=size&order=desc&x=%25%20").headers["Location"] == (
        f"{HOME}/c/?sort=size&order=desc&x=%25%20"
    )
    assert dav("GET", "c?\xfc").headers["Location"] == f"{HOME}/c/?%FC"
    assert dav("GET", "c?").headers["Location"] == f"{HOME}/c/"
    assert dav("GET", "c?part=2").status == 404


def test_conditions_and_ranges_are_for_what_is_there(dav: Client) -> None:
    """RFC 9110 §13.2.1: without them the answer would be no success either."""
    dav.mkcol("c")
    for headers in (
        {"If_Match": '"x"'},
        {"If_None_Match": "*"},
        {"If_Modified_Since": "Fri, 15 Jan 2038 08:00:00 GMT"},
        {"If_Unmodified_Since": "Fri, 15 Jan 1999 08:00:00 GMT"},
        {"Range": "bytes=5-9"},
        {"Range": "bytes=5-9", "If_Range": '"x"'},
    ):
        assert dav("GET", "c", **headers).status == 307, headers
    assert dav("GET", "c", If='(["x"])').status == 412  # of RFC 4918, for any answer


def test_a_redirect_tells_nothing_of_others(dav: Client) -> None:
    dav.mkcol("c")
    dav.principal = BOB
    for path in ("c", "missing", "/dav/store/nobody/c", "/dav/store/alice", "/dav/principals/users/alice"):
        assert dav("GET", path).status == 404
    for path in ("/dav/store/bob/missing", "/dav/store/bob/c"):
        assert dav("GET", path).status == 404


MARKING = (
    '<C:bulk-update xmlns:D="DAV:" xmlns:C="urn:davstore:cpm"><D:where><D:is-collection/></D:where>'
    "<D:set><D:prop><C:seen>T</C:seen></D:prop></D:set></C:bulk-update>"
)
METHODS: dict[str, Callable[[Client, str], Answer]] = {
    "OPTIONS": lambda dav, path: dav("OPTIONS", path),
    "PROPFIND": lambda dav, path: dav("PROPFIND", path, Depth="1"),
    "REPORT": lambda dav, path: dav("REPORT", path, sync_body()),
    "PROPPATCH": lambda dav, path: dav.patch(path, setting("<x:p/>")),
    "a minimal PROPPATCH": lambda dav, path: dav.patch(path, setting("<x:p/>"), Prefer="return=minimal"),
    "a refused PROPPATCH": lambda dav, path: dav.patch(path, setting("<D:getetag xmlns:D='DAV:'/>")),
    "POST": lambda dav, path: dav("POST", path, MARKING, Content_Type="application/xml"),
    "DELETE": lambda dav, path: dav("DELETE", path),
    "COPY": lambda dav, path: dav("COPY", path, Destination=f"{HOME}/new"),
    "MOVE": lambda dav, path: dav("MOVE", path, Destination=f"{HOME}/new"),
    "ACL": lambda dav, path: dav("ACL", path, '<D:acl xmlns:D="DAV:"/>'),
    "LOCK": lambda dav, path: dav("LOCK", path, info()),
}


@pytest.mark.parametrize("name", METHODS)
def test_other_methods_say_where_it_is(dav: Client, name: str) -> None:
    dav.mkcol("c%20d", "e")
    dav.put("f")
    ask = METHODS[name]
    answer = ask(dav, "c%20d")
    assert 200 <= answer.status < 300
    assert answer.headers["Content-Location"] == f"{HOME}/c%20d/"
    for path in ("e/", "f"):
        answer = ask(dav, path)
        assert "Content-Location" not in answer.headers
        assert answer.status // 100 == (4 if (name, path) in (("REPORT", "f"), ("POST", "f")) else 2)


def test_mkcol_and_locks_too(dav: Client) -> None:
    made = dav("MKCOL", "c")
    assert (made.status, made.headers["Content-Location"]) == (201, f"{HOME}/c/")
    assert "Content-Location" not in dav("MKCOL", "d/").headers
    assert "Content-Location" not in dav("LOCK", "new", info()).headers
    token = dav("LOCK", "c", info()).headers["Lock-Token"]
    refreshed = dav("LOCK", "c", If=f"({token})")
    assert (refreshed.status, refreshed.headers["Content-Location"]) == (200, f"{HOME}/c/")
    ended = dav("UNLOCK", "c", Lock_Token=token)
    assert (ended.status, ended.headers["Content-Location"]) == (204, f"{HOME}/c/")


def test_fixed_collections_too(dav: Client) -> None:
    for method in ("OPTIONS", "PROPFIND"):
        assert dav(method, "/dav/store", Depth="0").headers["Content-Location"] == "/dav/store/"
        assert "Content-Location" not in dav(method, "/dav/store/", Depth="0").headers
    assert "Content-Location" not in dav("OPTIONS", "*").headers


def test_behind_a_proxy_it_is_the_url_that_the_client_knows(tmp_path: Path) -> None:
    dav = Client(tmp_path, proxies="192.0.2.1")
    dav.mkcol("c")
    seen = f"/my%20files{HOME}/c/"
    assert dav("GET", "c", **PROXY).headers["Location"] == seen
    assert dav("PROPFIND", "c", Depth="0", **PROXY).headers["Content-Location"] == seen
    dav.close()


def test_every_method_is_looked_at() -> None:
    assert set(dispatch.METHODS) <= {*METHODS, "GET", "HEAD", "MKCOL", "UNLOCK", "PUT"}
