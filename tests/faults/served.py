"""`davstore serve` as a person or a script runs it: real processes, real signals."""

from __future__ import annotations

import base64
import os
import re
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import requests

from tests.client.served import children_of

PATIENCE_SECONDS = 60


def alive(process: int) -> bool:
    """Tell whether there is such a process."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def healthy(url: str) -> bool:
    """Tell whether a server answers there."""
    try:
        return requests.get(f"{url}healthz", timeout=5).status_code == 200
    except requests.RequestException:
        return False


class Served:
    """One running `davstore serve` on a port of its own. What it says on standard error goes to a file."""

    def __init__(
        self,
        data: Path,
        log: Path,
        *words: str,
        bind: str = "127.0.0.1:0",
        directory: Path | None = None,
        program: Sequence[str] = ("-m", "davstore"),
        **settings: str,
    ) -> None:
        command = [sys.executable, "-P", *program, "serve", "--data", str(data), "--bind", bind, *words]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("DAVSTORE_")}
        environ |= {f"DAVSTORE_{name}": value for name, value in settings.items()}
        self.data = data
        self._log = log
        with log.open("w") as said:
            self.process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                start_new_session=True,
                env=environ,
                cwd=directory,
            )
        self.said = ""
        self.url = ""

    def ready(self) -> str:
        """Return the URL when it is announced."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            if match := re.search(r"http://\S+", line):
                self.url = match[0]
                return self.url
        raise AssertionError(f"ended: {self.end()}")

    def password(self) -> str:
        """Return the password of the first user, which was said before the URL."""
        match = re.search(r"first user: me\npassword: +(\S+) ", self.said)
        assert match, self.said
        return match[1]

    def log(self) -> str:
        """Return what was said on standard error so far."""
        return self._log.read_text()

    def end(self) -> tuple[int, str]:
        """Wait for the end and return the status and what was said on standard error."""
        self.process.communicate(timeout=PATIENCE_SECONDS)
        return self.process.returncode, self.log()

    def workers(self) -> set[int]:
        """Return the ids of the worker processes that live."""
        return children_of(self.process.pid, "worker")

    def jobs(self) -> set[int]:
        """Return the ids of the processes that do the jobs: one, but for a moment."""
        return children_of(self.process.pid, "jobs")

    def begin_upload(self, url: str, length: int) -> socket.socket:
        """Ask to PUT `a` into the first user's store, and return the connection once the body may come."""
        host, port = url.removeprefix("http://").rstrip("/").split(":")
        me = base64.b64encode(f"me:{self.password()}".encode()).decode()
        client = socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS)
        head = f"PUT /dav/store/me/a HTTP/1.1\r\nHost: h\r\nAuthorization: Basic {me}\r\nContent-Length: {length}\r\n"
        client.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        return client
