"""The Authorization header: Basic (RFC 7617) and Bearer (RFC 6750 §2.1). Whether a secret is right is not judged."""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass, field
from typing import Final

from davstore.errors import Unauthenticated

_BEARER: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Basic:
    """A user name and a password, or a device's secret in the place of one. The secret is kept out of `repr`."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Bearer:
    """A bearer token, kept out of `repr`."""

    token: str = field(repr=False)


def parse_authorization(value: str | None) -> Basic | Bearer:
    """Return the credentials. Raises Unauthenticated for none, another scheme, or a value that cannot be read."""
    scheme, _, rest = (value or "").strip(" \t").partition(" ")
    rest = rest.strip(" ")
    if scheme.lower() == "basic":
        return _basic(rest)
    if scheme.lower() == "bearer" and _BEARER.fullmatch(rest):
        return Bearer(rest)
    raise Unauthenticated("no credentials that can be read")


def _basic(encoded: str) -> Basic:
    """Read credentials as UTF-8, as the challenge asks for; else as Latin-1, which older clients send (RFC 7617 §2)."""
    try:
        sent = binascii.a2b_base64(encoded, strict_mode=True)
    except (binascii.Error, ValueError) as cause:
        raise Unauthenticated("Basic credentials that are not base64") from cause
    try:
        text = sent.decode()
    except UnicodeDecodeError:
        text = sent.decode("latin-1")
    user, colon, password = text.partition(":")
    if not colon or _CONTROL.search(text):
        raise Unauthenticated("Basic credentials without a colon, or with control characters")
    return Basic(user, password)
