"""The measured half of promise 9: the time of a refusal gives nothing away. `test_principals` counts the work."""

from __future__ import annotations

import itertools
import statistics
import sys
import time
from pathlib import Path

import pytest

from davstore.errors import Unauthenticated
from davstore.metadata.migrate import migrate
from davstore.metadata.opening import open_database
from davstore.metadata.volatile import Throttle
from davstore.protocol.http.authorization import Basic
from davstore.store import enrolling
from davstore.store.authenticating import Authenticator
from davstore.store.hashing import Passwords

pytestmark = pytest.mark.torture
ROUNDS = 200
NEVER = 10**9
RATIO = 1.2


def test_refusals_take_equally_long(tmp_path: Path) -> None:
    """Medians of the processor's time in turns, so that what else the machine does falls on all alike."""
    database = open_database("", tmp_path)
    migrate(database)
    for name in ("alice", "bob", "carol"):
        enrolling.add_user(database, name, "correct horse", now_us=1)
    secret = enrolling.add_device(database, "alice", "phone", now_us=1).secret
    enrolling.set_disabled(database, "carol", disabled=True)
    throttle = Throttle(tmp_path / "throttle.sqlite", failures_before_delay=NEVER)
    authenticator = Authenticator(database, throttle, Passwords())
    authenticator.authenticate(Basic("alice", "correct horse"), address="192.0.2.1", now_us=1)

    numbers = itertools.count()

    def refuse(user: str, password: str) -> int:
        number = next(numbers)  # from another network each time, or it were the same guess again
        begun = time.thread_time_ns()
        with pytest.raises(Unauthenticated):
            authenticator.authenticate(Basic(user, password), address=f"10.{number >> 8}.{number & 255}.1", now_us=1)
        return time.thread_time_ns() - begun

    wrong = {
        "signed in before": ("alice", "wrong"),
        "known": ("bob", "wrong"),
        "unknown": ("nobody", "wrong"),
        "disabled": ("carol", "wrong"),
        "disabled, right password": ("carol", "correct horse"),
    }
    secrets = {
        "wrong user": ("bob", secret),
        "unknown user": ("nobody", secret),
        "wrong secret": ("alice", secret[:-64] + "0" * 64),
    }
    for family in (wrong, secrets):
        times: dict[str, list[int]] = {name: [] for name in family}
        for _ in range(ROUNDS):
            for name, credentials in family.items():
                times[name].append(refuse(*credentials))
        medians = {name: statistics.median(taken) / 1e6 for name, taken in times.items()}
        ratio = max(medians.values()) / min(medians.values())
        said = ", ".join(f"{name} {taken_ms:.3f} ms" for name, taken_ms in medians.items())
        sys.stdout.write(f"{said}: ratio {ratio:.3f}\n")
        assert ratio < RATIO
    throttle.close()
    database.close()
