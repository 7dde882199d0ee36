"""A set of members in one request: each by itself, or all or none of them (docs/protocol.md#sets).

All parts are received before the first of them is stored, so that a body that is cut short stores nothing. Small ones
wait in memory, then in a temporary file; large ones are blobs already.
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import IO, Final, NamedTuple

from davstore.engine import transaction
from davstore.engine.context import Context
from davstore.engine.deciding import decide, decide_addition
from davstore.engine.ensuring import ensure_collection
from davstore.engine.naming import find_free, find_name, find_type
from davstore.engine.receiving import Incoming, receive
from davstore.engine.sessions import require_one_info
from davstore.engine.writer import Member, Writer
from davstore.errors import (
    AlreadyExists,
    Conflict,
    DavstoreError,
    DiskFull,
    FailedDependency,
    Malformed,
    Missing,
    NoRoom,
    ParentMissing,
    QuotaExceeded,
    Refused,
    TooLarge,
)
from davstore.metadata.bindings import Resolved
from davstore.metadata.bodies import Received
from davstore.model.conditions import NONE, Preconditions
from davstore.model.nodes import ResourceType, StoreFacts
from davstore.model.paths import Path

MOST_LARGE: Final = 1 << 9
"""Parts of one set that are blobs: each holds a file open until it is named."""
MEMORY_BYTES: Final = 1 << 22
"""The memory for small parts of one set with what was read of them, and as much for what was read of large ones."""
_PART_BYTES: Final = 1 << 9
"""What a part of a message takes in memory."""
_CHARACTER_BYTES: Final = 2
BATCH: Final = 256
"""Members of one unit, where they need not be all or none: other writers wait meanwhile."""
BATCH_BYTES: Final = 1 << 23
_OF_ONE: Final = (Refused, Missing, Conflict, Malformed, NoRoom)
"""The errors that keep one member out and not those beside it."""


class NewMember(NamedTuple):
    """A member that is to be: its path from the collection, None if the server names it, and its body.

    No name in the path holds a slash. suggested is as in `adding`. Of conditions the entity tags count. error is set
    where it is refused already.
    """

    path: str | None
    body: Incoming
    suggested: str = ""
    conditions: Preconditions = NONE
    modified_us: int | None = None
    error: DavstoreError | None = None


class Outcome(NamedTuple):
    """What became of a member: the entity tag of the resource at its path from the collection, or an error."""

    path: str | None
    etag: str | None
    error: DavstoreError | None


class Added(NamedTuple):
    """The outcomes in the order of the members, and the state of the store behind the last of them."""

    outcomes: list[Outcome]
    facts: StoreFacts


def add_set(
    context: Context, collection: Path, members: Iterable[NewMember], conditions: Preconditions = NONE, *, strict: bool
) -> Added:
    """Store members beneath a collection, and make the collections that they name. strict: all of them, or none.

    Of conditions, which are of the whole request, lock tokens count for each member.

    Raises:
        As `decide_addition`, and what members raises: then nothing was stored.
    """

    def check(writer: Writer) -> None:
        decide_addition(writer, collection, conditions)

    _, facts = transaction.write_and_tell(context, collection, check)
    with _Held(context, collection) as held:
        for member in members:
            held.take(member)
        return _Set(context, collection, conditions, facts, held).add(strict=strict)


_WAITING: Final = Outcome(None, None, None)


@dataclass(slots=True)
class _Taken:
    """A member whose body has been received: it is in memory, a blob that the manager holds, or in the temporary file.

    There it lies from start on.
    """

    member: NewMember
    type: ResourceType = ResourceType.MEDIA
    length: int = 0
    received: Received | None = None
    manager: AbstractContextManager[Received] | None = None
    start: int = 0
    outcome: Outcome = _WAITING


class _Held:
    """The bodies of a set. What no row names at the end is given up."""

    def __init__(self, context: Context, collection: Path) -> None:
        self._context, self._collection = context, collection
        self._file: IO[bytes] | None = None
        self._weights = {False: 0, True: 0}  # of small bodies, and of large ones
        self._large = 0
        self._paths: set[str | None] = set()
        self.all: list[_Taken] = []

    def __enter__(self) -> _Held:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        with ExitStack() as stack:
            if self._file is not None:
                stack.callback(self._file.close)
            for taken in self.all:
                if taken.manager is not None:
                    stack.callback(_end, taken.manager, None if taken.outcome.etag else error or _NotNamedError())

    def take(self, member: NewMember) -> None:
        """Receive a body, unless it is refused."""
        taken = _Taken(member)
        self.all.append(taken)
        try:
            if member.error is not None:
                raise member.error
            if member.path in self._paths:
                raise Conflict("another member of the set has this name")
            self._receive(taken)
            if member.path is not None:
                self._paths.add(member.path)
        except _OF_ONE as error:
            taken.outcome = _refusal(member, error)

    def _receive(self, taken: _Taken) -> None:
        def check(_writer: Writer) -> int:
            if self._large == MOST_LARGE:
                raise TooLarge(f"more than {MOST_LARGE} large parts")
            return 0

        manager = receive(self._context, self._collection, taken.member.body, check, waits=True)
        received = manager.__enter__()  # it ends with the set
        taken.type, taken.length = received.type, received.stored.length
        is_kept = self._may_keep(received)
        if received.stored.blob is None:
            if is_kept:
                taken.received = received
            else:
                self._put_aside(taken, received)
            return
        if not is_kept:
            error = TooLarge("the facts of large parts take too much memory")
            _end(manager, error)
            raise error
        self._large += 1
        taken.received, taken.manager = received, manager

    def _may_keep(self, received: Received) -> bool:
        """Tell whether there is memory for a body and what was read of it; small and large ones have their own."""
        stored, message = received
        is_large = stored.blob is not None
        weight = len(stored.inline or b"")
        if message is not None:
            weight += sum(_CHARACTER_BYTES * len(one) for one in message if isinstance(one, str))
            weight += _PART_BYTES * len(message.parts)
        if self._weights[is_large] + weight > MEMORY_BYTES:
            return False
        self._weights[is_large] += weight
        return True

    def _put_aside(self, taken: _Taken, received: Received) -> None:
        try:
            self._file = self._file or tempfile.TemporaryFile()  # noqa: SIM115  `__exit__` closes it
            taken.start = self._file.tell()
            pickle.dump(received, self._file)
        except OSError as error:
            raise DiskFull("no room for a temporary file") from error

    def received(self, taken: _Taken) -> Received:
        """Return a body that is ready to be named."""
        if taken.received is not None:
            return taken.received
        if self._file is None:
            raise AssertionError("a body that was refused")
        self._file.seek(taken.start)
        received: Received = pickle.load(self._file)  # noqa: S301  what `_put_aside` wrote
        return received


class _NotNamedError(Exception):
    """No row names a body that was received: it is to be discarded."""


def _end(manager: AbstractContextManager[Received], error: BaseException | None) -> None:
    """Leave a manager, with an error that it passes on."""
    manager.__exit__(None if error is None else type(error), error, None)


class _CulpritError(Exception):
    """A member of a strict set is refused, in the unit that would have stored it."""

    def __init__(self, culprit: _Taken, error: DavstoreError) -> None:
        super().__init__(str(error))
        self.culprit, self.error = culprit, error


class _Set:
    """Stores the members that were received."""

    def __init__(
        self, context: Context, collection: Path, conditions: Preconditions, facts: StoreFacts, held: _Held
    ) -> None:
        self._context, self._collection, self._conditions = context, collection, conditions
        self._facts, self._held = facts, held
        self._sessions = {
            self._home(taken)
            for taken in held.all
            if taken.outcome.error is None and taken.type is ResourceType.SESSION_INFO
        }
        self._is_begun = False

    def add(self, *, strict: bool) -> Added:
        """Store all that can be stored."""
        ready = [taken for taken in self._held.all if taken.outcome.error is None]
        if strict:
            self._add_all(ready)
        else:
            for batch in _batches(ready):
                self._write(batch)
        return Added([taken.outcome for taken in self._held.all], self._facts)

    def _add_all(self, ready: list[_Taken]) -> None:
        if len(ready) < len(self._held.all):
            self._fail(ready)
            return
        try:
            self._place(ready, is_strict=True)
        except _CulpritError as culprit:
            self._fail(ready)
            culprit.culprit.outcome = _refusal(culprit.culprit.member, culprit.error)
        except NoRoom as error:
            self._fail(ready)
            culprit_ = _first_beyond(ready, error)
            culprit_.outcome = _refusal(culprit_.member, error)

    def _fail(self, others: Iterable[_Taken]) -> None:
        for taken in others:
            taken.outcome = _refusal(taken.member, FailedDependency("another member of the set is refused"))

    def _write(self, batch: list[_Taken]) -> None:
        """Write a batch in one unit; where that has no room each half of it in one, and so on."""
        try:
            self._place(batch, is_strict=False)
        except NoRoom as error:
            if len(batch) == 1:
                batch[0].outcome = _refusal(batch[0].member, error)
                return
            half = len(batch) // 2
            self._write(batch[:half])
            self._write(batch[half:])

    def _place(self, batch: Sequence[_Taken], *, is_strict: bool) -> None:
        def work(writer: Writer) -> list[Outcome]:
            conditions = NONE if self._is_begun else self._conditions
            place = decide_addition(writer, self._collection, conditions, submitted=self._conditions)
            names = self._collection.names
            known = {self._collection._replace(names=names[:count]) for count in range(len(names) + 1)}
            outcomes = []
            for taken in batch:
                try:
                    outcomes.append(self._store(writer, taken, place, known))
                except _OF_ONE as error:
                    if is_strict:
                        raise _CulpritError(taken, error) from error
                    outcomes.append(_refusal(taken.member, error))
            return outcomes

        outcomes, self._facts = transaction.write_and_tell(self._context, self._collection, work)
        for taken, outcome in zip(batch, outcomes, strict=True):
            taken.outcome = outcome
        self._is_begun = True

    def _store(self, writer: Writer, taken: _Taken, place: Resolved, known: set[Path]) -> Outcome:
        member, received = taken.member, self._held.received(taken)
        if member.path is None:
            name, media_type = find_name(member.suggested, received, member.body.media_type)
            at = find_free(writer, self._collection, place, name)
        else:
            at = self._decide(writer, taken, known)
            media_type = find_type(member.body.media_type, at.path.name, at.resource)
        require_one_info(writer, at, received.type)
        old, modified_us = at.resource, member.modified_us
        if old is None:
            new = writer.make(at, received, content_type=media_type, modified_us=modified_us)
        else:
            new = writer.replace(old, received, content_type=media_type, modified_us=modified_us)
        return Outcome(member.path or new.name, new.etag, None)

    def _decide(self, writer: Writer, taken: _Taken, known: set[Path]) -> Member:
        """Return the member at a path; the collections on the way are made when all else allows it."""
        home, name = self._home(taken), (taken.member.path or "").rpartition("/")[2]
        own, submitted = taken.member.conditions, self._conditions
        try:
            return decide(writer, "PUT", home.child(name), own, submitted=submitted)
        except ParentMissing:
            if home == self._collection:
                raise
        try:
            ensure_collection(writer, home, known, sessions=self._sessions, submitted=submitted)
        except AlreadyExists as error:
            raise ParentMissing(home.name) from error
        return decide(writer, "PUT", home.child(name), own, submitted=submitted)

    def _home(self, taken: _Taken) -> Path:
        """Return the collection that a member lies in directly."""
        above = (taken.member.path or "").split("/")[:-1]
        return self._collection._replace(names=(*self._collection.names, *above))


def _refusal(member: NewMember, error: DavstoreError) -> Outcome:
    """Return the outcome of a member that is refused. The error lets go of where it came from: bodies are there."""
    error.__cause__ = error.__context__ = None
    return Outcome(member.path, None, error.with_traceback(None))


def _batches(ready: list[_Taken]) -> Iterator[list[_Taken]]:
    """Yield members that share a unit: some, and not too long together."""
    batch: list[_Taken] = []
    length = 0
    for taken in ready:
        inline = 0 if taken.manager is not None else taken.length
        if batch and (len(batch) == BATCH or length + inline > BATCH_BYTES):
            yield batch
            batch, length = [], 0
        batch.append(taken)
        length += inline
    if batch:
        yield batch


def _first_beyond(ready: list[_Taken], error: NoRoom) -> _Taken:
    """Return the first member that there is no room for, when those before it are there; large ones have theirs."""
    room = error.limit_bytes - error.used_bytes if isinstance(error, QuotaExceeded) else 0
    for taken in ready:
        room -= 0 if taken.manager is not None else taken.length
        if room < 0:
            return taken
    return ready[-1]
