"""A rename never replaces what came to the name meanwhile, whether the kernel promises that or not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from davstore.client import renaming
from davstore.client.renaming import rename_to_free


@pytest.fixture(params=["kernel", "without"])
def handle(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Yield an open folder, also where there is no renameat2."""
    if request.param == "without":
        monkeypatch.setattr(renaming, "_LIBC", object())
    handle = os.open(tmp_path, os.O_RDONLY)
    yield handle
    os.close(handle)


def test_a_free_name_is_taken(handle: int, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "e").write_bytes(b"e")
    rename_to_free(handle, "a", handle, "b")
    rename_to_free(handle, "d", handle, "c")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "c"]
    assert ((tmp_path / "b").read_bytes(), (tmp_path / "c" / "e").read_bytes()) == (b"a", b"e")


@pytest.mark.parametrize("source", ["file", "folder"])
@pytest.mark.parametrize("taken", ["file", "folder", "link"])
def test_a_name_that_is_taken_is_left_alone(handle: int, tmp_path: Path, source: str, taken: str) -> None:
    for name, kind in (("old", source), ("new", taken)):
        if kind == "folder":
            (tmp_path / name).mkdir()
        elif kind == "file":
            (tmp_path / name).write_bytes(name.encode())
        else:
            (tmp_path / name).symlink_to("nowhere")
    before = os.lstat(tmp_path / "new").st_ino
    with pytest.raises(FileExistsError):
        rename_to_free(handle, "old", handle, "new")
    assert os.lstat(tmp_path / "new").st_ino == before
    assert os.lstat(tmp_path / "old")


def test_what_is_gone_is_said(handle: int, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        rename_to_free(handle, "absent", handle, "new")
    assert list(tmp_path.iterdir()) == []
