"""Blobs that no row names: when each was first seen so, and `lost+found`, where they go a day later for a month.

A blob that a database which is put back names after all can be moved back from there by hand.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import secrets
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

SEEN_FOR_US = 86_400_000_000
"""A day: an operator who started the wrong database will have noticed."""
KEPT_DAYS = 30

BLOB = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_LOST = re.compile(rf"[1-9][0-9]*\.{BLOB}", re.ASCII)
_NOTES = "unnamed.json"

log = logging.getLogger("davstore.blobs")


def set_aside(files: dict[str, Path], notes: Path, lost: Path, *, store_id: int, now_us: int) -> tuple[int, int]:
    """Move the files first seen a day ago or earlier into lost, note the others, and return how many and their bytes.

    files are all blobs of a store that no row names, by name; notes is the directory of their notes.
    """
    noted = _read(notes / _NOTES)
    if noted is None:
        return 0, 0
    seen_us = {name: min(noted.get(name, now_us), now_us) for name in files}
    count = size_bytes = 0
    for name, at_us in list(seen_us.items()):
        if now_us - at_us < SEEN_FOR_US:
            continue
        moved = _move(files[name], lost / _day(now_us).isoformat() / f"{store_id}.{name}")
        if moved is not None:
            del seen_us[name]
            count, size_bytes = count + 1, size_bytes + moved
    if seen_us != noted:
        _write(notes / _NOTES, seen_us)
    return count, size_bytes


def forget_lost(lost: Path, *, now_us: int) -> None:
    """Delete the files that have been in lost for a month, and none that `set_aside` did not put there."""
    last = _day(now_us) - timedelta(days=KEPT_DAYS)
    for day in _names(lost):
        if _DAY.fullmatch(day) and day < last.isoformat() and not (lost / day).is_symlink():
            with contextlib.suppress(OSError):  # a file of another program is left in it, so it stays
                for name in _names(lost / day):
                    if _LOST.fullmatch(name):
                        (lost / day / name).unlink(missing_ok=True)
                (lost / day).rmdir()


def _day(now_us: int) -> date:
    return datetime.fromtimestamp(now_us / 1_000_000, UTC).date()


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)  # noqa: PTH208  names are all that is wanted
    except OSError:
        return []


def _move(file: Path, target: Path) -> int | None:
    """Move a blob and return its length; None: it is gone, or there is no way to move it, and it stays."""
    try:
        size_bytes = file.stat().st_size
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.rename(target)
    except FileNotFoundError:
        return None
    except OSError as error:
        log.warning("%s cannot be moved to %s: %s", file, target.parent, error.strerror)
        return None
    return size_bytes


def _read(file: Path) -> dict[str, int] | None:
    """Return when each name was first seen, in microseconds; None: the file is not davstore's, and no blob may go."""
    try:
        text = file.read_bytes()
        return {str(name): int(at_us) for name, at_us in json.loads(text).items()} if text else {}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        log.warning("%s cannot be read, and blobs without a row stay: %s", file, error)
        return None


def _write(file: Path, seen_us: dict[str, int]) -> None:
    """Replace the notes; where that fails a blob stays for longer."""
    new = file.with_suffix(f".{secrets.token_hex(4)}")
    try:
        with new.open("x", encoding="utf-8") as stream:
            json.dump(seen_us, stream)
            stream.flush()
            os.fsync(stream.fileno())
        new.rename(file)
    except OSError:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
