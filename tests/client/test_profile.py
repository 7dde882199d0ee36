"""`davstore sync profile`: a person shows and changes how a folder is synchronised, against a real server."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from davstore import wiring
from davstore.cli.profile import profile
from davstore.cli.sync import sync
from davstore.settings import load_settings
from davstore.store import enrolling
from tests.client.foreign import Store
from tests.client.foreign import serve as serve_foreign
from tests.client.served import Server

Call = Callable[..., Result]
RULES = """
[[rule]]
name = "quarterly"
min_interval_seconds = 900
exclude = ["Archive", "*/raw"]
"""
NOTHING = ["wants:", "  nothing"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("server")
    (directory / "policy.toml").write_text("")
    served = Server(directory / "data", directory / "log", SERVER__WORKERS="1", POLICY__FILE=f"{directory}/policy.toml")
    settings = load_settings(flags={"data.path": str(directory / "data")}, environ={})
    database = wiring.find_storage(settings).database
    for name in ("phone", "tablet"):
        (directory / name).write_text(f"{enrolling.add_device(database, 'me', name, now_us=1).secret}\n")
    database.close()
    (directory / "wrong").write_text("guess\n")
    (directory / "user").write_text(f"{served.credentials[1]}\n")
    served.directory = directory  # type: ignore[attr-defined]
    yield served
    served.kill()


@pytest.fixture
def call(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    """Return the command for a place, as the user or as a device; without rules and profiles."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    directory: Path = server.directory  # type: ignore[attr-defined]

    def call(*words: str, who: str = "user", place: str = server.url, command: str = "profile") -> Result:
        before = ["profile"] if command == "profile" else []
        account = ["--user", "me", "--password-file", str(directory / who)]
        return CliRunner().invoke(sync, [*before, place, *account, *words], catch_exceptions=False)

    rules(server, "")
    for words in ((), ("--device", "phone"), ("--device", "tablet")):
        assert call("--reset", *words).exit_code == 0
    return call


def rules(server: Server, text: str) -> None:
    """Write the policy file, with a time stamp of its own."""
    file: Path = server.directory / "policy.toml"  # type: ignore[attr-defined]
    stamp = file.stat().st_mtime_ns + 1_000_000_000
    file.write_text(text)
    os.utime(file, ns=(stamp, stamp))


def test_a_profile_is_shown_changed_and_forgotten(call: Call) -> None:
    shown = call(who="phone")
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert shown.stdout.splitlines() == [
        "profile of phone:",
        *NOTHING,
        "in force:",
        "  allowed: yes",
        "  modes: automatic, manual",
    ]
    changed = call(
        "--manual", "--every", "1h30m", "--not-over", "cellular-roaming", "--exclude", "Archive/2020", who="phone"
    )
    wants = ["automatic: no", "every: 1h 30m", "not over: cellular-roaming", "exclude: Archive/2020"]
    assert changed.stdout.splitlines() == [
        "profile of phone:",
        "wants:",
        *(f"  {line}" for line in wants),
        "in force:",
        "  allowed: yes",
        "  modes: manual (device)",
        *(f"  {line} (device)" for line in wants),
    ]
    assert call(who="phone").stdout == changed.stdout
    more = call(
        "--automatic", "--max-age", "2w", "--max-body-size", "10M", "--window", "22:00-06:00", who="phone"
    ).stdout
    kept = ["automatic: yes", "every: 1h 30m", "not over: cellular-roaming", "window: 22:00-06:00 UTC"]
    assert more.splitlines()[2:9] == [
        f"  {line}" for line in [*kept, "exclude: Archive/2020", "max body size: 10000000", "max age: 14d"]
    ]
    fresh = call(
        "--reset", "--kind", "message", "--include", ".", "--zone", "Asia/Tokyo", "--window", "01:00-02:00", who="phone"
    )
    assert fresh.stdout.splitlines()[2:6] == [
        "  window: 01:00-02:00 Asia/Tokyo",
        "  include: .",
        "  kind: message",
        "in force:",
    ]
    assert call("--reset", who="phone").stdout == shown.stdout


def test_a_user_sets_its_own_and_its_devices(call: Call) -> None:
    assert call("--manual").stdout.splitlines()[:3] == ["profile of me:", "wants:", "  automatic: no"]
    assert call("--every", "15m", "--device", "phone").stdout.splitlines()[0] == "profile of phone:"
    phone = call(who="phone").stdout.splitlines()
    assert phone[:3] == ["profile of phone:", "wants:", "  every: 15m"]
    assert "  automatic: no (user)" in phone
    assert "  every: 15m (device)" in phone
    assert call("--device", "phone", who="phone").stdout.splitlines() == phone
    assert call(who="tablet").stdout.splitlines()[1:3] == NOTHING


