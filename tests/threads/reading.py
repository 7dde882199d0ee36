"""What a store tells of its threads over HTTP, and nothing else."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

from lxml import etree

from tests.dav.client import HOME, Answer, Client, D, prop_body, sync_body, token_of

THREADS = "/dav/threads/alice/"
C = "{urn:davstore:cpm}"
COUNTS = tuple(C + name for name in ("message-count", "unread-count", "last-activity", "participants"))
IDS = "<D:resource-id/><D:resourcetype/><D:getetag/>"


class Row(NamedTuple):
    """A response of a report: its properties by Clark name, None for one that is gone."""

    href: str
    props: Mapping[str, Any] | None


def each_row(answer: Answer, root: str) -> Iterator[Row]:
    """Yield the responses of a report but that of the request-URI (507)."""
    assert answer.status == 207, answer
    for response in answer.xml.iter(f"{D}response"):
        href = str(response.findtext(f"{D}href"))
        if response.find(f"{D}status") is not None:
            if href != root:
                assert " 404 " in response.findtext(f"{D}status"), etree.tostring(response)
                yield Row(href, None)
            continue
        found = [one for one in response.iter(f"{D}propstat") if " 200 " in one.findtext(f"{D}status")]
        yield Row(href, {str(element.tag): element for one in found for element in one.find(f"{D}prop")})


def follow(dav: Client, root: str, token: str = "", *, level: str = "infinite") -> tuple[list[Row], str]:
    """Return what a report tells since a token, all of its pages, and the token of the last."""
    rows: list[Row] = []
    while True:
        answer = dav("REPORT", root, sync_body(token, level=level, props=IDS))
        rows += each_row(answer, root)
        token = token_of(answer)
        if not is_cut(answer):
            return rows, token


def is_cut(answer: Answer) -> bool:
    """Tell whether a report has more pages."""
    return answer.xml.find(f".//{D}number-of-matches-within-limits") is not None


def resource_id(row: Row) -> str:
    """Return the id of a resource."""
    assert row.props is not None, row.href
    return str(row.props[f"{D}resource-id"].findtext(f"{D}href"))


def names_by_id(dav: Client) -> dict[str, str]:
    """Return the places of the files of a store by their ids."""
    rows, _ = follow(dav, f"{HOME}/")
    return {resource_id(row): unquote(row.href.removeprefix(f"{HOME}/")) for row in rows if not row.href.endswith("/")}


def threads(dav: Client) -> dict[str, dict[str, str]]:
    """Return the ids of the members of each thread by their hrefs, by the thread's href."""
    rows, _ = follow(dav, THREADS)
    return gather(rows)


def gather(rows: Collection[Row]) -> dict[str, dict[str, str]]:
    """Return the ids of the members of each thread of a first report by their hrefs, by the thread's href."""
    found: dict[str, dict[str, str]] = {row.href: {} for row in rows if row.href.endswith("/")}
    for row in rows:
        if not row.href.endswith("/"):
            found[row.href[: row.href.rindex("/") + 1]][row.href] = resource_id(row)
    return found


def partition(dav: Client) -> set[frozenset[str]]:
    """Return the places of the files of a store, by threads."""
    names = names_by_id(dav)
    return {frozenset(names[one] for one in members.values()) for members in threads(dav).values()}


def hrefs_by_name(dav: Client) -> dict[str, str]:
    """Return the hrefs of the threads of files by their places."""
    names = names_by_id(dav)
    return {names[one]: href for href, members in threads(dav).items() for one in members.values()}


def read_counts(dav: Client) -> dict[str, dict[str, Any]]:
    """Return what each thread says of its members, by href."""
    answer = dav("PROPFIND", THREADS, prop_body(*COUNTS), Depth="1")
    return {row.href: dict(row.props or {}) for row in each_row(answer, "") if row.href != THREADS}
