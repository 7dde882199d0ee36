"""sync-collection over HTTP: RFC 6578. What the store decides is proved in tests/contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from davstore.model.limits import Limits
from tests.dav.client import HOME, Answer, Client, D, sync_body, token_of

ROOT = f"{HOME}/"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Client]:
    """Yield a client of a server whose pages hold two rows."""
    client = Client(tmp_path, limits=Limits(sync_rows=2))
    yield client
    client.close()


def test_a_first_report_lists_everything(dav: Client) -> None:
    dav.mkcol("c")
    etag = dav.put("c/a")
    dav.put("gone")
    dav("DELETE", "gone")
    for token in ("", "  \n "):
        answer = dav.sync(token=token)
        assert answer.status == 207
        assert set(answer.hrefs()) == {f"{HOME}/c/", f"{HOME}/c/a"}
        assert answer.text(f"{HOME}/c/a", f"{D}getetag") == etag
        assert set(answer.props(f"{HOME}/c/", 404)) == {f"{D}getetag"}
    assert dav.sync(level="1").hrefs() == [f"{HOME}/c/"]
    assert token_of(answer).startswith("urn:davstore:sync:1.")


def test_nothing_changed(dav: Client) -> None:
    dav.put("a")
    token = token_of(dav.sync())
    again = dav.sync(token=token)
    assert (again.hrefs(), token_of(again)) == ([], token)


def test_changed_and_removed(dav: Client) -> None:
    dav.mkcol("c", "d")
    for name in ("a", "b", "c/x"):
        dav.put(name)
    token = token_of(dav.sync())
    dav.put("a", b"new")
    dav("DELETE", "b")
    dav("DELETE", "c")
    dav.put("brief")
    dav("DELETE", "brief")
    answer = dav.sync(token=token)
    assert set(answer.gone()) == {f"{HOME}/b", f"{HOME}/c/", f"{HOME}/brief"}
    assert set(answer.hrefs()) - set(answer.gone()) == {f"{HOME}/a"}
    for response in answer.xml.iter(f"{D}response"):
        assert (response.find(f"{D}status") is None) != (response.find(f"{D}propstat") is None)


def test_a_moved_tree_is_told_at_its_new_place(dav: Client) -> None:
    dav.mkcol("c", "c/d")
    dav.put("c/d/a")
    token = token_of(dav.sync())
    dav("MOVE", "c", Destination=f"{HOME}/e")
    answer = dav.sync(token=token)
    assert answer.gone() == [f"{HOME}/c/"]
    assert set(answer.hrefs()) == {f"{HOME}/c/", f"{HOME}/e/", f"{HOME}/e/d/", f"{HOME}/e/d/a"}


def test_deleted_and_made_again_is_changed(dav: Client) -> None:
    dav.mkcol("c")
    dav.put("c/a")
    dav.put("c/b")
    token = token_of(dav.sync())
    dav("DELETE", "c")
    dav.mkcol("c")
    dav.put("c/b")
    answer = dav.sync(token=token)
    assert answer.gone() == [f"{HOME}/c/a"]
    assert set(answer.hrefs()) == {f"{HOME}/c/", f"{HOME}/c/a", f"{HOME}/c/b"}


def is_truncated(answer: Answer) -> bool:
    """Tell whether a page has the row that says so, in its one right form (RFC 6578 §3.6)."""
    rows = [one for one in answer.xml.iter(f"{D}response") if one.findtext(f"{D}href") == ROOT]
    for row in rows:
        assert row.findtext(f"{D}status") == "HTTP/1.1 507 Insufficient Storage"
        assert row.find(f"{D}error/{D}number-of-matches-within-limits") is not None
    return bool(rows)


@pytest.mark.parametrize("limit", [None, 1])
def test_pages_resume_without_loss(small: Client, limit: int | None) -> None:
    names = {f"{HOME}/{number}" for number in range(5)}
    for href in names:
        small.put(href)
    answer = small.sync(limit=limit)
    seen = answer.hrefs()
    while is_truncated(answer):
        assert answer.status == 207
        assert len(answer.hrefs()) == (limit or 2) + 1
        answer = small.sync(token=token_of(answer), limit=limit)
        seen += answer.hrefs()
    assert sorted(href for href in seen if href != ROOT) == sorted(names)
    assert small.sync(token=token_of(answer)).hrefs() == []


def test_a_limit_that_is_just_reached_truncates_nothing(dav: Client) -> None:
    dav.put("a")
    dav.put("b")
    assert not is_truncated(dav.sync(limit=2))


def test_every_property_may_be_asked_for(dav: Client) -> None:
    dav.mkcol("c")
    dav(
        "PROPPATCH", "c", '<propertyupdate xmlns="DAV:"><set><prop><p xmlns="urn:x">1</p></prop></set></propertyupdate>'
    )
    props = '<D:resource-id/><D:owner/><D:quota-used-bytes/><p xmlns="urn:x"/>'
    answer = dav("REPORT", "", sync_body(props=props))
    assert set(answer.props(f"{HOME}/c/")) == {f"{D}resource-id", f"{D}owner", f"{D}quota-used-bytes", "{urn:x}p"}
    assert dav("REPORT", "", sync_body(props="")).props(f"{HOME}/c/") == {}


def test_tokens_that_are_not_of_this_collection(dav: Client) -> None:
    dav.mkcol("c")
    token = token_of(dav.sync())
    head, _, number = token.rpartition(".")
    for path, wrong in (
        ("c/", token),
        ("", token_of(dav.sync("c/"))),
        ("", f"{head}.{int(number) + 1}"),
        ("", f"{head}.0{number}"),
        ("", f"{token} x"),
        ("", f"{token}.1.2.3.4.5"),
        ("", token.upper()),
        ("", "0"),
        ("", "http://other.example/sync/1"),
        ("", "x" * 10_000),
        ("", token.replace(":1.", ":2.", 1)),
    ):
        answer = dav.sync(path, wrong)
        assert (answer.status, answer.condition) == (403, f"{D}valid-sync-token"), wrong


def test_a_token_serves_both_levels(dav: Client) -> None:
    dav.mkcol("c")
    token = token_of(dav.sync(level="1"))
    dav.put("c/a")
    assert dav.sync(token=token).hrefs() == [f"{HOME}/c/a"]
    assert dav.sync(token=token, level="1").hrefs() == []


def test_what_has_no_such_report(dav: Client) -> None:
    dav.put("a")
    for path in ("a", "/dav/", "/dav/principals/users/alice/"):
        answer = dav.sync(path)
        assert (answer.status, answer.condition) == (403, f"{D}supported-report")
    answer = dav("REPORT", "", '<D:version-tree xmlns:D="DAV:"/>')
    assert (answer.status, answer.condition) == (403, f"{D}supported-report")
    assert dav.sync("missing").status == 404


def test_rfc6578_3_2_a_report_has_depth_0_and_1_is_taken_for_it(dav: Client) -> None:
    dav.mkcol("c")
    dav.put("c/a")
    for depth in ("infinity", "x", "2"):
        assert dav("REPORT", "", sync_body(), Depth=depth).status == 400
    for level in ("1", "infinite"):
        wanted = dav("REPORT", "", sync_body(level=level), Depth="0")
        assert wanted.status == 207
        assert dav("REPORT", "", sync_body(level=level), Depth="1").body == wanted.body


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<x",
        sync_body(level="infinity"),
        sync_body(level="0"),
        sync_body(level=""),
        sync_body(limit=0),
        sync_body().replace("<D:sync-level>infinite</D:sync-level>", ""),
        sync_body().replace("<D:sync-token></D:sync-token>", ""),
        sync_body().replace("<D:prop><D:getetag/></D:prop>", ""),
        sync_body(props="</D:prop><D:prop>"),
        sync_body(limit=1).replace(">1<", ">one<"),
        sync_body(limit=1).replace(">1<", ">-1<"),
    ],
)
def test_bodies_that_are_no_sync_collection(dav: Client, body: str) -> None:
    assert dav("REPORT", "", body).status == 400
