"""`davstore user`, `davstore device` and `davstore policy` as a script calls them."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from davstore import wiring
from davstore.cli import main
from davstore.metadata import principals
from davstore.metadata.opening import open_database
from davstore.metadata.volatile import Throttle
from davstore.model.decisions import LastDecision
from davstore.protocol.http.authorization import Basic, Bearer
from davstore.settings import load_settings
from davstore.store import enrolling
from davstore.store.authenticating import Authenticator
from davstore.store.hashing import Passwords

Run = Callable[..., Result]
SECRET = re.compile(r"dvs_[0-9a-f]{16}_[0-9a-f]{64}\n")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return what runs a command on a data directory, which is not there."""

    def call(*words: str, status: int = 0, stdin: str = "") -> Result:
        done = CliRunner().invoke(main, [*words, "--data", str(tmp_path / "data")], input=stdin)
        assert done.exit_code == status, done.output
        return done

    return call


@pytest.fixture
def store(run: Run) -> None:
    """Make a store with the user `me`."""
    run("init")


@pytest.mark.parametrize("command", [["user", "list"], ["check"], ["serve", "--bind", "127.0.0.1:0"]])
def test_a_database_that_does_not_answer_ends_a_command_with_6(tmp_path: Path, command: list[str]) -> None:
    words = [sys.executable, "-m", "davstore", *command, "--data", str(tmp_path)]
    environ = {**os.environ, "DAVSTORE_DATABASE__URL": "postgresql://me:geheim@127.0.0.1:1/none"}
    done = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (6, "")
    assert re.fullmatch(r"davstore: the database: connection failed: .* Connection refused\n", done.stderr)
    assert "geheim" not in done.stderr


