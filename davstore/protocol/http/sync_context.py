"""The Sync-Context header: mode and bearer of a synchronisation (a dictionary of RFC 8941 §3.2).

`Sync-Context: mode=automatic, bearer=cellular-roaming`. The device is known from its credentials alone.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from davstore.errors import Malformed
from davstore.model.bearers import NAME, is_bearer

MAX_CHARACTERS: Final = 1024

_KEY: Final = r"[a-z*][a-z0-9_.*-]*"
_ITEM: Final = rf'{NAME}|"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"|-?[0-9]{{1,15}}(?:\.[0-9]{{1,3}})?|\?[01]'
_MEMBER: Final = re.compile(rf"({_KEY})(?:=({_ITEM}))?(?:; *{_KEY}(?:=(?:{_ITEM}))?)*")
_SEPARATOR: Final = re.compile(r"[ \t]*,[ \t]*")


class SyncContext(NamedTuple):
    """The circumstances that a device gives. `mode` is 'automatic' or 'manual', `bearer` a token such as 'wifi'."""

    mode: str = "automatic"
    bearer: str | None = None


def parse(value: str | None) -> SyncContext:
    """Return the context; without a header synchronisation is automatic. Unknown keys and parameters are ignored.

    Raises:
        Malformed: not a dictionary of tokens, strings, numbers and booleans; an unknown mode; longer than 1 KiB.
    """
    text = (value or "").strip(" ")
    if not text:
        return SyncContext()
    if len(text) > MAX_CHARACTERS:
        raise Malformed("Sync-Context is longer than 1 KiB")
    members: dict[str, str | None] = {}
    position = 0
    while True:
        member = _MEMBER.match(text, position)
        if member is None:
            raise Malformed("Sync-Context is not a dictionary")
        members[member[1]] = member[2] or "?1"
        position = member.end()
        if position == len(text):
            return build(mode=members.get("mode"), bearer=members.get("bearer"))
        separator = _SEPARATOR.match(text, position)
        if separator is None:
            raise Malformed("Sync-Context is not a dictionary")
        position = separator.end()


def render(context: SyncContext) -> str:
    """Return the value of the header."""
    return f"mode={context.mode}" + (f", bearer={context.bearer}" if context.bearer else "")


def build(*, mode: str | None, bearer: str | None) -> SyncContext:
    """Return the context of these two words, None for one that was not given. Raises Malformed for other words."""
    if mode not in (None, "automatic", "manual"):
        raise Malformed("a synchronisation mode other than automatic and manual")
    if bearer is not None and not is_bearer(bearer):
        raise Malformed("the bearer is not a token")
    return SyncContext(mode or "automatic", bearer)
