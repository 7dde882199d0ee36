"""Maildir: messages as files in `cur` and `new`, whose names end in their flags; Maildir++ and nested folders.

Keywords are the letters a to z, whose meaning the file `dovecot-keywords` of the folder holds, as Dovecot writes it.
"""

from __future__ import annotations

import contextlib
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from davstore.errors import Malformed
from davstore.interchange import flags
from davstore.interchange.files import open_file
from davstore.interchange.names import decode_utf7, encode_utf7, legal_name, substitute
from davstore.model.paths import MAX_NAME_BYTES
from davstore.model.states import NO_CHANGE, StateChange

PARTS: Final = ("cur", "new", "tmp")
KEYWORDS_FILE: Final = "dovecot-keywords"
MOST_KEYWORDS_BYTES: Final = 1 << 16
LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
ENDING: Final = ".eml"

_CONTROL: Final = re.compile(
    r"dovecot[.-].*|dovecot|maildirfolder|maildirsize|subscriptions|maildirshared|courierimap.*|\.uidvalidity"
    r"|\.imap|\.subscriptions|\.dovecot\.(?:lda-dupes|svbin)|\.mbsyncstate.*|\.isyncuidmap.*|\.mh_sequences|\.notmuch"
)
_INFO: Final = re.compile(r":2,([^:]*)\Z")


def is_maildir(directory: Path) -> bool:
    """Tell whether a directory is a folder of Maildir: copies lack `new` or `tmp` where empty directories were lost."""
    return _is_directory(directory / "cur") and any(_is_directory(directory / part) for part in ("new", "tmp"))


def _is_directory(path: Path) -> bool:
    """Tell whether a path leads to a directory. A link does not, nor one that may not be looked at."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def is_control(name: str) -> bool:
    """Tell whether a file holds what a mail program notes of a folder."""
    return _CONTROL.fullmatch(name) is not None


def read_keywords(directory: Path) -> Mapping[str, str]:
    """Return the keywords of a folder by their letters; none where the file is missing or cannot be read."""
    with contextlib.suppress(OSError, Malformed), open_file(directory / KEYWORDS_FILE) as opened:
        return parse_keywords(opened.read(MOST_KEYWORDS_BYTES))
    return {}


def parse_keywords(content: bytes) -> Mapping[str, str]:
    """Return the keywords in the file of a folder by their letters."""
    found: dict[str, str] = {}
    for line in content.decode(errors="replace").splitlines():
        number, _, keyword = line.partition(" ")
        if number.isascii() and number.isdecimal() and len(number) < 3 and int(number) < len(LETTERS) and keyword:
            found[LETTERS[int(number)]] = keyword
    return found


def message_name(file_name: str) -> str:
    """Return the name of a message in a store: that of its file before the flags, which change, as that of a mail."""
    unique = file_name.partition(":")[0] or file_name
    return legal_name(unique if unique.endswith(ENDING) else unique + ENDING)


def message_states(file_name: str, keywords: Mapping[str, str], *, is_new: bool) -> StateChange:
    """Return the states that the name of a file holds; a message in `new` has not been seen."""
    info = _INFO.search(file_name)
    if info is None:
        return NO_CHANGE
    letters = info[1].replace("S", "") if is_new else info[1]
    named = [keywords[letter] for letter in letters if letter in keywords]
    return flags.find_states(letters, flags.MAILDIR_LETTERS, named)


def info_of(states: int, keywords: Mapping[str, str], names: list[str]) -> str:
    """Return the end of a file's name for flags and keywords; the keywords of a folder are given by name."""
    small = sorted(keywords[name] for name in names if name in keywords)
    return f":2,{flags.letters_of(states, flags.MAILDIR_LETTERS)}{''.join(small)}"


def subfolder_names(directory_name: str) -> tuple[str, ...]:
    """Return the names that a directory `.Archive.2024` of Maildir++ stands for, from the top of the Maildir down."""
    return tuple(legal_name(decode_utf7(name)) for name in directory_name.split(".") if name)


def subfolder_directory(folder: tuple[str, ...]) -> Path:
    """Return the directory of Maildir++ for a folder; the top has '.'.

    Where its name would be too long, that of as many names as it can hold, and nested directories for the others.
    """
    directories = ["." + ".".join(map(encode_utf7, folder[:count])) for count in range(len(folder) + 1)]
    count, directory = max(pair for pair in enumerate(directories) if len(pair[1]) <= MAX_NAME_BYTES)
    return Path(directory, *map(_nested_directory, folder[count:]))


def _nested_directory(name: str) -> str:
    """Return the name of a nested directory: in Unicode where modified UTF-7 is too long."""
    coded = encode_utf7(name)
    if len(coded) <= MAX_NAME_BYTES:
        return coded
    return name if decode_utf7(name) == name and name[0] != "." else substitute(name)
