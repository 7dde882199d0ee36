"""Reports as they come from a server that may be large, broken or hostile."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest

from davstore.client.multistatus import read_report
from davstore.errors import Malformed

HEAD = b'<?xml version="1.0"?><D:multistatus xmlns:D="DAV:">'
ROW = (
    b'<D:response><D:href>/files/%d</D:href><D:propstat><D:prop><D:resourcetype/><D:getetag>"e%d"</D:getetag>'
    b"<D:sync-token>inner</D:sync-token></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
)
TAIL = b"<D:sync-token> token:1 </D:sync-token></D:multistatus>"


def test_a_report_of_100_000_rows_is_read_as_it_comes() -> None:
    def chunks() -> Iterator[bytes]:
        yield HEAD
        for number in range(100_000):
            yield ROW % (number, number)
        yield TAIL

    report = read_report(chunks())
    assert len(report.rows) == 100_000
    assert report.rows[-1].href == "/files/99999"
    assert report.rows[-1].etag == '"e99999"'
    assert report.token == "token:1"


def test_the_tree_does_not_grow_with_the_answer() -> None:
    peak = []
    for rows in (1_000, 20_000):
        tracemalloc.start()
        read_report([HEAD, *(ROW % (7, 7) for _ in range(rows)), TAIL])
        peak.append(tracemalloc.get_traced_memory()[1] / rows)
        tracemalloc.stop()
    assert peak[1] <= peak[0] * 2


def test_rows_of_every_kind() -> None:
    body = (
        HEAD + b"<D:response><D:href>/a</D:href><D:status>HTTP/1.1 404 Not Found</D:status></D:response>"
        b"<D:response><D:href>/</D:href><D:status>HTTP/1.1 507 Insufficient Storage</D:status>"
        b"<D:error><D:number-of-matches-within-limits/></D:error></D:response>"
        b"<D:response><D:href>/c/</D:href><D:propstat><D:prop><D:resourcetype><D:collection/></D:resourcetype>"
        b"<D:resource-id><D:href>urn:uuid:1</D:href></D:resource-id></D:prop><D:status>HTTP/1.1 200 OK</D:status>"
        b"</D:propstat><D:propstat><D:prop><D:getetag/></D:prop><D:status>HTTP/1.1 404 Not Found</D:status>"
        b"</D:propstat></D:response>" + TAIL
    )
    gone, truncated, folder = read_report([body]).rows
    assert (gone.href, gone.status) == ("/a", 404)
    assert (truncated.status, truncated.conditions) == (507, {"{DAV:}number-of-matches-within-limits"})
    assert (folder.status, folder.folder, folder.etag, folder.resource_id) == (0, True, "", "urn:uuid:1")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html/>",
        HEAD,
        HEAD + ROW % (1, 1),
        b'<!DOCTYPE x [<!ENTITY e "v">]><D:multistatus xmlns:D="DAV:">&e;</D:multistatus>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><D:multistatus xmlns:D="DAV:"/>',
        HEAD + b"<D:response>\xff</D:response>" + TAIL,
    ],
)
def test_what_is_no_whole_multistatus_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_report([body])
