"""Commands and the tables of an older davstore."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from alembic import command
from click.testing import CliRunner, Result

from davstore.cli import main
from davstore.directory import identity, serving
from davstore.metadata.migrate import HEAD, find_revision
from davstore.metadata.opening import open_database
from tests.contract.old_stores import config
from tests.waiting import until

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


def test_commands_of_one_moment_wait_for_each_other_and_a_server_for_them(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert davstore("init", data=data).exit_code == 0
    database = open_database("", data)
    command.downgrade(config(database), OLD)
    words = [sys.executable, "-m", "davstore", "user", "list", "--data", str(data)]
    with identity.hold(data):  # so that all find the old tables
        started = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(3)]
        until(lambda: len(waiting_for(data / "identity.lock")) == len(started))
    assert [(one.communicate()[0] != "", one.returncode) for one in started] == [(True, 0)] * 3
    assert find_revision(database) == HEAD
    database.close()


def waiting_for(lock: Path) -> list[str]:
    """Return the lines of the kernel for processes that wait for a lock."""
    inode = f":{lock.stat().st_ino} "
    return [line for line in Path("/proc/locks").read_text().splitlines() if "->" in line and inode in line]
