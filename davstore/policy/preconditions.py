"""The conditions of HTTP, judged on the facts of one resource (RFC 9110 §13)."""

from __future__ import annotations

import enum
from typing import Final

from davstore.model.conditions import ETagList, Preconditions

SECOND_US: Final = 1_000_000


class Verdict(enum.Enum):
    """What the conditions say."""

    PASS = "pass"  # noqa: S105  not a password
    FAILED = "failed"
    NOT_MODIFIED = "not modified"


def judge(conditions: Preconditions, *, exists: bool, etag: str | None, modified_us: int | None, safe: bool) -> Verdict:
    """Judge the conditions in the order of RFC 9110 §13.2.2; `safe` is GET or HEAD.

    A resource without an etag (a collection) matches only `*`. Times count in whole seconds, as in the headers.
    """
    modified = None if modified_us is None else modified_us // 1_000_000
    if conditions.if_match is not None:
        if not _matches(conditions.if_match, exists=exists, etag=etag, weakly=False):
            return Verdict.FAILED
    elif conditions.if_unmodified_since is not None and not _is_unmodified(modified_us, conditions.if_unmodified_since):
        return Verdict.FAILED
    if conditions.if_none_match is not None:
        if _matches(conditions.if_none_match, exists=exists, etag=etag, weakly=True):
            return Verdict.NOT_MODIFIED if safe else Verdict.FAILED
    elif safe and conditions.if_modified_since is not None and modified is not None and _tells_changes(modified_us):
        return Verdict.NOT_MODIFIED if modified <= conditions.if_modified_since else Verdict.PASS
    return Verdict.PASS


def _is_unmodified(modified_us: int | None, since: int) -> bool:
    """Tell whether nothing changed since a time; one that a client set may go back, and has to be the very same."""
    modified = 0 if modified_us is None else modified_us // SECOND_US
    return modified == since if modified_us and not _tells_changes(modified_us) else modified <= since


def _tells_changes(modified_us: int | None) -> bool:
    """Tell whether the time grows with each change: the server's does, one that a client set need not (DECISIONS 21).

    Those are of whole seconds. So is one in a million of the server's own: it is sent again instead of a 304.
    """
    return modified_us is not None and modified_us % SECOND_US != 0


def _matches(tags: ETagList, *, exists: bool, etag: str | None, weakly: bool) -> bool:
    if tags.any:
        return exists
    return etag is not None and (etag in tags.strong or (weakly and etag in tags.weak))
