"""curl, as scripts use it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.clients.conftest import Run
from tests.clients.place import Place

BODY = os.urandom(3_000_000)


@pytest.fixture
def curl(run: Run, place: Place, tmp_path: Path) -> Run:
    """Return curl with the user's password, in a directory with the file `body`."""
    (tmp_path / "body").write_bytes(BODY)

    def curl(*words: str, said: str = "") -> str:
        return run("curl", "-sSf", "-u", f"{place.user}:{place.password}", *words, said=said)

    return curl


@pytest.mark.peer("curl")
def test_up_and_down(curl: Run, run: Run, place: Place, tmp_path: Path) -> None:
    """PUT with a length, from a pipe in chunks, with Expect; ranges, resume, time conditions, HEAD, DELETE"""
    curl("-T", "body", f"{place.url}sized")
    run("sh", "-c", f"curl -sSf -u '{place.user}:{place.password}' -T - {place.url}chunked < body")
    said = curl("-v", "-H", "Expect: 100-continue", "--expect100-timeout", "30", "-T", "body", f"{place.url}expected")
    assert "< HTTP/1.1 100 Continue" in said
    assert place.tree() == {"sized": BODY, "chunked": BODY, "expected": BODY}

    curl("-r", "1000000-1999999", "-o", "part", f"{place.url}sized")
    assert (tmp_path / "part").read_bytes() == BODY[1_000_000:2_000_000]
    (tmp_path / "part").write_bytes(BODY[:1_000_000])
    curl("-C", "-", "-o", "part", f"{place.url}sized")
    assert (tmp_path / "part").read_bytes() == BODY
    curl("-R", "-o", "timed", f"{place.url}sized")
    assert curl("-z", "timed", "-o", "again", "-w", "%{http_code}", f"{place.url}sized") == "304"
    curl("--etag-save", "etag", "-o", "again", f"{place.url}sized")
    assert curl("--etag-compare", "etag", "-o", "again", "-w", "%{http_code}", f"{place.url}sized") == "304"
    assert f"content-length: {len(BODY)}" in curl("-I", f"{place.url}sized").lower()
    curl("-X", "DELETE", f"{place.url}sized")
    assert set(place.tree()) == {"chunked", "expected"}


@pytest.mark.peer("curl")
def test_authentication(curl: Run, place: Place, tmp_path: Path) -> None:
    """--anyauth with an upload, --digest refused, no or a wrong password refused before the body is sent"""
    curl("--anyauth", "-T", "body", f"{place.url}any")
    assert place.ask("GET", "any").content == BODY
    status = ("-o", os.devnull, "-w", "%{http_code} %{size_upload}", "-T", "body", f"{place.url}refused")
    refused = [
        ("--digest", "-u", f"{place.user}:{place.password}"),
        ("-u", f"{place.user}:wrong", "-H", "Expect: 100-continue", "--expect100-timeout", "30"),
        ("-H", "Expect: 100-continue", "--expect100-timeout", "30"),
    ]
    for words in refused:
        done = subprocess.run(
            ["curl", "-sS", *words, *status], cwd=tmp_path, stdout=subprocess.PIPE, timeout=60, text=True, check=True
        )
        assert done.stdout == "401 0"
    assert set(place.tree()) == {"any"}
