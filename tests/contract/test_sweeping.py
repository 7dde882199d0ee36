"""Sweeps: tombstones both old and far behind, and blobs that no row names; nothing else."""

from __future__ import annotations

import io
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, cast

import pytest

from davstore.blobs import Blobs, Staged
from davstore.errors import InvalidSyncToken
from davstore.metadata import uploads
from davstore.metadata.database import Database
from davstore.model.states import StateChange
from davstore.store import enrolling, putting
from davstore.store.checking import list_unfinished
from davstore.store.putting import NewContent
from davstore.store.sweeping import sweep_history, sweep_uploads
from tests.contract.storage import Storage, count_rows, told

WEEK = 7 * 86_400
LARGE = b"x" * 1000
EMPTY = "00000000-0000-4000-8000-000000000000"


def _sweep(storage: Storage, *, weeks_later: int, keep_changes: int = 0) -> None:
    now_us = storage.now_us + weeks_later * WEEK * 1_000_000
    sweep_history(storage.database, now_us=now_us, keep_seconds=3 * WEEK, keep_changes=keep_changes)


def test_old_tombstones_go_and_their_tokens_with_them(storage: Storage) -> None:
    """A token from before the floor is refused, a later one goes on, and the dead leave no row."""
    storage.mkcol("tree")
    storage.put("tree/a")
    storage.proppatch("tree/a", ("{urn:x}p", b'<p xmlns="urn:x"/>'))
    storage.mark("tree/a", StateChange(added=frozenset({"x"})))
    start = storage.report().token
    storage.delete("tree")
    storage.now_us += 2 * 3_600_000_000  # a number is written down with its time once an hour
    storage.put("kept")
    after = storage.report().token
    _sweep(storage, weeks_later=4)
    with pytest.raises(InvalidSyncToken):
        storage.report(token=start)
    assert told(storage.report(token=after)) == []
    assert count_rows(storage, ["gone", "property", "keyword"]) == {"gone": 0, "property": 0, "keyword": 0}
    assert count_rows(storage, ["node"]) == {"node": 3}  # two roots and the one that lives
    assert storage.tree() == {"kept": storage.find("kept").etag}


@pytest.mark.parametrize(("weeks_later", "keep_changes"), [(2, 0), (4, 10_000)])
def test_young_or_near_tombstones_stay(storage: Storage, weeks_later: int, keep_changes: int) -> None:
    """Three weeks and 10,000 changes: history goes only when it is past both (RFC 6578 §3.2)."""
    storage.put("a")
    token = storage.report().token
    storage.delete("a")
    storage.now_us += 2 * 3_600_000_000
    storage.put("b")
    _sweep(storage, weeks_later=weeks_later, keep_changes=keep_changes)
    assert told(storage.report(token=token)) == ["-a", "+b"]


def run(storage: Storage, statement: str) -> None:
    """Change rows as no request can."""
    with storage.database.engine().begin() as connection:
        connection.exec_driver_sql(statement)


def _upload(storage: Storage, *, publishes: bool) -> tuple[str, Staged]:
    """Begin an upload, which lives until it is closed; return the name of its blob, too."""
    name = str(uuid.uuid4())
    storage.database.write(
        partial(uploads.reserve, store_id=storage.facts.id, blob=name, reserved_bytes=9, expires_us=2**60, now_us=0)
    )
    staged = storage.blobs.stage(storage.facts.id, name)
    staged.write(b"lost")
    if publishes:
        staged.publish()
    return name, staged


def _sweep_uploads(storage: Storage, *, hours_later: int = 0) -> tuple[int, int]:
    return sweep_uploads(storage.database, storage.blobs, now_us=storage.now_us + hours_later * 3_600_000_000)


def _files(storage: Storage) -> set[str]:
    """Return every file of the data directory's blobs and lost ones, relative to it."""
    top = storage.blob_directory.parent
    return {
        file.relative_to(top).as_posix()
        for place in (storage.blob_directory, top / "lost+found")
        for file in place.rglob("*")
        if file.is_file()
    }


