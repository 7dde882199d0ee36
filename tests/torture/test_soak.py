"""Steadiness: memory and answering times under minutes of mixed load (promise 14), and the time of a restart (12)."""

from __future__ import annotations

import contextlib
import os
import random
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from davstore.metadata import bindings, bodies, nodes, stores
from davstore.metadata.bodies import Stored
from davstore.metadata.unit import Unit
from davstore.settings import load_settings
from davstore.wiring import open_storage
from tests.client.served import Server
from tests.torture.wire import Client, Lost, digest
from tests.torture.writer import LOCKINFO

CLIENTS = 6
MEGABYTE = 1 << 20
WARM_UP_SECONDS = 120
"""Each kind of request, made alone, takes no more memory after about 20,000 of it."""
TIMES = 17_000
"""More than the dates that a worker keeps rendered, for each of two properties: the load alone takes ten minutes."""


class Load:
    """A client that keeps to a working set, so that growth is the server's; remembers how long things took."""

    def __init__(self, client: Client, number: int) -> None:
        self.client, self.top = client, f"w{number}"
        self.times: list[tuple[float, float]] = []
        self._random = random.Random(number)
        self._token = ""
        assert client.ask("MKCOL", self.top).status == 201
        for place in self._places:
            assert client.ask("PUT", place, b"first").status == 201

    @property
    def _places(self) -> list[str]:
        return [f"{self.top}/{number}" for number in range(40)]

    def step(self) -> None:
        """Do one of the things that clients do, and see that it succeeds."""
        place = self._random.choice(self._places)
        kind = self._random.choices(
            ["get", "put", "large", "propfind", "sync", "move", "lock", "miss"], [30, 20, 4, 10, 20, 6, 3, 5]
        )[0]
        started = time.monotonic()
        statuses = getattr(self, f"_{kind}")(place)
        self.times.append((started, time.monotonic() - started))
        assert all(status < 300 or status == 404 for status in statuses), (kind, statuses)

    def _get(self, place: str) -> list[int]:
        return [self.client.ask("GET", place).status]

    def _put(self, place: str) -> list[int]:
        return [self.client.ask("PUT", place, self._random.randbytes(2_000)).status]

    def _large(self, place: str) -> list[int]:
        return [self.client.ask("PUT", place, self._random.randbytes(300_000)).status]

    def _propfind(self, place: str) -> list[int]:
        return [self.client.ask("PROPFIND", self.top, Depth="1").status]

    def _sync(self, place: str) -> list[int]:
        self._token, _ = self.client.follow(self._token, {})
        return []

    def _move(self, place: str) -> list[int]:
        there, back = (self.client.href(one) for one in (f"{place}.away", place))
        return [
            self.client.ask("MOVE", place, Destination=there).status,
            self.client.ask("COPY", f"{place}.away", Destination=back).status,
            self.client.ask("DELETE", f"{place}.away").status,
        ]

    def _lock(self, place: str) -> list[int]:
        token = self.client.ask("LOCK", place, LOCKINFO, Depth="0").token
        return [self.client.ask("UNLOCK", place, Lock_Token=f"<{token}>").status]

    def _miss(self, place: str) -> list[int]:
        return [self.client.ask("GET", f"{place}.nowhere").status]


def resident_bytes(server: Server) -> int:
    """Return the memory of all processes that is their own; the page cache that SQLite maps is the system's."""
    total = 0
    for process in (server.supervisor, *server.workers):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                total += int(line.split()[1]) * 1024
    return total


def slope(samples: list[tuple[float, int]]) -> float:
    """Return by how many MB a minute the memory grows: the line through the samples."""
    line = statistics.linear_regression([at for at, _ in samples], [size for _, size in samples])
    return line.slope * 60 / MEGABYTE


