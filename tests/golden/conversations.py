"""Which sequences are played, on which server; each has a user of its name, so that none sees what another did."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from tests.golden.sequences import locking, properties, reading, refusing, serving, sets, syncing, together, writing
from tests.golden.served import QUOTA, Account, serve
from tests.golden.talk import Talk

ANSWERS: Final = Path(__file__).with_name("answers")

Sequence = Callable[[Talk], None]

_SMALL: Final = {
    "AUTH__FAILURES_BEFORE_DELAY": "4",
    "LIMITS__LOCKS_PER_RESOURCE": "2",
    "LIMITS__LOCKS_PER_USER": "5",
    "LIMITS__PROPERTIES_PER_NODE": "6",
    "LIMITS__PROPFIND_MEMBERS": "30",
    "LIMITS__TREE_NODES": "12",
    "SYNC__ROWS_PER_PAGE": "8",
}
"""Limits that a sequence can reach; else the settings are the defaults."""
_OTHER: Final = {
    "AUTH__REALM": "another realm",
    "POLICY__REQUIRE_DEVICE": "true",
    "SERVER__BODY_TIMEOUT_SECONDS": "1",
    "SERVER__TRUSTED_PROXIES": "127.0.0.1",
    "STORAGE__FINDER_LITTER": "drop",
    "STORAGE__INLINE_BYTES": "4",
    "SYNC__STRICT_DEPTH": "true",
    "WEB__ALLOWED_ORIGINS": "https://app.example",
}
SERVERS: Final[dict[str, tuple[Mapping[str, str], tuple[Sequence, ...]]]] = {
    "usual": (
        _SMALL,
        (
            *(reading.options, reading.get, reading.parts, reading.ranges, reading.dates),
            *(reading.listings, reading.pages),
            *(writing.put, writing.digests, writing.collections, writing.deleting, writing.copying, writing.moving),
            *(properties.propfinds, properties.live, properties.proppatches, properties.states),
            *(properties.preferences, sets.sessions, sets.adding, sets.sets),
            *(locking.locks, locking.trees, locking.conditions),
            together.operations,
            *(syncing.reports, syncing.page_by_page, syncing.bad_reports, syncing.expansions, syncing.policy),
            syncing.principals,
            *(refusing.fixed_places, refusing.methods, refusing.targets, refusing.xml, refusing.strangers),
            *(refusing.signing_in, refusing.quota, refusing.limits, serving.connections, refusing.unavailable),
        ),
    ),
    "other": (
        _OTHER,
        (serving.origins, serving.devices_alone, serving.finder, serving.behind_a_proxy, serving.slow),
    ),
}
"""The settings of each server, and what is played in it, in order."""
_QUOTAS: Final = {"quota": "3000"}
_PHONE: Final = {"phone": "phone"}
_DEVICES: Final = {
    "policy": {"phone": "phone", "tablet": "tablet", "watch": "other", "hall": "tablet", "lost": "phone"},
    "live": _PHONE,
    "preferences": _PHONE,
    "fixed_places": _PHONE,
    "signing_in": _PHONE,
    "origins": _PHONE,
    "devices_alone": _PHONE,
    "behind_a_proxy": _PHONE,
}


def list_conversations(directory: Path, database_urls: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Play all sequences on servers of their own; yield the name of each and what was said, as text.

    database_urls names a database for each server; without one it is SQLite.
    """
    for name, (settings, sequences) in SERVERS.items():
        names = [sequence.__name__ for sequence in sequences]
        accounts = [Account(one, _QUOTAS.get(one, QUOTA), _DEVICES.get(one, {})) for one in (*names, "other")]
        database = {"DATABASE__URL": database_urls[name]} if name in database_urls else {}
        with serve(directory / name, accounts, {**settings, **database}) as served:
            for sequence in sequences:
                talk = Talk(served, sequence.__name__)
                talk.note(" ".join((sequence.__doc__ or "").split()))
                sequence(talk)
                yield sequence.__name__, talk.text
