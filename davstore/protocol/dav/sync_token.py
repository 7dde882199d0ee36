"""The sync token as text (RFC 6578 §3.2, §4; docs/sync.md#tokens).

`urn:davstore:sync:1.STORE.EPOCH.SCOPE.VIEW.N`, and in the middle of a truncated run `….N.h.c.R.again`. Every value has
exactly one spelling, so a garbled token is never taken for another valid one.
"""

from __future__ import annotations

import re
from typing import Final

from davstore.errors import InvalidSyncToken
from davstore.model.changes import Position, SyncToken

_NUMBER: Final = r"(0|[1-9][0-9]{0,18})"
_TIE: Final = r"(0|[1-9][0-9]{0,23})"
_STAMP: Final = r"-|[0-9a-f]{16}(?:-[1-9][0-9]{0,11}){0,2}"
_TOKEN: Final = re.compile(
    rf"urn:davstore:sync:1\.{_NUMBER}\.{_NUMBER}\.([0-9a-f]{{16}})\.({_STAMP})\.{_NUMBER}"
    rf"(?:\.{_TIE}\.{_NUMBER}\.{_NUMBER}\.([01]|{_STAMP}))?"
)
_MAX_NUMBER: Final = 2**63 - 1
"""The largest BIGINT. The tie of a position (depth and hash) is compared in memory only and may be wider."""


def render(token: SyncToken) -> str:
    """Return the token's text. With a position its number is the position's."""
    head = f"urn:davstore:sync:1.{token.store_id}.{token.epoch}.{token.scope}.{token.view}."
    at = token.position
    if at is None:
        return f"{head}{token.number}"
    return f"{head}{at.number}.{at.tie}.{at.changed}.{at.base}.{at.relisting}"


def parse(text: str) -> SyncToken:
    """Return the token that text spells. Raises InvalidSyncToken for anything that `render` does not write."""
    match = _TOKEN.fullmatch(text)
    if match is None:
        raise InvalidSyncToken("not a token of this server")
    store, epoch, scope, view, number, tie, changed, base, relisting = match.groups()
    if any(int(digits) > _MAX_NUMBER for digits in (store, epoch, number, changed or "0", base or "0")):
        raise InvalidSyncToken("a number of the token is out of range")
    position = None
    if tie is not None:
        position = Position(int(number), int(tie), int(changed), int(base), relisting)
    return SyncToken(int(store), int(epoch), scope, int(number), view, position)
