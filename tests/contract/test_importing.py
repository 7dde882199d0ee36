"""Import and export as use cases: batches, what is there already, locks, quota, and large bodies, on both databases."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace

import pytest

from davstore.errors import NotFound
from davstore.interchange.items import Entry, Folder, Item, LeftOut, Outgoing, Stream
from davstore.metadata import stores
from davstore.model.facets import KEYWORDS
from davstore.model.locks import LockInfo, LockScope
from davstore.model.principals import Principal, User
from davstore.model.states import Flag, StateChange
from davstore.store import exporting, importing, locking
from davstore.store.importing import BATCH, Fate, Outcome
from tests.contract.storage import INLINE_BYTES, Storage

LARGE = b"L" * (INLINE_BYTES * 3)


def item(folder: str, name: str | None, content: bytes = b"x", **facts: object) -> Item:
    """Return a file of a source."""

    def open_() -> AbstractContextManager[Stream]:
        return io.BytesIO(content)

    names = tuple(folder.split("/")) if folder else ()
    length = len(content)
    return Item(names, name, f"{folder}/{name}", open_, length, length)._replace(**facts)  # type: ignore[arg-type]


def run(storage: Storage, entries: Iterable[Entry], into: str = "") -> list[Outcome]:
    """Import into a storage."""
    outcomes = list(importing.import_entries(storage.context, storage.at(into), entries))
    return [outcome for outcome in outcomes if outcome.fate is not Fate.FOLDER]


def fates(outcomes: Iterable[Outcome]) -> dict[Fate, int]:
    """Count the outcomes."""
    return dict(Counter(outcome.fate for outcome in outcomes))


def test_a_batch_is_one_unit_with_folders_flags_keywords_and_times(storage: Storage) -> None:
    states = StateChange(set=int(Flag.SEEN | Flag.FLAGGED), added=frozenset({"work", "later"}))
    before = storage.facts.seq
    run(
        storage,
        [
            Folder(("empty", "below"), "empty"),
            item("a/b", "one.eml", b"one", modified_us=1_234_567_891_234_567, states=states),
            item("a", "two.jpg", LARGE),
            item("", "three"),
        ],
        into="in/there",
    )
    assert sorted(storage.tree()) == [
        "in",
        "in/there",
        "in/there/a",
        "in/there/a/b",
        "in/there/a/b/one.eml",
        "in/there/a/two.jpg",
        "in/there/empty",
        "in/there/empty/below",
        "in/there/three",
    ]
    one = storage.find("in/there/a/b/one.eml")
    assert (one.flags, one.modified_us, one.content_type) == (
        Flag.SEEN | Flag.FLAGGED,
        1_234_567_891_234_567,
        "message/rfc822",
    )
    listing = storage.listing("in/there/a/b", depth=1, facets={KEYWORDS})
    assert list(listing.facets.of(KEYWORDS)[one.node_id]) == ["later", "work"]
    assert storage.find("in/there/a/two.jpg").content_type == "image/jpeg"
    assert (storage.get("in/there/a/two.jpg"), storage.get("in/there/a/b/one.eml")) == (LARGE, b"one")
    assert storage.facts.seq == before + 9
    assert [row.name for row in storage.report().rows][-1] == "three"


def test_what_is_there_with_the_same_bytes_is_left_alone(storage: Storage) -> None:
    entries = [item("", "small", b"s"), item("f", "large", LARGE), item("f", None, b"m"), item("f", None, b"m")]
    assert fates(run(storage, entries)) == {Fate.IMPORTED: 4}
    tree, seq, blobs = storage.tree(), storage.facts.seq, len(storage.blob_files)
    assert fates(run(storage, entries)) == {Fate.ALREADY_THERE: 4}
    assert (storage.tree(), storage.facts.seq, len(storage.blob_files)) == (tree, seq, blobs)
    digest = hashlib.sha256(b"m").hexdigest()[:16]
    assert {f"f/{digest}.eml", f"f/{digest}-2.eml"} < set(tree)  # equal ones are two, after one run and after two


def test_other_bytes_under_a_name_are_kept_beside_it(storage: Storage) -> None:
    storage.put("a.eml", b"mine")
    storage.put("b", b"mine")
    storage.mkcol("c.eml")
    entries = [item("", "a.eml", b"other"), item("", "b", LARGE), item("", "c.eml", b"c")]
    outcomes = run(storage, entries)
    assert fates(outcomes) == {Fate.RENAMED: 3}
    assert storage.get("a.eml") == b"mine"
    named = {outcome.where.strip("/"): outcome.text for outcome in outcomes}
    assert named["a.eml"] == f"a ({hashlib.sha256(b'other').hexdigest()[:8]}).eml"
    assert storage.get(named["a.eml"]) == b"other"
    assert storage.get(named["b"]) == LARGE
    assert fates(run(storage, entries)) == {Fate.ALREADY_THERE: 3}


def test_one_that_is_refused_keeps_no_other_out(storage: Storage) -> None:
    storage.put("file")
    storage.mkcol("locked")
    info = LockInfo(LockScope.EXCLUSIVE, None)
    locking.lock(storage.context, storage.at("locked"), info, infinite=True, seconds=None)

    @contextlib.contextmanager
    def gone() -> Iterator[Stream]:
        raise FileNotFoundError(2, "No such file or directory")
        yield io.BytesIO()

    outcomes = run(
        storage,
        [
            item("", "good1"),
            item("file", "below"),
            item("locked", "in", b"y"),
            item("locked", "large", LARGE),
            item("", "n" * 256),
            item("", "gone", open=gone),
            item("", "gone, large", LARGE, open=gone),
            item("", "short", b"x", length=2),
            item("", "short, large", LARGE, length=len(LARGE) + 1),
            item("/".join("d" * 1000), "deep"),
            LeftOut("link", "a link"),
            LeftOut("dovecot.index", "", is_control=True),
            item("", "good2"),
        ],
    )
    assert fates(outcomes) == {Fate.IMPORTED: 2, Fate.REFUSED: 9, Fate.LEFT_OUT: 1, Fate.CONTROL: 1}
    assert all(outcome.text for outcome in outcomes if outcome.fate is Fate.REFUSED)
    assert set(storage.tree()) == {"file", "locked", "good1", "good2"}
    assert storage.blob_files == []


def test_at_the_quota_what_fits_stays_and_the_rest_is_named(storage: Storage) -> None:
    storage.add_store("full", quota_bytes=1_000)
    entries = [item("f", f"{number:03}", b"%03d" % number * 3) for number in range(300)]
    outcomes = run(storage, [*entries, item("f", "large", LARGE * 4), item("f", "zero", b"")])
    assert fates(outcomes) == {Fate.IMPORTED: 111 + 1, Fate.REFUSED: 300 - 111 + 1}  # 111 times nine bytes are 999
    assert storage.facts.used_bytes == 999
    assert len({outcome.where for outcome in outcomes}) == 302
    store_id = storage.facts.id
    storage.database.write(lambda unit: stores.set_quota(unit, store_id, None))
    assert fates(run(storage, entries)) == {Fate.ALREADY_THERE: 111, Fate.IMPORTED: 189}
    assert [storage.get(f"f/{number:03}") for number in range(300)] == [b"%03d" % number * 3 for number in range(300)]


def test_many_come_in_few_units(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each unit is one commit, with its one fsync."""
    units = 0
    write = type(storage.database).write

    def counted(self: object, work: Callable[..., object]) -> object:
        nonlocal units
        units += 1
        return write(self, work)  # type: ignore[arg-type]

    monkeypatch.setattr(type(storage.database), "write", counted)
    assert fates(run(storage, (item("f", f"{number}") for number in range(3 * BATCH)))) == {Fate.IMPORTED: 3 * BATCH}
    assert units == 1 + 3


