"""Look once more for local files before they are deleted on the server."""

from __future__ import annotations

from collections.abc import Iterable

from davstore.client.exit_status import Changed
from davstore.client.folder import Folder
from davstore.client.tree import Trees, parent_of
from davstore.client.walk import list_inodes


def find_present(folder: Folder, trees: Trees, paths: Iterable[str]) -> set[str]:
    """Return the paths at or beneath which something is in the folder that the scan did not see.

    That is a file or folder at its path again, or its inode where none was seen. All of them, when the folder does not
    come to rest: then an unseen file may be there all the same.
    """
    inodes = list_inodes(folder)
    if inodes is None:
        return set(paths)
    unseen = inodes - {entry.stamp.inode for entry in trees.local.rows.values()}
    return {
        path for path in paths if any(_is_present(folder, trees, inner, unseen) for inner in trees.remote.walk(path))
    }


def _is_present(folder: Folder, trees: Trees, path: str, unseen: set[int]) -> bool:
    if path in trees.local.rows:
        return False
    agreed = trees.agreed.get(path)
    return (agreed is not None and agreed.stamp.inode in unseen) or _is_there(folder, path)


def _is_there(folder: Folder, path: str) -> bool:
    try:
        with folder.open_folder(parent_of(path)) as handle:
            return folder.has_member(handle, path)
    except Changed:
        return False
