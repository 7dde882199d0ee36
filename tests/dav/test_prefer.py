"""Preferences: RFC 8144, RFC 7240."""

from __future__ import annotations

import pytest

from tests.dav.client import HOME, Answer, Client, D, prop_body, removing, setting, sync_body, token_of

MISSING = "{urn:x}p"
MINIMAL = ["return=minimal", 'foo, Return="minimal"; x=y', "return=minimal, return=representation"]


@pytest.mark.parametrize("value", MINIMAL)
def test_rfc8144_2_1_no_word_of_what_is_not_there(dav: Client, value: str) -> None:
    dav.put("a")
    body = prop_body(f"{D}getetag", MISSING)
    full = dav("PROPFIND", "a", body, Depth="0")
    assert MISSING in full.props(f"{HOME}/a", 404)
    assert (full.headers["Vary"], full.headers.get("Preference-Applied")) == ("Prefer", None)
    lean = dav("PROPFIND", "a", body, Depth="0", Prefer=value)
    assert (lean.headers["Vary"], lean.headers["Preference-Applied"]) == ("Prefer", "return=minimal")
    assert lean.props(f"{HOME}/a", 404) == {}
    assert set(lean.props(f"{HOME}/a")) == {f"{D}getetag"}


def test_rfc8144_2_1_an_empty_propstat_stays(dav: Client) -> None:
    dav.put("a")
    answer = dav("PROPFIND", "a", prop_body(MISSING), Depth="0", Prefer="return=minimal")
    propstats = answer.xml.findall(f"{D}response/{D}propstat")
    assert len(propstats) == 1
    assert propstats[0].findtext(f"{D}status") == "HTTP/1.1 200 OK"
    assert len(propstats[0].find(f"{D}prop")) == 0


def test_rfc8144_2_1_a_report_tells_of_what_is_gone_all_the_same(dav: Client) -> None:
    dav.put("b")
    token = token_of(dav.sync())
    dav.put("a")
    dav("DELETE", "b")
    body = sync_body(token, props="<D:getetag/><p xmlns='urn:x'/>")
    answer = dav("REPORT", "", body, Prefer="return=minimal, depth-noroot")
    assert answer.headers["Preference-Applied"] == "return=minimal"
    assert answer.gone() == [f"{HOME}/b"]
    assert answer.props(f"{HOME}/a", 404) == {}


def test_rfc8144_2_2_a_patch_that_went_well_needs_no_words(dav: Client) -> None:
    dav.put("a")
    done = dav.patch("a", setting("<x:p>1</x:p>"), Prefer="return=minimal")
    assert (done.status, done.body) == (200, b"")
    assert (done.headers["Vary"], done.headers["Preference-Applied"]) == ("Prefer", "return=minimal")
    assert dav.find("a", MISSING).text(f"{HOME}/a", MISSING) == "1"
    refused = dav.patch("a", removing("<x:p/>"), setting("<D:getetag>x</D:getetag>"), Prefer="return=minimal")
    assert refused.status == 207
    assert "Preference-Applied" not in refused.headers
    assert set(refused.props(f"{HOME}/a", 403)) == {f"{D}getetag"}


def test_rfc8144_4_the_collection_itself_is_left_out(dav: Client) -> None:
    dav.mkcol("c")
    dav.put("c/a")
    for depth in ("1", "infinity"):
        answer = dav("PROPFIND", "c/", prop_body(f"{D}getetag"), Depth=depth, Prefer="depth-noroot")
        assert answer.hrefs() == [f"{HOME}/c/a"]
        assert answer.headers["Preference-Applied"] == "depth-noroot"
    for path, depth in (("c/", "0"), ("c/a", "1")):
        assert len(dav("PROPFIND", path, Depth=depth, Prefer="depth-noroot").hrefs()) == 1
    assert (
        dav("PROPFIND", "/dav/", Depth="1").hrefs()[1:]
        == dav("PROPFIND", "/dav/", Depth="1", Prefer="depth-noroot").hrefs()
    )
    assert dav("PROPFIND", "/dav/store/", Depth="1", Prefer="depth-noroot").hrefs() == [f"{HOME}/"]


