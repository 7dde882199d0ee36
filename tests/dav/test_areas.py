"""Two areas of one store, each a tree with a root of its own, and nothing of one in the other (docs/adr/0015).

One area is shipped; the second is that of `tests/areas.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from davstore.metadata import integrity
from tests.areas import ELSEWHERE, NUMBER, add_area
from tests.dav.client import HOME, Client, D, setting, token_of
from tests.dav.test_locks import active, culprits, lock

DEEP = "/".join("abcdefghij")
"""More names than one statement resolves."""


@pytest.fixture
def dav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """Yield a client of a store with two areas, and find the charge and the tree of the store intact at the end."""
    client = Client(tmp_path, quota_bytes=100_000)
    add_area(monkeypatch, client.database)
    yield client
    assert client.database.read(lambda unit: list(integrity.each_damage(unit, 1))) == [
        ("root of an unknown area", str(NUMBER))
    ]
    client.close()


def test_each_area_has_its_own_resources(dav: Client) -> None:
    dav.mkcol("c")
    dav.put(f"{HOME}/c/a", "stored")
    assert dav("GET", f"{ELSEWHERE}/c/a").status == 404
    assert dav("PUT", f"{ELSEWHERE}/c/a", "x").status == 409  # RFC 4918 §9.7.1: no such collection
    dav.mkcol(f"{ELSEWHERE}/c")
    dav.put(f"{ELSEWHERE}/c/b", "threaded")
    assert [dav("GET", path).body for path in (f"{HOME}/c/a", f"{ELSEWHERE}/c/b")] == [b"stored", b"threaded"]
    assert dav("GET", f"{HOME}/c/b").status == 404
    for root, name in ((HOME, "a"), (ELSEWHERE, "b")):
        for target in (f"{root}/c", f"{root}/c/"):
            assert dav.find(target, f"{D}getetag", depth="1").hrefs() == [f"{root}/c/", f"{root}/c/{name}"]
        assert dav.find(f"{root}/", f"{D}getetag", depth="infinity").hrefs()[-1] == f"{root}/c/{name}"
        assert dav.names(f"{root}/c/") == [name]
    assert dav("DELETE", f"{ELSEWHERE}/c").status == 204
    assert dav("GET", f"{HOME}/c/a").body == b"stored"


def test_paths_of_many_names_begin_at_the_root_of_their_area(dav: Client) -> None:
    for root in (HOME, ELSEWHERE):
        for depth in range(1, 20, 2):
            dav.mkcol(f"{root}/{DEEP[:depth]}")
        dav.put(f"{root}/{DEEP}/x", root)
    assert [dav("GET", f"{root}/{DEEP}/x").body.decode() for root in (HOME, ELSEWHERE)] == [HOME, ELSEWHERE]


def test_roots_are_two_resources(dav: Client) -> None:
    roots = (f"{HOME}/", f"{ELSEWHERE}/")
    ids = [dav.find(root, f"{D}resource-id").prop(root, f"{D}resource-id")[0].text for root in roots]
    assert len(set(ids)) == 2
    assert dav.patch(ELSEWHERE + "/", setting("<x:p>1</x:p>")).status == 207
    assert dav.find(roots[0], "{urn:x}p").prop(roots[0], "{urn:x}p") is None
    assert dav.find(roots[1], "{urn:x}p").text(roots[1], "{urn:x}p") == "1"
    for area in ("store", "elsewhere"):
        assert dav.find(f"/dav/{area}/", f"{D}resource-id", depth="1").hrefs()[1:] == [f"/dav/{area}/alice/"]


def test_reports_are_of_one_area_and_so_are_tokens(dav: Client) -> None:
    for root in (HOME, ELSEWHERE):
        dav.mkcol(f"{root}/c")
    tokens = {root: token_of(dav.sync(f"{root}/")) for root in (HOME, ELSEWHERE)}
    assert tokens[HOME] != tokens[ELSEWHERE]
    dav.put(f"{ELSEWHERE}/c/b")
    assert dav.sync(f"{HOME}/", tokens[HOME]).hrefs() == []
    assert dav.sync(f"{ELSEWHERE}/", tokens[ELSEWHERE]).hrefs() == [f"{ELSEWHERE}/c/b"]
    for root, other in ((HOME, ELSEWHERE), (ELSEWHERE, HOME)):
        assert dav.sync(f"{root}/", tokens[other]).condition == f"{D}valid-sync-token"
        for path in (f"{root}/", f"{root}/c/"):
            live = dav.find(path, f"{D}sync-token").text(path, f"{D}sync-token")
            assert live == token_of(dav.sync(path))
            assert dav.sync(path.replace(root, other), live).condition == f"{D}valid-sync-token"


def test_locks_of_one_area_leave_the_other_alone(dav: Client) -> None:
    for root in (HOME, ELSEWHERE):
        dav.mkcol(f"{root}/c")
    token = lock(dav, f"{ELSEWHERE}/c")
    dav.put(f"{HOME}/c/a")
    assert culprits(dav("PUT", f"{ELSEWHERE}/c/a", "x"), "lock-token-submitted") == [f"{ELSEWHERE}/c/"]
    dav.put(f"{ELSEWHERE}/c/a", If=f"(<{token}>)")
    assert [one["lockroot"] for one in active(dav.find(f"{ELSEWHERE}/c/a", f"{D}lockdiscovery"))] == [f"{ELSEWHERE}/c/"]
    assert active(dav.find(f"{HOME}/c/a", f"{D}lockdiscovery")) == []
    assert dav("UNLOCK", f"{HOME}/c/a", Lock_Token=f"<{token}>").status == 409  # RFC 4918 §9.11.1
    assert dav("DELETE", f"{HOME}/c").status == 204  # ends no lock that was taken at the same names elsewhere
    assert dav("PUT", f"{ELSEWHERE}/c/a", "x").status == 423
    whole = lock(dav, f"{HOME}/")
    dav.put(f"{ELSEWHERE}/free")
    assert dav("UNLOCK", f"{HOME}/", Lock_Token=f"<{whole}>").status == 204
    assert dav("UNLOCK", f"{ELSEWHERE}/c/a", Lock_Token=f"<{token}>").status == 204


def test_a_list_of_conditions_is_judged_in_the_area_of_its_tag(dav: Client) -> None:
    here, there = dav.put(f"{HOME}/a", "1"), dav.put(f"{ELSEWHERE}/a", "2")
    token = dav.find(f"{ELSEWHERE}/", f"{D}sync-token").text(f"{ELSEWHERE}/", f"{D}sync-token")
    for root in (HOME, ELSEWHERE):
        assert dav("PUT", f"{root}/b", "x", If=f"<{HOME}/a> ([{there}])").status == 412
        assert dav("PUT", f"{root}/b", "x", If=f"<{ELSEWHERE}/a> ([{here}])").status == 412
        assert dav("PUT", f"{root}/b", "x", If=f'<{ELSEWHERE}/a> ([{there}]) <{HOME}/b> (["no"])').status == 201
        assert dav("PUT", f"{root}/c", "x", If=f"<{HOME}/a> ([{here}])").status == 201
    token = dav.find(f"{ELSEWHERE}/", f"{D}sync-token").text(f"{ELSEWHERE}/", f"{D}sync-token")
    assert dav("PUT", "d", "x", If=f"<{HOME}/> (<{token}>)").status == 412
    assert dav("PUT", "d", "x", If=f"<{ELSEWHERE}/> (<{token}>)").status == 201  # RFC 6578 §5
    assert dav("PUT", f"{ELSEWHERE}/d", "x", If=f"<{ELSEWHERE}/> (<{token}>)").status == 201  # nothing changed there
    assert dav("PUT", "e", "x", If=f"<{ELSEWHERE}/> (<{token}>)").status == 412


def test_copy_and_move_take_each_url_in_its_own_area(dav: Client) -> None:
    dav.mkcol("c")
    dav.put("c/a", "body")
    tokens = {root: token_of(dav.sync(f"{root}/")) for root in (HOME, ELSEWHERE)}
    assert dav("COPY", "c/a", Destination=f"{ELSEWHERE}/c/a").status == 409  # no collection there
    assert dav("MOVE", "c", Destination=f"{ELSEWHERE}/c").status == 201
    assert dav("GET", "c/a").status == 404
    assert dav("GET", f"{ELSEWHERE}/c/a").body == b"body"
    assert dav.sync(f"{HOME}/", tokens[HOME]).gone() == [f"{HOME}/c/"]
    assert set(dav.sync(f"{ELSEWHERE}/", tokens[ELSEWHERE]).hrefs()) == {f"{ELSEWHERE}/c/", f"{ELSEWHERE}/c/a"}
    assert dav("COPY", f"{ELSEWHERE}/c/", Destination=f"{HOME}/c/").status == 201
    assert dav("MOVE", f"{ELSEWHERE}/c/a", Destination=f"{HOME}/c/a").status == 204
    assert (dav.names(f"{ELSEWHERE}/c/"), dav.names("c/")) == ([], ["a"])
    assert dav("MOVE", f"{ELSEWHERE}/c/", Destination=f"{HOME}/").status == 405  # the root is no member


def test_the_quota_is_that_of_the_store(dav: Client) -> None:
    used, name = list[int](), f"{D}quota-used-bytes"
    for root in (HOME, ELSEWHERE):
        dav.put(f"{root}/half", b"x" * 45_000)
        here, there = (dav.find(f"{one}/", name).text(f"{one}/", name) for one in (HOME, ELSEWHERE))
        assert here == there
        used.append(int(here))
    assert used[1] == 2 * used[0]
    for root in (HOME, ELSEWHERE):
        assert dav("PUT", f"{root}/more", b"x" * 45_000).status == 507
