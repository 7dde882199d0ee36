"""Conditions on writes and the `If` header: RFC 9110 §13, RFC 4918 §10.4, RFC 6578 §5."""

from __future__ import annotations

import pytest

from davstore.dav import kinds
from davstore.dav.kinds import Kind
from tests.dav.client import ALICE, BOB, HOME, MESSAGE, REPORTS, Client, setting, sync_body, token_of


def test_if_none_match_star_makes_and_never_replaces(dav: Client) -> None:
    assert dav("PUT", "a", b"1", If_None_Match="*").status == 201
    assert dav("PUT", "a", b"2", If_None_Match="*").status == 412
    assert dav("GET", "a").body == b"1"


def test_if_match_replaces_what_was_seen(dav: Client) -> None:
    etag = dav.put("a", b"1")
    assert dav("PUT", "a", b"2", If_Match=etag).status == 204
    assert dav("PUT", "a", b"3", If_Match=etag).status == 412
    assert dav("PUT", "a", b"3", If_Match=f"W/{etag}").status == 412
    assert dav("PUT", "a", b"3", If_None_Match='"x", "y"').status == 204


@pytest.mark.parametrize("method", ["PUT", "MKCOL", "DELETE", "PROPPATCH", "COPY", "MOVE"])
def test_conditions_are_judged_on_unmapped_urls(dav: Client, method: str) -> None:
    body = "<x/>"
    if method == "PROPPATCH":
        body = f'<D:propertyupdate xmlns:D="DAV:" xmlns:x="urn:x">{setting("<x:p/>")}</D:propertyupdate>'
    elif method != "PUT":
        body = ""
    for headers in ({"If_Match": "*"}, {"If_Match": '"zzz"'}, {"If": '(["zzz"])'}, {"If": "(<urn:x:lock>)"}):
        assert dav(method, "new", body, Destination=f"{HOME}/b", **headers).status == 412
    assert dav.names() == []


@pytest.mark.parametrize("method", ["DELETE", "COPY", "MOVE", "PUT"])
def test_every_writing_method_obeys(dav: Client, method: str) -> None:
    etag = dav.put("a")
    for headers in ({"If_Match": '"x"'}, {"If_None_Match": etag}, {"If": '(["x"])'}):
        assert dav(method, "a", Destination=f"{HOME}/b", **headers).status == 412
    assert dav.names() == ["a"]
    assert dav(method, "a", Destination=f"{HOME}/b", If_Match=etag).status in (201, 204)


@pytest.mark.parametrize("report", [name for name in REPORTS if name in kinds.KINDS[Kind.THREAD].reports])
def test_every_report_obeys_if_and_rights(dav: Client, report: str) -> None:
    dav.mkcol("c")
    dav.put("m", MESSAGE)
    [_, thread] = dav.find("/dav/threads/alice/", "{DAV:}getetag", depth="1").hrefs()
    for path in (thread,) if "history" in report else (f"{HOME}/", f"{HOME}/c/", thread):
        assert dav("REPORT", path, REPORTS[report], If="(<urn:x:lock>)").status == 412
        assert dav("REPORT", path, REPORTS[report], If="(Not <urn:x:lock>)").status == 207
        dav.principal = BOB
        assert dav("REPORT", path, REPORTS[report]).status == 404
        dav.principal = ALICE


def test_if_lists(dav: Client) -> None:
    a, b = dav.put("a", b"a"), dav.put("b", b"b")
    for value, status in (
        (f"([{a}])", 204),
        (f"([{b}])", 412),
        (f"([{b}]) ([{a}])", 204),
        (f"(Not [{b}])", 204),
        (f"(Not [{a}])", 412),
        (f"([{a}] Not <urn:x:lock>)", 204),
        (f"([{a}] <urn:x:lock>)", 412),
        ("(Not <DAV:no-lock>)", 204),
        (f"<{HOME}/b> ([{b}])", 204),
        (f"<{HOME}/b> ([{a}])", 412),
        (f"<http://dav.example{HOME}/b> ([{b}])", 204),
        (f"<http://other.example{HOME}/b> ([{b}])", 412),
        (f"<http://other.example{HOME}/b> (Not [{b}])", 204),
        (f"<{HOME}/missing> ([{b}])", 412),
        (f"<{HOME}/missing> ([{b}]) <{HOME}/b> ([{b}])", 204),
        ("</dav/store/bob/x> (Not <DAV:no-lock>)", 204),
        (f"<../b> ([{b}])", 412),
        (f"([W/{a}])", 412),
    ):
        assert dav("PUT", "a", b"a", If=value).status == status, value


