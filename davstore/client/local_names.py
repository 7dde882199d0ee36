"""Local names: how the last name of a remote path is spelled in the local folder.

It is the remote name wherever the file system can hold that and no other member has it. The habits of the file system
(folding case, normalising Unicode, dropping a final dot, refusing characters) are probed, not guessed from its type.
"""

from __future__ import annotations

import hashlib
import os.path
import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from davstore.client.state import State
from davstore.client.titles import cut
from davstore.client.tree import join, name_of, parent_of

MAX_NAME_BYTES = 255
RESERVED_PREFIX = ".davstore~"
RESERVED = re.compile(re.escape(RESERVED_PREFIX) + "[0-9a-f]{32}.*", re.DOTALL)
"""Names of files in the making. They are never synchronised; a device removes those that it made itself."""
_AWKWARD = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')


class Traits(NamedTuple):
    """The ways in which a file system changes names."""

    folds_case: bool = False
    folds_form: bool = False
    drops_tail: bool = False
    refuses_awkward: bool = False

    def fold(self, name: str) -> str:
        """Return a key that two names share exactly when the file system takes them for one."""
        if self.folds_form:
            name = unicodedata.normalize("NFC", name)
        if self.folds_case:
            name = name.casefold()
        return unicodedata.normalize("NFC", name) if self.folds_form else name

    def can_hold(self, name: str) -> bool:
        """Tell whether a member may have this name as it is."""
        return not (
            RESERVED.fullmatch(name)
            or len(name.encode()) > MAX_NAME_BYTES
            or "\0" in name
            or (self.drops_tail and name[-1:] in (".", " "))
            or (self.refuses_awkward and _AWKWARD.search(name))
        )


def substitute(name: str) -> str:
    """Return a substitute for name: the same one each time, valid on every file system, and recognisable."""
    stem, extension = os.path.splitext(_AWKWARD.sub("_", name))  # noqa: PTH122 - a name, not a path
    mark = f" ({hashlib.sha256(name.encode()).hexdigest()[:8]})"
    extension = extension.rstrip(". ")
    if len(extension.encode()) > 32 or RESERVED.fullmatch(stem + extension):
        stem, extension = f"_{stem}{extension}", ""
    return cut(stem.rstrip(". "), MAX_NAME_BYTES - len((mark + extension).encode())) + mark + extension


class Spelling:
    """The map between remote paths and local names, in memory and in the state."""

    def __init__(self, state: State, traits: Traits) -> None:
        self._state = state
        self._traits = traits
        self._present: dict[tuple[str, str], str] = {}
        self._paths = {(parent_of(path), traits.fold(name)): path for path, name in state.spellings.items()}
        if traits.folds_case or traits.folds_form:
            self._paths.update(
                {(parent_of(path), traits.fold(self.local_name(path))): path for path in state.agreed.rows}
            )

    def local_name(self, path: str) -> str:
        """Return the name that the last name of path has here."""
        return self._state.spellings.get(path) or name_of(path)

    def where(self, path: str) -> list[str]:
        """Return the local names from the root down to path."""
        names: list[str] = []
        while path:
            names.append(self.local_name(path))
            path = parent_of(path)
        return names[::-1]

    def meet(self, folder: str, name: str) -> str:
        """Return the path of what a scan found as name in folder."""
        key = (folder, self._traits.fold(name))
        exact = join(folder, name)
        path = exact if exact in self._state.agreed.rows and self.local_name(exact) == name else self._paths.get(key)
        self._present[key] = path or exact
        return path or exact

    def assign(self, path: str) -> None:
        """Choose, once and for all, the local name of the file or folder that is about to be made at path."""
        folder = parent_of(path)
        for candidate in self._list_candidates(path):
            holder = self._present.get((folder, self._traits.fold(candidate)), path)
            if holder == path and self._traits.can_hold(candidate):
                break
        if candidate != name_of(path):
            self._state.spell(path, candidate)
        self._present[folder, self._traits.fold(candidate)] = path

    def _list_candidates(self, path: str) -> Iterator[str]:
        """Yield the names that path may have here: that which it has, those for people, its own, and a substitute."""
        if path not in self._state.spellings:
            for name in self._state.titles.suggest(path, self._state.remote.members(path)):
                if self._paths.get((parent_of(path), self._traits.fold(name)), path) == path:
                    yield name
        yield self.local_name(path)
        yield substitute(name_of(path))

    def adopt(self, path: str, name: str) -> None:
        """Take the name that a person gave the file or folder at path here."""
        self.release(path)
        self._state.spell(path, name)
        self._paths[parent_of(path), self._traits.fold(name)] = path

    def here(self, path: str) -> str:
        """Return path as its names are spelled here."""
        return "/".join(self.where(path))

    def release(self, path: str) -> None:
        """Free the local name of a path that was removed."""
        self._present.pop((parent_of(path), self._traits.fold(self.local_name(path))), None)

    def is_taken(self, path: str) -> bool:
        """Tell whether path, spelled as it is, would meet something that a scan has seen."""
        return (parent_of(path), self._traits.fold(name_of(path))) in self._present


def is_unicode(name: str) -> bool:
    """Tell whether a local name is text: no bytes in it stand for themselves."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def reason_of(error: Exception) -> str:
    """Return why a local name cannot be used, for people."""
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
