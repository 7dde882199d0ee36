"""docs/protocol.md names every live property, report, condition and method that there is."""

from __future__ import annotations

from pathlib import Path

from davstore.dav import kinds
from davstore.middleware.errors import TABLE
from tests.dav.client import HOME, Client, D, prop_body

PAGE = (Path(__file__).parents[2] / "docs/protocol.md").read_text()
PREFIXES = {"DAV:": "D:", "urn:davstore:cpm": "C:"}


def is_named(name: str) -> bool:
    """Tell whether the page has an element, with the prefixes that it uses."""
    namespace, _, local = name[1:].partition("}")
    return f"`{PREFIXES.get(namespace, f'{{{namespace}}}')}{local}`" in PAGE


def test_every_live_property_is_named(dav: Client) -> None:
    dav.put("file")
    supported = f"{D}supported-live-property-set"
    names = set()
    for path in ("file", "", "/dav/principals/users/alice/"):
        answer = dav("PROPFIND", path, prop_body(supported), Depth="0")
        names |= {str(name.tag) for name in answer.xml.iterfind(f".//{D}supported-live-property/{D}prop/*")}
    assert len(names) > 20
    assert {name for name in names if not is_named(name)} == set()


def test_every_report_is_named() -> None:
    reports = {name for row in kinds.KINDS.values() for name in row.reports}
    assert reports
    assert {name for name in reports if not is_named(name)} == set()


def test_every_condition_is_named() -> None:
    conditions = {row.condition for row in TABLE.values() if row.condition}
    assert len(conditions) > 15
    assert {name for name in conditions if not is_named(name)} == set()


def test_every_method_is_named(dav: Client) -> None:
    dav.put("file")
    section = PAGE[PAGE.index("## Methods") : PAGE.index("## Order of answers")]
    for path in ("file", "", "missing", f"{HOME}/"):
        assert [word for word in dav("OPTIONS", path).headers["Allow"].split(", ") if word not in section] == []
