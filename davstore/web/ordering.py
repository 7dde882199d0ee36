"""Order and page of a listing, and the page of a conversation: the query of a page's URL."""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import quote

from davstore.errors import Malformed
from davstore.model.pages import Mark, Moment, Sort
from davstore.protocol.http.queries import parse_query

_MARK: Final = re.compile(r"([01])\.(-?[0-9]{1,18})\.([^\x00-\x1f\x7f/\ud800-\udfff]+)")
_MOMENT: Final = re.compile(r"(-?[0-9]{1,18})\.([0-9]{1,18})")
_ORDERS: Final = {"asc": False, "desc": True}
_KEYS: Final = frozenset({"sort", "order", "after"})
_DESCENDING_FIRST: Final = frozenset({Sort.SIZE, Sort.TIME})
"""Sorted by these, people look for the largest and the newest first."""


class Ordering(NamedTuple):
    """The part of a collection that a page shows, and its order."""

    sort: Sort = Sort.NAME
    descending: bool = False
    after: Mark | None = None

    @property
    def query(self) -> str:
        """The reference from one page of the collection to this one."""
        order = "desc" if self.descending else "asc"
        after = "" if self.after is None else f"&after={quote('.'.join(map(str, self.after)), safe='')}"
        return f"?sort={self.sort.value}&order={order}{after}"

    def sorted_by(self, sort: Sort) -> Ordering:
        """Return the ordering that the head of a column leads to: one that is sorted by already is reversed."""
        return Ordering(sort, not self.descending if sort is self.sort else sort in _DESCENDING_FIRST)


def parse_ordering(query: str) -> Ordering:
    """Return the ordering that a query asks for. Names that no page has are ignored.

    Raises:
        Malformed: a name of a page's twice, or a value that it does not have.
    """
    pairs = [(name, value) for name, value in parse_query(query) if name in _KEYS]
    words = dict(pairs)
    try:
        sort = Sort(words.get("sort", "name"))
        descending = _ORDERS[words.get("order", "asc")]
    except (ValueError, KeyError) as cause:
        raise Malformed("invalid sort or order") from cause
    mark = _MARK.fullmatch(words.get("after", ""))
    if len(words) < len(pairs) or ("after" in words and mark is None):
        raise Malformed("invalid page marker")
    return Ordering(sort, descending, mark and Mark(int(mark[1]), int(mark[2]), mark[3]))


class Span(NamedTuple):
    """The part of a list by time that a page shows: what comes before a moment or after one; neither is the newest."""

    before: Moment | None = None
    after: Moment | None = None

    @property
    def query(self) -> str:
        """The reference from one page to this one."""
        return "?" + "&".join(f"{name}={one.at_us}.{one.node_id}" for name, one in self._asdict().items() if one)


def parse_span(query: str) -> Span:
    """Return the part that a query asks for. Names that no page has are ignored.

    Raises:
        Malformed: both names, one twice, or a value that is no moment.
    """
    pairs = [(name, _MOMENT.fullmatch(value)) for name, value in parse_query(query) if name in Span._fields]
    if len(pairs) > 1 or not all(match for _, match in pairs):
        raise Malformed("invalid page marker")
    return Span(**{name: Moment(int(match[1]), int(match[2])) for name, match in pairs if match})
