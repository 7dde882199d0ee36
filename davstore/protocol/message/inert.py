"""HTML of messages, made inert: text, tables and the message's own pictures; nothing that runs, loads or sends.

nh3 decides what stays. It is given a tree that libxml2 has made, because the tree building of HTML5 copies the open
formatting elements into every paragraph (https://html.spec.whatwg.org/#reconstruct-the-active-formatting-elements): a
quarter of a megabyte of mail can become gigabytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import unquote

import nh3
from lxml import etree

MOST_CHARACTERS: Final = 256 * 1024
"""HTML behind it is left out."""
_MOST_COPIES: Final = 50_000
"""Formatting elements that HTML5 may copy at the most; where it might be more there is no formatting at all."""

_FORMATTING: Final = ("a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_DROPPED: Final = _words(
    "iframe math noembed noframes noscript plaintext script select style svg template textarea title xmp"
)
"""Elements that go with their content: it is no text, or is read by other rules than text."""
_TAGS: Final = _words(
    "a abbr address article b bdi bdo big blockquote br caption center cite code col colgroup dd del dfn div dl dt em"
    " figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark nav ol p pre q s samp"
    " section small span strike strong sub sup table tbody td tfoot th thead tr tt u ul var wbr"
)
_ATTRIBUTES: Final = {
    "*": _words("align bgcolor color dir height lang style valign width"),
    "a": _words("href"),
    "font": _words("face size"),
    "img": _words("alt src"),
    "li": _words("value"),
    "ol": _words("start type"),
    "table": _words("border cellpadding cellspacing"),
    "td": _words("colspan nowrap rowspan"),
    "th": _words("colspan nowrap rowspan"),
}
_SIDES: Final = ("", "-top", "-right", "-bottom", "-left")
_PROPERTIES: Final = _words(
    "background background-color border-collapse border-color border-radius border-spacing border-style border-width"
    " color direction display float font font-family font-size font-style font-weight height letter-spacing line-height"
    " list-style-type max-height max-width min-height min-width overflow-wrap table-layout text-align text-decoration"
    " text-indent text-transform vertical-align white-space width word-break word-spacing word-wrap"
) | {f"{name}{side}" for name in ("border", "margin", "padding") for side in _SIDES}
_SCHEMES: Final = frozenset({"http", "https", "mailto", "cid", "data"})
_LINK: Final = re.compile(r"(?:https?|mailto):", re.IGNORECASE)
_PICTURE: Final = re.compile(r"data:image/(?:gif|jpeg|png|webp);base64,[A-Za-z0-9+/=\s]*", re.IGNORECASE)
_FUNCTION: Final = re.compile(r"([^\s,:;()/*]*)\(")
_FUNCTIONS: Final = frozenset({"rgb", "rgba", "hsl", "hsla", "calc"})
"""Functions of CSS whose values load nothing; any other one may (`url`, `image-set`, …)."""


class Inert(NamedTuple):
    """A fragment of HTML, and whether it is all that was given."""

    html: str
    is_whole: bool


def make_inert(html: str, pictures: Mapping[str, str]) -> Inert:
    """Return what may be shown of the HTML of a message. It has no reference but links and pictures.

    Links are of http, https and mailto, open a window of their own and give no referrer. pictures has the references of
    the message's own pictures by their Content-ID (RFC 2392); pictures of any other place lose theirs.
    """

    def filter_attribute(_tag: str, name: str, value: str) -> str | None:
        if name == "href":
            return value if _LINK.match(value) else None
        if name == "style":
            return _filter_style(value)
        return _find_picture(value, pictures) if name == "src" else value

    tree, is_whole = _parse(html)
    if tree is None:
        return Inert("", is_whole)
    clean = nh3.clean(
        etree.tostring(tree, method="html", encoding="unicode"),
        tags=set(_TAGS),
        clean_content_tags=set(_DROPPED),
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        attribute_filter=filter_attribute,
        set_tag_attribute_values={"a": {"target": "_blank"}},
        url_schemes=set(_SCHEMES),
        filter_style_properties=set(_PROPERTIES),
        link_rel="noopener noreferrer",
    )
    return Inert(clean, is_whole)


def _parse(html: str) -> tuple[etree._Element | None, bool]:
    """Return the tree of HTML, of a depth that libxml2 bounds, and whether it has all of it."""
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True, huge_tree=False)
    content = html[:MOST_CHARACTERS].translate({0: " "}).encode(errors="replace")
    try:
        tree = etree.fromstring(content, parser)
    except etree.XMLSyntaxError:  # nothing is there
        return None, len(html) <= MOST_CHARACTERS
    is_whole = len(html) <= MOST_CHARACTERS and not any("depth" in one.message for one in parser.error_log)
    if tree is None:
        return None, is_whole
    etree.strip_elements(tree, *_DROPPED, with_tail=False)
    for body in tree.iter("body"):
        body.tag = "div"  # a fragment has no body, whose style is that of all
    if _count_copies(tree) > _MOST_COPIES:
        etree.strip_tags(tree, *_FORMATTING)
    return tree, is_whole


def _count_copies(tree: etree._Element) -> int:
    """Return how many formatting elements are open above all elements together."""
    depth = copies = 0
    for event, element in etree.iterwalk(tree, events=("start", "end")):
        if element.tag in _FORMATTING:
            depth += 1 if event == "start" else -1
        copies += depth
    return copies


def _find_picture(reference: str, pictures: Mapping[str, str]) -> str | None:
    if reference[:4].lower() == "cid:":
        return pictures.get(unquote(reference[4:]))
    return reference if _PICTURE.fullmatch(reference) else None


def _filter_style(style: str) -> str | None:
    if "\\" in style:  # an escape may spell any name
        return None
    kept = [one for one in style.split(";") if {name.lower() for name in _FUNCTION.findall(one)} <= _FUNCTIONS]
    return ";".join(kept) or None
