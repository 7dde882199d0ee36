"""Principals: one table of all that may ask or be named, and the secrets of those that sign in."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Identity, PrimaryKeyConstraint, String, Text

from davstore.metadata.tables.columns import ID, NAME, index, number, small, table

USER, DEVICE, SERVICE, GROUP, LIST = 0, 1, 2, 3, 4
"""Values of `principal.kind`."""

principal = table(
    "principal",
    Column("id", ID, Identity(), primary_key=True),
    small("kind"),
    Column("name", NAME, nullable=False),
    Column("owner_id", BigInteger),  # the user that a device acts for, or whose list it is
)
# sign-in by name: those of users are unique
index("principal_user", principal.c.name, where="kind = 0", unique=True)
# the devices and the lists of a user
index("principal_owner", principal.c.owner_id, where="owner_id IS NOT NULL")
# groups by name, and lists by user and name
index("principal_group", principal.c.name, where="kind = 3", unique=True)
index("principal_list_name", principal.c.owner_id, principal.c.name, where="kind = 4", unique=True)

user = table(
    "user",
    Column("principal_id", ID, primary_key=True, autoincrement=False),
    Column("password_hash", Text, nullable=False),
    number("version"),  # moves with each change of the credentials
    small("disabled"),
    Column("store_id", ID, nullable=False, unique=True),
    number("created_us"),
    Column("preferences", Text),  # what `policy.preferences` wrote
    ForeignKeyConstraint(["principal_id"], ["principal.id"]),
    ForeignKeyConstraint(["store_id"], ["store.id"]),
)

device = table(
    "device",
    Column("id", Text, primary_key=True),  # the public part of its secret
    Column("principal_id", ID, nullable=False, unique=True),
    Column("class", Text, nullable=False),
    Column("secret_sha256", String(64), nullable=False),
    small("revoked"),
    number("created_us"),
    Column("seen_us", BigInteger),
    Column("round_us", BigInteger),
    Column("token", Text),
    Column("preferences", Text),
    small("suspended", default=0),
    Column("decision", Text),  # of the gate, the last one
    Column("decided_us", BigInteger),
    ForeignKeyConstraint(["principal_id"], ["principal.id"]),
)

service = table(
    "service",
    Column("id", Text, primary_key=True),  # the public part of its secret
    Column("principal_id", ID, nullable=False, unique=True),
    Column("may", Text, nullable=False),
    Column("secret_sha256", String(64), nullable=False),
    small("revoked"),
    number("created_us"),
    ForeignKeyConstraint(["principal_id"], ["principal.id"]),
)

list_ = table(
    "principal_list",
    Column("principal_id", ID, primary_key=True, autoincrement=False),
    Column("kind", Text),  # a label of its user: whitelist, blacklist
    Column("displayname", Text),
    ForeignKeyConstraint(["principal_id"], ["principal.id"]),
)

membership = table(
    "membership",
    Column("list_id", ID, nullable=False),
    Column("member_id", ID, nullable=False),
    PrimaryKeyConstraint("list_id", "member_id"),
    ForeignKeyConstraint(["list_id"], ["principal.id"]),
    ForeignKeyConstraint(["member_id"], ["principal.id"]),
    keyed=True,
)
# the lists that a principal is in
index("membership_member", membership.c.member_id)
