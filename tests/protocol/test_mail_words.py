"""Text of mail's fields: RFC 2047, raw 8-bit, and parameters as RFC 2231 has them."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davstore.model.messages import MOST_FACT_CHARACTERS
from davstore.protocol.message.parameters import parse_parameters, text_parameter
from davstore.protocol.message.words import decode_bytes, decode_field


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"=?ISO-8859-1?Q?a?=", "a"),
        (b"=?ISO-8859-1?Q?a?= b", "a b"),
        (b"=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"),
        (b"=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=", "ab"),
        (b"=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=", "ab"),
        (b"=?ISO-8859-1?Q?a_b?=", "a b"),
        (b"=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b"),
    ],
)
def test_rfc2047_8_table(raw: bytes, text: str) -> None:
    assert decode_field(raw) == text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>", "Keith Moore <moore@cs.utk.edu>"),
        (b"=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?= <keld@dkuug.dk>", "Keld Jørn Simonsen <keld@dkuug.dk>"),
        (b"=?ISO-8859-1?Q?Andr=E9?= Pirard <PIRARD@vm1.ulg.ac.be>", "André Pirard <PIRARD@vm1.ulg.ac.be>"),
        (
            (
                b"=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\n "
                b"=?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?="
            ),
            "If you can read this you understand the example.",
        ),
        (b"=?ISO-8859-8?b?7eXs+SDv4SDp7Oj08A==?=", "םולש ןב ילטפנ"),
    ],
)
def test_rfc2047_8_messages(raw: bytes, text: str) -> None:
    assert decode_field(raw) == text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"=?utf-8?Q?=C3?= =?utf-8?Q?=BC?=", "ü"),
        (b"=?utf-8?B?ww==?= =?UTF-8?q?=BC?=", "ü"),
        (b"=?utf-8*de?q?=C3=BC?=", "ü"),
        (b"a=?utf-8?q?b?=c", "abc"),
        (b"=?utf-8?q?not a word?= b", "not a word b"),
        (b"=?utf-8?q?who?s there??=", "who?s there?"),
        (b"=?utf-8?b?w7w?=", "ü"),
        (b"=?utf-8?b?w7 w=?=", "ü"),
        (b"=?utf-8?q?=C3=ZZ=BC?=", "Ã=ZZ¼"),
        (b"=?iso-8859-1?q?=93x=94?=", "“x”"),
        (b"=?us-ascii?q?=C3=BC?=", "Ã¼"),
        (b"=?gb2312?b?v6rK1w==?=", "开首"),
        (b"=?ks_c_5601-1987?b?sPjB9g==?=", "공지"),
        (b"=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=", "日本"),
    ],
)
def test_words_that_break_the_rules_are_read(raw: bytes, text: str) -> None:
    assert decode_field(raw) == text


@pytest.mark.parametrize(
    "raw",
    [
        b"=?no-such-charset?q?=C3=BC?=",
        b"=?utf-8?x?abc?=",
        b"=?utf-8?q?abc",
        b"=?utf-8?q",
        b"=?punycode?q?a?=",
        b"=?unicode_escape?q?a?=",
        b"=?base64?q?a?=",
        b"=??q?a?=",
    ],
)
def test_words_that_cannot_be_read_stand_as_they_are(raw: bytes) -> None:
    assert decode_field(b"a " + raw + b" b") == f"a {raw.decode()} b"


def test_raw_8_bit_is_utf_8_else_windows_1252() -> None:
    assert decode_field("Grüße €".encode()) == "Grüße €"
    assert decode_field("Grüße €".encode("cp1252")) == "Grüße €"
    assert decode_field(b"\x81") == "\ufffd"
    assert decode_field("ü =?utf-8?q?=C3=BC?= ü".encode()) == "ü ü ü"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b" a\r\n\tb  c \r\n", "a b c"),
        (b"a\x00b\x1bc\x7f", "abc"),
        (b"=?utf-8?q?a=0D=0Ab?=", "a b"),
        ("a\u2028b\u2029c\x85d\x9b\ufffee".encode(), "a b c de"),
        ("a\u00a0b\u3000c".encode(), "a\u00a0b\u3000c"),
        (b"=?utf-7?q?+2AA-?=", None),
        (b" \r\n ", None),
        (b"", None),
    ],
)
def test_a_fact_is_one_line_of_text(raw: bytes, text: str | None) -> None:
    assert decode_field(raw) == text


def test_a_long_fact_is_cut() -> None:
    assert decode_field(b"a" * (MOST_FACT_CHARACTERS + 1)) == "a" * MOST_FACT_CHARACTERS


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"=?utf-8?q?Doe=2C_J=C3=BC?= <j@x.example>", '"Doe, Jü" <j@x.example>'),
        (b"=?utf-8?q?ceo=40a=2Eexample=2C?= <evil@b.example>", '"ceo@a.example," <evil@b.example>'),
        (b'"=?utf-8?q?J=C3=BC=22?=" <j@x.example>', '"Jü\\"" <j@x.example>'),
        (b"=?utf-8?q?J=C3=BC?= <j@x.example>", "Jü <j@x.example>"),
    ],
)
def test_rfc5322_3_4_a_decoded_name_is_no_address(raw: bytes, text: str) -> None:
    assert decode_field(raw, phrases=True) == text


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=60), st.integers(1, 40)
)
def test_words_of_any_length_join_to_their_text(text: str, size: int) -> None:
    raw = text.encode()
    words = (base64.b64encode(raw[start : start + size]) for start in range(0, len(raw), size))
    assert decode_field(b" ".join(b"=?utf-8?b?%b?=" % word for word in words)) == text


def test_the_charset_that_is_declared_comes_first() -> None:
    raw = "ü".encode()
    assert decode_bytes(raw, "iso-8859-1") == "Ã¼"
    assert decode_bytes(raw, "unknown-8bit") == "ü"
    assert decode_bytes(b"\xfc", "utf-8") == "ü"
    assert decode_bytes(raw[:1], "utf-8", is_cut=True) == ""


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b'a/b; name="x y.txt"', "x y.txt"),
        (b'a/b; NAME = "a\\"b"', 'a"b'),
        (b"a/b; name=x y.txt; c=d", "x y.txt"),
        (b'a/b; name="x', "x"),
        (b"a/b;name=x (1).txt", "x (1).txt"),
        (b'a/b; name="=?utf-8?q?J=C3=BC?="', "Jü"),
        ("a/b; name=Jü".encode("cp1252"), "Jü"),
        (b"a/b; name=x; name=y", "x"),
        (b"a/b; other=x", None),
        (b"a/b; name=", None),
    ],
)
def test_rfc2045_5_1_parameters(raw: bytes, text: str | None) -> None:
    assert text_parameter(parse_parameters(raw).parameters, b"name") == text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b'message/external-body; access-type=URL;\n URL*0="ftp://";\n URL*1="cs.utk.edu/x"', "ftp://cs.utk.edu/x"),
        (
            b"application/x-stuff; url*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
            "This is ***fun***",
        ),
        (
            (
                b"application/x-stuff\n ;url*0*=us-ascii'en'This%20is%20even%20more%20\n"
                b' ;url*1*=%2A%2A%2Afun%2A%2A%2A%20\n ;url*2="isn\'t it!"'
            ),
            "This is even more ***fun*** isn't it!",
        ),
        (b"a/b; url*1*=%FC; url*0*=iso-8859-1''J; url=plain", "Jü"),
        (b"a/b; url*=utf-8''J%C3%BC", "Jü"),
        (b"a/b; url*=J%C3%BC", "Jü"),
        (b"a/b; url*=no-such''J%FC", "Jü"),
        (b"a/b; url*0=a; url*2=c", "a"),
        (b"a/b; url*=utf-8''%0D%0A%00x", "x"),
    ],
)
def test_rfc2231_3_and_4(raw: bytes, text: str) -> None:
    assert text_parameter(parse_parameters(raw).parameters, b"url") == text
