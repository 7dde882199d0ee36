"""Preferences: RFC 8144, RFC 7240; checklist E.5 106."""

from __future__ import annotations

import pytest

from tests.dav.client import HOME, Client, D, prop_body, removing, setting, sync_body, token_of

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


def test_rfc8144_3_the_collection_itself_is_left_out(dav: Client) -> None:
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
