"""Stores of any size, written through the store's own functions or by `davstore import`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from davstore.metadata import bindings, bodies, nodes, stores
from davstore.metadata.bodies import Stored
from davstore.metadata.stores import Ledger
from davstore.metadata.unit import Unit
from davstore.settings import load_settings
from davstore.wiring import Storage, open_storage

T = TypeVar("T")

BODY = Stored(b"x" * 2048, None, 2048, "0" * 64)
UNIT = 100_000
"""Members written in one transaction."""


def fill(directory: Path, name: str, folders: int, members: int) -> None:
    """Make a collection with folders of so many members each; 1: the members lie in the collection itself."""
    storage = open_storage(load_settings(flags={"data.path": str(directory)}, environ={}))

    def top(unit: Unit, ledger: Ledger) -> int:
        return _folder(unit, ledger, ledger.facts.root_id, name)

    try:
        parent = _write(storage, top)
        if folders > 1:
            _write(storage, lambda unit, ledger: _folders(unit, ledger, parent, folders, members))
        for start in range(0, members if folders == 1 else 0, UNIT):
            numbers = range(start, min(start + UNIT, members))
            _write(storage, lambda unit, ledger, numbers=numbers: _members(unit, ledger, parent, numbers))
    finally:
        storage.database.close()


class Importer:
    """`davstore import` into the store in a directory, which is made; module is the one that is run as `davstore`.

    The modules of an installation are compiled once and not at each start; so they are here.
    """

    def __init__(self, directory: Path, *, module: str = "davstore") -> None:
        self._command, self._data = [sys.executable, "-m", module], ["--data", str(directory)]
        self._environ = {**os.environ, "PYTHONPYCACHEPREFIX": f"{directory}-compiled"}
        self._environ.pop("PYTHONDONTWRITEBYTECODE", None)
        if not directory.exists():
            self._run("init", *self._data)
        self._run("import", "--help")

    def import_from(self, source: Path, folder: str) -> float:
        """Return the seconds of an import, the start of its process included."""
        begun = time.perf_counter()
        self._run("import", "me", str(source), "--into", folder, *self._data)
        return time.perf_counter() - begun

    def _run(self, *words: str) -> None:
        subprocess.run([*self._command, *words], check=True, env=self._environ, capture_output=True)


def write_files(source: Path, bodies: Sequence[bytes]) -> Path:
    """Write messages into a directory that is made, and return it."""
    source.mkdir(parents=True)
    for number, body in enumerate(bodies):
        (source / f"{number}.eml").write_bytes(body)
    return source


def import_messages(directory: Path, bodies: Sequence[bytes], folder: str, *, module: str = "davstore") -> None:
    """Import messages into a folder of a store, with names by their numbers."""
    source = write_files(directory.with_name(f"{directory.name}-source"), bodies)
    Importer(directory, module=module).import_from(source, folder)
    shutil.rmtree(source)


def _write(storage: Storage, work: Callable[[Unit, Ledger], T]) -> T:
    def locked(unit: Unit) -> T:
        ledger = stores.lock(unit, "me")
        value = work(unit, ledger)
        stores.settle(unit, ledger, now_us=0)
        return value

    return storage.database.write(locked)


def _folders(unit: Unit, ledger: Ledger, parent_id: int, count: int, members: int) -> None:
    for number in range(count):
        _members(unit, ledger, _folder(unit, ledger, parent_id, f"d{number}"), range(members))


def _folder(unit: Unit, ledger: Ledger, parent_id: int, name: str) -> int:
    node_id, _ = nodes.insert_node(unit, ledger, nodes.empty_collection(now_us=0))
    bindings.bind(unit, ledger, parent_id, name, node_id=node_id, is_collection=True)
    ledger.entries += 1
    return node_id


def _members(unit: Unit, ledger: Ledger, parent_id: int, numbers: range) -> None:
    for number in numbers:
        body_id = bodies.insert_body(unit, ledger, BODY)
        node_id, _ = nodes.insert_node(unit, ledger, nodes.leaf(body_id, BODY, "message/rfc822", now_us=number * 10**7))
        name = f"message-{number}.eml"
        bindings.bind(unit, ledger, parent_id, name, node_id=node_id, is_collection=False)
    ledger.entries += len(numbers)
    ledger.used_bytes += len(numbers) * BODY.length
