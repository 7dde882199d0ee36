"""Dead properties from a PROPPATCH into a multistatus and back, whatever they hold: RFC 4918 §4.3, §4.4."""

from __future__ import annotations

import io
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from davstore.protocol.dav import proppatch
from davstore.protocol.dav.multistatus import Multistatus

LANG = "{http://www.w3.org/XML/1998/namespace}lang"

text = st.text(st.characters(codec="ascii", categories=("L", "N", "Zs")) | st.sampled_from("\n\té😀"), max_size=4)
declarations = st.dictionaries(
    st.sampled_from(["", "D", "C", "p", "q"]), st.sampled_from(["urn:a", "urn:b", "DAV:", "relative"]), max_size=3
)


class Node(NamedTuple):
    """An element to be written as text: with a prefix out of those in scope, and maybe with no default namespace."""

    declared: dict[str, str]
    prefix: int
    local: str
    undefault: bool
    attributes: dict[str, str]
    text: str
    children: list[Node]
    tail: str


nodes = st.recursive(
    st.builds(
        Node,
        declarations,
        st.integers(0, 9),
        st.sampled_from(["x", "y", "é"]),
        st.booleans(),
        st.dictionaries(st.sampled_from(["a", "b", "xml:lang"]), text, max_size=2),
        text,
        st.just([]),
        text,
    ),
    lambda inner: st.builds(Node._replace, inner, children=st.lists(inner, max_size=3)),
    max_leaves=6,
)


def write(node: Node, scope: tuple[str, ...]) -> str:
    declared = dict(node.declared) | ({"": ""} if node.undefault else {})
    scope = tuple(sorted({*scope, *(prefix for prefix in declared if prefix)}))
    prefix = (*scope, "")[node.prefix % (len(scope) + 1)]
    name = f"{prefix}:{node.local}" if prefix else node.local
    words = [f'xmlns:{key}="{uri}"' if key else f'xmlns="{uri}"' for key, uri in declared.items()]
    words += [f'{key}="{value}"' for key, value in node.attributes.items()]
    inner = "".join(write(child, scope) for child in node.children)
    return f"<{' '.join([name, *words])}>{node.text}{inner}</{name}>{node.tail}"


def facts(element: etree._Element) -> list[object]:
    """The facts that must not change: names, attributes, text and order; the language that holds at the top."""
    language = next(
        (lang for node in (element, *element.iterancestors()) if (lang := node.get(LANG)) is not None), None
    )
    found: list[object] = [language]
    for node in element.iter():
        attributes = {key: value for key, value in node.attrib.items() if node is not element or key != LANG}
        found.append((node.tag, node.text or "", attributes, "" if node is element else node.tail or ""))
    return found


@given(st.lists(nodes, min_size=1, max_size=3), declarations, st.booleans(), st.booleans())
def test_what_was_sent_is_what_is_told(
    values: list[Node], outer: dict[str, str], language: bool, undefault: bool
) -> None:
    outer = {key: uri for key, uri in outer.items() if key != "D"} | {"D": "DAV:"}
    scope = tuple(sorted(key for key in outer if key))
    declared = " ".join(f'xmlns:{key}="{uri}"' if key else f'xmlns="{uri}"' for key, uri in outer.items())
    lang = ' xml:lang="en"' if language else ""
    bare = ' xmlns=""' if undefault else ""
    content = "".join(write(value, scope) for value in values)
    update = f"<D:propertyupdate {declared}{lang}><D:set{bare}><D:prop>{content}</D:prop></D:set></D:propertyupdate>"
    body = update.encode()
    sent = [facts(element) for element in etree.fromstring(body)[0][0]]

    spool = io.BytesIO()
    answer = Multistatus(spool.write)
    answer.response(b"/a", b"".join(value or b"" for _, value in proppatch.parse(body)))
    answer.close()
    told = [facts(element) for element in next(etree.fromstring(spool.getvalue()).iter("{DAV:}prop"))]

    assert told == sent
