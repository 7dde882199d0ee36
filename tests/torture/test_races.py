"""Many clients want the same at the same moment, over two workers: promise 4 of `docs/reliability.md`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import NamedTuple

import pytest
from lxml import etree

from tests.client.served import PATIENCE_SECONDS, Server
from tests.torture.conftest import Serve
from tests.torture.wire import Answer, Client, D, workers_that_served
from tests.torture.writer import LOCKINFO

CLIENTS = 16
"""Enough that the kernel gives each of two workers some of the connections."""
STATES = {
    **dict.fromkeys(
        ("seen", "answered", "forwarded", "draft", "flagged", "deleted", "read-report-sent"), "urn:davstore:cpm"
    ),
    **{f"k{number}": "urn:davstore:cpm:keyword" for number in range(CLIENTS)},
}
"""States by name, with their namespaces: the flags, and a keyword for each client."""


class Crowd:
    """Clients that ask at once, each on a connection of its own."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.clients = [Client(server) for _ in range(CLIENTS)]
        self._pool = ThreadPoolExecutor(CLIENTS)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(workers_that_served(server.log.read_text())) < 2:  # the second may come up later
            assert time.monotonic() < deadline, "one worker has all connections"
            for client in self.clients:
                client.close()
                client.ask("OPTIONS", "")

    def at_once(self, ask: Callable[[Client, int], Answer]) -> list[Answer]:
        """Let each client ask when all are ready."""
        barrier = threading.Barrier(CLIENTS)

        def go(number: int) -> Answer:
            barrier.wait(PATIENCE_SECONDS)
            return ask(self.clients[number], number)

        return list(self._pool.map(go, range(CLIENTS)))

    def close(self) -> None:
        self._pool.shutdown()
        for client in self.clients:
            client.close()


@pytest.fixture
def crowd(serve: Serve) -> Iterator[Crowd]:
    """Yield clients of a server of two workers."""
    found = Crowd(serve())
    yield found
    found.close()


class Race(NamedTuple):
    """The first state (its value goes to all clients), the request, and the statuses of the winner and the others."""

    prepare: Callable[[Client, str], str]
    ask: Callable[[Client, int, str, str], Answer]
    won: int
    lost: int


def nothing(client: Client, place: str) -> str:
    """Leave the place unmapped."""
    return ""


def a_body(client: Client, place: str) -> str:
    """Put a body there and return its entity tag."""
    return client.ask("PUT", place, b"first").etag


def a_source(client: Client, place: str) -> str:
    """Put bodies for everybody beside it."""
    for number in range(CLIENTS):
        assert client.ask("PUT", f"{place}.{number}", b"%d" % number).status == 201
    return ""


def a_token(client: Client, place: str) -> str:
    """Return the sync token of the store as it is."""
    return client.follow("", {})[0]


def put(client: Client, number: int, place: str, **headers: str) -> Answer:
    """PUT a body of one's own."""
    return client.ask("PUT", place, b"%d" % number, **headers)


def carry(client: Client, method: str, source: str, target: str) -> Answer:
    """COPY or MOVE, without overwriting."""
    return client.ask(method, source, Destination=client.href(target), Overwrite="F")


def element(state: str, value: str = "T") -> str:
    """Return the element of a state."""
    return f'<s:{state} xmlns:s="{STATES[state]}">{value}</s:{state}>'


def mark(client: Client, place: str, *, on: Iterable[str] = (), off: Iterable[str] = (), **headers: str) -> Answer:
    """Set some states and clear others by PROPPATCH."""
    setting = f"<D:set><D:prop>{''.join(map(element, on))}</D:prop></D:set>"
    removing = f"<D:remove><D:prop>{''.join(element(state, '') for state in off)}</D:prop></D:remove>"
    body = f'<D:propertyupdate xmlns:D="DAV:">{setting}{removing}</D:propertyupdate>'
    return client.ask("PROPPATCH", place, body.encode(), **headers)


