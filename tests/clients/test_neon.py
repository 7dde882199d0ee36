"""Those built on neon: cadaver, sitecopy, and davfs2, which mounts a collection as a file system."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.devices import read_tree
from tests.clients.conftest import Run
from tests.clients.place import Place
from tests.samples import fill

ODD = "ü %25#+&'.txt"
KERNEL_READS_KIBIBYTES = 64
"""What Linux reads of a directory at once since 6.16; davfs2's own buffer of 16 lists nothing there."""


@pytest.mark.peer("cadaver")
def test_cadaver(place: Place, run: Run, tmp_path: Path) -> None:
    """mkcol, put, get, ls, copy, move, delete, rmcol, properties, locks, odd names"""
    netrc = tmp_path / ".netrc"
    netrc.write_text(f'machine 127.0.0.1 login {place.user} password "{place.password}"\n')
    (tmp_path / "here.txt").write_bytes(b"from here\n" * 1000)
    (tmp_path / ODD).write_bytes(b"odd\n")
    commands = f"""
        mkcol folder
        cd folder
        put here.txt one.txt
        put "{ODD}"
        copy one.txt two.txt
        mkcol sub
        move two.txt sub/three.txt
        move "{ODD}" "sub/a {ODD}"
        copy sub copied
        propset one.txt colour blue
        propget one.txt colour
        propset one.txt colour red
        propget one.txt colour
        propdel one.txt colour
        propnames one.txt
        set lockowner me
        lock one.txt
        discover one.txt
        showlocks
        put here.txt one.txt
        unlock one.txt
        get sub/three.txt back.txt
        get "sub/a {ODD}" "back {ODD}"
        cat "copied/a {ODD}"
        delete one.txt
        ls
        ls copied
        rmcol sub
        quit
    """
    said = run("cadaver", place.url, said="\n".join(line.strip() for line in commands.strip().splitlines()))
    for trouble in ("failed", "error", "could not", "unknown command"):
        assert trouble not in said.lower(), said
    assert "Value of colour is: blue" in said
    assert "Value of colour is: red" in said
    assert said.count("Lock token <urn:davstore:lock:") == 2
    assert (tmp_path / "back.txt").read_bytes() == (tmp_path / "here.txt").read_bytes()
    assert (tmp_path / f"back {ODD}").read_bytes() == b"odd\n"
    copied = {"three.txt": (tmp_path / "here.txt").read_bytes(), f"a {ODD}": b"odd\n"}
    there = {"folder": None, "folder/copied": None, **{f"folder/copied/{name}": body for name, body in copied.items()}}
    assert place.tree() == there


@pytest.mark.peer("cadaver")
def test_cadaver_below_odd_names(place: Place, run: Run, tmp_path: Path) -> None:
    """a session below a URL with `@` and `&`: put, ls, cd, copy, move, get, delete"""
    (tmp_path / ".netrc").write_text(f'machine 127.0.0.1 login {place.user} password "{place.password}"\n')
    (tmp_path / "here.txt").write_bytes(b"from here\n")
    place.ask("MKCOL", "anna@example.org/")
    place.ask("MKCOL", "anna@example.org/R&D/")
    commands = """
        put here.txt one@two&three.txt
        ls
        mkcol x@y
        copy one@two&three.txt x@y/copied.txt
        cd x@y
        ls
        move copied.txt moved&on.txt
        get moved&on.txt back.txt
        cd ..
        delete one@two&three.txt
        quit
    """
    lines = "\n".join(line.strip() for line in commands.strip().splitlines())
    said = run("cadaver", f"{place.url}anna@example.org/R&D/", said=lines)
    for trouble in ("failed", "error", "could not", "unknown command"):
        assert trouble not in said.lower(), said
    assert said.count("one@two&three.txt") >= 2, said  # put, and listed as a member
    assert (tmp_path / "back.txt").read_bytes() == b"from here\n"
    top = "anna@example.org"
    there = dict.fromkeys((top, f"{top}/R&D", f"{top}/R&D/x@y"))
    assert place.tree() == {**there, f"{top}/R&D/x@y/moved&on.txt": b"from here\n"}


