"""The page of a message: its headers, its text, its HTML in a frame of its own, and what is attached."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from davstore.engine.opening import Body
from davstore.model.messages import MessageFacts, Part
from davstore.model.nodes import ResourceType
from davstore.model.paths import Area, Path
from davstore.protocol.http.dates import render_iso_date
from davstore.protocol.http.queries import part_query
from davstore.protocol.message.inert import MOST_CHARACTERS, make_inert
from davstore.protocol.message.transfer import decode
from davstore.protocol.message.words import decode_bytes
from davstore.store.browsing import OpenMessage
from davstore.web.layout import HTML, lay_out
from davstore.web.letters import NO_SUBJECT
from davstore.web.page import PICTURES, PREVIEWED_BYTES, Crumb, refer
from davstore.web.templates import STYLE, Headers, load_template, protect, read
from davstore.web.words import kind_of, kind_of_type, render_name, render_size

MOST_TEXT_BYTES: Final = 1 << 20
"""The most text of a message in its page, all parts together."""
_MOST_HTML_BYTES: Final = 4 * MOST_CHARACTERS
_MOST_NAME_CHARACTERS: Final = 255
FRAMED: Final = "html"
"""The name, in the query of a message's URL, for the frame of one part of HTML."""
ORIGINAL: Final = "raw"
"""The name, in the query of a message's URL, for its bytes: no program but a browser that shows the page needs it."""

