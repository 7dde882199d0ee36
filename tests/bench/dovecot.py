"""A Dovecot of the harness beside davstore, with its defaults (sdbox), over TCP as davstore is."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.bench.wires import ImapWire


class Dovecot:
    """A Dovecot of the harness, in a directory of its own."""

    def __init__(self, harness: Path, directory: Path) -> None:
        self._script = harness.resolve() / "peers" / "dovecot.sh"
        self.directory = directory
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = str(probe.getsockname()[1])

    def __enter__(self) -> Dovecot:
        self.directory.mkdir()
        words = [self._script, "start", self.directory, self._port]
        said = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
        told = dict(line.split("=", 1) for line in said.splitlines())
        self.user, self._password = told["user"], told["password"]
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run([self._script, "stop", self.directory], check=True)

    def wire(self) -> ImapWire:
        """Return a connection, signed in."""
        return ImapWire(("127.0.0.1", int(self._port)), self.user, self._password)

    def import_maildir(self, source: Path, mailbox: str) -> None:
        """Bring a Maildir in by Dovecot's own command."""
        words = ["doveadm", "-c", self.directory / "dovecot.conf", "import", "-u", self.user]
        subprocess.run([*words, f"maildir:{source}", mailbox, "ALL"], check=True)

    def sync_always(self) -> None:
        """Bring changes of flags to the disk too before they are answered, as davstore does; by default it does not."""
        configuration = self.directory / "dovecot.conf"
        configuration.write_text(f"{configuration.read_text()}mail_fsync = always\n")
        subprocess.run(["doveadm", "-c", configuration, "reload"], check=True)


@contextlib.contextmanager
def dovecot_of(harness: Path, directory: Path) -> Iterator[Dovecot | None]:
    """Run one in a directory; None: there is no harness."""
    if not (harness / "peers" / "dovecot.sh").exists():
        yield None
        return
    with Dovecot(harness, directory / "dovecot") as dovecot:
        yield dovecot
