"""The process that reads bodies for an import: a help that may be lost at any moment, and never outlives the import."""

from __future__ import annotations

import io
import itertools
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from davstore.interchange.items import Item
from davstore.model.facets import MESSAGE
from davstore.protocol.message.reading import read_message
from davstore.store import importing
from davstore.store.importing import BATCH, Fate
from tests.contract.storage import Storage
from tests.waiting import until

GROUPS = 4
NOTHING: dict[int, Callable[[], object]] = {}


_IMPORTER = """
from davstore.engine.reading_beside import ReadingBeside
with ReadingBeside() as reading:
    reading.begin([b"x"], more=True)
    print(reading._process.pid, flush=True)
    input()
"""


def content(number: int) -> bytes:
    """Return a message that is told from the others."""
    return b"From: a@x\nSubject: %d\nDate: Thu, 1 Jan 2026 00:00:00 +0000\n\nb" % number


def each_item(storage: Storage, happenings: dict[int, Callable[[], object]]) -> Iterator[Item]:
    """Yield messages for some groups; something happens before one of a number."""
    for number in range(GROUPS * BATCH):
        happenings.get(number, lambda: None)()
        length = len(content(number))
        assert length <= storage.limits.inline_bytes
        yield Item((), f"{number}.eml", f"{number}", lambda number=number: io.BytesIO(content(number)), length, length)


def run(storage: Storage, happenings: dict[int, Callable[[], object]] = NOTHING) -> dict[Fate, int]:
    """Import them."""
    outcomes = importing.import_entries(storage.context, storage.at(""), each_item(storage, happenings))
    return dict(Counter(outcome.fate for outcome in outcomes if outcome.fate is not Fate.FOLDER))


def readers(parent: int | None = None) -> list[int]:
    """Return the processes that read for a process, this one by default."""
    tasks = Path(f"/proc/{parent or os.getpid()}/task").glob("*/children")
    children = [int(child) for task in tasks for child in task.read_text().split()]
    return [child for child in children if b"reading_beside" in Path(f"/proc/{child}/cmdline").read_bytes()]


def kill() -> None:
    """Kill the process."""
    until(readers)
    os.kill(readers()[0], signal.SIGKILL)


def require_all(storage: Storage) -> None:
    """Require that all messages are there once, with the facts that this process reads in them."""
    listing = storage.listing(depth=1, facets={MESSAGE})
    facts = listing.facets.of(MESSAGE)
    assert {one.name: facts[one.node_id] for one in listing.members} == {
        f"{number}.eml": read_message(content(number)) for number in range(GROUPS * BATCH)
    }
    assert storage.get(f"{BATCH + 1}.eml") == content(BATCH + 1)


def test_what_the_process_reads_is_what_this_one_would(sqlite_storage: Storage) -> None:
    seen: list[int] = []
    assert run(sqlite_storage, {3 * BATCH: lambda: seen.extend(readers())}) == {Fate.IMPORTED: GROUPS * BATCH}
    assert len(seen) == min(1, len(os.sched_getaffinity(0)) - 1)
    assert readers() == []
    require_all(sqlite_storage)


@pytest.mark.parametrize("number", [BATCH, 2 * BATCH, 3 * BATCH + 7])
def test_when_it_is_killed_the_import_goes_on_without(sqlite_storage: Storage, number: int) -> None:
    """While it starts, while it has a question, and between the question and the answer."""
    assert run(sqlite_storage, {number: kill}) == {Fate.IMPORTED: GROUPS * BATCH}
    assert readers() == []
    require_all(sqlite_storage)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_what_ends_the_import_ends_it(sqlite_storage: Storage, error: type[BaseException]) -> None:
    """An interrupt, and a source that cannot be read any further; run again, the import makes no double."""

    def fail() -> None:
        until(readers)
        raise error

    with pytest.raises(error):
        run(sqlite_storage, {3 * BATCH: fail})
    assert readers() == []
    there = len(sqlite_storage.tree())
    assert BATCH <= there < GROUPS * BATCH
    assert run(sqlite_storage) == {Fate.ALREADY_THERE: there, Fate.IMPORTED: GROUPS * BATCH - there}
    require_all(sqlite_storage)


def test_a_small_import_starts_none(sqlite_storage: Storage) -> None:
    items = itertools.islice(each_item(sqlite_storage, {}), BATCH - 2)  # and the folder
    for outcome in importing.import_entries(sqlite_storage.context, sqlite_storage.at(""), items):
        assert readers() == [], outcome


def test_on_one_core_none_is_started(sqlite_storage: Storage) -> None:
    cores, seen = os.sched_getaffinity(0), list[int]()
    os.sched_setaffinity(0, {min(cores)})
    try:
        assert run(sqlite_storage, {3 * BATCH: lambda: seen.extend(readers())}) == {Fate.IMPORTED: GROUPS * BATCH}
    finally:
        os.sched_setaffinity(0, cores)
    assert seen == []
    require_all(sqlite_storage)


def test_it_ends_with_an_import_that_is_killed() -> None:
    """A process that held on to anything would keep the store from being used again."""
    importer = subprocess.Popen(
        [sys.executable, "-c", _IMPORTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with importer:
        assert importer.stdout
        reader = int(importer.stdout.readline())
        until(lambda: readers(importer.pid) == [reader])
        importer.kill()
    until(lambda: _has_ended(reader))


def _has_ended(process: int) -> bool:
    """Tell whether a process has ended: where nobody asks for the end of orphans they stay zombies."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