def marks(client: Client, place: str, depth: str = "0") -> dict[str, set[str]]:
    """Return the states of a resource, or of the members of a collection, by name."""
    body = f'<D:propfind xmlns:D="DAV:"><D:prop>{"".join(element(state, "") for state in STATES)}</D:prop></D:propfind>'
    answer = client.ask("PROPFIND", place, body.encode(), Depth=depth, Prefer="return=minimal, depth-noroot")
    assert answer.status == 207, answer
    return {
        str(response.findtext(f"{D}href")).rpartition("/")[2]: {
            etree.QName(state).localname for state in response.iterfind(f"{D}propstat/{D}prop/*") if state.text == "T"
        }
        for response in etree.fromstring(answer.body).iter(f"{D}response")
    }


def a_number(client: Client, place: str) -> str:
    """Put a body there and return the number of its last change."""
    assert client.ask("PUT", place, b"first").status == 201
    body = b'<D:propfind xmlns:D="DAV:"><D:prop><modseq xmlns="urn:davstore:cpm"/></D:prop></D:propfind>'
    found = etree.fromstring(client.ask("PROPFIND", place, body, Depth="0").body)
    return str(found.findtext(".//{urn:davstore:cpm}modseq"))


def lock(client: Client, place: str) -> Answer:
    """LOCK exclusively."""
    return client.ask("LOCK", place, LOCKINFO, Depth="0")


RACES = {
    "If-None-Match": Race(nothing, lambda c, n, place, _: put(c, n, place, If_None_Match="*"), 201, 412),
    "If-Match": Race(a_body, lambda c, n, place, etag: put(c, n, place, If_Match=etag), 204, 412),
    "If, entity tag": Race(a_body, lambda c, n, place, etag: put(c, n, place, If=f"([{etag}])"), 204, 412),
    "If, sync token": Race(
        a_token, lambda c, n, place, token: put(c, n, f"{place}.{n}", If=f"<{c.root}> (<{token}>)"), 201, 412
    ),
    "If, number": Race(
        a_number,
        lambda c, n, place, number: mark(c, place, on=[f"k{n}"], If=f"(<urn:davstore:modseq:{number}>)"),
        207,
        412,
    ),
    "COPY, Overwrite: F": Race(a_source, lambda c, n, place, _: carry(c, "COPY", f"{place}.{n}", place), 201, 412),
    "MOVE, Overwrite: F": Race(a_source, lambda c, n, place, _: carry(c, "MOVE", f"{place}.{n}", place), 201, 412),
    "MOVE of one": Race(a_body, lambda c, n, place, _: carry(c, "MOVE", place, f"{place}.{n}"), 201, 404),
    "MKCOL": Race(nothing, lambda c, n, place, _: c.ask("MKCOL", place), 201, 405),
    "DELETE": Race(a_body, lambda c, n, place, _: c.ask("DELETE", place), 204, 404),
    "LOCK": Race(a_body, lambda c, n, place, _: lock(c, place), 200, 423),
    "LOCK, unmapped": Race(nothing, lambda c, n, place, _: lock(c, place), 201, 423),
}


def run(crowd: Crowd, name: str, rounds: int) -> None:
    """See one winner in each round, and that what is there is the winner's."""
    race, judge = RACES[name], crowd.clients[0]
    for round_ in range(rounds):
        place = f"{list(RACES).index(name)}.{round_}"
        given = race.prepare(judge, place)
        answers = crowd.at_once(lambda client, number, place=place, given=given: race.ask(client, number, place, given))
        statuses = [answer.status for answer in answers]
        assert sorted(statuses) == sorted([race.won, *[race.lost] * (CLIENTS - 1)]), f"{name}, round {round_}"
        winner = statuses.index(race.won)
        if name.startswith(("If-", "If, entity", "COPY", "MOVE, ")):
            assert judge.ask("GET", place).body == b"%d" % winner
        elif name == "If, number":
            assert marks(judge, place) == {place: {f"k{winner}"}}
        elif name.startswith("LOCK"):
            assert judge.tree()[place].lock == answers[winner].token
            assert put(judge, 0, place).status == 423
            assert put(judge, 0, place, If=f"(<{answers[winner].token}>)").status == 204
            assert judge.ask("DELETE", place, If=f"(<{answers[winner].token}>)").status == 204  # a user has 200 locks


