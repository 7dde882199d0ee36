"""gio, which is what GNOME's file manager does: gvfs and libsoup beneath it."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest

from tests.client.devices import read_tree
from tests.clients.conftest import Run
from tests.clients.place import Place
from tests.samples import fill

ODD = "ü %25#+&.txt"

SESSION = f"""
set -e
gio mount "$PLACE" < password
trap 'gio mount -u "$PLACE"' EXIT
gio mkdir "$PLACE/a"
gio mkdir "$PLACE/a/b"
find folder -type d -exec gio mkdir "$PLACE/{{}}" \\;
(cd folder && find . -type d) | while read -r directory; do
    find "folder/$directory" -maxdepth 1 -type f -exec gio copy {{}} "$PLACE/folder/$directory/" \\;
done
gio list -l "$PLACE/folder" > list
gio info "$PLACE/a" > info
echo saved | gio save "$PLACE/a/saved.txt"
echo "saved again" | gio save "$PLACE/a/saved.txt"
etag=$(gio info -a etag::value "$PLACE/a/saved.txt" | sed -n 's/.*etag::value: //p')
echo "saved with the tag" | gio save --etag="$etag" "$PLACE/a/saved.txt"
if echo lost | gio save --etag="$etag" "$PLACE/a/saved.txt"; then exit 3; fi
gio cat "$PLACE/a/saved.txt" > cat
gio copy "$PLACE/a/saved.txt" "$PLACE/a/copied.txt"
gio move "$PLACE/a/copied.txt" "$PLACE/a/b/moved.txt"
gio rename "$PLACE/a/b/moved.txt" {shlex.quote(ODD)}
gio copy "$PLACE/a/b/"{shlex.quote(ODD.replace("%", "%25").replace("#", "%23"))} back
gio tree "$PLACE/a" > tree
if gio trash "$PLACE/a/saved.txt"; then exit 3; fi
gio remove "$PLACE/a/saved.txt"
if gio cat "$PLACE/a/saved.txt"; then exit 3; fi
"""


@pytest.mark.clients
@pytest.mark.peer("gvfs-backends")
def test_gio(place: Place, run: Run, tmp_path: Path) -> None:
    """mount, mkdir, copy of the corpus, list, info, save by replace and by ETag, move, rename, remove"""
    if shutil.which("dbus-run-session") is None:
        pytest.skip("there is no D-Bus")
    fill(tmp_path / "folder")
    (tmp_path / "password").write_text(f"{place.password}\n")
    (tmp_path / "run").mkdir(mode=0o700)
    (tmp_path / "session").write_text(SESSION)
    url = place.url.removesuffix("/").replace("http://", f"dav://{place.user}@")
    environ = {"PLACE": url, "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    run("dbus-run-session", "--", "bash", "-x", "session", environ=environ)
    assert (tmp_path / "cat").read_text() == (tmp_path / "back").read_text() == "saved with the tag\n"
    assert "type: directory" in (tmp_path / "info").read_text()
    folder = {f"folder/{path}": body for path, body in read_tree(tmp_path / "folder").items()}
    kept = {"a": None, "a/b": None, f"a/b/{ODD}": b"saved with the tag\n"}
    assert place.tree() == {"folder": None, **folder, **kept}
