"""A backup is the store of one instant, despite writes meanwhile, and restores into either kind of database."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from alembic import command

from davstore.blobs import Blobs
from davstore.blobs.local import LocalBlobs
from davstore.errors import (
    AlreadyRunning,
    BadBackup,
    DamagedDatabase,
    InvalidSyncToken,
    Locked,
    QuotaExceeded,
    Unprocessable,
)
from davstore.metadata import stores, uploads
from davstore.metadata.archive import Archive
from davstore.metadata.database import Database
from davstore.metadata.migrate import HEAD
from davstore.metadata.postgresql import PostgreSQL
from davstore.metadata.sqlite import SQLite
from davstore.metadata.unit import Unit
from davstore.model.locks import LockInfo, LockScope
from davstore.store import enrolling, locking, restoring
from davstore.store.backups import MANIFEST, Manifest, Meter, digest_file, hold_backup, parse_manifest, read_manifest
from davstore.store.checking import check_backup
from davstore.store.sweeping import sweep_uploads
from tests.contract import storm
from tests.contract.backups import back_up, list_files, list_rows, open_backup, restore
from tests.contract.conftest import BACKENDS, Backend, drop_database
from tests.contract.old_stores import config
from tests.contract.storage import Storage

LARGE = b"x" * 1000


@pytest.fixture(params=BACKENDS)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Yield an empty database of each kind: with the other fixtures, each kind is restored into each."""
    backend: Backend = request.getfixturevalue(f"{request.param}_backend")
    database = backend.database(tmp_path / "elsewhere")
    yield database
    database.close()
    if isinstance(database, PostgreSQL):
        server, _, name = database._url.rpartition("/")
        drop_database(server, name)


def _fill(storage: Storage) -> None:
    """Put one of everything into the store of `alice`, who has a quota."""
    enrolling.add_user(storage.database, "alice", "geheim", now_us=1, quota_bytes=4000)
    enrolling.add_device(storage.database, "alice", "phone", now_us=1)
    storage.owner = "alice"
    storage.mkcol("tree")
    storage.put("tree/large", LARGE)
    storage.put("tree/small ü€😀", b"\0\xff small")
    storage.copy("tree/large", "copy")
    storage.put("gone", LARGE)
    storage.delete("gone")
    storage.move("tree", "moved")
    storage.proppatch("moved", ("{urn:x}p", '<p xmlns="urn:x">ü\0</p>'.encode()))


def test_a_restored_store_is_the_store(storage: Storage, empty: Database, tmp_path: Path) -> None:
    """All rows and bodies but for the epoch: tokens are refused, counters and locks count, new ids are new."""
    _fill(storage)
    lock = locking.lock(
        storage.context, storage.at("copy"), LockInfo(LockScope.EXCLUSIVE, b"<o/>"), infinite=True, seconds=None
    )
    token = storage.report().token
    back_up(storage, tmp_path / "backup")
    restored = restore(tmp_path / "backup", empty, tmp_path / "elsewhere")
    other = Storage(empty, tmp_path / "elsewhere", exists=True)
    other.owner, other.now_us = "alice", storage.now_us
    assert restored == (2, [])
    assert list_rows(empty) == list_rows(storage.database)
    assert other.tree() == storage.tree()
    assert other.get("moved/large") == LARGE
    assert other.get("moved/small ü€😀") == b"\0\xff small"
    assert other.properties("moved") == storage.properties("moved")
    with pytest.raises(InvalidSyncToken):
        other.report(token=token)
    with pytest.raises(Locked):
        other.put("copy")
    with pytest.raises(QuotaExceeded):
        other.put("too much", b"x" * (4001 - other.facts.used_bytes))
    enrolling.add_user(empty, "bob", "geheim", now_us=1)
    other.owner = "bob"
    other.put("first", LARGE)
    assert other.check() == []
    assert lock.lock.token


