"""The table of kinds: what dispatch, Allow, the properties and the guard against other origins say of methods."""

from __future__ import annotations

from dataclasses import replace

import pytest

from davstore.dav import dispatch, kinds
from davstore.dav.kinds import Kind
from davstore.middleware import origins
from davstore.model.principals import Principal
from tests.dav.client import ALICE, HOME, MESSAGE, PHONE, REPORTS, Client, D
from tests.dav.test_devices import mkcol_body

BODIES = {"PROPPATCH": '<propertyupdate xmlns="DAV:"><remove><prop/></remove></propertyupdate>'}
WHERE = {
    Kind.RESOURCE: f"{HOME}/a",
    Kind.COLLECTION: f"{HOME}/c/",
    Kind.FIXED: "/dav/principals/",
    Kind.DROP: "/dav/drop/alice/",
    Kind.PRINCIPAL: "/dav/principals/users/alice/",
    Kind.DEVICE: "/dav/principals/devices/alice/phone/",
    Kind.GROUP: "/dav/principals/groups/staff/",
    Kind.LIST: "/dav/principals/lists/alice/family/",
    Kind.PART: f"{HOME}/a?part=2",
}


@pytest.fixture
def dav(dav: Client) -> Client:
    """Return a client of a server where there is one of each kind that is not in a store."""
    everybody = frozenset({"staff"})
    dav.services = replace(dav.services, groups=lambda _user: everybody, members_of=lambda _group: frozenset())
    dav.serve(dav.services.functions)
    assert dav("MKCOL", WHERE[Kind.LIST], mkcol_body(), Content_Type="application/xml").status == 201
    return dav


def where(dav: Client, kind: Kind) -> str:
    """Return the URL of a resource of a kind; in threads the store names them."""
    if kind not in (Kind.THREAD, Kind.MEMBER):
        return WHERE[kind]
    _, thread, member = sorted(dav.find("/dav/threads/alice/", f"{D}getetag", depth="infinity").hrefs())
    return thread if kind is Kind.THREAD else member


def asker_of(kind: Kind) -> Principal:
    """Return one who sees a resource of a kind."""
    return PHONE if kind is Kind.DEVICE else ALICE


def test_every_method_of_the_table_has_a_handler_and_no_other_has() -> None:
    assert set(dispatch.METHODS) == kinds.STORE_METHODS


def test_methods_that_a_page_of_another_origin_may_send_are_the_safe_ones() -> None:
    assert origins.SAFE & kinds.STORE_METHODS == kinds.SAFE


@pytest.mark.parametrize("kind", Kind)
def test_allow_and_the_properties_say_the_same(dav: Client, kind: Kind) -> None:
    dav.put("a", MESSAGE)
    dav.mkcol("c")
    dav.principal = asker_of(kind)
    href = where(dav, kind)
    methods, reports = f"{D}supported-method-set", f"{D}supported-report-set"
    found = dav.find(href, methods, reports)
    told = dav("OPTIONS", href).headers["Allow"].split(", ")
    assert tuple(told) == kinds.KINDS[kind].methods
    assert [element.get("name") for element in found.prop(href, methods)] == told
    assert [report.tag for report in found.prop(href, reports).iterfind(f"{D}supported-report/{D}report/*")] == list(
        kinds.KINDS[kind].reports
    )


def test_every_report_of_the_table_has_a_body_to_be_tried_with() -> None:
    reports = {name for row in kinds.KINDS.values() for name in row.reports}
    assert REPORTS.keys() == reports, "REPORTS of tests/dav/client.py holds a good body for each"


@pytest.mark.parametrize("report", REPORTS)
@pytest.mark.parametrize("kind", [kind for kind in Kind if "REPORT" in kinds.KINDS[kind].methods])
def test_a_report_is_answered_by_the_kinds_that_have_it(dav: Client, kind: Kind, report: str) -> None:
    dav.put("a", MESSAGE)
    dav.mkcol("c")
    dav.principal = asker_of(kind)
    answer = dav("REPORT", where(dav, kind), REPORTS[report])
    if report in kinds.KINDS[kind].reports:
        assert answer.status == (200 if report == f"{D}principal-search-property-set" else 207)
    else:
        assert (answer.status, answer.condition) == (403, f"{D}supported-report")


@pytest.mark.parametrize("method", sorted(kinds.STORE_METHODS))
@pytest.mark.parametrize(
    "kind", [kind for kind in Kind if kind in WHERE and kind not in (Kind.RESOURCE, Kind.COLLECTION)]
)
def test_what_a_kind_does_not_have_is_405(dav: Client, kind: Kind, method: str) -> None:
    dav.put("a", MESSAGE)
    dav.principal = asker_of(kind)
    answer = dav(
        method, WHERE[kind], BODIES.get(method, ""), Destination=f"{HOME}/x", Lock_Token="<urn:x:y>", Depth="0"
    )
    if method in kinds.KINDS[kind].methods:
        assert answer.status != 405
    elif kind is Kind.PART and method in ("PUT", "DELETE", "MOVE"):
        assert (answer.status, answer.condition) == (403, "{urn:davstore:cpm}part-is-immutable")
    else:
        assert (answer.status, answer.headers["Allow"]) == (405, ", ".join(kinds.KINDS[kind].methods))
