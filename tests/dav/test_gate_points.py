"""The gate in front of the application as a worker runs it: each way to list a folder is refused or counted."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest

from davstore import application_wiring, wiring
from davstore.settings import load_settings
from davstore.store import enrolling
from tests.dav.client import REPORTS, Answer, sync_body
from tests.dav.test_entrances import basic

HTML = "text/html,application/xhtml+xml,*/*;q=0.8"
ELSEWHERE = (
    *("{urn:davstore:cpm}explain-sync", "{urn:davstore:cpm}conversation-history"),
    *("{DAV:}principal-property-search", "{DAV:}principal-search-property-set"),
)
"""Reports that list nothing, or no folder."""
LISTINGS = {
    "propfind 1": ("PROPFIND", {"HTTP_DEPTH": "1"}),
    "propfind infinity": ("PROPFIND", {"HTTP_DEPTH": "infinity"}),
    "propfind without a depth": ("PROPFIND", {}),
    **{f"report {name}": ("REPORT", {"body": body}) for name, body in REPORTS.items() if name not in ELSEWHERE},
    "an update of what a condition selects": (
        "POST",
        {
            "CONTENT_TYPE": "application/xml",
            "body": '<C:bulk-update xmlns:D="DAV:" xmlns:C="urn:davstore:cpm"><D:where><D:is-defined><D:prop>'
            "<C:seen/></D:prop></D:is-defined></D:where><D:set><D:prop><C:seen>T</C:seen></D:prop></D:set>"
            "</C:bulk-update>",
        },
    ),
    "get": ("GET", {}),
    "get anything": ("GET", {"HTTP_ACCEPT": "*/*"}),
    "get text": ("GET", {"HTTP_ACCEPT": "text/plain"}),
    "a page": ("GET", {"HTTP_ACCEPT": HTML}),
    "head": ("HEAD", {}),
    "head of a page": ("HEAD", {"HTTP_ACCEPT": HTML}),
}
RULES = """
[[rule]]
name = "no-archive"
exclude = ["Archive"]
[[rule]]
name = "hourly"
device = "watch"
min_interval_seconds = 3600
"""
CPM = "{urn:davstore:cpm}"


class Place:
    """An application with a policy; alice has two folders with a file each, and two devices."""

    def __init__(self, directory: Path, **flags: object) -> None:
        (directory / "policy.toml").write_text(RULES)
        settings = load_settings(
            flags={"data.path": str(directory), "policy.file": str(directory / "policy.toml"), **flags}, environ={}
        )
        database = wiring.open_storage(settings).database
        enrolling.add_user(database, "alice", "hers", now_us=1)
        added = {name: enrolling.add_device(database, "alice", name, now_us=1) for name in ("phone", "watch")}
        database.close()
        self.who = {name: f"Bearer {device.secret}" for name, device in added.items()} | {
            "user": basic("alice", "hers")
        }
        self._application: Any = application_wiring.build_application(settings)
        for folder in ("Archive", "Notes"):
            assert self("MKCOL", f"{folder}/").status == 201
            assert self("PUT", f"{folder}/file").status == 201

    def __call__(self, method: str, path: str, who: str = "user", body: str = "", **headers: str) -> Answer:
        content = body.encode()
        environ = {
            "REQUEST_METHOD": method,
            "REQUEST_URI": f"/dav/store/alice/{path}",
            "SCRIPT_NAME": "",
            "HTTP_HOST": "dav.example",
            "wsgi.url_scheme": "http",
            "REMOTE_ADDR": "192.0.2.1",
            "HTTP_AUTHORIZATION": self.who[who],
            "CONTENT_LENGTH": str(len(content)),
            "wsgi.input": io.BytesIO(content),
            **headers,
        }
        begun: list[tuple[str, list[tuple[str, str]]]] = []
        parts = self._application(environ, lambda status, fields, _=None: begun.append((status, fields)))
        answered = b"".join(parts)
        parts.close()
        return Answer(int(begun[-1][0][:3]), dict(begun[-1][1]), answered)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("place"))


@pytest.mark.parametrize("listing", LISTINGS)
def test_an_excluded_folder_is_listed_in_no_way(place: Place, listing: str) -> None:
    method, headers = LISTINGS[listing]
    refused = place(method, "Archive/", "phone", **headers)
    assert refused.status == 403
    assert not re.search(rb"\bfile\b", refused.body)
    if method != "HEAD" and headers.get("HTTP_ACCEPT") != HTML:  # a browser gets a page
        assert refused.condition == f"{CPM}sync-scope-allowed"
    assert place(method, "Notes/", "phone", **headers).status in (200, 207)
    assert place(method, "Archive/", **headers).status in (200, 207)  # a file browser is not asked


def test_what_lists_nothing_is_not_asked(place: Place) -> None:
    for method, path, headers in (
        ("GET", "Archive/file", {}),
        ("HEAD", "Archive/file", {"HTTP_ACCEPT": HTML}),
        ("PROPFIND", "Archive/", {"HTTP_DEPTH": "0"}),
        ("PROPFIND", "Archive/file", {"HTTP_DEPTH": "0"}),
        ("OPTIONS", "Archive/", {}),
    ):
        assert place(method, path, "phone", **headers).status in (200, 207)
    assert place("GET", "Archive/nothing", "phone").status == 404


def test_an_interval_counts_listings_of_a_folder_together(place: Place) -> None:
    for _ in range(3):
        assert place("HEAD", "Notes/", "watch").status == 200
        assert place("GET", "Notes/file", "watch").status == 200
    assert place("GET", "Notes/", "watch").status == 200
    for listing in LISTINGS.keys() - {"report {DAV:}sync-collection"}:
        method, headers = LISTINGS[listing]
        early = place(method, "Notes/", "watch", **headers)
        assert early.status == 429
        assert 0 < int(early.headers["Retry-After"]) <= 3600
    assert place("GET", "", "watch", HTTP_ACCEPT=HTML).status == 200  # another folder
    assert place("GET", "", "watch").status == 429
    assert [place("REPORT", "Notes/", "watch", sync_body()).status for _ in range(4)] == [207, 207, 207, 429]


def test_a_person_may_list_only_with_a_device_where_one_is_required(tmp_path: Path) -> None:
    place = Place(tmp_path, **{"policy.require_device": True})
    for method, headers in LISTINGS.values():
        refused = place(method, "Notes/", **headers)
        assert refused.status == 403
        if method != "HEAD" and headers.get("HTTP_ACCEPT") != HTML:
            assert refused.condition == f"{CPM}device-enrolled"
        assert place(method, "Notes/", "phone", **headers).status in (200, 207)
    assert place("GET", "Notes/file").status == 200