@pytest.mark.parametrize("depth", ["0", "1", "infinity"])
def test_rfc4918_9_2_a_patch_with_a_depth_means_the_resource(dav: Client, depth: str) -> None:
    dav.mkcol("c")
    dav.put("c/a")
    assert dav.patch("c", setting("<x:p>1</x:p>"), Depth=depth).props(f"{HOME}/c/").keys() == {MISSING}
    assert MISSING in dav.find("c/a", MISSING).props(f"{HOME}/c/a", 404)


def test_rfc8144_2_3_a_collection_that_was_made_needs_no_words(dav: Client) -> None:
    kind = "<D:resourcetype><D:collection/></D:resourcetype>"
    body = f"<D:mkcol xmlns:D='DAV:'><D:set><D:prop>{kind}</D:prop></D:set></D:mkcol>"
    for path, prefer, applied in (("a", "return=minimal", "return=minimal"), ("b", "return=representation", None)):
        answer = dav("MKCOL", path, body, Content_Type="text/xml", Prefer=prefer)
        assert (answer.status, answer.body, answer.headers.get("Preference-Applied")) == (201, b"", applied)
    assert "Preference-Applied" not in dav("MKCOL", "plain", Prefer="return=minimal").headers


def represented(answer: Answer, path: str, body: bytes) -> None:
    """See to it that an answer holds what GET of a path would send."""
    assert answer.body == body
    assert answer.headers["Content-Location"] == f"{HOME}/{path}"
    assert (answer.headers["Preference-Applied"], answer.headers["Vary"]) == ("return=representation", "Prefer")
    assert answer.headers["Content-Type"] == "text/html"
    assert "sandbox" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("body", [b"hello", b"x" * 600_000])
def test_rfc8144_3_1_what_is_there_now_comes_with_the_answer(dav: Client, body: bytes) -> None:
    wish = {"Prefer": "return=representation"}
    for status in (201, 200):
        answer = dav("PUT", "a.html", body, X_OC_Mtime="784111777", **wish)
        assert (answer.status, answer.headers["X-OC-Mtime"]) == (status, "accepted")
        represented(answer, "a.html", body)
        assert answer.headers["ETag"] == dav("HEAD", "a.html").headers["ETag"]
        assert answer.headers["Last-Modified"] == "Sun, 06 Nov 1994 08:49:37 GMT"
    for method, path, status in (("COPY", "b.html", 201), ("COPY", "b.html", 200), ("MOVE", "c.html", 201)):
        answer = dav(method, "a.html", Destination=f"{HOME}/{path}", **wish)
        assert answer.status == status
        represented(answer, path, body)


def test_rfc8144_3_1_a_collection_has_no_representation(dav: Client) -> None:
    dav.mkcol("c")
    for method, status in (("COPY", 201), ("COPY", 204), ("MOVE", 204)):
        answer = dav(method, "c", Destination=f"{HOME}/d", Prefer="return=representation")
        assert (answer.status, answer.body) == (status, b"")
        assert "Preference-Applied" not in answer.headers


def test_rfc8144_3_2_what_is_there_instead_comes_with_the_refusal(dav: Client) -> None:
    etag = dav.put("a.html", b"theirs")
    for condition in ({"If_Match": '"mine"'}, {"If_None_Match": "*"}, {"If": '(["mine"])'}):
        answer = dav("PUT", "a.html", b"mine", Prefer="return=representation", **condition)
        assert (answer.status, answer.headers["ETag"]) == (412, etag)
        represented(answer, "a.html", b"theirs")
        plain = dav("PUT", "a.html", b"mine", **condition)
        assert plain.status == 412
        assert "ETag" not in plain.headers
    absent = dav("PUT", "new", b"mine", If_Match="*", Prefer="return=representation")
    assert absent.status == 412
    assert "Content-Location" not in absent.headers
    assert dav("PROPFIND", "", Depth="0", Prefer="return=representation").headers.get("Preference-Applied") is None