def test_every_restore_has_an_epoch_of_its_own(storage: Storage, tmp_path: Path, sqlite_backend: Backend) -> None:
    back_up(storage, tmp_path / "backup")
    epochs = {storage.facts.epoch}
    for name in ("a", "b"):
        database = sqlite_backend.database(tmp_path / name)
        restore(tmp_path / "backup", database, tmp_path / name)
        epochs.add(database.read(partial(stores.get, owner="me")).epoch)
        database.close()
    assert len(epochs) == 3


def _sweep_twice(storage: Storage) -> None:
    """Sweep now and in a day, when what no row names is taken away."""
    for days in (0, 1):
        sweep_uploads(storage.database, storage.blobs, now_us=storage.now_us + days * 86_400_000_000)


def test_a_store_is_put_back_in_its_own_place(storage: Storage, tmp_path: Path) -> None:
    """Later writes are gone, deleted resources are there, and a body that was damaged is whole again."""
    storage.put("kept", LARGE)
    storage.put("deleted", LARGE * 2)
    before = list_rows(storage.database)
    back_up(storage, tmp_path / "backup")
    storage.delete("deleted")
    storage.put("since", LARGE)
    kept = next(file for file in storage.blob_files if file.stat().st_size == 1000)
    kept.write_bytes(b"y" * 1000)
    meter = Meter()
    restore(tmp_path / "backup", storage.database, storage.blob_directory.parent, meter)
    assert list_rows(storage.database) == before
    assert (storage.get("kept"), storage.get("deleted")) == (LARGE, LARGE * 2)
    assert storage.check() == []
    _sweep_twice(storage)
    assert len(list(storage.blobs.list_blobs(1))) == 2


def test_uploads_under_way_are_left_to_their_server(storage: Storage, tmp_path: Path) -> None:
    storage.database.write(
        partial(uploads.reserve, store_id=storage.facts.id, blob="b", reserved_bytes=9, expires_us=2**60, now_us=0)
    )
    assert "upload" not in back_up(storage, tmp_path / "backup").manifest.rows
    assert check_backup(open_backup(tmp_path / "backup")) == []


def test_a_body_is_copied_once(storage: Storage, tmp_path: Path) -> None:
    for count in range(3):
        storage.put(f"{count}", LARGE)
    back_up(storage, tmp_path / "backup")
    times = {file.stat().st_ino for file in (tmp_path / "backup" / "blobs").rglob("*-*") if file.is_file()}
    storage.put("new", LARGE)
    storage.delete("0")
    meter = Meter()
    back_up(storage, tmp_path / "backup", meter=meter)
    assert (meter.copied, meter.copied_bytes, meter.kept, meter.kept_bytes) == (1, 1000, 2, 2000)
    after = {file.stat().st_ino for file in (tmp_path / "backup" / "blobs").rglob("*-*") if file.is_file()}
    assert len(after) == 3
    assert len(after & times) == 2
    assert len(list((tmp_path / "backup").glob("*.sqlite"))) == 1
    assert check_backup(open_backup(tmp_path / "backup"), read_data=True) == []


class Acting:
    """Blobs of a backup before each of which something happens to the store."""

    def __init__(self, blobs: Blobs, act: Any) -> None:
        self._blobs, self._act = blobs, act

    def __getattr__(self, name: str) -> Any:
        return getattr(self._blobs, name)

    def stage(self, store_id: int, name: str) -> Any:
        self._act()
        return self._blobs.stage(store_id, name)


