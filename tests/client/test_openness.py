"""No other user of the machine can read what a device writes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from davstore.cli import main
from tests.client.foreign import Store, serve


def test_files_are_as_open_as_the_person_likes_and_the_state_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    store = Store()
    store.write("a.txt", b"a")
    (tmp_path / "password").write_text("password\n")
    (tmp_path / "folder").mkdir()
    before = os.umask(0o027)
    try:
        with serve(store) as url:
            words = [url, str(tmp_path / "folder"), "--user", "user", "--password-file", str(tmp_path / "password")]
            assert CliRunner().invoke(main, ["sync", *words, "--once"]).exit_code == 0
    finally:
        os.umask(before)
    assert (tmp_path / "folder" / "a.txt").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "state" / "davstore" / "sync").stat().st_mode & 0o777 == 0o700
