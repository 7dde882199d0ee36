"""Session histories: a type of collection (RFC 5689), with one session info object and the group state that counts."""

from __future__ import annotations

from tests.dav.client import HOME, Answer, Client
from tests.messages import group_state, session_info

C = "{urn:davstore:cpm}"
KIND, STATE = f"{C}kind", f"{C}current-group-state"
TYPE = "{DAV:}resourcetype"


def mkcol_body(types: str, more: str = "") -> str:
    """Return the body of an extended MKCOL (RFC 5689 §3)."""
    return (
        '<D:mkcol xmlns:D="DAV:" xmlns:C="urn:davstore:cpm"><D:set><D:prop>'
        f"<D:resourcetype>{types}</D:resourcetype>{more}</D:prop></D:set></D:mkcol>"
    )


def make(dav: Client, path: str, types: str = "<D:collection/><C:session-history/>", more: str = "") -> Answer:
    """Send an extended MKCOL."""
    return dav("MKCOL", path, mkcol_body(types, more), Content_Type="application/xml")


def types(dav: Client, path: str, depth: str = "0") -> dict[str, list[str]]:
    """Return the types of a resource, or of its members too."""
    answer = dav.find(path, TYPE, depth=depth)
    return {href: [str(one.tag) for one in answer.prop(href, TYPE)] for href in answer.hrefs()}


def current(dav: Client, path: str) -> str | None:
    """Return the href of the group state that counts."""
    found = dav.find(path, STATE).prop(f"{HOME}/{path}", STATE)
    return None if found is None else str(found.findtext("{DAV:}href"))


def test_a_session_history_is_made(dav: Client) -> None:
    """RFC 5689 §3: 201, and the type and kind are told by whatever question."""
    assert make(dav, "s/", more="<D:displayname>chat</D:displayname>").status == 201
    dav.mkcol("plain")
    dav.put("file")
    whole = types(dav, "", depth="1")
    assert whole[f"{HOME}/s/"] == ["{DAV:}collection", f"{C}session-history"]
    assert whole[f"{HOME}/plain/"] == ["{DAV:}collection"]
    answer = dav.find("", KIND, depth="1")
    assert answer.text(f"{HOME}/s/", KIND) == "session-history"
    assert answer.prop(f"{HOME}/plain/", KIND) is None
    assert answer.text(f"{HOME}/file", KIND) == "media"
    answer = dav.find("s/", "{DAV:}displayname", KIND)
    assert answer.text(f"{HOME}/s/", "{DAV:}displayname") == "chat"
    assert answer.text(f"{HOME}/s/", KIND) == "session-history"


def test_it_is_a_collection_for_who_asks_for_everything(dav: Client) -> None:
    """The answer to allprop has the types of RFC 4918 alone, as for messages."""
    make(dav, "s/")
    answer = dav("PROPFIND", "s/", Depth="0")
    assert [str(one.tag) for one in answer.prop(f"{HOME}/s/", TYPE)] == ["{DAV:}collection"]
    assert dav.names() == ["s/"]
    assert '<a href="./s/">' in dav("GET", f"{HOME}/").body.decode()


def test_reports_tell_its_type(dav: Client) -> None:
    """A sync report has the same properties as a listing."""
    make(dav, "s/")
    dav.put("s/m")
    body = (
        '<D:sync-collection xmlns:D="DAV:" xmlns:C="urn:davstore:cpm"><D:sync-token/>'
        "<D:sync-level>infinite</D:sync-level><D:prop><D:resourcetype/><C:kind/></D:prop></D:sync-collection>"
    )
    answer = dav("REPORT", f"{HOME}/", body)
    assert answer.text(f"{HOME}/s/", KIND) == "session-history"
    assert len(answer.prop(f"{HOME}/s/", TYPE)) == 2


OTHER_TYPES = (
    "<D:collection/><C:thread/>",
    "<D:collection/><C:session-history/><C:thread/>",
    "<C:session-history/>",
    '<D:collection/><x:y xmlns:x="urn:x"/>',
    "<D:collection/><D:principal/>",
    "<D:collection/><C:message/>",
)


def test_another_type_is_refused(dav: Client) -> None:
    """RFC 5689 §3.3: `valid-resourcetype`, and nothing is made."""
    for types in OTHER_TYPES:
        answer = make(dav, "s/", types)
        assert (answer.status, answer.condition) == (403, "{DAV:}valid-resourcetype")
    assert dav.names() == []


def test_its_name_is_unique(dav: Client) -> None:
    """MKCOL on a mapped URL is 405, without a parent 409 (RFC 4918 §9.3.1)."""
    make(dav, "s/")
    assert make(dav, "s/").status == 405
    assert make(dav, "x/s/").status == 409


def test_a_copy_and_a_move_keep_the_type(dav: Client) -> None:
    """Of the collection itself, and of those beneath another."""
    dav.mkcol("a")
    make(dav, "a/s/")
    assert dav("COPY", "a/", Destination=f"{HOME}/b/").status == 201
    assert dav("COPY", "a/s/", Destination=f"{HOME}/c/", Depth="0").status == 201
    assert dav("MOVE", "a/s/", Destination=f"{HOME}/d/").status == 201
    for path in ("b/s/", "c/", "d/"):
        assert types(dav, path)[f"{HOME}/{path}"][-1] == f"{C}session-history"
    assert types(dav, "b/")[f"{HOME}/b/"] == ["{DAV:}collection"]


