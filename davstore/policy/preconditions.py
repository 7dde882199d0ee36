"""The conditions of HTTP, judged on the facts of one resource (RFC 9110 §13)."""

from __future__ import annotations

import enum
from typing import Final

from davstore.model.conditions import ETagList, Preconditions
from davstore.model.nodes import AGAIN, BY_CLIENT, Resource

SECOND_US: Final = 1_000_000


class Verdict(enum.Enum):
    """The result of the conditions."""

    PASS = "pass"  # noqa: S105  not a password
    FAILED = "failed"
    NOT_MODIFIED = "not modified"


def judge(
    conditions: Preconditions,
    *,
    exists: bool,
    etag: str | None,
    modified_us: int | None,
    modified_by: int = BY_CLIENT | AGAIN,
    now_us: int = 0,
    safe: bool,
) -> Verdict:
    """Judge the conditions in the order of RFC 9110 §13.2.2; `safe` is GET or HEAD.

    A resource without an etag (a collection) matches only `*`. Dates say nothing of a resource without a time of
    modification.
    """
    whose = modified_by if modified_us is not None else BY_CLIENT
    if conditions.if_match is not None:
        if not _matches(conditions.if_match, exists=exists, etag=etag, weakly=False):
            return Verdict.FAILED
    elif not _is_unchanged(conditions.if_unmodified_since, modified_us, whose, now_us):
        return Verdict.FAILED
    if conditions.if_none_match is not None:
        if _matches(conditions.if_none_match, exists=exists, etag=etag, weakly=True):
            return Verdict.NOT_MODIFIED if safe else Verdict.FAILED
    elif safe and conditions.if_modified_since is not None and not whose & BY_CLIENT:
        is_unchanged = _is_unchanged(conditions.if_modified_since, modified_us, whose, now_us)
        return Verdict.NOT_MODIFIED if is_unchanged else Verdict.PASS
    return Verdict.PASS


def _is_unchanged(since: int | None, modified_us: int | None, modified_by: int, now_us: int) -> bool:
    """Tell whether nothing changed since a second; true without a date or a time of modification (§13.1.4).

    A time that a client set may have gone back, so it has to be equal.
    """
    if since is None or modified_us is None:
        return True
    second = modified_us // SECOND_US
    if second == since:
        return not modified_by & AGAIN and second < now_us // SECOND_US
    return second < since and not modified_by & BY_CLIENT


def is_strong(modified_us: int, modified_by: int, now_us: int) -> bool:
    """Tell whether the Last-Modified of a representation is a strong validator (RFC 9110 §8.8.2.2).

    That is: the server set it, the URL showed nothing else in that second, and the second is over.
    """
    return modified_by == 0 and modified_us // SECOND_US < now_us // SECOND_US


def find_modified_by(time_us: int, *, client: bool, old: Resource | None, unmapped_us: int) -> int:
    """Return the `modified_by` of a time of modification when a representation takes its place at a URL.

    client: a client set it; old is the resource at the URL now; unmapped_us is when a name of the store was last
    unmapped: which one is not kept, so that it may have been this one.
    """
    second = time_us // SECOND_US
    was = None if old is None else old.modified_us // SECOND_US
    is_known = old is not None and not client and not old.modified_by & AGAIN
    again = was == second or (not is_known and unmapped_us // SECOND_US >= second)
    goes_back = client or (was is not None and was > second)
    return BY_CLIENT * goes_back | AGAIN * again


def _matches(tags: ETagList, *, exists: bool, etag: str | None, weakly: bool) -> bool:
    if tags.any:
        return exists
    return etag is not None and (etag in tags.strong or (weakly and etag in tags.weak))
