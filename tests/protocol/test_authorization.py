"""Credentials: RFC 7617 and RFC 6750."""

from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davstore.errors import Unauthenticated
from davstore.protocol.http.authorization import Basic, Bearer, parse_authorization


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_rfc7617_2_basic() -> None:
    assert parse_authorization("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==") == Basic("Aladdin", "open sesame")
    assert parse_authorization("bAsIc   QWxhZGRpbjpvcGVuIHNlc2FtZQ==") == Basic("Aladdin", "open sesame")
    assert parse_authorization(basic("me:a:b:c")) == Basic("me", "a:b:c")
    assert parse_authorization(basic("me:")) == Basic("me", "")


def test_rfc7617_2_1_utf8() -> None:
    assert parse_authorization("Basic dGVzdDoxMjPCow==") == Basic("test", "123£")


def test_rfc7617_2_what_is_not_utf8_is_latin1() -> None:
    def sent(text: str, charset: str) -> str:
        return "Basic " + base64.b64encode(text.encode(charset)).decode()

    assert parse_authorization(sent("jürgen:pässword", "latin-1")) == Basic("jürgen", "pässword")
    assert parse_authorization(sent("jürgen:pässword", "utf-8")) == Basic("jürgen", "pässword")
    assert parse_authorization(sent("a:Ã¤", "latin-1")) == Basic("a", "ä")  # valid UTF-8, and read as nothing else
    assert parse_authorization(sent("a:\xff", "latin-1")) == Basic("a", "\xff")


def test_rfc6750_2_1_bearer() -> None:
    assert parse_authorization("Bearer mF_9.B5f-4.1JqM") == Bearer("mF_9.B5f-4.1JqM")


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic bm9jb2xvbg==",
        "Basic /w==",
        "Basic YTpi Yw==",
        "Basic YTpi=Yw",
        "Bearer",
        "Bearer ",
        "Bearer a b",
        'Digest username="me"',
        basic("a\x00:b"),
        basic("a:b\n"),
        "Basic €",
    ],
)
def test_garbage_is_unauthenticated(value: str | None) -> None:
    with pytest.raises(Unauthenticated):
        parse_authorization(value)


def test_secrets_do_not_show() -> None:
    assert "sesame" not in repr(parse_authorization("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="))
    assert "mF_9" not in repr(parse_authorization("Bearer mF_9.B5f-4.1JqM"))


@given(st.text() | st.text().map("Basic {}".format) | st.text().map("Bearer {}".format))
def test_any_text_is_credentials_or_refused(text: str) -> None:
    with contextlib.suppress(Unauthenticated):
        assert isinstance(parse_authorization(text), Basic | Bearer)


@given(st.binary())
def test_any_bytes_in_basic_are_credentials_or_refused(content: bytes) -> None:
    with contextlib.suppress(Unauthenticated):
        parse_authorization("Basic " + base64.b64encode(content).decode())
