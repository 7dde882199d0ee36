"""Joplin's own client of the terminal: notes, kept in step by two devices of which each has a profile of its own."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from tests.clients.conftest import Run
from tests.clients.place import Place

JOPLIN = Path(sys.prefix) / "joplin" / "node_modules" / ".bin" / "joplin"


class Device:
    """One profile. Commands go in by a file: each start of the program takes seconds."""

    def __init__(self, run: Run, directory: Path, place: Place) -> None:
        self._run, self._directory = run, directory
        directory.mkdir()
        self(
            "config sync.target 6",
            f"config sync.6.path {place.url.removesuffix('/')}",
            f"config sync.6.username {place.user}",
            f'config sync.6.password "{place.password}"',
        )

    def __call__(self, *commands: str) -> str:
        file = self._directory / "commands"
        file.write_text("\n".join(commands) + "\n")
        said = self._run(str(JOPLIN), "--profile", str(self._directory), "batch", str(file), environ={"PATH": PATH})
        assert "Error" not in said, said
        return said

    def notes(self) -> dict[str, str]:
        """Return what the device has: the text of each note by its title."""
        target = self._directory / "exported"
        shutil.rmtree(target, ignore_errors=True)
        self(f"export --format raw {target}")
        items = [file.read_text() for file in target.glob("*.md")]
        notes = [item for item in items if item.rstrip().endswith("type_: 1")]
        return {item.split("\n", 1)[0]: item.split("\n\n", 2)[1] for item in notes}


PATH = "/usr/local/bin:/usr/bin:/bin"


@pytest.mark.clients
@pytest.mark.peer("joplin")
def test_joplin(place: Place, run: Run, tmp_path: Path) -> None:
    """two profiles: notebooks and notes, sync, edits and deletes on both sides, sync until both are the same"""
    if not JOPLIN.exists():
        pytest.skip("npm could not install joplin")
    laptop, phone = (Device(run, tmp_path / name, place) for name in ("laptop", "phone"))
    made = [
        line for number in range(6) for line in (f'mknote "R&D {number}"', f'set "R&D {number}" body "first {number}"')
    ]
    laptop('mkbook "Letters"', 'use "Letters"', *made, "sync")
    phone("sync")
    assert phone.notes() == {f"R&D {number}": f"first {number}" for number in range(6)}

    phone('use "Letters"', 'set "R&D 1" body "from the phone"', 'rmnote -f "R&D 2"', 'mknote "new"', "sync")
    laptop('use "Letters"', 'set "R&D 3" body "from the laptop"', "sync")
    phone("sync")
    assert laptop.notes() == phone.notes()
    assert laptop.notes()["R&D 1"] == "from the phone"
    assert phone.notes()["R&D 3"] == "from the laptop"
    assert "R&D 2" not in phone.notes()
    assert json.loads(place.ask("GET", "info.json").content)["version"] >= 3
