"""The command as a script calls it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from davstore.cli.sync import sync
from davstore.client.remote import RemoteCollection
from davstore.protocol.http.sync_context import SyncContext
from tests.client.devices import read_tree
from tests.client.foreign import Store, serve

MANUAL = SyncContext("manual")


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def call(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "password").write_text("password\n")
    (tmp_path / "folder").mkdir()
    with serve(store) as url:

        def call(*words: str, password: str = "password") -> Result:
            command = [url, str(tmp_path / "folder"), "--user", "user", "--password-file", str(tmp_path / password)]
            return CliRunner().invoke(sync, [*command, *words], catch_exceptions=False)

        yield call


def test_once(call, store: Store, tmp_path: Path) -> None:
    (tmp_path / "folder" / "a.txt").write_bytes(b"a")
    done = call("--once")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "upload: 1\n", "")
    assert store.tree() == {"a.txt": b"a"}
    assert list((tmp_path / "state" / "davstore" / "sync").iterdir())


def test_dry_run_changes_nothing(call, store: Store, tmp_path: Path) -> None:
    (tmp_path / "folder" / "a.txt").write_bytes(b"a")
    store.write("b.txt", b"b")
    told = call("--dry-run")
    assert told.exit_code == 0
    assert told.stdout.splitlines() == ["upload: a.txt", "download: b.txt"]
    assert store.tree() == {"b.txt": b"b"}
    assert read_tree(tmp_path / "folder") == {"a.txt": b"a"}
    assert call("--once").exit_code == 0
    assert store.tree() == read_tree(tmp_path / "folder") == {"a.txt": b"a", "b.txt": b"b"}


def test_dry_run_neither_makes_nor_marks_the_folder(call, store: Store, tmp_path: Path) -> None:
    store.write("a.txt", b"a")
    assert call("--dry-run").stdout == "download: a.txt\n"
    assert os.listxattr(tmp_path / "folder") == []
    (tmp_path / "folder").rmdir()
    told = call("--dry-run")
    assert (told.exit_code, told.stdout) == (0, "download: a.txt\n")
    assert not (tmp_path / "folder").exists()


def test_dry_run_shows_what_force_would_do_with_a_replaced_folder(call, store: Store, tmp_path: Path) -> None:
    store.write("a.txt", b"a")
    assert call("--once").exit_code == 0
    (tmp_path / "folder").rename(tmp_path / "away")
    (tmp_path / "folder").mkdir()
    assert call("--dry-run").exit_code == 3
    assert call("--dry-run", "--force").stdout == "download: a.txt\n"
    assert call("--once").exit_code == 3


def test_a_mode_is_told(call, store: Store) -> None:
    assert call("--once", "--manual").exit_code == 0
    assert call("--once").exit_code == 0
    assert store.modes == ["mode=manual", "mode=automatic"]


def test_no_password_is_a_wrong_call(call) -> None:
    told = call("--once", password="absent")
    assert told.exit_code == 2
    assert told.stderr.endswith("/absent: No such file or directory\n")


def test_names_cannot_command_the_terminal(call, tmp_path: Path) -> None:
    (tmp_path / "folder" / "a\x1b[31m\n.txt").write_bytes(b"a")
    assert call("--dry-run").stdout == "upload: a\\x1b[31m\\n.txt\n"


def test_force_takes_a_replaced_folder_for_a_new_device(call, store: Store, tmp_path: Path) -> None:
    store.write("a.txt", b"a")
    assert call("--once").exit_code == 0
    (tmp_path / "folder").rename(tmp_path / "away")
    assert call("--once").exit_code == 3
    assert call("--once", "--force").exit_code == 0
    assert store.tree() == read_tree(tmp_path / "folder") == {"a.txt": b"a"}


def test_merge_brings_back_what_was_deleted(call, store: Store, tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        store.write(name, name.encode())
    assert call("--once").exit_code == 0
    (tmp_path / "folder" / "a.txt").unlink()
    store.remove("b.txt")
    done = call("--once", "--merge")
    assert done.exit_code == 0
    assert "united" in done.stderr
    assert store.tree() == read_tree(tmp_path / "folder") == {"a.txt": b"a.txt", "b.txt": b"b.txt"}


def test_reset_forgets_what_was_synchronised(call, store: Store, tmp_path: Path) -> None:
    store.write("a.txt", b"a")
    assert call("--once").exit_code == 0
    (tmp_path / "folder" / "a.txt").unlink()
    assert call("--dry-run", "--reset").stdout == "download: a.txt\n"
    assert call("--dry-run").stdout == "delete on the server: a.txt\n"
    assert call("--once", "--reset").exit_code == 0
    assert store.tree() == read_tree(tmp_path / "folder") == {"a.txt": b"a"}


@pytest.mark.parametrize(
    ("host", "refused"),
    [
        ("127.0.0.1", False),
        ("127.8.8.8", False),
        ("[::1]", False),
        ("localhost", False),
        ("dav.localhost", False),
        ("192.0.2.7", True),
        ("dav.example", True),
        ("localhost.example", True),
        ("127.0.0.1.example", True),
    ],
)
def test_a_password_goes_unencrypted_to_this_machine_only(host: str, refused: bool) -> None:
    assert RemoteCollection(f"http://{host}:8080/dav/", ("u", "p"), context=MANUAL).is_readable_on_the_way == refused
    assert not RemoteCollection(f"https://{host}/dav/", ("u", "p"), context=MANUAL).is_readable_on_the_way


def test_plain_http_to_another_machine_asks_for_insecure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "password").write_text("password\n")
    words = [
        "http://dav.invalid/",
        str(tmp_path / "folder"),
        "--user",
        "u",
        "--password-file",
        str(tmp_path / "password"),
    ]
    refused = CliRunner().invoke(sync, [*words, "--once"])
    assert refused.exit_code == 2
    assert "--insecure" in refused.stderr
    assert not (tmp_path / "state").exists()


def test_a_conflict_is_told_by_name(call, store: Store, tmp_path: Path) -> None:
    (tmp_path / "folder" / "letter.txt").write_bytes(b"from here")
    store.write("letter.txt", b"from the server")
    told = call("--once", "--device", "laptop")
    assert told.exit_code == 0
    (copy,) = (path for path in read_tree(tmp_path / "folder") if path != "letter.txt")
    assert told.stderr == (
        f"davstore sync: conflict: letter.txt was changed on both sides; the version of this folder is now {copy}\n"
    )


def test_on_a_terminal_the_bytes_are_seen_and_idle_how_often_it_looks(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write("film", b"f" * 2_500_000)
    (tmp_path / "password").write_text("password\n")
    environ = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), "COLUMNS": "120"}
    terminal, slave = pty.openpty()
    with serve(store) as url:
        words = [url, tmp_path / "folder", "--user", "user", "--password-file", tmp_path / "password"]
        process = subprocess.Popen(
            [sys.executable, "-m", "davstore", "sync", *words, "--interval", "7"],
            stderr=slave,
            stdout=subprocess.PIPE,
            env=environ,
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores it
        )
        os.close(slave)
        seen = b""
        try:
            while b"davstore sync:" not in seen or not seen.endswith(b"\n"):
                seen += os.read(terminal, 65536)
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate()
            os.close(terminal)
    assert b"0 bytes of 2.5 MB, 1 to do" in seen
    assert b"100%" in seen
    assert seen.decode().splitlines()[-1] == "davstore sync: in step; looking again every 7 s"
    assert process.returncode == 1


def test_a_server_that_is_away_is_told_with_when_it_is_looked_for_again(
    call, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", nap)
    store.answer = lambda method, _: (503, {"Retry-After": "90"}, b"") if method == "REPORT" else None
    assert call("--interval", "60").stderr.startswith(
        "davstore sync: the server is busy (503); looking again in 90 s\n"
    )
    assert naps == [90, 90]
