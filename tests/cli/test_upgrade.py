"""Commands and the tables of an older davstore."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from click.testing import CliRunner, Result

from davstore.cli import main
from davstore.directory import serving
from davstore.metadata.migrate import HEAD, find_revision
from davstore.metadata.opening import open_database
from tests.contract.old_stores import config

OLD = "0004"


def davstore(*words: str, data: Path) -> Result:
    return CliRunner().invoke(main, [*words, "--data", str(data)])


def test_no_command_upgrades_tables_that_a_server_uses(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert davstore("init", data=data).exit_code == 0
    database = open_database("", data)
    command.downgrade(config(database), OLD)
    commands = [["user", "list"], ["check"], ["backup", str(tmp_path / "to")], ["lock", "list", "me"]]
    with serving.take(data):  # as a `davstore serve` of before has it
        for words in commands:
            done = davstore(*words, data=data)
            assert (done.exit_code, "another davstore serve uses" in done.output) == (2, True), done.output
        assert find_revision(database) == OLD
    assert davstore("user", "list", data=data).exit_code == 0
    assert find_revision(database) == HEAD
    with serving.take(data):  # tables that are up to date are no reason
        for words in commands:
            done = davstore(*words, data=data)
            assert done.exit_code == 0, done.output
    database.close()