@pytest.mark.parametrize(
    "value",
    ["", "()", "(", "x", '(["a"]', "([a])", "<u:x>", '(["a"]) <u:x> (["b"])', "(Not)", "(Not Not <u:x>)", "(" * 9000],
)
def test_an_if_that_cannot_be_read(dav: Client, value: str) -> None:
    dav.put("a")
    for method in ("PUT", "DELETE", "GET", "PROPFIND"):
        assert dav(method, "a", If=value).status == 400, method


@pytest.mark.parametrize("value", ["", "NoteApp-48213", '"a', '"a" "b"', "**", "w/x"])
def test_rfc9110_13_1_what_is_no_entity_tag_equals_none(dav: Client, value: str) -> None:
    assert dav("PUT", "a", b"x", If_None_Match=value).status == 201
    assert dav("PUT", "a", b"y", If_Match=value).status == 412
    patch = f'<D:propertyupdate xmlns:D="DAV:" xmlns:x="urn:x">{setting("<x:p/>")}</D:propertyupdate>'
    for method, body, status in (
        ("GET", "", 200),
        ("HEAD", "", 200),
        ("PUT", "y", 204),
        ("PROPPATCH", patch, 207),
        ("COPY", "", 201),
        ("MOVE", "", 201),
        ("DELETE", "", 204),
        ("MKCOL", "", 201),
    ):
        dav("PUT", "a", b"x") if method != "MKCOL" else None
        dav("DELETE", "b")
        for name in ("If_Match", "If_None_Match"):
            answer = dav(method, "a", body, Destination=f"{HOME}/b", **{name: value})
            assert answer.status == (412 if name == "If_Match" else status), (method, name)


def test_rfc9110_13_1_of_a_mixed_list_the_entity_tags_count(dav: Client) -> None:
    etag = dav.put("a")
    assert dav("GET", "a", If_None_Match=f"NoteApp, {etag}").status == 304
    assert dav("PUT", "a", b"x", If_None_Match=f"NoteApp, {etag}").status == 412
    assert dav("PUT", "a", b"x", If_Match=f"NoteApp, {etag}").status == 204


def test_a_sync_token_guards_every_method(dav: Client) -> None:
    dav.mkcol("c")
    dav.put("c/a")
    guard = f"<{HOME}/c/> (<{token_of(dav.sync('c/'))}>)"
    dav.put("elsewhere")
    for method in ("GET", "HEAD", "PROPFIND", "OPTIONS"):
        assert dav(method, "c/a", If=guard).status in (200, 207)
    assert dav("PUT", "c/b", b"1", If=guard).status == 201
    for method in ("GET", "HEAD", "PROPFIND", "OPTIONS", "PUT", "DELETE", "MKCOL", "COPY", "MOVE"):
        assert dav(method, "c/a", Destination=f"{HOME}/c/x", If=guard).status == 412, method
    body = f'<D:propertyupdate xmlns:D="DAV:" xmlns:x="urn:x">{setting("<x:p/>")}</D:propertyupdate>'
    assert dav("PROPPATCH", "c/a", body, If=guard).status == 412
    assert dav("MKCOL", "c/new", If=guard).status == 412
    assert dav("MKCOL", "c/new", If=guard.replace("c/>", "c/> (Not <DAV:no-lock>)")).status == 201


def test_a_token_guards_its_own_collection_only(dav: Client) -> None:
    dav.mkcol("c", "d")
    token = token_of(dav.sync("c/"))
    assert dav("PUT", "c/a", b"1", If=f"<{HOME}/d/> (<{token}>)").status == 412
    assert dav("PUT", "c/a", b"1", If=f"(<{token}>)").status == 412
    assert dav("PUT", "c/a", b"1", If="</dav/store/alice/c/> (<urn:davstore:sync:1.x>)").status == 412


@pytest.mark.parametrize("method", ["GET", "HEAD", "PROPFIND", "OPTIONS", "REPORT"])
def test_the_guard_holds_where_no_store_is_asked(dav: Client, method: str) -> None:
    guard = f"<{HOME}/> (<{token_of(dav.sync())}>)"
    body = sync_body() if method == "REPORT" else ""
    path = "" if method == "REPORT" else "/dav/"
    assert dav(method, path, body, If=guard, Depth="0").status in (200, 207)
    dav.put("a")
    assert dav(method, path, body, If=guard, Depth="0").status == 412
