"""Disposition notifications, `message/imdn+xml` (RFC 5438 §11.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from davstore.protocol.message.words import one_line
from davstore.protocol.message.xml_objects import read_xml, root_name

_IMDN: Final = "{urn:ietf:params:xml:ns:imdn}imdn"
_RECIPIENT: Final = "{urn:ietf:params:xml:ns:imdn}recipient-uri"


def is_imdn(content: bytes) -> bool:
    """Tell from its first bytes whether a body is a disposition notification."""
    return root_name(content) == _IMDN


def read_imdn(content: bytes) -> Mapping[str, str]:
    """Return the facts of a notification by the names of `MessageFacts`: its sender is the recipient that it tells of.

    `message-id` and `datetime` are those of the message that it tells of, so no facts of its own (§11.1.1, §11.1.2).
    """
    root = read_xml(content)
    recipient = one_line(root.findtext(_RECIPIENT) or "") if root is not None and root.tag == _IMDN else None
    return {"from_": recipient} if recipient else {}