def test_what_dead_uploads_had_staged_and_reserved_goes_at_once(storage: Storage) -> None:
    """A blob that a row names stays, and so does what an upload that lives has staged or published."""
    storage.put("large", LARGE)
    uploading = [_upload(storage, publishes=publishes) for publishes in (False, True, False, True)]
    names = [name for name, _ in uploading]
    for _, staged in uploading[:2]:
        staged.close()
    assert {found.what for found in list_unfinished(storage.database, storage.blobs)} == set(names[:2])
    assert storage.check() == []
    for _ in range(2):
        assert _sweep_uploads(storage) == (0, 0)
        assert storage.get("large") == LARGE
        assert count_rows(storage, ["upload"]) == {"upload": 2}
        assert [found.what for found in list_unfinished(storage.database, storage.blobs)] == [names[1]]
        assert [file.name for file in (storage.blob_directory / "staged").iterdir()] == [f"1.{names[2]}"]
    for _, staged in uploading[2:]:
        staged.close()
    _sweep_uploads(storage)
    assert not list((storage.blob_directory / "staged").iterdir())
    assert count_rows(storage, ["upload"]) == {"upload": 0}
    assert {found.what for found in list_unfinished(storage.database, storage.blobs)} == {names[1], names[3]}


def test_a_store_that_lost_its_root_holds_up_no_other_store(storage: Storage) -> None:
    """So does one whose user is removed between two statements of a sweep."""
    storage.is_clean = False
    _upload(storage, publishes=False)[1].close()
    run(storage, "DELETE FROM store_root")
    storage.add_store("other")
    name, staged = _upload(storage, publishes=False)
    staged.close()
    assert storage.database.read(lambda unit: uploads.list_reserved_blobs(unit, 2)) == {name}
    assert _sweep_uploads(storage) == (0, 0)
    assert storage.database.read(lambda unit: uploads.list_reserved_blobs(unit, 2)) == set()
    assert name not in {found.what for found in list_unfinished(storage.database, storage.blobs)}


def test_a_blob_without_a_row_goes_to_lost_and_found_a_day_after_it_was_seen(storage: Storage) -> None:
    """In `lost+found` it is whole for a month, under a name with its store and blob."""
    storage.put("large", LARGE)
    name, staged = _upload(storage, publishes=True)
    staged.close()
    assert [_sweep_uploads(storage, hours_later=hours) for hours in (0, 1, 23)] == [(0, 0)] * 3
    assert _sweep_uploads(storage, hours_later=24) == (1, 4)
    assert list_unfinished(storage.database, storage.blobs) == []
    [lost] = (storage.blob_directory.parent / "lost+found").glob(f"2023-11-*/1.{name}")
    assert lost.read_bytes() == b"lost"
    _sweep_uploads(storage, hours_later=24 * 31)
    assert lost.exists()
    _sweep_uploads(storage, hours_later=24 * 32)
    assert not lost.parent.exists()
    assert storage.get("large") == LARGE


def test_blobs_of_a_user_who_was_removed_during_a_backup_go_too(storage: Storage) -> None:
    enrolling.add_user(storage.database, "bob", "geheim", now_us=1)
    storage.owner = "bob"
    storage.put("large", LARGE)
    with storage.blobs.retain():
        enrolling.remove_user(storage.database, storage.blobs, "bob")
    assert [_sweep_uploads(storage, hours_later=hours) for hours in (0, 24)] == [(0, 0), (1, len(LARGE))]


def test_a_blob_that_gets_its_row_back_is_seen_anew(storage: Storage) -> None:
    """The right database is there again, for example: notes made under the wrong one count no more."""
    storage.put("large", LARGE)
    [file] = storage.blob_files
    hide, show = (
        f"UPDATE body SET blob = '{new}' WHERE blob = '{old}'" for new, old in ((EMPTY, file.name), (file.name, EMPTY))
    )
    for statement, hours in ((hide, 0), (show, 20), (hide, 30), (hide, 53)):
        run(storage, statement)
        assert _sweep_uploads(storage, hours_later=hours) == (0, 0)
    run(storage, show)
    assert storage.get("large") == LARGE


