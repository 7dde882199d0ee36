"""A disk that is really full, under a server of two workers: promise 5 of `docs/reliability.md`.

Only root can mount one. The short form of this, in one process, is `tests/contract/test_durability.py`.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import random
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

from davstore.settings import load_settings
from davstore.store.checking import check
from davstore.wiring import open_storage
from tests.client.served import Server
from tests.contract.conftest import drop_database
from tests.torture.wire import Client, Entry, Tree, digest

pytestmark = pytest.mark.torture

WRITERS = 4
REFUSALS = 10
FULL = 507
NOTE = b"""<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><note xmlns="urn:x">%s</note></D:prop></D:set>
</D:propertyupdate>"""


class Glutton:
    """A client with a folder of its own that takes 2xx and 507 for an answer: then nothing has changed."""

    def __init__(self, client: Client, top: str) -> None:
        self.client, self.top = client, top
        self.tree: Tree = {}
        self.answers: Counter[tuple[str, int]] = Counter()
        self._random = random.Random(top)
        self._count = itertools.count()

    def ask(self, method: str, place: str, after: Tree, body: bytes | None = None, **headers: str) -> int:
        """Send a request that leaves a tree when it succeeds; return its status."""
        answer = self.client.ask(method, place, body, **headers)
        status = FULL if answer.status == 207 and b" 507 " in answer.body else answer.status
        assert status < 300 or status == FULL, answer
        if status < 300:
            self.tree = after
        self.answers[method, status] += 1
        return status

    def put(self, place: str, size: int) -> int:
        """PUT a body unlike any other."""
        body = self._random.randbytes(size)
        note = self.tree[place].note if place in self.tree else None
        return self.ask("PUT", place, {**self.tree, place: Entry(digest(body), note)}, body)

    def gorge(self) -> None:
        """Work until enough was refused."""
        refused = 0
        while refused < REFUSALS:
            refused += self.bite() == FULL

    def bite(self) -> int:
        """Do one thing that takes room."""
        place = f"{self.top}/{next(self._count)}"
        kind = self._random.choice(["new", "new", "new", "old", "copy", "folder", "note"])
        if kind == "new":
            return self.put(place, self._random.choice([300, 3_000, 60_000, 400_000]))
        old = f"{self.top}/old"
        if kind == "old" or old not in self.tree:
            return self.put(old, self._random.choice([300, 30_000, 90_000]))
        if kind == "copy":
            after = {**self.tree, place: self.tree[old]}
            return self.ask("COPY", old, after, Destination=self.client.href(place))
        if kind == "folder":
            return self.ask("MKCOL", place, {**self.tree, place: Entry(None)})
        note = b"%d " % next(self._count) * 300
        after = {**self.tree, old: Entry(self.tree[old].digest, note.decode())}
        return self.ask("PROPPATCH", old, after, NOTE % note)

    def shed(self) -> Iterator[int]:
        """Delete every second thing, and yield what came of it."""
        for place in list(self.tree)[::2]:
            yield self.ask("DELETE", place, {one: entry for one, entry in self.tree.items() if one != place})

    def judge(self) -> None:
        """See that all that was acknowledged is there, whole, and nothing else."""
        assert self.client.tree(self.top) == self.tree
        for place, entry in self.tree.items():
            if entry.digest is not None:
                assert hashlib.sha256(self.client.ask("GET", place).body).hexdigest() == entry.digest


class Disk(NamedTuple):
    """The full disk: the directory, the database's URL, and the bytes up to which a body is in the database.

    keeps_room: davstore sees the disk, and keeps a reserve to make room with.
    """

    directory: Path
    database_url: str
    inline_bytes: int
    keeps_room: bool


@pytest.fixture(params=["sqlite", "postgresql"])
def disk(request: pytest.FixtureRequest) -> Iterator[Disk]:
    """Yield a disk of 32 MiB with all of a store on SQLite, or with a PostgreSQL database."""
    with tempfile.TemporaryDirectory(prefix="davstore-small-") as directory:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m,mode=0755", "tmpfs", directory], check=True)
        try:
            if request.param == "sqlite":
                yield Disk(Path(directory), "", 65_536, keeps_room=True)
            else:
                yield from _postgresql(Path(directory), request.getfixturevalue("postgresql_server"))
        finally:
            subprocess.run(["umount", "-l", directory], check=True)


def _postgresql(directory: Path, server: str) -> Iterator[Disk]:
    shutil.chown(directory, "postgres", "postgres")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE TABLESPACE davstore_small LOCATION '{directory}'")
        connection.execute("CREATE DATABASE davstore_small TABLESPACE davstore_small")
        yield Disk(directory, f"{server}/davstore_small", 1_000_000, keeps_room=False)
        drop_database(server, "davstore_small")
        connection.execute("DROP TABLESPACE davstore_small")


def all_at_once(works: list[Callable[[], object]]) -> None:
    with ThreadPoolExecutor(len(works)) as pool:
        for future in [pool.submit(work) for work in works]:
            future.result()


def eat(ballast: Path, most: int) -> None:
    """Take so much of the disk, or all that is left."""
    with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
        for _ in range(most // 4096):
            file.write(b"x" * 4096)


def test_a_full_disk(disk: Disk, tmp_path_factory: pytest.TempPathFactory) -> None:
    data = disk.directory / "data" if disk.keeps_room else tmp_path_factory.mktemp("data")
    settings = {"DATABASE__URL": disk.database_url, "STORAGE__INLINE_BYTES": str(disk.inline_bytes)}
    server = Server(data, tmp_path_factory.mktemp("log") / "log", **settings)
    gluttons = [Glutton(Client(server), f"w{number}") for number in range(WRITERS)]
    ballast = disk.directory / "ballast"
    try:
        workers = server.workers
        for glutton in gluttons:
            assert glutton.client.ask("MKCOL", glutton.top).status == 201
            assert glutton.put(f"{glutton.top}/old", 90_000) == 201
        eat(ballast, shutil.disk_usage(disk.directory).free - 14_000_000)
        for greed in (0, 1 << 40):  # first what davstore takes itself, then when others leave nothing
            eat(ballast, greed)
            all_at_once([glutton.gorge for glutton in gluttons])
            for glutton in gluttons:
                glutton.judge()
            shed = Counter(status for glutton in gluttons for status in glutton.shed())
            print(f"others take {'all' if greed else 'some'}: DELETE {dict(shed)}")
            assert not disk.keeps_room or greed or set(shed) == {204}
            for glutton in gluttons:
                glutton.judge()
        ballast.unlink()
        for glutton in gluttons:
            assert {glutton.bite() for _ in range(20)} <= {200, 201, 204, 207}
            assert {*glutton.shed()} <= {204}
            glutton.judge()
        assert server.workers == workers, "no worker was started anew"
        print(dict(sum((glutton.answers for glutton in gluttons), Counter())))
    finally:
        for glutton in gluttons:
            glutton.client.close()
        server.kill()
    storage = open_storage(load_settings(flags={"data.path": str(data), "database.url": disk.database_url}, environ={}))
    assert check(storage.database, storage.blobs, read_data=True) == []
    storage.database.close()
