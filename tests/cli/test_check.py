"""`davstore check`: damage ends it with 1, what a killed server left of uploads does not."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from davstore.cli import main
from davstore.metadata import instance
from davstore.settings import load_settings
from davstore.store import enrolling
from davstore.wiring import Storage, open_storage
from tests.cli.command import run
from tests.contract.conftest import create_database, drop_database

SEVERAL_ROWS = "INSERT INTO instance (id, incarnation) VALUES ('000', 0), ('other', 0)"
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


def _cut(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def _overwrite(file: Path) -> None:
    with file.open("r+b") as stream:
        for page in range(2, file.stat().st_size // 4096):
            stream.seek(page * 4096)
            stream.write(b"\xff" * 64)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut": _cut,
    "pages overwritten": _overwrite,
    "no database": lambda file: file.write_bytes(b"nothing that SQLite knows" * 1000),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_database_that_cannot_be_read_is_a_finding(storage: Storage, tmp_path: Path, damage: str) -> None:
    file = storage.database.file
    assert file is not None
    storage.database.close()
    DAMAGES[damage](file)
    for words in ([], ["--read-data"]):
        said = check(tmp_path, *words, status=1)
        assert re.search(r"^database: (broken page|unreadable): ", said, re.MULTILINE), said
        assert re.search(r"^[1-9]\d* findings, 0 unfinished uploads$", said, re.MULTILINE), said
    assert json.loads(check(tmp_path, "--json", status=1))["findings"]


@pytest.mark.parametrize(
    "statement",
    ["DROP TABLE binding", "DELETE FROM store_root", "DELETE FROM instance", SEVERAL_ROWS, "DROP TABLE instance"],
)
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.torture)])
def test_lost_rows_and_tables_are_findings(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, statement: str
) -> None:
    """On PostgreSQL, where the row that names the database also tells which directory is its own, too."""
    server = request.getfixturevalue("postgresql_server") if kind == "postgresql" else ""
    url = create_database(server) if server else ""
    settings = load_settings(flags={"data.path": str(tmp_path), "database.url": url}, environ={})
    run("init", "--data", tmp_path, url=url)
    database = open_storage(settings).database
    with database.engine().begin() as connection:
        connection.exec_driver_sql(statement)
    said = run("check", "--data", tmp_path, url=url, statuses=(1,))
    assert re.search(r"^(database|me): .*\n[1-9]\d* findings, 0 unfinished uploads$", said, re.MULTILINE), said
    if (
        "instance" in statement and "DROP" not in statement
    ):  # the one damage that davstore mends, on SQLite at each start
        run("init", *(["--adopt"] if server or statement == SEVERAL_ROWS else []), "--data", tmp_path, url=url)
        assert database.read(instance.get).id
        assert "0 findings" in run("check", "--data", tmp_path, url=url)
    database.close()
    if server:
        drop_database(server, url.rpartition("/")[2])


def test_rows_that_contradict_each_other_do_not_take_the_place_of_an_earlier_backup(tmp_path: Path) -> None:
    data, backup = tmp_path / "data", tmp_path / "backup"
    run("init", "--data", data)
    run("backup", backup, "--data", data)
    with contextlib.closing(sqlite3.connect(data / "davstore.sqlite")) as connection:
        connection.execute("DELETE FROM principal")
        connection.commit()
    assert "database: user without its principal: 1\n" in run("check", "--data", data, statuses=(1,))
    said = run("backup", backup, "--data", data, statuses=(6,))
    assert re.fullmatch(r"davstore: rows contradict each other, davstore check names them: .*\n", said)
    assert "0 findings" in run("check", backup)
    run("restore", backup, "--data", data, "--force")
    assert "0 findings" in run("check", "--data", data)
