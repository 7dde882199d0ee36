"""`make bench`: davstore beside its peers in one run, its memory and its start, and synchronisation. Prints Markdown.

    make bench [ARGS="--workers 1"] [ARGS=--curve] [ARGS="--curve --million"]
    make bench ARGS="--beside CHECKOUT [--rounds N] [--only PART]..."
    make bench ARGS="--mail [--rounds N] [--only PART]..."
    make bench ARGS="--policy [--rounds N]"
    make bench ARGS="--threads [--rounds N] [--only PART]..."

The peers come from a harness that is no part of this project: DAVSTORE_BENCH names its folder (`../shared/bench`).
Without it only davstore's own figures are made, and the run says so. --curve measures one store of 1,000 members,
then of 10,000 and 100,000, and with --million of 1,000,000. --beside measures another commit's build, and no peers;
--mail measures messages, beside files and beside Dovecot; --policy measures rules, filters and views, beside none;
--threads measures threads and delivery, beside the same without and beside Dovecot.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import beside, mail, policy, threads
from tests.bench.filling import fill
from tests.bench.serving import PROPFIND, Client, Served

HARNESS = Path(os.environ.get("DAVSTORE_BENCH", "../shared/bench"))
CASES = "get,get304,pf0,put,pf1k,pf10k,bigput,bigget"
PEERS = "apache,dovecot,wsgidav"
SHAPES = {"1,000 in a folder": (1, 1_000), "100,000 in a folder": (1, 100_000), "100,000 in 5,000 folders": (5_000, 20)}
SIZES = (1_000, 10_000, 100_000)
ROUNDS = 25


def main() -> None:
    """Measure what the words ask for."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--workers", type=int, help="that many only; else one, then one for each core (0)")
    words.add_argument("--curve", action="store_true")
    words.add_argument("--million", action="store_true")
    words.add_argument("--beside", type=Path, metavar="CHECKOUT")
    words.add_argument("--mail", action="store_true")
    words.add_argument("--policy", action="store_true")
    words.add_argument("--threads", action="store_true")
    words.add_argument("--rounds", type=int, default=7)
    words.add_argument("--only", action="append", choices=(*beside.PARTS, *mail.PARTS, *threads.PARTS))
    options = words.parse_args()
    if options.beside:
        beside.measure(options.beside, options.only or beside.PARTS, options.rounds)
        return
    if options.mail:
        mail.measure(HARNESS, options.only or mail.PARTS, options.rounds)
        return
    if options.threads:
        threads.measure(HARNESS, options.only or threads.PARTS, options.rounds)
        return
    if options.policy:
        with tempfile.TemporaryDirectory() as directory:
            policy.measure(Path(directory), options.rounds)
        return
    if options.curve:
        _curve((*SIZES, 1_000_000) if options.million else SIZES)
        return
    for workers in (1, 0) if options.workers is None else (options.workers,):
        print(f"\n## Beside the peers, {workers or 'the default number of'} worker(s)\n", flush=True)
        with tempfile.TemporaryDirectory() as directory, Served(Path(directory), workers=workers) as served:
            _beside_peers(served)
    with tempfile.TemporaryDirectory() as directory:
        _memory_and_start(Path(directory))
    with tempfile.TemporaryDirectory() as directory, Served(Path(directory), workers=1) as served:
        _sync(served)


def _beside_peers(served: Served) -> None:
    if not (HARNESS / "bench.py").exists():
        print(f"No peers: there is no {HARNESS}/bench.py.")
        return
    words = ["--base-url", f"{served.url}dav/store/me/", "--user", "me", "--password", served.password]
    words += ["--server-pid", str(served.pid), "--peer", "davstore"]
    measured = ["--peers", PEERS, "--cases", CASES, "--rounds", "3"]
    environ = {**os.environ, "BENCH_VENVS": os.environ.get("BENCH_VENVS") or str(_make_peer_venvs())}
    subprocess.run([sys.executable, HARNESS / "bench.py", *words, *measured], check=True, env=environ)


def _make_peer_venvs() -> Path:
    """Install the peers that are Python packages, each in a virtual environment of its own, once."""
    directory = Path(sys.prefix) / "bench"
    if not (directory / "wsgidav" / "bin" / "wsgidav").exists():
        subprocess.run([sys.executable, "-m", "venv", directory / "wsgidav"], check=True)
        pip = directory / "wsgidav" / "bin" / "pip"
        subprocess.run([pip, "install", "--quiet", "wsgidav", "cheroot", "lxml", "PyYAML"], check=True)
    return directory


