"""Many resources at once, by column: a page of a listing without an object for each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from davstore.model.facets import OF_MESSAGE, Facets

MOST_CHARACTERS: Final = 2_048
"""Characters of one fact of a message in a column, of which a page holds many: a longer one is cut behind the next."""


class Wanted(NamedTuple):
    """The facts that are wanted by column: fields of `Resource`, and of a message with `message.` in front of them.

    A page comes by column as long as none of its resources has a value of the facets, which have no columns.
    """

    facts: tuple[str, ...]
    facets: Facets = frozenset()


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
    facts: Mapping[str, list[str]]

    @property
    def is_whole(self) -> bool:
        """Whether no fact was cut; else the resources are to be read as rows."""
        of_messages = [texts for fact, texts in self.facts.items() if fact.startswith(OF_MESSAGE)]
        return not any(max(map(len, texts), default=0) > MOST_CHARACTERS for texts in of_messages)
