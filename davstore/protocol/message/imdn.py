"""Disposition notifications, `message/imdn+xml` (RFC 5438 §7.2, §11.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from lxml import etree

from davstore.model.dispositions import MOST_CHARACTERS, DispositionType, Notification, Status
from davstore.protocol.http.timestamps import parse_timestamp
from davstore.protocol.message.words import one_line
from davstore.protocol.message.xml_objects import read_xml, root_name

_NAMESPACE: Final = "{urn:ietf:params:xml:ns:imdn}"
_IMDN: Final = f"{_NAMESPACE}imdn"
_RECIPIENTS: Final = (f"{_NAMESPACE}recipient-uri", f"{_NAMESPACE}original-recipient-uri")
"""The final recipient, which a notification must name (§11.1.3), and the one that was written to."""
_FAILURES: Final = (Status.FORBIDDEN, Status.ERROR)
_STATES: Final[Mapping[DispositionType, tuple[Status, ...]]] = {
    DispositionType.DELIVERY: (Status.DELIVERED, Status.FAILED, *_FAILURES),
    DispositionType.PROCESSING: (Status.PROCESSED, Status.STORED, *_FAILURES),
    DispositionType.DISPLAY: (Status.DISPLAYED, *_FAILURES),
}
"""The states that each type has (§11.1.8, §11.1.9, §11.1.10)."""


def is_imdn(content: bytes) -> bool:
    """Tell from its first bytes whether a body is a disposition notification."""
    return root_name(content) == _IMDN


def read_imdn(content: bytes) -> Mapping[str, str]:
    """Return the facts of a notification by the names of `MessageFacts`: its sender is the recipient that it tells of.

    `message-id` and `datetime` are those of the message that it tells of, so no facts of its own (§11.1.1, §11.1.2).
    """
    root = _read(content)
    recipient = None if root is None else _find_recipient(root)
    return {"from_": recipient} if recipient else {}


def read_notification(content: bytes, date_us: int | None = None) -> Notification | None:
    """Return what a notification tells; None: it names no message or no recipient, one too long, or no state.

    Its time is that of `datetime`, which senders set to the time of the notification, else date_us.
    """
    root = _read(content)
    if root is None:
        return None
    imdn_id, recipient = _text(root, f"{_NAMESPACE}message-id").strip(" <>"), _find_recipient(root)
    states = tuple(_each_state(root))
    if not imdn_id or not recipient or not states or max(len(imdn_id), len(recipient)) > MOST_CHARACTERS:
        return None
    said_us = parse_timestamp(_text(root, f"{_NAMESPACE}datetime"))
    return Notification(imdn_id, recipient, date_us if said_us is None else said_us, states)


def _read(content: bytes) -> etree._Element | None:
    root = read_xml(content)
    return root if root is not None and root.tag == _IMDN else None


def _find_recipient(root: etree._Element) -> str | None:
    return next((text for name in _RECIPIENTS if (text := _text(root, name))), None)


def _each_state(root: etree._Element) -> Iterator[tuple[DispositionType, Status]]:
    for type_, states in _STATES.items():
        status = root.find(f"{_NAMESPACE}{type_.word}-notification/{_NAMESPACE}status")
        names = set() if status is None else {child.tag for child in status}
        state = next((one for one in states if f"{_NAMESPACE}{one.word}" in names), None)
        if state is not None:
            yield type_, state


def _text(root: etree._Element, name: str) -> str:
    return one_line(root.findtext(name) or "") or ""
