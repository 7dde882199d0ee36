"""No request takes 32 MiB of memory, whatever it holds (promise 6 of `docs/reliability.md`)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.filling import fill
from tests.client.served import Server
from tests.dav.client import sync_body
from tests.hardening.bad_requests import LOCKINFO, PROPFIND, PROPPATCH
from tests.hardening.wire import Wire, forget_peak, memory_of, workers_of

MOST_KIB = 32 * 1024
MIB = 1 << 20
XML = {"Content-Type": "application/xml"}
LETTER = b"From: a@example.org\r\nTo: b@example.org\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
LARGE_VALUE = f"<x>{'v' * 65_000}</x>"


@pytest.fixture(scope="module", autouse=True)
def warm(wire: Wire) -> None:
    """Let both workers load what they load once: that is no request's."""
    for _ in range(30):
        assert wire.send("PROPFIND", "", {**XML, "Depth": "1"}, body=PROPFIND).status == 207
        assert wire.send("PUT", "b", body="0123456789").status in (201, 204)


@pytest.fixture(scope="module", autouse=True)
def locked(wire: Wire) -> Iterator[None]:
    """Hold a collection of 300 members by 20 locks whose owners have much to say."""
    assert wire.send("MKCOL", "locked/").status == 201
    for number in range(300):
        assert wire.send("PUT", f"locked/{number}").status == 201
    shared = LOCKINFO.replace("exclusive", "shared").replace(
        "</D:locktype>", f"</D:locktype><D:owner>{'o' * 900}</D:owner>"
    )
    tokens = [wire.send("LOCK", "locked/", XML, body=shared).headers["Lock-Token"] for _ in range(20)]
    assert wire.send("LOCK", "locked/", XML, body=shared.replace("o" * 900, "o" * 1_100)).status == 413
    yield
    for token in tokens:
        assert wire.send("UNLOCK", "locked/", {"Lock-Token": token}).status == 204
    assert wire.send("DELETE", "locked/").status == 204


def named(count: int, length: int) -> str:
    """Return so many elements with names of a length."""
    return "".join(f"<{'p' * (length - 4)}{number:04}/>" for number in range(count))


