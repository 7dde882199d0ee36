"""The URL space: places and segments, there and back, in every area."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davstore.metadata import stores
from davstore.model.paths import Area, Path, parse_key
from davstore.protocol import urls
from davstore.protocol.urls import AREAS, Fixed, Known, Vacant
from tests.areas import add_area

names = st.text(min_size=1)
KNOWN = Known(("alice", "bob"), {"alice": ("phone", "laptop"), "carol": ()})


def test_every_area_has_its_segments() -> None:
    assert set(AREAS.values()) == set(Area)
    assert len(set(AREAS)) == len(AREAS)


@given(st.sampled_from(Area), names, st.lists(names).map(tuple))
def test_a_path_is_found_where_it_is(area: Area, store: str, below: tuple[str, ...]) -> None:
    path = Path(store, below, area)
    assert urls.find_path(urls.segments_of(path)) == path


@pytest.mark.parametrize("segments", [(), ("dav",), *AREAS, urls.PRINCIPALS, ("dav", "other", "alice"), ("store", "a")])
def test_no_store_is_elsewhere(segments: tuple[str, ...]) -> None:
    assert urls.find_path(segments) is None


def test_whatever_a_fixed_collection_lists_is_there_and_nothing_else_is() -> None:
    found, stores, ahead = [], [], [()]
    while ahead:
        segments = ahead.pop()
        place = urls.find_path(segments) or urls.find_fixed(segments, KNOWN)
        assert place is not None, segments
        if isinstance(place, Fixed):
            assert place.segments == segments
            found.append(place)
            ahead += [(*segments, name) for name in place.members]
        else:
            stores.append(place)
    assert {(path.store, path.area) for path in stores} == {(name, area) for name in KNOWN.stores for area in Area}
    principals = {"/".join(place.segments[2:]) for place in found if place.is_principal}
    assert principals == {"users/alice", "users/carol", "devices/alice/phone", "devices/alice/laptop"}
    for beside in (("dav", "principals", "users", "bob"), ("dav", "principals", "devices", "carol", "phone"), ("x",)):
        assert urls.find_fixed(beside, KNOWN) is None


def test_the_url_of_a_device_that_is_not_there_is_one_of_a_known_user() -> None:
    devices = urls.DEVICES
    assert urls.find_vacant((*devices, "carol", "phone"), KNOWN) == Vacant("carol", "phone")
    for segments in (
        (*devices, "alice", "phone"),  # it is there
        (*devices, "bob", "phone"),
        (*devices, "carol"),
        (*devices, "carol", "phone", "x"),
        (*urls.PRINCIPALS, "users", "carol", "phone"),
        devices,
        (),
    ):
        assert urls.find_vacant(segments, KNOWN) is None


@given(st.booleans(), st.lists(st.text(min_size=1).filter(lambda name: "/" not in name)).map(tuple))
def test_the_key_of_a_place_leads_back_to_it(is_elsewhere: bool, below: tuple[str, ...]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        added = add_area(monkeypatch)
        path = Path("alice", below, added if is_elsewhere else Area.STORE)
        assert parse_key("alice", path.key) == path
        assert path.key != path._replace(area=Area.STORE if is_elsewhere else added).key
    assert Path("alice", below).key == "/".join(below)  # as tables and tokens of versions before have it


def test_every_area_has_a_root_in_a_new_store() -> None:
    assert set(Area) <= set(stores.ROOTS)


def test_places_hold_what_lies_beneath_them_in_their_own_area() -> None:
    root = Path("alice")
    assert root.holds(root)
    assert root.holds(root.child("a").child("b"))
    assert not root.child("a").holds(root.child("ab"))
    assert not root.holds(Path("bob", ("a",)))
    assert root.child("a").child("b").parent == root.child("a")
    assert root.child("a").root == root.parent == root
