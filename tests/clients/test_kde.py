"""kioclient, which is what KDE's Dolphin does: the KIO worker for webdav beneath it."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.client.devices import read_tree
from tests.clients.conftest import Run
from tests.clients.place import Place
from tests.samples import fill

ODD = "R&D @ ü+"
NAMES = ("100% #1?.txt", "R&D @ ü+.txt", "a:b;c=d.txt", 'it\'s "quoted".txt')

SESSION = f"""
set -ex
kio() {{ timeout -k 1 60 kioclient5 --noninteractive --platform offscreen "$@"; }}
kded5 --platform offscreen > /dev/null 2>&1 &
trap 'kill $!' EXIT
kio copy folder "$PLACE/up"
kio ls "$PLACE/up/odd" > list
kio copy "$PLACE/up" "file://$PWD/back"
kio move "$PLACE/up" "$PLACE/{quote(ODD)}"
kio copy "$PLACE/{quote(ODD)}" "$PLACE/copied"
kio cat "$PLACE/{quote(ODD)}/first" > cat
kio --overwrite copy changed "$PLACE/{quote(ODD)}/first"
kio copy "$PLACE/copied/odd" "file://$PWD/copied"
kio remove "$PLACE/copied"
"""


@pytest.mark.clients
@pytest.mark.peer("kde-cli-tools")
def test_kioclient(place: Place, run: Run, tmp_path: Path) -> None:
    """copy of the corpus and odd names, list, copy back, move to an odd name, copy there, cat, overwrite, remove"""
    if shutil.which("dbus-run-session") is None:
        pytest.skip("there is no D-Bus")
    folder = tmp_path / "folder"
    fill(folder)
    (folder / "first").write_bytes(b"first\n")
    (folder / "odd").mkdir()
    for name in NAMES:
        (folder / "odd" / name).write_text(name)
    (tmp_path / "changed").write_bytes(b"changed\n")
    (tmp_path / "run").mkdir(mode=0o700)
    (tmp_path / ".config").mkdir()
    basic = base64.b64encode(f"{place.user}:{place.password}".encode()).decode()  # else it opens a window and asks
    for name in ("kio_httprc", "kio_webdavrc"):
        (tmp_path / ".config" / name).write_text(f"[127.0.0.1]\ncustomHTTPHeader=Authorization: Basic {basic}\n")
    (tmp_path / ".config" / "kwalletrc").write_text("[Wallet]\nEnabled=false\n")
    (tmp_path / "session").write_text(SESSION)
    url = place.url.removesuffix("/").replace("http://", "webdav://")
    environ = {"PLACE": url, "XDG_RUNTIME_DIR": str(tmp_path / "run"), "QT_QPA_PLATFORM": "offscreen"}
    run("dbus-run-session", "--", "bash", "session", environ=environ)
    sent = read_tree(folder)
    assert (tmp_path / "cat").read_bytes() == b"first\n"
    listed = set((tmp_path / "list").read_text().splitlines())
    assert listed - {".", ""} == set(NAMES)  # both are there for a folder of the disk too
    assert read_tree(tmp_path / "back") == sent
    assert read_tree(tmp_path / "copied") == read_tree(folder / "odd")
    moved = {f"{ODD}/{path}": body for path, body in {**sent, "first": b"changed\n"}.items()}
    assert place.tree() == {ODD: None, **moved}
