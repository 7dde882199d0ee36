"""The Prefer header (RFC 7240), as far as RFC 8144 uses it."""

from __future__ import annotations

from typing import NamedTuple


class Prefer(NamedTuple):
    """What a client would like: no word of what is not there or went well, and no word of the collection itself."""

    minimal: bool = False
    noroot: bool = False

    def applied(self) -> list[tuple[str, str]]:
        """Return the headers that tell what was done, and on what the answer depends (RFC 8144 §2, §3)."""
        words = ["return=minimal"] * self.minimal + ["depth-noroot"] * self.noroot
        return [("Vary", "Prefer"), *([("Preference-Applied", ", ".join(words))] if words else [])]


def parse_prefer(value: str | None) -> Prefer:
    """Return the preferences that are known here; others, and broken ones, are ignored (RFC 7240 §2)."""
    if value is None:
        return Prefer()
    words: dict[str, str] = {}
    for preference in value.split(","):
        name, _, wish = preference.partition(";")[0].partition("=")
        words.setdefault(name.strip(" \t").lower(), wish.strip(' \t"').lower())  # the first counts (RFC 7240 §2)
    return Prefer(minimal=words.get("return") == "minimal", noroot="depth-noroot" in words)
