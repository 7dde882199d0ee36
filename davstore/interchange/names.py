"""Names on their way between file systems and a store: legal ones, substitutes, and the names of Maildir++ folders."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from typing import Final

from davstore.model.paths import MAX_NAME_BYTES

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f/]")
"""Characters that no name of a store has: no client could send them."""
_UTF7: Final = re.compile(r"&([^-]*)-")
_CODED: Final = re.compile(r"[^\x20-\x7e]+")


def is_legal(name: str) -> bool:
    """Tell whether a name may be that of a resource as it is."""
    try:
        fits = len(name.encode()) <= MAX_NAME_BYTES
    except UnicodeEncodeError:
        return False
    return fits and name not in ("", ".", "..") and not _CONTROL.search(name)


def legal_name(name: str) -> str:
    """Return a name for a resource: the same if it is legal, else a substitute that is its own for each name.

    Surrogates stand for bytes that are no UTF-8, as `os.fsdecode` has it.
    """
    return name if is_legal(name) else substitute(name)


def substitute(name: str) -> str:
    """Return a legal name that is like another: the same each time, and different for different ones."""
    raw = name.encode(errors="surrogateescape")
    readable = _CONTROL.sub("_", raw.decode(errors="replace"))
    return with_mark(readable.lstrip("."), hashlib.sha256(raw).hexdigest()[:8])


def with_mark(name: str, mark: str) -> str:
    """Return a name with a mark in front of its extension, cut where it is too long."""
    stem, extension = split(name)
    end = f" ({mark}){extension}"
    return stem.encode()[: MAX_NAME_BYTES - len(end.encode())].decode(errors="ignore") + end


def numbered(name: str, number: int) -> str:
    """Return the name of the so-manieth of equal things: the first has the name itself."""
    if number == 1:
        return name
    stem, extension = split(name)
    end = f"-{number}{extension}"
    return stem.encode()[: MAX_NAME_BYTES - len(end.encode())].decode(errors="ignore") + end


def split(name: str) -> tuple[str, str]:
    """Return a name in two: before its extension, and the extension, which is '' where it is long."""
    stem, extension = os.path.splitext(name)  # noqa: PTH122 - a name, not a path
    return (stem, extension) if len(extension.encode()) <= 32 else (name, "")


def decode_utf7(name: str) -> str:
    """Return the Unicode text of a mailbox name in modified UTF-7 (RFC 3501 §5.1.3); the name itself if it is none."""

    def decoded(match: re.Match[str]) -> str:
        if not match[1]:
            return "&"
        coded = match[1].replace(",", "/")
        return base64.b64decode(coded + "=" * (-len(coded) % 4), validate=True).decode("utf-16-be")

    try:
        return _UTF7.sub(decoded, name)
    except ValueError:
        return name


def encode_utf7(name: str) -> str:
    """Return a mailbox name in modified UTF-7. A dot, which parts names in Maildir++, is encoded as Courier does it."""

    def coded(text: str) -> str:
        return "&" + base64.b64encode(text.encode("utf-16-be")).decode().rstrip("=").replace("/", ",") + "-"

    plain = _CODED.sub(lambda match: coded(match[0]), name.replace("&", "&-"))
    return plain.replace(".", coded("."))
