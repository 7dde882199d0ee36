"""docs/protocol.md says of every live property, report, condition and method that it is there."""

from __future__ import annotations

from pathlib import Path

from davstore.dav import kinds
from davstore.middleware.errors import TABLE
from tests.dav.client import ALICE, HOME, PHONE, Client, D, prop_body

PAGE = (Path(__file__).parents[2] / "docs/protocol.md").read_text()
PHONES = "/dav/principals/devices/alice/phone/"
PREFIXES = {"DAV:": "D:", "urn:davstore:cpm": "C:"}


def section(heading: str) -> str:
    """Return a section of the page, up to the next of its rank."""
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def first_cells(text: str) -> str:
    """Return the first column of the tables in a text."""
    return "".join(line.split("|")[1] for line in text.splitlines() if line.startswith("| `"))


LIVE = first_cells(section("Live properties"))
CONDITIONS = first_cells(section("Error conditions"))
DONE = "".join(line for line in section("By standard").splitlines() if "| done" in line)


def is_named(name: str, text: str) -> bool:
    """Tell whether a text of the page has an element, with the prefixes that the page uses."""
    namespace, _, local = name[1:].partition("}")
    return f"`{PREFIXES.get(namespace, f'{{{namespace}}}')}{local}`" in text


def test_every_live_property_is_named(dav: Client) -> None:
    dav.put("file")
    supported = f"{D}supported-live-property-set"
    names = set()
    for path in ("file", "", "/dav/principals/users/alice/", PHONES):
        dav.principal = PHONE if path == PHONES else ALICE
        answer = dav("PROPFIND", path, prop_body(supported), Depth="0")
        names |= {str(name.tag) for name in answer.xml.iterfind(f".//{D}supported-live-property/{D}prop/*")}
    assert len(names) > 20
    assert {name for name in names if not is_named(name, LIVE)} == set()


def test_every_report_is_named() -> None:
    reports = {name for row in kinds.KINDS.values() for name in row.reports}
    assert reports
    assert {name for name in reports if not is_named(name, DONE)} == set()


def test_every_condition_is_named() -> None:
    conditions = {row.condition for row in TABLE.values() if row.condition}
    assert len(conditions) > 15
    assert {name for name in conditions if not is_named(name, CONDITIONS)} == set()


def test_every_method_is_named(dav: Client) -> None:
    dav.put("file")
    methods = section("Methods")
    for path in ("file", "", "missing", f"{HOME}/"):
        assert [word for word in dav("OPTIONS", path).headers["Allow"].split(", ") if word not in methods] == []


def test_what_is_not_yet_is_not_taken_for_done() -> None:
    assert "`C:snippet`" in PAGE
    assert not any(is_named("{urn:davstore:cpm}snippet", text) for text in (LIVE, CONDITIONS, DONE))
    assert not is_named("{DAV:}parent-set", LIVE)
