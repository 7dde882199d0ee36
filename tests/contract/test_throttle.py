"""The file that workers share: what it keeps, and that it is never in the way."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

import pytest

from davstore.metadata.guesses import Guess
from davstore.metadata.volatile import Throttle
from davstore.model.rounds import Round

NOW = 1_800_000_000_000_000
MINUTE = 60_000_000
YEAR = 366 * 24 * 60 * MINUTE
PAIR = Guess("account", "network", NOW)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "throttle.sqlite"


@pytest.fixture
def workers(file: Path):
    made = [Throttle(file, failures_before_delay=2, delay_seconds=1) for _ in range(2)]
    yield made
    for throttle in made:
        throttle.close()


def test_rounds_are_known_to_all_workers(workers: list[Throttle]) -> None:
    here, there = workers
    assert here.rounds.find("d1", "REPORT /") is None
    first = Round(NOW, (("", 2), ("urn:x:1", None)))
    here.rounds.record("d1", "REPORT /", first)
    here.rounds.record("d1", "REPORT /a", Round(NOW + 1))
    here.rounds.record("d2", "REPORT /", Round(NOW + 2))
    assert there.rounds.find("d1", "REPORT /") == first
    there.rounds.record("d1", "REPORT /", Round(NOW + 3))
    assert here.rounds.find("d1", "REPORT /") == Round(NOW + 3)
    assert here.rounds.find("d1", "REPORT /a") == Round(NOW + 1)


def test_rounds_are_kept_as_long_as_the_longest_interval(workers: list[Throttle]) -> None:
    here = workers[0]
    here.rounds.record("d1", "old", Round(NOW))
    here.rounds.record("d2", "newer", Round(NOW + YEAR - 1))
    assert here.rounds.find("d1", "old") is not None
    here.rounds.record("d2", "newer", Round(NOW + YEAR))
    assert here.rounds.find("d1", "old") is None


def test_each_device_is_due_once_a_minute(workers: list[Throttle]) -> None:
    here, there = workers
    assert here.pacing.is_due("d1", now_us=NOW)
    assert not there.pacing.is_due("d1", now_us=NOW + MINUTE - 1)
    assert there.pacing.is_due("d2", now_us=NOW)
    assert there.pacing.is_due("d1", now_us=NOW + MINUTE)
    assert not here.pacing.is_due("d1", now_us=NOW + MINUTE + 1)
    assert here.pacing.is_due("d1", now_us=NOW - MINUTE)  # the clock was set back


def test_failures_are_counted_by_pairs_that_all_workers_know(workers: list[Throttle]) -> None:
    here, there = workers
    for _ in range(3):
        assert here.guesses.record(PAIR)
    assert there.guesses.wait_seconds(PAIR) == 2
    assert there.guesses.wait_seconds(PAIR._replace(network="elsewhere")) == 0
    assert there.guesses.wait_seconds(PAIR._replace(account="other")) == 0


def test_a_clock_that_was_set_back_holds_nobody_up(workers: list[Throttle]) -> None:
    here, there = workers
    for number in range(10):
        for guess in (PAIR, PAIR._replace(account=f"a{number}"), PAIR._replace(network=f"n{number}")):
            here.guesses.record(guess)
    earlier = PAIR._replace(now_us=NOW - YEAR)
    assert there.guesses.wait_seconds(PAIR) > 0
    assert there.guesses.wait_seconds(earlier) == 0
    assert (
        there.guesses.wait_seconds(earlier._replace(account="new"))
        == there.guesses.wait_seconds(earlier._replace(network="new"))
        == 0
    )


def test_the_file_of_version_0_1_is_taken_over(file: Path, workers: list[Throttle]) -> None:
    with sqlite3.connect(file) as old:
        old.execute("CREATE TABLE guess (key TEXT PRIMARY KEY, failures INTEGER NOT NULL, last_us INTEGER NOT NULL)")
        old.execute("CREATE TABLE proof (user INTEGER PRIMARY KEY, mark BLOB NOT NULL)")
        old.execute("CREATE TABLE round (device TEXT, scope TEXT, started_us INTEGER, tokens TEXT)")
        old.execute("INSERT INTO round VALUES ('d1', 'REPORT /', 1, '[\"T\"]')")
    old.close()
    for throttle in workers:
        throttle.guesses.record(PAIR)
        throttle.rounds.record("d1", "REPORT /", Round(NOW))
    assert workers[0].guesses.wait_seconds(PAIR) == 1
    assert workers[0].rounds.find("d1", "REPORT /") == Round(NOW)


def test_a_broken_file_is_made_anew(file: Path, workers: list[Throttle]) -> None:
    file.write_bytes(b"this is no database at all" * 100)
    workers[0].guesses.record(PAIR)
    workers[0].guesses.record(PAIR)
    assert workers[1].guesses.wait_seconds(PAIR) == 1


def test_a_file_that_cannot_be_is_no_hindrance(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    throttle = Throttle(tmp_path / "missing" / "throttle.sqlite")
    with caplog.at_level(logging.WARNING):
        throttle.guesses.record(PAIR)
        throttle.rounds.record("d1", "s", Round(NOW))
        throttle.guesses.record_known(1, 1, PAIR)
    assert throttle.guesses.wait_seconds(PAIR) == 0
    assert not throttle.guesses.is_known(1, 1, PAIR)
    assert not throttle.guesses.is_repeated(PAIR, b"")
    assert throttle.rounds.find("d1", "s") is None
    assert not throttle.pacing.is_due("d1", now_us=NOW)
    assert "unable to open" in caplog.text


def test_guesses_that_cannot_be_written_are_counted_all_the_same(tmp_path: Path) -> None:
    throttle = Throttle(tmp_path / "missing" / "throttle.sqlite", failures_before_delay=2, delay_seconds=1)
    for _ in range(2):
        throttle.guesses.record(PAIR)
    assert throttle.guesses.wait_seconds(PAIR) == 1
    assert throttle.guesses.wait_seconds(PAIR._replace(account="b")) == 0
    throttle.close()
