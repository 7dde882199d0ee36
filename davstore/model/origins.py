"""The origins of web pages and of browsers' extensions, as browsers write them (RFC 6454 §6.2)."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_WEB: Final = re.compile(r"(https?)://(?:[a-z0-9][a-z0-9._-]*|\[[0-9a-f:.]+\])(?::([1-9][0-9]{0,4}))?")
_EXTENSION: Final = re.compile(r"[a-z][a-z-]*-extension://[A-Za-z0-9._-]+")
_DEFAULT_PORTS: Final = {("http", "80"), ("https", "443")}


class Origins(NamedTuple):
    """Origins whose pages may use the store."""

    named: frozenset[str] = frozenset()

    @staticmethod
    def parse(text: str) -> Origins:
        """Read origins with commas between them. Raises ValueError."""
        words = [word.strip() for word in text.split(",")] if text.strip() else []
        for word in words:
            match = _WEB.fullmatch(word)
            if _EXTENSION.fullmatch(word) is None and (match is None or (match[1], match[2]) in _DEFAULT_PORTS):
                raise ValueError(f"must be origins as browsers write them, https://app.example:8443, not {word!r}")
        return Origins(frozenset(words))

    def permits(self, origin: str) -> bool:
        """Tell whether an origin is named, or is an extension's: no page can say that it is one."""
        return origin in self.named or _EXTENSION.fullmatch(origin) is not None
