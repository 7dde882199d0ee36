"""The functions of a server that its operator may switch off (`config/davstore.toml`, `[functions]`)."""

from __future__ import annotations

from typing import Final

from davstore.model.enums import QuickEnum


class Function(QuickEnum):
    """A function, by its name in the settings and in `C:functions`.

    Methods and reports of each are in `dav/kinds`; the row of a live property names the function that it belongs to.
    """

    SYNCHRONIZATION = "synchronization"
    LOCKING = "locking"
    PAGES = "pages"


Functions = frozenset[Function]

ALL: Final[Functions] = frozenset(Function)


def parse_functions(text: str) -> Functions:
    """Return the functions that a text names, with commas between them. Raises ValueError: there is no such one."""
    known = {function.value: function for function in Function}
    names = [name for item in text.split(",") if (name := item.strip())]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"there is no function {unknown[0]!r}: it is one of {', '.join(known)}")
    return frozenset([known[name] for name in names])
