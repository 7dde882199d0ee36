"""What is swept: tombstones both old and far behind, and blobs no row names; nothing else."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, cast

import pytest

from davstore.blobs import Blobs, Staged
from davstore.errors import InvalidSyncToken
from davstore.metadata import uploads
from davstore.metadata.engine import Database
from davstore.store import writing
from davstore.store.checking import list_unfinished
from davstore.store.sweeping import sweep_history, sweep_uploads
from davstore.store.writing import NewContent
from tests.contract.house import House, count_rows, told

WEEK = 7 * 86_400
LARGE = b"x" * 1000


def _sweep(house: House, *, weeks_later: int, keep_changes: int = 0) -> None:
    now_us = house.now_us + weeks_later * WEEK * 1_000_000
    sweep_history(house.database, now_us=now_us, keep_seconds=3 * WEEK, keep_changes=keep_changes)


def test_old_tombstones_go_and_their_tokens_with_them(house: House) -> None:
    """A token from before the floor is refused, a later one goes on, and the dead leave no row."""
    house.mkcol("tree")
    house.put("tree/a")
    house.proppatch("tree/a", ("{urn:x}p", b'<p xmlns="urn:x"/>'))
    start = house.report().token
    house.delete("tree")
    house.now_us += 2 * 3_600_000_000  # a number is written down with its time once an hour
    house.put("kept")
    after = house.report().token
    _sweep(house, weeks_later=4)
    with pytest.raises(InvalidSyncToken):
        house.report(token=start)
    assert told(house.report(token=after)) == []
    assert count_rows(house, ["gone", "property"]) == {"gone": 0, "property": 0}
    assert count_rows(house, ["node"]) == {"node": 3}  # two roots and the one that lives
    assert house.tree() == {"kept": house.find("kept").etag}


@pytest.mark.parametrize(("weeks_later", "keep_changes"), [(2, 0), (4, 10_000)])
def test_young_or_near_tombstones_stay(house: House, weeks_later: int, keep_changes: int) -> None:
    """Three weeks and 10,000 changes: history goes only when it is past both (checklist E.1 14)."""
    house.put("a")
    token = house.report().token
    house.delete("a")
    house.now_us += 2 * 3_600_000_000
    house.put("b")
    _sweep(house, weeks_later=weeks_later, keep_changes=keep_changes)
    assert told(house.report(token=token)) == ["-a", "+b"]


def test_what_dead_uploads_left_goes_at_once(house: House) -> None:
    """A blob that a row names stays, and so does what an upload that lives has staged or published."""
    house.put("large", LARGE)
    held = []
    for name in ("dead, staged", "dead, published", "staged", "published"):
        house.database.write(
            partial(uploads.reserve, store_id=house.facts.id, blob=name, reserved_bytes=9, expires_us=2**60, now_us=0)
        )
        staged = house.blobs.stage(house.facts.id, name)
        staged.write(b"lost")
        if name.endswith("published"):
            staged.publish()
        if name.startswith("dead"):
            staged.close()
        else:
            held.append(staged)
    assert [found.what for found in list_unfinished(house.database, house.blobs)] == ["dead, published", "dead, staged"]
    assert house.check() == []
    for _ in range(2):
        sweep_uploads(house.database, house.blobs)
        assert house.get("large") == LARGE
        assert len(house.blob_files) == 3
        assert count_rows(house, ["upload"]) == {"upload": 2}
        assert list_unfinished(house.database, house.blobs) == []
    for staged in held:
        staged.close()
    sweep_uploads(house.database, house.blobs)
    assert len(house.blob_files) == 1
    assert count_rows(house, ["upload"]) == {"upload": 0}


def test_an_upload_under_way_survives_a_sweep(house: House) -> None:
    """Also the moment between its reservation and its file."""

    class Sweeping(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            sweep_uploads(house.database, house.blobs)
            return super().read(size)

    writing.put(house.context, house.at("large"), NewContent(Sweeping(LARGE), len(LARGE), None))
    sweep_uploads(house.database, house.blobs)
    assert house.get("large") == LARGE


def test_a_sweep_that_is_slow_takes_no_upload_that_was_admitted_when_it_looked(house: House) -> None:
    """Looked for when it had no file, made known before the sweeper deletes what nobody held (promise 1)."""
    admitted, decided = threading.Event(), threading.Event()

    class Late:
        """Blobs whose uploads wait between their admission and their first byte."""

        def __getattr__(self, name: str) -> Any:
            return getattr(house.blobs, name)

        def stage(self, store_id: int, name: str) -> Staged:
            admitted.set()
            assert decided.wait(30)
            return house.blobs.stage(store_id, name)

    class Slow:
        """A database in which an upload comes to its end between the sweeper's decision and its deletions."""

        read = staticmethod(house.database.read)

        def write(self, work: Any) -> Any:
            value = house.database.write(work)
            decided.set()
            upload.result(30)
            return value

    context = replace(house.context, blobs=cast("Blobs", Late()))
    with ThreadPoolExecutor() as pool:
        content = NewContent(io.BytesIO(LARGE), len(LARGE), None)
        upload = pool.submit(writing.put, context, house.at("large"), content)
        assert admitted.wait(30)
        sweep_uploads(cast("Database", Slow()), house.blobs)
    assert decided.is_set()
    assert house.get("large") == LARGE
    assert house.check() == []
