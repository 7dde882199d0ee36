"""The Accept header, as far as it tells a browser from a WebDAV client (RFC 9110 §12.5.1)."""

from __future__ import annotations

import re
from typing import Final

_NEVER: Final = re.compile(r"q=0(?:\.0{0,3})?")


def wants_html(value: str | None) -> bool:
    """Tell whether HTML is asked for by its name: `*/*` is what every client sends."""
    for item in (value or "").lower().split(","):
        kind, *parameters = [word.strip(" \t") for word in item.split(";")]
        if kind == "text/html":
            return not any(_NEVER.fullmatch(parameter) for parameter in parameters)
    return False