def test_what_is_deleted_while_a_backup_is_under_way_is_in_it(storage: Storage, tmp_path: Path) -> None:
    """The file of the deleted body is left to the sweeper, which takes it when the backup is done."""
    names = [f"{count}" for count in range(4)]
    for name in names:
        storage.put(name, LARGE)
    tree = storage.tree()

    def act() -> None:
        for name in names:
            storage.delete(name)
        names.clear()
        _sweep_twice(storage)
        storage.put("meanwhile", LARGE)

    directory = tmp_path / "backup"
    back_up(storage, directory, cast("Blobs", Acting(LocalBlobs(directory / "blobs"), act)))
    assert check_backup(open_backup(directory), read_data=True) == []
    assert len(list(storage.blobs.list_blobs(1))) > 1
    _sweep_twice(storage)
    assert len(list(storage.blobs.list_blobs(1))) == 1
    restore(directory, storage.database, storage.blob_directory.parent)
    assert storage.tree() == tree
    assert storage.check() == []


def test_a_damaged_body_is_told_and_the_rest_is_backed_up(storage: Storage, tmp_path: Path) -> None:
    """A body missing or altered in the store is restored as it was found; once it is whole again it is copied again."""
    for name in ("altered", "missing", "whole"):
        storage.put(name, LARGE + name.encode())
    files = {file.read_bytes()[1000:].decode(): file for file in storage.blob_files}
    whole = files["altered"].read_bytes()
    files["altered"].write_bytes(b"y" + whole[1:])
    lost = files["missing"].read_bytes()
    files["missing"].unlink()
    storage.is_clean = False
    done = back_up(storage, tmp_path / "backup")
    assert {(finding.store, finding.what) for finding in done.damaged} == {
        ("me", files["altered"].name),
        ("me", files["missing"].name),
    }
    assert len(check_backup(open_backup(tmp_path / "backup"))) >= 2
    files["missing"].write_bytes(lost)
    restored = restore(tmp_path / "backup", storage.database, storage.blob_directory.parent)
    assert restored.damaged == [f"1/{files['altered'].name}"]  # the other one is whole where it was
    assert storage.get("whole") == LARGE + b"whole"
    assert storage.get("altered") == b"y" + whole[1:]
    assert storage.get("missing") == LARGE + b"missing"
    files["altered"].write_bytes(whole)
    assert back_up(storage, tmp_path / "backup").damaged == []
    assert check_backup(open_backup(tmp_path / "backup"), read_data=True) == []
    storage.is_clean = True


def test_a_damaged_small_body_is_told(storage: Storage, tmp_path: Path) -> None:
    storage.put("small", b"small")
    storage.is_clean = False
    with storage.database.engine().begin() as connection:
        connection.exec_driver_sql(
            "UPDATE body SET inline = CAST('smell' AS BLOB)"
            if isinstance(storage.database, SQLite)
            else "UPDATE body SET inline = 'smell'::bytea"
        )
    [finding] = back_up(storage, tmp_path / "backup").damaged
    assert (finding.store, finding.kind) == ("me", "body does not match its digest")