def percentile_99(times: list[tuple[float, float]], start: float, stop: float) -> float:
    """Return the 99th percentile of what began in a span of time: the median over parts of ten seconds."""
    parts: dict[int, list[float]] = {}
    for began, taken in times:
        if start <= began < stop:
            parts.setdefault(int(began - start) // 10, []).append(taken)
    return statistics.median(statistics.quantiles(part, n=100)[98] for part in parts.values())


def soak(server: Server, seconds: float, warm_up: float) -> tuple[list[tuple[float, int]], list[tuple[float, float]]]:
    """Load a server; return its memory once it is warm, and how long everything took."""
    loads = [Load(Client(server), number) for number in range(CLIENTS)]
    ended, failures = threading.Event(), list[BaseException]()

    def repeat(step: Callable[[], None]) -> None:
        try:
            while not ended.is_set():
                step()
        except BaseException as error:  # noqa: BLE001  told by the thread that waits
            failures.append(error)

    threads = [threading.Thread(target=repeat, args=(load.step,)) for load in loads]
    for thread in threads:
        thread.start()
    samples, begun = [], time.monotonic()
    while (now := time.monotonic()) < begun + seconds and not failures:
        if now > begun + warm_up:
            samples.append((now, resident_bytes(server)))
        time.sleep(0.5)
    ended.set()
    for thread, load in zip(threads, loads, strict=True):
        thread.join()
        load.client.close()
    if failures:
        raise failures[0]
    return samples, [one for load in loads for one in load.times]


@pytest.fixture
def server(tmp_path: Path):
    found = Server(tmp_path / "data", tmp_path / "log")
    yield found
    found.kill()


def test_memory_does_not_run_away(server: Server) -> None:
    samples, times = soak(server, 4, 2)
    assert samples[-1][1] - samples[0][1] < 32 * MEGABYTE
    assert len(times) > 50


@pytest.mark.torture
def test_memory_and_times_stay_level(server: Server, tmp_path: Path) -> None:
    """Level once it is warm: until then the caches fill, and the heap to the most it ever holds."""
    fill(tmp_path / "data", 1, TIMES)
    listers = [Client(server) for _ in range(4 * len(server.workers))]  # open at once, so each worker has one
    assert {lister.ask("PROPFIND", "d0", Depth="1").status for lister in listers} == {207}
    for lister in listers:
        lister.close()
    samples, times = soak(server, 300 + WARM_UP_SECONDS, WARM_UP_SECONDS)
    first = samples[0][0]
    grows, last = slope(samples), samples[-1][0]
    early, late = percentile_99(times, first, first + 60), percentile_99(times, last - 60, last)
    print(f"{len(times)} steps in 5 minutes: {grows:+.2f} MB a minute, {samples[-1][1] / MEGABYTE:.0f} MB at the end")
    print(f"p99 {early * 1000:.0f} ms in the first minute, {late * 1000:.0f} ms in the last")
    assert grows < 1
    assert late < 1.5 * early


def fill(data: Path, folders: int, members: int) -> None:
    """Write the rows of a large store, straight into the database; no two members of a folder have one time."""
    storage = open_storage(load_settings(flags={"data.path": str(data)}, environ={}))
    body = Stored(b"x" * 100, None, 100, digest(b"x" * 100))

    def work(unit: Unit) -> None:
        ledger = stores.lock(unit, "me")
        for number in range(folders):
            folder, _ = nodes.insert_node(unit, ledger, nodes.empty_collection(now_us=0))
            root = ledger.facts.root_id
            bindings.bind(unit, ledger, root, f"d{number}", node_id=folder, is_collection=True)
            ledger.entries += 1 + members
            for member in range(members):
                now_us = member * 1_000_000
                row = nodes.leaf(bodies.insert_body(unit, ledger, body), body, None, now_us=now_us)
                node, _ = nodes.insert_node(unit, ledger, row)
                bindings.bind(unit, ledger, folder, f"{member}", node_id=node, is_collection=False)
                ledger.used_bytes += body.length
        stores.settle(unit, ledger, now_us=0)

    storage.database.write(work)
    storage.database.close()


def _write_until_killed(server: Server, number: int) -> None:
    client = Client(server)
    with contextlib.suppress(Lost):
        while True:
            assert client.ask("PUT", f"{number}", b"x" * 3_000).status in (201, 204)


def busy_seconds(process: int) -> float:
    """Return the processor time that a process has taken."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.torture
def test_a_store_of_100_000_restarts_within_2_seconds(server: Server, tmp_path: Path) -> None:
    """Other work on the machine does not count: the supervisor's processor time, then that of one worker."""
    fill(tmp_path / "data", 100, 1_000)
    client, taken, busy = Client(server), list[float](), list[float]()
    for _ in range(5):
        load = [threading.Thread(target=_write_until_killed, args=(server, number)) for number in range(4)]
        for thread in load:
            thread.start()
        time.sleep(0.5)
        server.kill()
        for thread in load:
            thread.join()
        client.close()
        started = time.monotonic()
        server.start()
        assert client.ask("PROPFIND", "d1", Depth="1").status == 207
        taken.append(time.monotonic() - started)
        busy.append(busy_seconds(server.supervisor) + max(map(busy_seconds, server.workers)))
    client.close()
    print(f"restarts after kill -9 at 100,000 resources: {' '.join(f'{one:.2f}' for one in sorted(taken))} s")
    print(f"of which busy, one process after the other: {' '.join(f'{one:.2f}' for one in sorted(busy))} s")
    assert statistics.median(busy) < 2
