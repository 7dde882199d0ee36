"""`davstore check`: damage ends it with 1, what a killed server left of uploads does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from davstore.cli import main
from davstore.settings import load_settings
from davstore.store import enrolling
from davstore.wiring import Storage, open_storage

NAME = "0d7f3ab4-0000-4000-8000-000000000000"


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    found = open_storage(load_settings(flags={"data.path": str(tmp_path)}, environ={}))
    enrolling.add_user(found.database, "me", "geheim", now_us=1)
    staged = found.blobs.stage(1, NAME)
    staged.publish()
    staged.close()
    yield found
    found.database.close()


def check(directory: Path, *words: str, status: int = 0) -> str:
    done = CliRunner().invoke(main, ["check", "--data", str(directory), *words])
    assert done.exit_code == status, done.output
    return done.output


def test_an_unfinished_upload_is_told_and_no_damage(storage: Storage, tmp_path: Path) -> None:
    assert check(tmp_path) == f"me: unfinished upload: {NAME}\n0 findings, 1 unfinished uploads\n"
    assert json.loads(check(tmp_path, "--json")) == {
        "findings": [],
        "unfinished_uploads": [{"store": "me", "kind": "unfinished upload", "what": NAME}],
    }


def test_damage_ends_with_1(storage: Storage, tmp_path: Path) -> None:
    engine = storage.database.engine()
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE store SET used_bytes = 7")
    assert "me: counter does not add up: 7 bytes used, 0 counted\n1 findings" in check(tmp_path, status=1)