def test_what_is_wrong_is_said_in_a_sentence(call: Call, server: Server) -> None:
    rules(server, RULES)
    origin = server.url.partition("/dav/")[0]
    for words, who, status, said in (
        (("--every", "14m"), "phone", 4, "the provider allows less: every goes beyond the rule quarterly"),
        (("--include", "Archive/2020"), "user", 4, "the provider allows less: include goes beyond the rule quarterly"),
        (
            ("--include", "a/b", "--exclude", "a"),
            "phone",
            2,
            "the server does not take the profile: include is wrong, or contradicts the rest",
        ),
        (("--exclude", "a/../b"), "phone", 2, "a/../b is no path in the collection"),
        (("--exclude", "http://x.example/dav/"), "phone", 2, f"http://x.example/dav/ is no URL of {origin}"),
        (("--not-over", "two words"), "phone", 2, "--not-over: a bearer is one word such as cellular-roaming"),
        (
            ("--window", "22-6"),
            "phone",
            2,
            "22-6 UTC: hours are two times such as 22:00-06:00, in a zone such as UTC",
        ),
        (
            ("--device", "tablet"),
            "phone",
            2,
            "a device sees its own profile alone: sign in with the password of its user",
        ),
    ):
        refused = call(*words, who=who)
        assert (refused.exit_code, refused.stdout) == (status, ""), words
        assert refused.stderr == f"davstore sync: {said}\n"
    assert call(who="phone").stdout.splitlines()[1:3] == NOTHING
    assert call(who="wrong").exit_code == 5
    nowhere = call("--device", "none")
    assert nowhere.exit_code == 2
    assert nowhere.stderr.endswith("/devices/me/none/: there is nothing of that name, or it has no profile\n")


@pytest.mark.parametrize(
    "words",
    [("--every", "15"), ("--every", ""), ("--every", "400d"), ("--max-body-size", "1.5M"), ("--kind", "letter")],
)
def test_an_option_that_is_none_is_a_wrong_call(call: Call, words: tuple[str, ...]) -> None:
    assert call(*words).exit_code == 2


def test_what_is_in_force_names_rules_and_patterns(call: Call, server: Server) -> None:
    rules(server, RULES)
    assert call(who="phone").stdout.splitlines()[3:] == [
        "in force:",
        "  allowed: yes",
        "  modes: automatic, manual",
        "  every: 15m (provider: quarterly)",
        "  exclude: Archive, */raw (provider: quarterly)",
    ]


def test_a_thread_is_named_by_its_url(call: Call, server: Server) -> None:
    threads = server.url.replace("/dav/store/", "/dav/threads/")
    said = call("--exclude", f"{threads}1/", "--exclude", "Archive", who="phone").stdout.splitlines()
    assert said[:3] == ["profile of phone:", "wants:", "  exclude: /dav/threads/me/1, Archive"]
    assert call(who="phone", place=threads).stdout.splitlines()[2] == "  exclude: 1, /dav/store/me/Archive"


def test_a_folder_knows_its_server_and_keeps_to_the_profile(call: Call, tmp_path: Path) -> None:
    folder = str(tmp_path / "Phone")
    unknown = call(place=folder, who="phone")
    assert (unknown.exit_code, unknown.stderr) == (
        1,
        f"davstore sync: {folder} was not yet synchronised by davstore sync\n",
    )
    (tmp_path / "Phone").mkdir()
    assert call(folder, "--once", who="phone", command="sync").exit_code == 0
    assert call("--manual", place=folder, who="phone").stdout.splitlines()[0] == "profile of phone:"
    refused = call(folder, "--once", who="phone", command="sync")
    assert refused.exit_code == 4
    assert "this device may not synchronise by itself now (decided by this device, " in refused.stderr
    assert call(folder, "--once", "--manual", who="phone", command="sync").exit_code == 0


def test_a_run_asks_at_once_after_the_profile_was_changed(call: Call, server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "Phone"
    folder.mkdir()

    def run() -> Result:
        return call(str(folder), "--once", who="phone", command="sync")

    assert run().exit_code == 0
    rules(server, f"{RULES}default = true\n")
    assert "it is too early to ask again (decided by the provider, rule quarterly)" in run().stderr
    assert "the server asked not to be asked again yet" in run().stderr
    assert call(place=str(folder), who="phone").exit_code == 0
    assert "the server asked not to be asked again yet" in run().stderr
    assert call("--every", "0s", place=str(folder), who="phone").exit_code == 0
    assert run().exit_code == 0


def test_a_time_of_ones_own_is_over_when_the_profile_says_so(call: Call, server: Server, tmp_path: Path) -> None:
    (tmp_path / "Phone").mkdir()
    hours = f"{(datetime.now(UTC) + timedelta(hours=2)):%H:00}-{(datetime.now(UTC) + timedelta(hours=3)):%H:00}"
    run = partial(call, str(tmp_path / "Phone"), "--once", who="phone", command="sync")
    assert call("--window", hours, who="phone").exit_code == 0
    refused = run()
    assert refused.exit_code == 4
    assert refused.stderr.endswith("davstore sync profile changes that\n")
    assert call("--reset", who="phone").exit_code == 0
    assert run().exit_code == 0
    rules(server, f'[[rule]]\nname = "hours"\nwindow = "{hours}"\n')
    assert run().exit_code == 4
    rules(server, "")
    assert "the next run asks" in run().stderr, "the provider's time holds"


def test_another_server_has_no_profiles(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("password\n")
    with serve_foreign(Store()) as url:
        words = [url, "--user", "user", "--password-file", str(tmp_path / "password")]
        refused = CliRunner().invoke(profile, words, catch_exceptions=False)
    assert refused.exit_code == 2
    assert re.fullmatch(r"davstore sync: http://\S+: the server has no profiles\n", refused.stderr)


def test_a_password_goes_on_no_open_way(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("password\n")
    words = ["http://example.invalid/", "--user", "user", "--password-file", str(tmp_path / "password")]
    refused = CliRunner().invoke(profile, words, catch_exceptions=False)
    assert refused.exit_code == 2
    assert "is not encrypted" in refused.stderr
