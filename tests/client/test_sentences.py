"""The output for a person: sentences, without names of parts of a program, of elements, or of nested exceptions."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
from pathlib import Path

import pytest
from urllib3 import exceptions

from davstore.cli.progress import as_size
from davstore.client.exit_status import Stop
from davstore.client.refusals import describe as describe_refusal
from davstore.client.transport import Transport, describe
from tests.client.devices import Device
from tests.client.foreign import Store, serve

PARTS_OF_PROGRAMS = re.compile(r"\{|\}|HTTP\w+Pool|Errno|Error|object at|Max retries|\w\(")


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def device(tmp_path: Path, store: Store):
    with serve(store) as url:
        yield Device(url, tmp_path / "folder", tmp_path / "state")


@pytest.mark.parametrize(
    ("status", "conditions", "sentence"),
    [
        (423, {"{DAV:}lock-token-submitted"}, "it is locked (423)"),
        (507, {"{DAV:}quota-not-exceeded"}, "the quota is used up (507)"),
        (507, {"{DAV:}sufficient-disk-space"}, "the server's disk is full (507)"),
        (507, set(), "the server has no room for it (507)"),
        (403, {"{DAV:}need-privileges"}, "this user may not do that (403)"),
        (403, {"{urn:x}name-is-fine"}, "the server refuses it: name is fine (403)"),
        (403, set(), "the server does not permit it (403)"),
        (413, set(), "it is too large for the server (413)"),
        (500, set(), "the server failed (500)"),
        (599, set(), "the server failed (599)"),
        (418, set(), "the server refuses it (418)"),
    ],
)
def test_a_refusal(status: int, conditions: set[str], sentence: str) -> None:
    assert describe_refusal(status, frozenset(conditions)) == sentence


def wrapped(inner: Exception) -> Exception:
    """Return an error as urllib3 gives it: the reason is an argument."""
    return exceptions.ProtocolError("Connection aborted.", inner)


CERTIFICATE = ssl.SSLCertVerificationError(1, "certificate verify failed")
CERTIFICATE.verify_message = "self-signed certificate"
POOL = None


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (wrapped(ConnectionRefusedError(111, "Connection refused")), "connection refused"),
        (wrapped(ConnectionResetError(104, "Connection reset by peer")), "connection reset by peer"),
        (wrapped(socket.gaierror(-2, "Name or service not known")), "its name is not known"),
        (exceptions.SSLError(CERTIFICATE), "its certificate is not accepted: self-signed certificate"),
        (exceptions.SSLError(ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER]")), "it does not speak TLS"),
        (exceptions.ReadTimeoutError(POOL, "/", "Read timed out."), "no answer within 120 s"),
        (wrapped(TimeoutError("timed out")), "no connection within 10 s"),
        (
            exceptions.ProxyError("Unable to connect to proxy", ConnectionRefusedError(111, "Connection refused")),
            "its proxy: connection refused",
        ),
        (exceptions.IncompleteRead(5, 10), "the connection broke"),
    ],
)
def test_a_connection_that_fails(error: Exception, words: str) -> None:
    assert describe(error) == words


def test_no_server(device: Device) -> None:
    device.url = "http://127.0.0.1:9/files/"
    assert device.sync() == 6
    assert device.said == ["the server http://127.0.0.1:9 cannot be reached: connection refused"]


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    """The request names the whole URL, as a proxy needs it (RFC 9112 §3.2.2), and is let through by this one."""
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with serve(store) as url:
        monkeypatch.setenv("http_proxy", url.removesuffix("/files/"))
        transport = Transport("http://example.org", {"Authorization": "Basic dXNlcjpwYXNzd29yZA=="}, at_once=1)
        answer = transport.ask("PROPFIND", "/files/", {"Depth": "0"}, None)
        assert (answer.status, store.requests) == (207, [("PROPFIND", "")])


def test_certificates_that_the_environment_names_and_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    with pytest.raises(Stop, match=r"in the environment cannot be used for https://example\.org"):
        Transport("https://example.org", {}, at_once=1)


def test_a_certificate_is_verified_as_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, store: Store, tmp_path: Path
) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    words = ["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *words]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serve(store, context) as url:
        device = Device(url, tmp_path / "folder", tmp_path / "state")
        assert device.sync() == 6
        origin = url.removesuffix("/files/")
        assert device.said == [
            f"the server {origin} cannot be reached: its certificate is not accepted: self-signed certificate"
        ]
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        assert device.sync() == 0


@pytest.mark.parametrize(
    ("status", "sentence"),
    [(503, "the server is busy (503): going on in 7 s"), (429, "too many requests (429): going on in 7 s")],
)
def test_a_wait_is_told_once_for_all_that_wait(device: Device, store: Store, status: int, sentence: str) -> None:
    device.write("a.txt", b"a")
    answers = iter([(status, {"Retry-After": "7"}, b"")])
    store.answer = lambda method, _: next(answers, None) if method == "PUT" else None
    assert device.sync() == 0
    assert device.said == [sentence]


def test_what_is_refused_is_told_by_name(device: Device, store: Store) -> None:
    device.write("a.txt", b"a")
    body = b'<D:error xmlns:D="DAV:"><D:quota-not-exceeded/></D:error>'
    store.answer = lambda method, _: (507, {"Content-Type": "application/xml"}, body) if method == "PUT" else None
    assert device.sync() == 1
    assert device.said == ["a.txt: the quota is used up (507)"]


@pytest.mark.parametrize(
    ("condition", "status", "level"),
    [(b"sufficient-disk-space", 6, b"infinite"), (b"number-of-matches-within-limits", 0, b"1")],
)
def test_a_report_that_the_server_has_no_room_for(
    device: Device, store: Store, condition: bytes, status: int, level: bytes
) -> None:
    """Too many matches in one answer are fewer at level 1; a full disk passes, and says nothing of the level."""
    refused = [b'<D:error xmlns:D="DAV:"><D:%b/></D:error>' % condition]
    store.answer = lambda method, _: (507, {}, refused.pop()) if method == "REPORT" and refused else None
    assert [device.sync(), device.sync()] == [status, 0]
    assert {re.sub(rb".*sync-level>(\w+)<.*", rb"\1", body, flags=re.DOTALL) for body in store.questions} == {level}


@pytest.mark.parametrize("status", [301, 400, 404, 412, 423, 502])
@pytest.mark.parametrize("method", ["REPORT", "PUT", "GET", "MKCOL"])
def test_no_sentence_names_a_part_of_a_program(device: Device, store: Store, method: str, status: int) -> None:
    device.write("d/a.txt", b"a")
    store.write("b.txt", b"b")
    body = b'<D:error xmlns:D="DAV:"><D:some-condition/></D:error>'
    store.answer = lambda asked, _: (status, {}, body) if asked == method else None
    assert device.sync() != 0
    assert device.said
    assert not [line for line in device.said if PARTS_OF_PROGRAMS.search(line)]


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (2_500_000, "2.5 MB"), (5 * 10**15, "5000.0 TB")],
)
def test_a_size(count: int, words: str) -> None:
    assert as_size(count) == words
