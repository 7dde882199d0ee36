"""Many resources at once, by column: a page of a listing without an object for each of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from davstore.model.facets import Facets
from davstore.model.nodes import COLLECTION_DIGITS, ResourceType, StoreFacts

BODY_AND_FLAGS: Final = "body and flags"
"""The fact that all facts of a message come from: the digits of its body, a full stop, and those of its flags.

There is nothing in front of the full stop where the resource is no message.
"""

OF_THREAD: Final = "thread."
"""The beginning of the facts that are fields of `Thread`, which the row of a thread has."""
FOUND: Final = "found"
"""The fact that `FromMessages` adds: the wanted facts of a message that it has, as one text."""
MISSING: Final = "missing"
"""The other one: the names of those that it lacks, as one text."""

_OTHER_TYPES: Final = frozenset({str(int(ResourceType.MEDIA)), *COLLECTION_DIGITS})


class Columns(NamedTuple):
    """Facts of resources as text: of each fact a list, all in the same order.

    `parents` holds the node of the collection that each is in, `places` the names of these collections from the store's
    root; `types` has a digit for each resource, that of its `ResourceType`; `facts` maps the facts that were
    `Wanted` to the digits or the text of their values, '' where a resource has none.
    """

    parents: Sequence[int]
    places: Mapping[int, tuple[str, ...]]
    types: str
    names: list[str]
    facts: Mapping[str, Sequence[str]]

    @property
    def has_messages(self) -> bool:
        """Whether a resource has facts of a message."""
        return not _OTHER_TYPES.issuperset(self.types)


Load = Callable[[Collection[int]], Iterator[tuple[Any, ...]]]
"""Takes ids of bodies and yields, of those that are messages, the id and the values of the wanted fields."""


class FromMessages(NamedTuple):
    """Facts of messages that are wanted by column: fields of `MessageFacts`, and the function that adds them to a page.

    It takes the store and a page with `BODY_AND_FLAGS` (`flags` where there are no fields), loads only the bodies that
    it does not know yet, and adds `FOUND` and `MISSING`.
    """

    fields: tuple[str, ...]
    add: Callable[[StoreFacts, Columns, Load], Columns]


class Wanted(NamedTuple):
    """The facts that are wanted by column, fields of `Resource` or `BODY_AND_FLAGS`, and those of messages.

    A page comes by column as long as none of its resources has a value of the facets, which have no columns.
    """

    facts: tuple[str, ...]
    facets: Facets = frozenset()
    messages: FromMessages | None = None
