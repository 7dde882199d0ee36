"""TOML that a person writes: read it, and name the line of a key when something is wrong with it."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from typing import Any

from davstore.errors import BadSettings

_HEADER = re.compile(r"\s*\[{1,2}\s*([\w.-]+)\s*\]{1,2}")
_ASSIGNED = re.compile(r"\s*([\w.\s\"'-]+?)\s*=")


def decode(content: bytes, source: str) -> str:
    """Return the text of a file; source is its name. Raises BadSettings: not UTF-8."""
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise BadSettings(f"{source}: not UTF-8") from error


def parse(text: str, source: str) -> dict[str, Any]:
    """Return the document of a text; source is its name. Raises BadSettings: it is not TOML; names the line."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        number = line[1] if line else max(1, len(text.splitlines()))
        raise BadSettings(f"{source}:{number}: {error}") from error
    except RecursionError as error:
        raise BadSettings(f"{source}: values in values, deeper than any reader goes") from error


def find_line(text: str, table: str, key: str | None = None, *, index: int = 0) -> int:
    """Return the line of a key in a table of a valid text, or that where the table begins.

    index counts the tables of an array (`[[name]]`), from 0.
    """
    current, found = "", 1
    seen: Counter[str] = Counter()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            current = header[1]
            seen[current] += 1
            if current == table and seen[current] == index + 1:
                found = number
        elif assigned := _ASSIGNED.match(line):
            names = re.sub(r"[\s\"']", "", assigned[1])
            name = f"{current}.{names}".lstrip(".")
            is_there = current != table or seen[table] == index + 1
            if key is not None and is_there and (name == f"{table}.{key}" or name.startswith(f"{table}.{key}.")):
                return number
            if not current and name.partition(".")[0] == table:
                found = number
    return found
