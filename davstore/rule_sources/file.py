"""policy.toml and principals.toml as they are now: read again when they change, without a restart."""

from __future__ import annotations

import logging
import os
from collections.abc import Sized
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from davstore.errors import BadSettings, Unavailable
from davstore.model.groups import Groups
from davstore.model.rules import Rule
from davstore.policy.groups import parse_groups
from davstore.policy.provider import parse_rules
from davstore.toml_lines import decode

T = TypeVar("T", bound=Sized)
R = TypeVar("R", bound=Sized, covariant=True)

log = logging.getLogger("davstore.policy")


class _Parse(Protocol[R]):
    def __call__(self, text: str, /, *, source: str) -> R: ...


class _WatchedFile(Generic[T]):
    """The content of a file; without a file it is empty. A change that is wrong is logged and not taken over."""

    def __init__(self, file: Path | None, parse: _Parse[T], what: str) -> None:
        """Read the file. what is the content in the plural.

        Raises:
            BadSettings: it is not there or wrong, and there is no last good one to keep.
        """
        self._file = file
        self._parse = parse
        self._what = what
        self._is_broken = False
        self._stamp = self._look()
        self._content = self._read()

    def content(self) -> T:
        """Return what is in force."""
        stamp = self._look()
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._content, self._is_broken = self._read(), False
                log.info("%s: %d %s in force", self._file, len(self._content), self._what)
            except BadSettings as error:
                self._is_broken = True
                log.error("%s; the last good %s stay in force", error, self._what)  # noqa: TRY400  not our error
        return self._content

    def check(self) -> None:
        """Raise Unavailable while the file is not there or wrong: a server that is started now would not come up."""
        self.content()
        if self._is_broken:
            raise Unavailable(f"{self._file} is broken")

    def _look(self) -> tuple[int, ...] | None:
        """Return facts of the file that change whenever it does."""
        if self._file is None:
            return None
        try:
            status = os.stat(self._file)  # noqa: PTH116  on every request of a device
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino

    def _read(self) -> T:
        if self._file is None:
            return self._parse("", source="")
        try:
            text = decode(self._file.read_bytes(), str(self._file))
        except OSError as error:
            raise BadSettings(f"{self._file}: {error.strerror}") from error
        return self._parse(text, source=str(self._file))


class PolicyFile(_WatchedFile[tuple[Rule, ...]]):
    """The rules of a file; without a file there are none."""

    def __init__(self, file: Path | None) -> None:
        """Read the file. Raises BadSettings: it is not there or wrong."""
        super().__init__(file, parse_rules, "rules")

    def rules(self) -> tuple[Rule, ...]:
        """Return the rules in force."""
        return self.content()


class GroupsFile(_WatchedFile[Groups]):
    """The groups of a file; without a file there are none."""

    def __init__(self, file: Path | None) -> None:
        """Read the file. Raises BadSettings: it is not there or wrong."""
        super().__init__(file, parse_groups, "groups")

    def of(self, user: str) -> frozenset[str]:
        """Return the groups that a user is in now."""
        return self.content().of(user)

    def members_of(self, group: str) -> frozenset[str]:
        """Return the users that a group has now, which may not be there."""
        return self.content().members.get(group, frozenset())
