"""The URL space: places and segments, there and back, in every area."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davstore.metadata import stores
from davstore.model.paths import Area, Path, parse_key
from davstore.model.principals import NamedPrincipal, PrincipalKind, PrincipalName
from davstore.protocol import urls
from davstore.protocol.urls import AREAS, Fixed, Known, Vacant
from tests.areas import add_area

names = st.text(min_size=1)
KNOWN = Known(("alice", "bob"), {"alice": ("phone", "laptop"), "carol": ()}, {"alice": ("family",)}, ("staff",))


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
    people = {"users/alice", "users/carol", "devices/alice/phone", "devices/alice/laptop"}
    assert principals == people | {"lists/alice/family", "groups/staff"}
    for beside in ("users/bob", "devices/carol/phone", "lists/carol/family", "lists/bob", "groups/alice", "services"):
        assert urls.find_fixed((*urls.PRINCIPALS, *beside.split("/")), KNOWN) is None
    assert urls.find_fixed(("x",), KNOWN) is None


def test_the_url_of_a_device_or_list_that_is_not_there_is_one_of_a_known_user() -> None:
    devices, lists = urls.DEVICES, urls.LISTS
    for user, collection in (("carol", devices), ("carol", lists), ("alice", lists)):
        vacant = Vacant(user, "friends", collection)
        assert urls.find_vacant((*collection, user, "friends"), KNOWN) == vacant
        assert vacant.segments == (*collection, user, "friends")
    for segments in (
        (*lists, "alice", "family"),  # it is there
        (*lists, "bob", "family"),
        (*lists, "carol"),
        (*lists, "carol", "family", "x"),
        (*urls.GROUPS, "carol", "family"),
        (*devices, "alice", "phone"),  # it is there
        (*devices, "bob", "phone"),
        (*devices, "carol"),
        (*devices, "carol", "phone", "x"),
        (*urls.PRINCIPALS, "users", "carol", "phone"),
        devices,
        (),
    ):
        assert urls.find_vacant(segments, KNOWN) is None


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("users/alice", NamedPrincipal(PrincipalKind.USER, "alice")),
        ("devices/alice/phone", PrincipalName("alice", "phone")),
        ("groups/staff", NamedPrincipal(PrincipalKind.GROUP, "staff")),
        ("lists/alice/family", NamedPrincipal(PrincipalKind.LIST, "family", "alice")),
        ("users", None),
        ("users/alice/x", None),
        ("lists/alice", None),
        ("lists/alice/family/x", None),
        ("services/recorder", None),
    ],
)
def test_a_principal_is_named_by_its_url(text: str, named: NamedPrincipal | PrincipalName | None) -> None:
    segments = (*urls.PRINCIPALS, *text.split("/"))
    assert urls.find_principal(segments) == named
    assert not isinstance(named, NamedPrincipal) or urls.segments_of_principal(named) == segments
    assert urls.find_principal(segments[1:]) is urls.find_principal(("dav", *segments)) is None


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