def test_a_database_url_that_cannot_be_read_ends_a_command_with_2(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAVSTORE_DATABASE__URL", "postgresql://me:geheim@h/d?nonsense=1")
    assert (
        run("user", "list", status=2).output == "davstore: database.url: must be as postgresql://USER@HOST/DATABASE\n"
    )


@pytest.fixture
def enter(tmp_path: Path):
    database = open_database("", tmp_path / "data")
    throttle = Throttle(tmp_path / "throttle.sqlite")
    authenticator = Authenticator(database, throttle, Passwords())
    yield lambda credentials: authenticator.authenticate(credentials, address="192.0.2.1", now_us=1)
    throttle.close()
    database.close()


@pytest.mark.usefixtures("store")
def test_a_user_from_standard_input(run: Run, enter: Callable[..., object]) -> None:
    assert run("user", "add", "alice", "--password-stdin", "--quota", "1000", stdin="geheim ü\n").output == ""
    enter(Basic("alice", "geheim ü"))
    run("user", "passwd", "alice", "--password-stdin", stdin="anders")
    enter(Basic("alice", "anders"))
    assert re.search(r"^alice +active +0 +1000 +20\d\d-", run("user", "list").output, re.MULTILINE)


@pytest.mark.usefixtures("store")
def test_a_password_is_made_up_without_a_terminal(run: Run, enter: Callable[..., object]) -> None:
    for words in (("user", "add", "bob"), ("user", "passwd", "bob")):
        made_up = re.fullmatch(r"password: (\S{16})\n", run(*words).output)
        assert made_up
        enter(Basic("bob", made_up[1]))


@pytest.mark.usefixtures("store")
def test_users_are_disabled_and_enabled(run: Run) -> None:
    run("user", "add", "alice")
    run("user", "disable", "alice")
    assert re.search(r"^alice +disabled ", run("user", "list").output, re.MULTILINE)
    run("user", "enable", "alice")
    assert re.search(r"^alice +active ", run("user", "list").output, re.MULTILINE)


@pytest.mark.usefixtures("store")
def test_a_device_comes_and_goes(run: Run, enter: Callable[..., object]) -> None:
    run("user", "add", "alice")
    shown = run("device", "add", "alice", "phone", "--class", "phone").stdout
    assert SECRET.fullmatch(shown)
    enter(Bearer(shown.strip()))
    listed = run("device", "list", "alice").output
    assert re.search(r"^phone +phone +active +[0-9a-f]{16} +20\S+ +- +- +- +-$", listed, re.MULTILINE)
    assert shown.strip().rpartition("_")[2] not in listed
    run("device", "suspend", "alice", "phone")
    assert re.search(r"^phone +phone +suspended ", run("device", "list", "alice").output, re.MULTILINE)
    run("device", "resume", "alice", "phone")
    assert re.search(r"^phone +phone +active ", run("device", "list", "alice").output, re.MULTILINE)
    run("device", "revoke", "alice", "phone")
    assert re.search(r"^phone +phone +revoked ", run("device", "list", "alice").output, re.MULTILINE)


@pytest.mark.usefixtures("store")
def test_a_service_comes_and_goes(run: Run, enter: Callable[..., object], tmp_path: Path) -> None:
    file = tmp_path / "recorder.secret"
    assert run("service", "add", "recorder", "--may", "deliver", "--secret-file", str(file)).output == ""
    assert SECRET.fullmatch(file.read_text())
    enter(Bearer(file.read_text().strip()))
    listed = run("service", "list").output
    assert re.search(r"^recorder +deliver +active +[0-9a-f]{16} +20\S+$", listed, re.MULTILINE)
    assert file.read_text().strip().rpartition("_")[2] not in listed
    run("service", "add", "recorder", "--may", "deliver", status=1)
    run("service", "add", "other", "--may", "read", status=2)
    run("service", "revoke", "recorder")
    assert re.search(r"^recorder +deliver +revoked ", run("service", "list").output, re.MULTILINE)
    run("service", "revoke", "recorder", status=1)


@pytest.mark.usefixtures("store")
def test_one_device_too_many_is_refused_and_the_last_decision_is_told(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAVSTORE_POLICY__DEVICES_PER_USER", "1")
    run("device", "add", "me", "phone")
    said = "davstore: me has 1 devices, and may have 1 (policy.devices_per_user)\n"
    assert run("device", "add", "me", "tablet", "--secret-file", str(tmp_path / "s"), status=1).stderr == said
    assert not (tmp_path / "s").exists()
    database = open_database("", tmp_path / "data")
    decision = LastDecision("sync-allowed", "user", "sync-preferences")
    phone = enrolling.get_device(database, "me", "phone").device.id
    database.write(lambda unit: principals.record_seen(unit, phone, seen_us=0, round_us=0, token="urn:T"))
    database.write(lambda unit: principals.record_decision(unit, phone, decision, decided_us=60_000_000))
    database.close()
    row = "1970-01-01T00:00:00Z +urn:T +1970-01-01T00:01:00Z +sync-allowed by rule sync-preferences of the user"
    assert re.search(row, run("device", "list", "me").output)


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("user", "add", "alice"), 1, "exists"),
        (("user", "add", "a/b"), 2, "name"),
        (("user", "add", "bob", "--password-stdin"), 2, "password"),
        (("user", "add", "bob", "--quota", "-1"), 2, "quota"),
        (("user", "passwd", "nobody"), 1, "no user nobody"),
        (("user", "disable", "nobody"), 1, "no user nobody"),
        (("device", "add", "nobody", "phone"), 1, "no user nobody"),
        (("device", "add", "alice", "phone", "--class", "fridge"), 2, "fridge"),
        (("device", "list", "nobody"), 1, "no user nobody"),
        (("device", "revoke", "alice", "phone"), 1, "no device phone"),
        (("device", "rename", "alice", "phone", "x"), 1, "no device phone"),
        (("device", "rename", "alice", "old", "a/b"), 2, "name"),
        (("device", "rename", "alice", "old", "tablet"), 1, "has a device tablet"),
        (("device", "add", "alice", "new", "--secret-file", "/dev/null/x"), 2, "--secret-file: /dev/null/x: "),
        (("user", "quota", "nobody", "1"), 1, "no user nobody"),
        (("user", "quota", "alice", "much"), 2, "a number of bytes"),
        (("user", "quota", "alice", "1.5G"), 2, "a number of bytes"),
        (("user", "quota", "alice", "9" * 19), 2, "a number of bytes"),
        (("user", "quota", "alice", "9" * 40), 2, "a number of bytes"),
        (("user", "add", "bob", "--quota", "9" * 19), 2, "a number of bytes"),
        (("user", "remove", "nobody", "--yes"), 1, "no user nobody"),
        (("user", "remove", "alice"), 2, "add --yes"),
        (("lock", "list", "nobody"), 1, "no user nobody"),
        (("lock", "end", "nobody", "t"), 1, "no user nobody"),
        (("lock", "end", "alice", "t"), 1, "alice has no lock t"),
        (("policy", "explain", "alice", "phone"), 1, "no device phone"),
        (("policy", "explain", "alice", "tablet", "--folder", "A/../B"), 2, "is not a folder below"),
    ],
)
@pytest.mark.usefixtures("store")
def test_what_cannot_be_done_is_said(run: Run, words: tuple[str, ...], status: int, said: str) -> None:
    run("user", "add", "alice")
    for name in ("old", "tablet"):
        run("device", "add", "alice", name)
    before = [run(*listed).output for listed in (("user", "list"), ("device", "list", "alice"))]
    assert said in run(*words, status=status).stderr
    assert before == [run(*listed).output for listed in (("user", "list"), ("device", "list", "alice"))]


