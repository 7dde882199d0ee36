"""The file that workers share: what it keeps, and that it is never in the way."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from davstore.metadata.throttle import Throttle
from davstore.model.rounds import Round

NOW = 1_800_000_000_000_000
MINUTE = 60_000_000
YEAR = 366 * 24 * 60 * MINUTE


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
    assert here.find_round("d1", "REPORT /") is None
    first = Round(NOW, ("", "urn:x:1"))
    here.record_round("d1", "REPORT /", first)
    here.record_round("d1", "REPORT /a", Round(NOW + 1))
    here.record_round("d2", "REPORT /", Round(NOW + 2))
    assert there.find_round("d1", "REPORT /") == first
    there.record_round("d1", "REPORT /", Round(NOW + 3))
    assert here.find_round("d1", "REPORT /") == Round(NOW + 3)
    assert here.find_round("d1", "REPORT /a") == Round(NOW + 1)


def test_rounds_are_kept_as_long_as_the_longest_interval(workers: list[Throttle]) -> None:
    here = workers[0]
    here.record_round("d1", "old", Round(NOW))
    here.record_round("d2", "newer", Round(NOW + YEAR - 1))
    assert here.find_round("d1", "old") is not None
    here.record_round("d2", "newer", Round(NOW + YEAR))
    assert here.find_round("d1", "old") is None


def test_each_device_is_due_once_a_minute(workers: list[Throttle]) -> None:
    here, there = workers
    assert here.is_due("d1", now_us=NOW)
    assert not there.is_due("d1", now_us=NOW + MINUTE - 1)
    assert there.is_due("d2", now_us=NOW)
    assert there.is_due("d1", now_us=NOW + MINUTE)
    assert not here.is_due("d1", now_us=NOW + MINUTE + 1)
    assert here.is_due("d1", now_us=NOW - MINUTE)  # the clock was set back


def test_the_longest_wait_of_all_keys_counts(workers: list[Throttle]) -> None:
    here, there = workers
    for now_us in (NOW, NOW + 1):
        here.record_failure(["account a", "network n"], now_us=now_us)
    here.record_failure(["network n"], now_us=NOW + 2)
    assert there.wait_seconds(["account a"], now_us=NOW + 2) == 1
    assert there.wait_seconds(["account a", "network n"], now_us=NOW + 2) == 2
    assert there.wait_seconds(["account b"], now_us=NOW + 2) == 0
    assert there.wait_seconds([], now_us=NOW + 2) == 0


def test_a_broken_file_is_made_anew(file: Path, workers: list[Throttle]) -> None:
    file.write_bytes(b"this is no database at all" * 100)
    workers[0].record_failure(["k"], now_us=NOW)
    workers[0].record_failure(["k"], now_us=NOW)
    assert workers[1].wait_seconds(["k"], now_us=NOW) == 1


def test_a_file_that_cannot_be_is_no_hindrance(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    throttle = Throttle(tmp_path / "missing" / "throttle.sqlite")
    with caplog.at_level(logging.WARNING):
        throttle.record_failure(["k"], now_us=NOW)
        throttle.record_round("d1", "s", Round(NOW))
    assert throttle.wait_seconds(["k"], now_us=NOW) == 0
    assert throttle.find_round("d1", "s") is None
    assert not throttle.is_due("d1", now_us=NOW)
    assert "unable to open" in caplog.text


def test_guesses_that_cannot_be_written_are_counted_all_the_same(tmp_path: Path) -> None:
    throttle = Throttle(tmp_path / "missing" / "throttle.sqlite", failures_before_delay=2, delay_seconds=1)
    for _ in range(2):
        throttle.record_failure(["account a"], now_us=NOW)
    assert throttle.wait_seconds(["account a"], now_us=NOW) == 1
    assert throttle.wait_seconds(["account b"], now_us=NOW) == 0
    throttle.close()
