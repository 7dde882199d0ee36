"""The Slug header: the name that a client suggests for a member (RFC 5023 §9.7), made into one that is safe."""

from __future__ import annotations

import re
import unicodedata
from typing import Final
from urllib.parse import unquote_to_bytes

_SEPARATORS: Final = re.compile(r'[/\\<>:"|?*]+')
"""Characters that some file system takes for more than a part of a name."""
_SPACE: Final = re.compile(r"\s+")
_JOINERS: Final = "\u200c\u200d"
"""Parts of words of some languages, and of emoji."""
_UNSEEN: Final = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
"""Categories of characters that nobody sees, such as those that turn the direction of text."""
_MOST_BYTES: Final = 180
"""The longest name that is taken from a slug: an extension and a number may follow."""


def parse_slug(value: str | None) -> str:
    """Return the name that a Slug suggests: percent-decoded, and without what no file name should hold.

    '' without the header, or where nothing is left of it. Octets that are not UTF-8 are taken for Latin-1.
    """
    if not value:
        return ""
    octets = unquote_to_bytes(value.encode("latin-1", "replace"))
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        text = octets.decode("latin-1")
    return clean_name(text)


def clean_name(text: str) -> str:
    """Return a text as one name without separators, controls, and dots at either end; '' if nothing is left."""
    spaced = _SPACE.sub(" ", _SEPARATORS.sub("-", text))
    seen = "".join([one for one in spaced if one in _JOINERS or unicodedata.category(one) not in _UNSEEN])
    return _cut(seen.strip(" .-")).rstrip(" .")


def _cut(name: str) -> str:
    """Return a name in at most `_MOST_BYTES`; a short extension stays."""
    octets = name.encode()
    if len(octets) <= _MOST_BYTES:
        return name
    stem, dot, extension = name.rpartition(".")
    end = f"{dot}{extension}" if stem and len(extension.encode()) <= 32 else ""
    return octets[: _MOST_BYTES - len(end.encode())].decode(errors="ignore").rstrip(" .") + end
