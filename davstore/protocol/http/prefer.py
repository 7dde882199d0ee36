"""The Prefer header (RFC 7240): what RFC 8144 uses of it, and `handling` (RFC 7240 §4.4)."""

from __future__ import annotations

from typing import NamedTuple


class Prefer(NamedTuple):
    """The preferences of a request that this server knows; each is False when the client did not state it."""

    minimal: bool = False
    """`return=minimal`: leave out 404 propstats, and the body after a PROPPATCH or MKCOL (RFC 8144 §2)."""
    noroot: bool = False
    """`depth-noroot`: leave the collection itself out of its listing (RFC 8144 §4)."""
    representation: bool = False
    """`return=representation`: answer a write, or its 412, with the resource as it is now (RFC 8144 §3.1, §3.2)."""
    strict: bool = False
    """`handling=strict`: of many changes in one request make all or none."""

    def applied(self) -> list[tuple[str, str]]:
        """Return Vary, and Preference-Applied for the preferences that were honoured (RFC 7240 §2, §3)."""
        words = ["return=minimal"] * self.minimal + ["depth-noroot"] * self.noroot
        words += ["return=representation"] * self.representation + ["handling=strict"] * self.strict
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
    strict = words.get("handling") == "strict"
    return Prefer(wanted == "minimal", "depth-noroot" in words, wanted == "representation", strict)
