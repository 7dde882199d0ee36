"""Recognise a server that was restored or made anew (docs/adr/0011).

A server that was restored from a backup, or made anew at the same URL, lacks files that no user deleted. Compared with
the agreed state they would be deleted here too. So where that cannot be ruled out, the agreed state is forgotten, and
the two sides are united as those of a new device: nothing is deleted, and files that differ are kept twice.
"""

from __future__ import annotations

from davstore.client import questions
from davstore.client.remote import RemoteCollection
from davstore.client.state import State
from davstore.errors import InvalidSyncToken
from davstore.model.changes import SyncToken
from davstore.protocol.dav import sync_token

ROOT_ID = "root-id"
"""The fact that holds the `DAV:resource-id` of the collection, '' where the server gives none."""


def is_other_root(state: State, remote: RemoteCollection) -> bool:
    """Tell whether another collection than before is at the URL. One that never had an identity is not asked for it.

    After uniting the old identity has to be forgotten, last of all.
    """
    known = state.find_fact(ROOT_ID)
    if known == "":
        return False
    told = remote.find_resource_id()
    if known is None:
        state.set_fact(ROOT_ID, told)
    return known is not None and told != known


def holds_threads(remote: RemoteCollection) -> bool:
    """Tell whether the collection is a thread, or the root of threads: the server computes what is in it."""
    return any(row.is_thread for row in remote.find_rows("", questions.PROPFIND_KIND))


def list_rewound(state: State) -> list[str]:
    """Return the collections whose token was refused and that may have lost members that they reported before."""
    rewound = []
    for path, refused in state.list_refused():
        scope = state.find_scope(path)
        if scope is not None and not _went_on(refused, scope.token):
            rewound.append(path)
    return rewound


def _went_on(refused: str, given: str) -> bool:
    """Tell whether a token was refused only because its history was swept: same store, same epoch, a later number.

    Only tokens of davstore show that. Those of other servers are opaque (RFC 6578 §3.2), and prove nothing.
    """
    try:
        old, new = sync_token.parse(refused), sync_token.parse(given)
    except InvalidSyncToken:
        return False
    same = (old.store_id, old.epoch, old.scope) == (new.store_id, new.epoch, new.scope)
    return same and _reach(old) <= _reach(new)


def _reach(token: SyncToken) -> int:
    return max(token.number, token.position.base if token.position is not None else 0)