def test_it_holds_one_session_info(dav: Client) -> None:
    """A second one is 409 by PUT, over another file, by COPY and by MOVE; the first may be replaced."""
    make(dav, "s/")
    dav.put("s/info.eml", session_info("c1"))
    dav.put("s/info.eml", session_info("c2"))
    dav.put("s/note", "text")
    dav.put("other.eml", session_info("c3"))
    to = f"{HOME}/s/second.eml"
    for answer in (
        dav("PUT", "s/second.eml", session_info("c3")),
        dav("PUT", "s/note", session_info("c3")),
        dav("COPY", "other.eml", Destination=to),
        dav("MOVE", "other.eml", Destination=to),
        dav("COPY", "s/info.eml", Destination=to),
        dav("MOVE", "other.eml", Destination=f"{HOME}/s/note"),
    ):
        assert (answer.status, answer.condition) == (409, f"{C}session-info-unique")
    assert dav.names("s") == ["info.eml", "note"]
    assert dav("MOVE", "s/info.eml", Destination=to).status == 201
    assert dav("MOVE", "other.eml", Destination=to).status == 204


def test_a_part_is_no_way_around(dav: Client) -> None:
    """COPY of a part that is a session info is 409 likewise."""
    make(dav, "s/")
    dav.put("s/info.eml", session_info("c1"))
    inner = session_info("c2").decode()
    dav.put(
        "m.eml", f"From: a@x\r\nDate: Thu, 11 Feb 2016 14:00:49 +0100\r\nContent-Type: message/rfc822\r\n\r\n{inner}"
    )
    answer = dav("COPY", "m.eml?part=1", Destination=f"{HOME}/s/second.eml")
    assert (answer.status, answer.condition) == (409, f"{C}session-info-unique")


def test_a_plain_collection_holds_any_number(dav: Client) -> None:
    """It has no session."""
    dav.mkcol("plain")
    dav.put("plain/1.eml", session_info("c1"))
    dav.put("plain/2.eml", session_info("c1"))
    make(dav, "s/")
    dav.mkcol("s/plain")
    dav.put("s/plain/1.eml", session_info("c1"))
    dav.put("s/1.eml", session_info("c1"))


def test_the_group_state_that_counts_has_the_latest_timestamp(dav: Client) -> None:
    """In whatever order they were stored, and whatever date the message around one has."""
    make(dav, "s/")
    assert current(dav, "s/") is None
    dav.put("s/2.xml", group_state("2012-06-14T00:00:00Z"))
    dav.put("s/1.xml", group_state("2012-06-13T23:00:00Z"))
    assert current(dav, "s/") == f"{HOME}/s/2.xml"
    dav.put("s/3.xml", group_state("2012-06-13T16:00:00-09:00"))  # one o'clock in UTC
    assert current(dav, "s/") == f"{HOME}/s/3.xml"
    head = b"Date: Thu, 11 Feb 2016 14:00:49 +0100\r\nContent-Type: Application/group-state-object+xml\r\n\r\n"
    dav.put("s/4.eml", head + group_state("2012-06-01T00:00:00Z"))
    assert current(dav, "s/") == f"{HOME}/s/3.xml"
    dav.put("s/5.xml", group_state("yesterday"))  # and what says no time counts where nothing else does
    dav.put("s/6.eml", head + b'<groupstate timestamp="2012-07-01T00:00:00Z">')
    assert current(dav, "s/") == f"{HOME}/s/3.xml"
    dav("DELETE", "s/3.xml")
    assert current(dav, "s/") == f"{HOME}/s/2.xml"


def test_of_equal_timestamps_the_one_that_was_stored_last_counts(dav: Client) -> None:
    """Also where the one that was there is stored anew."""
    make(dav, "s/")
    dav.put("s/b.xml", group_state("2012-06-14T00:00:00Z", "b"))
    dav.put("s/a.xml", group_state("2012-06-14T00:00:00Z", "a"))
    assert current(dav, "s/") == f"{HOME}/s/a.xml"
    dav.put("s/b.xml", group_state("2012-06-14T00:00:00Z", "c"))
    assert current(dav, "s/") == f"{HOME}/s/b.xml"


def test_the_group_state_is_told_for_each_of_a_listing(dav: Client) -> None:
    """On session histories alone, whatever else is listed."""
    for name in ("r", "s"):
        make(dav, f"{name}/")
        dav.put(f"{name}/{name}.xml", group_state("2012-06-14T00:00:00Z"))
    dav.mkcol("plain")
    dav.put("plain/x.xml", group_state("2012-06-14T00:00:00Z"))
    dav.put("file")
    answer = dav.find("", STATE, KIND, depth="1")
    found = {href: answer.prop(href, STATE) for href in answer.hrefs()}
    assert {href: one[0].text for href, one in found.items() if one is not None} == {
        f"{HOME}/r/": f"{HOME}/r/r.xml",
        f"{HOME}/s/": f"{HOME}/s/s.xml",
    }
    assert dav.patch("s/", "<D:set><D:prop><C:current-group-state xmlns:C='urn:davstore:cpm'/></D:prop></D:set>").props(
        f"{HOME}/s/", 403
    )
