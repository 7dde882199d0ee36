"""A query that means nothing here changes nothing (RFC 3986 §3.4); one of a sub-resource finds none where none is."""

from __future__ import annotations

import pytest

from davstore.dav.dispatch import METHODS
from tests.dav.client import HOME, Client, sync_body
from tests.dav.test_locks import info

BODIES = {"REPORT": sync_body(level="1"), "LOCK": info(), "PUT": "x"}
HEADERS = {"UNLOCK": {"Lock_Token": "<urn:x>"}, "COPY": {"Destination": f"{HOME}/copy"}, "MOVE": {"Destination": "/"}}
FOREIGN = ("v=123", "_=1690000000", "token", "a=b&c=d", "sort=kind", "&", "%", "%zz=%ff", "x?part=2")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", ["a", "c/", "missing"])
def test_a_query_without_a_meaning_is_ignored(dav: Client, method: str, path: str) -> None:
    def ask(query: str) -> int:
        dav("MKCOL", "c/")
        dav("PUT", "a", "x")
        for made in ("copy", "missing"):
            dav("DELETE", made)
        answer = dav(method, path + query, BODIES.get(method, ""), **HEADERS.get(method, {}))
        dav("UNLOCK", path, Lock_Token=answer.headers.get("Lock-Token"))
        return answer.status

    without = ask("")
    assert {query: ask(f"?{query}") for query in FOREIGN} == dict.fromkeys(FOREIGN, without)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("query", ["part=2", "preview=256", "add=x", "v=123&part=1", "%70art=1"])
def test_what_is_no_message_has_no_sub_resources(dav: Client, method: str, query: str) -> None:
    dav.put("a")
    for path in ("a", "", "missing"):
        assert dav(method, f"{path}?{query}", BODIES.get(method, ""), **HEADERS.get(method, {})).status == 404
    assert dav.names() == ["a"]


def test_a_query_of_a_destination_and_of_a_tag(dav: Client) -> None:
    etag = dav.put("a")
    assert dav("COPY", "a", Destination=f"{HOME}/b?v=2").status == 201
    assert dav("COPY", "a", Destination=f"{HOME}/c?preview").status == 400
    assert dav.names() == ["a", "b"]
    for query, status in (("v=2", 204), ("part=2", 412)):
        assert dav("PUT", "a", "x", If=f"<{HOME}/a?{query}> ([{etag}])").status == status