SANDBOX: Final = "allow-same-origin allow-popups allow-popups-to-escape-sandbox"
"""No script, no form, no way to the page around the frame. The origin is kept for the message's own pictures, which no
other origin may show; links open windows of their own."""
MESSAGE_STYLE: Final = f"{STYLE}{read('message.css')}"
PROTECTION: Final = protect(MESSAGE_STYLE, "frame-src 'self'")
"""The headers of the page of a message."""
_FRAME_POLICY: Final = (
    f"sandbox {SANDBOX}; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'"
)
FRAME_PROTECTION: Final[Headers] = [
    ("Content-Security-Policy", _FRAME_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]
"""The headers of the HTML of a message: its styles are its own, so they are bound to load nothing."""

_PAGE: Final = load_template("message.html")
_FRAME: Final = load_template("frame.html")
_LINK: Final = re.compile(r"https?://[^\s<>\"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]{1,2000}", re.IGNORECASE)
_MOST_LINKS: Final = 2_000
"""Links in a page; further addresses are text. With its markup a short address is fifteen times as long."""
_RUN_CHARACTERS: Final = 16 * 1024
"""A run of text is cut for the template, which escapes it as a whole."""
_BEHIND: Final = ".,:;!?'*_)]}"
"""Characters that end a sentence rather than the address before them."""


class Piece(NamedTuple):
    """A run of text; href is there where it is a link."""

    text: str
    href: str | None


class Section(NamedTuple):
    """A part that is read in the page: pieces of its text, made when it is written, or the href of its frame."""

    href: str
    pieces: Iterable[Piece]
    frame: str | None
    is_whole: bool


class Attachment(NamedTuple):
    """A part that is attached, as it is shown."""

    href: str
    name: str
    word: str
    icon: str
    media_type: str
    size: str
    has_preview: bool


def render_message(path: Path, opened: OpenMessage, way: tuple[str, ...]) -> bytes:
    """Return the HTML of the page of a message. All references in it are relative: it does not know its prefix."""
    resource, message = opened.resource, opened.message
    is_object = message.kind is not ResourceType.MESSAGE
    layout = lay_out(_parts_of(opened), is_object=is_object)
    pieces = _PAGE.generate(
        style=MESSAGE_STYLE,
        sandbox=SANDBOX,
        crumbs=_crumbs(path, way[:-1]),
        conversation=_conversation(path, opened.thread),
        subject=_subject(message, resource.name),
        kind=kind_of(resource),
        fields=_fields(message),
        date=None if message.date_us is None else render_iso_date(message.date_us // 1_000_000),
        details=_details(message),
        sections=list(read_sections(opened.body, layout.sections, room=MOST_TEXT_BYTES, links=_MOST_LINKS)),
        versions=[(_href(part), kind_of_type(part.media_type).word) for part in layout.versions],
        attachments=[describe_attachment(part) for part in layout.attachments],
        original=f"?{ORIGINAL}",
        name=render_name(resource.name),
        size=render_size(resource.length or 0),
    )
    html = bytearray()
    for piece in pieces:
        html += piece.encode(errors="replace")
    return bytes(html)


def render_frame(opened: OpenMessage, number: str) -> bytes | None:
    """Return the HTML of a part, made inert; None: no part of HTML has that number."""
    part = next((one for one in opened.message.parts if (one.number, one.media_type) == (number, HTML)), None)
    if part is None:
        return None
    content, is_whole = _read(opened.body, part, _MOST_HTML_BYTES)
    inert = make_inert(content, _pictures(opened.message))
    html = _FRAME.render(html=inert.html, href=None if is_whole and inert.is_whole else _href(part))
    return html.encode(errors="replace")


def _parts_of(opened: OpenMessage) -> tuple[Part, ...]:
    """Return the parts of a message; of an object that has none, itself as the only one."""
    if opened.message.parts:
        return opened.message.parts
    return (Part("", 0, opened.resource.length or 0, "text/xml", None, None, "7bit", None, None, None),)


def _href(part: Part) -> str:
    return part_query(part.number) if part.number else f"?{ORIGINAL}"


def _pictures(message: MessageFacts) -> dict[str, str]:
    return {part.content_id: _href(part) for part in message.parts if part.content_id and part.media_type in PICTURES}


def _crumbs(path: Path, above: tuple[str, ...]) -> list[Crumb]:
    if path.area is Area.THREADS:
        return [Crumb(refer(path.parent, Path(path.store)), render_name(path.store)), Crumb("../", "Conversations")]
    return [Crumb("../" * (len(above) - 1 - i) or "./", render_name(name)) for i, name in enumerate(above)]


def _conversation(path: Path, thread: str | None) -> str | None:
    return None if thread is None else refer(path.parent, Path(path.store, (thread,), Area.THREADS))


def _subject(message: MessageFacts, name: str) -> str:
    if message.subject is None and message.kind is not ResourceType.MESSAGE:
        return render_name(message.filename or name)
    return render_name(message.subject or NO_SUBJECT)


def _fields(message: MessageFacts) -> list[tuple[str, str]]:
    fields = [("From", message.from_), ("To", message.to), ("Cc", message.cc), ("Bcc", message.bcc)]
    return [(name, render_name(value)) for name, value in fields if value]


def _details(message: MessageFacts) -> list[tuple[str, str]]:
    details = [
        ("File", message.filename),
        ("File size", None if message.size is None else f"{message.size:,} bytes"),
        ("File type", message.mime_type),
        ("Direction", message.direction),
        ("Message-ID", message.message_id),
        ("In-Reply-To", message.in_reply_to),
        ("References", message.references),
        ("Conversation-ID", message.conversation_id),
        ("Contribution-ID", message.contribution_id),
        ("InReplyTo-Contribution-ID", message.in_reply_to_contribution_id),
        ("IMDN-Message-ID", message.imdn_message_id),
        ("Message-Context", message.message_context),
        ("Message-Correlator", message.message_correlator),
        ("P-Asserted-Service", message.p_asserted_service),
    ]
    return [(name, render_name(value)) for name, value in details if value]


def read_sections(body: Body, parts: Iterable[Part], base: str = "", *, room: int, links: int) -> Iterator[Section]:
    """Yield parts as they are read in a page: room bytes of text and so many links, all together.

    base is the reference to the message, where the page is not its own.

    Raises:
        CorruptBlob: the body is lost.
    """
    for part in parts:
        if part.media_type == HTML:
            yield Section(base + _href(part), (), f"{base}?{FRAMED}={part.number}", is_whole=True)
            continue
        text, is_whole = _read(body, part, room)
        room -= len(text)
        if text.strip() or not is_whole:
            found = list(islice(_LINK.finditer(text), links))
            links -= len(found)
            yield Section(base + _href(part), _pieces(text, found), None, is_whole)


def _read(body: Body, part: Part, limit: int) -> tuple[str, bool]:
    """Return at most limit bytes of the text of a part, and whether that is all. A cut is made between words."""
    raw = b""
    for piece in decode(body.read(part.start, part.stop), part.encoding):
        raw += piece[: limit + 1 - len(raw)]
        if len(raw) > limit:
            raw = raw[: max(raw.rfind(b"\n"), raw.rfind(b" "), 0) or limit]
            return decode_bytes(raw, part.charset), False
    return decode_bytes(raw, part.charset), True


def _pieces(text: str, links: list[re.Match[str]]) -> Iterator[Piece]:
    """Yield the runs of a text. The address of a link ends before what ends its sentence."""
    end = 0
    for link in links:
        href = link[0].rstrip(_BEHIND)
        yield from _runs(text, end, link.start())
        yield Piece(href, href)
        end = link.start() + len(href)
    yield from _runs(text, end, len(text))


def _runs(text: str, start: int, stop: int) -> Iterator[Piece]:
    for at in range(start, stop, _RUN_CHARACTERS):
        yield Piece(text[at : min(at + _RUN_CHARACTERS, stop)], None)


def describe_attachment(part: Part, base: str = "") -> Attachment:
    """Return a part as it is shown where it is attached; base as in `read_sections`."""
    size = part.stop - part.start
    if part.encoding == "base64":
        size = size * 57 // 78  # lines of 76 characters, as nearly all are
    kind = kind_of_type(part.media_type)
    return Attachment(
        href=base + _href(part),
        name=render_name(part.filename or "")[:_MOST_NAME_CHARACTERS] or f"Part {part.number}",
        word=kind.word,
        icon=kind.icon,
        media_type=part.media_type,
        size=render_size(size),
        has_preview=part.media_type in PICTURES and 0 < size <= PREVIEWED_BYTES,
    )
