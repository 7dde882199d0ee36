"""`make bench ARGS="--beside CHECKOUT"`: this build beside another commit's, in turns, as ratios. Prints Markdown.

CHECKOUT is a worktree with a `.venv` of its own. Both are served by their own `davstore`; each fills its store with its
own `tests.bench.filling`. Of each round one pair is measured, whose order alternates; a ratio is the median of the
pairs', with the least and the most. CPU is that of the processes that serve, by the scheduler's own count.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from tests.bench.serving import PROPFIND, Served

FOLDERS: Final = 5_000
MEMBERS: Final = 100_000
PAGE: Final = 1_000
PUT_SECONDS: Final = 4
SLOW_ROUNDS: Final = 2
"""Of what takes many seconds each time."""
_PUTS: Final = """local n = 0
request = function()
  n = n + 1
  return wrk.format("PUT", "/dav/store/me/{name}/" .. n, {{ Authorization = "{authorization}" }}, string.rep("x", 2048))
end
"""


class Build(NamedTuple):
    """A checkout with its environment, and the commit that the table names it by."""

    name: str
    root: Path
    venv: Path

    def fill(self, directory: Path, name: str, folders: int, members: int) -> None:
        """Make a collection with its own functions: members, or folders of so many members each."""
        call = f"from pathlib import Path; from tests.bench.filling import fill; fill(Path({str(directory)!r}), "
        words = [self.venv / "bin" / "python", "-c", f"{call}{name!r}, {folders}, {members})"]
        subprocess.run(words, check=True, cwd=self.root)


class Figure(NamedTuple):
    """A line of the table: the figures of both builds in each round."""

    what: str
    unit: str
    old: list[float]
    new: list[float]

    def tell(self) -> None:
        """Print the line."""
        ratios = [new / old for old, new in zip(self.old, self.new, strict=True)]
        span = f" ({min(ratios):.2f}..{max(ratios):.2f})" if len(ratios) > 1 else ""
        figures = [
            f"{statistics.median(figures):,.{1 if min(figures) < 100 else 0}f}" for figures in (self.old, self.new)
        ]
        ratio = f"**{statistics.median(ratios):.2f}**{span}"
        print(f"| {self.what}, {self.unit} | {figures[0]} | {figures[1]} | {ratio} |", flush=True)


def measure(other: Path, parts: Sequence[str], rounds: int) -> None:
    """Measure the parts that are named for so many rounds."""
    builds = (_find_build(other), Build("now", Path.cwd(), Path(sys.prefix)))
    print(
        f"\n## Beside {builds[0].name}\n\n| what | {builds[0].name} | now | now / {builds[0].name} |\n|---|---|---|---|"
    )
    for part in parts:
        with tempfile.TemporaryDirectory() as directory:
            for figure in _MEASURED[part](builds, Path(directory), rounds):
                figure.tell()


def _find_build(root: Path) -> Build:
    words = ["git", "-C", root, "rev-parse", "--short", "HEAD"]
    name = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    return Build(name, root.resolve(), root.resolve() / ".venv")


class _Side:
    """A build that serves, and a client of it."""

    def __init__(self, build: Build, served: Served) -> None:
        self.served = served
        self.client = served.client()
        self._build = build
        self._etag = self._token = ""

    def fill(self, name: str, folders: int, members: int) -> None:
        """Make a collection."""
        self.client.close()
        self._build.fill(self.served.directory, name, folders, members)

    def prepare(self) -> None:
        """Make what small requests are sent to."""
        self.client.ask("PUT", "one", b"x" * 2048)
        for count in (1_000, 10_000):
            self.fill(f"f{count}", 1, count)
        found = re.search(rb"<D:getetag>([^<]*)", self.client.ask("PROPFIND", "one", PROPFIND, {"Depth": "0"}))
        assert found
        self._etag, self._token = found[1].decode(), self.client.token("f10000/")

    def get(self) -> None:
        """Read a body."""
        self.client.ask("GET", "one")

    def get_again(self) -> None:
        """Ask whether a body is still the same."""
        self.client.ask("GET", "one", headers={"If-None-Match": self._etag})

    def find(self) -> None:
        """Ask for properties."""
        self.client.ask("PROPFIND", "one", PROPFIND, {"Depth": "0"})

    def list_1_000(self) -> None:
        """Ask for those of 1,000."""
        self.client.ask("PROPFIND", "f1000/", PROPFIND, {"Depth": "1"})

    def list_10_000(self) -> None:
        """Ask for those of 10,000."""
        self.client.ask("PROPFIND", "f10000/", PROPFIND, {"Depth": "1"})

    def poll(self) -> None:
        """Ask what changed, which is nothing."""
        self.client.token("f10000/", self._token)

    def cpu_ms(self, call: Callable[[], object], count: int = 1) -> float:
        """Return what one of so many calls takes of the CPU in all processes of the server."""
        self.client.close()  # the other side's turn may have been longer than the server waits
        before = self.served.cpu_ns()
        for _ in range(count):
            call()
        return (self.served.cpu_ns() - before) / count / 1e6

    def wall_ms(self, call: Callable[[], object], count: int = 1) -> float:
        """Return how long one of so many calls takes."""
        self.client.close()
        begun = time.perf_counter()
        for _ in range(count):
            call()
        return (time.perf_counter() - begun) / count * 1000


@contextlib.contextmanager
def _sides(builds: Sequence[Build], directory: Path, *, workers: int) -> Iterator[list[_Side]]:
    with contextlib.ExitStack() as held:
        directory.mkdir(exist_ok=True)
        yield [
            _Side(build, held.enter_context(Served(directory / build.name, workers=workers, venv=build.venv)))
            for build in builds
        ]


T = TypeVar("T")


def _turns(rounds: int, sides: Sequence[T], call: Callable[[T], float]) -> tuple[list[float], list[float]]:
    """Call for one side and the other, that first which was second, and return the figures of each."""
    figures: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds):
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            figures[side].append(call(sides[side]))
    return figures


_REQUESTS: Final[tuple[tuple[str, Callable[[_Side], None], int], ...]] = (
    ("GET of 2 KiB", _Side.get, 1_000),
    ("304", _Side.get_again, 1_000),
    ("PROPFIND depth 0", _Side.find, 800),
    ("poll, no change", _Side.poll, 800),
    ("PROPFIND of 1,000", _Side.list_1_000, 30),
    ("PROPFIND of 10,000", _Side.list_10_000, 4),
)
"""What is asked, and how often in a round."""
_LISTINGS: Final = _REQUESTS[-2:]


def _requests(builds: Sequence[Build], directory: Path, rounds: int) -> Iterator[Figure]:
    """Measure what a request costs: small ones, listings, a poll."""
    with _sides(builds, directory, workers=1) as sides:
        for side in sides:
            side.prepare()
        for what, call, count in _REQUESTS:

            def cpu_us(side: _Side, call: Callable[[_Side], None] = call, count: int = count) -> float:
                return side.cpu_ms(lambda: call(side), count) * 1000

            _turns(1, sides, cpu_us)
            yield Figure(what, "µs of CPU", *_turns(rounds, sides, cpu_us))
        for what, call, count in _LISTINGS:

            def wall_ms(side: _Side, call: Callable[[_Side], None] = call, count: int = count) -> float:
                return side.wall_ms(lambda: call(side), count)

            yield Figure(what, "ms", *_turns(rounds, sides, wall_ms))


def _inside(builds: Sequence[Build], _directory: Path, rounds: int) -> Iterator[Figure]:
    """Measure the application without HTTP, by what each checkout has for it."""
    labels = {"get": "GET of 2 KiB", "304": "304", "pf0": "PROPFIND depth 0", "poll": "sync poll of 10,000, no change"}
    told: dict[str, tuple[list[float], list[float]]] = {label: ([], []) for label in labels.values()}

    def run(build: Build) -> float:
        words = [build.venv / "bin" / "python", "-m", "tests.bench.inside", *labels]
        said = subprocess.run(words, check=True, cwd=build.root, stdout=subprocess.PIPE, text=True).stdout
        for label, figures in told.items():
            found = re.search(rf"^\| {re.escape(label)} \| ([\d,]+)", said, re.MULTILINE)
            assert found, said
            figures[builds.index(build)].append(float(found[1].replace(",", "")))
        return 0.0

    _turns(rounds, builds, run)
    for label, figures in told.items():
        yield Figure(f"{label}, without HTTP", "µs of CPU", *figures)


def _initial(builds: Sequence[Build], directory: Path, rounds: int) -> Iterator[Figure]:
    """Measure the first report of 100,000 in a folder."""
    with _sides(builds, directory, workers=1) as sides:
        peaks: dict[_Side, list[float]] = {side: [] for side in sides}
        for side in sides:
            side.fill("f", 1, MEMBERS)

        def initial(side: _Side) -> float:
            side.served.forget_peak()
            rest = side.served.peak_mb()
            cpu_ms = side.cpu_ms(lambda: side.client.token("f/"))
            peaks[side].append(side.served.peak_mb() - rest)
            return cpu_ms

        yield Figure("initial sync of 100,000", "ms of CPU", *_turns(rounds, sides, initial))
        most = [f"{max(peaks[side]):.1f}" for side in sides]
        print(f"| it, MB more than before at most | {most[0]} | {most[1]} | |", flush=True)


def _tree(builds: Sequence[Build], directory: Path, rounds: int) -> Iterator[Figure]:
    """Measure a moved tree in small pages against the first report of it, each round in stores of its own."""
    first: tuple[list[float], list[float]] = ([], [])
    moved: tuple[list[float], list[float]] = ([], [])
    for number in range(min(rounds, SLOW_ROUNDS)):
        with _sides(builds, directory / f"{number}", workers=1) as sides:
            for side in sides:
                side.fill("tree", FOLDERS, MEMBERS // FOLDERS)
            tokens = dict.fromkeys(sides, "")

            def follow(side: _Side, tokens: dict[_Side, str] = tokens) -> float:
                def pages() -> None:
                    tokens[side] = side.client.token("", tokens[side], limit=PAGE)

                return side.cpu_ms(pages)

            for figures in (first, moved):
                for kept, once in zip(figures, _turns(1, sides, follow), strict=True):
                    kept += once
                if figures is first:
                    for side in sides:
                        side.client.close()
                        side.client.ask("MOVE", "tree/", headers={"Destination": "/dav/store/me/moved/"})
    yield Figure(f"initial sync of {FOLDERS:,} folders in pages of {PAGE:,}", "ms of CPU", *first)
    yield Figure("that tree told after a MOVE, in the same pages", "ms of CPU", *moved)
    times = [statistics.median(two) / statistics.median(one) for one, two in zip(first, moved, strict=True)]
    print(f"| the second against the first | {times[0]:.1f} | {times[1]:.1f} | |", flush=True)


def _put(builds: Sequence[Build], directory: Path, rounds: int) -> Iterator[Figure]:
    """Measure durable PUTs of eight connections at the default number of workers."""
    numbers = itertools.count()
    script = directory / "put.lua"

    def rate(side: _Side) -> float:
        name = f"put{next(numbers)}"
        side.client.close()
        side.client.ask("MKCOL", f"{name}/")
        script.write_text(_PUTS.format(name=name, authorization=side.client.authorization))
        words = ["wrk", "-t1", "-c8", f"-d{PUT_SECONDS}s", "-s", script, side.served.url]
        said = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
        found = re.search(r"Requests/sec:\s+([\d.]+)", said)
        if found is None or "Non-2xx" in said:
            raise SystemExit(said)
        return float(found[1])

    with _sides(builds, directory, workers=0) as sides:
        yield Figure("durable PUT of 2 KiB, 8 connections, the default", "a second", *_turns(rounds, sides, rate))


def _rest(builds: Sequence[Build], directory: Path, rounds: int) -> Iterator[Figure]:
    """Measure what the default holds when nothing is asked, each build alone: they would share what both map."""
    supervisors: dict[Build, list[float]] = {build: [] for build in builds}
    numbers = itertools.count()

    def rest(build: Build) -> float:
        with Served(directory / f"{next(numbers)}", workers=0, venv=build.venv) as served:
            for _ in range(20):  # so that each worker has answered
                client = served.client()
                client.ask("GET", "")
                client.close()
            supervisors[build].append(served.pss_mb(served.pid))
            return sum(map(served.pss_mb, served.processes()))

    yield Figure("the default at rest, all processes", "MB", *_turns(min(rounds, SLOW_ROUNDS), builds, rest))
    yield Figure("its supervisor", "MB", *(supervisors[build] for build in builds))


_MEASURED: Final[dict[str, Callable[[Sequence[Build], Path, int], Iterator[Figure]]]] = {
    "requests": _requests,
    "inside": _inside,
    "initial": _initial,
    "tree": _tree,
    "put": _put,
    "rest": _rest,
}
PARTS: Final = tuple(_MEASURED)
