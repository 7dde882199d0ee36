"""policy.toml as it is now: read again when it changes, without a restart."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from davstore.errors import BadSettings, Unavailable
from davstore.model.rules import Rule
from davstore.policy.provider import parse_rules
from davstore.toml_lines import decode

log = logging.getLogger("davstore.policy")


class PolicyFile:
    """The rules of a file; without a file there are none. A change that is wrong is logged and not taken over."""

    def __init__(self, file: Path | None) -> None:
        """Read the file. Raises BadSettings: it is not there or wrong, and there is no last good one to keep."""
        self._file = file
        self._is_broken = False
        self._stamp = self._look()
        self._rules = self._read()

    def rules(self) -> tuple[Rule, ...]:
        """Return the rules in force."""
        stamp = self._look()
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._rules, self._is_broken = self._read(), False
                log.info("%s: %d rules in force", self._file, len(self._rules))
            except BadSettings as error:
                self._is_broken = True
                log.error("%s; the last good rules stay in force", error)  # noqa: TRY400  the file is wrong, not we
        return self._rules

    def check(self) -> None:
        """Raise Unavailable while the file is not there or wrong: a server that is started now would not come up."""
        self.rules()
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

    def _read(self) -> tuple[Rule, ...]:
        if self._file is None:
            return ()
        try:
            text = decode(self._file.read_bytes(), str(self._file))
        except OSError as error:
            raise BadSettings(f"{self._file}: {error.strerror}") from error
        return parse_rules(text, source=str(self._file))
