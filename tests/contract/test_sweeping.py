"""What is swept: tombstones both old and far behind, and blobs no row names; nothing else."""

from __future__ import annotations

import os

import pytest

from davstore.errors import InvalidSyncToken
from davstore.store.sweeping import sweep_blobs, sweep_history
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


def test_lost_blobs_go_when_they_are_old(house: House) -> None:
    """What a crash left goes after the longest upload; named blobs and young ones stay."""
    house.put("large", LARGE)
    for name in ("old", "young"):
        staged = house.blobs.stage(house.facts.id, name)
        staged.write(b"lost")
        staged.publish()
    hour = 3600
    for file in house.blob_files:
        if file.name != "young":
            os.utime(file, (1, 1))
    now_us = (int(house.blob_directory.stat().st_mtime) + 60) * 1_000_000
    assert sweep_blobs(house.database, house.blobs, now_us=now_us, upload_seconds=hour) == 1
    assert house.get("large") == LARGE
    assert {file.name for file in house.blob_files} >= {"young"}
    house.blobs.delete(house.facts.id, "young")
