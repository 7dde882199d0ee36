"""The query of a URL (RFC 3986 §3.4): a few names in it have a meaning here, all others are ignored.

`?v=2`, which web applications add against caches, names the same resource as the URL without it.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

SUB_RESOURCES: Final = frozenset({"part", "preview", "add"})
"""The names of sub-resources. None of them is there yet."""


def parse_query(query: str) -> list[tuple[str, str]]:
    """Return names and values in order, decoded; octets that are not UTF-8 become surrogates."""
    return parse_qsl(query, keep_blank_values=True, errors="surrogateescape") if query else []


def names_sub_resource(query: str) -> bool:
    """Tell whether a query names a sub-resource, whatever else stands in it."""
    return any(name in SUB_RESOURCES for name, _ in parse_query(query))
