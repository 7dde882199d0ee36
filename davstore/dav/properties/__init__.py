"""The one table of live properties: name, kinds, how each is rendered and set, and whether allprop includes it.

Most of them are the server's to set. `displayname` is live on principals alone and a dead property elsewhere.
"""

from __future__ import annotations

from typing import Final

from davstore.dav.kinds import Kind
from davstore.dav.properties.access import ACCESS
from davstore.dav.properties.adding import ADDING
from davstore.dav.properties.core import CORE, IDENTITY, SUPPORTED
from davstore.dav.properties.devices import DEVICES
from davstore.dav.properties.groups import GROUPS
from davstore.dav.properties.live import EVERY, RESOURCE, Live, PropertyContext, Settable
from davstore.dav.properties.locks import LOCKS
from davstore.dav.properties.messages import MESSAGES, PARTS
from davstore.dav.properties.owncloud import OWNCLOUD
from davstore.dav.properties.preferences import PREFERENCES
from davstore.dav.properties.principals import OWNERS, PRINCIPALS
from davstore.dav.properties.quota import QUOTA
from davstore.dav.properties.sessions import SESSIONS
from davstore.dav.properties.states import ANSWERED_BY, STATES, keyword
from davstore.dav.properties.sync import MODSEQ, SYNC
from davstore.dav.properties.threads import THREADS
from davstore.dav.properties.times import TIMES
from davstore.protocol.dav import names
from davstore.protocol.dav.elements import element, empty


def _supported_live_property_set(context: PropertyContext, kind: Kind) -> bytes:
    functions = {None, *context.functions}
    live = [empty(live.name) for live in LIVE_OF[kind].values() if live.function in functions]
    supported = [element("{DAV:}supported-live-property", element(names.PROP, name)) for name in live]
    return element(names.SUPPORTED_LIVE_PROPERTY_SET, *supported)


TABLE: Final = (
    *CORE,
    *LOCKS,
    *TIMES,
    *IDENTITY,
    *MODSEQ,
    *OWNCLOUD,
    *SYNC,
    *QUOTA,
    *OWNERS,
    *ACCESS,
    *MESSAGES,
    *PARTS,
    *STATES,
    ANSWERED_BY,
    *THREADS,
    *SESSIONS,
    *ADDING,
    *SUPPORTED,
    Live(names.SUPPORTED_LIVE_PROPERTY_SET, EVERY, same=_supported_live_property_set),
    *PRINCIPALS,
    *GROUPS,
    *DEVICES,
    *PREFERENCES,
)

LIVE_OF: Final = {kind: {live.name: live for live in TABLE if kind in live.kinds} for kind in Kind}
"""The live properties of each kind, by name."""

PROTECTED: Final = frozenset(live.name for live in TABLE) - {names.DISPLAYNAME}
"""The names that no dead property may have, on any kind of resource."""
SETTABLE: Final = {live.name: live.set for live in TABLE if live.set is not None}
"""Live properties that a client may set. Keywords are others (`find_settable`)."""


def find_live(kind: Kind, name: str) -> Live | None:
    """Return the live property of a name on a kind of resource: a row of the table, or a keyword."""
    live = LIVE_OF[kind].get(name)
    return keyword(name) if live is None and kind in RESOURCE and names.is_keyword(name) else live


def find_settable(name: str) -> Settable | None:
    """Return the way in which clients change a property; None: it is a dead or a protected one."""
    return keyword(name).set if names.is_keyword(name) else SETTABLE.get(name)
