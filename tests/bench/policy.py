"""`make bench ARGS=--policy`: what policy, views and filters cost a request, beside the same without. CPU, no HTTP."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from davstore import wiring
from davstore.model.principals import DeviceClass
from davstore.settings import load_settings
from davstore.store import enrolling
from tests.bench.filling import fill
from tests.bench.inside import HOME, REPORT, Inside

RULES: Final = 1_000
FOLDERS, MEMBERS = 10, 10_000
NEW: Final = 10
_FILTER: Final = '<C:filter xmlns:C="urn:davstore:cpm"><D:where>{}</D:where></C:filter><D:prop>'
_UNREAD: Final = _FILTER.format(
    '<D:not><D:is-defined><D:prop><x:seen xmlns:x="urn:davstore:cpm"/></D:prop></D:is-defined></D:not>'
)
_NOT_HUGE: Final = _FILTER.format(
    "<D:lt><D:prop><D:getcontentlength/></D:prop><D:literal>1000000000</D:literal></D:lt>"
)
_WHOLE: Final = "<D:prop>"


def measure(directory: Path, rounds: int) -> None:
    """Print the ratios of the gate, of a filter and of a change of view, each with its goal."""
    rules = directory / "policy.toml"
    lines = [f'[[rule]]\nname = "r{at}"\nuser = "user{at}"\nmodes = "manual"\n' for at in range(RULES)]
    without = Inside(directory)
    rules.write_text("".join(lines))
    ruled = Inside(directory, {"policy.file": str(rules)}, password=without.password)
    fill(directory, "f", FOLDERS, MEMBERS)
    database = wiring.find_storage(load_settings(flags={"data.path": str(directory)}, environ={})).database
    secret = enrolling.add_device(database, "me", "bench", device_class=DeviceClass.OTHER, now_us=1).secret
    for one in (without, ruled):
        one.authorization = f"Bearer {secret}"
    print("\n## Policy and views\n\n| what | of the same without | goal |\n|---|---|---|")
    token = without.token(f"{HOME}/f/")
    polls = [partial(one.token, f"{HOME}/f/", token) for one in (ruled, without)]
    _tell(f"a poll of a device under {RULES:,} rules", polls[0], polls[1], 40 * rounds, "at most 1.05")
    unread = _follow(without, _UNREAD)
    for at in range(NEW):
        without.ask("PUT", f"{HOME}/f/new{at}", b"new")
    changes = [partial(_follow, without, what, last) for what, last in ((_UNREAD, unread), (_WHOLE, token))]
    _tell(f"{NEW} changes of {FOLDERS * MEMBERS:,} through a filter", *changes, 40 * rounds, "at most 1.5")
    views = (partial(_follow, without, _NOT_HUGE, unread), partial(_follow, without, _WHOLE, ""))
    _tell(f"a change of view over {FOLDERS * MEMBERS:,}, beside a first synchronisation", *views, rounds, "at most 0.5")


def _follow(inside: Inside, filtered: str, last: str = "") -> str:
    """Follow the pages of a report in a view from a token, and return the last one's."""
    while True:
        body = REPORT.replace("<D:prop>", filtered, 1).format(last).encode()
        answer = inside.ask("REPORT", f"{HOME}/f/", body)[2]
        found = re.search(rb"<D:sync-token>([^<]*)", answer[-400:])
        assert found, answer[:400]
        last = found[1].decode()
        if b"number-of-matches-within-limits" not in answer[-1000:]:
            return last


def _tell(what: str, one: Callable[[], object], other: Callable[[], object], rounds: int, goal: str) -> None:
    ratios = [_cpu(one) / _cpu(other) for _ in range(rounds)]
    print(f"| {what} | {statistics.median(ratios):.2f} | {goal} |", flush=True)


def _cpu(call: Callable[[], object]) -> float:
    begun = time.process_time()
    call()
    return time.process_time() - begun
