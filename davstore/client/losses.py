"""The safety stop: losses that look like a disk that is not there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from davstore.client.tree import Local, Remote, Tree, Trees, parent_of

MANY = 20
"""Up to so many deletions at once are never suspicious."""


def find_mass_deletion(trees: Trees) -> str | None:
    """Return a sentence when a side lost so many agreed files that a disk is likelier missing than a person at work.

    That is more than half and more than MANY files, or all of MANY files and more of a folder that is there and empty.
    Moved files are not lost, nor are those that the server has and no longer shows to this device.
    """
    files = {
        path: entry
        for path, entry in trees.agreed.rows.items()
        if not entry.folder and not trees.is_held(path) and not trees.is_outside(path)
    }
    moved = {entry.digest for path, entry in trees.local.rows.items() if path not in trees.agreed.rows}
    moved_tags = {entry.etag for path, entry in trees.remote.rows.items() if path not in trees.agreed.rows}
    lost_here = [
        path
        for path, entry in files.items()
        if path not in trees.local.rows and path in trees.remote.rows and entry.digest not in moved
    ]
    lost_there = [
        path
        for path, entry in files.items()
        if path not in trees.remote.rows and path in trees.local.rows and entry.etag not in moved_tags
    ]
    return _describe_loss(lost_here, len(files), trees.local, "in the folder") or _describe_loss(
        lost_there, len(files), trees.remote, "on the server"
    )


def _describe_loss(lost: list[str], count: int, side: Tree[Local] | Tree[Remote], where: str) -> str | None:
    if len(lost) > MANY and 2 * len(lost) > count:
        return f"{len(lost)} of {count} files are gone {where}"
    beneath = Counter(folder for path in lost for folder in _list_above(path))
    for folder in sorted(beneath):
        is_there = not folder or ((entry := side.get(folder)) is not None and entry.folder)
        if beneath[folder] >= MANY and is_there and not side.members(folder):
            return f"{folder or 'the top folder'} is empty {where} and had {beneath[folder]} files"
    return None


def _list_above(path: str) -> Iterator[str]:
    while path:
        path = parent_of(path)
        yield path
