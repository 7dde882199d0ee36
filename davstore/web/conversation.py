"""The pages of conversations: the list of them, and the messages of one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from davstore.errors import CorruptBlob
from davstore.model.messages import MessageSummary
from davstore.model.nodes import ResourceType
from davstore.model.paths import Path
from davstore.model.threads import Participant, find_participants
from davstore.protocol.dav.hrefs import encode_segment
from davstore.protocol.http.dates import render_iso_date
from davstore.store.browsing_threads import Conversation, Listed, Message, Threads
from davstore.web.layout import is_object, lay_out
from davstore.web.letters import NO_SUBJECT, Letter, is_unread
from davstore.web.message import (
    MESSAGE_STYLE,
    SANDBOX,
    Attachment,
    Piece,
    Section,
    describe_attachment,
    read_sections,
)
from davstore.web.ordering import Span
from davstore.web.page import refer
from davstore.web.templates import STYLE, Headers, load_template, protect, read
from davstore.web.words import render_name

THREADS: Final = 100
"""Conversations on a page of the list."""
MESSAGES: Final = 50
"""Messages on a page of a conversation."""
_MOST_TEXT_BYTES: Final = 4 * 1024
"""The most text of one message in its conversation: some fifty lines."""
_MOST_LINKS: Final = 40
"""Links in the text of one message."""
_MOST_ATTACHMENTS: Final = 20
"""Of one message: the others are on its page."""
_MOST_NAMES: Final = 3
"""Participants that are told by name."""
_ANSWER: Final = re.compile(r"^(?:\s*re\s*:)*\s*", re.IGNORECASE)
"""The beginning of a subject that says of which it is the answer (RFC 5322 §3.6.5)."""
_TEXT: Final = "text/plain"

_STYLE: Final = f"{MESSAGE_STYLE}{read('conversation.css')}"
PROTECTION: Final[Headers] = protect(_STYLE, "frame-src 'self'")
"""The headers of the page of a conversation."""
_LIST: Final = load_template("conversations.html")
_PAGE: Final = load_template("conversation.html")


class Row(NamedTuple):
    """A conversation in the list."""

    href: str
    letter: Letter
    messages: int
    unread: int
    time: str


class Shown(NamedTuple):
    """A message of a conversation. subject is there where it is another than that of the conversation."""

    href: str
    sender: str
    address: str
    is_sent: bool
    is_unread: bool
    subject: str | None
    time: str
    sections: list[Section]
    pictures: list[Attachment]
    attachments: list[Attachment]
    left_out: int


def render_threads(page: Threads, span: Span) -> bytes:
    """Return the HTML of a page of the list of conversations. All references in it are relative."""
    html = _LIST.render(
        style=STYLE,
        files=refer(page.facts.at(()), Path(page.facts.owner)),
        rows=[_row(one) for one in page.threads],
        first="./" if span.before else None,
        more=page.more and Span(before=page.more).query,
    )
    return html.encode(errors="replace")


def render_conversation(path: Path, page: Conversation) -> bytes:
    """Return the HTML of a page of a conversation. All references in it are relative."""
    messages = [_show(one) for one in page.messages]
    subject = next((one.subject for one in messages if one.subject), None)
    html = _PAGE.render(
        style=_STYLE,
        sandbox=SANDBOX,
        files=refer(path, Path(path.store)),
        subject=subject or _names(page.participants) or NO_SUBJECT,
        participants=_names(page.participants) if subject else None,
        thread=page.thread,
        sessions=[(refer(path, Path(path.store, names)), render_name(names[-1])) for names in page.sessions],
        messages=[one._replace(subject=None) if one.subject == subject else one for one in messages],
        older=page.older and Span(before=page.older).query,
        newer=page.newer and Span(after=page.newer).query,
    )
    return html.encode(errors="replace")


def _row(listed: Listed) -> Row:
    newest, thread = listed.newest, listed.thread
    texts = () if newest is None else (_subject(newest), listed.preview, newest.filename, NO_SUBJECT)
    letter = Letter(
        who=_names(listed.participants),
        subject=render_name(next(filter(None, texts), "")),
        is_unread=thread.unread > 0,
        is_flagged=False,
        has_attachment=newest is not None and newest.has_attachment,
    )
    time = render_iso_date(thread.last_us // 1_000_000)
    return Row(f"./{encode_segment(listed.resource.name)}/", letter, thread.messages, thread.unread, time)


def _names(participants: Sequence[Participant]) -> str:
    names = [render_name(one.name or one.address) for one in participants[:_MOST_NAMES]]
    others = len(participants) - len(names)
    return ", ".join(names) + (f" and {others} more" if others else "")


def _subject(summary: MessageSummary) -> str | None:
    return summary.subject and render_name(_ANSWER.sub("", summary.subject, count=1))


def _show(message: Message) -> Shown:
    summary, href = message.summary, f"./{encode_segment(message.resource.name)}"
    sections, attachments = _read(message, href)
    shown = attachments[:_MOST_ATTACHMENTS]
    return Shown(
        href=href,
        sender=_names(find_participants([summary.from_ or ""])),
        address=render_name(summary.from_ or ""),
        is_sent=summary.direction == "sent",
        is_unread=is_unread(message.resource, summary),
        subject=_subject(summary),
        time=render_iso_date(summary.date_us // 1_000_000),
        sections=sections,
        pictures=[one for one in shown if one.has_preview],
        attachments=[one for one in shown if not one.has_preview],
        left_out=len(attachments) - len(shown),
    )


def _read(message: Message, href: str) -> tuple[list[Section], list[Attachment]]:
    """Return what is read of a message, and what is attached; its beginning where more cannot be had here."""
    is_transfer = message.summary.kind is ResourceType.FILE_TRANSFER
    beginning = Piece(message.preview or render_name(message.summary.filename or ""), None)
    if message.body is None or message.parts is None:
        return [Section(href, (beginning,), None, is_whole=False)], []
    layout = lay_out(message.parts, best=_TEXT)
    try:
        sections = [*read_sections(message.body, layout.sections, href, room=_MOST_TEXT_BYTES, links=_MOST_LINKS)]
    except CorruptBlob:
        return [Section(href, (beginning,), None, is_whole=False)], []
    if is_transfer and not sections:
        sections = [Section(href, (beginning,), None, is_whole=True)]
    attached = [part for part in layout.attachments if not (is_transfer and is_object(part))]
    return sections, [describe_attachment(part, href) for part in attached]
