"""`make bench`: davstore beside its peers in one run, then synchronisation over growing stores. Prints Markdown.

The peers come from a harness that is no part of this project: DAVSTORE_BENCH names its folder (`../shared/bench`).
Without it only davstore's own figures are made, and the run says so.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import requests

from davstore.metadata import bindings, nodes, stores
from davstore.metadata.nodes import Stored
from davstore.metadata.stores import Ledger
from davstore.metadata.tables import MADE_HOME
from davstore.metadata.unit import Unit
from davstore.settings import load_settings
from davstore.wiring import open_house

HARNESS = Path(os.environ.get("DAVSTORE_BENCH", "../shared/bench"))
CASES = "get,get304,pf0,put,pf1k,pf10k"
SHAPES = {"1,000 in a folder": (1, 1_000), "100,000 in a folder": (1, 100_000), "100,000 in 5,000 folders": (5_000, 20)}
ROUNDS = 25
BODY = Stored(b"x" * 2048, None, 2048, "0" * 64)

REPORT = """<D:sync-collection xmlns:D="DAV:"><D:sync-token>{token}</D:sync-token><D:sync-level>{level}</D:sync-level>
<D:prop><D:getetag/><D:getcontentlength/></D:prop></D:sync-collection>"""


def main() -> None:
    """Start a store, measure, print."""
    workers = sys.argv[1] if len(sys.argv) > 1 else "1"
    with tempfile.TemporaryDirectory() as directory:
        command = [Path(sys.executable).parent / "davstore", "serve", "--data", directory, "--bind", "127.0.0.1:0"]
        environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
        server = subprocess.Popen(
            [*command, "--workers", workers], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environ
        )
        try:
            password, url = _read_start(server)
            base = f"{url}dav/store/me/"
            if (HARNESS / "bench.py").exists():
                _beside_peers(base, password, server.pid)
            else:
                print(f"\nNo peers: there is no {HARNESS}/bench.py.")
            _sync(base, password, Path(directory))
        finally:
            server.terminate()
            server.wait()


def _read_start(server: subprocess.Popen[str]) -> tuple[str, str]:
    assert server.stdout is not None
    password = ""
    for line in server.stdout:
        if match := re.match(r"password:\s+(\S+)", line):
            password = match[1]
        if match := re.match(r"davstore serves (\S+)", line):
            return password, match[1]
    raise SystemExit("the server did not start")


def _beside_peers(base: str, password: str, pid: int) -> None:
    words = ["--base-url", base, "--user", "me", "--password", password, "--server-pid", str(pid), "--peer", "davstore"]
    measured = ["--peers", "apache,dovecot", "--cases", CASES, "--rounds", "3"]
    subprocess.run([sys.executable, HARNESS / "bench.py", *words, *measured], check=True)


def _sync(base: str, password: str, directory: Path) -> None:
    session = requests.Session()
    session.auth = ("me", password)
    tokens: dict[tuple[str, str], str] = {}
    folders = {shape: f"sync{number}" for number, shape in enumerate(SHAPES)}
    initial: dict[str, float] = {}
    for shape, name in folders.items():
        _fill(directory, name, *SHAPES[shape])
        started = time.perf_counter()
        tokens[shape, "poll"] = _follow(session, f"{base}{name}/")
        initial[shape] = time.perf_counter() - started
    for shape, name in folders.items():  # every change is a change elsewhere for the other folders
        tokens[shape, "ten"] = _report(session, f"{base}{name}/", tokens[shape, "poll"])[0]
        for number in range(10):
            inside = f"d{number}/" if SHAPES[shape][0] > 1 else ""
            session.put(f"{base}{name}/{inside}new{number}", data=b"new").raise_for_status()
    for shape, name in folders.items():
        tokens[shape, "poll"] = _report(session, f"{base}{name}/", tokens[shape, "ten"])[0]
    times: dict[tuple[str, str], list[float]] = {key: [] for key in tokens}
    for _ in range(ROUNDS):  # in turn, so that a slow moment of the machine meets all of them
        for (shape, case), token in tokens.items():
            started = time.perf_counter()
            _report(session, f"{base}{folders[shape]}/", token)
            times[shape, case].append((time.perf_counter() - started) * 1000)
    print("\n| members | no change, ms | 10 changes, ms | against 1,000 | initial sync, ms |\n|---|---|---|---|---|")
    first = next(iter(SHAPES))
    for shape in SHAPES:
        poll, ten = (statistics.median(times[shape, case]) for case in ("poll", "ten"))
        ratios = [
            statistics.median(times[shape, case]) / statistics.median(times[first, case]) for case in ("poll", "ten")
        ]
        print(f"| {shape} | {poll:.2f} | {ten:.2f} | {ratios[0]:.2f}, {ratios[1]:.2f} | {initial[shape] * 1000:.0f} |")


def _report(session: requests.Session, url: str, token: str) -> tuple[str, bool]:
    answer = session.request("REPORT", url, data=REPORT.format(token=token, level="infinite"))
    answer.raise_for_status()
    found = re.search(r"<D:sync-token>([^<]*)", answer.text[-400:])
    assert found
    return found[1], "number-of-matches-within-limits" in answer.text[-1000:]


def _follow(session: requests.Session, url: str) -> str:
    token, more = "", True
    while more:
        token, more = _report(session, url, token)
    return token


def _fill(directory: Path, name: str, folders: int, members: int) -> None:
    """Write a folder's rows straight into the database: what is measured is reading them."""
    house = open_house(load_settings(flags={"data.path": str(directory)}, environ={}))

    def work(unit: Unit) -> None:
        ledger = stores.lock(unit, "me")
        top = _folder(unit, ledger, ledger.facts.root_id, name)
        for number in range(folders):
            parent = top if folders == 1 else _folder(unit, ledger, top, f"d{number}")
            _members(unit, ledger, parent, members)
        stores.settle(unit, ledger, now_us=0)

    house.database.write(work)
    house.database.close()


def _folder(unit: Unit, ledger: Ledger, parent_id: int, name: str) -> int:
    node_id, _ = nodes.insert_node(unit, ledger, nodes.empty_collection(now_us=0))
    bindings.bind(unit, ledger, parent_id, name, node_id=node_id, is_collection=True, made=MADE_HOME)
    return node_id


def _members(unit: Unit, ledger: Ledger, parent_id: int, count: int) -> None:
    for number in range(count):
        body_id = nodes.insert_body(unit, ledger, BODY)
        node_id, _ = nodes.insert_node(unit, ledger, nodes.leaf(body_id, BODY, "message/rfc822", now_us=0))
        name = f"message-{number}.eml"
        bindings.bind(unit, ledger, parent_id, name, node_id=node_id, is_collection=False, made=MADE_HOME)
    ledger.used_bytes += count * BODY.length


if __name__ == "__main__":
    main()
