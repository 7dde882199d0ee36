"""kill -9 in a storm of writes over two workers: promises 1, 2, 12 and 13 of `docs/reliability.md`."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from davstore.blobs.unnamed import SEEN_FOR_US
from davstore.settings import load_settings
from davstore.store.checking import check, list_unfinished
from davstore.store.sweeping import sweep_uploads
from davstore.wiring import open_storage
from tests.client.served import Server
from tests.torture.conftest import Serve
from tests.torture.wire import Answer, Client, Lost, Tree
from tests.torture.writer import PENDULUM, Disagreement, Writer, difference
from tests.waiting import until

WRITERS = 4


class Witness:
    """A device that follows the store all the time, reads what it finds, and remembers each state it was in."""

    def __init__(self, client: Client, seed: int) -> None:
        self.client, self.random = client, random.Random(seed)
        self.token, self.mirror = client.follow("", {})
        self.states: list[tuple[str, Tree]] = [(self.token, self.mirror)]

    def watch(self) -> None:
        """Follow once, and read one body."""
        self.token, self.mirror = self.client.follow(self.token, self.mirror)
        self.states.append((self.token, self.mirror))
        self.judge_pendulums(self.client.tree())
        self.read(self.random.choice([*self.mirror]))

    def read(self, place: str) -> None:
        """Read a body and hold it against its entity tag."""
        answer: Answer = self.client.ask("GET", place)
        assert answer.status in (200, 307, 404), answer  # 307: it is a collection by now
        if answer.etag and hashlib.sha256(answer.body).hexdigest() != answer.etag.strip('"'):
            raise Disagreement(f"{place} is torn: {len(answer.body)} bytes")

    @staticmethod
    def judge_pendulums(tree: Tree) -> None:
        """See that each pendulum hangs whole on one side."""
        for number in range(WRITERS):
            sides = {name: [f"w{number}/{name}", *(f"w{number}/{name}/{one}" for one in range(3))] for name in PENDULUM}
            seen = {name: [place in tree for place in places] for name, places in sides.items()}
            if sorted(map(sum, seen.values())) != [0, 4]:
                raise Disagreement(f"half a MOVE: {seen}")

    def replay(self, tree: Tree, states: list[tuple[str, Tree]]) -> None:
        """Come back as the device that was away since a state: it must end with exactly the tree."""
        for token, mirror in states:
            _, kept = self.client.follow(token, mirror)
            if difference(_unlocked(kept), tree):
                raise Disagreement(f"from {token}: {difference(_unlocked(kept), tree)}")


def _unlocked(tree: Tree) -> Tree:
    """Return a tree without locks: they come and go without a change number."""
    return {place: type(entry)(entry.digest, entry.note) for place, entry in tree.items()}


class Storm:
    """Writers and a witness on a server, round after round."""

    def __init__(self, server: Server, data: Path, seed: int, settled: Callable[[], bool], url: str) -> None:
        print(f"seed {seed}")
        self.server, self.data, self.settled, self.url = server, data, settled, url
        self.random = random.Random(seed)
        clients = [Client(server, lost=503) for _ in range(WRITERS + 1)]
        self.writers = [Writer(client, f"w{number}", seed) for number, client in enumerate(clients[1:])]
        for writer in self.writers:
            writer.settle_in()
        self.client = Client(server)
        self.witness = Witness(clients[0], seed)
        self.failures: list[BaseException] = []
        self.restarts: list[float] = []

    def rage(self, strike: Callable[[], None]) -> None:
        """Let all work until the strike, and end those that it did not."""
        ended = threading.Event()
        works = [*(writer.work for writer in self.writers), self.witness.watch]
        threads = [threading.Thread(target=self._repeat, args=(work, ended)) for work in works]
        for thread in threads:
            thread.start()
        wanted = self.acknowledged + WRITERS
        until(lambda: self.failures or self.acknowledged >= wanted)
        time.sleep(self.random.random() * 0.2)
        strike()
        ended.set()
        for thread in threads:
            thread.join()
        if self.failures:
            raise self.failures[0]

    @property
    def acknowledged(self) -> int:
        """The number of requests answered with success so far."""
        return sum(writer.acknowledged for writer in self.writers)

    def _repeat(self, work: Callable[[], None], ended: threading.Event) -> None:
        try:
            while not ended.is_set():
                work()
        except Lost:
            pass
        except BaseException as error:  # noqa: BLE001  told by the thread that waits
            self.failures.append(error)

    def kill_all(self) -> None:
        """The power goes."""
        self.server.kill()
        until(self.settled)
        self.check()
        self._start()

    def kill_a_worker(self) -> None:
        """One worker goes, the other serves on, and the supervisor starts another."""
        victim = self.random.choice(self.server.workers)
        os.kill(victim, signal.SIGKILL)
        until(lambda: victim not in self.server.workers and len(self.server.workers) == 2)
        until(self.server.is_ready)  # the other may be just as young

    def kill_the_supervisor(self) -> None:
        """The supervisor goes, and its workers with it."""
        workers = self.server.workers
        self.server.kill_supervisor()
        until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
        self._start()

    def drop_sessions(self) -> None:
        """PostgreSQL ends all connections, as it does when it is started anew; the workers live on."""
        workers = self.server.workers
        with psycopg.connect(self.url, autocommit=True) as connection:
            ended = connection.execute(
                "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchall()
            living = "SELECT 1 FROM pg_stat_activity WHERE pid = ANY(%s)"
            until(lambda: connection.execute(living, ([pid for pid, _ in ended],)).fetchone() is None)
        assert self.server.workers == workers

    def _start(self) -> None:
        started = time.monotonic()
        self.server.start()
        self.restarts.append(time.monotonic() - started)

    def check(self) -> None:
        """Run `davstore check --read-data`, when nothing runs."""
        settings = {"data.path": str(self.data), "database.url": self.url}
        storage = open_storage(load_settings(flags=settings, environ={}))
        found = check(storage.database, storage.blobs, read_data=True)
        storage.database.close()
        assert found == []

    def hang_up(self) -> None:
        """Close all connections: some lead to a process that is no more."""
        for client in (self.client, self.witness.client, *(writer.client for writer in self.writers)):
            client.close()

    def judge(self, *, states: int) -> None:
        """Hold everything against the models; replay from the last state and from some earlier ones."""
        until(self.settled)
        self.hang_up()
        for writer in self.writers:
            writer.compare(self.client.tree(writer.top))
        tree = self.client.tree()
        Witness.judge_pendulums(tree)
        known = self.witness.states
        chosen = self.random.sample(known, min(states, len(known)))
        self.witness.replay(_unlocked(tree), [*chosen, known[-1]])

    def end(self) -> None:
        """See that all bodies read whole, that every earlier token replays, and that no litter is left."""
        tree = self.client.tree()
        for place in tree:
            self.witness.read(place)
        self.witness.replay(_unlocked(tree), self.witness.states)
        self.server.kill()
        until(self.settled)
        self.server.start()
        until(lambda: not list((self.data / "blobs" / "staged").glob("*")))
        self.server.kill()
        until(self.settled)
        storage = open_storage(load_settings(flags={"data.path": str(self.data), "database.url": self.url}, environ={}))
        for days_later in (0, 1):
            now_us = time.time_ns() // 1000 + days_later * SEEN_FOR_US
            sweep_uploads(storage.database, storage.blobs, now_us=now_us)
        assert list_unfinished(storage.database, storage.blobs) == []
        storage.database.close()
        self.check()


@pytest.fixture
def storm(serve: Serve, tmp_path: Path, database_url: str, settled: Callable[[], bool]) -> Iterator[Storm]:
    """Yield a storm; SEED names another than usual."""
    data = tmp_path / "data"
    found = Storm(serve(data), data, int(os.environ.get("SEED", "1")), settled, database_url)
    yield found
    found.hang_up()


def survive(storm: Storm, strikes: list[str]) -> None:
    for strike in strikes:
        storm.rage(getattr(storm, strike))
        storm.judge(states=3)
    storm.end()
    print(f"{len(strikes)} strikes, {storm.acknowledged} acknowledged, {len(storm.witness.states)} tokens replayed")
    if storm.restarts:
        print(f"restarts: {len(storm.restarts)}, longest {max(storm.restarts):.2f} s")


def test_nothing_is_lost_in_a_few_kills(storm: Storm) -> None:
    survive(storm, ["kill_all", "kill_a_worker"])


@pytest.mark.torture
def test_nothing_is_lost_in_200_kills(storm: Storm) -> None:
    survive(storm, storm.random.choices(["kill_all", "kill_a_worker", "kill_the_supervisor"], [8, 3, 1], k=200))


@pytest.mark.torture
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_nothing_is_lost_when_postgresql_drops_100_times_all_connections(storm: Storm) -> None:
    survive(storm, ["drop_sessions"] * 100)
