"""A policy of a URL that is away, at every way to list: closed, or as it was last known."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from davstore.model.web_urls import WebUrl
from davstore.rule_sources.url import Copy, Source, write_copy
from tests.dav.test_gate_points import CPM, LISTINGS, RULES, Place

URL = "https://policy.example/rules.toml"
DAY_SECONDS = 86_400


def place_of(directory: Path, *, when_away: str, ago: int | None) -> Place:
    """Return one with rules from a URL that answered so many seconds ago; None: it never has, and there are none."""
    if ago is not None:
        copy = Copy(RULES, '"a"', time.time() - ago)
        write_copy(Source(directory, WebUrl.parse(URL), 60, refuses=False), copy)
    away = {"policy.file": "", "policy.url": URL, "policy.when_away": when_away, "policy.refresh_seconds": 60}
    return Place(directory, **away)


@pytest.fixture(scope="module", params=[("refuse", DAY_SECONDS), ("keep", None)])
def closed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    when_away, ago = request.param
    return place_of(tmp_path_factory.mktemp("closed"), when_away=when_away, ago=ago)


@pytest.mark.parametrize("listing", LISTINGS)
def test_without_rules_no_device_lists_anything(closed: Place, listing: str) -> None:
    method, headers = LISTINGS[listing]
    for folder in ("Notes/", "Archive/"):
        refused = closed(method, folder, "phone", **headers)
        assert (refused.status, refused.headers["Retry-After"]) == (503, "60")
        assert b"policy.example" not in refused.body
        is_xml = refused.headers["Content-Type"].startswith("application/xml")
        assert method == "HEAD" or not is_xml or b"<C:rule>policy-away</C:rule>" in refused.body
        assert closed(method, folder, **headers).status in (200, 207)  # a file browser is not asked


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_without_rules_no_device_brings_a_folder_under_another_name(closed: Place, method: str) -> None:
    there = {"HTTP_DESTINATION": "/dav/store/alice/Elsewhere/"}
    refused = closed(method, "Archive/", "phone", **there)
    assert (refused.status, refused.headers["Retry-After"]) == (503, "60")
    assert closed("PROPFIND", "Elsewhere/", HTTP_DEPTH="0").status == 404


def test_single_files_need_no_rules(closed: Place) -> None:
    assert closed("PUT", "Notes/new", "phone").status in (201, 204)
    assert closed("GET", "Notes/new", "phone").status == 200
    assert closed("PROPFIND", "Notes/", "phone", HTTP_DEPTH="0").status == 207


def test_the_last_known_rules_stay_in_force_where_they_are_to_be_kept(tmp_path: Path) -> None:
    place = place_of(tmp_path, when_away="keep", ago=DAY_SECONDS)
    assert place("PROPFIND", "Notes/", "phone", HTTP_DEPTH="1").status == 207
    refused = place("PROPFIND", "Archive/", "phone", HTTP_DEPTH="1")
    assert (refused.status, refused.condition) == (403, f"{CPM}sync-scope-allowed")


@pytest.mark.parametrize(("ago", "status"), [(0, 200), (DAY_SECONDS, 503)])
def test_readiness_says_whether_the_rules_are_those_of_now(tmp_path: Path, ago: int, status: int) -> None:
    place = place_of(tmp_path, when_away="keep", ago=ago)
    assert place("GET", "", REQUEST_URI="/readyz").status == status
    assert place("GET", "", REQUEST_URI="/healthz").status == 200
