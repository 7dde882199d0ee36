"""`make bench ARGS=--threads`: what threads and delivery cost beside the same without, and Dovecot. Prints Markdown.

A store without threads is filled by a process that leaves out the effect which keeps them (`without_threads`), and
served by the same program as the one with. Both sides are measured in turn (`pairs`).
"""

from __future__ import annotations

import base64
import itertools
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from davstore import wiring
from davstore.model.principals import Ability
from davstore.settings import load_settings
from davstore.store import enrolling
from tests import corpus
from tests.bench.dovecot import dovecot_of
from tests.bench.filling import Importer, import_messages, write_files
from tests.bench.marks import CHANGES, MARKS, NAMESPACES, patch_each
from tests.bench.pairs import tell, turns
from tests.bench.serving import REPORT, Served
from tests.bench.wires import HttpWire, Wire, rate

CONNECTIONS: Final = 8
SECONDS: Final = 4
IMPORTED: Final = 6_000
THREADS: Final = 5_000
SIZES: Final = (2, 10)
"""Messages of each of these."""
SYNCHRONISATIONS: Final = 10
"""Those of one figure."""
_WITHOUT: Final = "tests.bench.without_threads"
_HREF: Final = "<D:href>{}</D:href>".format
_UNSEEN: Final = "<D:where><D:not><D:is-defined><D:prop><C:seen/></D:prop></D:is-defined></D:not></D:where>"
_ALL: Final = "<D:where><D:is-defined><D:prop><C:kind/></D:prop></D:is-defined></D:where>"
_COUNTS: Final = "<D:prop><C:message-count/><C:unread-count/><C:last-activity/></D:prop>"
_LISTINGS: Final = {
    "sync-collection": ("REPORT", f"<D:sync-token/><D:sync-level>1</D:sync-level>{_COUNTS}", {}),
    "propfind": ("PROPFIND", _COUNTS, {"Depth": "1"}),
}
"""The root element of each question for the list of threads, with its method, its content and its headers."""
_MAIL: Final = (
    "From: Ann <ann@example.org>\r\nTo: Bo <bo@example.org>\r\nSubject: about {thread}\r\n"
    "Date: Mon, 30 Nov 2026 10:00:0{number} +0000\r\nMessage-ID: <{thread}.{number}@example.org>\r\n{more}\r\ntext\r\n"
)
_ANSWER: Final = "References: <{}.0@example.org>\r\n"
_CPIM: Final = (
    "Message-Direction: received\r\nConversation-ID: c{place}\r\nIMDN-Message-ID: {name}\r\n"
    "Content-Type: message/cpim\r\n\r\nFrom: <tel:+15550100>\r\nTo: <tel:+15550101>\r\n"
    "DateTime: 2026-11-24T10:00:00Z\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: {name}\r\n\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n\r\nmessage {name}"
)


def measure(harness: Path, parts: Sequence[str], rounds: int) -> None:
    """Measure the parts that are named for so many rounds."""
    package = corpus.fetch()
    if package is None:
        raise SystemExit("npm could not fetch the messages")
    bodies = [file.read_bytes() for file in sorted(package.rglob("*.txt"))][:IMPORTED]
    print("\n## Threads and delivery\n\n| what | with | beside | ratio | goal |\n|---|---|---|---|---|", flush=True)
    for part in parts:
        with tempfile.TemporaryDirectory() as directory:
            Path(directory).chmod(0o755)  # Dovecot's processes are of another user
            _MEASURED[part](bodies, Path(directory), harness, rounds)


