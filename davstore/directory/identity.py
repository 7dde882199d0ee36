"""`identity.json`: which database a data directory belongs to, and whether its files are the ones davstore made.

A copy differs from the original in the time at which the file system made the file, which no program can set; on a file
system without that time, in the inode. So moving, chmod and chown of the directory change nothing, and a directory that
was copied back is known, even file by file over the old one: the file is made anew at each start and stop of the server
and every hour between, and then the copy names an earlier time than that of the file it lies in.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from davstore.errors import BadSettings

FILE = "identity.json"
_LOCK = "identity.lock"

_AT_FDCWD, _STATX_BTIME, _STATX_BYTES = -100, 0x800, 256  # linux/stat.h


class Birth(NamedTuple):
    """The lasting facts of a file: its inode, and when it was made; 0: the file system does not say."""

    inode: int
    made_ns: int

    def is_same(self, other: Birth) -> bool:
        """Tell whether both are of one file."""
        if self.made_ns and other.made_ns:
            return self.made_ns == other.made_ns
        return self.inode == other.inode


class Identity(NamedTuple):
    """The database of a directory: its id, how often it was put back, its kind, and its file when it is SQLite's.

    file is the birth of the identity's own file when it was written.
    """

    id: str
    incarnation: int
    kind: str
    file: Birth
    database_file: Birth | None

    def is_original(self, directory: Path, database_file: Path | None) -> bool:
        """Tell whether the identity and the database lie in the files that they were written to."""
        births = [(self.file, directory / FILE)]
        if self.database_file and database_file:
            births.append((self.database_file, database_file))
        return all(noted.is_same(find_birth(file)) for noted, file in births)


@contextlib.contextmanager
def hold(directory: Path, name: str = _LOCK) -> Iterator[None]:
    """Keep other processes from writing the identity meanwhile, or from the use of another lock. Raises OSError."""
    descriptor = os.open(directory / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def find_birth(file: Path) -> Birth:
    """Return the birth of a file. Raises OSError.

    The file is not opened: to close it would end the locks that SQLite holds on it in this process.
    """
    inode = file.stat().st_ino
    statx = getattr(ctypes.CDLL(None), "statx", None)  # Python's os has none
    answer = ctypes.create_string_buffer(_STATX_BYTES)
    if statx is None or statx(_AT_FDCWD, os.fsencode(file), 0, _STATX_BTIME, answer) != 0:
        return Birth(inode, 0)
    if not ctypes.c_uint32.from_buffer(answer, 0).value & _STATX_BTIME:
        return Birth(inode, 0)
    seconds, nanoseconds = ctypes.c_int64.from_buffer(answer, 80), ctypes.c_uint32.from_buffer(answer, 88)
    return Birth(inode, seconds.value * 1_000_000_000 + nanoseconds.value)


def find_identity(directory: Path) -> Identity | None:
    """Return the identity in a directory; None when it has none.

    Raises:
        BadSettings: the file cannot be read, or davstore did not write it.
    """
    try:
        document = json.loads((directory / FILE).read_bytes())
        file, database_file = document["file"], document["database_file"]
        return Identity(
            str(document["id"]),
            int(document["incarnation"]),
            str(document["database"]),
            Birth(*map(int, file)),
            Birth(*map(int, database_file)) if database_file else None,
        )
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise BadSettings(f"{directory / FILE}: {error.strerror}") from error
    except (ValueError, TypeError, LookupError) as error:
        raise BadSettings(
            f"{directory / FILE} is damaged: move it away, and the next start takes the directory for one put back"
        ) from error


def find_put_back_ns(directory: Path, database_file: Path | None) -> int | None:
    """Return when the identity was copied over an older one, at the latest; None: it was not, or that is unknown."""
    known = find_identity(directory)
    if known is None or known.is_original(directory, database_file):
        return None
    if find_birth(directory).made_ns > known.file.made_ns:  # a new directory, in which all files come from the copy
        return None
    return (directory / FILE).stat().st_ctime_ns


def write_identity(directory: Path, *, id_: str, incarnation: int, kind: str, database_file: Path | None) -> None:
    """Write the identity into a file made now. To be called while the directory is held. Raises OSError."""
    new = directory / f"{FILE}.{secrets.token_hex(4)}"
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            document = {
                "id": id_,
                "incarnation": incarnation,
                "database": kind,
                "file": find_birth(new),
                "database_file": find_birth(database_file) if database_file else None,
            }
            file.write(json.dumps(document) + "\n")
            file.flush()
            os.fsync(descriptor)
        new.rename(directory / FILE)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def renew_identity(directory: Path, database_file: Path | None) -> None:
    """Write the identity anew if it lies in the file that it was written to: the next start recognises a copy.

    Raises:
        BadSettings: it is damaged. OSError: it cannot be written, and stays as it was.
    """
    with hold(directory):
        known = find_identity(directory)
        if known and known.is_original(directory, database_file):
            write_identity(
                directory,
                id_=known.id,
                incarnation=known.incarnation,
                kind=known.kind,
                database_file=database_file,
            )
