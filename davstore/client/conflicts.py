"""The name of the second copy when two devices edited one file."""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable
from datetime import datetime

from davstore.client.local_names import MAX_NAME_BYTES
from davstore.client.titles import cut
from davstore.client.tree import join, name_of, parent_of

MAX_DEVICE_BYTES = 64
MAX_EXTENSION_BYTES = 32
"""A longer suffix is no extension."""
_EARLIER = re.compile(r" \(conflict [^()]*\)\Z")
"""The mark of an earlier conflict: it is replaced, or names would grow with each."""


def conflict_path(path: str, device: str, at: datetime, is_taken: Callable[[str], bool]) -> str:
    """Return `STEM (conflict DEVICE DATE).EXT` beside path: a free place with a name of at most 255 bytes."""
    stem, extension = os.path.splitext(name_of(path))  # noqa: PTH122 - a name, not a path
    if len(extension.encode()) > MAX_EXTENSION_BYTES:
        stem, extension = name_of(path), ""
    stem = _EARLIER.sub("", stem) or stem
    device = cut("".join("-" if mark in '/\\:*?"<>|' or mark < " " else mark for mark in device), MAX_DEVICE_BYTES)
    number = 1
    while True:
        again = f" {number}" if number > 1 else ""
        mark = f" (conflict {device} {at:%Y-%m-%d %H-%M-%S}{again}){extension}"
        candidate = join(parent_of(path), cut(stem, MAX_NAME_BYTES - len(mark.encode())) + mark)
        if not is_taken(candidate):
            return candidate
        number += 1
