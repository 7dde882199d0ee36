"""The tables (SYNC.md, DECISIONS 13-19, 29), as statements see them; the migrations in `migrations/` make them.

Every table of store content has `store_id` first in its key, so that a store can live anywhere as a whole. Numbers are
change numbers of that store; times are microseconds since the epoch.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.schema import SchemaItem

metadata = MetaData()

ID = BigInteger().with_variant(Integer, "sqlite")
"""An INTEGER PRIMARY KEY is the row's own number on SQLite; BIGINT would be a second index."""
NAME = Text().with_variant(Text(collation="C"), "postgresql")
"""Names are compared byte for byte; SQLite's BINARY has the same order for UTF-8."""

MADE_HOME, MADE_CLIENT, MADE_THREAD = 0, 1, 2
"""Who made a binding: the client, first (home) or again, or the store for a thread (DECISIONS 18, 19)."""


def _table(name: str, *parts: SchemaItem, keyed: bool = False) -> Table:
    """Return a table; keyed ones are stored in the order of their primary key on SQLite."""
    return Table(name, metadata, *parts, sqlite_with_rowid=not keyed)


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


instance = _table(
    "instance",
    Column("id", Text, nullable=False),  # empty: no data directory has claimed the database
    _number("incarnation"),
    PrimaryKeyConstraint("id"),
    keyed=True,
)

store = _table(
    "store",
    Column("id", ID, Identity(), primary_key=True),
    Column("owner", NAME, nullable=False, unique=True),
    _number("epoch"),  # random: a token of a store that was lost and made anew is foreign
    _number("seq"),  # the change number last given
    _number("floor"),  # tombstones up to here are swept
    _number("next_id"),  # the id for the next node or body
    _number("root_id"),
    _number("threads_id"),
    _number("used_bytes"),
    _number("entries"),  # rows of binding and gone: what a name costs, bound or remembered as gone
    Column("quota_bytes", BigInteger),
    _number("sampled_us"),  # when `instant` was last written
    Column("unmapped_us", BigInteger, nullable=False, server_default=text("0")),  # when a name was last unmapped
)

