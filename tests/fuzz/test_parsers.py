"""Every parser on its corpus and on mutations of it: a value, or an error with an answer of its own; in linear time.

The short run mutates with a fixed seed, so that it is the same everywhere; the long one lets atheris look for new
branches.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS, Target, answered

MUTATIONS = 1_500
LONG_SECONDS = 60
HEADER_BYTES = 32_768
"""The most that a head may have."""

of_each = pytest.mark.parametrize("name", TARGETS)


def mutate(target: Target, chance: random.Random) -> bytes:
    """Return a seed with up to four pieces replaced, repeated, taken out or put in."""
    data = chance.choice(target.seeds)
    for _ in range(chance.randint(1, 4)):
        start = chance.randint(0, len(data))
        stop = min(len(data), start + chance.choice((0, 0, 1, 4, 32)))
        piece = chance.choice(
            (
                b"",
                chance.randbytes(chance.randint(1, 4)),
                data[start:stop] * chance.choice((2, 50)),
                chance.choice(target.words or (b"\0",)),
                chance.choice(target.seeds)[chance.randint(0, 8) :],
            )
        )
        data = data[:start] + piece + data[stop:]
    return data


@of_each
def test_the_corpus(name: str) -> None:
    for seed in TARGETS[name].seeds:
        answered(TARGETS[name].run, seed)


@of_each
def test_mutations_of_the_corpus(name: str) -> None:
    chance = random.Random(name)
    for _ in range(MUTATIONS):
        data = mutate(TARGETS[name], chance)
        try:
            answered(TARGETS[name].run, data)
        except Exception as error:
            raise AssertionError(f"{name} on {data!r}") from error


@of_each
def test_time_grows_with_the_length_and_no_faster(name: str) -> None:
    """A parser that went back for each character would take minutes here."""
    target = TARGETS[name]
    for seed in target.seeds:
        for piece in (seed, *target.words, b" ", b"\t", b",", b"\xff"):
            for data in (
                piece * (HEADER_BYTES // max(1, len(piece))),
                seed + piece * (HEADER_BYTES // max(1, len(piece))),
            ):
                begun = time.process_time()
                answered(target.run, data)
                assert time.process_time() - begun < 2, (seed, piece)


@pytest.mark.torture
@of_each
def test_a_minute_of_looking_for_new_branches(name: str, tmp_path: Path) -> None:
    run = [sys.executable, "-m", "tests.fuzz.explore", name, str(tmp_path), f"-max_total_time={LONG_SECONDS}"]
    done = subprocess.run(run, capture_output=True, text=True, timeout=LONG_SECONDS * 3, check=False)
    assert done.returncode == 0, done.stderr[-8_000:]
