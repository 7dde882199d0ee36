"""The end of a share: its files leave this device again, and the owner's stay (docs/sharing.md#an-hour-of-photographs).

To a user whom nothing is opened any more the URL of a share is 404, as one that never was. So the collection of shares
decides: one that lists the share no longer says that it ended. A server that was restored from a backup may lack it,
and files with it; that one has given every store another epoch, the user's own too, and nothing is removed then.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from copy import copy
from typing import Final

from davstore.client.exit_status import IN_STEP, NOT_TRANSFERRED, Changed, Stop
from davstore.client.folder import Folder
from davstore.client.identity import ROOT_ID
from davstore.client.plan import Action, Verb
from davstore.client.remote import RemoteCollection
from davstore.client.scan import Scan
from davstore.client.state import State
from davstore.client.tree import parent_of
from davstore.errors import DavstoreError, InvalidSyncToken
from davstore.model.paths import Area
from davstore.protocol.dav import sync_token
from davstore.protocol.urls import AREAS, SHARED

HOME: Final = "home"
"""The fact that holds number and epoch of the user's own store, as of when the share was last found sound."""
_STORES: Final = next(segments for segments, area in AREAS.items() if area is Area.STORE)
ENDED: Final = "the share ended: {}, {} kept"


class ShareEnded(DavstoreError):
    """The share that a folder was synchronised with is over. seen is the folder."""

    def __init__(self, seen: Scan) -> None:
        super().__init__("the share ended")
        self.seen = seen


def note_home(state: State, remote: RemoteCollection) -> None:
    """Remember the epoch of the server, for a collection in a share, after it answered a report."""
    share = _find_share(remote)
    if share and (not state.find_fact(HOME) or state.list_refused()):
        state.set_fact(HOME, _find_home(remote, share))


def has_ended(state: State, remote: RemoteCollection) -> bool:
    """Tell whether a collection that is 404 was in a share that is over, on a server that forgot nothing."""
    share = _find_share(remote)
    home = state.find_fact(HOME)
    if not share or not home:
        return False
    above = _at(remote, share[:-1])
    listed = above.find_members("", "1")
    if listed is None or any(row.status for row in listed.rows):
        return False
    names = {above.path(row.href) for row in listed.rows}
    is_elsewhere = state.find_fact(ROOT_ID) in {row.resource_id for row in listed.rows if row.resource_id}
    return "" in names and share[-1] not in names and not is_elsewhere and _find_home(remote, share) == home


def _find_share(remote: RemoteCollection) -> tuple[str, ...]:
    """Return the segments of the share that a collection is, or lies in; none when there is none."""
    root, size = remote.root, len(SHARED)
    starts = (at for at in range(len(root) - size - 1) if root[at : at + size] == SHARED)
    return next((root[: at + size + 2] for at in starts), ())


def _at(remote: RemoteCollection, root: tuple[str, ...]) -> RemoteCollection:
    """Return another collection of the same server."""
    other = copy(remote)
    other.root = root
    return other


def _find_home(remote: RemoteCollection, share: tuple[str, ...]) -> str:
    store = _at(remote, (*share[: -len(SHARED) - 2], *_STORES, share[-2]))
    try:
        token = sync_token.parse(store.find_sync_token("") or "")
    except InvalidSyncToken:
        return ""
    return f"{token.store_id}.{token.epoch}"


def list_unchanged(state: State, seen: Scan) -> list[str]:
    """Return the files that are as they were last synchronised."""
    agreed = state.agreed.rows
    return [
        path
        for path, entry in seen.local.rows.items()
        if not entry.folder and path in agreed and agreed[path].digest == entry.digest
    ]


def list_others(seen: Scan, gone: set[str]) -> list[str]:
    """Return the files that stay, with all that could not be looked at."""
    files = (path for path, entry in seen.local.rows.items() if not entry.folder and path not in gone)
    return sorted({*files, *seen.skipped, *seen.unfit})


def leave(
    state: State, folder: Folder, seen: Scan, *, say: Callable[[str], None], done: Callable[[Action], None]
) -> Stop:
    """Remove what is as it was last synchronised, and forget the share. Return how the run ends.

    If this is cut off, the next run goes on; a share that begins again before it finds its history in doubt, so that
    nothing that was removed here counts as deleted by a person.
    """
    state.refuse("", "")
    gone = set()
    for path in list_unchanged(state, seen):
        with suppress(Changed, OSError):
            folder.remove(path, seen.local.rows[path])
            gone.add(path)
            done(Action(Verb.DELETE_LOCAL, path))
    for path, part in state.parts.rows.items():
        folder.remove_part(parent_of(path), part.name)
    for path in sorted(state.agreed.rows, key=len, reverse=True):
        if path in seen.local.rows and seen.local.rows[path].folder:
            with suppress(Changed, OSError):
                folder.remove(path, seen.local.rows[path])
                gone.add(path)
    kept = [folder.spelling.here(path) for path in list_others(seen, gone)]
    if kept:
        say(f"changed or made here, and kept: {', '.join(kept)}")
    with state.transaction():
        for path in gone:
            state.forget(path)
        state.drop_refused()
        state.reset()
    removed = sum(not seen.local.rows[path].folder for path in gone)
    return Stop(NOT_TRANSFERRED if kept else IN_STEP, ENDED.format(f"{removed} files removed", len(kept)))