node = _table(
    "node",
    _number("store_id"),
    _number("id"),
    Column("resource_id", String(36), nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("body_id", BigInteger),
    Column("etag", Text),
    Column("length", BigInteger),
    Column("type", Text),
    _number("created_us"),
    _number("modified_us"),
    Column("state", Text),
    Column("modified_by", SmallInteger, nullable=False, server_default=text("0")),  # who set `modified_us`
    PrimaryKeyConstraint("store_id", "id"),
    keyed=True,
)
Index(
    "node_body",
    node.c.store_id,
    node.c.body_id,
    sqlite_where=text("body_id IS NOT NULL"),
    postgresql_where=text("body_id IS NOT NULL"),
)

KIND_COLLECTION, KIND_RESOURCE = 0, 1

binding = _table(
    "binding",
    _number("store_id"),
    _number("parent_id"),
    Column("name", NAME, nullable=False),
    _number("node_id"),
    Column("is_coll", SmallInteger, nullable=False),
    Column("moved", SmallInteger, nullable=False),  # a collection mapped by MOVE: may hold members older than `mapped`
    Column("made", SmallInteger, nullable=False),
    _number("mapped"),
    _number("changed"),
    PrimaryKeyConstraint("store_id", "parent_id", "name"),
    keyed=True,
)
Index("binding_parent_changed", binding.c.store_id, binding.c.parent_id, binding.c.changed)
Index("binding_changed", binding.c.store_id, binding.c.changed)
Index("binding_node", binding.c.store_id, binding.c.node_id)
Index(
    "binding_collections",
    binding.c.store_id,
    binding.c.parent_id,
    binding.c.node_id,
    sqlite_where=text("is_coll = 1"),
    postgresql_where=text("is_coll = 1"),
)
Index(
    "binding_moved",
    binding.c.store_id,
    binding.c.mapped,
    sqlite_where=text("moved = 1"),
    postgresql_where=text("moved = 1"),
)

gone = _table(
    "gone",
    _number("store_id"),
    _number("parent_id"),
    Column("name", NAME, nullable=False),
    _number("node_id"),
    Column("is_coll", SmallInteger, nullable=False),
    Column("made", SmallInteger, nullable=False),
    _number("mapped"),
    _number("unmapped"),
    Column("nested", SmallInteger, nullable=False),  # closed by the DELETE of a collection above it
    PrimaryKeyConstraint("store_id", "parent_id", "name", "unmapped"),
    keyed=True,
)
Index(
    "gone_tops", gone.c.store_id, gone.c.unmapped, sqlite_where=text("nested = 0"), postgresql_where=text("nested = 0")
)
Index("gone_unmapped", gone.c.store_id, gone.c.unmapped)
Index("gone_parent", gone.c.store_id, gone.c.parent_id, gone.c.unmapped)
Index("gone_node", gone.c.store_id, gone.c.node_id)

instant = _table(  # a sampled (number, time) list: which change numbers are how old
    "instant",
    _number("store_id"),
    _number("seq"),
    _number("at_us"),
    PrimaryKeyConstraint("store_id", "seq"),
    keyed=True,
)

hidden = _table(
    "hidden",
    _number("store_id"),
    Column("principal", Text, nullable=False),
    _number("node_id"),
    _number("seen"),
    _number("since"),
    Column("until", BigInteger),
    PrimaryKeyConstraint("store_id", "principal", "node_id", "since"),
    keyed=True,
)

viewer = _table(
    "viewer",
    _number("store_id"),
    Column("principal", Text, nullable=False),
    _number("seen"),
    PrimaryKeyConstraint("store_id", "principal"),
    keyed=True,
)

body = _table(
    "body",
    _number("store_id"),
    _number("id"),
    Column("inline", LargeBinary),
    Column("blob", String(36)),
    _number("length"),
    Column("sha256", String(64), nullable=False),
    Column("checksums", Text),  # SHA-1 and MD5 as `oc:checksums` tells them, for bodies of clients that compare them
    PrimaryKeyConstraint("store_id", "id"),
)

property_ = _table(
    "property",
    _number("store_id"),
    _number("node_id"),
    Column("name", NAME, nullable=False),  # Clark notation
    Column("element", LargeBinary, nullable=False),  # the element as it will be sent, namespaces included
    PrimaryKeyConstraint("store_id", "node_id", "name"),
    keyed=True,
)

upload = _table(  # bytes promised to uploads under way, and the blob each is about to make (DECISIONS 15)
    "upload",
    _number("store_id"),
    Column("blob", String(36), nullable=False),
    _number("reserved_bytes"),
    _number("expires_us"),
    PrimaryKeyConstraint("store_id", "blob"),
    keyed=True,
)

lock = _table(
    "lock",
    _number("store_id"),
    Column("token", Text, nullable=False),
    _number("node_id"),
    _number("user_id"),
    Column("scope", Text, nullable=False),
    Column("infinite", SmallInteger, nullable=False),
    Column("owner", LargeBinary),
    _number("expires_us"),
    Column("root", NAME, nullable=False),  # the names down to where it was taken, with slashes between them
    PrimaryKeyConstraint("store_id", "token"),
    keyed=True,
)
Index("lock_node", lock.c.store_id, lock.c.node_id)

job = _table(  # work that a process does later; store_id 0: the whole server's
    "job",
    _number("store_id"),
    _number("id"),
    Column("kind", Text, nullable=False),
    Column("node_id", BigInteger),
    Column("payload", Text, nullable=False),
    _number("due_us"),
    _number("attempts"),
    _number("leased_until_us"),  # in the past: nobody has it
    PrimaryKeyConstraint("store_id", "id"),
    keyed=True,
)
Index("job_due", job.c.due_us)  # what is due, the oldest first

user = _table(
    "user",
    Column("id", ID, Identity(), primary_key=True),
    Column("name", NAME, nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),
    _number("version"),  # moves with each change of the credentials
    Column("disabled", SmallInteger, nullable=False),
    Column("store_id", ID, nullable=False, unique=True),
    _number("created_us"),
    ForeignKeyConstraint(["store_id"], ["store.id"]),
)

device = _table(
    "device",
    Column("id", Text, primary_key=True),
    Column("user_id", ID, nullable=False),
    Column("name", NAME, nullable=False),
    Column("class", Text, nullable=False),
    Column("secret_sha256", String(64), nullable=False),
    Column("revoked", SmallInteger, nullable=False),
    _number("created_us"),
    Column("seen_us", BigInteger),
    Column("round_us", BigInteger),
    Column("token", Text),
    ForeignKeyConstraint(["user_id"], ["user.id"]),
)
Index("device_user", device.c.user_id)
