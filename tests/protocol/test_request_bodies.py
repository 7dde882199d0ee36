"""The bodies of PROPFIND, PROPPATCH, MKCOL and REPORT: RFC 4918, RFC 5689, RFC 6578."""

from __future__ import annotations

import pytest
from lxml import etree

from davstore.errors import (
    ExternalEntities,
    InvalidResourceType,
    Malformed,
    TooLarge,
    UnsupportedFilter,
    UnsupportedReport,
)
from davstore.model.changes import Level
from davstore.protocol.dav import mkcol, propfind, proppatch, reports
from davstore.protocol.dav.propfind import PropFind, PropFindKind
from davstore.protocol.http.sync_context import SyncContext

NS = b'xmlns:D="DAV:" xmlns:C="urn:davstore:cpm" xmlns:R="http://ns.example.com/boxschema/"'
R = "{http://ns.example.com/boxschema/}"


def body(root: bytes, content: bytes) -> bytes:
    return b'<?xml version="1.0" encoding="utf-8" ?>\n<D:%b %b>%b</D:%b>' % (root, NS, content, root)


# PROPFIND


def test_rfc4918_9_1_empty_body_is_allprop() -> None:
    assert propfind.parse(b"") == PropFind(PropFindKind.ALLPROP)


def test_rfc4918_9_1_3_named_properties() -> None:
    content = b"<D:prop><R:bigbox/><R:author/><R:DingALing/><R:author/><nothing/></D:prop>"
    assert propfind.parse(body(b"propfind", content)) == PropFind(
        PropFindKind.PROP, names=(f"{R}bigbox", f"{R}author", f"{R}DingALing", "nothing")
    )


def test_rfc4918_9_1_4_propname() -> None:
    assert propfind.parse(b'<propfind xmlns="DAV:"><propname/></propfind>') == PropFind(PropFindKind.PROPNAME)


def test_rfc4918_9_1_6_allprop_with_include() -> None:
    content = b"<D:allprop/><D:include><D:supported-live-property-set/><D:supported-report-set/></D:include>"
    assert propfind.parse(body(b"propfind", content)) == PropFind(
        PropFindKind.ALLPROP, include=("{DAV:}supported-live-property-set", "{DAV:}supported-report-set")
    )


def test_rfc4918_17_unknown_elements_are_ignored() -> None:
    content = b'<R:leave-out a="b">*boss*</R:leave-out><D:propname><R:x/></D:propname>'
    assert propfind.parse(body(b"propfind", content)).kind is PropFindKind.PROPNAME
    assert propfind.parse(body(b"propfind", b"<D:prop/>")) == PropFind(PropFindKind.PROP)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<R:expired-props/>",
        b"<D:allprop/><D:propname/>",
        b"<D:prop/><D:prop/>",
        b"<D:prop/><D:allprop/>",
        b"<D:prop/><D:include/>",
        b"<D:allprop/><D:include/><D:include/>",
        b"<D:prop><R:" + b"x" * 256 + b"/></D:prop>",
    ],
)
def test_rfc4918_9_1_not_one_question(content: bytes) -> None:
    with pytest.raises(Malformed):
        propfind.parse(body(b"propfind", content))


def test_another_root_is_malformed() -> None:
    for parse in (propfind.parse, proppatch.parse, mkcol.parse):
        with pytest.raises(Malformed):
            parse(body(b"lockinfo", b""))
        with pytest.raises(Malformed):
            parse(b"<propfind/>")


def test_propfind_of_too_many_properties() -> None:
    def named(count: int, length: int) -> bytes:
        return b"<D:prop>%b</D:prop>" % b"".join(b"<%0*d/>" % (length, number) for number in range(count)).replace(
            b"<", b"<p"
        )

    assert len(propfind.parse(body(b"propfind", named(1_000, 31))).names) == 1_000
    for many in (named(1_001, 5), named(1_000, 32), named(130, 254)):
        with pytest.raises(TooLarge):
            propfind.parse(body(b"propfind", many))


# PROPPATCH


def test_rfc4918_9_2_document_order() -> None:
    content = (
        b"<D:set><D:prop><R:author>Jim</R:author><R:copyright/></D:prop></D:set>"
        b"<R:ignored/>"
        b"<D:remove><D:prop><R:author>x</R:author></D:prop></D:remove>"
        b"<D:set><D:prop><R:author>Roy</R:author></D:prop></D:set>"
    )
    changes = proppatch.parse(body(b"propertyupdate", content))
    assert [name for name, _ in changes] == [f"{R}author", f"{R}copyright", f"{R}author", f"{R}author"]
    elements = [None if value is None else etree.fromstring(value) for _, value in changes]
    assert [None if element is None else element.text for element in elements] == ["Jim", None, None, "Roy"]
    assert elements[2] is None
    assert elements[0] is not None
    assert elements[0].tag == f"{R}author"