@pytest.mark.parametrize(
    "words",
    [
        ["user", "quota", "alice", "5Q"],
        ["user", "quota", "alice"],
        ["user", "remove", "alice", "--no"],
        ["user", "nonsense"],
        ["device", "rename", "alice", "old"],
        ["lock", "end", "alice"],
        ["backup"],
        ["restore", "a", "b"],
        ["init", "--adop"],
        ["serve", "--workers", "many"],
        ["nonsense"],
        ["--nonsense"],
    ],
)
@pytest.mark.usefixtures("store")
def test_a_wrong_call_is_one_line(run: Run, words: list[str]) -> None:
    done = run(*words, status=2)
    assert done.stdout == ""
    assert done.stderr.startswith("davstore: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.usefixtures("store")
def test_a_quota_is_set_and_taken_away(run: Run) -> None:
    run("user", "add", "alice", "--quota", "2K")
    for given, shown in (("500", "500"), ("3G", "3221225472"), ("none", "-"), ("0", "0")):
        assert run("user", "quota", "alice", given).output == ""
        assert re.search(rf"^alice +active +0 +{shown} ", run("user", "list").output, re.MULTILINE)


@pytest.mark.usefixtures("store")
def test_a_device_is_renamed_and_keeps_its_secret(run: Run, enter: Callable[..., object]) -> None:
    run("user", "add", "alice")
    secret = run("device", "add", "alice", "phone").stdout.strip()
    _, before = run("device", "list", "alice").output.splitlines()
    run("device", "rename", "alice", "phone", "mobile")
    enter(Bearer(secret))
    _, after = run("device", "list", "alice").output.splitlines()
    assert after.split() == ["mobile", *before.split()[1:]]


@pytest.mark.usefixtures("store")
def test_a_secret_goes_to_a_file_that_nobody_else_reads(run: Run, enter: Callable[..., object], tmp_path: Path) -> None:
    file = tmp_path / "phone.secret"
    run("user", "add", "alice")
    assert run("device", "add", "alice", "phone", "--secret-file", str(file)).output == ""
    assert SECRET.fullmatch(file.read_text())
    assert file.stat().st_mode & 0o777 == 0o600
    enter(Bearer(file.read_text().strip()))


@pytest.mark.usefixtures("store")
def test_a_secret_overwrites_no_file_and_a_refused_device_leaves_none(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    run("user", "add", "alice")
    run("device", "add", "alice", "phone")
    run("device", "add", "alice", "phone", "--secret-file", str(file), status=1)
    assert not file.exists()
    file.write_text("old")
    said = run("device", "add", "alice", "tablet", "--secret-file", str(file), status=2).stderr
    assert said == f"davstore: --secret-file: {file}: File exists\n"
    assert file.read_text() == "old"
    assert "tablet" not in run("device", "list", "alice").output


@pytest.mark.usefixtures("store")
def test_a_user_is_removed_with_everything(run: Run) -> None:
    for name in ("alice", "bob"):
        run("user", "add", name)
        run("device", "add", name, "phone")
    run("user", "remove", "alice", "--yes")
    assert re.findall(r"^\w+", run("user", "list").output, re.MULTILINE) == ["NAME", "bob", "me"]
    run("device", "list", "alice", status=1)
    assert "phone" in run("device", "list", "bob").output
    assert run("check").output == "0 findings, 0 unfinished uploads\n"
    run("user", "add", "alice")
    assert run("device", "list", "alice").output.splitlines()[1:] == []


def commands(group: click.Group = main, *above: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command there is, with its words."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, *above, name)
        else:
            yield (*above, name), command


WITHOUT_A_STORE = {("serve",), ("init",), ("restore",), ("sync",), ("policy", "check")} | {
    ("mail", word) for word in ("list", "show", "mark")
}
"""The first three make one, the others need none."""


def needed_options(words: tuple[str, ...]) -> list[str]:
    """Return the options that a command must have, each with a value that it may have."""
    needed = [item for item in dict(commands())[words].params if item.required and isinstance(item, click.Option)]
    values = {"--may": "read"}
    return [
        word
        for item in needed
        for word in (
            item.opts[0],
            item.type.choices[0] if isinstance(item.type, click.Choice) else values.get(item.opts[0], "x"),
        )
    ]


@pytest.mark.parametrize("words", [words for words, _ in commands() if words not in WITHOUT_A_STORE], ids=" ".join)
def test_a_wrong_path_is_no_empty_store(run: Run, tmp_path: Path, words: tuple[str, ...]) -> None:
    needed = [item for item in dict(commands())[words].params if item.required]
    arguments = ["GET" if item.name == "method" else "x" for item in needed if isinstance(item, click.Argument)]
    assert "no store here" in run(*words, *arguments, *needed_options(words), status=2).stderr
    assert not (tmp_path / "data").exists()


NEW_USER = ("user", "add")
OF_A_USER = [
    words
    for words, command in commands()
    if words != NEW_USER and any(item.name == ("name" if words[0] == "user" else "user") for item in command.params)
    if words != ("sync",)
]


@pytest.mark.parametrize("words", OF_A_USER, ids=" ".join)
@pytest.mark.usefixtures("store")
def test_a_user_that_is_not_there_ends_every_command_with_1(run: Run, words: tuple[str, ...]) -> None:
    others = {"size": "1"}
    arguments = [item.name or "" for item in dict(commands())[words].params if isinstance(item, click.Argument)]
    given = ["nobody", *(others.get(name, "x") for name in arguments[1:])]
    sure = ["--yes"] if words == ("user", "remove") else []
    done = run(*words, *given, *needed_options(words), *sure, status=1)
    assert (done.stdout, done.stderr) == ("", "davstore: there is no user nobody\n")


def test_the_commands_of_a_user_are_these() -> None:
    """The ones above are found by the names of their arguments."""
    assert {" ".join(words) for words in OF_A_USER} == {
        *(f"user {word}" for word in ("quota", "passwd", "disable", "enable", "remove")),
        *(f"device {word}" for word in ("add", "list", "rename", "suspend", "resume", "revoke")),
        *(f"lock {word}" for word in ("list", "end")),
        *("share", "unshare", "shares"),
        "policy explain",
        "import",
        "export",
    }


def test_no_command_takes_a_secret_on_its_command_line() -> None:
    """Other users of the machine see it there."""
    for words, command in commands():
        for item in command.params:
            names = " ".join((item.name or "", *item.opts))
            if "password" in names or "secret" in names:
                assert getattr(item, "is_flag", False) or isinstance(item.type, click.Path), words


def test_a_password_beside_the_name_is_refused(run: Run, tmp_path: Path) -> None:
    assert "unexpected extra argument" in run("user", "add", "alice", "geheim", status=2).stderr
    assert not (tmp_path / "data").exists()


POLICY = """
[[rule]]
name = "by-hand"
class = "phone"
modes = "manual"

[[rule]]
name = "hourly"
user = "alice"
min_interval_seconds = 3600
exclude = ["Archive", "*/raw"]
"""


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """Return a file with settings, whose paths are relative to it wherever a test is run."""
    (tmp_path / "policy.toml").write_text(POLICY)
    settings = tmp_path / "davstore.toml"
    settings.write_text('[policy]\nfile = "policy.toml"\n')
    return settings


@pytest.mark.usefixtures("store")
def test_a_policy_is_explained(run: Run, settings: Path) -> None:
    run("user", "add", "alice")
    run("device", "add", "alice", "phone", "--class", "phone")
    assert run("policy", "explain", "alice", "phone", "-c", str(settings)).output.splitlines() == [
        "alice/phone (phone)",
        "automatic: refused, sync-allowed, by rule by-hand of the provider",
        "  It may when its user asks for it.",
        "  The provider can change the rule.",
        "manual: accepted",
        "modes: manual, by rule by-hand of the provider",
        "interval: 3600 s, by rule hourly of the provider",
        "excluded: Archive, by rule hourly of the provider",
        "excluded: */raw, by rule hourly of the provider",
    ]
    run("device", "suspend", "alice", "phone")
    assert run("policy", "explain", "alice", "phone").output.splitlines() == [
        "alice/phone (phone)",
        "suspended: refused, device-enrolled, whatever the rules say",
        "automatic: accepted",
        "manual: accepted",
    ]


@pytest.mark.usefixtures("store")
def test_a_policy_is_explained_for_a_thread(run: Run, settings: Path, tmp_path: Path) -> None:
    run("user", "add", "alice")
    run("device", "add", "alice", "phone", "--class", "phone")
    thread = "/dav/threads/{user}/1"
    (tmp_path / "policy.toml").write_text(f'[[rule]]\nname = "quiet"\nexclude = ["{thread}"]\n')
    said = ("policy", "explain", "alice", "phone", "--mode", "manual", "-c", str(settings), "--folder")
    for folder, decision in ((thread, "refused, sync-scope-allowed, by rule quiet of the provider"), ("1", "accepted")):
        lines = run(*said, folder).output.splitlines()
        assert lines[1] == f"manual: {decision}"
        assert lines[-1] == f"excluded: {thread}, by rule quiet of the provider"


@pytest.mark.usefixtures("store")
def test_a_policy_is_explained_for_the_circumstances_given(run: Run, settings: Path, tmp_path: Path) -> None:
    run("user", "add", "alice")
    run("device", "add", "alice", "phone", "--class", "phone")
    (tmp_path / "policy.toml").write_text(
        '[[rule]]\nname = "night"\nwindow = "22:00-06:00"\nzone = "Europe/Berlin"\n'
        '[[rule]]\nname = "home"\nbearer_not = ["cellular"]\nexclude = ["Archive"]\n'
    )
    words = ("policy", "explain", "alice", "phone", "-c", str(settings), "--at")
    for at, more, decision in (
        ("2026-11-30T23:00+01:00", ("--mode", "automatic"), "automatic: accepted"),
        (
            "2026-11-30T12:00+01:00",
            ("--mode", "automatic"),
            "automatic: not now, sync-window-open, for 36000 s, by rule night of the provider",
        ),
        (
            "2026-11-30T23:00+01:00",
            ("--mode", "automatic", "--bearer", "cellular"),
            "automatic: refused, sync-allowed, by rule home of the provider",
        ),
        ("2026-11-30T23:00+01:00", ("--mode", "manual", "--bearer", "cellular"), "manual: accepted"),
        (
            "2026-11-30T23:00+01:00",
            ("--mode", "manual", "--folder", "Archive/2024"),
            "manual: refused, sync-scope-allowed, by rule home of the provider",
        ),
    ):
        lines = [line for line in run(*words, at, *more).output.splitlines()[1:] if not line.startswith("  ")]
        assert lines == [
            decision,
            "not by itself over cellular, by rule home of the provider",
            "window: 22:00-06:00 Europe/Berlin, by rule night of the provider",
            "excluded: Archive, by rule home of the provider",
        ]


def test_a_policy_is_checked(run: Run, settings: Path, tmp_path: Path) -> None:
    assert run("policy", "check", "-c", str(settings)).output == f"{tmp_path}/policy.toml: 2 rules\n"
    assert run("policy", "check").output == "config/policy.toml: 0 rules\n"
    bad = tmp_path / "policy.toml"
    bad.write_text(POLICY + "\nmodus = 'manual'\n")
    for words in (("-c", str(settings)), (str(bad),)):
        assert f"{bad}:13: rule.modus: unknown key" in run("policy", "check", *words, status=2).stderr
    assert f"{bad}:13: rule.modus" in run("serve", "-c", str(settings), "--bind", "127.0.0.1:0", status=2).stderr
    bad.unlink()
    for words in (("policy", "check"), ("serve", "--bind", "127.0.0.1:0")):
        assert f"{bad}: No such file" in run(*words, "-c", str(settings), status=2).stderr


@pytest.mark.usefixtures("store")
def test_groups_are_checked_and_explained(run: Run, settings: Path, tmp_path: Path) -> None:
    run("device", "add", "me", "phone")
    (tmp_path / "policy.toml").write_text(
        '[[rule]]\nname = "staff"\ngroup = "staff"\nmodes = "manual"\n'
        '[[rule]]\nname = "typo"\ngroup = "stuff"\nallowed = false\n'
    )
    words, explain = ("-c", str(settings)), ("policy", "explain", "me", "phone", "-c", str(settings))
    assert "automatic: accepted" in run(*explain).output
    groups = tmp_path / "principals.toml"
    groups.write_text('[[group]]\nname = "staff"\nmembers = ["me", "nobody"]\n')
    assert run("policy", "check", *words).stderr.splitlines() == [
        "warning: rule typo: there is no group stuff",
        "warning: group staff: there is no user nobody",
    ]
    assert "automatic: refused, sync-allowed, by rule staff of the provider" in run(*explain).output
    assert run("policy", "diff", str(tmp_path / "davstore.toml"), *words, status=2)
    old = tmp_path / "old.toml"
    old.write_text("")
    assert "+ modes: manual" in run("policy", "diff", str(old), *words).output.splitlines()
    groups.write_text('[[group]]\nname = "staff"\nmembers = "me"\n')
    for command in (("policy", "check"), ("policy", "explain", "me", "phone"), ("serve", "--bind", "127.0.0.1:0")):
        assert f"{groups}:3: group.members: must be a list" in run(*command, *words, status=2).stderr


@pytest.mark.usefixtures("store")
def test_the_devices_that_a_new_policy_decides_about_otherwise(run: Run, settings: Path, tmp_path: Path) -> None:
    run("user", "add", "alice")
    run("user", "add", "bob")
    for user, name, kind in (("alice", "phone", "phone"), ("alice", "old", "phone"), ("bob", "desk", "desktop")):
        run("device", "add", user, name, "--class", kind)
    run("device", "revoke", "alice", "old")
    old = tmp_path / "old.toml"
    old.write_text((tmp_path / "policy.toml").read_text())
    assert run("policy", "diff", str(old), "-c", str(settings)).output == ""
    new = tmp_path / "new.toml"
    new.write_text(
        '[[rule]]\nname = "x"\nclass = "phone"\nmodes = "manual"\nmin_interval_seconds = 60\nexclude = ["Archive"]\n'
        'bearer_not = ["cellular"]\nwindow = "01:00-02:00"\n'
    )
    assert run("policy", "diff", str(old), str(new), "-c", str(settings)).output.splitlines() == [
        "alice/phone (phone)",
        "- excluded: */raw",
        "- interval: 3600 s",
        "+ interval: 60 s",
        "+ not by itself over cellular",
        "+ window: 01:00-02:00 UTC",
    ]
    new.write_text('[[rule]]\nname = "x"\nuser = "bob"\nallowed = false\n')
    assert run("policy", "diff", str(tmp_path / "new.toml"), str(old), "-c", str(settings)).output.splitlines()[
        -3:
    ] == [
        "bob/desk (desktop)",
        "- may not synchronise",
        "+ modes: automatic, manual",
    ]
    new.write_text("rule = 3")
    assert "new.toml:1: rule" in run("policy", "diff", str(old), str(new), status=2).stderr


def test_rules_for_nobody_are_told_and_no_mistake(run: Run, settings: Path) -> None:
    assert run("policy", "check", "-c", str(settings)).stderr == ""  # there is no store to look at
    run("init")
    run("user", "add", "bob")
    assert run("policy", "check", "-c", str(settings)).stderr == "warning: rule hourly: there is no user alice\n"
    run("user", "add", "alice")
    assert run("policy", "check", "-c", str(settings)).stderr == ""
    run("device", "add", "alice", "phone")
    run("device", "revoke", "alice", "phone")
    (settings.parent / "policy.toml").write_text('[[rule]]\nname = "lost"\ndevice = "phone"\nallowed = false\n')
    assert (
        run("policy", "check", "-c", str(settings)).stderr == "warning: rule lost: no user has a device named phone\n"
    )


def test_a_rule_for_another_class_is_told_and_no_mistake(run: Run, settings: Path) -> None:
    run("init")
    run("user", "add", "alice")
    run("device", "add", "alice", "phone", "--class", "tablet")
    policy = settings.parent / "policy.toml"
    policy.write_text('[[rule]]\nname = "lost"\ndevice = "phone"\nclass = "phone"\nallowed = false\n')
    assert run("policy", "check", "-c", str(settings)).stderr == (
        "warning: rule lost: no user has a device named phone of class phone\n"
    )


def test_rules_that_change_nothing_are_told_with_file_line_and_key(run: Run, settings: Path) -> None:
    policy = settings.parent / "policy.toml"
    policy.write_text(
        """
[[rule]]
name = "phones"
class = "phone"
min_interval_seconds = 900
exclude = ["Archive", "Archive/old"]

[[rule]]
name = "phones-again"
class = "phone"
exclude = ["Archive/2020"]

[[rule]]
name = "phones-hourly"
class = "phone"
min_interval_seconds = 3600
"""
    )
    told = [
        "5: rule phones: min_interval_seconds changes nothing: that of rule phones-hourly counts, which comes later",
        "6: rule phones: exclude Archive/old changes nothing: the rule excludes Archive",
        "9: rule phones-again: changes nothing: rule phones excludes Archive",
    ]
    for words in (("-c", str(settings)), (str(policy),)):
        done = run("policy", "check", *words)
        assert done.stdout == f"{policy}: 3 rules\n"
        assert sorted(done.stderr.splitlines()) == [f"warning: {policy}:{line}" for line in told]


def test_the_log_of_a_start_says_which_policy_is_in_force(settings: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The logger has the name that docs/operating.md gives."""
    with caplog.at_level(logging.INFO):
        wiring.log_policy(load_settings(settings, flags={"data.path": str(settings.parent / "data")}))
        wiring.log_policy(load_settings(None, flags={"policy.file": "", "principals.file": ""}))
        (settings.parent / "principals.toml").write_text('[[group]]\nname = "staff"\nmembers = []\n')
        wiring.log_policy(load_settings(settings, flags={"data.path": str(settings.parent / "data")}))
    told = [(record.name, record.getMessage()) for record in caplog.records]
    assert told == [
        ("davstore.policy", f"{settings.parent}/policy.toml: 2 rules in force"),
        ("davstore.policy", "no policy file: every device may synchronise everything at any time"),
        ("davstore.policy", f"{settings.parent}/principals.toml: 1 groups in force"),
        ("davstore.policy", f"{settings.parent}/policy.toml: 2 rules in force"),
    ]
