"""The XML that davstore writes: RFC 4918 §13, §14.16, §16; RFC 5689 §5.2; RFC 6578 §3.

Equal to what lxml would write.
"""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from lxml.builder import ElementMaker

from davstore.protocol.dav import elements, error_body, hrefs, names, xml
from davstore.protocol.dav.multistatus import Multistatus, PropStat, mkcol_response, proppatch_response

D = ElementMaker(namespace="DAV:", nsmap={"D": "DAV:", "C": "urn:davstore:cpm"})
C = ElementMaker(namespace="urn:davstore:cpm", nsmap={"D": "DAV:", "C": "urn:davstore:cpm"})


class Answer(Multistatus):
    """A multistatus whose bytes can be looked at."""

    def __init__(self) -> None:
        self.spool = io.BytesIO()
        super().__init__(self.spool.write)

    def tree(self) -> etree._Element:
        return etree.fromstring(self.spool.getvalue())


def canonical(answer: Multistatus | bytes) -> bytes:
    """Canonical XML of an answer, without the line ends that the writer puts between responses."""
    text = answer.spool.getvalue() if isinstance(answer, Answer) else answer
    assert isinstance(text, bytes)
    root = etree.fromstring(text)
    for inner in (root, *root):
        if not (inner.text or "").strip():
            inner.text = None
        if not (inner.tail or "").strip():
            inner.tail = None
    return etree.tostring(root, method="c14n")


def tree(*content: etree._Element, root: str = "multistatus") -> bytes:
    return etree.tostring(D(root, *content), method="c14n")


def status(code: int, phrase: str) -> etree._Element:
    return D("status", f"HTTP/1.1 {code} {phrase}")


def test_rfc4918_9_1_3_found_and_missing() -> None:
    answer = Answer()
    found = elements.text_element(names.GETETAG, '"a&b"') + elements.element(
        names.RESOURCETYPE, elements.empty(names.COLLECTION)
    )
    answer.response(b"/container/", found, elements.empty("{urn:davstore:cpm}seen") + elements.empty("{DAV:}x"))
    answer.response(b"/container/a", found)
    answer.response(b"/container/b", b"", elements.empty("{DAV:}x"))
    answer.response(b"/container/c", b"")
    answer.close()

    def properties() -> etree._Element:
        return D("prop", D("getetag", '"a&b"'), D("resourcetype", D("collection")))

    assert canonical(answer) == tree(
        D(
            "response",
            D("href", "/container/"),
            D("propstat", properties(), status(200, "OK")),
            D("propstat", D("prop", C("seen"), D("x")), status(404, "Not Found")),
        ),
        D("response", D("href", "/container/a"), D("propstat", properties(), status(200, "OK"))),
        D("response", D("href", "/container/b"), D("propstat", D("prop", D("x")), status(404, "Not Found"))),
        D("response", D("href", "/container/c"), D("propstat", D("prop"), status(200, "OK"))),
    )


def test_rfc4918_9_2_2_proppatch_refused() -> None:
    body = proppatch_response(
        b"/bar.html",
        [
            PropStat(403, elements.empty("{DAV:}getetag"), elements.empty(names.CANNOT_MODIFY_PROTECTED_PROPERTY)),
            PropStat(424, elements.empty("{http://ns.example.com/z}Authors") + elements.empty("plain")),
        ],
    )
    authors = ElementMaker(namespace="http://ns.example.com/z", nsmap={None: "http://ns.example.com/z"})("Authors")
    assert canonical(body) == tree(
        D(
            "response",
            D("href", "/bar.html"),
            D(
                "propstat",
                D("prop", D("getetag")),
                status(403, "Forbidden"),
                D("error", D("cannot-modify-protected-property")),
            ),
            D("propstat", D("prop", authors, etree.Element("plain")), status(424, "Failed Dependency")),
        )
    )


def test_rfc4918_9_6_2_delete_refused() -> None:
    answer = Answer()
    answer.status(b"/container/resource3", 423, "{DAV:}lock-token-submitted")
    answer.status(b"/container/resource4", 507)
    answer.close()
    assert canonical(answer) == tree(
        D(
            "response",
            D("href", "/container/resource3"),
            status(423, "Locked"),
            D("error", D("lock-token-submitted")),
        ),
        D("response", D("href", "/container/resource4"), status(507, "Insufficient Storage")),
    )


