"""Dovecot's IMAP over a Maildir, asked through its pipes: no server, no port, no password."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

IMAP: Final = Path("/usr/lib/dovecot/imap")
_TOKEN: Final = re.compile(rb'~?\{(\d+)\}\r\n|"((?:[^"\\]|\\.)*)"|([()])|([^\s()"]+)')
_LITERAL: Final = re.compile(rb"\{(\d+)\}\r\n\Z")
_CONFIGURATION: Final = """base_dir = {0}/run
state_dir = {0}/run
log_path = {0}/log
ssl = no
first_valid_uid = 1
mail_uid = {1}
mail_gid = {2}
mail_location = maildir:{0}/mail
"""

Message = dict[bytes, Any]
"""What a FETCH tells of a message, by the names of its items: bytes, None for NIL, lists."""


class Dovecot:
    """One session with the INBOX selected. A session that Dovecot ends is followed by another."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._tag = 0
        self._process: subprocess.Popen[bytes] | None = None

    def close(self) -> None:
        """End the session."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def fetch(self, numbers: str, items: str) -> Iterator[Message]:
        """Yield what is told of the messages of a set. Raises ValueError: Dovecot refuses, or hangs up."""
        self._open()
        yield from self._ask(f"FETCH {numbers} ({items})")

    def thread(self, algorithm: str) -> list[set[int]]:
        """Return the numbers of all messages by threads (RFC 5256, or Dovecot's REFS, which leaves subjects out)."""
        self._open()
        [line] = self._ask(f"THREAD {algorithm} UTF-8 ALL")
        return [set(_each_number(thread)) for thread in line[b"THREAD"]]

    def _open(self) -> None:
        if self._process is None:
            words = [IMAP, "-c", self._directory / "dovecot.conf"]
            environ = {"USER": "someone", "HOME": str(self._directory)}
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=environ)
            assert self._line().startswith(b"* PREAUTH")
            assert list(self._ask("SELECT INBOX")) == []

    def _ask(self, command: str) -> Iterator[Message]:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        self._tag += 1
        tag = b"a%d " % self._tag
        process.stdin.write(tag + command.encode() + b"\r\n")
        process.stdin.flush()
        while not (line := self._line()).startswith(tag):
            if line.startswith(b"* BYE") or not line:
                self.close()
                raise ValueError(f"{command}: {line.decode()}")
            if line.startswith(b"* THREAD"):
                yield {b"THREAD": parse(line)[2:]}
            if b" FETCH (" in line[:30]:
                items = parse(line)[3]
                yield dict(zip(items[::2], items[1::2], strict=True))
        if not line.startswith(tag + b"OK"):
            raise ValueError(f"{command}: {line.decode()}")

    def _line(self) -> bytes:
        """Return a line with the literals in it."""
        assert self._process is not None
        assert self._process.stdout is not None
        whole = b""
        while line := self._process.stdout.readline():
            whole += line
            literal = _LITERAL.search(line)
            if literal is None:
                break
            whole += self._process.stdout.read(int(literal[1]))
        return whole


@contextlib.contextmanager
def delivered(messages: Mapping[str, bytes]) -> Iterator[Dovecot]:
    """Yield a Dovecot whose INBOX has messages, each with its name, which must be good for a file, as its X-GUID."""
    directory = Path(tempfile.mkdtemp(prefix="dovecot-"))  # not in that of pytest, where none but its owner may be
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    try:
        for name in ("cur", "new", "tmp"):
            (directory / "mail" / name).mkdir(parents=True)
        for name, content in messages.items():
            (directory / "mail" / "cur" / f"{name}:2,").write_bytes(content)
        (directory / "dovecot.conf").write_text(_CONFIGURATION.format(directory, user.pw_uid, user.pw_gid))
        for root, directories, files in os.walk(directory):
            for name in (".", *directories, *files):
                os.chown(Path(root) / name, user.pw_uid, user.pw_gid)
        dovecot = Dovecot(directory)
        try:
            yield dovecot
        finally:
            dovecot.close()
    finally:
        shutil.rmtree(directory)


def _each_number(thread: list[Any]) -> Iterator[int]:
    waiting = [*thread]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += one
        else:
            yield int(one)


def parse(data: bytes) -> list[Any]:
    """Return the words of an answer: bytes, None for NIL, lists for what stands in parentheses (RFC 9051 §4)."""
    lists: list[list[Any]] = [[]]
    at = 0
    while found := _TOKEN.search(data, at):
        at = found.end()
        literal, quoted, bracket, atom = found.groups()
        if literal is not None:
            lists[-1].append(data[at : at + int(literal)])
            at += int(literal)
        elif quoted is not None:
            lists[-1].append(re.sub(rb"\\(.)", rb"\1", quoted))
        elif bracket == b"(":
            lists.append([])
        elif bracket == b")":
            below = lists.pop()
            lists[-1].append(below)
        else:
            lists[-1].append(None if atom.upper() == b"NIL" else atom)
    return lists[0]
