"""Entries of access control lists that leave something out: a client that does not know it writes it back unchanged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from davstore.model.acl import Ace, AskedAce, Kept


def keep_what_is_left_out(principal_id: int, asked: AskedAce, live: Sequence[Ace]) -> Iterator[Ace]:
    """Yield an entry that is asked for, with the expiries and filters of live ones where it leaves these out.

    An expiry is kept by principal, grant or deny, and privilege; a filter by principal and privilege. So one entry may
    become several: each with the privileges that keep the same.
    """
    kept: dict[tuple[int | None, str], tuple[Ace, int]] = {}
    for bit in _bits(asked.privileges):
        alike = [one for one in live if one.principal_id == principal_id and one.privileges & bit]
        expires_us, bound = asked.expires_us, asked.filter
        if isinstance(expires_us, Kept):
            timed = [one.expires_us for one in alike if one.denies == asked.denies]
            expires_us = None if not timed or None in timed else max(one for one in timed if one is not None)
        if isinstance(bound, Kept):
            bound = next((one.filter for one in alike if one.filter is not None), None)
        entry = Ace(principal_id, asked.denies, 0, expires_us, bound)
        _, privileges = kept.get((expires_us, repr(bound)), (entry, 0))
        kept[expires_us, repr(bound)] = entry, privileges | bit
    for entry, privileges in kept.values():
        yield entry._replace(privileges=privileges)


def _bits(privileges: int) -> Iterator[int]:
    while privileges:
        bit = privileges & -privileges
        yield bit
        privileges &= ~bit
