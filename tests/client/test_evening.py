"""An evening with a phone, a tablet and a desktop: docs/policy.md, run word for word."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.client.devices import read_tree
from tests.client.evening import File, View, Whole, fill
from tests.client.page import Command, Request, Shell, read_sections, without_times
from tests.client.served import Server

PAGE = Path(__file__).parents[2] / "docs/policy.md"
EVENING = read_sections(PAGE)
SYNC = re.compile(r"davstore sync \$S (\w+) ")
READ = ("Mail/Inbox/20.eml", "Mail/Inbox/21.eml", "Mail/Inbox/22.eml")
EDITED = "Mail/Lists/16.eml"
LINE = b"Ask her again in spring.\n"


def is_recent_mail(file: File) -> bool:
    return file.is_message and file.days <= 30


def is_unread(file: File) -> bool:
    return not file.seen


def is_small(file: File) -> bool:
    return len(file.content) <= 20_000


class Shown(NamedTuple):
    """What a device has: the files for which all views hold, without closed folders, and what was edited there."""

    views: tuple[View, ...]
    closed: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()

    def tree(self, folders: set[str], files: dict[str, File]) -> dict[str, bytes | None]:
        """Return the folder of the device: path to content, None for a folder."""
        open_files = {path: file for path, file in files.items() if self._is_open(path)}
        shown = {path: file.content for path, file in open_files.items() if all(view(file) for view in self.views)}
        kept = {path: files[path].content for path in self.edited}
        above = {"/".join(path.split("/")[:depth]) for path in kept for depth in range(1, path.count("/") + 1)}
        return {**dict.fromkeys({path for path in folders if self._is_open(path)} | above), **shown, **kept}

    def _is_open(self, path: str) -> bool:
        return not any(path == folder or path.startswith(f"{folder}/") for folder in self.closed)


AT_FIRST = {
    "Phone": Shown((is_recent_mail,), ("Archive",)),
    "Tablet": Shown((is_unread,)),
    "Desktop": Shown(()),
}
NARROW = {
    "Phone": Shown((is_recent_mail, is_small), ("Archive", "Mail/Lists"), (EDITED,)),
    "Tablet": Shown((is_unread, is_small)),
    "Desktop": Shown((is_small,)),
}
SHOWN = {"The provider closes a folder": NARROW, "More than is allowed": NARROW}


class Evening:
    """The server, its user with a password, the three folders, and what holds after each section of the page."""

    def __init__(self, place: Path, server: Server) -> None:
        self.place, self.whole = place, Whole(server.url, server.credentials)
        self.shell = Shell(place, {**os.environ, "S": server.url})
        self.told = ""

    def run(self, heading: str) -> None:
        """Do all that a section says, and compare what it prints."""
        for step in EVENING[heading]:
            if isinstance(step, Request):
                self.told = self.whole.send(step.method, step.path, step.body).text
            elif isinstance(step, Command):
                found = SYNC.match(step.line)
                printed = (
                    self._sync(step.line, found[1], SHOWN.get(heading, AT_FIRST)) if found else self._do(step.line)
                )
                assert without_times(printed) == without_times(step.printed), step.line
            else:
                assert step.sentences in self.told

    def _do(self, line: str) -> str:
        """Run a command; one that fails is followed by its status on the page."""
        assert self.shell.status == 0 or line == "echo $?", "the page does not tell that a command failed"
        printed = self.shell.run(line)
        if line == "echo $?":
            self.shell.status = 0
        return printed

    def _sync(self, line: str, device: str, shown: dict[str, Shown]) -> str:
        """Synchronise a folder. A run sends marks last: it is shown what was marked before it."""
        before, (_, asked) = self.tree(device), self.whole.list()
        printed = self._do(line)
        after, (folders, files) = self.tree(device), self.whole.list()
        assert files.keys() == asked.keys()
        if self.shell.status:
            assert after == before
            return printed
        assert after == shown[device].tree(folders, {path: file.but(asked[path]) for path, file in files.items()})
        loaded = re.search(r"^download: (\d+)$", printed, re.MULTILINE)
        news = [path for path, content in after.items() if content is not None and before.get(path) != content]
        assert len(news) == int(loaded[1] if loaded else 0)
        return printed

    def tree(self, device: str) -> dict[str, bytes | None]:
        """Return what is in a folder."""
        return read_tree(self.place / device)

    def list_unread(self, device: str) -> set[str]:
        """Return the paths of the unread mail that a person is shown."""
        lines = self.shell.run(f"davstore mail list {device} --unread").splitlines()
        return {line.split()[-1] for line in lines}


@pytest.fixture
def evening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Evening]:
    fill(tmp_path / "corpus", tmp_path / "arrived")
    policy = tmp_path / "policy.toml"
    policy.touch()
    server = Server(tmp_path / "data", tmp_path / "log", POLICY__FILE=str(policy))
    monkeypatch.setenv("DAVSTORE_DATA__PATH", str(server.data))
    monkeypatch.setenv("DAVSTORE_POLICY__FILE", str(policy))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    yield Evening(tmp_path, server)
    server.kill()


def test_an_evening(evening: Evening) -> None:
    headings = iter(EVENING)

    def run(heading: str) -> None:
        assert heading == next(headings)
        evening.run(heading)

    run("The provider")
    run("What each device is for")
    run("The desktop at home")
    run("The phone on a train abroad")
    assert not any(path.endswith(".jpg") for path in evening.tree("Phone"))
    run("The tablet on the sofa")
    assert set(READ) < evening.tree("Tablet").keys()

    _, before = evening.whole.list()
    unread = evening.list_unread("Desktop")
    run("Three mails are read")
    assert not set(READ) & evening.tree("Tablet").keys()
    assert {path for path, file in evening.whole.list()[1].items() if file != before[path]} == set(READ)
    assert evening.list_unread("Desktop") == unread - set(READ)

    run("New mail")
    _, before = evening.whole.list()
    run("The provider closes a folder")
    _, files = evening.whole.list()
    assert {path for path, file in files.items() if file != before[path]} == {EDITED}
    assert files[EDITED].content == before[EDITED].content + LINE == evening.tree("Phone")[EDITED]
    run("More than is allowed")

    kept = (evening.place / "Phone" / EDITED).stat()
    run("The provider opens it again")
    assert (evening.place / "Phone" / EDITED).stat() == kept
    assert evening.whole.list()[1] == files

    run("The phone is lost")
    assert evening.whole.list()[1] == files
    assert next(headings, None) is None
