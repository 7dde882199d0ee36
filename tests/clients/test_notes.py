"""Joplin's own client of the terminal: notes, kept in step by two devices of which each has a profile of its own."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.client.devices import read_tree
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

    def export(self) -> dict[str, bytes | None]:
        """Return what the device has: its items, and the files that are attached to notes."""
        target = self._directory / "exported"
        shutil.rmtree(target, ignore_errors=True)
        self(f"export --format raw {target}")
        return read_tree(target)


def notes_in(exported: dict[str, bytes | None]) -> dict[str, str]:
    """Return the first lines of each note by its title."""
    items = [body.decode() for name, body in exported.items() if body and name.endswith(".md")]
    notes = [item for item in items if item.rstrip().endswith("type_: 1")]
    return {item.split("\n", 1)[0]: item.split("\n\n", 2)[1] for item in notes}


PATH = "/usr/local/bin:/usr/bin:/bin"


@pytest.mark.clients
@pytest.mark.peer("joplin")
def test_joplin(place: Place, run: Run, tmp_path: Path) -> None:
    """two profiles: notebooks, notes, an attached file, edits, moves and deletes on both sides, sync until all agree"""
    if not JOPLIN.exists():
        pytest.skip("npm could not install joplin")
    attached = os.urandom(300_000)
    (tmp_path / "R&D @ ü.bin").write_bytes(attached)
    laptop, phone = (Device(run, tmp_path / name, place) for name in ("laptop", "phone"))
    made = [
        line for number in range(6) for line in (f'mknote "R&D {number}"', f'set "R&D {number}" body "first {number}"')
    ]
    attach = f'attach "R&D 4" "{tmp_path}/R&D @ ü.bin"'
    laptop('mkbook "Else @ ü"', 'mkbook "Letters"', 'use "Letters"', *made, attach, "sync")
    phone("sync")
    notes = notes_in(phone.export())
    assert notes.pop("R&D 4").endswith("first 4")  # after the link to what is attached
    assert notes == {f"R&D {number}": f"first {number}" for number in (0, 1, 2, 3, 5)}

    gone = 'rmnote --force --permanent "R&D 2"'
    phone('use "Letters"', 'set "R&D 1" body "from the phone"', gone, 'mv "R&D 5" "Else @ ü"', 'mknote "new"', "sync")
    laptop('use "Letters"', 'set "R&D 3" body "from the laptop"', "sync")
    phone("sync")
    exported = laptop.export()
    assert exported == phone.export()
    notes = notes_in(exported)
    assert notes["R&D 1"] == "from the phone"
    assert notes["R&D 3"] == "from the laptop"
    assert set(notes) == {"R&D 0", "R&D 1", "R&D 3", "R&D 4", "R&D 5", "new"}
    assert attached in exported.values()
    there = place.tree()
    assert attached in there.values()
    assert {name for name in there if name.endswith(".md")} == {name for name in exported if name.endswith(".md")}
