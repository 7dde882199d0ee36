"""A plain install, as a person makes it: it needs the package index, and so is no part of `make test`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.clients.conftest import PATIENCE_SECONDS

TOP = Path(__file__).parents[2]


@pytest.mark.clients
def test_a_plain_install_serves_without_the_developers_tools(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    bin_ = tmp_path / "venv/bin"
    pip = [bin_ / "pip", "install", "--quiet", "--constraint", TOP / "constraints.txt"]
    subprocess.run([*pip, TOP], check=True)
    frozen = subprocess.run([bin_ / "pip", "freeze"], capture_output=True, text=True, check=True).stdout
    assert not re.search(r"^(psycopg|pytest|mypy|playwright)\b", frozen, re.MULTILINE | re.IGNORECASE)
    words = ["serve", "--data", str(tmp_path / "data"), "--bind", "127.0.0.1:0"]
    with subprocess.Popen([bin_ / "davstore", *words], stdout=subprocess.PIPE, text=True, cwd=tmp_path) as served:
        try:
            assert served.stdout is not None
            found = next(match for line in served.stdout if (match := re.search(r"http://\S+", line)))
            assert requests.get(f"{found[0]}healthz", timeout=PATIENCE_SECONDS).content == b"ok\n"
        finally:
            served.terminate()
    assert served.returncode == 0
