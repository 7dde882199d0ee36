"""Acknowledged writes are there, and no write is half done: groups, full disks, kill -9 (ADR 2)."""

from __future__ import annotations

import contextlib
import fcntl
import io
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import psycopg
import pytest

from davstore.blobs.unnamed import SEEN_FOR_US
from davstore.engine import effects, transaction
from davstore.engine.effects import EFFECTS
from davstore.engine.writer import Writer
from davstore.errors import DiskFull, NotFound, Unavailable
from davstore.metadata import bindings, jobs, nodes
from davstore.metadata.group_commit import GroupCommit
from davstore.metadata.migrate import migrate
from davstore.metadata.opening import open_database
from davstore.metadata.postgresql import PostgreSQL
from davstore.metadata.sqlite import SQLite
from davstore.metadata.unit import Unit
from davstore.model.conditions import NONE
from davstore.model.limits import Limits
from davstore.model.nodes import Resource
from davstore.store import putting, sweeping
from davstore.store.checking import list_unfinished
from davstore.store.putting import NewContent
from tests.contract import storm
from tests.contract.storage import Storage, count_rows
from tests.waiting import until

PATIENCE_SECONDS = 30


FROM_OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
OTHERS = f"SELECT count(*) {FROM_OTHERS} AND state <> 'idle'"


def test_many_threads_write_to_one_store(storage: Storage) -> None:
    def work(thread: int) -> None:
        storage.mkcol(f"{thread}")
        for i in range(10):
            storage.put(f"{thread}/{i}", b"%d" % i)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(storage.tree()) == 88
    changed = [row.changed for row in storage.report().rows if isinstance(row, Resource)]
    assert changed == list(range(1, 89))


class Group:
    """Functions that are committed together: the first keeps the writer until the others wait."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.commits = 0

    @contextlib.contextmanager
    def waiting(self, *works: Callable[[], object]) -> Iterator[list[Future[object]]]:
        """Start all, let the writer go when all are queued, and give what became of them."""
        database = self._storage.database
        assert isinstance(database, SQLite)
        started, release = threading.Event(), threading.Event()

        def keep(_unit: Unit) -> None:
            started.set()
            assert release.wait(PATIENCE_SECONDS)

        with ThreadPoolExecutor(len(works) + 1) as pool:
            pool.submit(database.write, keep)
            assert started.wait(PATIENCE_SECONDS)
            writer = database._group
            assert writer is not None
            futures = []
            for count, work in enumerate(works, start=1):
                futures.append(pool.submit(work))
                until(partial(self._are_waiting, writer, count))
            writer._connection.set_trace_callback(self._trace)
            release.set()
        writer._connection.set_trace_callback(None)
        yield futures

    @staticmethod
    def _are_waiting(writer: GroupCommit, count: int) -> bool:
        return len(writer._waiting) == count

    def _trace(self, statement: str) -> None:
        self.commits += statement == "COMMIT"


def fail_halfway(storage: Storage) -> None:
    """Write something and fail."""

    def work(writer: Writer) -> None:
        unit, ledger = writer.unit, writer.ledger
        node_id, _ = nodes.insert_node(unit, ledger, nodes.empty_collection(now_us=storage.now_us))
        root_id = ledger.facts.root_id
        bindings.bind(unit, ledger, root_id, "half", node_id=node_id, is_collection=True)
        raise NotFound("halfway")

    transaction.write(storage.context, storage.at(""), work)


def test_a_failing_function_harms_nobody_in_its_group(sqlite_storage: Storage) -> None:
    storage = sqlite_storage
    storage.put("old", b"old")
    seq, group = storage.facts.seq, Group(storage)
    works = [
        lambda: storage.put("a", b"a"),
        lambda: fail_halfway(storage),
        lambda: storage.put("no/x"),
        lambda: storage.put("b", b"b"),
        lambda: storage.delete("old"),
    ]
    with group.waiting(*works) as futures:
        errors = [future.exception() for future in futures]
    assert [type(error).__name__ for error in errors] == [
        "NoneType",
        "NotFound",
        "ParentMissing",
        "NoneType",
        "NoneType",
    ]
    assert group.commits == 2
    assert storage.names() == ["a", "b"]
    assert storage.facts.seq == seq + 3


def test_those_that_come_during_the_wait_for_another_process_are_one_group(sqlite_storage: Storage) -> None:
    """The lock of the file is another process's for as long as an fsync takes: time in which the group grows."""
    database, done = sqlite_storage.database, list[int]()
    assert isinstance(database, SQLite)
    database.write(lambda _: None)  # opens the writer
    writer, traced = database._group, Group(sqlite_storage)
    assert writer is not None
    writer._connection.set_trace_callback(traced._trace)
    with ThreadPoolExecutor(4) as pool, database.file.with_suffix(".lock").open() as another:
        fcntl.flock(another, fcntl.LOCK_EX)
        for number in range(4):
            pool.submit(database.write, lambda _, number=number: done.append(number))
            until(lambda number=number: len(writer._waiting) == number + 1)
        fcntl.flock(another, fcntl.LOCK_UN)
    assert (sorted(done), traced.commits) == ([0, 1, 2, 3], 1)


