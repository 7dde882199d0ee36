"""Behind a proxy: who asks, at which host and prefix, believed from trusted proxies only (RFC 7239, RFC 4918 §8.3)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davstore.errors import Malformed
from davstore.middleware.forwarded import believe
from davstore.model.networks import Networks, find_address
from tests.dav.client import ALICE, HOME, Client, D, setting, sync_body, token_of
from tests.dav.test_locks import culprits, info

PUBLIC = "https://cloud.example:8443/my%20files"
HEADERS = {
    "X_Forwarded_For": "198.51.100.7",
    "X_Forwarded_Host": "cloud.example:8443",
    "X_Forwarded_Proto": "https",
    "X_Forwarded_Prefix": "/my%20files/",
}


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[Client]:
    """Yield a client behind one of our proxies: at 10.0.0.0/8, 127.0.0.1 or ::1."""
    client = Client(tmp_path / "proxied", proxies="10.0.0.0/8, 127.0.0.1, ::1")
    client.address = "127.0.0.1"
    yield client
    client.close()


def asker(client: Client, **headers: str | None) -> str:
    """Return the address that counts for throttling."""
    client("OPTIONS", "", **headers)
    return str(client.seen["REMOTE_ADDR"])


@pytest.mark.parametrize(
    ("address", "forwarded", "client"),
    [
        ("192.0.2.1", "198.51.100.1", "192.0.2.1"),  # not our proxy: whatever it says
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("::1", "198.51.100.1:4711", "198.51.100.1"),
        ("::ffff:127.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("127.0.0.1", "[2001:db8::1]:80", "2001:db8::1"),
        ("127.0.0.1", "203.0.113.5, 198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "203.0.113.5, 198.51.100.1, 10.1.2.3", "198.51.100.1"),
        ("127.0.0.1", "198.51.100.1, 10.1.2.3, 10.0.0.2", "198.51.100.1"),
        ("127.0.0.1", "198.51.100.1, unknown, 10.1.2.3", "10.1.2.3"),
        ("127.0.0.1", "nobody", "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("", "198.51.100.1", ""),
    ],
)
def test_only_our_proxies_are_believed(proxied: Client, address: str, forwarded: str, client: str) -> None:
    proxied.address = address
    assert asker(proxied, X_Forwarded_For=forwarded) == client
    node = ", ".join(f'for="{one}"' if ":" in one else f"for={one}" for one in forwarded.split(", "))
    assert asker(proxied, Forwarded=node.replace('for="2001:db8::1"', 'for="[2001:db8::1]"')) == client


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Forwarded_Host": "cloud.example:8443"},
        {"X_Forwarded_Host": "cloud.example", "X_Forwarded_Port": "8443"},
        {
            "X_Forwarded_For": "1.2.3.4, 198.51.100.7, 10.0.0.9",
            "X_Forwarded_Host": "evil, cloud.example:8443, in",
        },
        {"X_Forwarded_For": "198.51.100.7, 10.0.0.9", "X_Forwarded_Host": "cloud.example:8443"},
        {"Forwarded": 'for=198.51.100.7;host="cloud.example:8443";proto=https'},
        {"Forwarded": 'host=evil.example, For="198.51.100.7:5";Host="cloud.example\\:8443" , for=10.0.0.9;host=in'},
    ],
)
def test_the_host_is_the_one_that_the_client_named(proxied: Client, headers: dict[str, str]) -> None:
    proxied.put("a")
    answer = proxied("MOVE", "a", Destination=f"https://cloud.example:8443{HOME}/b", **headers)
    assert answer.status == 201
    for other in ("https://evil.example", "http://dav.example", "https://cloud.example"):
        assert proxied("MOVE", "b", Destination=f"{other}{HOME}/c", **headers).status == 502
    proxied.address = "192.0.2.1"
    assert proxied("MOVE", "b", Destination=f"https://cloud.example:8443{HOME}/c", **headers).status == 502
    assert proxied("MOVE", "b", Destination=f"http://dav.example{HOME}/c", **headers).status == 201


def test_rfc4918_8_3_hrefs_begin_with_the_prefix_as_it_is_spelled(proxied: Client) -> None:
    proxied.mkcol("a@b")
    prefix = {**HEADERS, "X_Forwarded_Prefix": "//anna%40home/f&g/"}
    answer = proxied("PROPFIND", "a%40b", Depth="0", **prefix)
    assert answer.hrefs() == [f"/anna%40home/f&g{HOME}/a%40b/"]
    assert proxied("GET", "/.well-known/davstore", **prefix).headers["Location"] == "/anna%40home/f&g/dav/"
    destination = f"https://cloud.example:8443/anna@home/f%26g{HOME}/c"
    assert proxied("MOVE", "a@b", Destination=destination, **prefix).status == 201


def test_a_destination_has_the_prefix(proxied: Client) -> None:
    proxied.put("a")
    for destination, status in (
        (f"{PUBLIC}{HOME}/b", 201),
        (f"/my%20files{HOME}/c", 201),
        (f"/my%20files{HOME}/c?x", 204),
        (f"/my%20files{HOME}/c?part=2", 403),
        (f"/my%20files{HOME}/c?preview", 400),
        (f"{HOME}/d", 502),
        ("/my%20files", 502),
        (f"https://cloud.example:8443/yours{HOME}/d", 502),
        (f"https://cloud.example:8443{HOME}/d", 502),
    ):
        assert proxied("COPY", "a", Destination=destination, **HEADERS).status == status, destination
    assert proxied.names() == ["a", "b", "c"]


def test_if_names_what_the_client_sees(proxied: Client) -> None:
    etag = proxied.put("a")
    for tag, status in ((f"{PUBLIC}{HOME}/a", 204), (f"/my%20files{HOME}/a", 204), (f"{HOME}/a", 412)):
        assert proxied("PUT", "a", b"x", If=f"<{tag}> ([{etag}])", **HEADERS).status == status, tag


def test_every_href_is_right_for_the_client(proxied: Client) -> None:
    proxied.mkcol("c")
    proxied.put("c/a")
    seen = f"/my%20files{HOME}"
    listing = proxied("PROPFIND", "", Depth="infinity", **HEADERS)
    assert listing.hrefs() == [f"{seen}/", f"{seen}/c/", f"{seen}/c/a"]
    assert proxied("REPORT", "", sync_body(), **HEADERS).hrefs() == [f"{seen}/c/", f"{seen}/c/a"]
    assert proxied.patch("c", setting("<x:p/>"), **HEADERS).hrefs() == [f"{seen}/c/"]
    fixed = proxied("PROPFIND", "/dav/", Depth="1", **HEADERS)
    members = ("", "store/", "threads/", "drop/", "shared/", "principals/")
    assert fixed.hrefs() == [f"/my%20files/dav/{name}" for name in members]
    assert proxied("PROPFIND", "/dav/store/", Depth="1", **HEADERS).hrefs()[1:] == [f"{seen}/"]
    me = f"/my%20files/dav/principals/users/{ALICE.user.name}/"
    asked = ("current-user-principal", "owner", "principal-collection-set", "principal-URL")
    body = f"<D:propfind xmlns:D='DAV:'><D:prop>{''.join(f'<D:{name}/>' for name in asked)}</D:prop></D:propfind>"
    hrefs = [
        element.text
        for path in ("c/", f"/dav/principals/users/{ALICE.user.name}/")
        for element in proxied("PROPFIND", path, body, Depth="0", **HEADERS).xml.findall(f".//{D}prop/*/{D}href")
    ]
    assert hrefs == [me, me, "/my%20files/dav/principals/", me, "/my%20files/dav/principals/", me]
    well_known = proxied("PROPFIND", "/.well-known/davstore", **HEADERS)
    assert (well_known.status, well_known.headers["Location"]) == (307, "/my%20files/dav/")


def test_locks_are_told_as_the_client_knows_them(proxied: Client) -> None:
    proxied.put("a")
    granted = proxied("LOCK", "a", info(), **HEADERS)
    assert granted.xml.findtext(f".//{D}lockroot/{D}href") == f"/my%20files{HOME}/a"
    for answer in (
        proxied("PUT", "a", b"x", **HEADERS),
        proxied("MOVE", "a", Destination=f"{PUBLIC}{HOME}/b", **HEADERS),
    ):
        assert answer.status == 423
        assert answer.xml.findtext(f".//{D}href") == f"/my%20files{HOME}/a"
    assert proxied("DELETE", "", **HEADERS).status == 405
    proxied.mkcol("c")
    proxied("LOCK", "c/x", info(), **HEADERS)
    assert culprits(proxied("DELETE", "c", **HEADERS), "lock-token-submitted") == [f"/my%20files{HOME}/c/x"]
    token = granted.headers["Lock-Token"]
    assert (
        proxied("MOVE", "a", Destination=f"{PUBLIC}{HOME}/b", If=f"<{PUBLIC}{HOME}/a> ({token})", **HEADERS).status
        == 201
    )


@pytest.mark.parametrize("name", ["X_Forwarded_Prefix", "Forwarded"])
@pytest.mark.parametrize("value", ["files", "/a?b", "/%zz", "/..", "for", 'for="x', "=", "for=a b"])
def test_a_proxy_that_cannot_be_understood(proxied: Client, name: str, value: str) -> None:
    assert proxied("PROPFIND", "", Depth="0", **{name: value}).status == 400
    proxied.address = "192.0.2.1"
    assert proxied("PROPFIND", "", Depth="0", **{name: value}).status == 207


@given(
    st.sampled_from(["FORWARDED", *(f"X_FORWARDED_{name}" for name in ("FOR", "HOST", "PORT", "PROTO", "PREFIX"))]),
    st.text(st.characters(max_codepoint=255))
    | st.from_regex(r'(for|host|proto)="?[\[\]:.0-9a-f,;=" \\]*', fullmatch=True),
)
def test_whatever_a_proxy_says_is_understood_or_refused(name: str, value: str) -> None:
    environ = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "dav.example", f"HTTP_{name}": value}
    with contextlib.suppress(Malformed):
        believe(environ, Networks.parse("127.0.0.1"))
        assert find_address(environ["REMOTE_ADDR"]) is not None
        assert environ.get("wsgi.url_scheme", "http") in ("http", "https")


def test_pages_of_the_public_host_are_ours(proxied: Client) -> None:
    assert proxied("PUT", "a", b"x", Origin="https://cloud.example:8443", **HEADERS).status == 201
    assert proxied("PUT", "a", b"x", Origin="https://evil.example", **HEADERS).status == 403


def test_a_token_guards_through_a_proxy(proxied: Client) -> None:
    proxied.mkcol("c")
    token = token_of(proxied.sync("c/"))
    assert proxied("PUT", "c/a", b"1", If=f"<{PUBLIC}{HOME}/c/> (<{token}>)", **HEADERS).status == 201
    assert proxied("PUT", "c/b", b"1", If=f"<{PUBLIC}{HOME}/c/> (<{token}>)", **HEADERS).status == 412
