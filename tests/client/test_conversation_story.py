"""A conversation of two people on four devices: docs/conversation.md, run word for word."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from tests.client.devices import read_tree
from tests.client.evening import Whole
from tests.client.page import Command, Shell, read_sections
from tests.client.served import Server

PAGE = Path(__file__).parents[2] / "docs/conversation.md"
PICTURE = bytes.fromhex("474946383961010001008000000066cc0000002c00000000010001000002024401003b")
WRITTEN = [
    ("Ann", "Shall we go to the sea?"),
    ("Bob", "Now? It is November."),
    ("Bob", "Cold feet, hot chocolate?"),
    ("Ann", "Deal."),
    ("Bob", "It leaves at 9:12, from platform 3."),
    ("Ann", "Platform 3 is a bakery."),
    ("Ann", PICTURE),
    ("Bob", "All the better."),
]
"""All that the two wrote, by time: who, and the text or the picture."""
PASSWORDS = {"ann": "sand and salt", "bob": "wind and water"}
DEVICES = {"AnnPhone": "ann", "AnnTablet": "ann", "BobPhone": "bob", "BobTablet": "bob"}
OTHERS = {"ann": "Bob", "bob": "Ann"}


def read(file: bytes) -> tuple[str, str | bytes]:
    """Return who wrote a message, and its text or picture."""
    mail = message_from_bytes(file, policy=policy.default)
    if mail.get_content_type() == "message/cpim":
        head, _, content = file.partition(b"\n\n")[2].partition(b"\n\n")
        return head.decode().removeprefix("From: ")[:3], content.partition(b"\n\n")[2].decode().strip()
    picture = next(mail.iter_attachments(), None)
    return mail["From"][:3], picture.get_content() if picture else mail.get_content().strip()


@pytest.fixture
def utc() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path / "data", tmp_path / "log", SERVER__WORKERS="1")
    yield running
    running.kill()


@pytest.fixture
def shell(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, utc: None) -> Shell:
    monkeypatch.setenv("DAVSTORE_DATA__PATH", str(server.data))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path, {**os.environ, "H": server.url.partition("/dav/")[0]})


def test_a_conversation_on_four_devices(server: Server, shell: Shell, tmp_path: Path) -> None:
    for steps in read_sections(PAGE).values():
        for step in steps:
            assert isinstance(step, Command)
            assert (shell.run(step.line), shell.status) == (step.printed, 0), step.line

    folders, shown = {device: read_tree(tmp_path / device) for device in DEVICES}, set()
    for device, tree in folders.items():
        files = [content for _, content in sorted(tree.items()) if content is not None]
        assert [read(content) for content in files] == WRITTEN
        (name,) = (path for path, content in tree.items() if content is None)
        assert OTHERS[DEVICES[device]] in name
        shown.add(shell.run(f'davstore mail show {device} "{name}"'))
    assert len(shown) == 1
    assert shown.pop().count("  (seen)\n") == len(WRITTEN)

    for user, password in PASSWORDS.items():
        _, stored = Whole(server.url.replace("/me/", f"/{user}/"), (user, password)).list()
        messages = {path: file for path, file in stored.items() if "sea-1/" not in path or path.endswith(".cpim")}
        assert len(stored) - len(messages) == (2 if user == "ann" else 0)
        assert all(file.seen for file in messages.values())
        for device in (one for one, owner in DEVICES.items() if owner == user):
            kept = [content for content in folders[device].values() if content is not None]
            assert sorted(kept) == sorted(file.content for file in messages.values())
