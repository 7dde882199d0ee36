"""Digests of bodies: RFC 9530."""

from __future__ import annotations

import hashlib
from base64 import b64encode

import pytest

from tests.dav.client import Client

BODY = b'{"hello": "world"}\n'
RFC_9530_B_1 = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
RFC_9530_B_1_512 = "sha-512=:YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/WkppmM44T3qg==:"
"""What the RFC gives for this body."""


@pytest.mark.parametrize("header", ["Repr_Digest", "Content_Digest"])
def test_rfc9530_2_a_body_is_held_against_its_digest(dav: Client, header: str) -> None:
    etag = dav.put("a", BODY, **{header: f"md5=:AAAA:, {RFC_9530_B_1}"})
    assert dav("PUT", "a", BODY, **{header: RFC_9530_B_1_512}).status == 204
    for wrong in (
        f"sha-256=:{b64encode(hashlib.sha256(b'').digest()).decode()}:",
        f"{RFC_9530_B_1}, sha-512=:{b64encode(hashlib.sha512(b'').digest()).decode()}:",
        "sha-256=:AAAA:",
        "sha-512=:AAAA:",
        "sha-256=x",
    ):
        assert dav("PUT", "a", BODY, **{header: wrong}).status == 400
        assert dav("PUT", "b", BODY, chunked=True, **{header: wrong}).status == 400
    assert dav("GET", "a").headers["ETag"] == etag
    assert dav.names() == ["a"]
    assert dav("PUT", "b", BODY, **{header: "crc32c=:AAAAAA==:, unixsum=:Bw==:"}).status == 201


def test_rfc9530_3_both_digests_hold(dav: Client) -> None:
    other = f"sha-256=:{b64encode(hashlib.sha256(b'').digest()).decode()}:"
    assert dav("PUT", "a", BODY, Repr_Digest=RFC_9530_B_1, Content_Digest=RFC_9530_B_1).status == 201
    assert dav("PUT", "a", BODY, Repr_Digest=RFC_9530_B_1, Content_Digest=other).status == 400


@pytest.mark.parametrize(
    ("wanted", "sent"),
    [
        (None, False),
        ("sha-256=10", True),
        ("sha-512=3, sha-256=10, unixsum=0", True),
        ("sha-256", True),
        ("sha-256=0", False),
        ("sha-512=10", False),
        ("md5=1,sha-256x=3", False),
    ],
)
def test_rfc9530_4_a_digest_is_sent_when_it_is_wanted(dav: Client, wanted: str | None, sent: bool) -> None:
    dav.put("a", BODY)
    for method, byte_range in (("GET", None), ("HEAD", None), ("GET", "bytes=0-3"), ("GET", "bytes=0-3,7-8")):
        answer = dav(method, "a", Want_Repr_Digest=wanted, Range=byte_range)
        assert answer.headers.get("Repr-Digest") == (RFC_9530_B_1 if sent else None)
        answer = dav(method, "a", Want_Content_Digest=wanted, Range=byte_range)
        assert answer.headers.get("Content-Digest") == (RFC_9530_B_1 if sent and byte_range is None else None)
