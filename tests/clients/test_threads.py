"""Some 6,000 real messages in threads: by notmuch, Dovecot and mblaze, and by the model that judges davstore.

Each program has rules of its own; with these in the model, what is left is named in `thread_differences.py`.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import pytest

from tests import corpus, mail_oracles
from tests.clients import thread_differences
from tests.clients.dovecot import delivered
from tests.clients.thread_differences import named
from tests.threads import model, record_notmuch
from tests.threads.model import Message

Partition = set[frozenset[str]]
_ID: Final = re.compile(r"[^\s@]+@[^\s@]+")


@pytest.fixture(scope="module")
def mail(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return all of the mail by short names."""
    return corpus.copy(tmp_path_factory.mktemp("mail") / "source")


@pytest.fixture(scope="module")
def messages(mail: Mapping[str, bytes]) -> dict[str, Message]:
    """Return it as the model sees it."""
    return {name: model.read(content) for name, content in mail.items()}


@pytest.mark.clients
@pytest.mark.peer("notmuch")
def test_notmuch(mail: Mapping[str, bytes], messages: Mapping[str, Message]) -> None:
    """threads of 6,000 messages, which are those of davstore but for named ones"""
    found = record_notmuch.ask(mail)
    known = {name: message for name, message in messages.items() if name in frozenset().union(*found)}
    assert {*messages} - {*known} == {"insert/mbox-attachment.eml"}
    both = {name: _with_both(message) for name, message in known.items()}
    assert model.partition(both) == found
    assert _split(found, model.partition(known)) == named(thread_differences.IN_NOTMUCH)
    assert {thread for thread in found if thread & {*record_notmuch.read_samples()}} == record_notmuch.recorded()


def _with_both(message: Message) -> Message:
    """Return a message that follows its In-Reply-To beside its References."""
    return message._replace(references=message.references + message.in_reply_to)


@pytest.mark.clients
@pytest.mark.peer("dovecot-imapd")
def test_dovecot(mail: Mapping[str, bytes], messages: Mapping[str, Message]) -> None:
    """THREAD of 6,000 messages, with Dovecot's rules for what is an id and named differences"""
    contents = {f"{number:06}": mail_oracles.without_postmarks(one) for number, one in enumerate(mail.values())}
    names = [*mail]
    with delivered(contents) as dovecot:
        by_number = {at: names[int(one[b"X-GUID"])] for at, one in enumerate(dovecot.fetch("1:*", "X-GUID"), 1)}
        by_links, by_subjects = (
            {frozenset(by_number[number] for number in thread) for thread in dovecot.thread(algorithm)}
            for algorithm in ("REFS", "REFERENCES")
        )
    expected = model.partition(_first_of_each_id(messages, _as_dovecot))
    assert _split(expected, by_links) == named(thread_differences.IN_DOVECOT)
    assert len(by_subjects) < len(by_links) - 500


def _as_dovecot(message: Message) -> Message:
    """Return a message with the ids that have an @, and of its In-Reply-To the first."""
    references = tuple(filter(_ID.fullmatch, message.references))
    in_reply_to = tuple(filter(_ID.fullmatch, message.in_reply_to))[:1]
    own = message.message_id if _ID.fullmatch(message.message_id or "") else None
    return message._replace(message_id=own, references=references, in_reply_to=in_reply_to)


@pytest.mark.clients
@pytest.mark.peer("mblaze")
def test_mblaze(mail: Mapping[str, bytes], messages: Mapping[str, Message], tmp_path: Path) -> None:
    """mthread of 6,000 messages, with its rules for In-Reply-To and named differences"""
    files = {str(tmp_path / f"{number:06}"): name for number, name in enumerate(mail)}
    for file, name in files.items():
        Path(file).write_bytes(mail[name])
    said = subprocess.run(["mthread", "-v"], input="\n".join(files), capture_output=True, text=True, check=True).stdout
    found: list[set[str]] = []
    for line in said.splitlines():
        if not line.startswith(" "):
            found.append(set())
        found[-1] |= {files[word] for word in (line.strip(),) if word in files}
    shown = {name for thread in found for name in thread}
    last = {message.message_id or name: name for name, message in messages.items()}
    assert shown == {*last.values()}
    replies = {name: _as_mblaze(messages[name]) for name in shown}
    chains = {f"{name} refers": Message(None, messages[name].references) for name in shown}
    expected = {thread & shown for thread in model.partition(replies | chains)} - {frozenset()}
    assert _split(expected, {frozenset(thread) for thread in found if thread}) == named(thread_differences.IN_MBLAZE)


def _as_mblaze(message: Message) -> Message:
    """Return a message that follows the first id of its In-Reply-To, and only without one its References."""
    if message.in_reply_to:
        return message._replace(references=(), in_reply_to=message.in_reply_to[:1])
    return message


def _first_of_each_id(messages: Mapping[str, Message], change: Callable[[Message], Message]) -> dict[str, Message]:
    """Return changed messages, of which those that come later with the id of another have none."""
    seen: set[str | None] = {None}
    found = {}
    for name, message in messages.items():
        changed = change(message)
        found[name] = changed._replace(message_id=None) if changed.message_id in seen else changed
        seen.add(changed.message_id)
    return found


def _split(coarse: Partition, fine: Partition) -> dict[str, list[str]]:
    """Return the threads of a partition that another has as several: the first message of each of these.

    No thread of the other may be more than one of these.
    """
    of = {name: thread for thread in coarse for name in thread}
    found: dict[str, list[str]] = {}
    for thread in fine - coarse:
        assert thread < of[next(iter(thread))], sorted(thread)
        found.setdefault(min(of[next(iter(thread))]), []).append(min(thread))
    return {name: sorted(parts) for name, parts in sorted(found.items())}
