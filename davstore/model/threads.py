"""Threads: the conversations that a store finds among its messages (docs/messages.md)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

MOST_PARTICIPANTS: Final = 1_000
"""Participants of one thread that are told; a list of all members of a large mailing list helps nobody."""

_ONE: Final = re.compile(r'((?:"(?:[^"\\]|\\.)*+(?:"|\\?$)|<[^<>]*>|\([^()]*\)|[^",<])+)')
"""One address in a list: commas in quotes, in angle brackets and in comments do not end it. No character is a beginning
that is tried up to the end of the text, which a stranger may have written."""
_GROUP: Final = re.compile(r'^[^"<:@]*:(?=[\s;]|$)|;$')
"""What makes a group of addresses (RFC 5322 §3.4): a URI has no blank behind its colon."""
_NAMED: Final = re.compile(r'((?:"(?:[^"\\]|\\.)*"|\([^()]*\)|[^"<])*+)<([^<>]*)>', re.DOTALL)
_COMMENTED: Final = re.compile(r"(\S+)\s*\(([^()]*)\)")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')


class Thread(NamedTuple):
    """A thread. messages and unread count copies of one message once; last_us is the newest date of a member."""

    conversation_id: str | None
    messages: int
    unread: int
    last_us: int


class Participant(NamedTuple):
    """Somebody who wrote to a thread or was written to; name is empty where no message says one."""

    address: str
    name: str


def find_participants(texts: Iterable[str]) -> list[Participant]:
    """Return the participants that fields like From and To name, each address once, in the order of its first time.

    Addresses are compared without regard to case.
    """
    found: dict[str, Participant] = {}
    for text in texts:
        for one in _ONE.findall(text):
            address, name = _split(_GROUP.sub("", one.strip()).strip())
            known = found.get(address.lower())
            if address and (known is None or (name and not known.name)):
                found[address.lower()] = Participant(known.address if known else address, name)
                if len(found) == MOST_PARTICIPANTS:
                    return [*found.values()]
    return [*found.values()]


def _split(text: str) -> tuple[str, str]:
    match = _NAMED.match(text)
    if match is None:
        commented = _COMMENTED.fullmatch(text)
        return (commented[1], commented[2]) if commented else (text, "")
    name = match[1].strip()
    quoted = _QUOTED.fullmatch(name)
    return match[2].strip(), name if quoted is None else re.sub(r"\\(.)", r"\1", quoted[1])
