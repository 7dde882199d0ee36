"""The copy of a policy that is at a URL: how it is kept fresh, when it is old, and what then counts."""

from __future__ import annotations

import logging
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from davstore.errors import Unavailable
from davstore.jobs.refreshing import find_pause, keep_fresh
from davstore.model.web_urls import WebUrl
from davstore.rule_sources.fetching import Refresher
from davstore.rule_sources.url import FILE, Copy, PolicyUrl, Source, find_copy, write_copy
from tests.policy_server import NEVER, PolicyServer

BROKEN = '[[rule]]\nname = "never"\nmodus = 1\n'


class Place:
    """A data directory with a policy from a server, and a clock that a test may set forward."""

    def __init__(self, directory: Path, server: PolicyServer, *, refuses: bool) -> None:
        self.server = server
        self.source = Source(directory, WebUrl.parse(server.url), 60, refuses)
        self.refresher = Refresher(self.source)
        self.later = 0.0
        self.policy = self.open()

    def open(self) -> PolicyUrl:
        """Return the rules as a process has them that was just started."""
        return PolicyUrl(self.source, clock=lambda: time.time() + self.later)

    def names(self) -> list[str]:
        return [rule.name for rule in self.policy.rules()]

    def is_ready(self) -> bool:
        try:
            self.policy.check()
        except Unavailable:
            return False
        return True

    def refusal(self) -> str:
        with pytest.raises(Unavailable) as caught:
            self.policy.rules()
        assert caught.value.retry_after_seconds == 60
        return str(caught.value).replace(self.server.url, "URL")


@pytest.fixture
def server() -> Iterator[PolicyServer]:
    made = PolicyServer()
    made.document = NEVER.encode()
    yield made
    made.stop()


@pytest.fixture(params=[False, True], ids=["keep", "refuse"])
def place(tmp_path: Path, server: PolicyServer, request: pytest.FixtureRequest) -> Place:
    return Place(tmp_path, server, refuses=request.param)


