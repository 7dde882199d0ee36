"""Names are bytes: whatever a client sends comes back, and nothing is folded (ADR 20)."""

from __future__ import annotations

import unicodedata

import pytest

from davstore.errors import NameNotAllowed, NotFound
from davstore.model.nodes import Resource
from davstore.model.paths import Path
from davstore.store import deleting, making, moving, reading
from tests.contract.storage import Storage

ODD = [
    "a%2Fb",
    "a%252Fb",
    "100% #1.txt",
    "?q=1&r",
    "😀 family 👩‍👩‍👧.jpg",
    "x" * 255,
    "é" * 127,
    "trailing.",
    "trailing ",
    " leading",
    "...",
    "con",
    "a\\b",
    "a:b*?\"<>|",
    "tab\there",
    "line\nbreak",
    "'; DROP TABLE node; --",
    "%(name)s %s {0}",
    "\u202egnp.exe",
    "\U0010ffff",
    "\x7f",
    "_", "%",
]  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_a_name_survives(storage: Storage, name: str) -> None:
    place = Path("me", (name,))
    making.make_collection(storage.context, place)
    inner = place.child(name)
    storage_put(storage, inner)
    told: list[Resource] = []
    for page in reading.describe(storage.context, place, depth=1):
        told += page.resources
    assert [one.names for one in told] == [(name,), (name, name)]
    assert {row.names for row in storage.report().rows} == {(name,), (name, name)}
    moving.move(
        storage.context, inner, Path("me", (name + "2",)) if len(name) < 200 else Path("me", ("2",)), overwrite=False
    )
    token = storage.report().token
    deleting.delete(storage.context, place)
    assert [row.names for row in storage.report("", token).rows] == [(name,)]


def storage_put(storage: Storage, place: Path) -> None:
    """Write a body to a place."""
    storage.put("staging", place.name.encode())
    moving.move(storage.context, storage.at("staging"), place, overwrite=False)
    body = reading.open_resource(storage.context, place).body
    assert body is not None
    assert b"".join(body.read(0, body.length)) == place.name.encode()
    body.close()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Photo.JPG", "photo.jpg"),
        ("straße", "STRASSE"),
        (unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é")),
        ("a", "a "),
        ("a", "a."),
        ("K", "\u212a"),
        ("i", "İ"),
        ("x", "x\u200d"),
    ],
)
def test_names_that_look_alike_are_two(storage: Storage, one: str, other: str) -> None:
    storage.put(one, b"1")
    storage.put(other, b"2")
    assert (storage.get(one), storage.get(other)) == (b"1", b"2")
    storage.delete(one)
    assert storage.names() == [other]
    assert storage.get(other) == b"2"


def test_members_are_listed_in_the_order_of_their_bytes(storage: Storage) -> None:
    names = ["Z", "a", "B", "ä", "é", "e\u0301", "_", "10", "9", "~", "ﬀ", "😀", "\uffff", "A", "a-b", "a b"]
    for name in names:
        storage.put(name)
    assert storage.names() == sorted(names, key=str.encode)


@pytest.mark.parametrize("name", ["x" * 256, "é" * 128, "😀" * 64])
def test_a_name_of_more_than_255_bytes_is_refused(storage: Storage, name: str) -> None:
    storage.put("f")
    for act in (
        lambda: storage.put(name),
        lambda: storage.put(name, b"L" * 300),
        lambda: storage.mkcol(name),
        lambda: storage.move("f", name),
        lambda: storage.copy("f", name),
    ):
        with pytest.raises(NameNotAllowed):
            act()
    with pytest.raises(NotFound):
        storage.find(name)
    assert (storage.names(), storage.blob_files) == (["f"], [])
