"""`/dav/shared/{user}/`: what others opened to one (docs/sharing.md)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from davstore.model.pages import Sort
from davstore.model.paths import Path as DavPath
from davstore.store import browsing
from tests.dav.client import BOB, HOME, MESSAGE, Answer, Client, D
from tests.dav.test_acl import DAY_US, TO_BOB, TOMORROW, C, ace, as_, give

SHARED = "/dav/shared/bob/"


@pytest.fixture
def dav(tmp_path: Path) -> Iterator[Client]:
    client = Client(tmp_path)
    client.mkcol("Photos", "Photos/2026", "Work", "Work/deep", "Work/deep/Photos")
    for name in ("Photos/a", "Photos/2026/b", "Work/secret", "Work/deep/Photos/c"):
        client.put(name, name)
    give(client, "Photos/", ace(TO_BOB, "D:read", "D:write"))
    yield client
    client.close()


def bob(dav: Client, method: str, path: str, body: str = "", **headers: str | None) -> Answer:
    """Send a request of bob, at a path beneath what others opened to him."""
    with as_(dav, BOB):
        return dav(method, path if path.startswith("/") else SHARED + path, body, **headers)


def names(dav: Client) -> list[str]:
    """Return the names that a listing of what is shared has."""
    hrefs = bob(dav, "PROPFIND", "", Depth="1").hrefs()
    assert hrefs[0] == SHARED
    listed = [one.removeprefix(SHARED) for one in hrefs[1:]]
    assert bob(dav, "GET", "", Accept="text/plain").body.decode().replace(" ", "%20").split() == listed
    return listed


def test_what_others_opened_is_listed(dav: Client) -> None:
    assert names(dav) == ["Photos/"]
    listed = bob(dav, "PROPFIND", "", Depth="1")
    assert listed.prop(f"{SHARED}Photos/", f"{D}resourcetype").find(f"{D}collection") is not None
    assert bob(dav, "PROPFIND", "", Depth="0").hrefs() == [SHARED]
    assert "PROPFIND" in bob(dav, "OPTIONS", "").headers["Allow"]
    assert bob(dav, "PROPFIND", "/dav/shared/", Depth="1").hrefs() == ["/dav/shared/", SHARED]
    assert "/dav/shared/" in bob(dav, "PROPFIND", "/dav/", Depth="1").hrefs()


@pytest.mark.parametrize("method", ["OPTIONS", "GET", "PROPFIND", "PUT", "DELETE", "REPORT", "MKCOL"])
@pytest.mark.parametrize("path", ["/dav/shared/bob/", "/dav/shared/bob/Photos/", "/dav/shared/bob/Photos/a"])
def test_it_is_for_its_user_alone(dav: Client, method: str, path: str) -> None:
    body = '<D:expand-property xmlns:D="DAV:"/>' if method == "REPORT" else ""
    assert dav(method, path, body).status == 404
    assert dav(method, path.replace("bob", "nobody"), body).status == 404


def test_a_share_is_the_resource_itself(dav: Client) -> None:
    assert bob(dav, "GET", "Photos/a").body == b"Photos/a"
    assert set(bob(dav, "PROPFIND", "Photos/").hrefs()) == {
        f"{SHARED}Photos/{name}" for name in ("", "a", "2026/", "2026/b")
    }
    assert bob(dav, "PROPFIND", "Photos/2026/b", Depth="0").hrefs() == [f"{SHARED}Photos/2026/b"]
    assert bob(dav, "PUT", "Photos/new", "x").status == 201
    assert bob(dav, "MKCOL", "Photos/dir/").status == 201
    assert bob(dav, "MOVE", "Photos/new", Destination=f"{SHARED}Photos/dir/new").status == 201
    assert (
        bob(dav, "COPY", "Photos/a", Destination=f"http://localhost{SHARED}Photos/dir/a", Host="localhost").status
        == 201
    )
    assert dav.names("Photos/dir") == ["a", "new"]
    assert bob(dav, "DELETE", "Photos/dir/").status == 204
    assert dav.names("Photos") == ["2026/", "a"]
    assert bob(dav, "GET", "Photos/none").status == 404
    assert bob(dav, "GET", f"{HOME}/Photos/a").status == 200  # by its owner's URL too


def test_both_urls_have_one_etag_one_lock_and_one_condition(dav: Client) -> None:
    etag = dav("HEAD", "Photos/a").headers["ETag"]
    assert bob(dav, "HEAD", "Photos/a").headers["ETag"] == etag
    assert bob(dav, "PUT", "Photos/a", "x", If=f"<{SHARED}Photos/a> ([{etag}])").status == 204
    info = (
        '<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope>'
        "<D:locktype><D:write/></D:locktype></D:lockinfo>"
    )
    locked = bob(dav, "LOCK", "Photos/a", info)
    token = locked.headers["Lock-Token"]
    assert locked.xml.findtext(f".//{D}lockroot/{D}href") == f"{SHARED}Photos/a"
    assert dav("PUT", "Photos/a", "x").status == 423
    with as_(dav, BOB):
        refused = dav("DELETE", f"{SHARED}Photos/a")
    assert refused.xml.findtext(f".//{D}href") == f"{SHARED}Photos/a"  # errors speak of the URL that was used
    assert bob(dav, "PUT", "Photos/a", "x", If=f"<{SHARED}Photos/a> ({token})").status == 204
    assert bob(dav, "UNLOCK", "Photos/a", Lock_Token=token).status == 204


def test_what_is_lacking_is_named_by_the_url_that_was_used(dav: Client) -> None:
    give(dav, "Photos/", ace(TO_BOB, "D:read"))
    refused = bob(dav, "PUT", "Photos/2026/new", "x")
    assert (refused.status, refused.condition) == (403, f"{D}need-privileges")
    assert refused.xml.findtext(f".//{D}href") == f"{SHARED}Photos/2026/"


def test_hrefs_in_bodies_are_read_and_written_alike(dav: Client) -> None:
    body = (
        '<C:multiget xmlns:C="urn:davstore:cpm" xmlns:D="DAV:"><D:prop><D:getetag/></D:prop>'
        f"<D:href>{SHARED}Photos/2026/b</D:href><D:href>{SHARED}Photos/none</D:href></C:multiget>"
    )
    assert bob(dav, "REPORT", "Photos/", body).hrefs() == [f"{SHARED}Photos/2026/b", f"{SHARED}Photos/none"]
    added = bob(dav, "POST", "Photos/?add", "hello", Slug="note.txt")
    assert (added.status, added.headers["Location"]) == (201, f"{SHARED}Photos/note.txt")


def test_a_deep_share_hides_what_is_above(dav: Client) -> None:
    give(dav, "Photos/")
    give(dav, "Work/deep/Photos/", ace(TO_BOB, "D:read"))
    give(dav, "Work/secret", ace(TO_BOB, "C:access"))
    assert sorted(names(dav)) == ["Photos/", "secret"]
    assert bob(dav, "PROPFIND", "Photos/", Depth="1").hrefs() == [f"{SHARED}Photos/", f"{SHARED}Photos/c"]
    assert bob(dav, "PROPFIND", "Photos/c", Depth="0").hrefs() == [f"{SHARED}Photos/c"]
    assert bob(dav, "GET", "secret").body == b"Work/secret"
    assert bob(dav, "GET", "Photos").headers["Location"] == f"{SHARED}Photos/"


def test_a_name_that_two_have_is_told_apart(dav: Client) -> None:
    give(dav, "Work/deep/Photos/", ace(TO_BOB, "D:read"))
    assert sorted(names(dav)) == ["Photos%20(alice)/", "Photos/"]
    assert bob(dav, "GET", "Photos%20(alice)/c").body == b"Work/deep/Photos/c"
    assert bob(dav, "PROPFIND", "Photos%20(alice)/", Depth="1").hrefs() == [
        f"{SHARED}Photos%20(alice)/",
        f"{SHARED}Photos%20(alice)/c",
    ]
    dav.mkcol("Photos/x", "G", "G/Photos")
    give(dav, "G/Photos/", ace(TO_BOB, "D:read"))
    assert sorted(names(dav)) == ["Photos%20(alice%202)/", "Photos%20(alice)/", "Photos/"]


def test_a_share_within_a_share_is_listed_once(dav: Client) -> None:
    give(dav, "Photos/2026/", ace(TO_BOB, "D:all"))
    assert names(dav) == ["Photos/"]
    give(dav, "Photos/", ace(TO_BOB, "C:copy"))
    assert names(dav) == ["2026/"]


def test_what_is_denied_or_over_is_not_listed(dav: Client) -> None:
    give(dav, "Work/", ace(TO_BOB, "D:read", deny=True))
    give(dav, "Work/deep/", ace(TO_BOB, "D:all"))
    assert names(dav) == ["Photos/"]
    give(dav, "Photos/", ace(TO_BOB, "D:read", extra=f"<C:expires>{TOMORROW}</C:expires>"))
    assert names(dav) == ["Photos/"]
    dav.now_us += DAY_US
    assert names(dav) == []
    assert bob(dav, "GET", "Photos/a").status == 404
    give(dav, "Photos/", ace("<D:authenticated/>", "D:read"))
    assert names(dav) == []  # it was opened to nobody in particular
    assert bob(dav, "GET", f"{HOME}/Photos/a").status == 200


def test_a_whole_store_has_the_name_of_its_owner(dav: Client) -> None:
    give(dav, "", ace(TO_BOB, "D:read"))
    assert names(dav) == ["alice/"]
    assert bob(dav, "GET", "alice/Work/secret").body == b"Work/secret"
    assert f"{SHARED}alice/Work/" in bob(dav, "PROPFIND", "alice/", Depth="1").hrefs()


def test_lists_open_too(dav: Client) -> None:
    mklist = (
        '<D:mkcol xmlns:D="DAV:"><D:set><D:prop><D:resourcetype><D:collection/><D:principal/></D:resourcetype>'
        f"<D:group-member-set>{TO_BOB}</D:group-member-set></D:prop></D:set></D:mkcol>"
    )
    assert dav("MKCOL", "/dav/principals/lists/alice/family/", mklist, Content_Type="application/xml").status == 201
    give(dav, "Work/", ace("<D:href>/dav/principals/lists/alice/family/</D:href>", "D:read"))
    assert names(dav) == ["Photos/", "Work/"]


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("DELETE", "Photos/", {}),
        ("MOVE", "Photos/", {"Destination": f"{SHARED}Photos/2026/x"}),
        ("MOVE", "Photos/2026/", {"Destination": f"{SHARED}Photos/"}),
        ("COPY", "Photos/2026/", {"Destination": f"{SHARED}Photos/"}),
    ],
)
def test_the_top_of_a_share_stays(dav: Client, method: str, path: str, headers: dict[str, str]) -> None:
    give(dav, "", ace(TO_BOB, "D:unbind"))
    refused = bob(dav, method, path, **headers)
    assert (refused.status, refused.condition) == (403, f"{C}share-is-fixed")
    assert dav.names("Photos") == ["2026/", "a"]


def test_nothing_leaves_its_store(dav: Client) -> None:
    give(dav, "Work/", ace(TO_BOB, "D:all"))
    for where in ("/dav/store/bob/x", f"{SHARED}Work/x", f"{SHARED}x", "/dav/shared/alice/x"):
        assert bob(dav, "COPY", "Photos/a", Destination=where).status == 502, where
    assert bob(dav, "COPY", "Photos/a", Destination=f"{HOME}/Work/x").status == 201  # one store, by its own URL


def test_each_share_is_a_scope_of_its_own(dav: Client) -> None:
    refused = bob(dav, "PROPFIND", "")
    assert (refused.status, refused.condition) == (403, f"{D}propfind-finite-depth")
    sync = (
        '<D:sync-collection xmlns:D="DAV:"><D:sync-token/><D:sync-level>{}</D:sync-level>'
        "<D:prop><D:getetag/></D:prop></D:sync-collection>"
    )
    refused = bob(dav, "REPORT", "", sync.format("infinite"))
    assert (refused.status, refused.condition) == (403, f"{D}sync-traversal-supported")
    refused = bob(dav, "REPORT", "", sync.format("1"))
    assert (refused.status, refused.condition) == (403, f"{D}supported-report")


def test_the_collection_of_shares_tells_of_its_user(dav: Client) -> None:
    body = (
        '<D:expand-property xmlns:D="DAV:"><D:property name="current-user-principal">'
        '<D:property name="displayname"/></D:property></D:expand-property>'
    )
    found = bob(dav, "REPORT", "", body)
    assert found.xml.findtext(f".//{D}current-user-principal//{D}displayname") == "bob"


@pytest.mark.parametrize("method", ["PUT", "MKCOL", "LOCK"])
def test_nothing_is_made_among_shares(dav: Client, method: str) -> None:
    assert bob(dav, method, "new", "x" if method == "PUT" else "").status == 404


def test_a_proxy_s_prefix_comes_before_all(tmp_path: Path) -> None:
    dav = Client(tmp_path, proxies="192.0.2.1")
    dav.mkcol("Photos")
    dav.put("Photos/a", "a")
    give(dav, "Photos/", ace(TO_BOB, "D:read", "D:write"))
    prefix = {"X_Forwarded_Prefix": "/files"}
    assert bob(dav, "PROPFIND", "Photos/", Depth="1", **prefix).hrefs() == [
        f"/files{SHARED}Photos/",
        f"/files{SHARED}Photos/a",
    ]
    assert bob(dav, "MOVE", "Photos/a", Destination=f"/files{SHARED}Photos/b", **prefix).status == 201
    dav.close()


def test_a_browser_gets_the_page_of_a_shared_folder(dav: Client) -> None:
    give(dav, "Photos/")
    dav.put("Work/deep/Photos/letter.eml", MESSAGE, Content_Type="message/rfc822")
    give(dav, "Work/deep/", ace(TO_BOB, "D:read"))
    give(dav, "Work/deep/Photos/c", ace(TO_BOB, "C:access", deny=True))
    page = bob(dav, "GET", "deep/Photos/", Accept="text/html").body.decode()
    assert 'href="./letter.eml"' in page
    assert "./c" not in page
    assert all(
        f'<a href="{up}"><bdi>{name}</bdi></a>' in page for up, name in [("../../", "Shared with me"), ("../", "deep")]
    )
    assert not any(word in page for word in ("Work", "used", "Conversations"))
    message = bob(dav, "GET", "deep/Photos/letter.eml", Accept="text/html,image/png;q=0.5").body.decode()
    assert "two parts" in message
    assert "Work" not in message
    assert 'href="./letter.eml"' in bob(dav, "GET", f"{HOME}/Work/deep/Photos/", Accept="text/html").body.decode()
    assert bob(dav, "GET", f"{HOME}/Photos/", Accept="text/html").status == 404
    give(dav, "Work/deep/", ace(TO_BOB, "C:access"))
    assert "letter.eml" not in bob(dav, "GET", "deep/Photos/", Accept="text/html").body.decode()


def test_the_mark_of_a_page_names_nothing_hidden(dav: Client) -> None:
    dav.mkcol("P")
    give(dav, "P/", ace(TO_BOB, "D:read"))
    for name in ("a", "b-hidden", "c-hidden", "d", "e-hidden"):
        dav.put(f"P/{name}")
        if "hidden" in name:
            give(dav, f"P/{name}", ace(TO_BOB, "C:access", deny=True))
    context, mark, pages = dav.services.context(BOB), None, []
    while not pages or mark is not None:
        page = browsing.list_page(context, DavPath("alice", ("P",)), Sort.NAME, after=mark, limit=1)
        mark = page.more
        pages.append(([one.name for one in page.members], mark and mark.name))
    assert [name for names, _ in pages for name in names] == ["a", "d"]
    assert "hidden" not in str(pages)


def test_a_share_is_synchronised_by_itself(dav: Client) -> None:
    body = (
        '<D:sync-collection xmlns:D="DAV:"><D:sync-token>{}</D:sync-token><D:sync-level>infinite</D:sync-level>'
        "<D:prop><D:getetag/></D:prop></D:sync-collection>"
    )
    first = bob(dav, "REPORT", "Photos/", body.format(""))
    assert set(first.hrefs()) == {f"{SHARED}Photos/{name}" for name in ("a", "2026/", "2026/b")}
    token = first.xml.findtext(f"{D}sync-token")
    dav.put("Photos/2026/new")
    dav("DELETE", "Photos/a")
    second = bob(dav, "REPORT", "Photos/", body.format(token))
    assert second.gone() == [f"{SHARED}Photos/a"]
    assert f"{SHARED}Photos/2026/new" in second.hrefs()
    assert bob(dav, "REPORT", f"{HOME}/Photos/", body.format(token)).status == 207  # a token names the scope
