"""The Prefer header (RFC 7240), as far as RFC 8144 uses it."""

from __future__ import annotations

from typing import NamedTuple


class Prefer(NamedTuple):
    """What a client would like: no word of what is not there or went well, no word of the collection itself, and in the
    answer to a write what is there now.
    """

    minimal: bool = False
    noroot: bool = False
    representation: bool = False

    def applied(self) -> list[tuple[str, str]]:
        """Return the headers that tell what was done, and on what the answer depends (RFC 7240 §2, §3)."""
        words = ["return=minimal"] * self.minimal + ["depth-noroot"] * self.noroot
        words += ["return=representation"] * self.representation
        return [("Vary", "Prefer"), *([("Preference-Applied", ", ".join(words))] if words else [])]


def parse_prefer(value: str | None) -> Prefer:
    """Return the preferences that are known here; others, and broken ones, are ignored (RFC 7240 §2)."""
    if value is None:
        return Prefer()
    words: dict[str, str] = {}
    for preference in value.split(","):
        name, _, wish = preference.partition(";")[0].partition("=")
        words.setdefault(name.strip(" \t").lower(), wish.strip(' \t"').lower())  # the first counts (RFC 7240 §2)
    wanted = words.get("return")
    return Prefer(wanted == "minimal", "depth-noroot" in words, wanted == "representation")
