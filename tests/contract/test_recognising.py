"""A data directory and a database that belong together, that do not, and that were put back from a copy."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from davstore import wiring
from davstore.directory.identity import find_birth, find_identity, renew_identity
from davstore.directory.numbers import Numbers
from davstore.errors import BadSettings, InvalidSyncToken, Unavailable
from davstore.metadata import instance, stores
from davstore.metadata.database import Database
from davstore.metadata.sqlite import SQLite
from davstore.settings import load_settings
from davstore.store.recognising import is_made, recognise, set_stale_log_aside
from tests.contract.conftest import Build
from tests.contract.storage import Storage


def top(storage: Storage) -> Path:
    """Return the data directory."""
    return storage.blob_directory.parent


def start(storage: Storage, *, adopts: bool = False) -> bool:
    """Do the steps of a server's start, and return whether there are new epochs."""
    directory = top(storage)
    directory.mkdir(exist_ok=True)
    storage.database.close()
    set_stale_log_aside(storage.database, directory)
    before = epochs(storage.database)
    assert is_made(storage.database, directory, storage.blobs, adopts=adopts)
    recognise(storage.database, directory, Numbers(directory), storage.blobs, adopts=adopts)
    renew_identity(directory, storage.database.file)
    changed = [old != new for old, new in zip(before, epochs(storage.database), strict=True)]
    assert len(set(changed)) <= 1
    return any(changed)


def stop(storage: Storage) -> None:
    """Do the steps of a clean stop."""
    storage.database.close()
    renew_identity(top(storage), storage.database.file)


def epochs(database: Database) -> list[int]:
    return [epoch for _, epoch, _ in database.read(stores.list_numbers)]


def run(storage: Storage, statement: str) -> None:
    """Change rows as no request can."""
    with storage.database.engine().begin() as connection:
        connection.exec_driver_sql(statement)


def test_a_start_joins_the_two_and_leaves_the_epochs(storage: Storage, caplog: pytest.LogCaptureFixture) -> None:
    storage.put("a")
    token = storage.report().token
    assert not start(storage)
    known = find_identity(top(storage))
    assert known
    assert known.id == storage.database.read(instance.get).id
    assert len(known.id) == 32
    assert (top(storage) / "identity.json").stat().st_mode & 0o777 == 0o600
    for _ in range(2):
        assert not start(storage)
        storage.put("b")
        stop(storage)
    assert storage.report(token=token).token
    assert caplog.records == []


def test_what_an_operator_does_to_the_directory_is_no_new_epoch(storage: Storage, tmp_path: Path) -> None:
    """A server that is killed neither, a full disk neither, and not a hint that is lost or cannot be written."""
    start(storage)
    storage.put("a")
    directory = top(storage)
    for file in (directory, *directory.rglob("*")):
        file.chmod(file.stat().st_mode | 0o055)
        os.chown(file, os.getuid(), os.getgid())
        os.utime(file)
    assert not start(storage)
    storage.database.close()
    directory.rename(tmp_path / "moved")
    (tmp_path / "moved").rename(directory)
    assert not start(storage)
    (directory / "newest-numbers").unlink()
    (directory / "newest-numbers").mkdir()
    storage.numbers.close()
    storage.put("b")
    assert not start(storage)


