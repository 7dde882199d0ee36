"""`davstore backup` and `restore`: one line when all is well, one line and status 2 when it cannot be."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from davstore import application_wiring, wiring
from davstore.cli import main
from davstore.errors import BadSettings
from davstore.server.supervisor import hold_data_directory
from davstore.settings import load_settings
from davstore.store import enrolling
from davstore.store.backups import MANIFEST
from davstore.store.restoring import STAGED
from tests.cli.command import run as run_beside
from tests.contract.conftest import create_database, drop_database
from tests.contract.storage import Storage

Run = Callable[..., Result]
BODIES = r"bodies in files: (\d+) new \((\d+) bytes\), (\d+) kept \((\d+) bytes\), \d+\.\d s\n"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return what runs a command beside the directories `data` and `backup`."""

    def call(*words: str, status: int = 0) -> Result:
        done = CliRunner().invoke(main, [word.replace("@", f"{tmp_path}/") for word in words])
        assert done.exit_code == status, done.output
        return done

    return call


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a data directory with a user who has two bodies."""
    found = wiring.open_storage(load_settings(flags={"data.path": str(tmp_path / "data")}, environ={}))
    enrolling.add_user(found.database, "me", "geheim", now_us=1)
    storage = Storage(found.database, tmp_path / "data", exists=True)
    storage.put("small", b"small")
    storage.put("large", b"x" * 1000)
    found.database.close()
    return tmp_path / "data"


def test_there_and_back(run: Run, data: Path, tmp_path: Path) -> None:
    """The second backup copies nothing, and a restore takes nothing with it of the store that it replaces."""
    for copied, kept in ((1, 0), (0, 1)):
        done = run("backup", "@backup", "--data", "@data")
        found = re.fullmatch(rf"1 stores, (\d+) rows, {BODIES}", done.output)
        assert found, done.output
        rows = json.loads((tmp_path / "backup" / MANIFEST).read_text())["rows"]
        assert int(found[1]) == sum(rows.values())
        assert found.groups()[1:] == tuple(map(str, (copied, copied * 1000, kept, kept * 1000)))
    assert run("check", "@backup", "--read-data").output == "0 findings, 0 unfinished uploads\n"
    assert run("check", "--data", "@backup").output == "0 findings, 0 unfinished uploads\n"
    done = run("restore", "@backup", "--data", "@other/place")
    assert re.fullmatch(rf"1 stores as of \S+, {BODIES}", done.output)
    assert run("check", "--data", "@other/place", "--read-data").output == "0 findings, 0 unfinished uploads\n"
    (data / "throttle.sqlite").write_bytes(b"of another store")
    run("restore", "@backup", "--data", "@data", "--force")
    assert not (data / "throttle.sqlite").exists()
    assert run("user", "list", "--data", "@data").output == run("user", "list", "--data", "@other/place").output


def test_a_store_is_replaced_with_force_only(run: Run, data: Path) -> None:
    run("backup", "@backup", "--data", "@data")
    done = run("restore", "@backup", "--data", "@data", status=2)
    assert "--force" in done.stderr
    assert done.stderr.count("\n") == 1
    for file in data.glob("davstore.sqlite*"):
        file.unlink()
    assert "--force" in run("restore", "@backup", "--data", "@data", status=2).stderr  # bodies are of a store too


def test_what_is_in_the_directory_stays_with_force(run: Run, data: Path, tmp_path: Path) -> None:
    run("backup", "@backup", "--data", "@data")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine").touch()
    run("restore", "@backup", "--data", "@other", status=2)
    assert [file.name for file in (tmp_path / "other").iterdir() if file.suffix != ".lock"] == ["mine"]
    run("restore", "@backup", "--data", "@other", "--force")
    assert (tmp_path / "other" / "mine").exists()
    assert run("check", "--data", "@other", "--read-data").output == "0 findings, 0 unfinished uploads\n"


def test_a_new_disk_and_what_a_failed_restore_left_are_empty_directories(run: Run, data: Path, tmp_path: Path) -> None:
    run("backup", "@backup", "--data", "@data")
    for name in ("lost+found", "blobs"):
        (tmp_path / "other" / name).mkdir(parents=True)
    (tmp_path / "other" / "serve.lock").touch()
    run("restore", "@backup", "--data", "@other")


def test_postgresql(run: Run, data: Path, tmp_path: Path, postgresql_server: str) -> None:
    """Moved there from SQLite and back; a database that has stores is replaced with --force only."""
    run("backup", "@backup", "--data", "@data")
    url = create_database(postgresql_server)
    config = tmp_path / "davstore.toml"
    config.write_text(f'[database]\nurl = "{url}"\n')
    there = ("--data", "@pg", "-c", "@davstore.toml")
    run("restore", "@backup", *there)
    assert "--force" in run("restore", "@backup", "-c", "@davstore.toml", "--data", "@other", status=2).stderr
    run("restore", "@backup", *there, "--force")
    run_beside("user", "add", "bob", "--data", tmp_path / "pg", url=url)
    run("backup", "@backup", *there)
    drop_database(postgresql_server, url.rpartition("/")[2])
    for words in (("backup", "@backup"), ("restore", "@backup", "--force")):
        assert run(*words, *there, status=6).stderr.count("\n") == 1
    run("restore", "@backup", "--data", "@data", "--force")
    assert "bob" in run("user", "list", "--data", "@data").output


def test_a_store_that_is_served_is_not_replaced(run: Run, data: Path) -> None:
    run("backup", "@backup", "--data", "@data")
    with hold_data_directory(data):
        assert "another davstore serve" in run("restore", "@backup", "--data", "@data", "--force", status=2).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("backup", "@data/inside", "--data", "@data"), "inside the data directory"),
        (("backup", "@data", "--data", "@data"), "inside the data directory"),
        (("backup", "@file", "--data", "@data"), "file: File exists"),
        (("backup", "@files", "--data", "@data"), "neither empty nor a backup"),
        (("backup", "@other", "--data", "@backup"), "a backup; davstore restore"),
        (("backup",), "Missing argument 'DIR'"),
        (("restore", "@nowhere", "--data", "@data"), "no backup here"),
        (("restore", "@data", "--data", "@data"), "no backup here"),
        (("restore", "@backup", "--data", "@backup"), "a backup; davstore restore"),
        (("restore", "@backup", "--data", "@file"), "data.path"),
        (("restore", "@backup", "--force", "-c", "@nothing"), "No such file"),
        (("restore", "@backup", "--data", "@backup/store"), "inside a backup"),
        (("restore", "@backup", "--data", "@files"), "--force"),
        (("restore",), "Missing argument 'DIR'"),
        (("check", "@data"), "no backup here"),
        (("check", "@nowhere"), "no backup here"),
        (("serve", "--data", "@backup", "--bind", "127.0.0.1:0"), "a backup; davstore restore"),
        (("user", "add", "bob", "--data", "@backup"), "a backup; davstore restore"),
        (("user", "list", "--data", "@backup"), "a backup; davstore restore"),
        (("device", "list", "me", "--data", "@backup"), "a backup; davstore restore"),
    ],
)
def test_what_cannot_be_is_one_line(run: Run, data: Path, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    run("backup", "@backup", "--data", "@data")
    (tmp_path / "file").touch()
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "mine").touch()
    before = sorted((tmp_path / "backup").rglob("*"))
    done = run(*words, status=2)
    assert said in done.stderr
    assert done.stderr.startswith("Usage") or done.stderr.count("\n") == 1
    assert sorted((tmp_path / "backup").rglob("*")) == before


def test_damage_ends_a_backup_with_1(run: Run, data: Path) -> None:
    [blob] = (file for file in (data / "blobs").glob("1/*/*"))
    blob.write_bytes(b"y" * 1000)
    done = run("backup", "@backup", "--data", "@data", status=1)
    assert done.stderr == f"davstore: me: body does not match its digest: {blob.name}\n"
    assert "1 stores" in done.stdout
    assert f"database: damaged when it was backed up: 1/{blob.name}\n" in run("check", "@backup", status=1).output
    done = run("restore", "@backup", "--data", "@other", status=1)
    assert done.stderr == f"davstore: blob 1/{blob.name}: damaged when it was backed up\n"


def test_an_altered_backup_is_found_and_refused(run: Run, data: Path, tmp_path: Path) -> None:
    run("backup", "@backup", "--data", "@data")
    manifest = tmp_path / "backup" / MANIFEST
    manifest.write_bytes(manifest.read_bytes().replace(b"2", b"3", 1))
    told = "database: backup: backup.json was cut or altered\n1 findings, 0 unfinished uploads\n"
    assert run("check", "@backup", status=1).output == told
    assert (
        run("restore", "@backup", "--data", "@other", status=2).stderr == "davstore: backup.json was cut or altered\n"
    )
    assert not (tmp_path / "other").exists()


def test_nothing_is_made_for_a_backup_with_an_altered_body(run: Run, data: Path, tmp_path: Path) -> None:
    run("backup", "@backup", "--data", "@data")
    [blob] = (tmp_path / "backup" / "blobs").glob("1/*/*")
    blob.write_bytes(b"y" * 1000)
    assert "was altered" in run("restore", "@backup", "--data", "@other", status=2).stderr
    assert not (tmp_path / "other").exists()


def test_a_restore_that_was_killed_is_told(run: Run, data: Path) -> None:
    """Every command reports it, until the restore is run again or its leftovers are taken away."""
    run("backup", "@backup", "--data", "@data")
    (data / STAGED).touch()
    for words in (("serve", "--bind", "127.0.0.1:0"), ("user", "list"), ("check",), ("backup", "@other")):
        told = run(*words, "--data", "@data", status=2).stderr
        assert "a restore did not come to its end" in told
        assert told.count("\n") == 1
    with pytest.raises(BadSettings):  # as another WSGI server does
        application_wiring.build_application(load_settings(flags={"data.path": str(data)}, environ={}))
    run("restore", "@backup", "--data", "@data", "--force")
    assert run("check", "--data", "@data").output == "0 findings, 0 unfinished uploads\n"


def test_a_disk_that_cannot_be_written_is_one_line(run: Run, data: Path, tmp_path: Path) -> None:
    run("backup", "@backup", "--data", "@data")
    (tmp_path / "backup" / "new.sqlite").mkdir()
    assert "new.sqlite" in run("backup", "@backup", "--data", "@data", status=1).stderr
    (tmp_path / "backup" / "new.sqlite").rmdir()
    assert run("check", "@backup").output == "0 findings, 0 unfinished uploads\n"
