"""HTML of messages, made inert: what may be in it is known, whatever it was made of."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
from lxml import html

from davstore.protocol.message.inert import MOST_CHARACTERS, make_inert
from tests.web.mails import EVIL

PICTURES = {"a@b": "?part=2"}
FORBIDDEN = re.compile(
    "script|style|link|meta|base|form|input|button|i?frame|object|embed|svg|math|video|audio|select|textarea|template|title"
)


def parse(text: str) -> Any:
    """Return the tree of a fragment."""
    return html.fragment_fromstring(text, create_parent="div")


def check(given: str) -> None:
    """See that nothing in the result runs, loads, sends or leads anywhere but into a window of its own."""
    for element in parse(make_inert(given, PICTURES).html).iter():
        assert isinstance(element.tag, str)  # no comment
        assert not FORBIDDEN.fullmatch(element.tag)
        for name, value in element.attrib.items():
            assert not name.startswith("on")
            assert name not in ("background", "srcset", "ping", "id", "class", "action", "poster", "data")
            if name == "href":
                assert re.match("(?:https?|mailto):", value, re.IGNORECASE)
            elif name == "src":
                assert value in PICTURES.values() or value.startswith("data:image/png;base64,")
            elif name == "style":
                assert not re.search(r"url|image|position|[\\\\@]", value, re.IGNORECASE)
        if element.tag == "a":
            assert element.get("target") == "_blank"
            assert set(element.get("rel").split()) == {"noopener", "noreferrer"}


def test_nothing_evil_stays() -> None:
    check(EVIL)
    check(EVIL.replace("<", "<\0"))
    assert "SHOWN" in make_inert(EVIL, PICTURES).html


def test_nothing_evil_comes_of_pieces() -> None:
    chance = random.Random(1)
    pieces = re.split(r"(?=[<>\"' =;])", EVIL)
    for _ in range(300):
        check("".join(chance.choices(pieces, k=60)))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", ""),
        ("plain & <b>bold</b>", "plain &amp; <b>bold</b>"),
        ("<p>no end", "<p>no end</p>"),
        ("a<embed src=x>b", "ab"),
        ("<noembed><b></noembed>", ""),
        ('<font color="red" size=2>x</font>', '<font color="red" size="2">x</font>'),
        ('<img src="CID:a%40b">', '<img src="?part=2">'),
        ('<img src="cid:other" alt="o">', '<img alt="o">'),
        ('<img src="?part=2">', "<img>"),
        ('<img src="data:image/png;base64,AA==">', '<img src="data:image/png;base64,AA==">'),
        ('<img src="data:image/svg+xml;base64,AA==">', "<img>"),
        ('<p style="color: rgb(1,2,3); position: fixed">x</p>', '<p style="color:rgb(1, 2, 3)">x</p>'),
        ('<p style="margin:0;background:URL (x)">x</p>', '<p style="margin:0">x</p>'),
    ],
)
def test_what_may_stay_stays(given: str, expected: str) -> None:
    inert = make_inert(given, PICTURES)
    assert re.sub(r"</?div>", "", html.tostring(parse(inert.html)).decode()) == expected
    assert inert.is_whole


def test_it_says_when_it_is_not_all() -> None:
    assert make_inert("x" * MOST_CHARACTERS, {}).is_whole
    assert not make_inert("x" * (MOST_CHARACTERS + 1), {}).is_whole
    assert not make_inert("<div>" * 300, {}).is_whole
