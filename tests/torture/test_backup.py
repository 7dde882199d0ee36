"""Backups while writers write and workers are killed: each restores to a state that was."""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.command import run
from tests.client.served import Server
from tests.torture.conftest import Serve
from tests.torture.test_kill_storm import Storm
from tests.torture.wire import Client, Tree
from tests.torture.writer import Writer


class Past:
    """All states that a writer's folder was in."""

    def __init__(self, writer: Writer) -> None:
        self.states: list[Tree] = [writer.tree]
        self._writer, self._work = writer, writer.work
        writer.work = self._remember  # type: ignore[method-assign]

    def _remember(self) -> None:
        self._work()
        self.note()

    def note(self) -> None:
        """Remember the state of now."""
        self.states.append(self._writer.tree)


@pytest.mark.torture
def test_a_backup_under_the_kill_storm_is_a_state_that_was(
    serve: Serve, tmp_path: Path, database_url: str, settled: Callable[[], bool]
) -> None:
    """Every write that was acknowledged before the backup began is in it; the restored store is without damage."""
    data, directory = tmp_path / "data", tmp_path / "backup"
    storm = Storm(serve(data), data, 1, settled, database_url)
    pasts = [Past(writer) for writer in storm.writers]
    chooser = random.Random(1)
    seconds: list[float] = []

    def back_up() -> None:
        started = time.monotonic()
        print(run("backup", directory, "--data", data, url=database_url), end="")
        seconds.append(time.monotonic() - started)

    for round_ in range(20):
        begun: list[int] = []

        def strike(begun: list[int] = begun) -> None:
            begun += [len(past.states) - 1 for past in pasts]
            backing_up = threading.Thread(target=back_up)
            backing_up.start()
            kind = chooser.choice(["none", "kill_a_worker", "kill_all"])
            if kind != "none":
                time.sleep(chooser.random())  # so that the kill comes anywhere in a backup
                getattr(storm, kind)()
            backing_up.join()

        storm.rage(strike)
        storm.judge(states=1)
        assert len(seconds) == round_ + 1
        for past in pasts:
            past.note()
        assert "0 findings" in run("check", directory, "--read-data")
        found = _restored(directory, tmp_path / f"restored{round_}", storm.server.credentials[1])
        for writer, past, start in zip(storm.writers, pasts, begun, strict=True):
            tree = {place: entry for place, entry in found.items() if place.startswith(f"{writer.top}/")}
            assert tree in past.states[start:], f"round {round_}: {writer.top}"
    storm.hang_up()
    print(f"{len(seconds)} backups, longest {max(seconds):.1f} s, {storm.acknowledged} acknowledged")


def _restored(directory: Path, data: Path, password: str) -> Tree:
    """Restore a backup into SQLite, and return what a server shows of it."""
    run("restore", directory, "--data", data)
    assert re.match("0 findings", run("check", "--data", data, "--read-data"))
    log = data.with_suffix(".log")
    log.write_text(f"password: {password}\n")  # no first user is made here
    server = Server(data, log)
    client = Client(server)
    try:
        return client.tree()
    finally:
        client.close()
        server.kill()
