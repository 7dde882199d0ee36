"""The own entries of a resource: replaced by those that a request has, or one added and taken away."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

from davstore.engine.rights import find_namers
from davstore.engine.writer import Writer
from davstore.errors.rights import AllowedPrincipal, ExpiryInFuture, ProtectedAce, RecognizedPrincipal, TooManyAces
from davstore.metadata import aces, memberships
from davstore.model.acl import WORDS, Ace, AskedAce, Word
from davstore.model.nodes import Resource
from davstore.model.paths import Path
from davstore.model.principals import NamedPrincipal, PrincipalKind
from davstore.policy.entries import keep_what_is_left_out
from davstore.protocol.dav.acl import MOST_ACES

Who = NamedPrincipal | Word
_NUMBERS: Final[dict[Who, int]] = {word: number for number, word in WORDS.items()}


def replace_entries(writer: Writer, path: Path, resource: Resource, asked: Sequence[tuple[Who, AskedAce]]) -> Resource:
    """Replace the own entries of the resource at a path.

    Raises:
        AllowedPrincipal, RecognizedPrincipal. ExpiryInFuture: an entry has expired.
        ProtectedAce: one denies something to the owner, who has all (RFC 3744 §8.1.1).
    """
    if any(who is Word.OWNER and one.denies for who, one in asked):
        raise ProtectedAce
    now_us, numbers = writer.context.now_us, _find_numbers(writer, path, [who for who, _ in asked])
    if any(isinstance(one.expires_us, int) and one.expires_us <= now_us for _, one in asked):
        raise ExpiryInFuture
    old = aces.list_aces(writer.unit, writer.ledger.store_id, [resource.node_id])[resource.node_id]
    live = [one for one in old if one.holds(now_us)]
    kept = [keep_what_is_left_out(numbers[who], one, live) for who, one in asked]
    return writer.control(resource, [*itertools.chain.from_iterable(kept)])


def grant(
    writer: Writer, path: Path, resource: Resource, who: NamedPrincipal, privileges: int, expires_us: int | None
) -> Resource:
    """Add an entry for a principal to the resource at a path, in the place of those that it has for it.

    Raises:
        RecognizedPrincipal. ExpiryInFuture: it would have expired. TooManyAces.
    """
    number = _find_numbers(writer, path, [who])[who]
    if expires_us is not None and expires_us <= writer.context.now_us:
        raise ExpiryInFuture
    others = [one for one in _list_own(writer, resource) if one.principal_id != number]
    if len(others) >= MOST_ACES:
        raise TooManyAces(f"{len(others)} entries")
    return writer.control(resource, [*others, Ace(number, False, privileges, expires_us)])  # noqa: FBT003


def withdraw(writer: Writer, path: Path, resource: Resource, who: NamedPrincipal | None) -> bool:
    """Remove the entries of the resource at a path that grant, to one principal or to all (None).

    Those that deny stay: nothing is opened by it. Return whether there were any. Raises RecognizedPrincipal.
    """
    number = None if who is None else _find_numbers(writer, path, [who])[who]
    old = _list_own(writer, resource)
    kept = [one for one in old if one.denies or number not in (None, one.principal_id)]
    if len(kept) == len(old):
        return False
    writer.control(resource, kept)
    return True


def _list_own(writer: Writer, resource: Resource) -> list[Ace]:
    return aces.list_aces(writer.unit, writer.ledger.store_id, [resource.node_id])[resource.node_id]


def _find_numbers(writer: Writer, path: Path, whos: Sequence[Who]) -> dict[Who, int]:
    """Return the numbers of principals that entries at a place may name.

    These are users, the groups that the asker or the owner is in, and the lists of either.

    Raises:
        AllowedPrincipal: no entry may be for one of them. RecognizedPrincipal: one is not there.
    """
    if any(isinstance(who, Word) and who not in _NUMBERS for who in whos):
        raise AllowedPrincipal
    named = [who for who in whos if isinstance(who, NamedPrincipal)]
    users = find_namers(writer.context.asker, path)
    groups = {group for user in users for group in writer.context.services.groups(user)}
    wanted = {one.name for one in named if one.kind is PrincipalKind.GROUP}
    memberships.add_groups(writer.unit, sorted(wanted & groups))
    known: dict[Who, int] = {
        one: number
        for one, number in memberships.find_ids(writer.unit, named).items()
        if one.kind is not PrincipalKind.LIST or one.owner in users
    }
    if any(one not in known for one in named):
        raise RecognizedPrincipal
    known.update(_NUMBERS)
    return known
