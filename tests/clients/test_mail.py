"""Some 6,000 real messages by import, facts, parts and states, beside `email` and Dovecot, and out again."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import pytest
import requests

from davstore.model.messages import Part
from davstore.protocol.message.reading import read_message
from tests import corpus, mail_oracles
from tests.clients import mail_differences
from tests.clients.dovecot import Dovecot, delivered
from tests.clients.listing import KEYWORDS, STATES, Listed, follow, list_files, mark
from tests.clients.place import PATIENCE_SECONDS, Place
from tests.clients.structures import Structure, read_structure
from tests.mail_oracles import Facts

_BROKEN: Final = (b"SYNTAX_ERROR", b"MISSING_MAILBOX", b"MISSING_DOMAIN")
"""Dovecot's words in an address that it cannot read."""
_FACTS: Final = {"message_id": 9, "in_reply_to": 8, "subject": 1, "from_": 2, "to": 5, "cc": 6, "bcc": 7, "date": 0}
"""The place of each in an ENVELOPE (RFC 9051 §7.5.2), which has no references."""


class Imported(NamedTuple):
    """A place with messages, their bytes by short names, and when their import began and ended."""

    place: Place
    source: Path
    messages: dict[str, bytes]
    begun: float
    ended: float

    def each_facts(self) -> Iterator[tuple[str, bytes, Facts]]:
        """Yield each message and the facts that a PROPFIND tells, no date where it is that of the import."""
        told = {listed.digest: listed.facts for listed in list_files(self.place).values()}
        for name, content in self.messages.items():
            facts = told[hashlib.sha256(content).hexdigest()]
            assert facts["kind"] == "message", name
            ours = mail_oracles.told(facts)
            is_of_import = ours.date is not None and self.begun <= ours.date <= self.ended
            yield name, content, ours._replace(date=None) if is_of_import else ours


@pytest.fixture(scope="module")
def imported(store: Place, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Imported]:
    """Yield a folder of a store into which all of the mail was imported."""
    source = tmp_path_factory.mktemp("mail") / "source"
    messages = corpus.copy(source)
    place = store._replace(url=f"{store.url}mail/")
    begun = time.time()
    davstore("import", place.user, source, "--into", "mail", "--data", data)
    yield Imported(place, source, messages, begun, time.time())
    place.ask("DELETE")