def test_without_any_document_no_device_may_synchronise(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    assert place.refusal() == "URL: no answer yet: no device may synchronise"
    assert not place.is_ready()
    place.server.document = BROKEN.encode()
    assert place.refresher.refresh()
    assert place.refusal() == "URL:3: rule.modus: unknown key: no device may synchronise"
    assert not place.is_ready()
    assert "unknown key; no device may synchronise" in caplog.text
    place.server.document = NEVER.encode()
    assert place.refresher.refresh()
    assert place.names() == ["never"]
    assert place.is_ready()


def test_a_document_that_changes_counts_for_all_from_the_next_request_on(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "davstore.policy"):
        for _ in range(3):
            assert place.refresher.refresh()
            assert place.names() == ["never"]
        place.server.document = b""
        assert place.refresher.refresh()
        assert place.names() == []
    url = place.server.url
    assert caplog.messages == [f"{url}: 1 rules in force", f"{url}: 0 rules in force"]
    assert [bool(headers.get("If-None-Match")) for _, headers in place.server.asked] == [False, True, True, True]


def test_a_broken_document_keeps_the_one_before_and_says_so(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """However long it lasts and whatever the setting: the server is not away."""
    place.refresher.refresh()
    place.server.document = BROKEN.encode()
    for _ in range(2):
        assert place.refresher.refresh()
        assert place.names() == ["never"]
        assert not place.is_ready()
    assert caplog.messages == [
        f"{place.server.url}:3: rule.modus: unknown key; the last good rules stay in force",
    ]
    place.policy = place.open()
    assert place.names() == ["never"]
    assert not place.is_ready()
    place.server.document = NEVER.encode()
    assert place.refresher.refresh()
    assert place.is_ready()


def test_a_server_that_is_away_is_missed_after_three_refreshes_and_one_fetch(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.refresher.refresh()
    place.server.stop()
    try:
        assert not place.refresher.refresh()
        place.later = 205
        assert place.names() == ["never"]
        assert place.is_ready()
        place.later = 211
        for _ in range(2):
            assert not place.is_ready()
            if place.source.refuses:
                assert place.refusal().startswith("URL: no answer since 20")
            else:
                assert place.names() == ["never"]
            place.policy = place.open()  # a start takes what was there before
        known = find_copy(place.source)
        assert known is not None
        write_copy(place.source, known._replace(answered=time.time() - 211))
        assert not place.refresher.refresh()
    finally:
        place.server.start()
    then = ["210 s after its last answer no device may synchronise", "no device may synchronise until it answers"]
    said = then if place.source.refuses else ["the last known rules stay in force"]
    assert caplog.messages == [f"{place.server.url}: connection refused; {words}" for words in said]
    place.later = 0
    assert place.refresher.refresh()
    assert place.names() == ["never"]
    assert place.is_ready()


def test_a_time_that_was_noted_by_a_wrong_clock_does_not_keep_a_policy_fresh(place: Place) -> None:
    place.refresher.refresh()
    place.later = -300.0
    assert not place.is_ready()


def test_another_url_has_nothing_of_the_one_before(place: Place) -> None:
    place.refresher.refresh()
    for more, is_same in (("?group=2", False), ("2", False)):
        other = place.source._replace(url=WebUrl.parse(place.server.url + more))
        assert (find_copy(other) is not None) == is_same
        with pytest.raises(Unavailable):
            PolicyUrl(other).rules()
    secret = place.source._replace(url=WebUrl.parse(place.server.url.replace("//", "//me:geheim@")))
    assert find_copy(secret) is not None  # a new password is no other policy
    Refresher(secret).refresh()
    assert "geheim" not in (place.source.directory / FILE).read_text()


def test_the_copy_is_its_owners_alone_and_nothing_is_left_beside_it(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.refresher.refresh()
    assert place.names() == ["never"]
    file = place.source.directory / FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]
    file.unlink()
    file.mkdir()
    for _ in range(2):
        assert not place.refresher.refresh()  # it cannot be written
    assert list(file.parent.iterdir()) == [file]
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith(f"{file}: Is a directory; ")
    assert place.names() == ["never"]


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"url": 3}', '{"document": ""}', "null"])
def test_a_copy_that_is_damaged_is_none_and_is_made_anew(place: Place, damage: str) -> None:
    place.refresher.refresh()
    assert place.names() == ["never"]
    (place.source.directory / FILE).write_text(damage)
    assert place.names() == ["never"]  # of before, as when it is not there
    assert find_copy(place.source) is None
    place.policy = place.open()
    assert place.refusal() == "URL: no answer yet: no device may synchronise"
    assert place.refresher.refresh()
    assert place.names() == ["never"]
    assert "If-None-Match" not in place.server.asked[-1][1]


def test_a_copy_with_rules_that_are_not_understood_is_fetched_anew(place: Place) -> None:
    """A davstore that is older than its data directory knows fewer keys."""
    write_copy(place.source, Copy(BROKEN, '"a"', time.time()))
    assert find_copy(place.source) is None
    assert place.refusal() == "URL: no answer yet: no device may synchronise"


def test_pauses_grow_from_a_second_to_the_usual_and_are_spread() -> None:
    assert [find_pause(failures, 60, 0) for failures in range(9)] == [60, 1, 2, 4, 8, 16, 32, 60, 60]
    assert find_pause(10_000, 60, 0) == 60
    assert find_pause(1, 0.5, 0) == 0.5
    assert find_pause(0, 60, 1) == pytest.approx(48)


def test_it_is_refreshed_at_once_and_again_until_the_end_whatever_happens(caplog: pytest.LogCaptureFixture) -> None:
    ended, times = threading.Event(), []

    def refresh() -> bool:
        times.append(time.monotonic())
        if len(times) == 1:
            raise ZeroDivisionError
        if len(times) == 3:
            ended.set()
        return True

    keep_fresh(refresh, 0.01, ended)
    assert len(times) == 3
    assert caplog.messages == ["the policy was not refreshed"]