def test_rfc4918_4_3_language_of_the_update_is_kept() -> None:
    update = (
        b'<D:propertyupdate xmlns:D="DAV:" xml:lang="en"><D:set><D:prop><t>x</t></D:prop></D:set></D:propertyupdate>'
    )
    ((name, value),) = proppatch.parse(update)
    assert name == "t"
    assert value is not None
    assert etree.fromstring(value).get("{http://www.w3.org/XML/1998/namespace}lang") == "en"


@pytest.mark.parametrize("content", [b"", b"<D:set><D:prop/></D:set>", b"<D:remove><D:prop/></D:remove>", b"<R:new/>"])
def test_rfc4918_14_19_an_update_may_change_nothing(content: bytes) -> None:
    assert proppatch.parse(body(b"propertyupdate", content)) == []


@pytest.mark.parametrize(
    "content",
    [
        b"<D:set/>",
        b"<D:set><R:author/></D:set>",
        b"<D:set><D:prop><R:a/></D:prop><D:prop><R:b/></D:prop></D:set>",
        b"<D:set><D:prop><R:" + b"x" * 256 + b"/></D:prop></D:set>",
    ],
)
def test_rfc4918_14_19_bad_updates(content: bytes) -> None:
    with pytest.raises(Malformed):
        proppatch.parse(body(b"propertyupdate", content))
    with pytest.raises(Malformed):
        proppatch.parse(b"")


def test_properties_are_capped() -> None:
    def update(content: bytes) -> bytes:
        return body(b"propertyupdate", b"<D:set><D:prop>" + content + b"</D:prop></D:set>")

    assert len(proppatch.parse(update(b"<x/>" * 1000))) == 1000
    assert proppatch.parse(update(b"<x>" + b"y" * 65_000 + b"</x>"))
    inherited = b'<D:prop xmlns:n="%b">%b</D:prop>' % (b"n" * 60_000, b"<x/>" * 18)  # each tells the namespace again
    for content in (
        b"<x/>" * 1001,
        b"<x>" + b"y" * 65_536 + b"</x>",
        b"</D:prop></D:set><D:set>" + inherited + b"</D:set><D:set><D:prop>",
    ):
        with pytest.raises(TooLarge):
            proppatch.parse(update(content))


def test_rfc4918_17_external_entities_in_an_update() -> None:
    with pytest.raises(ExternalEntities):
        proppatch.parse(b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>')


# MKCOL


def test_rfc5689_3_3_extended_mkcol() -> None:
    content = (
        b"<D:set><D:prop><D:resourcetype><D:collection/><C:session-history/></D:resourcetype>"
        b"<D:displayname>Special Resource</D:displayname></D:prop></D:set>"
    )
    made = mkcol.parse(body(b"mkcol", content))
    assert made is not None
    assert made.types == {"{DAV:}collection", "{urn:davstore:cpm}session-history"}
    assert list(made.properties) == ["{DAV:}displayname"]
    assert etree.fromstring(made.properties["{DAV:}displayname"]).text == "Special Resource"


def test_rfc4918_9_3_plain_mkcol() -> None:
    assert mkcol.parse(b"") is None


def test_rfc5689_3_not_a_collection() -> None:
    with pytest.raises(InvalidResourceType):
        mkcol.parse(body(b"mkcol", b"<D:set><D:prop><D:resourcetype><R:x/></D:resourcetype></D:prop></D:set>"))
    for content in (b"", b"<D:set/>", b"<D:set><D:prop><D:displayname>x</D:displayname></D:prop></D:set>"):
        with pytest.raises(Malformed):
            mkcol.parse(body(b"mkcol", content))


# REPORT sync-collection

TOKEN = b"<D:sync-token>urn:x</D:sync-token>"
LEVEL = b"<D:sync-level>1</D:sync-level>"
PROP = b"<D:prop><D:getetag/></D:prop>"


def sync(content: bytes, depth: int | None = 0) -> reports.SyncQuery:
    return reports.parse(body(b"sync-collection", content), depth)


def test_rfc6578_3_8_initial_synchronization() -> None:
    query = sync(b"<D:sync-token/>" + LEVEL + b"<D:prop><D:getetag/><R:bigbox/></D:prop>")
    assert query == reports.SyncQuery("", Level.ONE, None, ("{DAV:}getetag", f"{R}bigbox"))


def test_rfc6578_3_10_limit_and_infinite() -> None:
    limit = b"<D:limit><D:nresults> 100 </D:nresults></D:limit>"
    query = sync(b"<D:sync-token>\n urn:x \n</D:sync-token><D:sync-level> infinite </D:sync-level>" + limit + PROP)
    assert query == reports.SyncQuery("urn:x", Level.INFINITE, 100, ("{DAV:}getetag",))


@pytest.mark.parametrize(
    "empty", [b"<D:sync-token/>", b"<D:sync-token></D:sync-token>", b"<D:sync-token> \n</D:sync-token>"]
)
def test_rfc6578_3_4_empty_tokens(empty: bytes) -> None:
    assert sync(empty + LEVEL + PROP).token == ""


def test_rfc6578_3_2_depth_1_is_taken_for_0_unless_that_is_strict() -> None:
    content = body(b"sync-collection", TOKEN + LEVEL + PROP)
    assert reports.parse(content, 1) == reports.parse(content, 0) == reports.parse(content, 0, strict_depth=True)
    for depth in (1, None):
        with pytest.raises(Malformed):
            reports.parse(content, depth, strict_depth=True)


@pytest.mark.parametrize("depth", [None])
def test_rfc6578_3_2_depth_is_zero(depth: int | None) -> None:
    with pytest.raises(Malformed):
        sync(TOKEN + LEVEL + PROP, depth)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        LEVEL + PROP,
        TOKEN + PROP,
        TOKEN + LEVEL,
        TOKEN + TOKEN + LEVEL + PROP,
        TOKEN + LEVEL + LEVEL + PROP,
        TOKEN + LEVEL + PROP + PROP,
        TOKEN + b"<D:sync-level>infinity</D:sync-level>" + PROP,
        TOKEN + b"<D:sync-level>0</D:sync-level>" + PROP,
        TOKEN + b"<D:sync-level/>" + PROP,
        b"<D:sync-token><D:x/></D:sync-token>" + LEVEL + PROP,
    ],
)
def test_rfc6578_3_2_bad_bodies(content: bytes) -> None:
    with pytest.raises(Malformed):
        sync(content)