def test_those_that_come_while_a_group_runs_are_taken_into_it(sqlite_storage: Storage) -> None:
    database, pool, group = sqlite_storage.database, ThreadPoolExecutor(1), Group(sqlite_storage)
    commits = list[int]()

    def last(_: Unit) -> None:
        pool.submit(database.write, lambda _: commits.append(group.commits))
        until(lambda: database._group is not None and database._group._waiting)
        commits.append(group.commits)

    with pool, group.waiting(lambda: database.write(lambda _: None), lambda: database.write(last)):
        pool.shutdown()
    assert commits == [1, 1]  # the keeper's


def test_a_failing_function_leaves_nothing(storage: Storage) -> None:
    before = (storage.tree(), storage.facts)
    with pytest.raises(NotFound):
        fail_halfway(storage)
    assert (storage.tree(), storage.facts) == before
    storage.put("a")


def test_a_full_database_in_a_group_acknowledges_nobody_in_vain(sqlite_storage: Storage) -> None:
    """The transaction is lost in the middle of a group: those that fit are written by themselves."""
    storage = sqlite_storage
    storage.limits = Limits(inline_bytes=1_000_000)
    storage.put("old", b"o" * 50_000)
    assert isinstance(storage.database, SQLite)
    writer = storage.database._group
    assert writer is not None
    pages = writer._connection.execute("PRAGMA page_count").fetchone()[0]
    writer._connection.execute(f"PRAGMA max_page_count = {pages + 12}")
    works = [
        lambda: storage.put("small1", b"1"),
        lambda: storage.put("old", b"n" * 500_000),
        lambda: storage.put("big", b"b" * 500_000),
        lambda: storage.put("small2", b"2"),
    ]
    with Group(storage).waiting(*works) as futures:
        errors = [type(future.exception()) for future in futures]
    assert errors == [type(None), DiskFull, DiskFull, type(None)]
    assert storage.names() == ["old", "small1", "small2"]
    assert storage.get("old") == b"o" * 50_000
    writer._connection.execute("PRAGMA max_page_count = 1000000")
    storage.put("big", b"b" * 500_000)


def test_a_full_disk_keeps_what_was_acknowledged(small_disk: Path) -> None:
    database = open_database("", small_disk)
    migrate(database)
    storage = Storage(database, small_disk, inline_bytes=50_000)
    storage.put("old", b"old" * 5_000)
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 22_000_000)
    assert isinstance(database, SQLite)
    writer = database._group
    assert writer is not None
    if not small_disk.is_mount():  # only root mounts disks; for others the database itself may not grow
        writer._connection.execute("PRAGMA max_page_count = 500")
    acknowledged: dict[str, bytes] = {}
    refused: list[str] = []

    def work(thread: int) -> None:
        for i in range(60):
            name, body = f"{thread}.{i}", b"%d.%d " % (thread, i) * (12_000 if i % 5 == 0 else 3_000)
            try:
                storage.put(name, body)
                acknowledged[name] = body
            except DiskFull:
                refused.append(name)
            with contextlib.suppress(DiskFull):
                storage.put("old", b"old" * 5_000)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert len(acknowledged) >= 5
    assert len(refused) >= 5
    assert set(storage.names()) == {"old", *acknowledged}
    assert {name: storage.get(name) for name in acknowledged} == acknowledged
    assert storage.get("old") == b"old" * 5_000
    if small_disk.is_mount():  # room is made while the disk is full: by what was kept for that
        for name in list(acknowledged)[::2]:
            storage.delete(name)
            del acknowledged[name]
    assert set(storage.names()) == {"old", *acknowledged}
    ballast.unlink()
    writer._connection.execute("PRAGMA max_page_count = 1000000")
    storage.put("again", b"a" * 30_000)
    storage.delete("old")
    assert storage.get("again") == b"a" * 30_000
    assert storage.check() == []
    database.close()


