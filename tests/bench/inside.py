"""The cost of a request inside the process: the WSGI application called in a loop, CPU time for each, no HTTP.

    python tests/bench/inside.py [--profile CASE] [CASE ...]

CPU time is what a busy machine disturbs least; each figure is the least of several rounds. Prints Markdown.
"""

from __future__ import annotations

import argparse
import base64
import cProfile
import io
import pstats
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from davstore.application_wiring import build_application
from davstore.server import child
from davstore.settings import load_settings
from davstore.wiring import prepare_store
from tests.bench.filling import fill

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication, WSGIEnvironment

HOME = "/dav/store/me"
PROPFIND = b"""<D:propfind xmlns:D="DAV:"><D:prop><D:resourcetype/><D:getetag/><D:getcontentlength/><D:getlastmodified/>
</D:prop></D:propfind>"""
REPORT = """<D:sync-collection xmlns:D="DAV:"><D:sync-token>{}</D:sync-token><D:sync-level>infinite</D:sync-level>
<D:prop><D:getetag/><D:getcontentlength/></D:prop></D:sync-collection>"""
ROUNDS = 5
SECONDS = 0.4


class Inside:
    """A store of one user in a directory, and the application on it."""

    def __init__(self, directory: Path, flags: Mapping[str, object] = MappingProxyType({}), password: str = "") -> None:
        settings = load_settings(flags={"data.path": str(directory), **flags}, environ={})
        first = prepare_store(settings)
        self.password = first.password if first is not None else password
        self.authorization = f"Basic {base64.b64encode(f'me:{self.password}'.encode()).decode()}"
        self.application: WSGIApplication = build_application(settings)

    def environ(self, method: str, target: str, body: bytes = b"", **headers: str) -> WSGIEnvironment:
        """Return what the server would hand over."""
        return {
            "ACTUAL_SERVER_PROTOCOL": "HTTP/1.1",
            "PATH_INFO": target,
            "QUERY_STRING": "",
            "REMOTE_ADDR": "127.0.0.1",
            "REMOTE_PORT": "40000",
            "REQUEST_METHOD": method,
            "REQUEST_URI": target,
            "SCRIPT_NAME": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8080",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_SOFTWARE": "davstore",
            "wsgi.errors": io.StringIO(),
            "wsgi.input": io.BytesIO(body),
            "wsgi.input_terminated": True,
            "wsgi.multiprocess": False,
            "wsgi.multithread": True,
            "wsgi.run_once": False,
            "wsgi.url_scheme": "http",
            "wsgi.version": (1, 0),
            "HTTP_HOST": "127.0.0.1:8080",
            "HTTP_AUTHORIZATION": self.authorization,
            "CONTENT_LENGTH": str(len(body)) if body else "",
            **headers,
        }

    def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> tuple[str, dict[str, str], bytes]:
        """Return status, headers and body of an answer."""
        told: list[Any] = []
        environ = self.environ(method, target, body, **headers)
        answer: Any = self.application(
            environ,
            lambda *words: told.append(words),  # type: ignore[arg-type,return-value]
        )
        content = b"".join(answer)
        answer.close()
        environ.clear()  # as our server does: what it holds leads back to it
        return told[-1][0], dict(told[-1][1]), content

    def token(self, target: str, last: str = "") -> str:
        """Follow the pages of a report from a token and return the last one's."""
        while True:
            body = self.ask("REPORT", target, REPORT.format(last).encode())[2]
            found = re.search(rb"<D:sync-token>([^<]*)", body[-400:])
            assert found, body[:400]
            last = found[1].decode()
            if b"number-of-matches-within-limits" not in body[-1000:]:
                return last


def cases(inside: Inside, directory: Path) -> Iterator[tuple[str, str, Callable[[], object]]]:
    """Prepare each case in turn and yield its name, its label and what is to be called."""
    put = inside.ask("PUT", f"{HOME}/one.eml", b"x" * 2048)
    assert put[0].startswith("201"), put
    etag = put[1]["ETag"]
    yield "get", "GET of 2 KiB", lambda: inside.ask("GET", f"{HOME}/one.eml")
    yield "304", "304", lambda: inside.ask("GET", f"{HOME}/one.eml", HTTP_IF_NONE_MATCH=etag)
    yield "pf0", "PROPFIND depth 0", lambda: inside.ask("PROPFIND", f"{HOME}/one.eml", PROPFIND, HTTP_DEPTH="0")
    counter = iter(range(10**9))
    yield "put", "PUT of new 2 KiB, durable", lambda: inside.ask("PUT", f"{HOME}/p{next(counter)}", b"x" * 2048)
    yield "over", "PUT over another", lambda: inside.ask("PUT", f"{HOME}/one.eml", b"%2048d" % next(counter))
    for label, count in (("1,000", 1_000), ("10,000", 10_000)):
        fill(directory, f"f{count}", 1, count)
        listing = partial(inside.ask, "PROPFIND", f"{HOME}/f{count}/", PROPFIND, HTTP_DEPTH="1")
        yield f"pf{count // 1000}k", f"PROPFIND of {label} members", listing
    top = f"{HOME}/f10000/"
    token = inside.token(top)
    yield "poll", "sync poll of 10,000, no change", lambda: inside.token(top, token)
    for number in range(10):
        inside.ask("PUT", f"{top}new{number}", b"new")
    yield "ten", "10 changes of 10,000", lambda: inside.token(top, token)
    yield "initial", "initial sync of 10,000", lambda: inside.token(top)
    fill(directory, "f100000", 1, 100_000)
    yield "initial100k", "initial sync of 100,000", lambda: inside.token(f"{HOME}/f100000/")


def measure(call: Callable[[], object]) -> tuple[float, float]:
    """Return CPU and wall time of one call in microseconds, each the least of some rounds."""
    call()
    begun = time.perf_counter()
    call()
    count = max(1, int(SECONDS / ROUNDS / max(time.perf_counter() - begun, 1e-6)))
    best = [float("inf"), float("inf")]
    for _ in range(ROUNDS):
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(count):
            call()
        best = [
            min(best[0], (time.process_time() - cpu) / count * 1e6),
            min(best[1], (time.perf_counter() - wall) / count * 1e6),
        ]
    return best[0], best[1]


def profile(call: Callable[[], object]) -> None:
    """Print where the time of a case goes."""
    call()
    begun = time.perf_counter()
    call()
    count = max(1, int(SECONDS / max(time.perf_counter() - begun, 1e-6)))
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(count):
        call()
    profiler.disable()
    print(f"{count} calls")
    pstats.Stats(profiler).sort_stats("tottime").print_stats(45)


def main() -> None:
    """Measure the cases named, or all."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("cases", nargs="*")
    words.add_argument("--profile", action="store_true")
    options = words.parse_args()
    with tempfile.TemporaryDirectory() as directory, Path("/dev/null").open("w") as sink:
        sys.stderr = sink  # where the log goes
        child.set_up_process()
        inside = Inside(Path(directory))
        print("| what | CPU, µs | wall, µs |\n|---|---|---|")
        for name, label, call in cases(inside, Path(directory)):
            if options.cases and name not in options.cases:
                continue
            if options.profile:
                profile(call)
                continue
            cpu, wall = measure(call)
            print(f"| {label} | {cpu:,.0f} | {wall:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
