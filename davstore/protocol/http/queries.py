"""The query of a URL (RFC 3986 §3.4): a few names in it have a meaning here, all others are ignored.

`?v=2`, which web applications add against caches, names the same resource as the URL without it.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl

PART: Final = "part"
ADD: Final = "add"
ADD_QUERY: Final = f"?{ADD}"
"""The query of the place where members are added to a collection."""
SUB_RESOURCES: Final = frozenset({PART, "preview", ADD})
"""The names of sub-resources. Previews are not there yet."""
_NUMBER: Final = re.compile(r"[1-9][0-9]*(?:\.[1-9][0-9]*)*")
"""A part number: each level counts from 1, and each number has one spelling."""


def parse_query(query: str) -> list[tuple[str, str]]:
    """Return names and values in order, decoded; octets that are not UTF-8 become surrogates."""
    return parse_qsl(query, keep_blank_values=True, errors="surrogateescape") if query else []


def names_sub_resource(query: str) -> bool:
    """Tell whether a query names a sub-resource, whatever else stands in it."""
    return any(name in SUB_RESOURCES for name, _ in parse_query(query))


def find_part_number(query: str) -> str | None:
    """Return the number in `part=2.1`; None when the query names another sub-resource, none, or several."""
    named = [pair for pair in parse_query(query) if pair[0] in SUB_RESOURCES]
    if len(named) != 1:
        return None
    name, number = named[0]
    return number if name == PART and _NUMBER.fullmatch(number) else None


def names_add(query: str) -> bool:
    """Tell whether a query names the place where members are added, and no other sub-resource."""
    return [pair for pair in parse_query(query) if pair[0] in SUB_RESOURCES] == [(ADD, "")]


def part_query(number: str) -> str:
    """Return the query of a part, with its question mark."""
    return f"?{PART}={number}"