def test_a_backup_in_a_storm_is_a_state_that_was(storage: Storage, sqlite_backend: Backend, tmp_path: Path) -> None:
    """Each write that was acknowledged before it began is in it, and no half of one."""
    database, place = storage.database, storage.blob_directory.parent
    url = database._url if isinstance(database, PostgreSQL) else ""
    process = subprocess.Popen([sys.executable, "-m", "tests.contract.storm", url, str(place)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline() for _ in range(100)]
        for _ in range(2):
            back_up(storage, tmp_path / "backup")
    finally:
        process.kill()
        later = lines + process.stdout.readlines()
        process.wait()
        process.stdout.close()
    target = sqlite_backend.database(tmp_path / "elsewhere")
    restore(tmp_path / "backup", target, tmp_path / "elsewhere")
    other = Storage(target, tmp_path / "elsewhere", exists=True)
    assert other.check() == []
    tree = other.tree()
    bodies = {spot: None if etag is None else other.get(spot) for spot, etag in tree.items()}
    for thread in range(storm.THREADS):
        found = {spot: body for spot, body in bodies.items() if spot.split("/")[0] == f"w{thread}"}
        span = range(_count(lines, thread), _count(later, thread) + 2)
        assert any(found == storm.expected(thread, steps) for steps in span), f"thread {thread}, {span}"
    target.close()


def _count(lines: list[bytes], thread: int) -> int:
    """Return how many operations of a thread were acknowledged."""
    return max((int(line.split()[1]) + 1 for line in lines if int(line.split()[0]) == thread), default=0)


@pytest.fixture
def backup(sqlite_backend: Backend, tmp_path: Path) -> Path:
    """Return a backup of a store that has one of everything."""
    source = Storage(sqlite_backend.database(tmp_path / "source"), tmp_path / "source")
    _fill(source)
    back_up(source, tmp_path / "backup")
    source.database.close()
    return tmp_path / "backup"


def _flip(file: Path, position: int) -> None:
    content = bytearray(file.read_bytes())
    content[position] ^= 1
    file.write_bytes(content)


def _cut(file: Path, length: int) -> None:
    os.truncate(file, length)


def _refuse(storage: Storage, backup: Path, error: type[Exception]) -> None:
    """See that a backup is refused, and nothing in a store is touched that is there."""
    place = storage.blob_directory.parent
    before = list_rows(storage.database), storage.facts.epoch, list_files(place)
    with pytest.raises(error):
        restore(backup, storage.database, place)
    assert (list_rows(storage.database), storage.facts.epoch, list_files(place)) == before


def _places(backup: Path) -> list[Path]:
    [database] = backup.glob("davstore-*.sqlite")
    blobs = [file for file in (backup / "blobs").rglob("*") if file.is_file()]
    return [backup / MANIFEST, database, *blobs]


@pytest.mark.parametrize("number", range(3))
def test_what_was_altered_or_cut_is_refused(storage: Storage, backup: Path, number: int) -> None:
    """One byte of the manifest, the rows or a body: nothing is touched, and `check` finds it."""
    storage.put("there", LARGE)
    file = _places(backup)[number]
    content = file.read_bytes()
    for position in (0, len(content) // 2, len(content) - 1):
        _flip(file, position)
        _refuse(storage, backup, BadBackup)
        _assert_found(backup)
        file.write_bytes(content)
        _cut(file, position)
        _refuse(storage, backup, BadBackup)
        _assert_found(backup)
        file.write_bytes(content)
    file.unlink()
    _refuse(storage, backup, Unprocessable if file.name == MANIFEST else BadBackup)


def _assert_found(backup: Path) -> None:
    with contextlib.suppress(BadBackup):
        assert check_backup(open_backup(backup), read_data=True)


def test_no_byte_of_a_manifest_can_be_altered(backup: Path) -> None:
    content = (backup / MANIFEST).read_bytes()
    assert parse_manifest(content) == read_manifest(backup)
    for position in range(len(content)):
        for mask in (1, 0x20, 0xFF):
            altered = bytearray(content)
            altered[position] ^= mask
            with pytest.raises((BadBackup, Unprocessable)):
                parse_manifest(bytes(altered))


@pytest.mark.parametrize("change", [{"format": 2}, {"revision": "9999"}])
def test_a_backup_of_a_newer_davstore_is_refused(storage: Storage, backup: Path, change: dict[str, Any]) -> None:
    manifest = read_manifest(backup)
    fields = {name: getattr(manifest, name) for name in Manifest.__dataclass_fields__}
    (backup / MANIFEST).write_bytes(Manifest(**{**fields, **change}).render())
    _refuse(storage, backup, Unprocessable)


def test_a_backup_of_the_first_tables_is_restored(storage: Storage, empty: Database, tmp_path: Path) -> None:
    """The restore brings the tables of today, and `check` reads the backup."""
    storage.put("a", LARGE)
    back_up(storage, tmp_path / "backup")
    manifest = read_manifest(tmp_path / "backup")
    file = tmp_path / "backup" / manifest.database_file
    archive = Archive(file, new=True)
    command.downgrade(config(archive), "0001")
    archive.close()
    _rewrite(tmp_path / "backup", revision="0001")
    assert check_backup(open_backup(tmp_path / "backup"), read_data=True) == []
    restore(tmp_path / "backup", empty, tmp_path / "elsewhere")
    assert Storage(empty, tmp_path / "elsewhere", exists=True).get("a") == LARGE
    assert HEAD >= "0001"


def _rewrite(backup: Path, **change: Any) -> None:
    """Give a backup the manifest of the file that it holds now."""
    manifest = read_manifest(backup)
    length, sha256 = digest_file(backup / manifest.database_file)
    fields = {name: getattr(manifest, name) for name in Manifest.__dataclass_fields__}
    fields |= {"database_bytes": length, "database_sha256": sha256, **change}
    (backup / MANIFEST).write_bytes(Manifest(**fields).render())


def test_one_backup_at_a_time(storage: Storage, tmp_path: Path) -> None:
    """Of one store, or into one directory, there is one at a time; and none while a backup is read."""
    with storage.blobs.retain(), pytest.raises(AlreadyRunning):
        back_up(storage, tmp_path / "a")
    for writing in (True, False):
        (tmp_path / "b").mkdir(exist_ok=True)
        (tmp_path / "b" / "in-use.lock").touch()
        with hold_backup(tmp_path / "b", writing=writing), pytest.raises(AlreadyRunning):
            back_up(storage, tmp_path / "b")
    back_up(storage, tmp_path / "b")
    with hold_backup(tmp_path / "b", writing=False), hold_backup(tmp_path / "b", writing=False):
        pass


def test_a_backup_of_another_instance_is_left_alone(sqlite_storage: Storage, tmp_path: Path) -> None:
    """Its bodies are named by no row of this one, and would be taken away."""
    back_up(sqlite_storage, tmp_path / "backup", instance="one")
    with pytest.raises(Unprocessable, match="another instance"):
        back_up(sqlite_storage, tmp_path / "backup", instance="other")
    back_up(sqlite_storage, tmp_path / "backup", instance="one")


def test_a_directory_of_something_else_is_left_alone(storage: Storage, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "davstore-mine.sqlite").write_bytes(b"mine")
    with pytest.raises(Unprocessable):
        back_up(storage, tmp_path / "files")
    assert [file.name for file in (tmp_path / "files").iterdir()] == ["davstore-mine.sqlite"]


def test_a_store_in_use_is_not_replaced(sqlite_storage: Storage, backup: Path) -> None:
    """Programs that are no `serve` hold no lock of ours."""
    storage = sqlite_storage
    place = storage.blob_directory.parent
    other = SQLite(place / "davstore.sqlite")
    other.read(stores.list_owners)
    before = list_rows(storage.database)
    with pytest.raises(AlreadyRunning):
        restore(backup, storage.database, place)
    assert list_rows(storage.database) == before
    assert not (place / "restoring.sqlite").exists()
    other.close()
    restore(backup, storage.database, place)


def test_rows_that_cannot_be_put_in_leave_the_store_as_it_was(sqlite_storage: Storage, backup: Path) -> None:
    place = sqlite_storage.blob_directory.parent
    before = list_rows(sqlite_storage.database)

    def join(_unit: Unit) -> None:
        raise DamagedDatabase("rows contradict each other")

    found = open_backup(backup)
    with pytest.raises(DamagedDatabase):
        restoring.restore(found, sqlite_storage.database, LocalBlobs(place / "blobs"), place, join=join, meter=Meter())
    assert list_rows(sqlite_storage.database) == before
    assert not (place / restoring.STAGED).exists()


def test_a_broken_store_is_replaced(sqlite_storage: Storage, backup: Path) -> None:
    storage = sqlite_storage
    storage.database.close()
    for file in storage.blob_directory.parent.glob("davstore.sqlite*"):
        file.write_bytes(b"no database" * 1000)
    restore(backup, storage.database, storage.blob_directory.parent)
    assert storage.check() == []
