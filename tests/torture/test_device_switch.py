"""A device takes over a conversation while its messages arrive: each is told once (docs/protocol.md)."""

from __future__ import annotations

import re
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from xml.sax.saxutils import unescape

import pytest

from tests.torture.conftest import Serve
from tests.torture.wire import Client

NAMESPACES = 'xmlns:D="DAV:" xmlns:C="urn:davstore:cpm"'
TOKEN = rb"(urn:davstore:sync:[^<]*)"
SENDERS = 8
EACH = 125
OLD = 200


def letter(name: str, number: int) -> bytes:
    """Return a message of one of five minutes: many have the same second."""
    head = f"From: a@x\r\nConversation-ID: chat\r\nMessage-ID: <{name}@x>\r\n"
    return f"{head}Date: Tue, 24 Nov 2026 10:0{number % 5}:00 +0000\r\n\r\n{name}".encode()


def find(pattern: bytes, body: bytes) -> str:
    """Return what a pattern finds in an answer, '' for nothing."""
    match = re.search(pattern, body)
    return match[1].decode() if match else ""


def told(body: bytes) -> list[str]:
    """Return the hrefs of the messages in an answer."""
    return [unescape(href.decode()) for href in re.findall(rb"<D:response><D:href>([^<]*\.eml)</D:href>", body)]


@pytest.mark.torture
def test_each_message_is_told_once(serve: Serve) -> None:
    server = serve()
    device = Client(server)
    for number in range(OLD):
        assert device.ask("PUT", f"old-{number}.eml", letter(f"old-{number}", number)).status == 201

    def deliver(sender: int) -> float:
        client, begun = Client(server), time.monotonic()
        for number in range(EACH):
            name = f"new-{sender}-{number}"
            assert client.ask("PUT", f"{name}.eml", letter(name, number)).status == 201
        client.close()
        return EACH / (time.monotonic() - begun)

    seen: Counter[str] = Counter()
    with ThreadPoolExecutor(SENDERS) as pool:
        sending = [pool.submit(deliver, number) for number in range(SENDERS)]
        begun = before = ""
        pages = 0
        while before or not pages:
            asked = f"{begun}{before}<D:limit><D:nresults>20</D:nresults></D:limit><D:prop><C:date/></D:prop>"
            body = f"<C:conversation-id>chat</C:conversation-id>{asked}</C:conversation-history>"
            answer = device.ask("REPORT", "", f"<C:conversation-history {NAMESPACES}>{body}".encode())
            assert answer.status == 207, answer
            seen.update(told(answer.body))
            token, before = find(TOKEN, answer.body), find(rb"(<C:before.*?</C:before>)", answer.body)
            begun, pages = f"<D:sync-token>{token}</D:sync-token>", pages + 1
        thread = find(rb"<C:thread><D:href>([^<]*)", answer.body)
        device.root = thread
        while True:
            is_over = all(one.done() for one in sending)
            body = f"<D:sync-collection {NAMESPACES}><D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level>"
            answer = device.ask("REPORT", "", f"{body}<D:prop><C:date/></D:prop></D:sync-collection>".encode())
            assert answer.status == 207, answer
            rows, token = told(answer.body), find(TOKEN, answer.body)
            seen.update(rows)
            if is_over and not rows:
                break
        rate = sum(one.result() for one in sending)
    device.close()
    assert len(seen) == OLD + SENDERS * EACH
    assert set(seen.values()) == {1}
    print(f"{pages} pages and reports while {rate:,.0f} messages a second arrived")
