"""kill -9 at every step of a backup and of a restore: the state before is whole, or the new one is complete."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from davstore.errors import BadSettings
from davstore.metadata.database import Database
from davstore.metadata.opening import open_database
from davstore.metadata.postgresql import PostgreSQL
from davstore.settings import load_settings
from davstore.store.checking import check_backup
from davstore.store.restoring import STAGED
from davstore.wiring import find_storage
from tests.contract.backups import back_up, list_rows, open_backup, restore
from tests.contract.conftest import Backend
from tests.contract.storage import Storage

STEPS = ("open", "os.mkdir", "os.rename", "os.remove", "os.truncate", "sqlite3.connect")
LARGE = b"x" * 1000


def _die_at(step: int, work: Callable[[], object]) -> bool:
    """Run work in a process that is killed before its step-th step on the disk; return whether there were as many."""
    process = os.fork()
    if process == 0:
        steps = 0

        def count(event: str, _words: tuple[Any, ...]) -> None:
            nonlocal steps
            if event in STEPS:
                steps += 1
                if steps == step:
                    os.kill(os.getpid(), signal.SIGKILL)

        status = 1
        try:
            sys.addaudithook(count)
            work()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(process, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def _again(database: Database, directory: Path) -> Database:
    """Open a database anew, as a process of its own has to."""
    return open_database(database._url if isinstance(database, PostgreSQL) else "", directory)


def _kills(work: Callable[[], object], directory: Path) -> Iterator[int]:
    """Kill a process that does the work at each of its steps; each finds the directory as it is now."""
    original = directory.with_name("original")
    shutil.copytree(directory, original)
    step = 1
    while _die_at(step, work):
        yield step
        shutil.rmtree(directory)
        shutil.copytree(original, directory)
        step += 1
    assert step > 20


def test_a_backup_that_is_killed_leaves_the_earlier_one_or_the_new_one(sqlite_storage: Storage, tmp_path: Path) -> None:
    storage, directory = sqlite_storage, tmp_path / "backup"
    place = storage.blob_directory.parent
    storage.put("a", LARGE)
    storage.put("b", LARGE)

    def work() -> None:
        back_up(Storage(_again(storage.database, place), place, exists=True), directory)

    back_up(storage, directory)
    earlier = open_backup(directory).manifest.database_file
    storage.delete("a")
    storage.put("c", LARGE * 2)
    storage.database.close()
    seen = set()
    for _ in _kills(work, directory):
        backup = open_backup(directory)
        assert check_backup(backup, read_data=True) == []
        seen.add(backup.manifest.database_file == earlier)
    assert seen == {True, False}
    assert len(list(directory.glob("*.sqlite"))) == 1
    assert len([file for file in (directory / "blobs").rglob("*") if file.is_file()]) == 2


def test_a_restore_that_is_killed_leaves_the_earlier_store_or_the_new_one(
    storage: Storage, sqlite_backend: Backend, tmp_path: Path
) -> None:
    """A restore that was killed before its end is reported at the next start, and ends well when it is run again."""
    directory, place = tmp_path / "backup", storage.blob_directory.parent
    source = Storage(sqlite_backend.database(tmp_path / "source"), tmp_path / "source")
    for name in ("a", "b"):
        source.put(name, LARGE)
    back_up(source, directory)
    storage.put("earlier", LARGE)
    trees = [storage.tree(), source.tree()]
    storage.database.close()

    def work() -> None:
        restore(directory, _again(storage.database, place), place)

    found = []
    for _ in _kills(work, place):
        found.append(trees.index(storage.tree()))
        assert storage.check() == []
        url = storage.database._url if isinstance(storage.database, PostgreSQL) else ""
        settings = load_settings(flags={"data.path": str(place), "database.url": url}, environ={})
        if (place / STAGED).exists():
            with pytest.raises(BadSettings, match="a restore did not come to its end"):
                find_storage(settings)
        storage.database.close()
    assert found == sorted(found)
    assert set(found) == {0, 1}
    assert list_rows(storage.database) == list_rows(source.database)
    assert not (place / STAGED).exists()
    source.database.close()
