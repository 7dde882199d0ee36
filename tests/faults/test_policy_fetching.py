"""The policy of a URL, fetched from real servers that answer well, badly, slowly, and from where they should not."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from davstore.errors import BadSettings, Unavailable
from davstore.model.web_urls import WebUrl
from davstore.rule_sources.fetching import Document, fetch, fetch_rules, find_addresses, is_public
from tests.policy_server import NEVER, Handler, PolicyServer, make_certificate

MIB = 1 << 20


@pytest.fixture
def server() -> Iterator[PolicyServer]:
    made = PolicyServer()
    made.document = NEVER.encode()
    yield made
    made.stop()


def refusal(url: str, **more: Any) -> str:
    with pytest.raises(Unavailable) as caught:
        fetch(WebUrl.parse(url), **more)
    return str(caught.value).replace(url, "URL")


def test_a_document_is_fetched_once_and_then_asked_about(server: PolicyServer) -> None:
    url = WebUrl.parse(server.url)
    first = fetch(url)
    assert isinstance(first, Document)
    assert first.content == NEVER.encode()
    assert fetch(url, first.etag) is None
    server.document = b""
    assert fetch(url, first.etag) == Document(b"", f'"{hash(b"")}"')
    assert [headers.get("If-None-Match") for _, headers in server.asked] == [None, first.etag, first.etag]
    assert [rule.name for rule in fetch_rules(url)] == []


@pytest.mark.parametrize("etag", ["", "a", 'W/"', '"a"b"', '"a b"', '"a\r\n b"', '"' + "a" * 2_000 + '"'])
def test_an_etag_that_is_none_is_not_sent_back(server: PolicyServer, etag: str) -> None:
    """RFC 9110 section 8.8.3."""
    server.answer = lambda handler: handler.send(200, {"ETag": etag}, b"")
    assert fetch(WebUrl.parse(server.url)) == Document(b"", "")


def test_a_wrong_document_is_named_with_line_and_key(server: PolicyServer) -> None:
    server.document = b'[[rule]]\nname = "a"\nmodus = 1\n'
    with pytest.raises(BadSettings, match=rf"{server.url}:3: rule\.modus: unknown key"):
        fetch_rules(WebUrl.parse(server.url))
    for document in (b"\xff", b"a = " + b"[" * 100_000, b"<html></html>"):
        server.document = document
        with pytest.raises(BadSettings, match=server.url):
            fetch_rules(WebUrl.parse(server.url))


@pytest.mark.parametrize("announced", [True, False])
def test_a_document_that_is_too_long_is_refused(server: PolicyServer, announced: bool) -> None:
    sent = 0

    def pour(handler: Handler) -> None:
        nonlocal sent
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"10000\r\n" + b"#" * 0x10000 + b"\r\n")
                sent += 0x10000
        except OSError:
            handler.close_connection = True

    server.document = b"#" * MIB
    assert fetch(WebUrl.parse(server.url)) is not None
    server.document += b"#"
    server.answer = None if announced else pour
    with pytest.raises(BadSettings, match="longer than 1048576 bytes"):
        fetch(WebUrl.parse(server.url))
    assert sent < 64 * MIB  # what fits into the buffers on the way


BROKEN = "the answer is not HTTP, or broke off"
HEAD = b"HTTP/1.1 200 OK\r\n"


def stall(*parts: bytes) -> Callable[[Handler], None]:
    """Return an answer that sends parts and nothing more, until the other side has gone."""

    def answer(handler: Handler) -> None:
        for part in parts:
            handler.wfile.write(part)
        handler.close_connection = True
        while handler.connection.recv(1):
            pass

    return answer


@pytest.mark.parametrize(
    "parts", [(), (HEAD + b"Content-Le",), (HEAD + b"Content-Length: 9\r\n\r\n", b"a")], ids=["nothing", "head", "body"]
)
def test_an_answer_that_does_not_end_is_waited_for_so_long(server: PolicyServer, parts: tuple[bytes, ...]) -> None:
    server.answer = stall(*parts)
    assert refusal(server.url, seconds=0.2) == "URL: took longer than 0 s"


def drip(handler: Handler) -> None:
    """Send a head that never ends, a byte for each time that the other side may have lost its patience."""
    handler.wfile.write(HEAD + b"X: ")
    handler.close_connection = True
    handler.connection.settimeout(0.01)
    while True:
        try:
            handler.wfile.write(b"a")
            if not handler.connection.recv(1):
                return
        except TimeoutError:
            continue
        except OSError:
            return


def test_bytes_that_keep_coming_are_not_waited_for_longer(server: PolicyServer) -> None:
    server.answer = drip
    assert refusal(server.url, seconds=0.3) == "URL: took longer than 0 s"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "remote end closed connection without response"),
        (b"\x15\x03\x01\x00\x02\x02\x16", BROKEN),
        (HEAD + b"\r\n[[rule]]\n", "the answer has no length"),
        (HEAD + b"Content-Length: 9\r\n\r\n[[rule", BROKEN),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n6\r\n[[rule\r\n", BROKEN),
        (HEAD + b"Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\na", "the document is compressed"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "answered 404"),
        (b"HTTP/1.1 304 Not Modified\r\n\r\n", "answered 304"),
        (b"HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\n\r\n#", "answered 206"),
        (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", "more than 3 redirects"),
        (
            b"HTTP/1.1 302 Found\r\nLocation: gopher://a/\r\nContent-Length: 0\r\n\r\n",
            "redirects to a URL that is refused",
        ),
    ],
)
def test_what_is_no_document_is_no_policy(server: PolicyServer, raw: bytes, reason: str) -> None:
    def answer(handler: Handler) -> None:
        handler.wfile.write(raw)
        handler.close_connection = True

    server.answer = answer
    assert reason in refusal(server.url)


def test_a_server_that_is_not_there(server: PolicyServer) -> None:
    url = server.url
    server.stop()
    try:
        assert refusal(url) == "URL: connection refused"
    finally:
        server.start()
    assert refusal("https://policy.invalid/r") == "URL: its name is not known"
    assert refusal(f"https://{'a' * 64}.invalid/r") == "URL: its name is not known"


def test_redirects_are_followed_three_times(server: PolicyServer) -> None:
    server.redirect("/1", f"{server.url.removesuffix('rules.toml')}2", "3")
    assert fetch(WebUrl.parse(server.url)) is not None
    server.redirect("/1", "/2", "/3", "/4")
    assert refusal(server.url) == "URL: more than 3 redirects"


@pytest.mark.parametrize(
    ("location", "address"),
    [
        ("https://10.0.0.1/", "10.0.0.1"),
        ("https://192.168.0.1:8443/", "192.168.0.1"),
        ("https://169.254.169.254/latest/meta-data/", "169.254.169.254"),
        ("https://[fe80::1]/", "fe80::1"),
        ("https://[fd00::1]/", "fd00::1"),
        ("https://[::ffff:10.0.0.1]/", "::ffff:10.0.0.1"),
        ("https://0.0.0.0/", "0.0.0.0"),
        ("https://167772161/", "10.0.0.1"),
        ("https://10.1/", "10.0.0.1"),
        ("https://224.0.0.1/", "224.0.0.1"),
    ],
)
def test_a_redirect_to_a_private_address_is_refused(server: PolicyServer, location: str, address: str) -> None:
    server.redirect(location)
    shown = WebUrl.parse(location).shown
    assert refusal(server.url) == f"URL: it redirects to {shown}, whose address {address} is not public"


@pytest.mark.parametrize(
    ("first", "hop", "allowed"),
    [
        ("https://10.0.0.1/a", "https://10.0.0.1/a", True),
        ("https://10.0.0.1/a", "https://10.0.0.1/b", True),
        ("https://10.0.0.1/a", "https://10.0.0.1:8443/a", False),
        ("https://10.0.0.1/a", "https://10.0.0.2/a", False),
        ("https://10.0.0.1/a", "https://8.8.8.8/a", True),
        ("https://8.8.8.8/a", "https://[2606:4700::1]/a", True),
        ("https://8.8.8.8/a", "https://127.0.0.1/a", False),
        ("https://8.8.8.8/a", "http://localhost/a", False),
        ("http://127.0.0.1/a", "http://127.0.0.1:8080/a", True),
        ("http://127.0.0.1/a", "https://8.8.8.8/a", True),
        ("http://localhost/a", "http://127.0.0.2/a", True),
    ],
)
def test_the_operator_vouches_for_an_origin_and_a_redirect_for_none(first: str, hop: str, allowed: bool) -> None:
    if allowed:
        assert find_addresses(WebUrl.parse(hop), WebUrl.parse(first))
    else:
        with pytest.raises(Unavailable, match="is not public"):
            find_addresses(WebUrl.parse(hop), WebUrl.parse(first))


def test_addresses_of_the_internet_are_told_from_others() -> None:
    """RFC 6890 and its registries; the last two lead to 10.0.0.1 (RFC 4291 §2.5.5.2, RFC 3056 §2)."""
    assert all(is_public(address) for address in ("8.8.8.8", "2606:4700::1"))
    for address in (
        *("10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "127.0.0.1", "169.254.0.1", "0.0.0.0", "240.0.0.1"),
        *("192.0.2.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fc00::1", "ff0e::1"),
        *("2001:db8::1", "::ffff:10.0.0.1", "2002:a00:1::1"),
    ):
        assert not is_public(address), address


def test_the_address_that_was_looked_at_is_the_one_that_is_asked(
    server: PolicyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name may mean another address a moment later."""
    asked: list[Any] = []
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **more: asked.append(host) or resolve(host, *rest, **more)
    )
    assert fetch(WebUrl.parse(server.url.replace("127.0.0.1", "localhost"))) is not None
    assert asked[0] == "localhost"
    assert {*asked[1:]} <= {"127.0.0.1", "::1"}
    assert server.asked[0][1]["Host"] == f"localhost:{server.port}"


def test_credentials_go_to_the_origin_they_are_for_alone(
    server: PolicyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    other = PolicyServer()
    try:
        server.redirect("/1", other.url)
        url = server.url.replace("//", "//m%C3%A9:geh:eim@")
        assert fetch(WebUrl.parse(url)) is not None
        assert [headers.get("Authorization") for _, headers in server.asked] == ["Basic bcOpOmdlaDplaW0="] * 2
        assert [headers.get("Authorization") for _, headers in other.asked] == [None]
        other.answer = lambda handler: handler.send(500, {})
        assert "geh" not in refusal(url)
    finally:
        other.stop()


def test_no_proxy_is_asked(server: PolicyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would look up the name for itself."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert fetch(WebUrl.parse(server.url)) is not None


def test_a_certificate_is_to_be_that_of_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, certificate = make_certificate(tmp_path, "DNS:localhost")
    server = PolicyServer(context)
    try:
        named = server.url.replace("127.0.0.1", "localhost")
        assert refusal(named) == "URL: self-signed certificate"
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        assert fetch(WebUrl.parse(named)) is not None
        assert refusal(server.url).startswith("URL: ip address mismatch")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
        assert refusal(named) == "URL: /nowhere.pem holds no certificates to trust"
    finally:
        server.stop()
