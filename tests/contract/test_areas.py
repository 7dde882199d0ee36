"""Two areas of one store on both databases; `tests/dav/test_areas.py` has what they are on the wire."""

from __future__ import annotations

import io

import pytest

from davstore.errors import Locked, NotFound
from davstore.metadata import bindings
from davstore.metadata.unit import Unit
from davstore.model.locks import LockInfo, LockScope
from davstore.model.paths import Area, Path
from davstore.store import locking, making, moving, putting, reading
from davstore.store.putting import NewContent
from tests.areas import add_area
from tests.contract.storage import INLINE_BYTES, Storage, path
from tests.contract.test_statements import USE_CASES, Counter, fill


@pytest.fixture
def area(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Area:
    name = "storage" if "storage" in request.fixturenames else "sqlite_storage"
    storage: Storage = request.getfixturevalue(name)
    storage.is_clean = False  # `check` does not know the area
    return add_area(monkeypatch, storage.database)


def put(storage: Storage, path: Path, body: bytes) -> None:
    putting.put(storage.context, path, NewContent(io.BytesIO(body), len(body), None))


def test_each_area_begins_at_its_own_root(storage: Storage, area: Area) -> None:
    storage.mkcol("c")
    there = Path(storage.owner, ("c",), area)
    with pytest.raises(NotFound):
        reading.find(storage.context, there)
    making.make_collection(storage.context, there)
    put(storage, there.child("a"), b"x" * (INLINE_BYTES + 1))  # in a blob, so that three units name the area
    assert storage.names("c") == []
    resource = moving.move(storage.context, there.child("a"), storage.at("c/a"), overwrite=False)
    assert resource.created
    assert storage.get("c/a") == b"x" * (INLINE_BYTES + 1)
    with pytest.raises(NotFound):
        reading.find(storage.context, there.child("a"))


@pytest.mark.parametrize("depth", [0, 1, 8, 9])
def test_a_path_is_resolved_in_its_area_whichever_root_the_facts_have(storage: Storage, area: Area, depth: int) -> None:
    names = tuple("abcdefghi"[:depth])
    paths = [Path(storage.owner, names, one) for one in (Area.STORE, area)]
    for one in paths:
        for count in range(1, depth + 1):
            making.make_collection(storage.context, one._replace(names=names[:count]))

    def work(unit: Unit) -> list[list[int | None]]:
        found = [bindings.find(unit, one) for one in paths]
        assert [one.facts.at(names) for one in found] == paths
        assert found[0].facts._replace(root_id=0, area=0) == found[1].facts._replace(root_id=0, area=0)
        resolved = [[bindings.resolve(unit, one.facts, place) for place in paths] for one in found]
        assert resolved == [[one.place for one in found]] * 2
        return [[place.resource and place.resource.node_id for place in places] for places in resolved]

    (here, there), _ = storage.database.read(work)
    assert None not in (here, there)
    assert here != there


@pytest.mark.parametrize("name", ["get", "put over one", "put a large one", "move a tree", "report all"])
def test_each_area_takes_the_same_statements(
    sqlite_storage: Storage, area: Area, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    storage, counter, counts = sqlite_storage, Counter(monkeypatch), []
    for one in (Area.STORE, area):
        monkeypatch.setattr(storage, "at", lambda text, one=one: path(text)._replace(area=one))
        for top in ("t", "o"):
            fill(storage, top, 3)
        with counter.counting():
            USE_CASES[name](storage)
        counts.append(counter.count)
    assert counts[0] == counts[1] > 0


def test_a_lock_keeps_the_area_that_it_was_taken_in(storage: Storage, area: Area) -> None:
    places = [Path(storage.owner, names, one) for names in ((), ("a",)) for one in (Area.STORE, area)]
    for place in places[2:]:
        put(storage, place, b"body")
    for place in places:
        info = LockInfo(LockScope.SHARED, None)
        locking.lock(storage.context, place, info, infinite=False, seconds=None)
    held = locking.list_all(storage.database, storage.owner, now_us=storage.now_us)
    assert {lock.root for lock in held} == set(places)
    for place in places[2:]:
        with pytest.raises(Locked) as caught:
            put(storage, place, b"new")
        assert caught.value.roots == ((place, False),)
    (there,) = [lock for lock in held if lock.root == places[3]]
    locking.end(storage.database, storage.owner, there.token, now_us=storage.now_us)
    put(storage, places[3], b"new")
    with pytest.raises(Locked):
        put(storage, places[2], b"new")
