"""A random script of offline work on a real folder, and what must be true when all devices have come in step.

The same seed gives the same script for the same folders. Every content it writes is unlike any other, so that a lost
edit is seen: content that was written and neither deleted nor overwritten has to be somewhere in the end.
"""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from davstore.client.local_names import RESERVED

NAMES = [
    "a",
    "b",
    "notes.txt",
    "a%2Fb",
    "100% #1.txt",
    "\U0001f600 \u00e9.jpg",
    "dot.",
    ".hidden",
    " space ",
    "q?&=+;x",
    "n" * 255,
    "e\u0301",
]
VERBS = ["create", "create", "edit", "edit", "move", "move", "make", "delete", "swap", "turn"]
LARGE_BYTES = 300_000


def digest(content: bytes) -> str:
    """Return what stands for a content."""
    return hashlib.sha256(content).hexdigest()


def read_digests(root: Path) -> dict[str, str]:
    """Return what is in a folder: path to the digest of the file, '' for a folder."""
    return {
        str(path.relative_to(root)): "" if path.is_dir() else digest(path.read_bytes())
        for path in sorted(root.rglob("*"))
    }


def describe_difference(first: dict[str, str], second: dict[str, str]) -> list[str]:
    """Name the paths where two trees differ."""
    return [
        f"{path}: {first.get(path, 'absent')[:12]} | {second.get(path, 'absent')[:12]}"
        for path in sorted({*first, *second})
        if first.get(path) != second.get(path)
    ]


@dataclass
class Script:
    """One author for all devices. written and removed are digests of contents."""

    seed: int
    written: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._count = 0

    @property
    def must_survive(self) -> set[str]:
        """The digests that have to be somewhere when all is in step."""
        return self.written - self.removed

    def work(self, root: Path, steps: int, *, half: bool = True) -> None:
        """Do some work in a folder. With half, never delete so much that a device would stop for safety."""
        budget = sum(path.is_file() for path in root.rglob("*")) // 4 if half else 10**9
        for _ in range(steps):
            verb = self._random.choice(VERBS)
            budget -= getattr(self, f"_{verb}")(root, budget) or 0

    def _paths(self, root: Path, *, folders: bool | None = None) -> list[Path]:
        """The paths that a person sees: no files in the making, which a killed device leaves."""
        paths = (path for path in root.rglob("*") if not RESERVED.fullmatch(path.name))
        return sorted(path for path in paths if folders is None or path.is_dir() == folders)

    def _pick(self, paths: list[Path]) -> Path | None:
        return self._random.choice(paths) if paths else None

    def _place(self, root: Path) -> Path:
        folder = self._random.choice([root, *self._paths(root, folders=True)])
        return folder / self._random.choice(NAMES)

    def _content(self) -> bytes:
        self._count += 1
        text = f"{self.seed} {self._count} ".encode()
        if self._random.random() < 0.1:
            text *= LARGE_BYTES // len(text)
        self.written.add(digest(text))
        return text

    def _note(self, what: str, root: Path, *paths: Path) -> None:
        self.log.append(f"{root.name}: {what} {' -> '.join(str(path.relative_to(root)) for path in paths)}")

    def _lose(self, paths: Iterable[Path]) -> int:
        lost = [digest(path.read_bytes()) for path in paths if path.is_file()]
        self.removed.update(lost)
        return len(lost)

    def _create(self, root: Path, budget: int) -> None:
        path = self._place(root)
        if not path.exists():
            path.write_bytes(self._content())
            self._note("create", root, path)

    def _make(self, root: Path, budget: int) -> None:
        path = self._place(root)
        if not path.exists():
            path.mkdir()
            self._note("make", root, path)

    def _edit(self, root: Path, budget: int) -> None:
        path = self._pick(self._paths(root, folders=False))
        if path is not None:
            self._lose([path])
            if self._random.random() < 0.5:  # as editors do
                fresh = path.with_name("being edited")
                fresh.write_bytes(self._content())
                fresh.replace(path)
            else:
                path.write_bytes(self._content())
            self._note("edit", root, path)

    def _move(self, root: Path, budget: int) -> None:
        source, target = self._pick(self._paths(root)), self._place(root)
        if source is not None and not target.exists() and not target.is_relative_to(source):
            source.rename(target)
            self._note("move", root, source, target)

    def _swap(self, root: Path, budget: int) -> None:
        files = self._paths(root, folders=False)
        if len(files) > 1:
            first, second = self._random.sample(files, 2)
            spare = first.with_name("spare")
            first.rename(spare)
            second.rename(first)
            spare.rename(second)
            self._note("swap", root, first, second)

    def _delete(self, root: Path, budget: int) -> int:
        path = self._pick(self._paths(root))
        if path is None:
            return 0
        inside = [path, *path.rglob("*")]
        if sum(inner.is_file() for inner in inside) > budget:
            return 0
        lost = self._lose(inside)
        self._note("delete", root, path)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
            if self._random.random() < 0.3:
                path.write_bytes(self._content())
        return lost

    def _turn(self, root: Path, budget: int) -> int:
        """Make a folder of a file, or a file of a folder."""
        path = self._pick(self._paths(root))
        if path is None or sum(inner.is_file() for inner in [path, *path.rglob("*")]) > budget:
            return 0
        lost = self._lose([path, *path.rglob("*")])
        self._note("turn", root, path)
        if path.is_dir():
            shutil.rmtree(path)
            path.write_bytes(self._content())
        else:
            path.unlink()
            path.mkdir()
            (path / "inside").write_bytes(self._content())
        return lost
