"""Files that are not where both sides had them and may be somewhere else in the folder: they are no deletions."""

from __future__ import annotations

from davstore.client.state import State
from davstore.client.tree import Agreed, Local, Tree, Trees, is_covered, parent_of

MADE_BY_SERVER = "it stays here and is not sent: threads are made by the server"


def list_stuck(trees: Trees) -> set[str]:
    """Return the contents of files that are here in places that may not be touched now."""
    if not trees.held:
        return set()
    return {entry.digest for path, entry in trees.local.rows.items() if not entry.folder and trees.is_held(path)}


def list_arrived(trees: Trees, stuck: set[str]) -> set[str]:
    """Return the contents that both sides have: a file that could not be moved leaves its old place only then.

    The content of a folder is ''.
    """
    if not (trees.apart or stuck):
        return {""}
    return {""} | {
        agreed.digest
        for path, agreed in trees.agreed.rows.items()
        if path not in trees.apart and path in trees.local.rows and path in trees.remote.rows
    }


def list_strays(trees: Trees) -> set[str]:
    """Return the contents of files that are here in no place of the server's, where the server computes the places."""
    rows = trees.local.rows.items() if trees.computed else ()
    return {entry.digest for path, entry in rows if not entry.folder and path not in trees.agreed.rows}


def list_unsent(trees: Trees) -> list[str]:
    """Return what stays here because the server computes what is where; of a folder that is only here its top."""
    unsent: list[str] = []
    tops: set[str] = set()
    for path, entry in sorted(trees.local.rows.items()) if trees.computed else ():
        agreed = trees.agreed.get(path)
        if trees.is_held(path) or is_covered(parent_of(path), tops):
            continue
        if agreed is None and entry.folder:
            tops.add(path)
        if agreed is None or agreed.digest != entry.digest or path not in trees.remote.rows:
            unsent.append(path)
    return unsent


def adopt_placed(state: State, local: Tree[Local]) -> None:
    """Take files for agreed ones that a killed run brought and did not record, and that the server has elsewhere since.

    They are under names that this device gave, with a content of the server's: no person put them there.
    """
    tags = {entry.etag for entry in state.remote.rows.values()}
    with state.transaction():
        for path in state.spellings.keys() - state.agreed.rows.keys() - state.remote.rows.keys():
            entry = local.get(path)
            if entry is not None and f'"{entry.digest}"' in tags:
                state.agree(path, Agreed(entry.folder, "", entry.digest, entry.stamp, entry.hashed_ns))


def follow_deleted(state: State, local: Tree[Local]) -> None:
    """Let what was agreed about files that were deleted here follow them to other threads: they are deleted there."""
    came = {
        (entry.resource_id, entry.etag): path
        for path, entry in state.remote.rows.items()
        if entry.resource_id and path not in state.agreed.rows and path not in local.rows
    }
    with state.transaction():
        for path, agreed in list(state.agreed.rows.items()):
            target = came.get((agreed.resource_id, agreed.etag))
            if target is not None and path not in local.rows and path not in state.remote.rows:
                state.agree(target, agreed)
                state.forget(path)
