"""Preconditions of a request, as data: parsed at the edge, judged in the transaction that acts."""

from __future__ import annotations

from typing import NamedTuple

from davstore.model.paths import PartPath, Path


class ETagList(NamedTuple):
    """The value of If-Match or If-None-Match (RFC 9110 §13.1). `any` is `*`; etags are opaque text without quotes.

    Weak tags are kept apart: they match only under If-None-Match.
    """

    any: bool
    strong: frozenset[str] = frozenset()
    weak: frozenset[str] = frozenset()


class IfCondition(NamedTuple):
    """One condition of an `If` list (RFC 4918 §10.4): a strong etag without quotes or a state token, perhaps negated.

    A weak etag is given as etag None and token None: it never matches.
    """

    negated: bool
    token: str | None
    etag: str | None


class IfList(NamedTuple):
    """Conditions that must all hold for one resource. `path` None: a place that is nowhere on this server."""

    path: Path | PartPath | None
    conditions: tuple[IfCondition, ...]


class Preconditions(NamedTuple):
    """All conditions of one request. Times are whole seconds since the epoch.

    if_lists: one of them must hold; None when the request has no `If`.
    """

    if_match: ETagList | None = None
    if_none_match: ETagList | None = None
    if_modified_since: int | None = None
    if_unmodified_since: int | None = None
    if_lists: tuple[IfList, ...] | None = None


NONE = Preconditions()
