"""Many resources at once, by column: a page of a listing without an object for each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Columns(NamedTuple):
    """Facts of resources as text: of each fact a list, all in the same order.

    `parents` holds the node of the collection that each is in, `places` the names of these collections from the store's
    root; `collections` has a character for each resource, 1 for a collection; `facts` maps fields of `Resource` to the
    digits or the text of their values, '' where a resource has none.
    """

    parents: Sequence[int]
    places: Mapping[int, tuple[str, ...]]
    collections: str
    names: list[str]
    facts: Mapping[str, list[str]]
