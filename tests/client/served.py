"""A `davstore serve` of two workers that can be killed at any moment and started again at its old address."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import requests

PATIENCE_SECONDS = 30


def children_of(process: int, name: str) -> set[int]:
    """Return the ids of the processes of a supervisor that have a name: `worker` or `jobs`."""
    found = set()
    for word in Path(f"/proc/{process}/task/{process}/children").read_text().split():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            if Path(f"/proc/{word}/comm").read_text() == f"davstore-{name}\n":
                found.add(int(word))
    return found


class Server:
    """The processes over one data directory. url, user and password are those of the first user's store.

    settings become DAVSTORE_ variables: {"STORAGE__INLINE_BYTES": "100"}.
    """

    def __init__(self, data: Path, log: Path, **settings: str) -> None:
        given = {f"DAVSTORE_{name}": value for name, value in {"SERVER__WORKERS": "2", **settings}.items()}
        self._environ = {name: value for name, value in os.environ.items() if not name.startswith("DAVSTORE_")} | given
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._address = f"127.0.0.1:{probe.getsockname()[1]}"
        self.data, self.log = data, log
        self.url = f"http://{self._address}/dav/store/me/"
        self.start()
        found = re.search(r"password: +(\S+)", log.read_text())
        assert found, log.read_text()
        self.credentials = ("me", found[1])

    def start(self, **settings: str) -> None:
        """Start, with other settings if any are given, and wait until all workers answer requests."""
        self._environ |= {f"DAVSTORE_{name}": value for name, value in settings.items()}
        said_before = self.log.stat().st_size if self.log.exists() else 0
        words = ["serve", "--data", str(self.data), "--bind", self._address]
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "davstore", *words],
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=self._environ,
            )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while b"davstore serves" not in self.log.read_bytes()[said_before:]:
            assert self._process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, "the server does not come up"
            time.sleep(0.02)

    def is_ready(self) -> bool:
        """Tell whether a worker answers."""
        try:
            return requests.get(f"http://{self._address}/healthz", timeout=5).ok
        except requests.RequestException:
            return False

    @property
    def supervisor(self) -> int:
        """The id of the process that the others end with."""
        return self._process.pid

    def kill_supervisor(self) -> None:
        """End the supervisor alone; its workers notice."""
        self._process.kill()
        self._process.wait()

    @property
    def workers(self) -> list[int]:
        """The ids of the processes that serve."""
        return sorted(children_of(self.supervisor, "worker"))

    def kill(self) -> None:
        """End all processes at once, as a power cut would."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
