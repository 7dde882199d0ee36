"""Functions that are switched off: told nowhere, refused everywhere, and the rest of the server as it was."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from davstore.model.functions import ALL, Function
from davstore.store import locking
from tests.dav.client import (
    BOB,
    HOME,
    MESSAGE,
    PHONE,
    REPORTS,
    Answer,
    Client,
    D,
    prop_body,
    setting,
    sync_body,
    token_of,
)
from tests.dav.test_gate_points import HTML, Place

C = "{urn:davstore:cpm}"
PRINCIPALS = ("/dav/principals/users/alice/", "/dav/principals/devices/alice/phone/")
LOCK = '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>'
EXPLAIN = f'<C:explain-sync xmlns:C="{C[1:-1]}"/>'
PLACES = ("", "c/", "a", "missing", "a?part=2", "/dav/", "/dav/store/", *PRINCIPALS)
SUPPORTED = [f"{D}supported-{what}-set" for what in ("method", "report", "live-property")]


@pytest.fixture
def store(dav: Client) -> Client:
    """Return the client of a phone, with a message and a collection in its store."""
    dav.principal = PHONE
    dav.put("a", MESSAGE)
    dav.mkcol("c")
    return dav


def functions_of(answer: Answer, href: str) -> list[str]:
    return [str(one.text) for one in answer.prop(href, f"{C}functions")]


@pytest.mark.parametrize("principal", PRINCIPALS)
def test_a_principal_tells_the_functions(store: Client, principal: str) -> None:
    assert functions_of(store.find(principal, f"{C}functions"), principal) == ["synchronization", "locking", "pages"]
    store.serve(ALL - {Function.LOCKING})
    assert functions_of(store.find(principal, f"{C}functions"), principal) == ["synchronization", "pages"]
    for other in (f"{HOME}/", f"{HOME}/a", "/dav/principals/"):
        assert f"{C}functions" in store.find(other, f"{C}functions").props(other, 404)
    refused = store.patch(
        "a", f'<D:set><D:prop><C:functions xmlns:C="{C[1:-1]}">locking</C:functions></D:prop></D:set>'
    )
    assert f"{C}functions" in refused.props(f"{HOME}/a", 403)


@pytest.mark.parametrize("path", PLACES)
def test_methods_of_locking_are_gone(store: Client, path: str) -> None:
    store.serve(ALL - {Function.LOCKING})
    told = store("OPTIONS", path)
    assert told.headers["DAV"] == "1, 3, access-control, extended-mkcol"
    allowed = told.headers["Allow"].split(", ")
    assert {"LOCK", "UNLOCK"}.isdisjoint(allowed)
    assert "OPTIONS" in allowed
    for method, body, headers in (("LOCK", LOCK, {}), ("LOCK", "", {}), ("UNLOCK", "", {"Lock_Token": "<urn:x:y>"})):
        refused = store(method, path, body, **headers)
        assert refused.status == 405, path
        assert refused.headers["Allow"]
        assert {"LOCK", "UNLOCK"}.isdisjoint(refused.headers["Allow"].split(", "))
    assert store("GET", "missing").status == 404  # LOCK has made nothing
    if path not in ("missing", ""):  # the root has those of any collection
        href = path if path.startswith("/") else f"{HOME}/{path}"
        methods = store.find(path, SUPPORTED[0]).prop(href, SUPPORTED[0])
        assert [one.get("name") for one in methods] == allowed


def test_without_locking_nothing_can_be_locked_and_the_rest_works(store: Client) -> None:
    store.serve(ALL - {Function.LOCKING})
    store.principal = BOB
    assert store("LOCK", "a", LOCK).status == 404  # before anything else
    store.principal = PHONE
    for path in ("a", "c/"):
        told = store("PROPFIND", path, Depth="0").props(f"{HOME}/{path}")  # allprop
        assert len(told[f"{D}supportedlock"]) == len(told[f"{D}lockdiscovery"]) == 0
    assert store("PUT", "a", "new", If="(<urn:davstore:lock:none>)").status == 412
    assert store("PUT", "a", "new", If="(Not <DAV:no-lock>)").status == 204
    assert store("MOVE", "a", Destination=f"{HOME}/b").status == 201
    assert token_of(store.sync())


def test_a_lock_that_is_held_binds_until_its_time_is_over(dav: Client) -> None:
    dav.put("a")
    token = dav("LOCK", "a", LOCK, Timeout="Second-60").headers["Lock-Token"]
    dav.serve(ALL - {Function.LOCKING})
    assert dav("PUT", "a", "of another").status == 423
    found = dav.find("a", f"{D}lockdiscovery", f"{D}supportedlock")
    assert found.prop(f"{HOME}/a", f"{D}lockdiscovery").findtext(f".//{D}locktoken/{D}href") == token.strip("<>")
    assert len(found.prop(f"{HOME}/a", f"{D}supportedlock")) == 0
    assert dav("PUT", "a", "of its holder", If=f"({token})").status == 204
    assert dav("UNLOCK", "a", Lock_Token=token).status == 405
    assert dav("LOCK", "a", If=f"({token})").status == 405  # no refresh
    dav.now_us += 61 * 1_000_000
    assert dav("PUT", "a", "of another").status == 204
    assert dav("PUT", "a", "of its holder", If=f"({token})").status == 412


def test_the_operator_ends_a_lock_where_locking_is_off(dav: Client) -> None:
    dav.put("a")
    token = dav("LOCK", "a", LOCK).headers["Lock-Token"].strip("<>")
    dav.serve(ALL - {Function.LOCKING})
    assert [one.token for one in locking.list_all(dav.database, "alice", now_us=dav.now_us)] == [token]
    locking.end(dav.database, "alice", token, now_us=dav.now_us)
    assert dav("PUT", "a", "of another").status == 204


def test_the_reports_of_synchronization_are_gone(store: Client) -> None:
    store.serve(ALL - {Function.SYNCHRONIZATION})
    for path in ("", "c/", "a", "/dav/", PRINCIPALS[0]):
        href = path if path.startswith("/") else f"{HOME}/{path}"
        for body in (sync_body(), EXPLAIN):
            refused = store("REPORT", path, body)
            assert (refused.status, refused.condition) == (403, f"{D}supported-report")
        found = store.find(path, *SUPPORTED, f"{D}sync-token")
        reports = [str(one.tag) for one in found.prop(href, SUPPORTED[1]).iterfind(f"*/{D}report/*")]
        gone = {
            f"{D}sync-collection",
            *(f"{{urn:davstore:cpm}}{name}" for name in ("explain-sync", "conversation-history")),
        }
        assert not gone & set(reports)
        others = ["{urn:davstore:cpm}resolve", "{urn:davstore:cpm}multiget"] if path in ("", "c/") else []
        assert {*others, f"{D}expand-property"} <= set(reports)
        live = [str(one.tag) for one in found.prop(href, SUPPORTED[2]).iterfind(f"*/{D}prop/*")]
        assert f"{D}sync-token" not in live
        assert f"{D}resourcetype" in live
        assert f"{D}sync-token" in found.props(href, 404)
        assert store("REPORT", path, REPORTS[f"{D}expand-property"], Depth="0").status == 207
    broken = store("REPORT", "c/", '<D:sync-collection xmlns:D="DAV:"><D:nonsense/></D:sync-collection>')
    assert (broken.status, broken.condition) == (403, f"{D}supported-report")


def test_without_synchronization_no_listing_has_a_token(store: Client) -> None:
    store.serve(ALL - {Function.SYNCHRONIZATION})
    for body in (prop_body(f"{D}sync-token", f"{D}getetag"), '<propfind xmlns="DAV:"><propname/></propfind>'):
        listed = store("PROPFIND", "", body, Depth="1")
        for href in (f"{HOME}/", f"{HOME}/c/"):
            assert f"{D}sync-token" not in listed.props(href)
    assert store.patch("c/", setting("<D:sync-token>x</D:sync-token>")).props(f"{HOME}/c/", 403)
    assert store("OPTIONS", "c/").headers["DAV"] == "1, 2, 3, access-control, extended-mkcol"
    assert store("LOCK", "a", LOCK).status == 200


def test_other_origins_are_told_of_the_methods_that_are_there(tmp_path: Path) -> None:
    origin = "https://app.example"
    with closing(Client(tmp_path, origins=origin, functions=ALL - {Function.LOCKING})) as client:
        told = client("OPTIONS", "a", Origin=origin, Access_Control_Request_Method="PUT")
    methods = told.headers["Access-Control-Allow-Methods"].split(", ")
    assert "PUT" in methods
    assert {"LOCK", "UNLOCK"}.isdisjoint(methods)


def test_a_worker_without_any_function_stores_and_lists(tmp_path: Path) -> None:
    place = Place(tmp_path, **{"functions.enabled": ""})
    assert place("OPTIONS", "Notes/").headers["DAV"] == "1, 3, access-control, extended-mkcol"
    assert place("LOCK", "Notes/").status == 405
    for who in ("user", "phone"):  # a phone's report is read by the gate
        refused = place("REPORT", "Notes/", who, sync_body())
        assert (refused.status, refused.condition) == (403, f"{D}supported-report")
    assert place("GET", "Archive/", "phone").status == 403  # the policy goes on to rule over listings
    for path in ("Notes/", "Notes/missing"):
        in_browser = place("GET", path, HTTP_ACCEPT=HTML)
        assert b"<style" not in in_browser.body
    assert place("GET", "Notes/", HTTP_ACCEPT=HTML).status == 200
    assert place("GET", "Notes/missing", HTTP_ACCEPT=HTML).headers["Content-Type"].startswith("text/plain")


def test_a_worker_has_pages_unless_they_are_off(tmp_path: Path) -> None:
    place = Place(tmp_path, **{"functions.enabled": "pages"})
    assert b"<style" in place("GET", "Notes/", HTTP_ACCEPT=HTML).body
    assert place("GET", "Notes/missing", HTTP_ACCEPT=HTML).headers["Content-Type"].startswith("text/html")
