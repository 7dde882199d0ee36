"""Sharing: one entry of an access control list added or taken away, and the lists of what is shared."""

from __future__ import annotations

from itertools import chain, count
from typing import NamedTuple

from davstore.engine import rights, transaction
from davstore.engine.context import Context, Services
from davstore.engine.deciding import decide
from davstore.engine.entries import grant, withdraw
from davstore.engine.shares import list_shares as list_shares_of
from davstore.engine.writer import Writer
from davstore.interchange.names import with_mark
from davstore.metadata import shares, stores
from davstore.metadata.memberships import find_names
from davstore.metadata.shares import Held
from davstore.metadata.unit import Unit
from davstore.model.acl import WORDS, KnownAce
from davstore.model.paths import Area, Path
from davstore.model.principals import NamedPrincipal, Principal


class Opened(NamedTuple):
    """A resource that has an entry, and the entry with the principal that it names."""

    path: Path
    is_collection: bool
    entry: KnownAce


def share(context: Context, path: Path, who: NamedPrincipal, privileges: int, expires_us: int | None) -> None:
    """Let a principal do what privileges allow at a path and beneath it, until a time or for good.

    The entry comes beside those that are there; those of the same principal go.

    Raises:
        NotFound, NeedPrivileges, Locked; RecognizedPrincipal, ExpiryInFuture, TooManyAces.
    """

    def work(writer: Writer) -> None:
        grant(writer, path, decide(writer, "ACL", path).get(), who, privileges, expires_us)

    transaction.write(context, path, work)


def unshare(context: Context, path: Path, who: NamedPrincipal | None = None) -> bool:
    """Remove the entries of a resource that grant, to one principal or to all. Return whether there were any.

    Raises:
        NotFound, NeedPrivileges, Locked, RecognizedPrincipal.
    """

    def work(writer: Writer) -> bool:
        return withdraw(writer, path, decide(writer, "ACL", path).get(), who)

    return transaction.write(context, path, work)


def list_given(services: Services, owner: str) -> list[Opened]:
    """Return the entries of the store of a user, as the operator sees them. Raises NotFound: there is no such store."""

    def work(unit: Unit) -> list[Opened]:
        return _name(unit, shares.list_of_store(unit, stores.get(unit, owner).id, now_us=services.clock()))

    return services.database.read(work)


def list_taken(services: Services, asker: Principal) -> list[Opened]:
    """Return the entries in the stores of others that name the asker, a group or list with it, or everybody."""
    context = services.context(asker)
    return services.database.read(lambda unit: _name(unit, rights.list_named(context, unit)))


class Share(NamedTuple):
    """A place that another user opened to one, and the name that it has for that one."""

    name: str
    path: Path
    is_collection: bool


def list_shares(services: Services, asker: Principal) -> list[Share]:
    """Return what others opened to the asker, in one order as long as it stays: by store and node.

    The first of a name has it, others have the owner in brackets, and a number where that is taken too.
    """
    context, found = services.context(asker), dict[str, Share]()
    for held in services.database.read(lambda unit: list_shares_of(context, unit)):
        owner = held.path.store
        own = held.path.name or (owner if held.path.area is Area.STORE else held.path.area.name.lower())
        marks = chain([owner], (f"{owner} {number}" for number in count(2)))
        name = next(one for one in chain([own], (with_mark(own, mark) for mark in marks)) if one not in found)
        found[name] = Share(name, held.path, held.is_collection)
    return list(found.values())


def _name(unit: Unit, held: list[Held]) -> list[Opened]:
    names = find_names(unit, {ace.principal_id for one in held for ace in one.entries})
    return [
        Opened(one.path, one.is_collection, KnownAce(who, ace))
        for one in held
        for ace in one.entries
        if (who := WORDS.get(ace.principal_id) or names.get(ace.principal_id)) is not None
    ]
