"""`davstore serve` with a policy at a URL whose server comes, breaks, goes and comes back."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from davstore import wiring
from davstore.rule_sources.url import FILE
from davstore.settings import load_settings
from davstore.store import enrolling
from tests.faults.served import PATIENCE_SECONDS, Served
from tests.policy_server import NEVER, PolicyServer
from tests.waiting import until


@pytest.fixture
def policy() -> Iterator[PolicyServer]:
    made = PolicyServer()
    yield made
    made.stop()


@pytest.fixture
def secret(tmp_path: Path) -> str:
    """Return that of a device of the store in `data`."""
    database = wiring.open_storage(load_settings(flags={"data.path": str(tmp_path / "data")}, environ={})).database
    with contextlib.closing(database):
        enrolling.add_user(database, "me", "geheim", now_us=1)
        return enrolling.add_device(database, "me", "phone", now_us=1).secret


class Phone:
    """A device that lists."""

    def __init__(self, served: Served, secret: str) -> None:
        self._url = f"{served.url}dav/store/me/"
        self._headers = {"Authorization": f"Bearer {secret}", "Depth": "1"}

    def lists(self) -> int:
        return requests.request("PROPFIND", self._url, headers=self._headers, timeout=PATIENCE_SECONDS).status_code


def is_ready(served: Served) -> int:
    return requests.get(f"{served.url}readyz", timeout=PATIENCE_SECONDS).status_code


def age(served: Served) -> None:
    """Let the last answer be of yesterday."""
    file = served.data / FILE
    copy = json.loads(file.read_text())
    new = file.with_name("new")
    new.write_text(json.dumps(copy | {"answered": time.time() - 86_400}))
    new.rename(file)


@pytest.mark.parametrize("when_away", ["refuse", pytest.param("keep", marks=pytest.mark.torture)])
def test_a_policy_comes_goes_and_comes_back_broken(serve, policy: PolicyServer, secret: str, when_away: str) -> None:
    policy.document = NEVER.encode()
    policy.stop()
    served = serve(
        *("--workers", "1"), POLICY__URL=policy.url, POLICY__REFRESH_SECONDS="1", POLICY__WHEN_AWAY=when_away
    )
    served.ready()
    phone = Phone(served, secret)
    assert f"WARNING {policy.url}: no answer yet: no device may synchronise" in served.log()
    until(lambda: f"{policy.url}: connection refused; there are no rules, and no device may sync" in served.log())
    assert (phone.lists(), is_ready(served)) == (503, 503)

    policy.start()
    until(lambda: is_ready(served) == 200)
    assert phone.lists() == 403
    assert f"INFO {policy.url}: 1 rules in force" in served.log()

    policy.stop()
    until(lambda: served.log().count("connection refused") == 2)
    assert (phone.lists(), is_ready(served)) == (403, 200)
    age(served)
    assert (phone.lists(), is_ready(served)) == (403 if when_away == "keep" else 503, 503)

    policy.document = b"[[rule]]\nmodus = 1\n"
    policy.start()
    until(lambda: f"{policy.url}:2: rule.modus: unknown key; the last good rules stay in force" in served.log())
    assert (phone.lists(), is_ready(served)) == (403, 503)
    assert "Traceback" not in served.log()


@pytest.mark.torture
def test_another_url_counts_after_a_reload(serve, policy: PolicyServer, secret: str, tmp_path: Path) -> None:
    file, other = tmp_path / "davstore.toml", PolicyServer()
    try:
        other.document = NEVER.encode()
        file.write_text(f'[server]\nworkers = 1\n[policy]\nurl = "{policy.url}"\n')
        served = serve("-c", str(file))
        served.ready()
        phone = Phone(served, secret)
        until(lambda: phone.lists() == 207)
        file.write_text(f'[server]\nworkers = 1\n[policy]\nurl = "{other.url}"\n')
        served.process.send_signal(signal.SIGHUP)
        until(lambda: phone.lists() == 403)
        assert is_ready(served) == 200
    finally:
        other.stop()


@pytest.mark.torture
def test_another_wsgi_server_fetches_it_too(policy: PolicyServer, tmp_path: Path) -> None:
    settings = load_settings(flags={"data.path": str(tmp_path / "data"), "policy.url": policy.url}, environ={})
    wiring.open_storage(settings).database.close()
    environ = os.environ | {"DAVSTORE_DATA__PATH": str(tmp_path / "data"), "DAVSTORE_POLICY__URL": policy.url}
    log = tmp_path / "log"
    words = ["-k", "gthread", "--threads", "2", "-w", "2", "-b", "127.0.0.1:0", "--no-control-socket"]
    with log.open("w") as said:
        command = [sys.executable, "-m", "gunicorn", *words, "davstore.wsgi:app"]
        process = subprocess.Popen(command, stderr=said, env=environ)
    try:
        until(lambda: process.poll() is not None or re.search(r"Listening at: http://\S+", log.read_text()))
        found = re.search(r"Listening at: (http://\S+)", log.read_text())
        assert found, log.read_text()
        until(lambda: requests.get(f"{found[1]}/readyz", timeout=PATIENCE_SECONDS).status_code == 200)
        assert len(policy.asked) == 1
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)
