"""`davstore policy` where the settings name a URL."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from davstore import wiring
from davstore.cli import main
from davstore.model.web_urls import WebUrl
from davstore.rule_sources.url import Copy, Source, find_copy, write_copy
from davstore.settings import load_settings
from davstore.store import enrolling
from tests.policy_server import NEVER, PolicyServer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[PolicyServer]:
    made = PolicyServer()
    made.document = NEVER.encode()
    monkeypatch.setenv("DAVSTORE_POLICY__URL", made.url.replace("//", "//me:geheim@"))
    yield made
    made.stop()


def run(tmp_path: Path, *words: str, status: int = 0) -> str:
    done = CliRunner().invoke(main, ["policy", *words, "--data", str(tmp_path / "data")])
    assert done.exit_code == status, done.output
    assert "geheim" not in done.output
    return done.output


def test_the_document_is_fetched_to_be_checked(tmp_path: Path, server: PolicyServer) -> None:
    assert run(tmp_path, "check") == f"{server.url}: 1 rules\n"
    server.document = b"[[rule]]\nname = 'idle'\n"
    warning = f"warning: {server.url}: rule idle: changes nothing: it says nothing\n"
    assert run(tmp_path, "check") == f"{server.url}: 1 rules\n{warning}"
    server.document = b"[[rule]]\nmodus = 1\n"
    assert run(tmp_path, "check", status=2) == f"davstore: {server.url}:2: rule.modus: unknown key\n"
    server.redirect("https://10.0.0.1/rules.toml")
    assert run(tmp_path, "check", status=6) == (
        f"davstore: {server.url}: it redirects to https://10.0.0.1/rules.toml, whose address 10.0.0.1 is not public\n"
    )
    assert not (tmp_path / "data").exists()


def test_the_rules_in_force_are_explained_and_those_of_now_compared(tmp_path: Path, server: PolicyServer) -> None:
    settings = load_settings(flags={"data.path": str(tmp_path / "data")})
    database = wiring.open_storage(settings).database
    enrolling.add_user(database, "me", "geheim", now_us=1)
    enrolling.add_device(database, "me", "phone", now_us=1)
    database.close()
    told = f"davstore: {server.url}: no answer yet: no device may synchronise\n"
    assert run(tmp_path, "explain", "me", "phone", status=6) == told
    source = Source(tmp_path / "data", WebUrl.parse(server.url), 60, refuses=False)
    write_copy(source, Copy("", "", time.time()))
    assert run(tmp_path, "explain", "me", "phone").splitlines()[1:] == ["automatic: accepted", "manual: accepted"]
    (tmp_path / "old.toml").write_text("")
    assert run(tmp_path, "diff", str(tmp_path / "old.toml")).splitlines() == [
        "me/phone (other)",
        "- modes: automatic, manual",
        "+ may not synchronise",
    ]
    copy = find_copy(source)
    assert copy is not None
    assert copy.document == ""
