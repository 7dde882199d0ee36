"""The wire does not change unless it is meant to: what the server answers is what `answers/` says, byte for byte.

After a change that is meant, `python -m tests.golden.record` writes them anew. `talk.py` says how they are written.
"""

from __future__ import annotations

import difflib
import itertools
from pathlib import Path

import pytest

from tests.contract.conftest import create_database, drop_database
from tests.golden.conversations import ANSWERS, SERVERS, list_conversations

SHOWN_LINES = 300


@pytest.mark.parametrize("database", ["SQLite", pytest.param("PostgreSQL", marks=pytest.mark.torture)])
def test_the_answers_are_those_that_were_recorded(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    urls: dict[str, str] = {}
    server = request.getfixturevalue("postgresql_server") if database == "PostgreSQL" else ""
    if server:
        urls = {name: create_database(server) for name in SERVERS}
    said = dict(list_conversations(tmp_path, urls))
    for url in urls.values():
        drop_database(server, url.rpartition("/")[2])
    recorded = {file.stem: file.read_text(encoding="utf-8") for file in ANSWERS.glob("*.txt")}
    assert said.keys() == recorded.keys()
    changes = itertools.chain.from_iterable(
        difflib.unified_diff(
            recorded[name].splitlines(), text.splitlines(), f"answers/{name}.txt", "now", n=8, lineterm=""
        )
        for name, text in said.items()
        if text != recorded[name]
    )
    shown = "\n".join(itertools.islice(changes, SHOWN_LINES))
    assert not shown, f"{shown}\n\nIf it is meant: python -m tests.golden.record, and read its difference."