def test_a_body_that_changes_while_it_is_read_is_not_stored(storage: Storage) -> None:
    contents = iter([LARGE, LARGE[::-1].lower()])
    assert fates(run(storage, [item("", "x", LARGE, open=lambda: io.BytesIO(next(contents)))])) == {Fate.REFUSED: 1}
    assert storage.tree() == {}
    assert storage.blob_files == []


def test_an_export_has_all_of_one_snapshot_folder_by_folder(storage: Storage) -> None:
    states = StateChange(set=int(Flag.ANSWERED), added=frozenset({"k"}))
    run(storage, [item("b/c", "m.eml", b"m", states=states), item("a", "l", LARGE), item("", "t", b"t")])
    found = list[tuple[str, object]]()
    for one in exporting.each_outgoing(storage.context, storage.at("")):
        if isinstance(one, Outgoing):
            found.append(("/".join((*one.folder, one.name)), b"".join(one.pieces())))
            assert hashlib.sha256(b"".join(one.pieces())).hexdigest() == one.etag
            assert (one.flags, one.keywords) == ((int(Flag.ANSWERED), ("k",)) if one.name == "m.eml" else (0, ()))
        else:
            found.append(("/".join(one.folder), None))
    assert found == [
        ("", None),
        ("t", b"t"),
        ("a", None),
        ("a/l", LARGE),
        ("b", None),
        ("b/c", None),
        ("b/c/m.eml", b"m"),
    ]


def test_a_stranger_imports_and_exports_nothing(storage: Storage) -> None:
    stranger = replace(storage.context, asker=Principal(User(2, "stranger", 9, 1, disabled=False)))
    with pytest.raises(NotFound):
        list(importing.import_entries(stranger, storage.at("x"), [item("", "a")]))
    with pytest.raises(NotFound):
        list(exporting.each_outgoing(storage.context, storage.at("nowhere")))
    assert storage.tree() == {}