def test_what_davstore_did_not_write_is_never_touched(storage: Storage) -> None:
    """Name, place and age of a file do not matter."""
    name, staged = _upload(storage, publishes=True)
    staged.close()
    _sweep_uploads(storage)
    blobs, lost, some = (
        storage.blob_directory,
        storage.blob_directory.parent / "lost+found",
        "0d7f3ab4-0000-4000-8000-000000000000",
    )
    foreign = [
        blobs / "staged" / "photo.jpg",
        blobs / "staged" / some,
        blobs / "staged" / f"1.{some}.jpg",
        blobs / "1" / "0d" / "photo.jpg",
        blobs / "1" / "0d" / f"{some}~",
        blobs / "1" / "ff" / some,
        blobs / "1" / some,
        blobs / "photos" / "0d" / some,
        lost / "#1234",
        lost / "2001-01-01" / "photo.jpg",
        lost / "2001-01-01" / some,
        lost / "old" / f"1.{some}",
    ]
    for file in foreign:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"mine")
    (blobs / "staged" / f"2.{some}").symlink_to(blobs / "staged" / "photo.jpg")
    (lost / "2001-01-02").symlink_to(lost / "old")
    for days in (0, 2, 40, 80):
        _sweep_uploads(storage, hours_later=24 * days)
    assert [file for file in foreign if file.read_bytes() != b"mine"] == []
    assert not list(lost.glob(f"*/1.{name}"))
    assert storage.check() == []


def test_where_blobs_cannot_be_set_aside_they_stay(storage: Storage) -> None:
    """A file in the way of `lost+found`, or of the notes of what was seen."""
    for place in (storage.blob_directory.parent / "lost+found", storage.blob_directory / "1" / "unnamed.json"):
        _, staged = _upload(storage, publishes=True)
        staged.close()
        place.write_text("mine")
        before = _files(storage)
        assert [_sweep_uploads(storage, hours_later=hours) for hours in (0, 30)] == [(0, 0)] * 2
        assert _files(storage) - {"blobs/1/unnamed.json"} == before - {"blobs/1/unnamed.json"}
        assert place.read_text() == "mine"
        place.unlink()


def test_an_upload_under_way_survives_a_sweep(storage: Storage) -> None:
    """This holds in the moment between its reservation and its file, too."""

    class Sweeping(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            _sweep_uploads(storage)
            return super().read(size)

    putting.put(storage.context, storage.at("large"), NewContent(Sweeping(LARGE), len(LARGE), None))
    _sweep_uploads(storage)
    assert storage.get("large") == LARGE


def test_a_sweep_that_is_slow_takes_no_upload_that_began_while_it_looked(storage: Storage) -> None:
    """The sweeper looks before the upload has a file, and deletes after the upload has named its blob (promise 1)."""
    begun, decided = threading.Event(), threading.Event()

    class Late:
        """Blobs whose uploads wait between their check and their first byte."""

        def __getattr__(self, name: str) -> Any:
            return getattr(storage.blobs, name)

        def stage(self, store_id: int, name: str) -> Staged:
            begun.set()
            assert decided.wait(30)
            return storage.blobs.stage(store_id, name)

    class Slow:
        """A database in which an upload comes to its end between the sweeper's decision and its deletions."""

        read = staticmethod(storage.database.read)

        def write(self, work: Any) -> Any:
            value = storage.database.write(work)
            decided.set()
            upload.result(30)
            return value

    services = replace(storage.context.services, blobs=cast("Blobs", Late()))
    context = replace(storage.context, services=services)
    with ThreadPoolExecutor() as pool:
        content = NewContent(io.BytesIO(LARGE), len(LARGE), None)
        upload = pool.submit(putting.put, context, storage.at("large"), content)
        assert begun.wait(30)
        sweep_uploads(cast("Database", Slow()), storage.blobs, now_us=storage.now_us)
    assert decided.is_set()
    assert storage.get("large") == LARGE
    assert storage.check() == []
