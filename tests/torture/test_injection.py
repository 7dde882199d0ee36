"""Every write, fsync and rename of a PUT, MOVE and DELETE fails once, and is once the last thing a worker does.

After each: an honest answer, the old tree or the new one, a server that goes on, and nothing that `check` calls damage.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from davstore.directory.numbers import NUMBERS
from davstore.settings import load_settings
from davstore.store.checking import check
from davstore.wiring import open_storage
from tests.client.served import Server
from tests.torture.strace import traced
from tests.torture.wire import Answer, Client, Lost, Tree
from tests.waiting import until

SMALL, LARGE = b"small ", b"large " * 1000
CALLS = ("pwrite64", "write", "fsync", "fdatasync", "rename", "unlink", "ftruncate", "mkdir")
ERRORS = ("error=EIO", "error=ENOSPC", "error=EDQUOT")
KILL = "signal=KILL"
SENDING = ("sendto", "sendmsg", "writev")


class Case(NamedTuple):
    """One request, and the resources that it needs: places to bodies, None for a collection."""

    method: str
    place: str
    before: dict[str, bytes | None]
    body: bytes | None = None
    to: str | None = None

    def ask(self, client: Client) -> Answer:
        """Send it."""
        headers = {"Destination": client.href(self.to)} if self.to else {}
        return client.ask(self.method, self.place, self.body, **headers)


TREE: dict[str, bytes | None] = {"c": None, "c/small": SMALL, "c/large": LARGE}
CASES = {
    "put small": Case("PUT", "a", {}, SMALL + b"new"),
    "put small over large": Case("PUT", "a", {"a": LARGE}, SMALL + b"new"),
    "put large": Case("PUT", "a", {}, LARGE + b"new"),
    "put large over large": Case("PUT", "a", {"a": LARGE}, LARGE + b"new"),
    "move a tree over another": Case("MOVE", "c", {**TREE, "d": None, "d/old": LARGE}, to="d"),
    "delete a tree": Case("DELETE", "c", TREE),
}


class Bench:
    """A server with one worker, and the trees that a case begins and ends with."""

    def __init__(self, directory: Path) -> None:
        self.data, self.log = directory / "data", directory / "strace"
        settings = {"SERVER__WORKERS": "1", "STORAGE__INLINE_BYTES": "2000"}
        self.server = Server(self.data, directory / "log", **settings)
        self.client = Client(self.server)

    def close(self) -> None:
        self.client.close()
        self.server.kill()

    def prepare(self, case: Case) -> Tree:
        """Make the beginning of a case, in a server that has to be in order, and return the tree."""
        for top in ("a", "c", "d"):
            assert self.client.ask("DELETE", top).status in (204, 404)
        for place, body in case.before.items():
            assert self.client.ask("MKCOL" if body is None else "PUT", place, body).status == 201
        return self.client.tree()

    def strike(self, case: Case, calls: str, fault: str) -> tuple[Answer | None, bool]:
        """Send a request while a fault is due; return the answer, None when the worker died, and if it came to it."""
        [worker] = self.server.workers
        answer = None
        with traced(worker, self.log, calls, fault) as trace, contextlib.suppress(Lost):
            answer = case.ask(self.client)
        if answer is None or (KILL in fault and trace.struck):  # the last call may come after the answer
            until(lambda: worker not in self.server.workers)
        if worker not in self.server.workers:  # another would come, after pauses that grow with each death
            self.client.close()
            self.server.kill()
            self.server.start()
        return answer, trace.struck or answer is None  # a trace that was cut off does not tell

    def damage(self) -> list[object]:
        """Run `davstore check --read-data`."""
        storage = open_storage(load_settings(flags={"data.path": str(self.data)}, environ={}))
        found = check(storage.database, storage.blobs, read_data=True)
        storage.database.close()
        return [*found]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    found = Bench(tmp_path_factory.mktemp("bench"))
    yield found
    found.close()


def strike_each(bench: Bench, case: Case, effect: str, calls: tuple[str, ...] = CALLS) -> int:
    """Let the first call of each kind fail, then the second, until there are no more; return how many did."""
    bench.prepare(case)
    assert case.ask(bench.client).status in (201, 204)
    after, count = bench.client.tree(), 0
    for call in calls:
        number, struck = 0, True
        while struck:
            number += 1
            before = bench.prepare(case)
            answer, struck = bench.strike(case, call, f"{effect}:when={number}")
            what = f"{effect}, {call} {number}: {answer}"
            judge(
                answer, before, after, bench.client.tree(), allowed=honest(effect, call) if struck else set(), what=what
            )
            assert bench.damage() == [], what
            count += struck
    return count


def honest(effect: str, call: str) -> set[int | None]:
    """Return what a request may be answered when it did not come to its end; None is no answer.

    SQLite does not tell a full disk from a broken one when fdatasync says so, nor a quota of the file system at all.
    """
    if effect == KILL:
        return {None}
    if effect.endswith("ENOSPC") and call not in ("fdatasync", "unlink", "ftruncate"):
        return {507}
    return {500, 503} if effect.endswith("EIO") else {503, 507}


def judge(
    answer: Answer | None, before: Tree, after: Tree, found: Tree, *, allowed: set[int | None], what: str
) -> None:
    """Hold an answer against what is there."""
    if answer is not None and answer.status < 300:
        assert found == after, what
    else:
        assert found in (before, after), what
        assert (answer.status if answer else None) in allowed, what


@pytest.mark.torture
@pytest.mark.parametrize("effect", [*ERRORS, KILL])
@pytest.mark.parametrize("name", CASES)
def test_every_call_fails_once(bench: Bench, name: str, effect: str) -> None:
    count = strike_each(bench, CASES[name], effect)
    print(f"{name}, {effect}: {count} faults")
    assert count >= 10


def test_the_calls_that_make_it_last_fail(bench: Bench) -> None:
    case = CASES["put large over large"]
    assert strike_each(bench, case, ERRORS[0], ("fsync", "fdatasync", "rename", "unlink")) >= 5
    assert strike_each(bench, case, ERRORS[1], ("write",)) >= 1
    assert strike_each(bench, case, KILL, ("rename",)) == 1


@pytest.mark.parametrize("name", CASES)
def test_what_is_acknowledged_was_synced(bench: Bench, name: str) -> None:
    """When the answer leaves, every file that was written and every directory that got a name are on the disk."""
    case = CASES[name]
    bench.prepare(case)
    [worker] = bench.server.workers
    with traced(worker, bench.log, ",".join((*CALLS, *SENDING))) as trace:
        assert case.ask(bench.client).status in (201, 204)
    dirty: set[str] = set()
    written = 0
    for line in trace.lines:
        call = re.sub(r"^\d+ +", "", line)
        file = found[1] if (found := re.search(r"<(/[^>]*)>", call)) else ""
        named = re.findall(r'"(/[^"]*)"', call)
        if '"HTTP/1.1 20' in call:
            break
        if NUMBERS in file:  # a hint: what of it is lost costs nothing
            continue
        if call.startswith("pwrite64") or (call.startswith("write") and "/blobs/" in file):
            dirty.add(file)
            written += 1
        elif call.startswith("rename"):
            assert named[0] not in dirty, "it has its name before it is whole"
            dirty.add(str(Path(named[1]).parent))
        elif call.startswith("mkdir") and call.endswith("= 0") and "staged" not in call:
            dirty.add(str(Path(named[0]).parent))
        elif call.startswith(("fsync", "fdatasync")):
            dirty.discard(file)
    else:
        raise AssertionError("no answer was seen")
    assert written > 0
    assert dirty == set()
