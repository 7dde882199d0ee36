"""The media type under which a part of a message is sent (RFC 2045 §5, RFC 9110 §8.3.1)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davstore.model.messages import Part
from davstore.protocol.message.part_types import content_type_of

FIELD = re.compile(r"[\x20-\x7e]+")
"""A value that is safe in a header of an answer."""


def declaring(content_type: str | None, charset: str | None = None, media_type: str = "text/plain") -> Part:
    return Part("1", 0, 0, media_type, content_type, charset, "7bit", None, None, None)


@pytest.mark.parametrize(
    ("declared", "sent"),
    [
        ("text/plain; charset=utf-8", "text/plain; charset=utf-8"),
        ("text/plain;\tcharset=utf-8 ;", "text/plain; charset=utf-8"),
        ('IMAGE/PNG; name="a; \\"b\\".png"', 'IMAGE/PNG; name="a; \\"b\\".png"'),
        ("text/html", "text/html"),
        ("application/pdf; name=a b.pdf", "application/pdf"),
        ('application/pdf; name="ä.pdf"', "application/pdf"),
        ("text/html (a page); format=flowed", "text/html"),
        ("text", "application/octet-stream"),
        ("text/", "application/octet-stream"),
        ("", "application/octet-stream"),
        ("text/plain\r\nX-Bad: 1", "application/octet-stream"),
        ("text/ä", "application/octet-stream"),
        ("text/plain, text/html", "application/octet-stream"),
        ("application/x; a=" + "b" * 1_000, "application/x"),
    ],
)
def test_a_type_is_sent_as_declared_where_http_can_say_it(declared: str, sent: str) -> None:
    assert content_type_of(declaring(declared)) == sent


def test_what_cannot_be_read_costs_the_parameters_but_not_the_charset() -> None:
    assert content_type_of(declaring("text/plain; charset=latin1; x", "latin1")) == "text/plain; charset=latin1"
    assert content_type_of(declaring("text/plain; charset=ä; x", "ä\r\n")) == "text/plain"


def test_rfc2045_5_2_nothing_is_declared() -> None:
    assert content_type_of(declaring(None)) == "text/plain"
    assert content_type_of(declaring(None, media_type="message/rfc822")) == "message/rfc822"


@given(st.text(max_size=60) | st.from_regex(r"text/plain; ?[a-z]+=[ -~]*", fullmatch=True), st.text(max_size=9))
def test_no_declaration_breaks_a_header(declared: str, charset: str) -> None:
    sent = content_type_of(declaring(declared, charset))
    assert FIELD.fullmatch(sent)
    assert len(sent) <= 255
