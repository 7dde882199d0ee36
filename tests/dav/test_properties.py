"""PROPFIND, PROPPATCH and the live properties: RFC 4918 §9.1, §9.2, §15, RFC 3253, RFC 4331, RFC 5397, RFC 5842."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import update

from davstore.dav.kinds import Kind
from davstore.dav.properties import LIVE_OF, PROTECTED, SETTABLE
from davstore.dav.properties.states import STATES
from davstore.metadata import unit
from davstore.metadata.statements import Statement
from davstore.metadata.tables import property_
from davstore.model.facets import ANSWERS, CHECKSUMS, DISPOSITIONS, MESSAGE, ORIGINAL
from davstore.model.limits import Limits
from tests.dav.client import ALICE, HOME, PHONE, Client, D, prop_body, removing, setting, sync_body, token_of
from tests.dav.test_locks import info

C = "{urn:davstore:cpm}"
ALLPROP = {"resourcetype", "getlastmodified", "creationdate", "supportedlock", "lockdiscovery"}
ALLPROP_RESOURCE = ALLPROP | {"getetag", "getcontentlength", "getcontenttype"}


@pytest.mark.parametrize("body", ["", '<D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>'])
def test_no_body_asks_for_allprop(dav: Client, body: str) -> None:
    etag = dav.put("a.txt", b"hello")
    dav.patch("a.txt", setting("<x:p>1</x:p>"))
    answer = dav("PROPFIND", "a.txt", body, Depth="0")
    assert answer.status == 207
    assert answer.headers["Content-Type"] == 'application/xml; charset="utf-8"'
    found = answer.props(f"{HOME}/a.txt")
    assert set(found) == {D + name for name in ALLPROP_RESOURCE} | {"{urn:x}p"}
    assert found[f"{D}getetag"].text == etag
    assert found[f"{D}getcontentlength"].text == "5"
    assert found[f"{D}getcontenttype"].text == "text/plain"
    assert found[f"{D}getlastmodified"].text == "Fri, 15 Jan 2027 08:00:00 GMT"
    assert found[f"{D}creationdate"].text == "2027-01-15T08:00:00Z"
    assert [child.tag for child in found[f"{D}resourcetype"]] == []


def test_a_collection_has_no_body_properties(dav: Client) -> None:
    dav.mkcol("c")
    found = dav("PROPFIND", "c", Depth="0").props(f"{HOME}/c/")
    assert set(found) == {D + name for name in ALLPROP}
    assert [child.tag for child in found[f"{D}resourcetype"]] == [f"{D}collection"]
    asked = dav.find("c", f"{D}getetag", f"{D}getcontentlength", f"{D}getcontenttype")
    assert len(asked.props(f"{HOME}/c/", 404)) == 3


def test_a_client_that_asks_for_everything_is_told_no_type_of_ours(dav: Client) -> None:
    """OpenDAL reads `D:resourcetype` as nothing or a collection, and gives up a listing with anything else."""
    dav.put("a.txt", b"hello")
    for body in ("", '<D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>'):
        answer = dav("PROPFIND", "", body, Depth="1")
        assert len(answer.prop(f"{HOME}/a.txt", f"{D}resourcetype")) == 0
        assert [one.tag for one in answer.prop(f"{HOME}/", f"{D}resourcetype")] == [f"{D}collection"]
    named = dav("PROPFIND", "", prop_body(f"{D}resourcetype"), Depth="1")
    assert [one.tag for one in named.prop(f"{HOME}/a.txt", f"{D}resourcetype")] == [f"{C}media"]


def test_propname(dav: Client) -> None:
    dav.put("a")
    dav.patch("a", setting("<x:p>1</x:p>"))
    found = dav("PROPFIND", "a", '<propfind xmlns="DAV:"><propname/></propfind>', Depth="0").props(f"{HOME}/a")
    of_messages = (MESSAGE, CHECKSUMS, ANSWERS, DISPOSITIONS, ORIGINAL)
    lacking = {name for name, live in LIVE_OF[Kind.RESOURCE].items() if live.facet in of_messages}
    lacking |= {live.name for live in STATES}
    assert set(found) == LIVE_OF[Kind.RESOURCE].keys() - lacking | {"{urn:x}p"}
    assert all(element.text is None and len(element) == 0 for element in found.values())
    root = dav("PROPFIND", "", '<propfind xmlns="DAV:"><propname/></propfind>', Depth="0").props(f"{HOME}/")
    assert {f"{D}quota-used-bytes", f"{D}quota-available-bytes", f"{C}root"} <= root.keys()


def test_include(dav: Client) -> None:
    dav.put("a")
    dav.patch("a", setting("<x:p>1</x:p>"))
    body = (
        '<D:propfind xmlns:D="DAV:" xmlns:x="urn:x"><D:allprop/>'
        "<D:include><D:resource-id/><D:getetag/><x:p/><x:q/></D:include></D:propfind>"
    )
    answer = dav("PROPFIND", "a", body, Depth="0")
    assert set(answer.props(f"{HOME}/a")) == {D + n for n in ALLPROP_RESOURCE} | {f"{D}resource-id", "{urn:x}p"}
    assert set(answer.props(f"{HOME}/a", 404)) == {"{urn:x}q"}
    assert answer.body.count(b"getetag>") == 2


def test_unknown_properties_are_not_found(dav: Client) -> None:
    dav.put("a")
    answer = dav.find("a", f"{D}getetag", "{urn:x}p", "{urn:davstore:cpm}seen", "plain")
    assert set(answer.props(f"{HOME}/a")) == {f"{D}getetag"}
    assert set(answer.props(f"{HOME}/a", 404)) == {"{urn:x}p", f"{C}seen", "plain"}


def test_depth(dav: Client) -> None:
    dav.mkcol("c", "c/d")
    dav.put("c/d/a")
    dav.put("b")
    top, c, d = f"{HOME}/", f"{HOME}/c/", f"{HOME}/c/d/"
    assert dav("PROPFIND", "", Depth="0").hrefs() == [top]
    assert dav("PROPFIND", "", Depth="1").hrefs() == [top, f"{HOME}/b", c]
    for depth in ("infinity", "Infinity", None):
        assert sorted(dav("PROPFIND", "", Depth=depth).hrefs()) == sorted([top, f"{HOME}/b", c, d, f"{d}a"])
    assert dav("PROPFIND", "b", Depth="1").hrefs() == [f"{HOME}/b"]
    for depth in ("2", "-1", "", "one", "1, 0"):
        assert dav("PROPFIND", "", Depth=depth).status == 400


def test_infinity_has_an_end(tmp_path: Path) -> None:
    dav = Client(tmp_path, limits=Limits(propfind_members=3))
    dav.mkcol("c")
    for name in ("c/1", "c/2", "c/3"):
        assert dav("PROPFIND", "").status == 207
        dav.put(name)
    answer = dav("PROPFIND", "")
    assert (answer.status, answer.condition) == (403, f"{D}propfind-finite-depth")
    assert dav("PROPFIND", "/dav/").condition == f"{D}propfind-finite-depth"
    dav.close()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("<x", 400),
        ("<x/>", 400),
        ('<D:propfind xmlns:D="DAV:"/>', 400),
        ('<D:propfind xmlns:D="DAV:"><D:prop/><D:allprop/></D:propfind>', 400),
        ("<!DOCTYPE x><x/>", 400),
        ('<!DOCTYPE x [<!ENTITY e "e">]><x>&e;</x>', 400),
        (f"<x>{'<y/>' * 20_000}</x>", 413),
        (" " * 1_100_000, 413),
    ],
)
def test_bodies_that_are_no_propfind(dav: Client, body: str, status: int) -> None:
    assert dav("PROPFIND", "", body).status == status
    assert dav("PROPFIND", "", body, chunked=True).status == status


@pytest.mark.parametrize("method", ["PROPFIND", "PROPPATCH", "MKCOL", "REPORT"])
def test_external_entities(dav: Client, method: str) -> None:
    body = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'
    answer = dav(method, "" if method != "MKCOL" else "c", body, Content_Type="text/xml")
    assert (answer.status, answer.condition) == (403, f"{D}no-external-entities")


# Live properties


def test_who_and_where(dav: Client) -> None:
    dav.put("a")
    asked = ("current-user-principal", "principal-collection-set", "owner", "resource-id")
    found = dav.find("a", *(D + name for name in asked)).props(f"{HOME}/a")
    hrefs = {name: found[D + name].findtext(f"{D}href") for name in asked}
    assert hrefs["current-user-principal"] == "/dav/principals/users/alice/"
    assert hrefs["principal-collection-set"] == "/dav/principals/"
    assert hrefs["owner"] == "/dav/principals/users/alice/"
    assert hrefs["resource-id"].startswith("urn:uuid:")
    dav.principal = PHONE
    found = dav.find("/dav/", f"{D}current-user-principal").props("/dav/")
    assert found[f"{D}current-user-principal"].findtext(f"{D}href") == "/dav/principals/devices/alice/phone/"


def test_rfc4331_3_quota_is_told_to_who_asks(tmp_path: Path) -> None:
    """On collections, in propname, not in allprop, and of all that lies beneath."""
    dav = Client(tmp_path, quota_bytes=1000)
    names = {f"{D}quota-used-bytes", f"{D}quota-available-bytes"}
    dav.mkcol("c", "c/d")
    dav.put("c/d/a", b"x" * 300)
    for path in ("", "c/", "c/d/"):
        told = dav.find(path, *names)
        assert told.text(f"{HOME}/{path}", f"{D}quota-used-bytes") == "300"
        assert told.text(f"{HOME}/{path}", f"{D}quota-available-bytes") == "700"
        propname = dav("PROPFIND", path, '<propfind xmlns="DAV:"><propname/></propfind>', Depth="0")
        assert names <= set(propname.props(f"{HOME}/{path}"))
        assert names.isdisjoint(dav("PROPFIND", path, Depth="0").props(f"{HOME}/{path}"))
    assert set(dav.find("c/d/a", *names).props(f"{HOME}/c/d/a", 404)) == names
    dav.close()


@pytest.mark.parametrize("quota_bytes", [None, 2**62])
def test_rfc4331_3_without_a_limit_the_disk_is_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota_bytes: int | None
) -> None:
    """One look at the disk for a request, so that all collections of an answer have the same value."""
    dav = Client(tmp_path, quota_bytes=quota_bytes)
    dav.mkcol(*map(str, range(7)))
    looks: list[os.statvfs_result] = []
    statvfs = os.statvfs

    def look(path: Path) -> os.statvfs_result:
        looks.append(statvfs(path))
        return looks[-1]

    monkeypatch.setattr(unit, "PAGE_ROWS", 3)
    monkeypatch.setattr(os, "statvfs", look)
    for ask in (lambda name: dav.find("", name, depth="1"), lambda name: dav("REPORT", "", report_of(name))):
        looks.clear()
        answer = ask(f"{D}quota-available-bytes")
        told = {int(element.text) for element in answer.xml.iter(f"{D}quota-available-bytes")}
        assert len(looks) == len(told) == 1
        reserve_bytes = min(64 << 20, looks[0].f_blocks * looks[0].f_frsize // 4)
        assert told == {looks[0].f_bavail * looks[0].f_frsize - reserve_bytes}
        looks.clear()
        ask(f"{D}getlastmodified")
        assert looks == []
    dav.close()


def report_of(name: str) -> str:
    """Return the body of a report that asks for a property of `DAV:`."""
    return sync_body(props=f"<D:{name.removeprefix(D)}/>")


def test_the_root_of_a_store_is_told_by_a_property(dav: Client) -> None:
    """Some clients do not see a collection in a resourcetype of two elements."""
    dav.mkcol("c")
    found = dav.find("", f"{D}resourcetype", f"{C}root", depth="1")
    for href in (f"{HOME}/", f"{HOME}/c/"):
        assert [child.tag for child in found.prop(href, f"{D}resourcetype")] == [f"{D}collection"]
    assert found.text(f"{HOME}/", f"{C}root") == "T"
    assert f"{C}root" in found.props(f"{HOME}/c/", 404)
    assert f"{C}root" not in dav("PROPFIND", "", Depth="0").props(f"{HOME}/")
    for path in ("", "c"):
        refused = dav.patch(path, setting('<C:root xmlns:C="urn:davstore:cpm">T</C:root>'))
        assert f"{C}root" in refused.props(f"{HOME}/{path}{'/' if path else ''}", 403)


def test_principals(dav: Client) -> None:
    dav.principal = PHONE
    for href, name in (("/dav/principals/users/alice/", "alice"), ("/dav/principals/devices/alice/phone/", "phone")):
        found = dav.find(href, f"{D}displayname", f"{D}principal-URL", f"{D}resourcetype").props(href)
        assert found[f"{D}displayname"].text == name
        assert found[f"{D}principal-URL"].findtext(f"{D}href") == href
        assert f"{D}principal" in [child.tag for child in found[f"{D}resourcetype"]]
    dav.principal = ALICE


def test_what_is_supported(dav: Client) -> None:
    dav.put("a")
    reports = [
        dav.find(path, f"{D}supported-report-set").prop(href, f"{D}supported-report-set")
        for path, href in (("", f"{HOME}/"), ("a", f"{HOME}/a"), ("/dav/", "/dav/"))
    ]
    assert [[one.tag for one in report.iter(f"{D}sync-collection")] for report in reports] == [
        [f"{D}sync-collection"],
        [],
        [],
    ]
    methods = dav.find("a", f"{D}supported-method-set").prop(f"{HOME}/a", f"{D}supported-method-set")
    assert ", ".join(one.get("name") for one in methods) == dav("OPTIONS", "a").headers["Allow"]
    live = dav.find("a", f"{D}supported-live-property-set").prop(f"{HOME}/a", f"{D}supported-live-property-set")
    assert {one[0][0].tag for one in live} == set(LIVE_OF[Kind.RESOURCE])


def test_sync_token_is_what_a_report_would_give(dav: Client) -> None:
    dav.mkcol("c")
    dav.put("c/a")
    for path, href in (("", f"{HOME}/"), ("c", f"{HOME}/c/")):
        assert dav.find(path, f"{D}sync-token").text(href, f"{D}sync-token") == token_of(dav.sync(path))
    assert f"{D}sync-token" in dav.find("c/a", f"{D}sync-token").props(f"{HOME}/c/a", 404)


def test_modseq_rises_with_every_change(dav: Client) -> None:
    dav.put("a")
    first = int(dav.find("a", f"{C}modseq").text(f"{HOME}/a", f"{C}modseq"))
    etag = dav("GET", "a").headers["ETag"]
    dav.patch("a", setting("<x:p/>"))
    assert int(dav.find("a", f"{C}modseq").text(f"{HOME}/a", f"{C}modseq")) > first
    assert dav("GET", "a").headers["ETag"] == etag


# PROPPATCH


def test_set_and_remove_in_document_order(dav: Client) -> None:
    dav.put("a")
    answer = dav.patch("a", setting("<x:p>1</x:p><x:q/>"), removing("<x:p/>"), setting("<x:q>2</x:q>"))
    assert answer.status == 207
    assert set(answer.props(f"{HOME}/a")) == {"{urn:x}p", "{urn:x}q"}
    found = dav.find("a", "{urn:x}p", "{urn:x}q")
    assert set(found.props(f"{HOME}/a", 404)) == {"{urn:x}p"}
    assert found.text(f"{HOME}/a", "{urn:x}q") == "2"
    assert dav.patch("a", removing("<x:never/>")).props(f"{HOME}/a") != {}


@pytest.mark.parametrize("name", sorted(PROTECTED - SETTABLE.keys()))
def test_protected_properties_fail_with_all_others(dav: Client, name: str) -> None:
    dav.put("a")
    namespace, _, local = name[1:].partition("}")
    for instruction in (setting, removing):
        protected = f'<y:{local} xmlns:y="{namespace}"/>'
        answer = dav.patch("a", setting("<x:p>1</x:p>"), instruction(protected))
        assert answer.status == 207
        assert set(answer.props(f"{HOME}/a", 403)) == {name}
        assert set(answer.props(f"{HOME}/a", 424)) == {"{urn:x}p"}
        assert answer.xml.find(f".//{D}error/{D}cannot-modify-protected-property") is not None
    assert set(dav.find("a", "{urn:x}p").props(f"{HOME}/a", 404)) == {"{urn:x}p"}


@pytest.mark.parametrize("name", ["source", "ishidden", "x"])
def test_rfc4918_15_names_of_dav_are_for_rfcs_to_come(dav: Client, name: str) -> None:
    dav.put("a")
    answer = dav.patch("a", setting(f"<x:p>1</x:p><D:{name}>x</D:{name}>"))
    assert set(answer.props(f"{HOME}/a", 403)) == {D + name}
    assert answer.xml.find(f".//{D}error/{D}cannot-modify-protected-property") is not None
    assert D + name in dav.find("a", D + name).props(f"{HOME}/a", 404)
    assert D + name in dav.patch("a", removing(f"<D:{name}/>")).props(f"{HOME}/a")  # it is not there: no error


def test_rfc4918_15_2_15_3_what_dav_gives_to_clients(dav: Client) -> None:
    dav.put("a")
    for name in ("displayname", "getcontentlanguage"):
        assert D + name in dav.patch("a", setting(f"<D:{name}>de</D:{name}>")).props(f"{HOME}/a")
        assert dav.find("a", D + name).text(f"{HOME}/a", D + name) == "de"
        assert D + name in dav.patch("a", removing(f"<D:{name}/>")).props(f"{HOME}/a")


@pytest.mark.parametrize("namespace", ["u:ü", "a b", "u:%"])
def test_a_namespace_is_a_uri(dav: Client, namespace: str) -> None:
    """XML 1.0 knows no IRIs here (Namespaces in XML §2), and a listing with one could not be read by everybody."""
    dav.put("a")
    assert dav.patch("a", setting(f'<y:p xmlns:y="{namespace}">1</y:p>')).status == 400
    assert "{u:%C3%BC}p" in dav.patch("a", setting('<y:p xmlns:y="u:%C3%BC"/>')).props(f"{HOME}/a")


@pytest.mark.parametrize("local", ["modseq", "kind", "effective-sync-policy", "no-such-thing"])
@pytest.mark.parametrize("instruction", [setting, removing])
def test_our_own_namespace_is_nobody_elses(dav: Client, local: str, instruction: Callable[[str], str]) -> None:
    """RFC 4918 §9.2.1: names without a meaning yet are protected too, or clients would give them one."""
    dav.put("a")
    answer = dav.patch("a", setting("<x:p>1</x:p>"), instruction(f'<C:{local} xmlns:C="urn:davstore:cpm"/>'))
    assert answer.status == 207
    assert set(answer.props(f"{HOME}/a", 403)) == {C + local}
    assert set(answer.props(f"{HOME}/a", 424)) == {"{urn:x}p"}
    assert answer.xml.find(f".//{D}error/{D}cannot-modify-protected-property") is not None
    body = (
        '<D:mkcol xmlns:D="DAV:"><D:set><D:prop><D:resourcetype><D:collection/></D:resourcetype>'
        f'<C:{local} xmlns:C="urn:davstore:cpm"/></D:prop></D:set></D:mkcol>'
    )
    assert dav("MKCOL", "c", body, Content_Type="application/xml").status == 403
    assert dav("GET", "c").status == 404
    dav.patch("a", setting('<C:seen xmlns:C="urn:davstore:cpms">1</C:seen>'))
    assert set(dav.find("a", "{urn:davstore:cpms}seen").props(f"{HOME}/a")) == {"{urn:davstore:cpms}seen"}


def test_what_a_client_once_wrote_in_our_namespace_is_not_told(dav: Client) -> None:
    """Version 0.1 kept it as a dead property."""
    dav.put("a")
    dav.patch("a", setting("<x:seen>1</x:seen>"))
    dav.database.write(lambda unit: unit.run(Statement(update(property_).values(name=f"{C}seen")), {}))
    include = (
        f'<D:propfind xmlns:D="DAV:"><D:allprop/><D:include><C:seen xmlns:C="{C[1:-1]}"/></D:include></D:propfind>'
    )
    for body in ("", include, '<propfind xmlns="DAV:"><propname/></propfind>', prop_body(f"{C}seen")):
        assert f"{C}seen" not in dav("PROPFIND", "a", body, Depth="0").props(f"{HOME}/a")
    assert set(dav.find("a", f"{C}seen").props(f"{HOME}/a", 404)) == {f"{C}seen"}


def test_a_refused_change_names_the_collection_as_ever(dav: Client) -> None:
    dav.mkcol("c")
    for path in ("c", "c/"):
        assert dav.patch(path, setting("<D:getetag/>")).hrefs() == [f"{HOME}/c/"]


def test_displayname_is_the_clients(dav: Client) -> None:
    dav.mkcol("c")
    dav.patch("c", setting("<D:displayname>Über</D:displayname>"))
    assert dav.find("c", f"{D}displayname").text(f"{HOME}/c/", f"{D}displayname") == "Über"
    assert f"{D}displayname" in dav("PROPFIND", "c", Depth="0").props(f"{HOME}/c/")


def test_xml_values_are_kept(dav: Client) -> None:
    dav.put("a")
    value = '<x:p xml:lang="de">text<y:q xmlns:y="urn:y" a="1">&lt;&amp;</y:q> tail <z xmlns=""/></x:p>'
    assert dav.patch("a", setting(value)).status == 207
    found = dav.find("a", "{urn:x}p").prop(f"{HOME}/a", "{urn:x}p")
    assert found.get("{http://www.w3.org/XML/1998/namespace}lang") == "de"
    assert "".join(found.itertext()) == "text<& tail "
    assert [(child.tag, dict(child.attrib)) for child in found] == [("{urn:y}q", {"a": "1"}), ("z", {})]


def test_too_many_properties(tmp_path: Path) -> None:
    dav = Client(tmp_path, limits=Limits(properties_per_node=2))
    dav.put("a")
    answer = dav.patch("a", setting("<x:p/><x:q/><x:r/>"))
    assert set(answer.props(f"{HOME}/a", 422)) == {"{urn:x}p", "{urn:x}q", "{urn:x}r"}
    dav.close()


def test_proppatch_of_nothing(dav: Client) -> None:
    dav.put("a")
    assert dav.patch("missing", setting("<x:p/>")).status == 404
    for body in (
        "",
        "<x/>",
        '<D:propertyupdate xmlns:D="DAV:"><D:set/></D:propertyupdate>',
    ):
        assert dav("PROPPATCH", "a", body).status == 400


@pytest.mark.parametrize("instructions", [(), (setting(""),), (removing(""), setting(""))])
def test_rfc4918_9_2_a_proppatch_without_changes_changes_nothing(dav: Client, instructions: tuple[str, ...]) -> None:
    dav.put("a")
    token = token_of(dav.sync())
    answer = dav.patch("a", *instructions)
    assert (answer.status, answer.hrefs()) == (207, [f"{HOME}/a"])
    assert answer.xml.findtext(f".//{D}status") == "HTTP/1.1 200 OK"
    assert dav.patch("a", *instructions, Prefer="return=minimal").status == 200
    assert token_of(dav.sync()) == token
    assert dav.patch("missing", *instructions).status == 404
    assert dav.patch("a", *instructions, If_Match='"other"').status == 412


@pytest.mark.parametrize(
    ("path", "begin"),
    [
        (HOME, HOME),
        (f"{HOME}/", HOME),
        ("http://dav.example/dav/store/alice/", HOME),
        ("//dav/store//alice//", HOME),
        ("/dav/store/%61lice/", "/dav/store/%61lice"),
    ],
)
def test_rfc4918_8_3_hrefs_begin_as_the_request_uri(dav: Client, path: str, begin: str) -> None:
    """All hrefs of an answer have one form: segments behind the request-URI are spelled as RFC 3986 §3.3 allows."""
    dav.mkcol("%63", "R%26D")
    dav.put("c/%41 b".replace(" ", "%20"))
    dav.put("R&D/a%40b")
    wanted = [f"{begin}/", f"{begin}/R&D/", f"{begin}/c/", f"{begin}/R&D/a@b", f"{begin}/c/A%20b"]
    answer = dav("PROPFIND", path, prop_body(f"{D}getetag"), Depth="infinity")
    assert sorted(answer.hrefs()) == sorted(wanted)
    assert sorted(dav("REPORT", path, sync_body()).hrefs()) == sorted(wanted[1:])


def test_rfc4918_8_3_every_href_of_an_answer_begins_alike(dav: Client) -> None:
    at = f"{HOME}/R%26D/a%40b"
    dav.mkcol("R&D", "R&D/a@b")
    granted = dav("LOCK", at, info())
    assert granted.xml.findtext(f".//{D}lockroot/{D}href") == f"{at}/"
    answer = dav("PROPFIND", f"{at}/", prop_body(f"{D}lockdiscovery", f"{D}owner"), Depth="0")
    assert answer.hrefs() == [f"{at}/"]
    assert answer.xml.findtext(f".//{D}lockroot/{D}href") == f"{at}/"
    assert answer.xml.findtext(f".//{D}owner/{D}href") == "/dav/principals/users/alice/"
    assert [one.text for one in dav("PUT", f"{at}/new", "x").xml.iter(f"{D}href")] == [f"{at}/"]
    above = dav("PROPFIND", f"{HOME}/R%26D", prop_body(f"{D}lockdiscovery"), Depth="1")
    assert above.hrefs() == [f"{HOME}/R%26D/", f"{HOME}/R%26D/a@b/"]
    assert above.xml.findtext(f".//{D}lockroot/{D}href") == f"{HOME}/R%26D/a@b/"
    dav.put("R&D/c@d")
    told = dav("PUT", f"{HOME}/R%26D/c%40d", "y", Prefer="return=representation")
    assert told.headers["Content-Location"] == f"{HOME}/R%26D/c%40d"
    assert dav.patch(f"{HOME}/R%26D/c%40d", setting("<x:p/>")).hrefs() == [f"{HOME}/R%26D/c%40d"]
