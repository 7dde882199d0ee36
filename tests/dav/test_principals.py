"""The reports on principals (RFC 3744 §9.2 to §9.5), and the principals that an asker finds with them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from davstore.model.functions import ALL
from davstore.model.limits import Limits
from davstore.model.rules import Rule
from tests.dav.client import ALICE, BOB, HOME, PHONE, Answer, Client, D

PRINCIPALS = "/dav/principals/"
ME, OTHER = f"{PRINCIPALS}users/alice/", f"{PRINCIPALS}users/bob/"
MY_PHONE = f"{PRINCIPALS}devices/alice/phone/"
OWNER = "<D:principal-property><D:owner/></D:principal-property>"
NAME = "<D:prop><D:displayname/></D:prop>"


def body(report: str, content: str = "") -> str:
    return f'<D:{report} xmlns:D="DAV:" xmlns:C="urn:davstore:cpm">{content}</D:{report}>'


def search(*texts: str, prop: str = NAME, asked: str = NAME, more: str = "") -> str:
    searches = "".join(f"<D:property-search>{prop}<D:match>{text}</D:match></D:property-search>" for text in texts)
    return body("principal-property-search", searches + asked + more)


def found(dav: Client, path: str, content: str, **headers: str) -> list[str]:
    answer = dav("REPORT", path, content, **headers)
    assert answer.status == 207, answer
    return answer.hrefs()


# principal-match.


def test_rfc3744_9_3_the_principals_that_the_asker_is(dav: Client) -> None:
    """The example of §9.3.1 has no `D:prop`; then each response has a status."""
    answer = dav("REPORT", PRINCIPALS, body("principal-match", "<D:self/>"))
    assert (answer.status, answer.hrefs()) == (207, [ME])
    assert answer.xml.findtext(f"{D}response/{D}status") == "HTTP/1.1 200 OK"
    named = dav("REPORT", f"{PRINCIPALS}users/", body("principal-match", f"<D:self/>{NAME}"))
    assert named.text(ME, f"{D}displayname") == "alice"
    assert found(dav, f"{PRINCIPALS}devices/", body("principal-match", "<D:self/>")) == []
    assert found(dav, "/dav/store/", body("principal-match", "<D:self/>")) == []
    assert found(dav, "/", body("principal-match", "<D:self/>")) == [ME]
    unslashed = dav("REPORT", PRINCIPALS[:-1], body("principal-match", "<D:self/>"))
    assert unslashed.headers["Content-Location"] == PRINCIPALS  # RFC 4918 §5.2


def test_a_device_is_itself_and_its_user(dav: Client) -> None:
    dav.principal = PHONE
    assert found(dav, PRINCIPALS, body("principal-match", "<D:self/>")) == [ME, MY_PHONE]


def test_the_resources_that_the_asker_owns(dav: Client) -> None:
    dav.mkcol("c")
    dav.put("c/file")
    dav.put("other")
    assert sorted(found(dav, "", body("principal-match", OWNER))) == [f"{HOME}/c/", f"{HOME}/c/file", f"{HOME}/other"]
    answer = dav("REPORT", "c/", body("principal-match", f"{OWNER}<D:prop><D:getcontentlength/><D:x/></D:prop>"))
    assert answer.hrefs() == [f"{HOME}/c/file"]
    assert answer.text(f"{HOME}/c/file", f"{D}getcontentlength") == "1"
    assert set(answer.props(f"{HOME}/c/file", 404)) == {f"{D}x"}
    assert found(dav, "c/", body("principal-match", "<D:self/>")) == []
    assert found(dav, "c/", body("principal-match", "<D:principal-property><D:group/></D:principal-property>")) == []


def test_more_resources_than_one_answer_may_have(dav: Client) -> None:
    """RFC 3744 §9.3: `number-of-matches-within-limits`."""
    dav.mkcol("c")
    dav.services = replace(dav.services, limits=Limits(propfind_members=2))
    dav.serve(ALL)
    for name in ("a", "b", "c"):
        dav.put(f"c/{name}")
    answer = dav("REPORT", "c/", body("principal-match", OWNER))
    assert (answer.status, answer.condition) == (507, f"{D}number-of-matches-within-limits")
    assert dav("DELETE", "c/c").status == 204
    assert len(found(dav, "c/", body("principal-match", OWNER))) == 2
    for path in ("/dav/store/", "/dav/", "/"):
        answer = dav("REPORT", path, body("principal-match", OWNER))
        assert (answer.status, answer.condition) == (507, f"{D}number-of-matches-within-limits")
    assert found(dav, PRINCIPALS, body("principal-match", OWNER)) == []


def test_a_device_is_told_of_what_it_is_shown(dav: Client) -> None:
    dav.mkcol("hidden", "shown")
    dav.put("hidden/file")
    dav.rules = [Rule("r", exclude=(("hidden",),))]
    dav.principal = PHONE
    answer = dav("REPORT", "", body("principal-match", OWNER))
    assert f"{HOME}/shown/" in answer.hrefs()
    assert not any("hidden" in href for href in answer.hrefs())
    assert answer.xml.find("{urn:davstore:cpm}sync-policy-applied") is not None
    assert dav("REPORT", "hidden/", body("principal-match", OWNER)).status == 403


def test_no_principals_beneath_what_is_no_collection(dav: Client) -> None:
    dav.put("file")
    for path, status in (
        ("file", 403),
        ("missing", 404),
        ("/dav/store/bob/", 404),
        (ME, 403),
        ("/dav/drop/alice/", 403),
    ):
        answer = dav("REPORT", path, body("principal-match", "<D:self/>"))
        assert answer.status == status
        if status == 403:
            assert answer.condition == f"{D}supported-report"


# principal-property-search.


@pytest.mark.parametrize("text", ["alice", "ALICE", "lic", " alice ", ""])
def test_rfc3744_9_4_an_asker_finds_itself_by_a_part_of_its_name(dav: Client, text: str) -> None:
    answer = dav("REPORT", PRINCIPALS, search(text))
    assert (answer.status, answer.hrefs()) == (207, [ME])
    assert answer.text(ME, f"{D}displayname") == "alice"


def test_others_are_found_by_their_whole_name_alone(dav: Client) -> None:
    asked = "<D:prop><D:displayname/><D:principal-URL/><D:resourcetype/><C:devices/><C:sync-preferences/></D:prop>"
    answer = dav("REPORT", PRINCIPALS, search("bob", asked=asked))
    assert (answer.status, answer.hrefs()) == (207, [OTHER])
    assert answer.text(OTHER, f"{D}displayname") == "bob"
    assert answer.prop(OTHER, f"{D}principal-URL").findtext(f"{D}href") == OTHER
    assert {child.tag for child in answer.prop(OTHER, f"{D}resourcetype")} == {f"{D}collection", f"{D}principal"}
    assert len(answer.props(OTHER, 404)) == 2
    for text in ("bo", "ob", "b", "BOB", "", "carol", "bob/", "users/bob", "%", "_ob", "*"):
        assert OTHER not in found(dav, PRINCIPALS, search(text))
    assert dav("PROPFIND", OTHER, Depth="0").status == 404


def test_all_searches_must_find_a_principal(dav: Client) -> None:
    """§9.4: several searches, and several properties of one, are all meant."""
    assert found(dav, PRINCIPALS, search("al", "ice")) == [ME]
    assert found(dav, PRINCIPALS, search("al", "bob")) == []
    assert found(dav, PRINCIPALS, search("bob", "bob")) == [OTHER]
    assert found(dav, PRINCIPALS, search("bob", "bo")) == []
    assert found(dav, PRINCIPALS, search("bob", prop="<D:prop><D:displayname/><C:email/></D:prop>")) == []
    assert found(dav, PRINCIPALS, search("alice", prop="<D:prop><D:principal-URL/></D:prop>")) == []


def test_the_collection_that_is_searched(dav: Client) -> None:
    """§9.4: beneath the request-URI, or, if it says so, in all that principal-collection-set names."""
    dav.principal = PHONE
    devices = f"{PRINCIPALS}devices/"
    assert found(dav, PRINCIPALS, search("phone")) == [MY_PHONE]
    assert found(dav, f"{devices}alice/", search("")) == [MY_PHONE]
    for path in (devices, "/dav/store/"):
        assert ME not in found(dav, path, search("alice"))
        assert found(dav, path, search("bob")) == []
        assert found(dav, path, search("bob", more="<D:apply-to-principal-collection-set/>")) == [OTHER]
    answer = dav("REPORT", PRINCIPALS, search("alice", asked=""))
    assert answer.xml.findtext(f"{D}response/{D}status") == "HTTP/1.1 200 OK"


def test_a_search_elsewhere(dav: Client) -> None:
    dav.mkcol("c")
    for path, status in (("c/", 403), ("missing", 404), ("/dav/store/bob/", 404), (ME, 403), (OTHER, 404)):
        answer = dav("REPORT", path, search("bob"))
        assert answer.status == status
        if status == 403:
            assert answer.condition == f"{D}supported-report"


# principal-search-property-set.


def test_rfc3744_9_5_the_properties_that_are_searched(dav: Client) -> None:
    answer = dav("REPORT", PRINCIPALS, body("principal-search-property-set"))
    assert (answer.status, answer.headers["Content-Type"]) == (200, 'application/xml; charset="utf-8"')
    root = answer.xml
    assert root.tag == f"{D}principal-search-property-set"
    (one,) = root
    assert one.tag == f"{D}principal-search-property"
    assert [child.tag for child in one.find(f"{D}prop")] == [f"{D}displayname"]
    description = one.find(f"{D}description")
    assert description.text
    assert description.get("{http://www.w3.org/XML/1998/namespace}lang") == "en"


# acl-principal-prop-set.


def grant(dav: Client, path: str, *principals: str) -> None:
    aces = "".join(
        f"<D:ace><D:principal>{one}</D:principal><D:grant><D:privilege><D:read/></D:privilege></D:grant></D:ace>"
        for one in principals
    )
    assert dav("ACL", path, body("acl", aces)).status == 200


def props_of_principals(dav: Client, path: str) -> Answer:
    return dav("REPORT", path, body("acl-principal-prop-set", "<D:prop><D:displayname/><C:devices/></D:prop>"))


def test_rfc3744_9_2_the_principals_of_the_entries_of_a_resource(dav: Client) -> None:
    """Each once, that of `D:owner` too; entries that are inherited are of `D:acl` as well as its own."""
    dav.mkcol("c")
    dav.put("c/file")
    alone = props_of_principals(dav, "c/file")
    assert alone.hrefs() == [ME]
    assert "Content-Location" not in alone.headers
    grant(dav, "c/", f"<D:href>{OTHER}</D:href>")
    grant(dav, "c/file", f"<D:href>{OTHER}</D:href>", "<D:authenticated/>", f"<D:href>{ME}</D:href>")
    for path in ("c/", "c/file"):
        answer = props_of_principals(dav, path)
        assert (answer.status, answer.hrefs()) == (207, [ME, OTHER])
        assert answer.text(OTHER, f"{D}displayname") == "bob"
        assert set(answer.props(OTHER, 404)) == {"{urn:davstore:cpm}devices"}
        assert set(answer.props(ME)) == {f"{D}displayname", "{urn:davstore:cpm}devices"}


def test_entries_that_the_asker_may_not_read(dav: Client) -> None:
    dav.put("file")
    assert props_of_principals(dav, "missing").status == 404
    dav.principal = BOB
    assert props_of_principals(dav, f"{HOME}/file").status == 404
    dav.principal = ALICE
    grant(dav, "file", f"<D:href>{OTHER}</D:href>")
    dav.principal = BOB
    answer = props_of_principals(dav, f"{HOME}/file")
    assert (answer.status, answer.condition) == (403, f"{D}need-privileges")
    assert answer.xml.findtext(f".//{D}resource/{D}href") == f"{HOME}/file"
    assert [one.tag for one in answer.xml.iterfind(f".//{D}privilege/*")] == [f"{D}read-acl"]


# Bodies.

BODIES = {
    "match": body("principal-match", "<D:self/>"),
    "search": search("bob"),
    "properties": body("principal-search-property-set"),
    "entries": body("acl-principal-prop-set", NAME),
}


@pytest.mark.parametrize("report", BODIES)
def test_reports_on_principals_are_for_depth_0(dav: Client, report: str) -> None:
    """§9.2 to §9.5: any other Depth is 400."""
    path = HOME if report == "entries" else PRINCIPALS
    assert dav("REPORT", path, BODIES[report], Depth="0").status in (200, 207)
    for depth in ("1", "infinity"):
        assert dav("REPORT", path, BODIES[report], Depth=depth).status == 400


def test_an_if_that_does_not_hold(dav: Client) -> None:
    for report, content in BODIES.items():
        path = HOME if report == "entries" else PRINCIPALS
        assert dav("REPORT", path, content, If="(<urn:x:y>)").status == 412


def test_bodies_that_ask_for_nothing(dav: Client) -> None:
    one = f"<D:property-search>{NAME}<D:match>x</D:match></D:property-search>"
    for content in (
        body("principal-match"),
        body("principal-match", f"<D:self/>{OWNER}"),
        body("principal-match", "<D:principal-property/>"),
        body("principal-match", "<D:principal-property><D:owner/><D:group/></D:principal-property>"),
        body("principal-match", f"<D:self/>{NAME}{NAME}"),
        body("principal-property-search"),
        body("principal-property-search", NAME),
        body("principal-property-search", "<D:property-search><D:match>x</D:match></D:property-search>"),
        body("principal-property-search", f"<D:property-search>{NAME}</D:property-search>"),
        body("principal-property-search", "<D:property-search><D:prop/><D:match>x</D:match></D:property-search>"),
        body("principal-property-search", f"<D:property-search>{NAME}<D:match><D:x/></D:match></D:property-search>"),
        body("principal-property-search", f"{one}{NAME}{NAME}"),
    ):
        assert dav("REPORT", PRINCIPALS, content).status == 400, content
    assert dav("REPORT", PRINCIPALS, body("principal-property-search", one * 101)).status == 413
    assert dav("REPORT", HOME, body("acl-principal-prop-set", NAME * 2)).status == 400
    assert dav("REPORT", HOME, body("acl-principal-prop-set")).hrefs() == [ME]
