"""The drop of an owner: its methods and answers, and a service, for which nothing else is there (RFC 5995)."""

from __future__ import annotations

import pytest

from davstore.dav import dispatch
from davstore.model.principals import Ability, Asker, Service
from tests.contract.test_dispositions import imdn, message
from tests.dav.client import ALICE, BOB, HOME, PHONE, REPORTS, Client, D, sync_body

RECORDER = Service(9, "recorder", "0" * 16, Ability.DELIVER, revoked=False)
DROP = "/dav/drop/alice/"
C = "{urn:davstore:cpm}"
INBOX = f"{HOME}/Inbox/"


def as_asker(dav: Client, asker: Asker) -> None:
    dav.principal = asker  # type: ignore[assignment]  # of most tests it is a user


@pytest.mark.parametrize("asker", [RECORDER, ALICE, PHONE])
def test_a_message_is_filed_and_told_with_its_url_and_tag(dav: Client, asker: Asker) -> None:
    as_asker(dav, asker)
    made = dav("POST", DROP, message(), Content_Type="message/cpim", Slug="caf%C3%A9.cpim")
    assert (made.status, made.body) == (201, b"")
    assert made.headers["Location"] == f"{INBOX}caf%C3%A9.cpim"
    again = dav("POST", DROP[:-1], message(), Content_Type="message/cpim", Slug="caf%C3%A9.cpim")
    assert (again.status, again.headers["Content-Location"]) == (200, f"{INBOX}caf%C3%A9.cpim")
    as_asker(dav, ALICE)
    found = dav("GET", made.headers["Location"])
    assert (found.status, found.body, found.headers["Content-Type"]) == (200, message(), "message/cpim")
    assert found.headers["ETag"] == made.headers["ETag"] == again.headers["ETag"]


def test_a_notification_is_taken_before_and_after_its_message(dav: Client) -> None:
    as_asker(dav, RECORDER)
    waiting = dav("POST", DROP, imdn("delivered", second=7), Content_Type="message/imdn+xml")
    assert (waiting.status, waiting.headers.get("Content-Location")) == (202, None)
    place = dav("POST", DROP, message()).headers["Location"]
    taken = dav("POST", DROP, imdn("displayed", kind="display", second=9))
    assert (taken.status, taken.headers["Content-Location"], taken.body) == (204, place, b"")
    as_asker(dav, ALICE)
    told = dav.find(place, f"{C}imdn").prop(place, f"{C}imdn")
    assert [dict(one.attrib) for one in told.iterfind(f"{C}disposition")] == [
        {"recipient": "tel:+2", "type": kind, "status": status, "datetime": f"2026-11-24T10:00:0{second}Z"}
        for kind, status, second in (("delivery", "delivered", 7), ("display", "displayed", 9))
    ]
    assert dav.names(INBOX) == [place.rpartition("/")[2]]


@pytest.mark.parametrize("root", [f"{HOME}/", "/dav/threads/alice/"])
def test_a_report_tells_a_message_of_which_something_is_told_in_both_areas(dav: Client, root: str) -> None:
    dav.put("a", message())
    before = dav("REPORT", root, sync_body())
    dav("POST", DROP, imdn("delivered"))
    after = dav("REPORT", root, sync_body(before.xml.findtext(f"{D}sync-token")))
    assert sorted(after.hrefs()) == sorted(before.hrefs() if "threads" in root else [f"{HOME}/a"])
    again = dav("POST", DROP, imdn("delivered"))
    assert again.status == 204
    last = dav("REPORT", root, sync_body(after.xml.findtext(f"{D}sync-token")))
    assert last.hrefs() == []


def test_the_same_message_in_other_headers_is_told_to_be_there(dav: Client) -> None:
    as_asker(dav, RECORDER)
    block = b"Message-Direction: received\r\nIMDN-Message-ID: m1\r\nContent-Type: message/cpim\r\n\r\n"
    first = dav("POST", DROP, block + message())
    as_asker(dav, PHONE)
    again, other = (dav("POST", DROP, content) for content in (message(), message() + b" you"))
    assert (first.status, again.status, other.status) == (201, 200, 201)
    place, duplicate = first.headers["Location"], other.headers["Location"]
    assert again.headers["Content-Location"] == place
    name = f"{C}duplicate-of"
    assert [one.text for one in dav.find(duplicate, name).prop(duplicate, name)] == [place]
    assert dav.find(place, name).prop(place, name) is None


