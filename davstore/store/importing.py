"""Import: many resources in one unit, from files that an operator has; what is there already is not made twice.

A resource keeps the name of its file; a message without one is named for its digest. So the same source leads to the
same names again: an import that was cut off goes on when it is run again. Equal bytes at one name are there already,
others get a name with a mark.
"""

from __future__ import annotations

import enum
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Final, NamedTuple

from davstore.engine import rights, transaction
from davstore.engine.context import Context
from davstore.engine.deciding import decide
from davstore.engine.ensuring import ensure_collection
from davstore.engine.reading_beside import ReadingBeside
from davstore.engine.receiving import Incoming, read_small, receive, receive_read
from davstore.engine.sessions import require_one_info
from davstore.engine.writer import Writer
from davstore.errors import (
    AlreadyExists,
    Conflict,
    DavstoreError,
    IsCollection,
    Locked,
    Malformed,
    Missing,
    NameNotAllowed,
    QuotaExceeded,
    Refused,
    SessionInfoUnique,
    TreeTooLarge,
)
from davstore.interchange.items import Entry, Folder, Item, LeftOut, Stream
from davstore.interchange.names import numbered, with_mark
from davstore.metadata import bindings
from davstore.metadata.bodies import Received
from davstore.metadata.unit import Unit
from davstore.model.limits import BLOCK_BYTES
from davstore.model.paths import Path
from davstore.protocol.http.media_types import guess_media_type

BATCH: Final = 256
"""Resources of one unit: few enough that no other writer waits long, enough that its fsync is cheap."""
BATCH_BYTES: Final = 1 << 23
MARK_DIGITS: Final = 8
DIGITS: Final = 16
"""Digits of the digest that are the name of a message without one."""
UNNAMED: Final = "message.eml"
LATEST_US: Final = 253_402_300_799_000_000
"""The last second that the dates of HTTP can tell."""
REFUSALS: Final = (Refused, Missing, Conflict, Malformed, TreeTooLarge)
"""The errors that keep one resource out and not those beside it."""
REASONS: Final[dict[type[DavstoreError], str]] = {
    AlreadyExists: "a file has the name of its folder",
    Locked: "locked",
    NameNotAllowed: "its name is too long",
    SessionInfoUnique: "its session history has a session info",
}
"""Reasons for people, where the text of the error is none."""


class Fate(enum.Enum):
    """The outcome for one entry of a source. RENAMED: imported, under another name than its own."""

    IMPORTED = "imported"
    RENAMED = "renamed"
    ALREADY_THERE = "already there"
    REFUSED = "refused"
    LEFT_OUT = "left out"
    CONTROL = "no content"
    FOLDER = "folder"


class Outcome(NamedTuple):
    """The fate of an entry; text is the reason of a refusal, or the new name. source_bytes: see `Item`."""

    fate: Fate
    where: str
    text: str = ""
    source_bytes: int = 0


class _Ready(NamedTuple):
    """An entry whose bytes have been received; ordinal counts the equal ones of one run from 1 on."""

    entry: Item | Folder
    received: Received | None = None
    sha256: str = ""
    ordinal: int = 1


class _Taken(NamedTuple):
    """An entry of the next unit, with the bytes of an item."""

    entry: Item | Folder
    content: bytes | None = None