def test_on_a_full_disk_a_deletion_passes_with_the_jobs_that_it_leaves(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nodes and bodies are refused there, also those that take no more of the quota than before."""

    def queue(writer: Writer) -> None:
        for _ in writer.changes:
            jobs.append(writer.unit, writer.ledger, "tell", due_us=0)

    database = open_database("", small_disk)
    migrate(database)
    storage = Storage(database, small_disk)
    for name in ("a", "b"):
        storage.put(name, b"body")
    storage.mkcol("tree")
    storage.put("tree/c")
    monkeypatch.setattr(effects, "EFFECTS", (*EFFECTS, queue))
    if small_disk.is_mount():
        (small_disk / "ballast").write_bytes(b"x" * (shutil.disk_usage(small_disk).free - 6_000_000))
    else:  # only root mounts disks
        monkeypatch.setattr(storage.blobs, "_room_bytes", lambda: -1)
    refused: list[Callable[[], object]] = [
        lambda: storage.put("new"),
        lambda: storage.put("a", b"same"),
        lambda: storage.mkcol("new"),
        lambda: storage.copy("a", "b"),
    ]
    for request in refused:
        with pytest.raises(DiskFull, match="only the reserved space of the disk is left"):
            request()
    assert count_rows(storage, ["job"]) == {"job": 0}
    for count, name in enumerate(("a", "tree"), start=1):
        storage.delete(name)
        assert count_rows(storage, ["job"]) == {"job": count}
    assert storage.names() == ["b"]
    assert storage.check() == []
    database.close()


@pytest.mark.parametrize("round_", range(3))
def test_kill_in_a_storm_of_writes(storage: Storage, tmp_path: Path, round_: int) -> None:
    database, directory = storage.database, tmp_path / "storage0"
    url = database._url if isinstance(database, PostgreSQL) else ""
    command = [sys.executable, "-m", "tests.contract.storm", url, str(directory)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(random.Random(round_).randint(20, 150))]
    process.kill()
    lines += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    if isinstance(database, PostgreSQL):  # its server may still be at the last commits
        with psycopg.connect(url, autocommit=True) as connection:
            until(lambda: connection.execute(OTHERS).fetchone() == (0,))
    assert len(lines) >= 20
    done = [max((int(line.split()[1]) + 1 for line in lines if int(line.split()[0]) == t), default=0) for t in range(4)]
    tree = storage.tree()
    for thread, steps in enumerate(done):
        found: storm.Tree = {
            place: None if etag is None else storage.get(place)
            for place, etag in tree.items()
            if place.split("/")[0] == f"w{thread}"
        }
        assert found in (storm.expected(thread, steps), storm.expected(thread, steps + 1)), f"thread {thread}"
    assert storage.check() == []
    for days_later in (0, 1):
        sweeping.sweep_uploads(database, storage.blobs, now_us=storage.now_us + days_later * SEEN_FOR_US)
    assert list_unfinished(database, storage.blobs) == []
    assert not list((storage.blob_directory / "staged").glob("*"))
    storage.put("after", b"x" * 300)


def test_a_database_that_is_read_only_is_unavailable(postgresql_storage: Storage) -> None:
    """A standby, until it takes over: reads go on, and so do writes as soon as they can."""
    storage = postgresql_storage
    storage.put("a", b"before")
    assert isinstance(storage.database, PostgreSQL)
    storage.database.look(lambda unit: unit.connection.execute("SET default_transaction_read_only = on"))
    with pytest.raises(Unavailable):
        storage.put("a", b"meanwhile")
    assert storage.get("a") == b"before"
    storage.put("a", b"after")
    assert storage.get("a") == b"after"


def test_an_upload_whose_end_is_in_doubt_is_left_to_the_jobs_at_once(postgresql_storage: Storage) -> None:
    """Its row may be there, so that nothing of it is taken back here; and no process makes it any more."""
    storage = postgresql_storage

    class Body(io.BytesIO):
        """A body in the middle of which the database becomes a standby."""

        def read(self, size: int | None = -1) -> bytes:
            storage.database.look(lambda unit: unit.connection.execute("SET default_transaction_read_only = on"))
            return super().read(size)

    seen: list[bool] = []
    context = storage.context
    services = replace(
        context.services, wake=lambda: seen.append(sweeping.has_dead_uploads(storage.database, storage.blobs))
    )
    new = NewContent(Body(b"x" * 300), 300, "text/plain")
    with pytest.raises(Unavailable):
        putting.put(replace(context, services=services), storage.at("a"), new, NONE)
    assert seen == [True]
    sweeping.sweep_uploads(storage.database, storage.blobs, now_us=storage.now_us)
    assert not sweeping.has_dead_uploads(storage.database, storage.blobs)


def test_connections_that_postgresql_ended_are_made_anew(postgresql_storage: Storage) -> None:
    """Only units in the middle of which it happens fail when the database is started anew."""
    storage = postgresql_storage
    storage.put("a", b"before")
    assert isinstance(storage.database, PostgreSQL)
    with psycopg.connect(storage.database._url, autocommit=True) as connection:
        for act in (lambda: storage.get("a"), lambda: storage.put("b", b"after")):
            connection.execute(f"SELECT pg_terminate_backend(pid) {FROM_OTHERS}")
            until(lambda: connection.execute(f"SELECT count(*) {FROM_OTHERS}").fetchone() == (0,))
            act()
    assert storage.tree() == {"a": storage.find("a").etag, "b": storage.find("b").etag}