def davstore(*words: object) -> None:
    """Run a command, which must succeed."""
    done = subprocess.run(
        [sys.executable, "-m", "davstore", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def dovecot(imported: Imported) -> Iterator[Dovecot]:
    """Yield a Dovecot that has the same messages; the name of each is its number in their order."""
    contents = [mail_oracles.without_postmarks(content) for content in imported.messages.values()]
    with delivered({f"{number:06}": content for number, content in enumerate(contents)}) as session:
        yield session


@pytest.mark.clients
@pytest.mark.peer("python3")
def test_facts_beside_the_standard_library(imported: Imported) -> None:
    """email: facts of 6,000 imported messages, as a PROPFIND tells them"""
    found = set()
    for name, content, ours in imported.each_facts():
        theirs = mail_oracles.facts_of(content)
        found |= {f"{name} {fact}" for fact in mail_oracles.differences(ours, theirs)}
    assert sorted(found - mail_differences.named(mail_differences.FACTS)) == []


@pytest.mark.clients
@pytest.mark.peer("dovecot-imapd")
def test_facts_beside_dovecot(imported: Imported, dovecot: Dovecot) -> None:
    """ENVELOPE of 6,000 messages, beside the facts that a PROPFIND tells"""
    envelopes = {int(one[b"X-GUID"]): one[b"ENVELOPE"] for one in dovecot.fetch("1:*", "X-GUID ENVELOPE")}
    assert len(envelopes) == len(imported.messages)
    found = set()
    for number, (name, _, ours) in enumerate(imported.each_facts()):
        theirs = _facts_of(envelopes[number])
        found |= {f"{name} {fact}" for fact, value in theirs.items() if getattr(ours, fact) != value}
    assert sorted(found - mail_differences.named(mail_differences.FACTS, mail_differences.FACTS_IN_DOVECOT)) == []


@pytest.mark.clients
@pytest.mark.peer("dovecot-imapd")
def test_structure_beside_dovecot(imported: Imported, dovecot: Dovecot) -> None:
    """BODYSTRUCTURE of 6,000 messages, beside their parts: numbers, types, charsets, encodings, names, ids"""
    found = set()
    messages = list(imported.messages.items())
    for one in dovecot.fetch("1:*", "X-GUID BODYSTRUCTURE"):
        name, content = messages[int(one[b"X-GUID"])]
        ours = {part.number: _described(part) for part in _parts(content)}
        theirs = dict(read_structure(one[b"BODYSTRUCTURE"]))
        if list(ours) != list(theirs):
            found.add(f"{name} {' '.join(theirs)}")
        for number in ours.keys() & theirs.keys():
            pairs = zip(Structure._fields, ours[number], theirs[number], strict=True)
            found |= {f"{name} {number} {what}" for what, mine, other in pairs if mine != other}
    assert sorted(found - mail_differences.named(mail_differences.STRUCTURES)) == []


def _parts(content: bytes) -> tuple[Part, ...]:
    facts = read_message(content)
    assert facts is not None
    return facts.parts


def _described(part: Part) -> Structure:
    """Return a part as a BODYSTRUCTURE describes it."""
    media_type, content_id = part.media_type, part.content_id
    charset = (part.charset or "us-ascii") if media_type.startswith("text/") else None
    if media_type.startswith("multipart/"):
        return Structure(media_type, None, None, None, part.disposition, part.filename)
    return Structure(media_type, charset, part.encoding, content_id, part.disposition, part.filename)


@pytest.mark.clients
@pytest.mark.peer("dovecot-imapd")
def test_parts_beside_dovecot(imported: Imported, dovecot: Dovecot) -> None:
    """BINARY of each part of 6,000 messages, beside GET of `?part=`"""
    places = {listed.digest: name for name, listed in list_files(imported.place).items()}
    found = set()
    with requests.Session() as session:
        session.auth = (imported.place.user, imported.place.password)
        for at, (name, content) in enumerate(imported.messages.items(), 1):
            url = f"{imported.place.url}{quote(places[hashlib.sha256(content).hexdigest()])}"
            for number, theirs in _contents(dovecot, at).items():
                answer = session.get(url, params={"part": number}, timeout=PATIENCE_SECONDS)
                assert answer.ok, f"{name} {number}: {answer.status_code}"
                if _comparable(answer.content) != _comparable(theirs):
                    found.add(f"{name} {number}")
    assert sorted(found - mail_differences.named(mail_differences.CONTENTS)) == []


def _contents(dovecot: Dovecot, at: int) -> dict[str, bytes]:
    """Return the decoded content of each part that Dovecot numbers: by itself, else by the standard library."""
    [described] = dovecot.fetch(f"{at}", "BODYSTRUCTURE")
    parts = dict(read_structure(described[b"BODYSTRUCTURE"]))
    items = {number: "BODY" if part.is_composite else "BINARY" for number, part in parts.items()}
    with contextlib.suppress(ValueError):
        wanted = " ".join(f"{item}.PEEK[{number}]" for number, item in items.items())
        [found] = dovecot.fetch(f"{at}", wanted)
        return {number: found[f"{item}[{number}]".encode()] or b"" for number, item in items.items()}
    contents = {}
    for number, part in parts.items():
        [found] = dovecot.fetch(f"{at}", f"BODY.PEEK[{number}]")
        raw = found[f"BODY[{number}]".encode()] or b""
        contents[number] = mail_oracles.decode_content(raw, "" if part.is_composite else part.encoding or "")
    return contents


def _comparable(content: bytes) -> list[bytes]:
    """Return content without what an encoding or a Maildir may change: ends of lines, and blanks before them.

    A line break at the end goes too: Dovecot counts that of the next boundary to a multipart
    (`findings/dovecot-nested-multipart-keeps-line-break.sh`).
    """
    return re.split(rb"[ \t]*\r?\n", content.removesuffix(b"\n").removesuffix(b"\r"))


def _facts_of(envelope: list[Any]) -> dict[str, Any]:
    """Return the facts of an ENVELOPE by the names of `Facts`, without those that Dovecot says it cannot read."""
    facts: dict[str, Any] = {}
    for fact, at in _FACTS.items():
        value = envelope[at]
        if at in range(2, 8):
            addresses = {_address(one) for one in value or [] if one[2] and one[3]}
            if None not in addresses:
                facts[fact] = addresses
        else:
            facts[fact] = _READ[fact](None if value is None else mail_oracles.decode_raw(value))
    return facts


_READ: Final = {
    "date": mail_oracles.read_date,
    "message_id": mail_oracles.read_id,
    "in_reply_to": mail_oracles.read_ids,
    "subject": mail_oracles.read_text,
}


def _address(parts: list[bytes]) -> str | None:
    """Return an address of an ENVELOPE as it is written; None: Dovecot cannot read it."""
    mailbox, host = parts[2], parts[3]
    if mailbox in _BROKEN or host in _BROKEN:
        return None
    local = b'"%b"' % mailbox if b"@" in mailbox else mailbox
    return mail_oracles.decode_raw(local + b"@" + host)


@pytest.mark.clients
def test_round_trip(imported: Imported, data: Path, tmp_path: Path) -> None:
    """import of 6,000 messages, marked by PROPPATCH, export as Maildir and mbox, imported again: all the same"""
    place = imported.place
    token = follow(place)[1]
    wanted = dict(zip(list_files(place), itertools.cycle(_STATES), strict=False))
    with requests.Session() as session:
        session.auth = (place.user, place.password)
        for name, states in wanted.items():
            if states:
                mark(session, place, name, states)
    marked = list_files(place)
    assert {name: listed.states for name, listed in marked.items()} == wanted
    assert follow(place, token)[0] == {name for name, states in wanted.items() if states}

    for form in ("maildir", "mbox"):
        davstore("export", place.user, tmp_path / form, "--format", form, "--data", data)
        davstore("import", place.user, tmp_path / form, "--into", form, "--data", data)
        again = place._replace(url=place.url.replace("/mail/", f"/{form}/"))
        assert _sums(list_files(again).values()) == _sums(marked.values())
        again.ask("DELETE")


_STATES: Final = [frozenset(), *(frozenset({state}) for state in (*STATES, *KEYWORDS)), frozenset({*STATES, *KEYWORDS})]


def _sums(listed: Iterable[Listed]) -> Counter[tuple[str, frozenset[str]]]:
    """Count files of the same bytes and states."""
    return Counter((one.digest, one.states) for one in listed)