class _NotNamedError(Exception):
    """No row names a body that was received: it is to be discarded."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.text)
        self.outcome = outcome


def import_entries(context: Context, folder: Path, entries: Iterable[Entry]) -> Iterator[Outcome]:
    """Yield the outcome of each entry, once it is durable. A folder that is not there is made.

    Raises:
        NotFound: there is no such store. DiskFull, Unavailable: what was yielded before is imported all the same.
    """
    rights.require_owner(context.asker, folder)
    with ReadingBeside() as reading:
        yield from _Import(context, folder, reading).each(entries)


class _Import:
    """One group is filled while the one before is read, so that a unit is written meanwhile too."""

    def __init__(self, context: Context, folder: Path, reading: ReadingBeside) -> None:
        self._services, self._asker, self._folder = context.services, context.asker, folder
        self._reading = reading
        self._filled, self._bytes = list[_Taken](), 0
        self._begun: list[_Taken] = []
        self._equals: Counter[tuple[str | None, str]] = Counter()
        self._in: tuple[str, ...] = ()

    def each(self, entries: Iterable[Entry]) -> Iterator[Outcome]:
        yield from self._write([_Ready(Folder((), str(self._folder.key)))])
        for entry in entries:
            if isinstance(entry, LeftOut):
                fate = Fate.CONTROL if entry.is_control else Fate.LEFT_OUT
                yield Outcome(fate, entry.where, entry.reason, entry.source_bytes)
            elif isinstance(entry, Folder):
                self._filled.append(_Taken(entry))
            else:
                yield from self._take(entry)
            if len(self._filled) >= BATCH or self._bytes >= BATCH_BYTES:
                yield from self._go_on(more=True)
        yield from self._finish()

    def _go_on(self, *, more: bool) -> Iterator[Outcome]:
        """Begin to read what was taken, and write what was begun before."""
        taken, begun = self._filled, self._begun
        self._filled, self._bytes, self._begun = [], 0, taken
        ready = self._ready_group(begun) if begun else []
        if taken:
            self._reading.begin([content for _, content in taken if content is not None], more=more)
        if ready:
            yield from self._write(ready)

    def _finish(self) -> Iterator[Outcome]:
        """Write all that was taken."""
        while self._filled or self._begun:
            yield from self._go_on(more=False)

    def _ready_group(self, taken: list[_Taken]) -> list[_Ready]:
        read = iter(self._reading.end())
        return [
            self._ready(entry, (one := next(read)).sha256, receive_read(content, one))
            if isinstance(entry, Item) and content is not None
            else _Ready(entry)
            for entry, content in taken
        ]

    def _take(self, item: Item) -> Iterator[Outcome]:
        """Receive an item: a small one for the next unit, a large one at once, in a unit of its own."""
        try:
            if item.length is not None and item.length <= self._services.limits.inline_bytes:
                with item.open() as stream:
                    self._filled.append(_Taken(item, read_small(Incoming(stream, item.length))))
                self._bytes += item.length
            else:
                yield from self._finish()
                yield self._take_large(item)
        except REFUSALS as error:
            yield _refusal(item, error)
        except OSError as error:
            yield Outcome(Fate.REFUSED, item.where, error.strerror or "cannot be read", item.source_bytes)

    def _receive(self, item: Item, stream: Stream, length: int) -> AbstractContextManager[Received]:
        where = self._home(item).child(item.name or UNNAMED)

        def check(writer: Writer) -> int:
            decide(writer, "PUT", where)
            return 0

        return receive(self._context(), where, Incoming(stream, length), check)

    def _ready(self, item: Item, sha256: str, received: Received | None = None) -> _Ready:
        """Count an item among its equals, which lie in one folder: a source comes folder by folder."""
        if item.folder != self._in:
            self._in = item.folder
            self._equals.clear()
        self._equals[item.name, sha256] += 1
        return _Ready(item, received, sha256, self._equals[item.name, sha256])

    def _take_large(self, item: Item) -> Outcome:
        """Read a large body twice: its digest tells whether it is there already."""
        with item.open() as stream:
            sha256, length = _digest(stream, item.length)
        ready = self._ready(item, sha256)
        if self._is_there(ready):
            return Outcome(Fate.ALREADY_THERE, item.where, source_bytes=item.source_bytes)
        self._place([_Ready(Folder(item.folder, item.where))])
        try:
            with item.open() as stream, self._receive(item, stream, length) as received:
                return self._name(ready._replace(received=received), received.stored.sha256)
        except QuotaExceeded as error:
            return _refusal(item, error)
        except _NotNamedError as unnamed:
            return unnamed.outcome

    def _name(self, ready: _Ready, sha256: str) -> Outcome:
        """Put a large body in its place. Raises _NotNamedError; Malformed: it is not the one that was looked at."""
        if sha256 != ready.sha256:
            raise Malformed("it changes while it is read")
        [outcome] = self._place([ready])
        if outcome.fate not in (Fate.IMPORTED, Fate.RENAMED):
            raise _NotNamedError(outcome)
        return outcome

    def _is_there(self, ready: _Ready) -> bool:
        paths = list(_each_place(self._home(ready.entry), ready))

        def look(unit: Unit) -> bool:
            for path in paths:
                there = bindings.find(unit, path).place.resource
                if there is None or there.etag == ready.sha256:
                    return there is not None
            return False

        return self._services.database.read(look)

    def _write(self, batch: list[_Ready]) -> Iterator[Outcome]:
        """Write a batch in one unit; where that has no room in the quota each half of it in one, and so on."""
        try:
            outcomes = self._place(batch)
        except QuotaExceeded as error:
            if len(batch) == 1:
                yield _refusal(batch[0].entry, error)
                return
            half = len(batch) // 2
            yield from self._write(batch[:half])
            yield from self._write(batch[half:])
        else:
            yield from outcomes

    def _place(self, batch: list[_Ready]) -> list[Outcome]:
        def work(writer: Writer) -> list[Outcome]:
            known: set[Path] = set()
            return [_place(writer, self._home(ready.entry), ready, known) for ready in batch]

        return transaction.write(self._context(), self._folder, work)

    def _context(self) -> Context:
        """Return the context of the next unit, which has its own time."""
        return self._services.context(self._asker)

    def _home(self, entry: Item | Folder) -> Path:
        return self._folder._replace(names=(*self._folder.names, *entry.folder))


def _digest(stream: Stream, length: int | None) -> tuple[str, int]:
    """Return digest and length of a body, of which no more is read than its length. Raises Malformed: it is shorter."""
    digest, read = hashlib.sha256(), 0
    while piece := stream.read(BLOCK_BYTES if length is None else min(BLOCK_BYTES, length - read)):
        digest.update(piece)
        read += len(piece)
    if length not in (None, read):
        raise Malformed("it is shorter than its length says")
    return digest.hexdigest(), read


def _refusal(entry: Item | Folder, error: DavstoreError) -> Outcome:
    reason = next((text for kind, text in REASONS.items() if isinstance(error, kind)), str(error))
    return Outcome(Fate.REFUSED, entry.where, reason, getattr(entry, "source_bytes", 0))


def _place(writer: Writer, home: Path, ready: _Ready, known: set[Path]) -> Outcome:
    """Put one entry in its place, unless it is there or may not be."""
    entry, received = ready.entry, ready.received
    try:
        ensure_collection(writer, home, known)
        if received is None or not isinstance(entry, Item):
            return Outcome(Fate.FOLDER, entry.where)
        for path in _each_place(home, ready):
            try:
                member = decide(writer, "PUT", path)
            except IsCollection:
                continue
            if member.resource is None:
                require_one_info(writer, member, received.type)
                writer.make(
                    member,
                    received,
                    content_type=guess_media_type(path.name),
                    modified_us=None if entry.modified_us is None else min(max(entry.modified_us, 0), LATEST_US),
                    state=entry.states,
                )
                is_own = entry.name is None or path.name == numbered(entry.name, ready.ordinal)
                fate = Fate.IMPORTED if is_own else Fate.RENAMED
                return Outcome(fate, entry.where, path.name, entry.source_bytes)
            if member.resource.etag == ready.sha256:
                return Outcome(Fate.ALREADY_THERE, entry.where, path.name, entry.source_bytes)
    except REFUSALS as error:
        return _refusal(entry, error)
    return Outcome(Fate.REFUSED, entry.where, "others have each name that it could have", entry.source_bytes)


def _each_place(home: Path, ready: _Ready) -> Iterator[Path]:
    """Yield the places that a body may have, the next one where another body has that before."""
    name = getattr(ready.entry, "name", None) or f"{ready.sha256[:DIGITS]}.eml"
    yield home.child(numbered(name, ready.ordinal))
    for mark in (ready.sha256[:MARK_DIGITS], ready.sha256):
        yield home.child(numbered(with_mark(name, mark), ready.ordinal))
