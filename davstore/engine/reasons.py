"""The reasons why a user may do something in a store, or may not: the entries that decide about each privilege."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Final, NamedTuple

from davstore.engine import rights
from davstore.engine.sight import Sight
from davstore.errors import NotFound
from davstore.errors.rights import NeedPrivileges
from davstore.metadata import aces, places
from davstore.metadata.bindings import Resolved
from davstore.metadata.unit import Unit
from davstore.model.acl import EVERYTHING, OWNER, Ace, KnownAce, Privilege, Word
from davstore.model.nodes import StoreFacts
from davstore.model.paths import Path
from davstore.policy import needs
from davstore.policy.needs import On

ACTS: Final = {
    "OPTIONS": "GET",
    "GET": "GET",
    "HEAD": "GET",
    "PROPFIND": "PROPFIND",
    "REPORT": "list",
    "PUT": "PUT",
    "MKCOL": "MKCOL",
    "POST": "add",
    "PROPPATCH": "PROPPATCH",
    "DELETE": "DELETE",
    "COPY": "COPY from",
    "MOVE": "MOVE from",
    "LOCK": "LOCK",
    "UNLOCK": "unlock for another",
    "ACL": "ACL",
}
"""The rows of `policy.needs` that methods are explained by; of COPY and MOVE that of the source."""
_PROTECTED: Final = KnownAce(Word.OWNER, Ace(OWNER, False, EVERYTHING.granted))  # noqa: FBT003


class Answer(Enum):
    """The answer that a method would get, but for conditions, locks and room."""

    ALLOWED = "allowed"
    REFUSED = "refused"
    HIDDEN = "hidden"


class Verdict(Enum):
    """The verdict of the entries about a privilege; LACKING: no entry says anything, or not of all that it contains."""

    GRANTED = "granted"
    DENIED = "denied"
    LACKING = "lacking"


class Decider(NamedTuple):
    """An entry that decides, and the place of the resource that has it."""

    path: Path
    is_collection: bool
    entry: KnownAce


class Reason(NamedTuple):
    """A privilege that a method needs of the resource at a path, and the entries that decide about it."""

    path: Path
    is_collection: bool
    privilege: int
    verdict: Verdict
    deciders: tuple[Decider, ...]


class Explained(NamedTuple):
    """The answer to a method, and its reasons."""

    method: str
    answer: Answer
    reasons: list[Reason]


class Entries:
    """The entries that hold for a user at a place: on the resource there, on the collection above, and beneath."""

    def __init__(
        self, unit: Unit, facts: StoreFacts, path: Path, place: Resolved, sight: Sight, *, now_us: int
    ) -> None:
        """Read them: a fixed number of statements."""
        self.sight = sight
        self._path = path
        self._place = place
        self._own = None if place.resource is None else place.resource.node_id
        above = place.steps[-1].node_id if place.steps else None
        if self._own is not None:
            chain = aces.list_home_chains(unit, facts.id, [self._own])[self._own]
            above = chain[-1] if chain else None
        self._above = above
        denying = [] if place.resource is None else sight.list_denying(place.resource, Privilege.ALL)
        wanted = {one for one in (self._own, above, *denying) if one is not None}
        known = aces.list_acls(unit, facts, wanted, now_us=now_us)
        self._known = {
            node_id: [one for one in entries if one.ace.principal_id in sight.named]
            for node_id, entries in known.items()
        }
        located = places.list_in_store(unit, facts, denying)
        self._beneath = [
            Decider(Path(path.store, located[node_id].names), bool(located[node_id].is_collection), one)
            for node_id in denying
            if node_id in located
            for one in self._known[node_id]
            if one.inherited is None
        ]

    @property
    def is_collection(self) -> bool:
        """Whether the resource is a collection, or none is there."""
        return self._place.resource is None or bool(self._place.resource.is_collection)

    def decide(self, act: str, on: On, privilege: Privilege) -> Reason:
        """Return the verdict about a privilege: a deny decides, wherever it stands, then the nearest that grant."""
        is_own = on is On.RESOURCE and self._own is not None
        path = self._path if is_own else self._path.parent
        node_id = self._own if is_own else self._above
        is_collection = self.is_collection if is_own else True
        found = [] if node_id is None else [_place_of(path, is_collection, one) for one in self._known[node_id]]
        denying = [one for one in found if one.entry.ace.denies and one.entry.ace.privileges & privilege]
        if is_own and act in needs.REACHING:
            bits = needs.REACHING[act]
            denying += [one for one in self._beneath if one.entry.ace.denies and one.entry.ace.privileges & bits]
        verdict, deciders = (Verdict.DENIED, denying[:1]) if denying else _find_granting(found, privilege)
        return Reason(path, is_collection, privilege, verdict, tuple(deciders))


def _place_of(path: Path, is_collection: bool, known: KnownAce) -> Decider:
    if known.inherited is None:
        return Decider(path, is_collection, known)
    area, names = known.inherited
    return Decider(Path(path.store, names, area), True, known)  # noqa: FBT003


def _find_granting(found: Iterable[Decider], privilege: int) -> tuple[Verdict, list[Decider]]:
    """Return the nearest entries that grant a privilege together, or those that grant a part of it."""
    deciders, lacking = list[Decider](), privilege
    for one in found:
        if not one.entry.ace.denies and one.entry.ace.privileges & lacking:
            deciders.append(one)
            lacking &= ~one.entry.ace.privileges
    return Verdict.LACKING if lacking else Verdict.GRANTED, deciders


def explain(entries: Entries | None, path: Path, place: Resolved, method: str) -> Explained:
    """Return whether a user may do a method at a path, and why; entries None: it is the owner."""
    is_collection = place.resource is None or bool(place.resource.is_collection)
    if entries is None:
        own = Decider(path, is_collection, _PROTECTED)
        return Explained(method, Answer.ALLOWED, [Reason(path, is_collection, Privilege.ALL, Verdict.GRANTED, (own,))])
    act, answer = ACTS[method], Answer.ALLOWED
    try:
        rights.permit(entries.sight, act, path, place)
    except NotFound:
        answer = Answer.HIDDEN
    except NeedPrivileges:
        answer = Answer.REFUSED
    is_mapped = entries.sight.at(place, path.area).resource is not None
    reasons = [entries.decide(act, on, privilege) for on, privilege in needs.list_needed(act, is_mapped=is_mapped)]
    if answer is Answer.ALLOWED:  # of two that are enough each, the one that is held
        reasons = [one for one in reasons if one.verdict is Verdict.GRANTED]
    elif answer is Answer.HIDDEN or all(one.verdict is Verdict.GRANTED for one in reasons):
        hiding = (On.RESOURCE, Privilege.ACCESS), (On.PARENT, Privilege.LIST)
        reasons = [entries.decide("GET", on, privilege) for on, privilege in hiding]
    return Explained(method, answer, list(dict.fromkeys(reasons)))
