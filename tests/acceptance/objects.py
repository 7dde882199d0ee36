"""Objects as a network stores them: chat messages, file transfers, group states, session infos, pictures.

People and numbers are invented (+1 555 555 01XX). Shapes are those of CPM's message storage: RFC 3862 within a header
block, multipart/related with an XML root, an XML document in a header block.
"""

from __future__ import annotations

import base64
import datetime

ME, BO, CLEO = "tel:+15555550100", "tel:+15555550101", "tel:+15555550102"
BEGIN = datetime.datetime(2026, 11, 24, 10, tzinfo=datetime.UTC)
PICTURE = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffd9")
"""A JPEG without a picture in it."""


def moment(minute: int) -> datetime.datetime:
    """Return a minute of the conversation."""
    return BEGIN + datetime.timedelta(minutes=minute)


def _block(conversation: str, identity: str, *, sender: str, receiver: str, minute: int, content_type: str) -> str:
    """Return the header block of a stored object."""
    return (
        f"From: {sender}\r\nTo: {receiver}\r\nDate: {moment(minute):%a, %d %b %Y %H:%M:%S +0000}\r\n"
        f"Conversation-ID: {conversation}\r\nContribution-ID: {conversation}-1\r\nIMDN-Message-ID: {identity}\r\n"
        f"Message-Direction: {'sent' if sender == ME else 'received'}\r\n"
        f"MIME-Version: 1.0\r\nContent-Type: {content_type}\r\n\r\n"
    )


def chat(
    conversation: str, identity: str, text: str, *, sender: str = BO, receiver: str = ME, minute: int = 0
) -> bytes:
    """Return a chat message: CPIM in a header block."""
    fields = {"sender": sender, "receiver": receiver}
    block = _block(conversation, identity, **fields, minute=minute, content_type="message/cpim")
    return (
        f"{block}From: <{sender}>\r\nTo: <{receiver}>\r\nDateTime: {moment(minute).isoformat()}\r\n"
        f"NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: {identity}\r\n"
        "imdn.Disposition-Notification: positive-delivery, display\r\n\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}"
    ).encode()


def transfer(conversation: str, identity: str, filename: str, content: bytes, *, minute: int = 0) -> bytes:
    """Return a file transfer: its description, and the file as a part."""
    related = 'multipart/related; boundary=cpm; type="Application/X-CPM-File-Transfer"'
    block = _block(conversation, identity, sender=BO, receiver=ME, minute=minute, content_type=related)
    return (
        f"{block}--cpm\r\nContent-Type: Application/X-CPM-File-Transfer\r\n\r\n"
        f"<file-transfer><file-transfer-type>1-1</file-transfer-type><invited-participants>{ME};{BO}"
        "</invited-participants><file-object><cid>cid:1@example.org</cid><sdp>i=a picture\r\n"
        f'a=file-selector:name:"{filename}" type:image/jpeg size:{len(content)}\r\n'
        "a=file-disposition:render\r\n</sdp></file-object></file-transfer>\r\n"
        "--cpm\r\nContent-Type: image/jpeg\r\nContent-ID: <1@example.org>\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        f"{base64.b64encode(content).decode()}\r\n--cpm--\r\n"
    ).encode()


def group_state(conversation: str, focus: str, people: tuple[str, ...], *, minute: int = 0) -> bytes:
    """Return a group state object: who is in a group since a moment."""
    content_type = "Application/group-state-object+xml"
    block = _block(conversation, f"state-{minute}", sender=BO, receiver=ME, minute=minute, content_type=content_type)
    participants = "".join(f'<participant name="{one[-4:]}" comm-addr="{one}"/>' for one in people)
    return (
        f'{block}<groupstate timestamp="{moment(minute).isoformat()}" lastfocussessionid="{focus}" '
        f'group-type="Closed">{participants}</groupstate>'
    ).encode()


def session_info(conversation: str, people: tuple[str, ...]) -> bytes:
    """Return a session info object."""
    content_type = "Application/X-CPM-Session"
    block = _block(conversation, "session", sender=BO, receiver=ME, minute=0, content_type=content_type)
    return (
        f"{block}<session><session-type>Group</session-type><sdp>o=- 1 1 IN IP4 192.0.2.1</sdp>"
        f"<invited-participants>{';'.join(people)}</invited-participants></session>"
    ).encode()
