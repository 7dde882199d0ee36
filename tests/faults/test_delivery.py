"""The same messages come from the network and from three devices at once: each is stored once, with all its states."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from lxml import etree

from davstore.metadata.opening import open_database
from davstore.model.principals import Ability
from davstore.store import enrolling
from tests.client.served import PATIENCE_SECONDS, Server

STATES = ("seen", "flagged", "answered")
"""One that each device sets."""
CPIM = (
    "From: <tel:+15550100>\r\nTo: <tel:+15550101>\r\nDateTime: 2026-11-24T10:00:00Z\r\n"
    "NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: m{number}\r\n\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n\r\nmessage {number}"
)
RECORDED = (
    "Message-Direction: received\r\nConversation-ID: c\r\nContribution-ID: d\r\nIMDN-Message-ID: m{number}\r\n"
    "Content-Type: message/cpim\r\n\r\n"
)
IMDN = (
    '<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>m{number}</message-id>'
    "<datetime>2026-11-24T10:00:0{second}Z</datetime><recipient-uri>tel:+15550101</recipient-uri>"
    "<{kind}-notification><status><{status}/></status></{kind}-notification></imdn>"
)
SET = (
    '<propertyupdate xmlns="DAV:"><set><prop><{state} xmlns="urn:davstore:cpm">T</{state}></prop></set>'
    "</propertyupdate>"
)


class Poster:
    """One connection that delivers, of the recorder (no state) or of a device, which sets a state on what it sent."""

    def __init__(self, server: Server, user: str, secret: str, state: str = "") -> None:
        parts = urlsplit(server.url)
        self.connection = HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_SECONDS)
        self.authorization = "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()
        self._state = state

    def ask(self, method: str, url: str, body: str) -> tuple[int, str]:
        """Return the status of a request and the URL that the answer names."""
        self.connection.request(method, url, body.encode(), {"Authorization": self.authorization})
        answer = self.connection.getresponse()
        answer.read()
        return answer.status, answer.headers["Location"] or answer.headers["Content-Location"] or ""

    def deliver(self, numbers: list[int]) -> dict[int, tuple[int, str]]:
        """Deliver messages and the notification of each, in a random order, and set the state on each message."""
        found = {}
        for number in random.sample(numbers, len(numbers)):
            second, kind, status = random.choice(((5, "delivery", "delivered"), (9, "display", "displayed")))
            block = "" if self._state else RECORDED.format(number=number)
            report = IMDN.format(number=number, second=second, kind=kind, status=status)
            assert self.ask("POST", "/dav/drop/me/", report)[0] in (202, 204)
            found[number] = self.ask("POST", "/dav/drop/me/", block + CPIM.format(number=number))
            if self._state:
                assert self.ask("PROPPATCH", found[number][1], SET.format(state=self._state))[0] == 207
        return found


@pytest.fixture
def posters(tmp_path: Path) -> Iterator[list[Poster]]:
    server = Server(tmp_path / "data", tmp_path / "log")
    database = open_database("", tmp_path / "data")
    secrets = [enrolling.add_device(database, "me", state, now_us=1).secret for state in STATES]
    recorder = enrolling.add_service(database, "recorder", Ability.DELIVER, now_us=1)
    database.close()
    all_four = [
        Poster(server, "recorder", recorder.secret),
        *(Poster(server, "me", secret, state) for secret, state in zip(secrets, STATES, strict=True)),
    ]
    yield all_four
    for poster in all_four:
        poster.connection.close()
    server.kill()


@pytest.mark.parametrize(("count", "rounds"), [(30, 1), pytest.param(200, 5, marks=pytest.mark.torture)])
def test_each_message_is_one_resource_with_the_states_of_all(posters: list[Poster], count: int, rounds: int) -> None:
    for start in range(0, count * rounds, count):
        numbers = list(range(start, start + count))
        with ThreadPoolExecutor(len(posters)) as pool:
            answers = list(pool.map(lambda poster, numbers=numbers: poster.deliver(numbers), posters))
        for number in numbers:
            assert sorted(one[number][0] for one in answers) == [200, 200, 200, 201]
            assert len({one[number][1] for one in answers}) == 1
        listing = members(posters[1])
        assert len(listing) == start + count
        assert all(states == set(STATES) for states, _ in listing)
        assert all(1 <= told <= 2 for _, told in listing)


def members(poster: Poster) -> list[tuple[set[str], int]]:
    """Return the states and the number of dispositions of each message in the inbox."""
    names = "".join(f'<{name} xmlns="urn:davstore:cpm"/>' for name in (*STATES, "imdn"))
    headers = {"Authorization": poster.authorization, "Depth": "1"}
    body = f'<propfind xmlns="DAV:"><prop>{names}</prop></propfind>'
    poster.connection.request("PROPFIND", "/dav/store/me/Inbox/", body.encode(), headers)
    root = etree.fromstring(poster.connection.getresponse().read())
    found = []
    for response in root.findall("{DAV:}response")[1:]:
        there = response.xpath("*[contains(*[local-name()='status'], ' 200 ')]/*[local-name()='prop']/*")
        words = {etree.QName(one).localname: one for one in there}
        found.append((set(words) & set(STATES), len(words.get("imdn", ()))))
    return found
