"""A store engine that tests drive as an edge would: one call a request, on any backend."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path as FilePath
from typing import Any

from davstore.blobs.local import LocalBlobs
from davstore.directory.numbers import Numbers
from davstore.engine.context import Context, Services
from davstore.engine.property_changes import LiveValues
from davstore.engine.receiving import Incoming
from davstore.metadata import principals, stores
from davstore.metadata.database import Database
from davstore.metadata.unit import Unit
from davstore.model.changes import Changes, Level, Removed, SyncToken
from davstore.model.conditions import NONE, Preconditions
from davstore.model.facets import KEYWORDS, PROPERTIES, Facts
from davstore.model.limits import Limits
from davstore.model.nodes import Resource, StoreFacts
from davstore.model.paths import PartPath, Path
from davstore.model.principals import Principal, User
from davstore.model.states import StateChange
from davstore.store import copying_parts, deleting, delivering, making, moving, patching, putting, reading, syncing
from davstore.store.checking import Finding, check
from davstore.store.delivering import Delivery
from davstore.store.putting import NewContent, Written
from davstore.store.reading import Listing

INLINE_BYTES = 100
"""Small, so that a body is easily large."""

MAIL = b"From: a@x\nSubject: x\n\nbody"
"""A message whose part 1 is `body`."""

START_US = 1_700_000_000_000_000


def path(text: str, owner: str = "me") -> Path:
    """Return the place that a/b/c means. Names with a slash do not exist, so tests may write places so."""
    return Path(owner, tuple(name for name in text.split("/") if name))


def add_user(unit: Unit, name: str, *, now_us: int, quota_bytes: int | None = None) -> None:
    """Make a user who cannot sign in, with an empty store."""
    store_id = stores.create(unit, name, now_us=now_us, quota_bytes=quota_bytes)
    principals.add_user(unit, name, password_hash="", store_id=store_id, now_us=now_us)


class Storage:
    """A database, a directory of blobs and a clock that moves only here."""

    def __init__(self, database: Database, directory: FilePath, *, exists: bool = False, **limits: int) -> None:
        self.database = database
        self.blobs = LocalBlobs(directory / "blobs")
        self.blob_directory = directory / "blobs"
        self.limits = Limits(**{"inline_bytes": INLINE_BYTES, **limits})
        self.now_us = START_US
        self.numbers = Numbers(directory)
        self.owner = "me"
        self.is_clean = True  # what every test leaves behind is checked; those that damage it say so
        if not exists:
            self.add_store("me")

    def add_store(self, owner: str, *, quota_bytes: int | None = None) -> None:
        """Make a user with an empty store and go on in it."""
        self.owner = owner
        self.database.write(lambda unit: add_user(unit, owner, now_us=self.now_us, quota_bytes=quota_bytes))

    @property
    def context(self) -> Context:
        """Return a request's view, a second later than the one before."""
        self.now_us += 1_000_000
        principal = Principal(User(1, self.owner, 1, 1, disabled=False))
        services = Services(self.database, self.blobs, self.limits, clock=lambda: self.now_us, note=self.numbers.note)
        return Context(principal, self.now_us, services)

    def at(self, text: str) -> Path:
        """Return a place in the store."""
        return path(text, self.owner)

    def put(
        self, text: str, content: bytes = b"body", conditions: Preconditions = NONE, *, chunked: bool = False
    ) -> Written:
        """PUT."""
        new = NewContent(io.BytesIO(content), None if chunked else len(content), "text/plain")
        return putting.put(self.context, self.at(text), new, conditions)

    def deliver(self, content: bytes, media_type: str | None = None, *, name: str = "") -> Delivery:
        """POST to the drop."""
        incoming = Incoming(io.BytesIO(content), len(content), media_type=media_type)
        return delivering.deliver(self.context, self.owner, incoming, suggested=name)

    def mkcol(self, text: str, conditions: Preconditions = NONE) -> Resource:
        """MKCOL."""
        return making.make_collection(self.context, self.at(text), conditions)

    def delete(self, text: str, conditions: Preconditions = NONE) -> None:
        """DELETE."""
        deleting.delete(self.context, self.at(text), conditions)

    def proppatch(self, text: str, *changes: tuple[str, bytes | None], conditions: Preconditions = NONE) -> Resource:
        """PROPPATCH."""
        resource, refusal = patching.patch_properties(self.context, self.at(text), changes, conditions)
        if refusal is not None:
            raise refusal
        return resource

    def mark(self, text: str, change: StateChange) -> Resource:
        """PROPPATCH of states."""
        live = LiveValues(states={"{urn:x}state": change})
        resource, refusal = patching.patch_properties(self.context, self.at(text), [], live=live)
        if refusal is not None:
            raise refusal
        return resource

    def move(self, source: str, destination: str, conditions: Preconditions = NONE, *, overwrite: bool = True) -> bool:
        """MOVE."""
        placed = moving.move(self.context, self.at(source), self.at(destination), conditions, overwrite=overwrite)
        return placed.created

    def copy(
        self,
        source: str,
        destination: str,
        conditions: Preconditions = NONE,
        *,
        overwrite: bool = True,
        depth: int | None = None,
    ) -> bool:
        """COPY."""
        places = self.at(source), self.at(destination)
        return moving.copy(self.context, *places, conditions, overwrite=overwrite, depth=depth).created

    def get(self, text: str) -> bytes:
        """GET."""
        content = reading.open_resource(self.context, self.at(text))
        assert content.body is not None
        try:
            return b"".join(content.body.read(0, content.body.length))
        finally:
            content.body.close()

    def part(self, text: str, number: str) -> bytes:
        """GET of a part."""
        opened = reading.open_part(self.context, PartPath(self.at(text), number))
        with closing(opened.body) as body:
            return b"".join(body.read(0, body.length))

    def copy_part(self, text: str, number: str, destination: str) -> bool:
        """COPY of a part."""
        place = PartPath(self.at(text), number)
        return copying_parts.copy_part(self.context, place, self.at(destination), overwrite=True)

    def find(self, text: str = "") -> Resource:
        """PROPFIND, depth 0."""
        return reading.find(self.context, self.at(text))

    def listing(self, text: str = "", conditions: Preconditions = NONE, **asked: Any) -> Listing:
        """PROPFIND, whole."""
        some = list(reading.describe(self.context, self.at(text), conditions, **asked))
        facets = some[0].facets.values
        return some[0]._replace(
            resources=[one for part in some for one in part.resources],
            facets=Facts(
                {facet: {k: v for part in some for k, v in part.facets.of(facet).items()} for facet in facets}
            ),
        )

    def members(self, text: str = "", *, depth: int | None = 1) -> list[Resource]:
        """PROPFIND: what lies beneath."""
        return self.listing(text, depth=depth).members

    def names(self, text: str = "") -> list[str]:
        """PROPFIND, depth 1: the names of the members."""
        return [member.name for member in self.members(text)]

    def tree(self, text: str = "") -> dict[str, str | None]:
        """PROPFIND, depth infinity: each place beneath with its etag (None: a collection)."""
        return {"/".join(member.names): member.etag for member in self.members(text, depth=None)}

    def properties(self, text: str) -> dict[str, bytes]:
        """Return the dead properties of a resource."""
        listing = self.listing(text, depth=0, facets={PROPERTIES})
        return dict(listing.facets.of(PROPERTIES).get(listing.top.node_id, {}))

    def keywords(self, text: str) -> list[str]:
        """Return the keywords of a resource."""
        listing = self.listing(text, depth=0, facets={KEYWORDS})
        return list(listing.facets.of(KEYWORDS).get(listing.top.node_id, []))

    def report(
        self,
        text: str = "",
        token: SyncToken | None = None,
        *,
        level: Level = Level.INFINITE,
        limit: int | None = None,
    ) -> Changes:
        """REPORT sync-collection."""
        return syncing.changes_since(self.context, self.at(text), token, level=level, limit=limit)

    @property
    def facts(self) -> StoreFacts:
        """Return the row of the store."""
        return self.database.read(lambda unit: stores.get(unit, self.owner))

    def check(self) -> list[Finding]:
        """Run `davstore check --read-data`."""
        return check(self.database, self.blobs, read_data=True)

    @property
    def blob_files(self) -> list[FilePath]:
        """Return every file of a blob, staged ones too."""
        return [file for file in self.blob_directory.rglob("*") if file.is_file() and file.name != "unnamed.json"]


def told(changes: Changes) -> list[str]:
    """Return the rows of a page: `+` what is there, `-` what is gone."""
    return [("-" if isinstance(row, Removed) else "+") + "/".join(row.names) for row in changes.rows]


def count_rows(storage: Storage, tables: Sequence[str]) -> dict[str, int]:
    """Count the rows of tables in the whole database."""
    engine = storage.database.engine()
    with engine.connect() as connection:
        return {table: connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() or 0 for table in tables}