def test_rfc6578_3_9_and_3_10_removed_and_truncated() -> None:
    answer = Answer()
    answer.response(b"/home/a.txt", elements.text_element(names.GETETAG, '"1"'))
    answer.removed(b"/home/b.txt")
    answer.truncated(b"/home/")
    answer.close(sync_token="urn:davstore:sync:1.1.1.0123456789abcdef.-.9")
    assert canonical(answer) == tree(
        D("response", D("href", "/home/a.txt"), D("propstat", D("prop", D("getetag", '"1"')), status(200, "OK"))),
        D("response", D("href", "/home/b.txt"), status(404, "Not Found")),
        D(
            "response",
            D("href", "/home/"),
            status(507, "Insufficient Storage"),
            D("error", D("number-of-matches-within-limits")),
        ),
        D("sync-token", "urn:davstore:sync:1.1.1.0123456789abcdef.-.9"),
    )


def test_rfc6578_3_2_nothing_changed() -> None:
    answer = Answer()
    answer.close(sync_token="urn:x")
    assert canonical(answer) == tree(D("sync-token", "urn:x"))


def test_rfc5689_5_2_mkcol_response() -> None:
    body = mkcol_response(
        [PropStat(403, elements.empty(names.RESOURCETYPE), elements.empty("{DAV:}valid-resourcetype"))]
    )
    assert canonical(body) == tree(
        D(
            "propstat",
            D("prop", D("resourcetype")),
            status(403, "Forbidden"),
            D("error", D("valid-resourcetype")),
        ),
        root="mkcol-response",
    )


def test_rfc4918_16_error_body() -> None:
    condition = elements.element(
        "{urn:davstore:cpm}sync-allowed",
        elements.text_element("{urn:davstore:cpm}rule", "<&>"),
        elements.href("/a%20b"),
    )
    assert canonical(error_body.render(condition)) == tree(
        C("sync-allowed", C("rule", "<&>"), D("href", "/a%20b")), root="error"
    )
    assert canonical(error_body.render()) == tree(root="error")


def test_dead_properties_stay_what_they_were() -> None:
    value = b'<x xmlns="" xmlns:D="mailto:other">t<D:y>D:q</D:y><n:z xmlns:n="u" xml:lang="fr"/></x>'
    answer = Answer()
    answer.response(b"/a", value)
    answer.close()
    (kept,) = next(answer.tree().iter("{DAV:}prop"))
    original = etree.fromstring(value)
    assert [(inner.tag, inner.text, dict(inner.attrib)) for inner in kept.iter()] == [
        (inner.tag, inner.text, dict(inner.attrib)) for inner in original.iter()
    ]


def test_many_responses_in_order() -> None:
    writes: list[bytes] = []
    answer = Multistatus(writes.append)
    for number in range(1000):
        answer.response(b"/%d" % number, b"")
    answer.close()
    found = [href.text for href in etree.fromstring(b"".join(writes)).iter("{DAV:}href")]
    assert found == [f"/{number}" for number in range(1000)]
    assert 1 < len(writes) < 10


ALLOWED = set("\t\n\r")


def legal(text: str) -> str:
    """The characters of a text that XML 1.0 §2.2 can hold."""
    return "".join(
        c if c in ALLOWED or "\x20" <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff" else "\ufffd"
        for c in text
    )


@given(st.text())
@pytest.mark.parametrize("name", [names.DISPLAYNAME, "{urn:x}a", "a", "{http://www.w3.org/XML/1998/namespace}a"])
def test_xml_2_2_any_text_is_escaped_once(name: str, text: str) -> None:
    element = xml.parse(error_body.render(elements.text_element(name, text)))
    assert element is not None
    assert element[0].tag == name
    assert (element[0].text or "") == legal(text)


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1))
def test_rfc4918_8_3_any_name_in_an_href(name: str) -> None:
    answer = Answer()
    answer.response(hrefs.for_xml(hrefs.render_href(("dav", name), slash=False)), b"")
    answer.close()
    (href,) = answer.tree().iter("{DAV:}href")
    assert href.text == f"/dav/{hrefs.encode_segment(name)}"


@given(st.text(alphabet="&'()=abc").map("urn:x{}".format))
def test_any_namespace_in_an_element(namespace: str) -> None:
    root = etree.fromstring(error_body.render(elements.element(names.clark(namespace, "x"), b"y")))
    assert root[0].tag == f"{{{namespace}}}x"


@pytest.mark.parametrize("name", ["{DAV:}getetag", "{u{}v}x", "x", "{urn:x}é"])
def test_clark_names_split_and_join(name: str) -> None:
    assert names.clark(*names.split(name)) == name


def test_long_responses_wait_for_no_others() -> None:
    written: list[bytes] = []
    answer = Multistatus(written.append)
    for number in range(100):
        answer.response(b"/%d" % number, b"<x>%b</x>" % (b"v" * 20_000))
    assert max(map(len, written)) < 40_000
    answer.close()
    assert len(etree.fromstring(b"".join(written))) == 100