REQUESTS: dict[str, tuple[str, str, dict[str, str], bytes]] = {
    "a PROPPATCH of 100 MB": ("PROPPATCH", "a", XML, b"x" * 100_000_000),
    "a PROPPATCH of 100 MB in chunks": (
        "PROPPATCH",
        "a",
        {**XML, "Transfer-Encoding": "chunked"},
        b"%x\r\n%b\r\n0\r\n\r\n" % (100_000_000, b"x" * 100_000_000),
    ),
    "8 MB of elements": ("PROPPATCH", "a", XML, b"<x>" + b"<b/>" * 2 * MIB + b"</x>"),
    "1 MiB of elements": ("PROPPATCH", "a", XML, b"<x>" + b"<b/>" * (MIB // 4 - 2) + b"</x>"),
    "elements in chunks": (
        "PROPPATCH",
        "a",
        {**XML, "Transfer-Encoding": "chunked"},
        (b"%x\r\n%b\r\n" % (40_000, b"<b/>" * 10_000)) * 200 + b"0\r\n\r\n",
    ),
    "attributes": ("PROPFIND", "a", XML, b"<x " + b" ".join(b'a%x=""' % number for number in range(105_000)) + b"/>"),
    "attributes of many": (
        "PROPFIND",
        "a",
        XML,
        b"<x>" + b"".join(b"<y %b/>" % b" ".join(b'a%x=""' % n for n in range(20_000)) for _ in range(4)) + b"</x>",
    ),
    "one attribute": ("PROPFIND", "a", XML, b'<x a="%b"/>' % (b"y" * 1_000_000)),
    "text of references": ("PROPFIND", "a", XML, b"<x>%b</x>" % (b"&#65;" * 200_000)),
    "text in UTF-16": ("PROPFIND", "a", XML, ("<x>" + "<y/>\u4e00" * 90_000 + "</x>").encode("utf-16")),
    "comments": ("PROPFIND", "a", XML, b"<x>%b</x>" % (b"<!---->" * 140_000)),
    "instructions": ("PROPFIND", "a", XML, b"<x>%b</x>" % (b"<?x?>" * 200_000)),
    "sections": ("PROPFIND", "a", XML, b"<x>%b</x>" % (b"<![CDATA[]]>" * 80_000)),
    "a namespace for each of many properties": (
        "PROPPATCH",
        "a",
        XML,
        PROPPATCH.replace("xmlns:D", f'xmlns:n="{"n" * 60_000}" xmlns:D').format("<x/>" * 900).encode(),
    ),
    "many namespaces for each of many properties": (
        "PROPPATCH",
        "a",
        XML,
        PROPPATCH.replace("xmlns:D", " ".join(f'xmlns:n{n}="{"n" * 600}{n}"' for n in range(90)) + " xmlns:D")
        .format(named(900, 8))
        .encode(),
    ),
    "properties of a mebibyte": (
        "PROPPATCH",
        "a",
        XML,
        PROPPATCH.format("".join(LARGE_VALUE.replace("x>", f"x{number}>") for number in range(16))).encode(),
    ),
    "all properties": ("PROPFIND", "", {"Depth": "1"}, b""),
    "a thousand names": (
        "PROPFIND",
        "",
        {**XML, "Depth": "1"},
        PROPFIND.replace("<D:getetag/>", named(1_000, 32)).encode(),
    ),
    "a report of a thousand names": ("REPORT", "", XML, sync_body(props=named(1_000, 32)).encode()),
    "150 names that grow in the answer, to 50 MB": (
        "PROPFIND",
        "locked/",
        {**XML, "Depth": "1"},
        PROPFIND.replace("<D:getetag/>", named(150, 8).replace("/>", f' xmlns="u:?{"&amp;" * 200}"/>')).encode(),
    ),
    "locks of every member": ("PROPFIND", "locked/", {"Depth": "1"}, b""),
    "a million If lists": ("GET", "a", {"If": "(<u:x>)" * 1_000_000}, b""),
    "as much If as may be": ("GET", "a", {"If": "(<u:x>)" * 1_170}, b""),
    "a million entity tags": ("GET", "a", {"If-None-Match": '"a",' * 1_000_000}, b""),
    "a thousand ranges": ("GET", "a", {"Range": "bytes=" + "0-1," * 1_000}, b""),
    "a target of 8 MB": ("GET", "x" * 8_000_000, {}, b""),
    "ten thousand fields": ("GET", "a", {f"X-{number}": "x" * 100 for number in range(10_000)}, b""),
    "a field of 8 MB": ("GET", "a", {"X-Long": "x" * 8_000_000}, b""),
    "a body of 64 MB": ("PUT", "large", {}, b"x" * 64_000_000),
    "a body of 64 MB to who takes none": ("DELETE", "a", {}, b"x" * 64_000_000),
    "the body of 64 MB": ("GET", "large", {}, b""),
    "a letter of links": ("PUT", "links", {}, LETTER + "\U0001f600 http://x.y ".encode() * 61_000),
    "its page": ("GET", "links", {"Accept": "text/html"}, b""),
    "a letter of signs": ("PUT", "signs", {}, LETTER + b'"' * 1_000_000 + "\U0001f600".encode()),
    "the page of that": ("GET", "signs", {"Accept": "text/html"}, b""),
}


def test_the_memory_of_a_request(server: Server, wire: Wire) -> None:
    workers = workers_of(server)
    assert len(workers) == 2
    taken: dict[str, int] = {}
    for name, (method, path, fields, body) in REQUESTS.items():
        before = {worker: memory_of(worker, "VmRSS") for worker in workers}
        for worker in workers:
            forget_peak(worker)
        answer = wire.send(method, path, fields, body=body)
        assert 200 <= answer.status < 500, (name, answer.status)
        taken[name] = max(memory_of(worker, "VmHWM") - before[worker] for worker in workers)
    assert {name: kib for name, kib in taken.items() if kib >= MOST_KIB} == {}


@pytest.mark.torture
def test_the_memory_of_a_request_on_a_large_collection(server: Server, wire: Wire, directory: Path) -> None:
    fill(directory / "data", "big", 1, 49_000)  # two of them are nearly all that one request may touch
    workers, taken = workers_of(server), {}
    requests: list[tuple[str, str, dict[str, str], str]] = [
        ("GET", "big/", {}, ""),
        ("PROPFIND", "big/", {"Depth": "1"}, ""),
        ("REPORT", "big/", XML, sync_body()),
        ("COPY", "big/", {"Destination": f"{wire.store}copy/"}, ""),
        ("COPY", "big/", {"Destination": f"{wire.store}copy/"}, ""),
        ("MOVE", "copy/", {"Destination": f"{wire.store}big/"}, ""),
        ("DELETE", "big/", {}, ""),
    ]
    for number, (method, path, fields, body) in enumerate(requests):
        before = {worker: memory_of(worker, "VmRSS") for worker in workers}
        for worker in workers:
            forget_peak(worker)
        answer = wire.send(method, path, fields, body=body, patience_seconds=60)  # it is not time that is tested
        assert answer.status in (200, 201, 204, 207)
        taken[f"{number} {method}"] = max(memory_of(worker, "VmHWM") - before[worker] for worker in workers)
    assert {name: kib for name, kib in taken.items() if kib >= MOST_KIB} == {}


def test_many_properties_on_many_resources_are_not_told_at_once(server: Server, wire: Wire) -> None:
    """Properties that one answer cannot hold are refused before they are read; each resource can be asked for alone."""
    one, other = workers_of(server)
    assert wire.send("MKCOL", "many").status == 201
    for number in range(20):
        assert wire.send("PUT", f"many/{number}", body="x").status == 201
        values = "".join(LARGE_VALUE.replace("x>", f"x{value}>") for value in range(15))
        assert wire.send("PROPPATCH", f"many/{number}", XML, body=PROPPATCH.format(values)).status == 207
    for method, path, fields in (
        ("PROPFIND", "many/", {"Depth": "1"}),
        ("PROPFIND", "", {"Depth": "infinity"}),
        ("COPY", "many/", {"Destination": f"{wire.store}copy/"}),
    ):
        before = {worker: memory_of(worker, "VmRSS") for worker in (one, other)}
        for worker in (one, other):
            forget_peak(worker)
        assert wire.send(method, path, fields).status == {"PROPFIND": 507, "COPY": 201}[method]
        assert all(memory_of(worker, "VmHWM") - before[worker] < MOST_KIB for worker in (one, other)), method
    alone = wire.send("PROPFIND", "copy/7", {"Depth": "0"})
    assert (alone.status, alone.body.count(b"<x")) == (207, 15)
    for path in ("many/", "copy/"):
        assert wire.send("DELETE", path).status == 204


FACTS = ("from", "to", "subject", "references", "date", "text-preview", "parts", "seen")
MESSAGE_QUESTION = PROPFIND.replace("<D:getetag/>", "".join(f'<C:{one} xmlns:C="urn:davstore:cpm"/>' for one in FACTS))
WITHOUT_PARTS = MESSAGE_QUESTION.replace('<C:parts xmlns:C="urn:davstore:cpm"/>', "")


def message(number: int, words: int) -> bytes:
    """Return a message of three parts whose facts have so many words, some of which XML escapes to five times more."""
    ids = " ".join(f"<{word}.{number}@example.org>" for word in range(words))
    people = ", ".join(f"\u042f{word} & Co <{word}@example.org>" for word in range(words))
    parts = "".join(f"--x\r\nContent-Type: text/plain; name=p{part}\r\n\r\npart {part}\r\n" for part in range(3))
    head = f"From: me@example.org\r\nTo: {people}\r\nSubject: {'&' * 8 * words}\r\nReferences: {ids}\r\n"
    return f"{head}Content-Type: multipart/mixed; boundary=x\r\n\r\n{parts}--x--\r\n".encode()


@pytest.mark.torture
def test_the_memory_of_a_request_on_many_messages(server: Server, wire: Wire, directory: Path) -> None:
    """Long facts of many messages are told a few at a time."""
    source = directory / "mail"
    source.mkdir()
    for number in range(3_000):
        (source / f"{number}.eml").write_bytes(message(number, 80))
    words = [sys.executable, "-m", "davstore", "import", "me", source, "--into", "mail", "--data", directory / "data"]
    subprocess.run(words, check=True, capture_output=True)
    workers, taken = workers_of(server), {}
    for question in (WITHOUT_PARTS, MESSAGE_QUESTION):
        props = question.partition("<D:prop>")[2].partition("</D:prop>")[0]
        requests: list[tuple[str, dict[str, str], str]] = [
            ("PROPFIND", {**XML, "Depth": "1"}, question),
            ("PROPFIND", {**XML, "Depth": "infinity"}, question),
            ("REPORT", XML, sync_body(props=props)),
        ]
        for method, fields, body in requests:
            before = {worker: memory_of(worker, "VmRSS") for worker in workers}
            for worker in workers:
                forget_peak(worker)
            assert wire.send(method, "mail/", fields, body=body, patience_seconds=60).status == 207
            name = (method, fields.get("Depth"), question is MESSAGE_QUESTION)
            taken[name] = max(memory_of(worker, "VmHWM") - before[worker] for worker in workers)
    assert {name: kib for name, kib in taken.items() if kib >= MOST_KIB} == {}
    assert wire.send("DELETE", "mail/").status == 204