def _memory_and_start(directory: Path) -> None:
    """Print the memory of a worker, and the time of a start with 100,000 resources."""
    with Served(directory, workers=1) as served:
        client = served.client()
        client.ask("GET", "")
        rest = served.worker_pss_mb()
        client.close()
        fill(directory, "f10000", 1, 10_000)
        listing = served.peak_pss_mb(lambda: client.ask("PROPFIND", "f10000/", PROPFIND, {"Depth": "1"}))
        large = served.peak_pss_mb(lambda: client.ask("PUT", "large", b"x" * (100 << 20)))
        read = served.peak_pss_mb(lambda: client.ask("GET", "large"))
        supervisor = served.pss_mb(served.pid)
        client.close()
        fill(directory, "f100000", 1, 100_000)
        initial = served.peak_pss_mb(lambda: client.token("f100000/"))
        password = served.password
    begun = time.perf_counter()
    with Served(directory, workers=1, password=password) as served:
        served.client().ask("GET", "f100000/message-1.eml")
        start = time.perf_counter() - begun
    print("\n## Memory (PSS, one worker) and start\n\n| what | figure |\n|---|---|")
    print(f"| worker at rest | {rest:.0f} MB |")
    print(f"| the supervisor beside it | {supervisor:.0f} MB |")
    for what, peak in (
        ("PROPFIND of 10,000", listing),
        ("PUT of 100 MiB", large),
        ("GET of 100 MiB", read),
        ("initial sync of 100,000", initial),
    ):
        print(f"| at most during {what} | {peak:.0f} MB |")
    print(f"| from start to the first GET, 100,000 resources | {start:.2f} s |", flush=True)


def _sync(served: Served) -> None:
    """Measure reports over several shapes, in turn, so that a slow moment of the machine meets all of them."""
    client = served.client()
    client.ask("GET", "")  # the password is verified once
    tokens: dict[tuple[str, str], str] = {}
    folders = {shape: f"sync{number}" for number, shape in enumerate(SHAPES)}
    initial: dict[str, float] = {}
    for shape, name in folders.items():
        client.close()
        fill(served.directory, name, *SHAPES[shape])
        started = time.perf_counter()
        tokens[shape, "poll"] = client.token(f"{name}/")
        initial[shape] = time.perf_counter() - started
    for shape, name in folders.items():  # every change is a change elsewhere for the other folders
        tokens[shape, "ten"] = client.token(f"{name}/", tokens[shape, "poll"])
        for number in range(10):
            client.ask("PUT", f"{name}/{f'd{number}/' if SHAPES[shape][0] > 1 else ''}new{number}", b"new")
    for shape, name in folders.items():
        tokens[shape, "poll"] = client.token(f"{name}/", tokens[shape, "ten"])
    times: dict[tuple[str, str], list[float]] = {key: [] for key in tokens}
    for _ in range(ROUNDS):
        for (shape, case), token in tokens.items():
            times[shape, case].append(_ms(client.token, f"{folders[shape]}/", token))
    print("\n## Synchronisation\n\n| members | no change, ms | 10 changes, ms | against 1,000 | initial sync, ms |")
    print("|---|---|---|---|---|")
    first = next(iter(SHAPES))
    for shape in SHAPES:
        poll, ten = (statistics.median(times[shape, case]) for case in ("poll", "ten"))
        ratios = [
            statistics.median(times[shape, case]) / statistics.median(times[first, case]) for case in ("poll", "ten")
        ]
        print(f"| {shape} | {poll:.2f} | {ten:.2f} | {ratios[0]:.2f}, {ratios[1]:.2f} | {initial[shape] * 1000:.0f} |")


def _curve(sizes: tuple[int, ...]) -> None:
    """Measure one folder of growing size, one connection, one worker: what should not grow does not."""
    columns = ("PUT", "GET", "PROPFIND depth 0", "sync poll", "10 changes")
    print(f"| members | {' | '.join(f'{column}, ms' for column in columns)} | initial sync, ms per 1,000 |")
    print(f"|{'---|' * (len(columns) + 2)}")
    for size in sizes:
        with tempfile.TemporaryDirectory() as name, Served(Path(name), workers=1) as served:
            fill(served.directory, "f", 1, size)
            client = served.client()
            client.ask("GET", "")  # the password is verified once
            begun = time.perf_counter()
            before = client.token("f/")
            initial = (time.perf_counter() - begun) * 1000 / (size / 1000)
            for number in range(10):
                client.ask("PUT", f"f/ten{number}", b"new")
            after = client.token("f/", before)
            ten = _median(client, 50, lambda client, _, token=before: client.token("f/", token))
            poll = _median(client, 100, lambda client, _, token=after: client.token("f/", token))
            put = _median(client, 200, lambda client, number: client.ask("PUT", f"f/new{number}", b"x" * 2048))
            get = _median(client, 200, lambda client, number: client.ask("GET", f"f/message-{number * 5}.eml"))
            depth0 = _median(client, 200, _depth0)
        figures = " | ".join(f"{figure:.2f}" for figure in (put, get, depth0, poll, ten))
        print(f"| {size:,} | {figures} | {initial:.1f} |", flush=True)


def _median(client: Client, count: int, call: Callable[[Client, int], object]) -> float:
    return statistics.median(_ms(call, client, number) for number in range(count))


def _ms(call: Callable[..., object], *words: object) -> float:
    begun = time.perf_counter()
    call(*words)
    return (time.perf_counter() - begun) * 1000


def _depth0(client: Client, number: int) -> None:
    client.ask("PROPFIND", f"f/message-{number * 5}.eml", PROPFIND, {"Depth": "0"})


if __name__ == "__main__":
    main()
