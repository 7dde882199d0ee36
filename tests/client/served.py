"""A `davstore serve` of two workers that can be killed at any moment and started again at its old address."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import requests

PATIENCE_SECONDS = 30


class Server:
    """The processes over one data directory. url, user and password are those of the first user's store."""

    def __init__(self, data: Path, log: Path, *, environ: Mapping[str, str] | None = None) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._address = f"127.0.0.1:{probe.getsockname()[1]}"
        self._data, self._log, self._environ = data, log, {**os.environ, **(environ or {})}
        self.url = f"http://{self._address}/dav/store/me/"
        self.start()
        found = re.search(r"password: +(\S+)", log.read_text())
        assert found, log.read_text()
        self.credentials = ("me", found[1])

    def start(self) -> None:
        """Start, and wait until requests are answered."""
        words = ["serve", "--data", str(self._data), "--bind", self._address, "--workers", "2"]
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "davstore", *words],
                env=self._environ,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._is_ready():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, "the server does not come up"
            time.sleep(0.02)

    def _is_ready(self) -> bool:
        try:
            return requests.get(f"http://{self._address}/healthz", timeout=5).ok
        except requests.ConnectionError:
            return False

    def kill(self) -> None:
        """End all processes at once, as a power cut would."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