@pytest.mark.parametrize("number", [b"0", b"00", b"", b"-1", b"+1", b"1.5", b"many", b"1_0", "٣".encode()])
def test_rfc6578_3_7_bad_limits(number: bytes) -> None:
    with pytest.raises(Malformed):
        sync(TOKEN + LEVEL + PROP + b"<D:limit><D:nresults>" + number + b"</D:nresults></D:limit>")


@pytest.mark.parametrize("limit", [b"<D:limit/>", b"<D:limit><D:nresults>1</D:nresults></D:limit>" * 2])
def test_rfc5323_5_17_one_nresults(limit: bytes) -> None:
    with pytest.raises(Malformed):
        sync(TOKEN + LEVEL + PROP + limit)


def test_rfc6578_3_7_a_huge_limit_is_a_limit() -> None:
    limit = sync(TOKEN + LEVEL + PROP + b"<D:limit><D:nresults>" + b"9" * 5000 + b"</D:nresults></D:limit>").limit
    assert limit == 10**9


def test_context_of_the_body() -> None:
    context = b"<C:context><C:mode>manual</C:mode><C:bearer>wifi</C:bearer></C:context>"
    assert sync(TOKEN + LEVEL + PROP + context).context == SyncContext("manual", "wifi")
    assert sync(TOKEN + LEVEL + PROP + b"<C:context/>").context == SyncContext("automatic", None)
    with pytest.raises(Malformed):
        sync(TOKEN + LEVEL + PROP + b"<C:context><C:mode>later</C:mode></C:context>")


def test_a_filter_is_not_ignored_and_what_is_unknown_is() -> None:
    """RFC 4918 §17. A filter that is ignored would give everything to a device that asked for a part."""
    with pytest.raises(UnsupportedFilter):
        sync(TOKEN + LEVEL + PROP + b"<C:filter><C:kind>message</C:kind></C:filter>")
    for unknown in (b"<C:no-such-thing/>", b"<R:filter/>", b"<D:filter/>"):
        assert sync(TOKEN + LEVEL + PROP + unknown) == sync(TOKEN + LEVEL + PROP)


def test_rfc3253_3_6_unknown_reports() -> None:
    with pytest.raises(UnsupportedReport):
        reports.parse(body(b"version-tree", b""), 0)
    with pytest.raises(UnsupportedReport):
        reports.parse(b'<C:calendar-query xmlns:C="urn:ietf:params:xml:ns:caldav"/>', 1)
    with pytest.raises(Malformed):
        reports.parse(b"", 0)
