"""The states of non-collections, one live property each, so that changes of different ones commute: flags and keywords.

A state that is set has the value `T`; one that is not set is no property of the resource.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from davstore.dav.properties.live import RESOURCE, Column, Live, PropertyContext, Settable
from davstore.engine.property_changes import LiveValues
from davstore.model.facets import ANSWERS, KEYWORDS
from davstore.model.nodes import Resource
from davstore.model.paths import Path
from davstore.model.states import Flag, StateChange
from davstore.protocol import urls
from davstore.protocol.dav import names
from davstore.protocol.dav.elements import element, empty, href, text_element
from davstore.protocol.dav.names import CPM, clark, split

_SET: Final = "T"
_ANSWERED_BY: Final = clark(CPM, "answered-by")


def _settable(name: str, setting: StateChange, removal: StateChange) -> Settable:
    """Return the way to change a state. Space around the value is taken off before (`prop.text_of`)."""
    values = LiveValues(states={name: setting})
    return Settable(lambda text: values if text == _SET else None, LiveValues(states={name: removal}))


def _text_of(flag: Flag) -> Callable[[int | str], str]:
    @lru_cache(maxsize=256)
    def text(flags: int | str) -> str:
        return _SET if int(flags) & flag else ""

    return text


def _flag(flag: Flag) -> Live:
    local = flag.name.lower().replace("_", "-") if flag.name else ""
    name = clark(CPM, local)
    column = Column("flags", f"<C:{local}>%s</C:{local}>", _text_of(flag))
    settable = _settable(name, StateChange(set=int(flag)), StateChange(clear=int(flag)))
    return Live(name, RESOURCE, column=column, set=settable)


def _answered_by(context: PropertyContext, resource: Resource) -> bytes | None:
    places, store = context.facets.of(ANSWERS).get(resource.node_id), context.store
    if not places or store is None:
        return None
    segments = [urls.segments_of(Path(store.owner, names)) for names in places]
    return element(_ANSWERED_BY, *(href(context.spelling.href(one, slash=False)) for one in segments))


def _keywords(context: PropertyContext, resource: Resource) -> bytes | None:
    """Return the names of all keywords: a question cannot name those that it does not know of."""
    words = context.facets.of(KEYWORDS).get(resource.node_id)
    return element(names.KEYWORDS, *(empty(clark(names.KEYWORD, word)) for word in words)) if words else None


STATES: Final = (*map(_flag, Flag), Live(names.KEYWORDS, RESOURCE, each=_keywords, facet=KEYWORDS))
ANSWERED_BY: Final = Live(_ANSWERED_BY, RESOURCE, each=_answered_by, facet=ANSWERS)


@lru_cache(maxsize=1024)
def keyword(name: str) -> Live:
    """Return the row of a keyword, whose name is one of `names.is_keyword`."""
    word = split(name)[1]
    one = frozenset({word})

    def each(context: PropertyContext, resource: Resource) -> bytes | None:
        has = word in context.facets.of(KEYWORDS).get(resource.node_id, ())
        return text_element(name, _SET) if has else None

    settable = _settable(name, StateChange(added=one), StateChange(dropped=one))
    return Live(name, RESOURCE, each=each, facet=KEYWORDS, set=settable)
