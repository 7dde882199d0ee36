"""The principals that a user is: itself, its groups, and the lists that hold any of these."""

from __future__ import annotations

from sqlalchemy import CTE, BigInteger, bindparam, literal_column, select

from davstore.metadata.statements import among_texts
from davstore.metadata.tables import GROUP, membership, principal


def my_principals() -> CTE:
    """Return the ids of the principals that a user is; parameters: `me`, and `groups`, a JSON array of names."""
    me = bindparam("me", type_=BigInteger)
    mine = (
        select(principal.c.id)
        .where(
            (principal.c.id == me)
            | ((principal.c.kind == literal_column(str(GROUP))) & among_texts(principal.c.name, bindparam("groups")))
        )
        .cte("mine", recursive=True)
    )
    return mine.union(select(membership.c.list_id).where(membership.c.member_id == mine.c.id))