def test_the_numbers_tell_that_the_database_alone_was_put_back(
    storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    start(storage)
    storage.add_store("other")
    for owner in ("me", "other"):
        storage.owner = owner
        for name in "abc":
            storage.put(name)
    storage.owner = "me"
    token = storage.report().token
    run(storage, "UPDATE store SET seq = seq - 1 WHERE owner = 'other'")
    assert start(storage)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "devices will compare everything once" in caplog.text
    with pytest.raises(InvalidSyncToken):
        storage.report(token=token)
    assert not start(storage)
    storage.is_clean = False


def test_a_database_that_is_put_back_again_is_known_again(storage: Storage) -> None:
    """The numbers noted after the first time are of other epochs."""
    start(storage)
    storage.put("a")
    copied = storage.database.read(instance.get), storage.facts.epoch
    storage.put("b")
    for _ in range(2):
        run(storage, f"UPDATE store SET seq = 1, epoch = {copied[1]}")
        run(storage, f"UPDATE instance SET incarnation = {copied[0].incarnation}")
        assert start(storage)
        assert not start(storage)
    storage.is_clean = False


def test_a_store_in_the_place_of_a_removed_one_begins_at_nothing(storage: Storage) -> None:
    start(storage)
    storage.put("a")
    run(storage, "UPDATE store SET seq = 0, epoch = epoch + 1")
    assert not start(storage)
    storage.is_clean = False


def _anew(data: Path, copy: Path) -> None:
    shutil.rmtree(data)
    shutil.copytree(copy, data)


def _anew_without_times(data: Path, copy: Path) -> None:
    data.rename(data.with_name("old"))
    shutil.copytree(copy, data, copy_function=shutil.copy)


def _over(data: Path, copy: Path) -> None:
    shutil.copytree(copy, data, dirs_exist_ok=True)


def _over_without_times(data: Path, copy: Path) -> None:
    shutil.copytree(copy, data, dirs_exist_ok=True, copy_function=shutil.copyfile)


def _as_rsync(data: Path, copy: Path) -> None:
    """Each file that differs is written beside the old one and renamed; what is in no copy goes."""
    for file in [file for file in data.rglob("*") if file.is_file() and not (copy / file.relative_to(data)).exists()]:
        file.unlink()
    for file in [file for file in copy.rglob("*") if file.is_file()]:
        old = data / file.relative_to(copy)
        facts = [(item.stat().st_size, item.stat().st_mtime_ns) for item in (file, old) if item.exists()]
        if facts[0] != facts[-1]:
            shutil.copy2(file, old.with_name(".part"))
            old.with_name(".part").rename(old)


def _database_alone(data: Path, copy: Path) -> None:
    shutil.copy2(copy / "davstore.sqlite", data / "davstore.sqlite")


def _database_alone_as_a_new_file(data: Path, copy: Path) -> None:
    (data / "davstore.sqlite").unlink()
    shutil.copy2(copy / "davstore.sqlite", data / "davstore.sqlite")


PUTS_BACK: list[Callable[[Path, Path], None]] = [
    _anew,
    _anew_without_times,
    _over,
    _over_without_times,
    _as_rsync,
    _database_alone,
    _database_alone_as_a_new_file,
]


@pytest.mark.parametrize("put_back", PUTS_BACK)
def test_a_directory_that_was_put_back_is_known(
    storage: Storage, tmp_path: Path, put_back: Callable[[Path, Path], None]
) -> None:
    """A directory whose database is elsewhere, and went on, is recognised too."""
    start(storage)
    storage.put("a", b"a" * 1000)
    stop(storage)
    shutil.copytree(top(storage), tmp_path / "copy")
    start(storage)
    storage.put("b", b"b" * 1000)
    token = storage.report().token
    stop(storage)
    if isinstance(storage.database, SQLite):
        storage.numbers.close()
    elif "database_alone" in put_back.__name__:
        return  # there is no file of it
    put_back(top(storage), tmp_path / "copy")
    assert start(storage)
    with pytest.raises(InvalidSyncToken):
        storage.report(token=token)
    assert not start(storage)
    storage.is_clean = isinstance(storage.database, SQLite)


def pass_a_tick(file: Path) -> None:
    """Wait until the clock of the file system is past the last change of a file: it ticks every few milliseconds."""
    probe = file.with_name("probe")
    probe.touch()
    while probe.stat().st_ctime_ns <= file.stat().st_ctime_ns:
        probe.touch()
    probe.unlink()


def test_a_log_that_a_killed_server_left_is_not_written_over_a_copy(sqlite_storage: Storage, tmp_path: Path) -> None:
    storage = sqlite_storage
    start(storage)
    storage.put("a")
    stop(storage)
    shutil.copytree(top(storage), tmp_path / "copy")
    start(storage)
    for name in "bcd":
        storage.put(name)
    killed = tmp_path / "killed"
    shutil.copytree(top(storage), killed)  # with the log, as the kernel would leave it
    stop(storage)
    log = top(storage) / "davstore.sqlite-wal"
    log.write_bytes((killed / log.name).read_bytes())
    pass_a_tick(log)
    shutil.copytree(tmp_path / "copy", top(storage), dirs_exist_ok=True)
    assert start(storage)
    assert storage.names() == ["a"]
    assert len(list(top(storage).glob("davstore.sqlite-wal.*"))) == 1


def test_a_log_that_belongs_to_a_copy_is_kept(sqlite_storage: Storage, tmp_path: Path) -> None:
    storage = sqlite_storage
    start(storage)
    storage.put("a")
    shutil.copytree(top(storage), tmp_path / "copy")
    stop(storage)
    for put_back in (_over, _anew):
        put_back(top(storage), tmp_path / "copy")
        assert start(storage)
        assert storage.names() == ["a"]
        stop(storage)


def test_a_database_that_belongs_to_another_directory_is_refused(build: Build) -> None:
    """Directory and database both name another one; `init --adopt` joins them all the same."""
    storage, other = build(), build()
    for each in (storage, other):
        start(each)
    there, here = (top(each) / "identity.json" for each in (other, storage))
    for content in (there.read_text(), None):
        if content:
            here.write_text(content)
        elif storage.database.file is None:
            here.unlink()
        with pytest.raises(BadSettings, match="belong to different stores"):
            start(storage)
    assert start(storage, adopts=True)
    assert not start(storage)
    assert storage.database.read(instance.get).id != other.database.read(instance.get).id


def test_a_directory_of_a_database_of_the_other_kind_is_refused(storage: Storage) -> None:
    start(storage)
    identity = top(storage) / "identity.json"
    kinds = ["sqlite", "postgresql"]
    other = kinds[storage.database.kind == "sqlite"]
    identity.write_text(identity.read_text().replace(storage.database.kind, other))
    with pytest.raises(BadSettings, match=r"belongs to a database in .*: name its database with -c FILE"):
        start(storage)
    assert start(storage, adopts=True)
    assert not start(storage)


def test_two_directories_do_not_claim_one_database(build: Build) -> None:
    """A row without an id is given one once, by the first process that comes."""
    storage = build()
    first = storage.database.write(lambda unit: instance.claim(unit, "a" * 32))
    assert storage.database.write(lambda unit: instance.claim(unit, "b" * 32)) == first


def test_a_sqlite_database_whose_directory_says_nothing_is_taken_for_one_put_back(sqlite_storage: Storage) -> None:
    start(sqlite_storage)
    (top(sqlite_storage) / "identity.json").unlink()
    assert start(sqlite_storage)
    run(sqlite_storage, "UPDATE instance SET id = ''")
    assert start(sqlite_storage)
    assert not start(sqlite_storage)


def test_a_database_that_names_none_of_the_bodies_is_not_joined(storage: Storage) -> None:
    """An older davstore was once started without its `-c`, for example; leftovers of dead uploads look the same."""
    staged = storage.blobs.stage(1, "0d7f3ab4-0000-4000-8000-000000000000")
    staged.publish()
    staged.close()
    with pytest.raises(BadSettings, match="the database names none"):
        start(storage)
    assert not start(storage, adopts=True)


def test_a_file_system_that_tells_no_births_tells_inodes(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    pass_a_tick(tmp_path / "a")
    (tmp_path / "b").touch()
    first, second = (find_birth(tmp_path / name) for name in "ab")
    assert first.made_ns
    assert not first.is_same(second)
    assert first.is_same(first._replace(inode=0))
    nameless = first._replace(made_ns=0)
    assert nameless.is_same(first)
    assert not nameless.is_same(second)


def test_a_database_that_is_taken_away_while_it_is_used_is_not_made_anew(sqlite_storage: Storage) -> None:
    """A thread that connects then finds none, where it would have made an empty one."""
    start(sqlite_storage)
    sqlite_storage.database.close()
    file = sqlite_storage.database.file
    assert file
    file.rename(file.with_name("aside"))
    for ask in (sqlite_storage.names, lambda: sqlite_storage.put("a")):
        with pytest.raises(Unavailable):
            ask()
    assert not file.exists()
    file.with_name("aside").rename(file)


def test_looking_at_the_file_of_a_database_ends_none_of_its_locks(sqlite_storage: Storage) -> None:
    """POSIX ends all locks of a process on a file when the process closes any of its descriptors."""
    start(sqlite_storage)
    sqlite_storage.put("a")
    file = sqlite_storage.database.file
    renew_identity(top(sqlite_storage), file)
    command = f"import sqlite3; sqlite3.connect({str(file)!r}, timeout=0).execute('PRAGMA journal_mode = DELETE')"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=False)
    assert "database is locked" in done.stderr


def test_a_sweep_takes_nothing_where_the_database_is_anothers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where the database is the right one the sweep logs how much it took."""
    settings = load_settings(flags={"data.path": str(tmp_path / "data")}, environ={})
    wiring.prepare_store(settings)
    name = "0d7f3ab4-0000-4000-8000-000000000000"
    blob, identity = tmp_path / "data" / "blobs" / "1" / "0d" / name, tmp_path / "data" / "identity.json"
    blob.parent.mkdir(parents=True)
    blob.write_bytes(b"body")
    (blob.parents[1] / "unnamed.json").write_text(json.dumps({name: 0}))
    known = find_identity(tmp_path / "data")
    assert known
    whole = identity.read_text()
    identity.write_text(whole.replace(known.id, "f" * 32))
    with pytest.raises(BadSettings):
        wiring.sweep(settings)
    assert blob.read_bytes() == b"body"
    identity.write_text(whole)
    wiring.sweep(settings)
    assert f"4 bytes in 1 bodies that no row names were moved to {tmp_path}/data/lost+found" in caplog.text
    assert not blob.exists()
