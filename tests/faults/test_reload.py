"""SIGHUP: other settings, other workers, and no client that notices."""

from __future__ import annotations

import re
import signal
import socket
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
import requests

from tests.faults.served import PATIENCE_SECONDS, Served
from tests.waiting import until


class Clients:
    """Clients that make one request after the other, and what became of them.

    Newcomers open a connection for each; the others keep theirs until an answer says that it ends.
    """

    def __init__(self, url: str, threads: int, *, newcomers: bool) -> None:
        host, port = url.removeprefix("http://").rstrip("/").split(":")
        self._address = host, int(port)
        self._option = b"close" if newcomers else b"keep-alive"
        self._ending = threading.Event()
        self.outcomes: Counter[str] = Counter()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                client = socket.create_connection(self._address, timeout=PATIENCE_SECONDS)
            except ConnectionRefusedError:
                self.outcomes["refused"] += 1
                continue
            with client:
                try:
                    while self._ask(client) and not self._ending.is_set():
                        pass
                except OSError as error:
                    self.outcomes[repr(error)] += 1

    def _ask(self, client: socket.socket) -> bool:
        """Make a request, and return whether the connection stays."""
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: %b\r\n\r\n" % self._option)
        answer = client.recv(1000).decode()
        self.outcomes[answer[9:12]] += 1
        return "Connection: close" not in answer


def reload(served: Served) -> None:
    """Reload and wait until the old workers have left."""
    old = served.workers()
    served.process.send_signal(signal.SIGHUP)
    until(lambda: not old & served.workers())


@pytest.mark.parametrize("reloads", [2, pytest.param(20, marks=pytest.mark.torture)])
@pytest.mark.parametrize("newcomers", [True, False])
def test_no_connection_is_lost_by_reloads_nor_by_the_end(serve, reloads: int, newcomers: bool) -> None:
    served = serve("--workers", "2")
    with Clients(served.ready(), threads=2, newcomers=newcomers) as clients:
        for _ in range(reloads):
            reload(served)
        assert clients.outcomes.keys() == {"200"}
        served.process.terminate()
        served.end()
        until(lambda: clients.outcomes["refused"])
    assert clients.outcomes.keys() == {"200", "refused"}
    sys.stdout.write(f"{reloads} reloads and a stop, {newcomers=}: {dict(clients.outcomes)}\n")


def test_workers_come_up_with_what_the_file_says_now(serve, tmp_path: Path) -> None:
    file = tmp_path / "davstore.toml"
    file.write_text("[server]\nworkers = 1\n")
    served = serve("-c", str(file))
    url = served.ready()
    for workers, realm in ((2, "two"), (1, "one")):
        file.write_text(f'[server]\nworkers = {workers}\n[auth]\nrealm = "{realm}"\n')
        reload(served)
        until(lambda number=workers: len(served.workers()) == number)
        challenge = requests.get(url, timeout=PATIENCE_SECONDS).headers["WWW-Authenticate"]
        assert f'realm="{realm}"' in challenge


def test_with_a_wrong_setting_the_old_workers_go_on(serve, tmp_path: Path) -> None:
    file = tmp_path / "davstore.toml"
    file.write_text("[server]\nworkers = 1\n")
    served = serve("-c", str(file))
    served.ready()
    workers = served.workers()
    file.write_text("[server]\nworkers = 1\n\n[auth]\nrealms = 3\n")
    served.process.send_signal(signal.SIGHUP)
    until(lambda: f"not reloaded: {file}:5: auth.realms: unknown key" in served.log())
    policy = tmp_path / "rules.toml"
    policy.write_text("[[rule]]\nmodus = 1\n")
    file.write_text('[server]\nworkers = 1\n[policy]\nfile = "rules.toml"\n')
    served.process.send_signal(signal.SIGHUP)
    until(lambda: f"not reloaded: {policy}:2: rule.modus: unknown key" in served.log())
    assert served.workers() == workers
    file.write_text("[server]\nworkers = 1\n")
    reload(served)


def test_what_only_a_restart_changes_is_said_and_stays(serve, tmp_path: Path) -> None:
    file = tmp_path / "davstore.toml"
    file.write_text("[server]\nworkers = 1\n")
    served = serve("-c", str(file))
    url = served.ready()
    file.write_text(
        '[server]\nworkers = 1\nallow_remote = true\n[database]\nurl = "postgresql://u:geheim@127.0.0.1:1/nowhere"\n'
    )
    reload(served)
    assert re.findall(r"WARNING (\S+) changes with a restart only", served.log()) == [
        "server.allow_remote",
        "database.url",
    ]
    assert "geheim" not in served.log()
    assert requests.get(f"{url}readyz", timeout=PATIENCE_SECONDS).status_code == 200


def test_rules_do_not_vanish_wherever_the_server_is_started(serve, tmp_path: Path) -> None:
    """The log says which are in force, and a server that has lost its file is not ready."""
    (tmp_path / "etc").mkdir()
    file, policy = tmp_path / "etc" / "davstore.toml", tmp_path / "etc" / "policy.toml"
    file.write_text("[server]\nworkers = 1\n")
    served = serve("-c", str(file), directory=tmp_path)
    served.ready()
    assert "no policy file: every device may synchronise everything at any time" in served.log()
    policy.write_text('[[rule]]\nname = "never"\nuser = "bob"\nallowed = false\n')
    reload(served)
    assert f"{policy}: 1 rules in force" in served.log()
    assert f"WARNING {policy}: rule never: there is no user bob" in served.log()

    def is_ready() -> int:
        return requests.get(f"{served.url}readyz", timeout=PATIENCE_SECONDS).status_code

    assert is_ready() == 200
    for break_it in (policy.unlink, lambda: policy.write_text("rules = 3")):
        break_it()
        assert is_ready() == 503
        assert served.log().count("the last good rules stay in force") == 1 + (break_it != policy.unlink)
    policy.write_text("")
    assert is_ready() == 200


def test_an_upload_in_flight_outlives_its_worker(serve) -> None:
    served = serve("--workers", "1")
    url = served.ready()
    [old] = served.workers()
    with served.begin_upload(url, 2) as client:
        client.sendall(b"x")
        served.process.send_signal(signal.SIGHUP)
        until(lambda: "reloaded" in served.log())
        assert requests.get(f"{url}healthz", timeout=PATIENCE_SECONDS).status_code == 200
        assert old in served.workers()
        client.sendall(b"y")
        assert client.recv(100).startswith(b"HTTP/1.1 201 Created\r\n")
    until(lambda: old not in served.workers())
