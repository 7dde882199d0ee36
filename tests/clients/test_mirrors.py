"""Programs that copy a tree over plain HTTP, by the links of its folders."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.client.devices import read_tree
from tests.clients.conftest import Run
from tests.clients.place import Place
from tests.samples import fill

ODD = ("100%.txt", "q?x#y.txt", '"quoted" & ü.txt', "it's.txt", "-dash", "a=1&b=2")
COLON = "a:b.txt"
"""To rclone 1.60's http backend a name with a colon becomes `./a:b.txt`, which it sends so, dot segment and all."""
MANY = 1_100
"""More than a page shows."""


@pytest.fixture
def filled(place: Place, tmp_path: Path) -> Place:
    """Return a place with the corpus, odd names and a long folder; `tree` has the same."""
    tree = tmp_path / "tree"
    fill(tree)
    for number in range(MANY):
        (tree / "long").mkdir(exist_ok=True)
        (tree / "long" / f"{number}").write_text(f"{number}")
    for folder in ("", "odd #1/"):
        (tree / folder).mkdir(exist_ok=True)
        for name in ODD:
            (tree / folder / name).write_text(folder + name)
    for path in sorted(tree.rglob("*")):
        name = str(path.relative_to(tree))
        if path.is_dir():
            place.ask("MKCOL", f"{name}/")
        else:
            place.ask("PUT", name, data=path.read_bytes())
    return place


def add(place: Place, tmp_path: Path, name: str) -> None:
    """Put one more file into both."""
    (tmp_path / "tree" / name).write_text(name)
    place.ask("PUT", name, data=name.encode())


@pytest.mark.clients
@pytest.mark.peer("lftp")
def test_lftp(filled: Place, run: Run, tmp_path: Path) -> None:
    """mirror over plain HTTP of the corpus, odd names and a folder of 1,100"""
    add(filled, tmp_path, COLON)
    script = f"open -u {filled.user},'{filled.password}' {filled.url}; mirror --parallel=4 . mirrored"
    run("lftp", "-c", script)
    assert read_tree(tmp_path / "mirrored") == read_tree(tmp_path / "tree")


@pytest.mark.clients
@pytest.mark.peer("wget")
def test_wget(filled: Place, run: Run, tmp_path: Path) -> None:
    """--recursive --no-parent of the corpus, odd names and a folder of 1,100"""
    add(filled, tmp_path, COLON)
    depth = len(urlsplit(filled.url).path.strip("/").split("/"))
    signed_in = ("--user", filled.user, "--password", filled.password)
    words = (
        "--no-verbose",
        "--no-parent",
        "--no-host-directories",
        f"--cut-dirs={depth}",
        "--directory-prefix=mirrored",
    )
    run("wget", "--recursive", "--level=inf", "-e", "robots=off", *words, *signed_in, filled.url)
    found = read_tree(tmp_path / "mirrored")
    lists = [name for name in found if name.rpartition("/")[2] == "index.html"]
    assert {name: body for name, body in found.items() if name not in lists} == read_tree(tmp_path / "tree")


@pytest.mark.clients
@pytest.mark.peer("rclone")
def test_rclone_http(filled: Place, run: Run, tmp_path: Path) -> None:
    """the backend http: copy of the corpus, odd names and a folder of 1,100"""
    basic = base64.b64encode(f"{filled.user}:{filled.password}".encode()).decode()
    signed_in = ("--http-url", filled.url, "--http-headers", f"Authorization,Basic {basic}")
    run("rclone", "copy", "--create-empty-src-dirs", *signed_in, ":http:", "mirrored")
    assert read_tree(tmp_path / "mirrored") == read_tree(tmp_path / "tree")
