"""ACL: the access control entries of a resource (RFC 3744 §8.1)."""

from __future__ import annotations

from collections.abc import Sequence

from davstore.engine import rights, transaction
from davstore.engine.conditions import require_list
from davstore.engine.context import Context
from davstore.engine.deciding import decide
from davstore.engine.writer import Writer
from davstore.errors import NotFound
from davstore.errors.rights import AllowedPrincipal, ExpiryInFuture, RecognizedPrincipal
from davstore.metadata import aces, bindings, memberships
from davstore.metadata.unit import Unit
from davstore.model.acl import WORDS, Ace, AskedAce, KnownAce, Word
from davstore.model.conditions import NONE, Preconditions
from davstore.model.nodes import Resource
from davstore.model.paths import Path
from davstore.model.principals import NamedPrincipal, PrincipalKind
from davstore.policy.entries import keep_what_is_left_out

Who = NamedPrincipal | Word
_NUMBERS: dict[Who, int] = {word: number for number, word in WORDS.items()}


def set_acl(
    context: Context, path: Path, asked: Sequence[tuple[Who, AskedAce]], conditions: Preconditions = NONE
) -> Resource:
    """Replace the own entries of a resource by others, each with the principal that it names.

    An entry that leaves out its expiry or its filter keeps that of a live one alike (docs/sharing.md).

    Raises:
        NotFound, NeedPrivileges, PreconditionFailed, Locked; AllowedPrincipal: no entry may be for a principal.
        RecognizedPrincipal: one is not there. ExpiryInFuture: an entry has expired.
    """

    def work(writer: Writer) -> Resource:
        resource = decide(writer, "ACL", path, conditions).get()
        numbers = _find_numbers(writer, path, [who for who, _ in asked])
        old = aces.list_aces(writer.unit, writer.ledger.store_id, [resource.node_id])[resource.node_id]
        live = [one for one in old if one.holds(context.now_us)]
        entries: list[Ace] = []
        for who, one in asked:
            if isinstance(one.expires_us, int) and one.expires_us <= context.now_us:
                raise ExpiryInFuture
            entries += keep_what_is_left_out(numbers[who], one, live)
        return writer.control(resource, entries)

    return transaction.write(context, path, work)


def _find_numbers(writer: Writer, path: Path, whos: Sequence[Who]) -> dict[Who, int]:
    """Return the numbers of principals. Raises AllowedPrincipal, RecognizedPrincipal."""
    if any(isinstance(who, Word) and who not in _NUMBERS for who in whos):
        raise AllowedPrincipal
    named = [who for who in whos if isinstance(who, NamedPrincipal)]
    context = writer.context
    asker = context.principal.user.name
    groups = {one for user in (asker, path.store) for one in context.services.groups(user)}
    memberships.add_groups(
        writer.unit, sorted({one.name for one in named if one.kind is PrincipalKind.GROUP and one.name in groups})
    )
    known: dict[Who, int] = {
        one: number
        for one, number in memberships.find_ids(writer.unit, named).items()
        if one.kind is not PrincipalKind.LIST or one.owner in (asker, path.store)
    }
    if any(one not in known for one in named):
        raise RecognizedPrincipal
    known.update(_NUMBERS)
    return known


def list_aces(context: Context, path: Path, conditions: Preconditions = NONE) -> list[KnownAce]:
    """Return the entries that hold for a resource, its own before those that it inherits.

    Raises:
        NotFound, NeedPrivileges, PreconditionFailed.
    """

    def work(unit: Unit) -> list[KnownAce]:
        facts, place, _ = bindings.find(unit, path)
        rights.require(context, unit, facts, path, place, "read the ACL")
        require_list(context, unit, facts, conditions)
        if place.resource is None:
            raise NotFound(path.name)
        node_id = place.resource.node_id
        return aces.list_acls(unit, facts, [node_id], now_us=context.now_us).get(node_id, [])

    return context.services.database.read(work)
