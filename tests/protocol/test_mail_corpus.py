"""Real mail beside the standard library's parser: facts and parts of every file."""

from __future__ import annotations

import email
import email.message
from collections.abc import Iterator
from email.header import decode_header
from email.utils import mktime_tz, parsedate_tz
from pathlib import Path

import pytest

from davstore.protocol.message.reading import read_message
from davstore.protocol.message.transfer import decode
from tests.samples import SAMPLES, fill

NO_MAIL = {"README": "the words of the corpus about itself"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if SAMPLES.is_dir():
        return SAMPLES / "mail"
    root = tmp_path_factory.mktemp("mail")
    fill(root)
    return root


def test_every_file_says_what_the_library_says(folder: Path) -> None:
    differing: dict[str, list[tuple[object, object]]] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        name = str(path.relative_to(folder))
        found = read_message(content)
        assert (found is None) == (name in NO_MAIL), name
        if found is None:
            continue
        oracle = email.message_from_bytes(content)
        ours = (found.from_, found.subject, found.message_id, found.date_us, [
            (part.number, part.media_type) for part in found.parts
        ])  # fmt: skip
        theirs = (
            text(oracle, "From"),
            text(oracle, "Subject"),
            (text(oracle, "Message-ID") or "").strip("<>") or None,
            moment(oracle),
            [(number, part.get_content_type()) for number, part in numbered(oracle, "")],
        )
        pairs = [(plain(one), plain(other)) for one, other in zip(ours, theirs, strict=True)]
        pairs += [
            (b"".join(decode((content[part.start : part.stop],), part.encoding)), theirs.get_payload(decode=True))
            for part, (_, theirs) in zip(found.parts, numbered(oracle, ""), strict=False)
            if not theirs.is_multipart() and not part.media_type.startswith("message/")
        ]
        if wrong := [pair for pair in pairs if pair[0] != pair[1]]:
            differing[name] = wrong
    assert differing == {}


def text(message: email.message.Message, name: str) -> str | None:
    """Return the first field decoded by the library."""
    value = message.get(name)
    if value is None:
        return None
    pieces = (
        piece if isinstance(piece, str) else piece.decode(charset or "utf-8", "replace")
        for piece, charset in decode_header(value)
    )
    return " ".join("".join(pieces).split()) or None


def plain(fact: object) -> object:
    """Drop quotes: those around decoded names are ours (RFC 5322 §3.2.4), the library leaves others out."""
    return fact.replace('"', "") if isinstance(fact, str) else fact


def moment(message: email.message.Message) -> int | None:
    parsed = parsedate_tz(str(message.get("Date", "")))
    return mktime_tz((*parsed[:9], parsed[9] or 0)) * 1_000_000 if parsed else None


def numbered(message: email.message.Message, prefix: str) -> Iterator[tuple[str, email.message.Message]]:
    """Number the parts of a message as RFC 9051 §6.4.5 has it."""
    if message.is_multipart() and message.get_content_maintype() == "multipart":
        yield from children(message, prefix)
    else:
        yield from below(message, f"{prefix}1")


def children(multipart: email.message.Message, prefix: str) -> Iterator[tuple[str, email.message.Message]]:
    for number, part in enumerate(multipart.get_payload(), 1):
        assert isinstance(part, email.message.Message)
        yield from below(part, f"{prefix}{number}")


def below(part: email.message.Message, number: str) -> Iterator[tuple[str, email.message.Message]]:
    yield number, part
    if part.get_content_type() == "message/rfc822" and part.is_multipart():
        (inner,) = part.get_payload()
        assert isinstance(inner, email.message.Message)
        yield from numbered(inner, f"{number}.")
    elif part.is_multipart() and part.get_content_maintype() == "multipart":
        yield from children(part, f"{number}.")