@pytest.mark.clients
@pytest.mark.peer("sitecopy")
def test_sitecopy(place: Place, run: Run, tmp_path: Path) -> None:
    """update of the corpus, then of edits, renames and deletes; fetch and synch into an empty folder"""
    folder, back, settings, memory = (tmp_path / name for name in ("folder", "back", "settings", "memory"))
    back.mkdir()
    memory.mkdir(mode=0o700)
    fill(folder)
    (folder / ODD).write_text("odd\n")
    port = place.origin.rpartition(":")[2]
    site = f"""
        server 127.0.0.1
        protocol webdav
        port {port}
        username {place.user}
        password "{place.password}"
        remote {place.path}
        state checksum
        checkmoved renames
        permissions ignore
    """
    settings.write_text(f"site there {site} local {folder}\nsite back {site} local {back}\n")
    settings.chmod(0o600)

    def sitecopy(action: str, name: str) -> None:
        run("sitecopy", "--rcfile", str(settings), "--storepath", str(memory), action, name)

    sitecopy("--initialize", "there")
    sitecopy("--update", "there")
    assert place.tree() == read_tree(folder)
    first, second, *_ = sorted(path for path in folder.rglob("*") if path.is_file())
    first.rename(folder / "renamed")
    second.unlink()
    (folder / ODD).write_text("edited\n")
    sitecopy("--update", "there")
    assert place.tree() == read_tree(folder)
    for directory in sorted(path for path in folder.rglob("*") if path.is_dir()):
        (back / directory.relative_to(folder)).mkdir()  # --synchronize makes the deepest first, and fails
    sitecopy("--fetch", "back")
    sitecopy("--synchronize", "back")
    assert read_tree(back) == read_tree(folder)


@pytest.fixture
def mounted(place: Place, fuse: None) -> Iterator[Path]:
    """Yield where davfs2 mounted the place. Its user reaches no directory of pytest's."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount without a line in fstab")
    with tempfile.TemporaryDirectory(prefix="davstore-davfs2-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        mount, cache, secrets, settings = (directory / part for part in ("mount", "cache", "secrets", "settings"))
        mount.mkdir()
        cache.mkdir()
        cache.chmod(0o770)
        shutil.chown(cache, group="davfs2")
        secrets.write_text(f'{place.url.rstrip("/")} {place.user} "{place.password}"\n')
        secrets.chmod(0o600)
        options = {"ask_auth": 0, "delay_upload": 0, "buf_size": KERNEL_READS_KIBIBYTES}
        options |= {"secrets": secrets, "cache_dir": cache}
        settings.write_text("".join(f"{key} {value}\n" for key, value in options.items()))
        subprocess.run(["mount.davfs", "-o", f"conf={settings},uid=0", place.url.rstrip("/"), mount], check=True)
        try:
            yield mount
        finally:
            if os.path.ismount(mount):
                subprocess.run(["umount", mount], check=True)


@pytest.mark.clients
@pytest.mark.peer("davfs2")
def test_davfs2(mounted: Path, place: Place, tmp_path: Path) -> None:
    """mount with locks, cp -r of the corpus, edit in place, append, mv, rm; all there after umount"""
    folder = tmp_path / "folder"
    fill(folder)
    shutil.copytree(folder, mounted / "folder", copy_function=shutil.copyfile)
    first, second, *_ = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    for root in (folder, mounted / "folder"):
        with (root / first).open("r+b") as file:
            file.seek(5)
            file.write(b"in place")
        with (root / first).open("ab") as file:
            file.write(b"appended")
        (root / second).unlink()
        (root / "new").mkdir()
        (root / "new" / ODD).write_text("odd\n")
        (root / "new").rename(root / "moved")
        (root / "moved" / ODD).rename(root / ODD)
        (root / "replacing").write_text("replacing\n")
        (root / "replacing").replace(root / ODD)
    assert read_tree(mounted / "folder") == read_tree(folder)
    subprocess.run(["umount", mounted], check=True)
    assert place.tree() == {"folder": None, **{f"folder/{path}": body for path, body in read_tree(folder).items()}}
