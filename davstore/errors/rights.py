"""The errors of rights and of access control lists (RFC 3744 §7.1.1, §8.1.1)."""

from __future__ import annotations

from typing import NamedTuple

from davstore.errors import NoRoom, Refused
from davstore.model.paths import Path


class Lack(NamedTuple):
    """A privilege that is needed on a resource, as bits: those of one that is supported, or one bit of such."""

    path: Path
    is_collection: bool
    privilege: int


class NeedPrivileges(Refused):
    """The asker lacks privileges that the method needs (RFC 3744 §7.1.1, `need-privileges`)."""

    def __init__(self, lacks: tuple[Lack, ...]) -> None:
        super().__init__(f"{len(lacks)} privileges are lacking")
        self.lacks = lacks


class DenyAfterGrant(Refused):
    """An entry that denies comes after one that grants (RFC 3744 §8.1.1, `deny-before-grant`)."""


class InvertedPrincipal(Refused):
    """An entry is for all but a principal (RFC 3744 §8.1.1, `no-invert`)."""


class ProtectedAce(Refused):
    """A request has a protected entry (RFC 3744 §8.1.1, `no-protected-ace-conflict`)."""


class InheritedAce(Refused):
    """A request has an inherited entry (RFC 3744 §8.1.1, `no-inherited-ace-conflict`)."""


class UnsupportedPrivilege(Refused):
    """An entry has a privilege that no resource has (RFC 3744 §8.1.1, `not-supported-privilege`)."""


class RecognizedPrincipal(Refused):
    """An entry is for a principal that this server does not know (RFC 3744 §8.1.1, `recognized-principal`)."""


class AllowedPrincipal(Refused):
    """An entry is for a principal that no entry may be for (RFC 3744 §8.1.1, `allowed-principal`)."""


class ExpiryInFuture(Refused):
    """An entry would have expired before it is written (`expiry-in-future`)."""


class TooManyAces(NoRoom):
    """The resource would have more entries than are allowed (RFC 3744 §8.1.1, `limited-number-of-aces`)."""


class ShareIsFixed(Refused):
    """The top of a share, which its owner removes, renames or replaces at its own URL (`share-is-fixed`)."""
