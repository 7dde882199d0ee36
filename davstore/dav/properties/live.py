"""The rows of the table of live properties."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from operator import attrgetter
from typing import Any, Final, NamedTuple

from davstore.dav.kinds import Kind
from davstore.engine.property_changes import LiveValues
from davstore.metadata.principals import DeviceFacts
from davstore.model.acl import NONE, Privilege, Rights
from davstore.model.columns import OF_THREAD
from davstore.model.facets import MESSAGE, NO_FACTS, Facet, Facts
from davstore.model.facets import THREAD as THREAD_FACTS
from davstore.model.functions import ALL, Function, Functions
from davstore.model.nodes import Resource, StoreFacts
from davstore.model.principals import Principal
from davstore.model.views import EVERYTHING, View
from davstore.protocol.dav.elements import href
from davstore.protocol.dav.hrefs import Spelling
from davstore.store.grouping import Members
from davstore.store.preferring import Profiles

EVERY: Final = frozenset(Kind)
RESOURCE: Final = frozenset({Kind.RESOURCE, Kind.MEMBER})
COLLECTION: Final = frozenset({Kind.COLLECTION, Kind.THREAD})
STORED: Final = RESOURCE | COLLECTION
THREAD: Final = frozenset({Kind.THREAD})
PART: Final = frozenset({Kind.PART})
DEVICE: Final = frozenset({Kind.DEVICE})
PRINCIPAL: Final = frozenset({Kind.PRINCIPAL, Kind.DEVICE})
HOLDING: Final = frozenset({Kind.GROUP, Kind.LIST})
"""Principals that hold others."""
ANY_PRINCIPAL: Final = PRINCIPAL | HOLDING


class PropertyContext(NamedTuple):
    """The asker, the store (None outside of all stores), and the facets of the resources at hand that are asked for."""

    principal: Principal
    store: StoreFacts | None = None
    facets: Facts = NO_FACTS
    now_us: int = 0
    spelling: Spelling = Spelling()
    free_bytes: Callable[[], int] = lambda: 0
    """The room that is left on the disk; asked at most once a request, and only in a store."""
    functions: Functions = ALL
    """Those that are enabled."""
    list_devices: Callable[[], Sequence[DeviceFacts]] = tuple
    """What is known of the devices of the asker's user; asked where a property tells it."""
    find_profiles: Callable[[], Profiles | None] = lambda: None
    """Those of the principals at hand; asked where a property tells them."""
    shown: Callable[[], View] = lambda: EVERYTHING
    """The view that the asker is shown; asked where a sync token is told."""
    list_members: Callable[[], Members] = dict
    """The members of the lists and groups that the asker sees; asked where a property tells them."""

    rights: Mapping[int, Rights] | None = None
    """Those of the asker by node; None: it owns the store."""

    def may_read_acl(self, node_id: int) -> bool:
        """Tell whether the asker may read the access control list of a node."""
        return self.rights is None or self.rights.get(node_id, NONE).has(Privilege.READ_ACL)

    def may_list(self, node_id: int) -> bool:
        """Tell whether the asker may list the members of a node, within a filter or not."""
        return self.rights is None or self.rights.get(node_id, NONE).has(Privilege.LIST_FILTERED)

    def href(self, segments: tuple[str, ...]) -> bytes:
        """Return `D:href` of a collection."""
        return href(self.spelling.href(segments, slash=True))


class Column:
    """A property that is made of one fact; a resource without the fact has no such property.

    fact is a field of `Resource`, of `MessageFacts` where of_message is set, or of `Thread`, behind `OF_THREAD`, where
    of_thread is. Then the row of the table names the facet, of which it is read where there are no columns.
    """

    def __init__(
        self,
        fact: str,
        template: str,
        text: Callable[[Any], str] = str,
        texts: Callable[[Sequence[str]], Sequence[str]] | None = None,
        *,
        of_message: bool = False,
        of_thread: bool = False,
    ) -> None:
        """Take the fact, the element with `%s` for its value, and the function that writes the value.

        text takes the value or the digits of it, and is left out where these need no escaping. It returns '' for a
        value that is no property, and writes ASCII unless the fact is a message's. texts does the same for many, with
        '' for '', where that takes less.
        """
        self.fact = fact
        self.text = text
        self.texts = texts
        self.of_message = of_message
        self._facet: Facet[Any] | None = MESSAGE if of_message else THREAD_FACTS if of_thread else None
        self.start, _, self.end = template.partition("%s")

    def piece(self, facts: Facts) -> Callable[[Resource], bytes | None]:
        """Return the function of one resource, with the facets of the page that it is on."""
        if self._facet is None:
            return self.of
        found = facts.of(self._facet)
        value_of, text, start, end = attrgetter(self.fact.removeprefix(OF_THREAD)), self.text, self.start, self.end

        def element_of(resource: Resource) -> bytes | None:
            facts = found.get(resource.node_id)
            value = None if facts is None else value_of(facts)
            written = "" if value is None else text(value)
            return f"{start}{written}{end}".encode() if written else None

        return element_of

    @cached_property
    def of(self) -> Callable[[Resource], bytes | None]:
        """Return the function of one resource."""
        value_of, text, start, end = attrgetter(self.fact), self.text, self.start, self.end

        def element_of(resource: Resource) -> bytes | None:
            value = value_of(resource)
            written = "" if value is None else text(value)
            return f"{start}{written}{end}".encode() if written else None

        return element_of


Same = Callable[[PropertyContext, Kind], bytes | None]
Each = Callable[[PropertyContext, Any], bytes | None]


class Settable(NamedTuple):
    """The way in which clients change a live property.

    parse returns the values that a text sets, None if it is no value; removed holds those that a removal sets, None if
    the property cannot be removed.
    """

    parse: Callable[[str], LiveValues | None]
    removed: LiveValues | None = None


class Live(NamedTuple):
    """A live property: its name, the kinds that have it, and its element, which comes about in one of three ways.

    `same` is the element of all resources of a kind in one request; where there is none, or it returns None, `each` is
    a function of one resource (of a `Resource`, for parts of a `PartResource`, for principals of their `Fixed`) and
    returns None where the resource does not have it; `column` is one fact of the row, and so can be rendered for many
    rows at once.

    in_its_place is the element that an answer to allprop has: clients that ask for everything know nothing of messages,
    and one of them gives up a listing for a type that it does not know.
    leads: its value is hrefs of resources on this server, which expand-property follows (RFC 3253 §3.8).
    function: without it no resource has the property.
    Without `set` the property is protected.
    """

    name: str
    kinds: frozenset[Kind]
    same: Same | None = None
    each: Each | None = None
    column: Column | None = None
    facet: Facet[Any] | None = None
    set: Settable | None = None
    in_allprop: bool = False
    in_its_place: bytes | None = None
    leads: bool = False
    function: Function | None = None