@pytest.mark.torture
@pytest.mark.parametrize("name", RACES)
def test_one_winner_in_100_races(crowd: Crowd, name: str) -> None:
    run(crowd, name, 100)
    print(f"{name}: 100 races of {CLIENTS}, one winner each")


def argue(crowd: Crowd, messages: int, changes: int) -> float:
    """Let eight clients set and clear states of the same messages, one state each; return the seconds.

    Each state must be as its client said last, whatever the others did to the same message meanwhile.
    """
    judge, states = crowd.clients[0], list(STATES)[:8]
    assert judge.ask("MKCOL", "box").status == 201
    for number in range(messages):
        assert judge.ask("PUT", f"box/{number}", b"%d" % number).status == 201
    said: dict[str, set[str]] = {str(number): set() for number in range(messages)}

    def say(number: int) -> list[tuple[str, bool]]:
        client, state, random, words = crowd.clients[number], states[number], Random(number), []
        for _ in range(changes):
            message, on = str(random.randrange(messages)), random.random() < 0.5
            answer = mark(client, f"box/{message}", on=[state][:on], off=[state][on:])
            assert b"200 OK" in answer.body, answer
            words.append((message, on))
        return words

    started = time.monotonic()
    with ThreadPoolExecutor(len(states)) as pool:
        for state, words in zip(states, pool.map(say, range(len(states))), strict=True):
            for message, on in dict(words).items():
                if on:
                    said[message].add(state)
    seconds = time.monotonic() - started
    assert marks(judge, "box/", depth="1") == said
    assert any(said.values())
    return seconds


def count_up(crowd: Crowd, clients: int, updates: int) -> tuple[int, float]:
    """Let clients each add 1 so many times to one body; return how many attempts it took, and the seconds."""
    assert crowd.clients[0].ask("PUT", "counter", b"0").status in (201, 204)
    attempts = [0] * clients

    def add(number: int) -> None:
        client, done = crowd.clients[number], 0
        while done < updates:
            read = client.ask("GET", "counter")
            written = client.ask("PUT", "counter", b"%d" % (int(read.body) + 1), If_Match=read.etag)
            assert written.status in (204, 412), written
            attempts[number] += 1
            done += written.status == 204

    started = time.monotonic()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(add, range(clients)))
    assert int(crowd.clients[0].ask("GET", "counter").body) == clients * updates
    return sum(attempts), time.monotonic() - started


def test_one_winner_and_no_update_lost(crowd: Crowd) -> None:
    for name in RACES:
        run(crowd, name, 2)
    count_up(crowd, 6, 8)
    argue(crowd, 5, 30)


@pytest.mark.torture
def test_each_state_is_as_its_last_word_of_16_000(crowd: Crowd) -> None:
    seconds = argue(crowd, 50, 2_000)
    print(f"16,000 changes of states of 50 messages by 8 clients, {seconds:.0f} s")


@pytest.mark.torture
def test_no_update_is_lost_in_10_000(crowd: Crowd) -> None:
    attempts, seconds = count_up(crowd, 4, 2_500)
    print(f"10,000 updates of one body in {attempts} attempts, {seconds:.0f} s")


@pytest.mark.torture
def test_all_160_come_through_within_40_seconds(crowd: Crowd) -> None:
    attempts, seconds = count_up(crowd, 16, 10)
    print(f"160 of 160 updates in {attempts} attempts, {seconds:.1f} s")
    assert seconds < 40
