"""A davstore of its own for a measurement: its processes, what they hold in memory, and a client."""

from __future__ import annotations

import base64
import http.client
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.bench.wires import HttpWire

PROPFIND = b"""<D:propfind xmlns:D="DAV:"><D:prop><D:resourcetype/><D:getetag/><D:getcontentlength/><D:getlastmodified/>
</D:prop></D:propfind>"""
REPORT = """<D:sync-collection xmlns:D="DAV:"><D:sync-token>{}</D:sync-token><D:sync-level>infinite</D:sync-level>{}
<D:prop><D:getetag/><D:getcontentlength/></D:prop></D:sync-collection>"""
LIMIT = "<D:limit><D:nresults>{}</D:nresults></D:limit>"


class Client:
    """One connection, signed in; targets are relative to the user's store, but for those that begin with a slash."""

    def __init__(self, url: str, password: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc)
        self.authorization = f"Basic {base64.b64encode(f'me:{password}'.encode()).decode()}"

    def ask(self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
        """Return the body of an answer, which must be one of success."""
        sent = {"Authorization": self.authorization, **(headers or {})}
        place = target if target.startswith("/") else f"/dav/store/me/{target}"
        self._connection.request(method, place, body or None, sent)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            raise SystemExit(f"{method} {target}: {answer.status}")
        return content

    def close(self) -> None:
        """End the connection, before the server does because it is idle; the next request opens another."""
        self._connection.close()

    def token(self, target: str, last: str = "", *, limit: int = 0) -> str:
        """Follow the pages of a report, of limit rows if there is one, from a token and return the last one's."""
        while True:
            body = self.ask("REPORT", target, REPORT.format(last, LIMIT.format(limit) if limit else "").encode())
            found = re.search(rb"<D:sync-token>([^<]*)", body[-400:])
            if found is None:
                raise SystemExit("a report without a token")
            last = found[1].decode()
            if b"number-of-matches-within-limits" not in body[-1000:]:
                return last


class Served:
    """`davstore serve` on a directory. password is that of a store that is there already, venv another davstore."""

    def __init__(self, directory: Path, *, workers: int, password: str = "", venv: Path | None = None) -> None:
        self.directory = directory
        self.password = password
        self._command = [
            (venv or Path(sys.prefix)) / "bin" / "davstore",
            "serve",
            "--data",
            directory,
            "--bind",
            "127.0.0.1:0",
        ]
        self._command += ["--workers", str(workers)]
        self.url = ""

    def __enter__(self) -> Served:
        environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environ
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if match := re.match(r"password:\s+(\S+)", line):
                self.password = match[1]
            if match := re.match(r"davstore serves (\S+)", line):
                self.url = match[1]
                return self
        raise SystemExit("the server did not start")

    def __exit__(self, *_: Any) -> None:
        self._process.terminate()
        self._process.wait()

    @property
    def pid(self) -> int:
        """The supervisor's."""
        return self._process.pid

    def client(self) -> Client:
        """Return a client of the user."""
        return Client(self.url, self.password)

    def wire(self, authorization: str = "") -> HttpWire:
        """Return a connection of the user, or of another who signs in."""
        netloc = urlsplit(self.url)
        return HttpWire((netloc.hostname or "", netloc.port or 0), authorization or self.client().authorization)

    @staticmethod
    def pss_mb(pid: int) -> float:
        """Return the proportional set size of a process."""
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
        return int(found[1]) / 1000 if found else 0.0

    def processes(self) -> list[int]:
        """Return the ids of the supervisor and of all that it started."""
        found = [self.pid]
        for pid in found:
            found += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return found

    def cpu_ns(self) -> int:
        """Return the time that threads of all processes have been running."""
        return sum(
            int(file.read_text().split()[0])
            for pid in self.processes()
            for file in Path(f"/proc/{pid}/task").glob("*/schedstat")
        )

    def forget_peak(self) -> None:
        """Begin to measure the most memory anew."""
        for pid in self.processes():
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def peak_mb(self) -> float:
        """Return the most that the processes had resident since then, each at its own moment."""
        told = [Path(f"/proc/{pid}/status").read_text() for pid in self.processes()]
        return sum(int(size) for text in told for size in re.findall(r"^VmHWM:\s+(\d+) kB", text, re.MULTILINE)) / 1000

    def worker_pss_mb(self) -> float:
        """Return that of the first worker."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return self.pss_mb(int(children[0]))

    def peak_pss_mb(self, call: Callable[[], object]) -> float:
        """Return the most that the first worker held at any look during a call."""
        seen = [self.worker_pss_mb()]
        over = threading.Event()

        def look() -> None:
            while not over.wait(0.005):
                seen.append(self.worker_pss_mb())

        watcher = threading.Thread(target=look)
        watcher.start()
        try:
            call()
        finally:
            over.set()
            watcher.join()
        return max(seen)
