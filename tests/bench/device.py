"""`python -m tests.bench.device --old VENV`: initial syncs of two devices with one server, in turn. Prints Markdown.

VENV holds the davstore to compare with. Each round a device sends a folder of small messages to a collection of its own
and brings that collection into an empty folder. Both talk to one server, this checkout's or that of --server VENV.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tests.bench.serving import Served

FOLDERS = 100
SIZES_BYTES = (2_000, 10_000)


class Figure(NamedTuple):
    """The cost of one run: seconds on the clock, seconds of CPU, and the most memory that was resident, in MB."""

    wall: float
    cpu: float
    peak_mb: float


def main() -> None:
    """Measure what the words ask for."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--old", type=Path, required=True, metavar="VENV")
    words.add_argument("--server", type=Path, metavar="VENV")
    words.add_argument("--files", type=int, default=20_000)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--directory", type=Path, help="where the folders lie, on the file system to be measured")
    options = words.parse_args()
    venvs = {"old": options.old, "new": Path(sys.prefix)}
    figures: dict[tuple[str, str], list[Figure]] = {}
    with tempfile.TemporaryDirectory(dir=options.directory) as name:
        place = Path(name)
        _make_messages(place / "messages", options.files)
        with Served(place / "data", workers=1, venv=options.server) as served:
            (place / "secret").write_text(served.password)
            for number in range(options.rounds):
                for who in ("old", "new") if number % 2 == 0 else ("new", "old"):
                    url = f"{served.url}dav/store/me/{who}{number}/"
                    served.client().ask("MKCOL", f"{who}{number}/")
                    figures.setdefault(("upload", who), []).append(_sync(venvs[who], url, place / "messages", place))
                    here = place / f"{who}{number}"
                    figures.setdefault(("download", who), []).append(_sync(venvs[who], url, here, place))
                    _compare(place / "messages", here)
    _tell(figures)


def _make_messages(root: Path, count: int) -> None:
    """Write small messages, the same ones each time, into folders."""
    choose = random.Random(1)
    for number in range(count):
        file = root / f"folder {number % FOLDERS}" / f"message-{number}.eml"
        file.parent.mkdir(parents=True, exist_ok=True)
        head = (
            f"From: a@example.org\r\nSubject: message {number}\r\nMessage-ID: <{number}@example.org>\r\n\r\n".encode()
        )
        file.write_bytes(head + choose.randbytes(choose.randint(*SIZES_BYTES) // 2).hex().encode())


def _sync(venv: Path, url: str, folder: Path, place: Path) -> Figure:
    words = [venv / "bin" / "davstore", "sync", url, folder, "--user", "me", "--password-file", place / "secret"]
    begun = time.perf_counter()
    process = subprocess.Popen(
        [*words, "--once"], stdout=subprocess.DEVNULL, env={**os.environ, "XDG_STATE_HOME": str(place / "state")}
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{venv}: the device ended with {process.returncode}")
    figure = Figure(time.perf_counter() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss / 1000)
    print(f"{venv}: {figure.wall:.1f} s, {figure.cpu:.1f} s of CPU, {figure.peak_mb:.0f} MB", file=sys.stderr)
    return figure


def _compare(first: Path, second: Path) -> None:
    for folder in first.iterdir():
        names = [file.name for file in folder.iterdir()]
        _, unlike, absent = filecmp.cmpfiles(folder, second / folder.name, names, shallow=False)
        if unlike or absent:
            raise SystemExit(f"{second} is unlike {first}")


def _tell(figures: dict[tuple[str, str], list[Figure]]) -> None:
    print("\n| what | old, s | new, s | times as fast | CPU, s | peak, MB |\n|---|---|---|---|---|---|")
    for what in ("upload", "download"):
        old, new = (figures[what, who] for who in ("old", "new"))
        walls = [statistics.median(one.wall for one in runs) for runs in (old, new)]
        cpus = [statistics.median(one.cpu for one in runs) for runs in (old, new)]
        peaks = [max(one.peak_mb for one in runs) for runs in (old, new)]
        spans = [f"{min(one.wall for one in runs):.1f}..{max(one.wall for one in runs):.1f}" for runs in (old, new)]
        print(
            f"| {what} | {walls[0]:.1f} ({spans[0]}) | {walls[1]:.1f} ({spans[1]}) | {walls[0] / walls[1]:.2f} "
            f"| {cpus[0]:.1f}, {cpus[1]:.1f} | {peaks[0]:.0f}, {peaks[1]:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
