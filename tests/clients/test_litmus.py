"""litmus, the protocol compliance suite of neon."""

from __future__ import annotations

import re

import pytest

from tests.client.served import Server
from tests.clients.conftest import Run


@pytest.mark.peer("litmus")
@pytest.mark.parametrize("suite", ["basic", "copymove", "props", "locks", "http"])
def test_litmus(server: Server, run: Run, suite: str) -> None:
    """every test of a suite, without a warning"""
    said = run("litmus", server.url, *server.credentials, environ={"TESTS": suite})
    assert re.search(r"of \d+ tests run: \d+ passed, 0 failed", said), said
    assert "skipped" not in said, said
    assert "WARNING" not in said, said