def _synchronise(bodies: list[bytes], directory: Path, _harness: Path, rounds: int) -> None:
    """Measure first synchronisations of the folders of a store with threads, beside one without."""
    stores = {"davstore": directory / "with", _WITHOUT: directory / "without"}
    passwords = {}
    for module, place in stores.items():
        with Served(place, workers=1) as served:
            passwords[module] = served.password
        import_messages(place, bodies, "all", module=module)
    with (
        Served(stores["davstore"], workers=1, password=passwords["davstore"]) as ours,
        Served(stores[_WITHOUT], workers=1, password=passwords[_WITHOUT]) as theirs,
    ):
        threads = [_count_threads(one) for one in (ours, theirs)]
        if threads[0] == 0 or threads[1] != 0:
            raise SystemExit(f"the stores have {threads} threads")

        def cpu_ms(served: Served) -> float:
            with served.wire() as wire:
                before = served.cpu_ns()
                for _ in range(SYNCHRONISATIONS):
                    wire.ask("REPORT", "", REPORT.format("", "").encode())
                return (served.cpu_ns() - before) / SYNCHRONISATIONS / 1e6

        calls = [partial(cpu_ms, one) for one in (ours, theirs)]
        turns(1, calls)
        figures = turns(rounds, calls)
    what = f"first synchronisation of the folders of {len(bodies):,} messages in {threads[0]:,} threads, beside none"
    tell(what, "ms of CPU", *figures, "at most 1.1")


def _count_threads(served: Served) -> int:
    method, content, headers = _LISTINGS["propfind"]
    body = f"<D:propfind {NAMESPACES}>{content}</D:propfind>".encode()
    return served.client().ask(method, "/dav/threads/me/", body, headers).count(b"<D:response>") - 1


def _deliver(_bodies: list[bytes], directory: Path, _harness: Path, rounds: int) -> None:
    """Measure deliveries of a service, beside PUTs of new files with bytes of the same kind."""
    runs = itertools.count()
    with Served(directory / "davstore", workers=0) as served:
        served.client().ask("MKCOL", "put/")
        database = wiring.find_storage(load_settings(flags={"data.path": str(served.directory)}, environ={})).database
        secret = enrolling.add_service(database, "recorder", Ability.DELIVER, now_us=1).secret
        database.close()
        recorder = f"Basic {base64.b64encode(f'recorder:{secret}'.encode()).decode()}"

        def sent(method: str, target: str, authorization: str = "") -> float:
            run = next(runs)

            def send(wire: Wire, place: str, _body: bytes) -> None:
                assert isinstance(wire, HttpWire)
                name = f"{run}-{place}"
                body = _CPIM.format(name=name, place=name[:-1]).encode()  # ten messages have a conversation
                wire.ask(method, target.format(name), body, {"Content-Type": "message/cpim"})

            return rate(lambda: served.wire(authorization), send, [b""], CONNECTIONS, SECONDS)

        calls = [partial(sent, "POST", "/dav/drop/me/", recorder), partial(sent, "PUT", "put/{}.cpim")]
        figures = turns(rounds, calls)
    tell("delivery, 8 connections, the default, beside PUT of such messages", "a second", *figures, "at least 0.8")


def _mark(bodies: list[bytes], directory: Path, _harness: Path, rounds: int) -> None:
    """Measure one request that marks the 1,000 messages of a conversation, in a folder too, beside one for each."""
    with Served(directory / "davstore", workers=0) as served:
        import_messages(served.directory, [b"Conversation-ID: one\n" + body for body in bodies[:MARKS]], "some")
        asked = f"<C:conversation-history {NAMESPACES}><C:conversation-id>one</C:conversation-id><D:prop/>"
        history = served.client().ask("REPORT", "", f"{asked}</C:conversation-history>".encode()).decode()
        members, thread = (
            re.findall("<D:href>([^<]*)", history)[:MARKS],
            re.findall("thread><D:href>([^<]*)", history)[0],
        )
        places = {
            "of a folder": ("some/", [f"/dav/store/me/some/{number}.eml" for number in range(MARKS)]),
            "of a thread": (thread, members),
        }

        def post(where: str, chosen: str, change: str) -> float:
            body = f"<C:bulk-update {NAMESPACES}>{chosen}{change}</C:bulk-update>".encode()
            with served.wire() as wire:
                begun = time.perf_counter()
                wire.ask("POST", where, body, {"Content-Type": "application/xml"})
                return time.perf_counter() - begun

        def unmarked(call: Callable[[], float]) -> Callable[[], float]:
            def measured() -> float:
                post("some/", _ALL, CHANGES[1])
                return call() * 1000

            return measured

        single = unmarked(lambda: patch_each(served, CHANGES[0]))
        ways = {f"{what}, named": (where, "".join(map(_HREF, hrefs))) for what, (where, hrefs) in places.items()}
        ways["of a thread, selected"] = (thread, _UNSEEN)
        for what, (where, chosen) in ways.items():
            together = unmarked(partial(post, where, chosen, CHANGES[0]))
            text = f"1,000 messages {what}, marked as read in one request, beside as many PROPPATCHes"
            tell(text, "ms", *turns(rounds, [together, single]), "at most 0.05")


