"""Sync-collection by those who do not own the store (RFC 6578, RFC 3744, docs/sync.md#rights)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dav.client import HOME, Client, D
from tests.dav.test_acl import DAY_US, TO_BOB, TOMORROW, C, ace, bob, give, needs

GONE = "HTTP/1.1 404 Not Found"


@pytest.fixture
def dav(tmp_path: Path) -> Iterator[Client]:
    client = Client(tmp_path)
    client.mkcol("F", "F/sub", "F/sub/deep", "G")
    for name in ("F/a", "F/sub/b", "F/sub/deep/c", "G/z"):
        client.put(name, name)
    yield client
    client.close()


class Device:
    """A device of bob: what it was told of, and the rows of its last report."""

    def __init__(self, dav: Client, path: str = "F/", *, limit: int | None = None) -> None:
        self._dav = dav
        self._path = path
        self._limit = limit
        self.token = ""
        self.mirror: set[str] = set()

    def sync(self) -> set[str]:
        """Return the rows of a whole run: `+` what is there, `-` what is gone."""
        told: set[str] = set()
        while True:
            limit = f"<D:limit><D:nresults>{self._limit}</D:nresults></D:limit>" if self._limit else ""
            answer = bob(
                self._dav,
                "REPORT",
                self._path,
                f'<D:sync-collection xmlns:D="DAV:"><D:sync-token>{self.token}</D:sync-token>'
                f"<D:sync-level>infinite</D:sync-level>{limit}<D:prop><D:getetag/></D:prop></D:sync-collection>",
            )
            assert answer.status == 207, answer.body
            self.token = answer.xml.findtext(f"{D}sync-token")
            is_truncated = False
            for one in answer.xml.iterfind(f"{D}response"):
                name = one.findtext(f"{D}href").removeprefix(f"{HOME}/")
                status = one.findtext(f"{D}status")
                if status is not None and "507" in status:
                    is_truncated = True
                elif status == GONE:
                    told.add(f"-{name}")
                    self.mirror = {known for known in self.mirror if not known.startswith(name)}
                else:
                    told.add(f"+{name}")
                    self.mirror.add(name)
            if not is_truncated:
                return told


def listed(dav: Client, path: str = "F/") -> set[str]:
    answer = bob(dav, "PROPFIND", path, Depth="infinity")
    return {one.removeprefix(f"{HOME}/") for one in answer.hrefs()} - {path}


def test_one_who_may_list_is_told_what_a_listing_shows(dav: Client) -> None:
    give(dav, "F/", ace(TO_BOB, "D:read"))
    device = Device(dav)
    assert device.sync() == {"+F/a", "+F/sub/", "+F/sub/b", "+F/sub/deep/", "+F/sub/deep/c"}
    assert device.mirror == listed(dav)
    assert device.sync() == set()


def test_one_who_may_not_list_is_refused(dav: Client) -> None:
    give(dav, "F/", ace(TO_BOB, "C:access"))
    answer = bob(
        dav,
        "REPORT",
        "F/",
        '<D:sync-collection xmlns:D="DAV:"><D:sync-token/><D:sync-level>1</D:sync-level><D:prop/></D:sync-collection>',
    )
    assert needs(answer) == {("F/", f"{C}list")}


@pytest.mark.parametrize("limit", [None, 1, 2])
def test_what_is_hidden_is_left_out_and_comes_with_its_tree(dav: Client, limit: int | None) -> None:
    give(dav, "F/", ace(TO_BOB, "D:read"))
    give(dav, "F/sub/", ace(TO_BOB, "D:read", deny=True))
    device = Device(dav, limit=limit)
    assert device.sync() == {"+F/a"}
    dav.put("F/sub/new", "x")
    dav.put("F/sub/gone", "x")
    dav("DELETE", "F/sub/gone")
    assert device.sync() == set()
    give(dav, "F/sub/")
    assert device.sync() == {"+F/sub/", "+F/sub/b", "+F/sub/new", "+F/sub/deep/", "+F/sub/deep/c"}
    assert device.mirror == listed(dav)


@pytest.mark.parametrize("limit", [None, 1])
def test_what_is_revoked_goes_in_one_row(dav: Client, limit: int | None) -> None:
    give(dav, "F/", ace(TO_BOB, "D:read"))
    device = Device(dav, limit=limit)
    device.sync()
    give(dav, "F/sub/", ace(TO_BOB, "C:access", deny=True))
    assert device.sync() == {"-F/sub/"}
    dav("DELETE", "F/sub/b")
    dav("MOVE", "F/sub/deep/", Destination=f"{HOME}/F/sub/other/")
    assert device.sync() == set()
    give(dav, "F/sub/")
    assert device.sync() == {"+F/sub/", "+F/sub/other/", "+F/sub/other/c"}
    assert device.mirror == listed(dav)


@pytest.mark.parametrize("limit", [None, 1])
def test_a_collection_that_may_not_be_listed_any_more_loses_its_members(dav: Client, limit: int | None) -> None:
    give(dav, "F/", ace(TO_BOB, "D:read"))
    device = Device(dav, limit=limit)
    device.sync()
    give(dav, "F/sub/", ace(TO_BOB, "C:list", deny=True))
    assert device.sync() == {"+F/sub/", "-F/sub/b", "-F/sub/deep/"}
    assert device.mirror == listed(dav)
    dav.put("F/sub/b", "again")
    assert device.sync() == set()
    give(dav, "F/sub/")
    device.sync()
    assert device.mirror == listed(dav)


def test_a_denial_that_expires_opens_and_an_access_that_expires_is_over(dav: Client) -> None:
    give(dav, "F/", ace(TO_BOB, "D:read", extra=f"<C:expires>{TOMORROW}</C:expires>"))
    give(dav, "F/sub/", ace(TO_BOB, "D:read", deny=True, extra="<C:expires>2027-01-15T20:00:00Z</C:expires>"))
    device = Device(dav)
    assert device.sync() == {"+F/a"}
    dav.now_us += DAY_US // 2
    assert "+F/sub/deep/c" in device.sync()
    dav.now_us += DAY_US
    assert bob(dav, "REPORT", "F/", "<x/>").status == 404


def test_a_token_is_good_after_the_access_was_lost_and_given_again(dav: Client) -> None:
    give(dav, "F/", ace(TO_BOB, "D:read"))
    device = Device(dav)
    device.sync()
    give(dav, "F/")
    dav.put("F/secret", "x")
    dav("DELETE", "F/secret")
    dav("DELETE", "F/a")
    dav.put("F/new", "x")
    give(dav, "F/", ace(TO_BOB, "D:read"))
    assert device.sync() == {"-F/a", "+F/new"}
    assert device.mirror == listed(dav)


def test_a_token_in_if_holds_as_long_as_nothing_changes_for_the_guest(dav: Client) -> None:
    give(dav, "F/", ace(TO_BOB, "D:all"))
    give(dav, "F/sub/", ace(TO_BOB, "D:read", deny=True))
    device = Device(dav)
    device.sync()

    def guarded(name: str) -> int:
        return bob(dav, "PUT", f"F/{name}", "x", If=f"<{HOME}/F/> (<{device.token}>)").status

    dav.put("G/z", "elsewhere")
    dav.put("F/sub/b", "hidden")
    assert guarded("one") == 201
    assert guarded("two") == 412
    device.sync()
    give(dav, "F/sub/")
    assert guarded("two") == 412
    device.sync()
    assert guarded("two") == 201


def test_a_share_is_told_in_its_own_form(dav: Client) -> None:
    give(dav, "F/", ace(TO_BOB, "D:read"))
    body = (
        '<D:sync-collection xmlns:D="DAV:"><D:sync-token/><D:sync-level>1</D:sync-level><D:prop/></D:sync-collection>'
    )
    answer = bob(dav, "REPORT", "/dav/shared/bob/F/", body)
    assert answer.status == 207, (answer.status, answer.body)
    assert answer.hrefs() == ["/dav/shared/bob/F/sub/", "/dav/shared/bob/F/a"]
