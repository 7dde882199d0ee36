"""lftp, which reads folders as pages of links, and writes by plain WebDAV methods."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.client.devices import read_tree
from tests.clients.conftest import Run
from tests.clients.place import Place
from tests.samples import fill

ODD = "R&D @ ü 100%.txt"


@pytest.mark.clients
@pytest.mark.peer("lftp")
def test_session(place: Place, run: Run, tmp_path: Path) -> None:
    """mirror up and down of the corpus, put, get, mv, ls, rm, rmdir, rm -r, odd names"""
    fill(tmp_path / "folder")
    (tmp_path / "folder" / ODD).write_bytes(b"odd too\n")
    (tmp_path / ODD).write_bytes(b"odd\n")
    commands = f"""
        set cmd:fail-exit yes
        set net:max-retries 3
        open -u {place.user},"{place.password}" {place.origin}
        cd {urlsplit(place.url).path}
        mirror --reverse folder up
        mirror up back
        put "{ODD}"
        get "{ODD}" -o again
        mv "{ODD}" "moved {ODD}"
        cls -l > list
        put "{ODD}" -o gone.txt
        rm gone.txt
        mkdir empty
        rmdir empty
        mirror --reverse folder gone
        rm -r gone
    """
    run("lftp", "-c", "\n".join(line.strip() for line in commands.strip().splitlines()))
    sent = read_tree(tmp_path / "folder")
    assert (tmp_path / "again").read_bytes() == b"odd\n"
    assert f"moved {ODD}" in (tmp_path / "list").read_text()
    assert read_tree(tmp_path / "back") == sent
    assert place.tree() == {f"moved {ODD}": b"odd\n", "up": None, **{f"up/{path}": body for path, body in sent.items()}}
