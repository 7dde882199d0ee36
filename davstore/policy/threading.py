"""Threads: the ids that link messages, and which messages are copies of one (RFC 5256 §2.2, without its subject step).

Ids of conversations and messages are kept as numbers, hashes of 63 bits, so that one of a kilobyte costs no more than
another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from davstore.model.messages import Links
from davstore.model.nodes import ResourceType
from davstore.model.states import Flag

THREADED: Final = frozenset({int(ResourceType.MESSAGE), int(ResourceType.FILE_TRANSFER)})
"""The types of the members of threads."""
MOST_REFERENCES: Final = 1_024
"""References that link a message: the first one, which began the thread, and the last ones."""
WINDOW_SECONDS: Final = 60
"""How far the dates of two copies of a message without an id may be apart."""
SENT: Final = "sent"


class Reading(IntEnum):
    """Whether a message counts as read: the owner saw it, or sent it."""

    UNREAD = 0
    SEEN = 1
    SENT = 2


Link = tuple[str, int]
"""A message, a thread or a key, in the graph that they make."""


def keys_of(links: Links) -> list[int]:
    """Return the keys that a message is linked by, its own first; two messages that share one are in one thread.

    A Conversation-ID wins over references. In-Reply-To counts where there are no References, and of several ids the
    last. A message without any id is linked to those with equal bytes alone.
    """
    own = [] if links.message_id is None else [_number("message", links.message_id)]
    if links.conversation_id is not None:
        return [_number("conversation", links.conversation_id), *own]
    ids = (links.references or "").split() or (links.in_reply_to or "").split()[-1:]
    ids = ids if len(ids) <= MOST_REFERENCES else [ids[0], *ids[1 - MOST_REFERENCES :]]
    keys = [*own, *[_number("message", one) for one in ids]]
    return [*dict.fromkeys(keys)] or [_alone(links)]


def _alone(links: Links) -> int:
    """Return the key of a message that names no other and has no id that others name: its copies alone have it."""
    if links.imdn_message_id is not None:
        return _number("imdn", links.imdn_message_id)
    return _number("bytes", links.sha256)


def key_of_conversation(conversation_id: str) -> int:
    """Return the key of a conversation by its id, byte for byte."""
    return _number("conversation", conversation_id)


def key_of_thread(resource_id: str) -> int:
    """Return the key of a thread by its `D:resource-id`, which leads to the one that it was merged into."""
    return _number("thread", resource_id)


def digest_of(keys: Iterable[int]) -> int:
    """Return one number for all keys of a message, whatever their order."""
    return _number("keys", " ".join(map(str, sorted(keys))))


def identity_of(links: Links) -> int:
    """Return the identity of a message: copies of one have the same.

    By its IMDN-Message-ID, else its Message-ID, and whether the owner sent it; else by its Message-Correlator, ends and
    date; else by its bytes.
    """
    sent = links.direction == SENT
    if links.imdn_message_id is not None:
        return _number("imdn", sent, links.imdn_message_id)
    if links.message_id is not None:
        return _number("message", sent, links.message_id)
    if links.message_correlator is not None:
        return _correlated(links, links.date_us // 1_000_000)
    return _number("bytes", links.sha256)


def identities_near(links: Links) -> list[int]:
    """Return the identities that a copy of a message may have: its own, or one a minute around its date."""
    if links.imdn_message_id is None and links.message_id is None and links.message_correlator is not None:
        at = links.date_us // 1_000_000
        return [_correlated(links, second) for second in range(at - WINDOW_SECONDS, at + WINDOW_SECONDS + 1)]
    return [identity_of(links)]


def find_reading(flags: int, *, sent: bool) -> Reading:
    """Return whether a message with these flags counts as read."""
    return Reading.SENT if sent else Reading.SEEN if flags & Flag.SEEN else Reading.UNREAD


def _correlated(links: Links, second: int) -> int:
    return _number("correlator", links.direction == SENT, links.message_correlator, links.from_, links.to, second)


def _number(*values: object) -> int:
    text = "\0".join(map(str, values)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) >> 1


class Component(NamedTuple):
    """Messages that are linked, by their places in a list, and the threads that they are linked to."""

    messages: list[int]
    threads: set[int]


def partition(keys: Sequence[Sequence[int]], known: Mapping[int, int]) -> list[Component]:
    """Return the components of messages, given by the keys of each, and of the threads that keys lead to."""
    above: dict[Link, Link] = {}

    def find(one: Link) -> Link:
        top = one
        while (up := above.setdefault(top, top)) != top:
            top = up
        while one != top:
            one, above[one] = above[one], top
        return top

    for message, some in enumerate(keys):
        for key in some:
            link = ("thread", known[key]) if key in known else ("key", key)
            above[find(link)] = find(("message", message))
    found: dict[tuple[str, int], Component] = {}
    for message in range(len(keys)):
        found.setdefault(find(("message", message)), Component([], set())).messages.append(message)
    for thread in set(known.values()):
        found[find(("thread", thread))].threads.add(thread)
    return list(found.values())