def _list(_bodies: list[bytes], directory: Path, harness: Path, rounds: int) -> None:
    """Measure the list of threads with their counts, beside THREAD REFERENCES of Dovecot, which orders all messages."""
    for size in SIZES:
        place = directory / f"{size}"
        place.mkdir()
        _list_those_of(size, place, harness, rounds)


def _list_those_of(size: int, directory: Path, harness: Path, rounds: int) -> None:
    bodies = [
        _MAIL.format(thread=thread, number=number, more=_ANSWER.format(thread) if number else "").encode()
        for number in range(size)
        for thread in range(THREADS)
    ]
    with Served(directory / "davstore", workers=1) as served, dovecot_of(harness, directory) as dovecot:
        import_messages(served.directory, bodies, "all")
        if (found := _count_threads(served)) != THREADS:
            raise SystemExit(f"there are {found} threads")
        if dovecot is not None:
            with dovecot.wire() as wire:
                wire.append("INBOX", *bodies)

        def ours(kind: str) -> float:
            method, content, headers = _LISTINGS[kind]
            body = f"<D:{kind} {NAMESPACES}>{content}</D:{kind}>".encode()
            with served.wire() as wire:
                begun = time.perf_counter()
                wire.ask(method, "/dav/threads/me/", body, headers)
                return (time.perf_counter() - begun) * 1000

        def theirs() -> float:
            assert dovecot is not None
            with dovecot.wire() as wire:
                wire.ask("SELECT INBOX")
                begun = time.perf_counter()
                wire.ask("UID THREAD REFERENCES UTF-8 ALL")
                return (time.perf_counter() - begun) * 1000

        for kind, (method, *_) in _LISTINGS.items():
            calls: list[Callable[[], float]] = [partial(ours, kind), *([theirs] if dovecot else [])]
            turns(3, calls)  # what either side keeps is there
            what = f"list of {THREADS:,} threads of {size} messages by {method}, beside UID THREAD REFERENCES"
            tell(what, "ms", *turns(rounds, calls), "below 1")


def _import(bodies: list[bytes], directory: Path, _harness: Path, rounds: int) -> None:
    """Measure the import of messages into an empty folder, beside one without threads."""
    source = write_files(directory / "source", bodies)
    sides = [Importer(directory / module, module=module) for module in ("davstore", _WITHOUT)]
    numbers = itertools.count()
    calls = [lambda side=side: side.import_from(source, f"{next(numbers)}") for side in sides]
    tell(f"import of {len(bodies):,} messages, beside none in threads", "s", *turns(rounds, calls), "at most 1.2")


_MEASURED: Final[dict[str, Callable[[list[bytes], Path, Path, int], None]]] = {
    "thread-sync": _synchronise,
    "thread-deliver": _deliver,
    "thread-mark": _mark,
    "thread-list": _list,
    "thread-import": _import,
}
PARTS: Final = tuple(_MEASURED)
