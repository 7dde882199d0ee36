"""`davstore init`, and what every command does where there is no store, a broken one, or another's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from davstore.cli import main
from davstore.metadata.opening import open_database

Run = Callable[..., Result]
COMMANDS = (("user", "list"), ("user", "add", "bob"), ("check",), ("device", "list", "me"))
SERVE = ("serve", "--bind", "127.0.0.1:0")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def run(data: Path) -> Run:
    def call(*words: str, status: int = 0) -> Result:
        done = CliRunner().invoke(main, [*words, "--data", str(data)])
        assert done.exit_code == status, done.output
        return done

    return call


def facts(directory: Path) -> dict[str, tuple[int, int]]:
    """Return length and time of writing of every file."""
    return {
        file.relative_to(directory).as_posix(): (file.stat().st_size, file.stat().st_mtime_ns)
        for file in directory.rglob("*")
    }


def test_a_store_is_made_with_its_first_user_once(run: Run, data: Path) -> None:
    made = run("init").output
    assert re.fullmatch(r"first user: me\npassword:   \S{16}  \(shown this once\)\n", made)
    assert run("init").output == f"{data}: there is a store already\n"
    assert re.search(r"^me +active +0 ", run("user", "list").output, re.MULTILINE)


def test_nobody_else_can_read_what_is_made(run: Run, data: Path) -> None:
    """This holds also where the directory was made beforehand, and the umask makes files readable."""
    data.mkdir(mode=0o755)
    before = os.umask(0o022)
    try:
        run("init")
        run("user", "add", "alice")
        assert os.umask(0o022) == 0o022  # of this process, whose command has ended
    finally:
        os.umask(before)
    assert {file.name for file in data.rglob("*") if file.stat().st_mode & 0o077} == set()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_where_there_is_no_store_a_command_makes_nothing(run: Run, data: Path, command: tuple[str, ...]) -> None:
    said = f"davstore: data.path: {data}: no store here; `davstore init` makes one, and so does `serve`\n"
    assert run(*command, status=2).stderr == said
    assert not data.exists()
    data.mkdir()
    assert run(*command, status=2).stderr == said
    assert facts(data) == {}


def _remove(file: Path) -> None:
    file.unlink()


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _break(file: Path) -> None:
    file.write_bytes(b"no database at all" * 1000)


def _break_a_page(file: Path) -> None:
    """The schema's own page is whole, and those behind it are not."""
    whole = file.read_bytes()
    file.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))


def _drop_tables(file: Path) -> None:
    with open_database("", file.parent).engine().begin() as connection:
        for table in ("device", "user", "store"):
            connection.exec_driver_sql(f"DROP TABLE {table}")


def _forget_the_revision(file: Path) -> None:
    with open_database("", file.parent).engine().begin() as connection:
        connection.exec_driver_sql("DELETE FROM alembic_version")


LOST = r"davstore: data.path: \S+/data has a store, and its database is not there, or empty: name its .*\n"
DAMAGED = r"davstore: the database is damaged: .*; restore a backup\n"
HARM = {"removed": (_remove, 2, LOST), "empty": (_empty, 2, LOST), "no database": (_break, 6, DAMAGED)}
HARM |= {"pages broken": (_break_a_page, 6, DAMAGED), "tables gone": (_drop_tables, 6, DAMAGED)}
HARM |= {"revision gone": (_forget_the_revision, 2, LOST)}


@pytest.mark.parametrize("harm", HARM)
def test_a_lost_or_broken_database_is_one_line(run: Run, data: Path, harm: str) -> None:
    """No database is made in its place."""
    run("init")
    damage, status, said = HARM[harm]
    damage(data / "davstore.sqlite")
    before = facts(data)
    for command in (SERVE, *COMMANDS, ("init",)):  # it forks, and no command before it has left a database open
        if command == ("check",) and said == DAMAGED:
            assert re.search(r"^database: .* is damaged: .*\n1 findings", run(*command, status=1).stdout)
            continue
        done = run(*command, status=status)
        assert done.stdout == ""
        assert re.fullmatch(said, done.stderr)
        for name in ("davstore.sqlite", "identity.json", "blobs"):
            assert facts(data).get(name) == before.get(name)


def test_bodies_without_a_database_are_no_place_for_a_new_one(run: Run, data: Path) -> None:
    """The directory has no identity yet, as that of an older davstore."""
    blob = data / "blobs" / "1" / "0d" / "0d7f3ab4-0000-4000-8000-000000000000"
    blob.parent.mkdir(parents=True)
    blob.write_bytes(b"body")
    for command in (*COMMANDS, SERVE, ("init",), ("init", "--adopt")):
        assert re.fullmatch(LOST, run(*command, status=2).stderr)
    assert not (data / "davstore.sqlite").exists()


def test_an_identity_that_is_damaged_is_one_line(run: Run, data: Path) -> None:
    run("init")
    (data / "identity.json").write_text("{}")
    for command in (*COMMANDS, SERVE, ("init",)):
        said = run(*command, status=2).stderr
        assert re.fullmatch(r"davstore: \S+/identity.json is damaged: move it away, .*\n", said)


def test_a_directory_that_cannot_be_read_is_one_line(run: Run, data: Path) -> None:
    run("init")
    data.chmod(0)
    mere_user = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    try:
        for command in (("user", "list"), SERVE):
            words = [*mere_user, sys.executable, "-m", "davstore", *command, "--data", str(data)]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            assert (done.returncode, done.stdout) == (2, ""), done.stderr
            assert re.fullmatch(r"davstore: .*/data.*: Permission denied\n", done.stderr)
    finally:
        data.chmod(0o700)
