"""A person who moves, edits and unmounts things in two folders while their devices run, and never deletes anything."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from davstore.client.local_names import RESERVED
from tests.client.devices import Device, read_tree
from tests.client.script import digest

DISK = "disk"
SETTLING_RUNS = 8


@dataclass
class Mover:
    """written are the digests of all contents that the person made and did not overwrite. desk is outside of all."""

    devices: list[Device]
    desk: Path
    seed: int
    mount: Callable[..., None] | None = None
    written: set[str] = field(default_factory=set)
    done: Counter[str] = field(default_factory=Counter)
    mounted: bool = True
    _count: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self.desk.mkdir()

    def fill(self, files: int, folders: int) -> None:
        """Make the first tree in the folder of the first device."""
        for number in range(files):
            place = number % folders
            self.devices[0].write(f"{place % 10}/{place // 10}/{number}", self.content())

    def content(self) -> bytes:
        """Return a content unlike any other."""
        self._count += 1
        content = f"{self.seed} {self._count}".encode()
        self.written.add(digest(content))
        return content

    def work(self, steps: int, ended: threading.Event) -> None:
        """Do so many things, as fast as the devices run."""
        while self.done.total() < steps:
            self._step()
            ended.wait(self._random.random() * 0.05)

    def toggle(self) -> None:
        """Unmount the disk, or mount it."""
        assert self.mount is not None
        self.mounted = not self.mounted
        self.mount(there=self.mounted)
        self.done["mount" if self.mounted else "unmount"] += 1

    def _step(self) -> None:
        root = self._random.choice(self.devices).root
        if self.mount is not None and self._random.random() < 0.03:
            self.toggle()
            return
        kind = self._random.choice(["move", "move", "move", "move folder", "edit"])
        source = self._pick(root, folder=kind == "move folder")
        if source is None:
            return
        try:
            self.done[kind] += self._edit(source) if kind == "edit" else self._move(root, source)
        except OSError:  # the device was there first, or the disk is another
            return

    def _pick(self, root: Path, *, folder: bool) -> Path | None:
        """Go down from the root at random until something fits."""
        place = root
        for _ in range(12):
            try:
                names = [name for name in sorted(place.iterdir()) if not RESERVED.fullmatch(name.name)]
            except OSError:
                return None
            if place == root and not self.mounted:
                names = [name for name in names if name.name != DISK]
            if not names:
                return None
            place = self._random.choice(names)
            if place.is_dir():
                if folder and self._random.random() < 0.5:
                    return place
            else:
                return None if folder else place
        return None

    def _move(self, root: Path, source: Path) -> int:
        """Give it a place where nothing is. Folders deeper than a few are moved to the top."""
        folder = self._pick(root, folder=True) or root
        target = (root if len(folder.parts) > len(root.parts) + 5 else folder) / source.name
        if target.exists() or target.is_relative_to(source) or source.name == DISK:
            return 0
        source.rename(target)
        return 1

    def _edit(self, path: Path) -> int:
        """Take the file away, and put another content in its place unless something came there meanwhile."""
        taken = self.desk / "taken"
        path.rename(taken)
        self.written.discard(digest(taken.read_bytes()))
        taken.unlink()
        fresh = self.desk / "fresh"
        fresh.write_bytes(self.content())
        while True:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.hardlink_to(fresh)
                break
            except FileExistsError:
                path = path.with_name(f"{path.name}+")
        fresh.unlink()
        return 1


def live(mover: Mover, steps: int, followers: Sequence[Device] = ()) -> Counter[int]:
    """Let the person work while all devices run, then let them come to rest; return how often a run ended how.

    followers are devices in whose folders the person does nothing.
    """
    devices = [*mover.devices, *followers]
    ended = threading.Event()
    statuses: Counter[int] = Counter()
    failures: list[BaseException] = []

    def run(device: Device) -> None:
        try:
            while not ended.is_set():
                statuses[device.sync()] += 1
        except BaseException as error:  # noqa: BLE001  told by the thread that waits
            failures.append(error)

    threads = [threading.Thread(target=run, args=(device,)) for device in devices]
    for thread in threads:
        thread.start()
    try:
        mover.work(steps, threading.Event())
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert not failures, failures
    if mover.mount is not None and not mover.mounted:
        mover.toggle()
    for _ in range(SETTLING_RUNS):
        last = [device.sync() for device in devices]
    assert last == [0, 0], [device.said for device in devices]
    return statuses


def judge(mover: Mover) -> int:
    """See that both folders are the same and that nothing is lost; return how many files there are."""
    first, second = (read_tree(device.root) for device in mover.devices)
    assert first == second
    found = {digest(content) for content in first.values() if content is not None}
    assert mover.written <= found, f"{len(mover.written - found)} contents are lost"
    return sum(content is not None for content in first.values())