def test_what_is_told_of_a_message_is_protected(dav: Client) -> None:
    dav.put("a", message())
    body = (
        f'<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><imdn xmlns="{C[1:-1]}"/></D:prop></D:set></D:propertyupdate>'
    )
    refused = dav("PROPPATCH", "a", body)
    assert f"{C}imdn" in refused.props(f"{HOME}/a", 403)


@pytest.mark.parametrize("path", ["/", "/dav/", "/dav/drop/", DROP, f"{HOME}/", f"{HOME}/a", f"{HOME}/a?part=1", "/x"])
def test_to_a_service_nothing_else_is_there(dav: Client, path: str) -> None:
    dav.put("a", message())
    as_asker(dav, RECORDER)
    bodies = ["", *REPORTS.values()]
    answers = {
        (answer.status, answer.body)
        for method in (*dispatch.METHODS, "POST", "PATCH", "SEARCH", "BREW")
        if (method, path) != ("POST", DROP)
        for body in (bodies if method == "REPORT" else bodies[:1])
        for accept in ("*/*", "text/html")
        if (answer := dav(method, path, body, Depth="0", Destination=f"{HOME}/b", Accept=accept)).status != 404
    }
    assert answers == set()


def test_a_drop_of_nobody_is_as_one_that_others_may_not_know_of(dav: Client) -> None:
    found = []
    for asker, path in (
        (RECORDER, "/dav/drop/nobody/"),
        (BOB, DROP),
        (BOB, "/dav/drop/nobody/"),
        (RECORDER, "/dav/drop/a/b/"),
    ):
        as_asker(dav, asker)
        refused = dav("POST", path, message())
        found.append((refused.status, refused.body, refused.headers.get("Allow")))
    assert found == [(404, b"Not Found\n", None)] * 4


def test_a_service_learns_nothing_of_a_store_by_conditions(dav: Client) -> None:
    etag = dav.put("a")
    as_asker(dav, RECORDER)
    for path in ("a", "b"):
        for condition in (f"([{etag}])", "(<urn:davstore:modseq:99>)"):
            assert dav("POST", DROP, message(), If=f"<{HOME}/{path}> {condition}").status == 412
        assert dav("POST", DROP, message(), If=f"<{HOME}/{path}> (Not [{etag}])").status in (200, 201)


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 400),
        (message(), {"Content-Range": "bytes 0-3/9"}, 400),
        (message(), {"Content-Encoding": "gzip"}, 415),
        (message(), {"Content-Type": "x" * 300}, 400),
        (message(), {"Repr-Digest": "sha-256=:AAAA:"}, 400),
        (message(), {"If": "(<urn:x:y>)"}, 412),
        (message(), {"If": "("}, 400),
        (imdn("sold"), {}, 422),
        (message(), {"Slug": "%ff%"}, 201),
        (message(), {"Slug": "."}, 201),
        (message(), {"Slug": "%00%0a/"}, 201),
    ],
)
def test_bad_input_has_an_answer_and_leaves_nothing(
    dav: Client, body: bytes, headers: dict[str, str], status: int
) -> None:
    as_asker(dav, RECORDER)
    answer = dav("POST", DROP, body, **{name.replace("-", "_"): value for name, value in headers.items()})
    assert answer.status == status
    as_asker(dav, ALICE)
    assert dav.names() == (["Inbox/"] if status == 201 else [])


def test_the_drop_is_a_fixed_collection_for_its_owner(dav: Client) -> None:
    found = dav("PROPFIND", DROP, Depth="0")
    assert [one.tag for one in found.prop(DROP, f"{D}resourcetype")] == [f"{D}collection"]
    assert dav("OPTIONS", DROP).headers["Allow"] == "OPTIONS, GET, HEAD, POST, PROPFIND, REPORT"
    assert dav.names(DROP) == []
    for path in ("/dav/", "/dav/drop/", "/dav/principals/users/alice/"):
        assert dav("POST", path, message()).status == 405
