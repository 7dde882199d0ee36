"""The policy middleware: its gate points, its answers, and the counting of rounds."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path as FilePath
from typing import Any

import pytest

from davstore.errors import (
    BadSettings,
    DeviceRequired,
    DiskFull,
    Malformed,
    SyncDeferred,
    SyncRefused,
    SyncUnwanted,
    TooLarge,
    Unavailable,
    UnsupportedReport,
)
from davstore.metadata.migrate import migrate
from davstore.metadata.opening import open_database
from davstore.metadata.volatile import Throttle
from davstore.middleware.auth import PRINCIPAL
from davstore.middleware.boundary import Boundary
from davstore.middleware.places import PLACE, Places, find_place
from davstore.middleware.sync_gate import QUERY, SyncGate, answered, ask
from davstore.model.paths import Path
from davstore.model.principals import DeviceClass, Principal
from davstore.model.rules import DEVICE, Mode, Rule
from davstore.policy.preferences import to_json
from davstore.protocol.dav.hrefs import parse_target
from davstore.rule_sources.file import GroupsFile, PolicyFile
from davstore.store import enrolling
from davstore.store.gating import Gate, GateRequest
from tests.areas import ELSEWHERE, add_area

NOW = 1_800_000_000_000_000
SECOND = 1_000_000
MINE = "/dav/store/alice/"


def sync_body(token: str = "", context: str = "") -> bytes:
    return (
        '<D:sync-collection xmlns:D="DAV:" xmlns:C="urn:davstore:cpm">'
        f"<D:sync-token>{token}</D:sync-token><D:sync-level>infinite</D:sync-level>{context}"
        "<D:prop><D:getetag/></D:prop></D:sync-collection>"
    ).encode()


class Store:
    """A gate on a policy file, a user with devices, and an application inside that answers as the test says."""

    def __init__(self, directory: FilePath) -> None:
        self.database = open_database("", directory)
        migrate(self.database)
        self.throttle = Throttle(directory / "throttle.sqlite")
        self.file = directory / "policy.toml"
        self.file.write_text("")
        self.now_us = NOW
        self.reached = 0
        self.succeeds = True
        self.lists = False
        self.given, self.truncated = "", False
        self.environ: dict[str, Any] = {}
        enrolling.add_user(self.database, "alice", "secret", now_us=NOW)
        self.user = enrolling.list_users(self.database)[0].user
        self.devices = {
            name: enrolling.add_device(self.database, "alice", name, device_class=kind, now_us=NOW).device
            for name, kind in (("phone", DeviceClass.PHONE), ("laptop", DeviceClass.DESKTOP))
        }
        self.policy = PolicyFile(self.file)
        self.gate = Gate(self.policy.rules, self.throttle, self.database)
        self.application = SyncGate(self._inside, self.gate, clock=lambda: self.now_us)

    def _inside(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.reached += 1
        self.environ = environ
        if self.lists:
            ask(environ)
        if self.succeeds:
            answered(environ, self.given, truncated=self.truncated)
        return []

    def rules(self, text: str) -> None:
        """Write the policy file, with a time stamp of its own."""
        self.file.write_text(text)
        stamp = self.file.stat().st_mtime_ns + 1_000_000_000
        os.utime(self.file, ns=(stamp, stamp))

    def ask(
        self,
        method: str,
        target: str = MINE,
        *,
        device: str | None = "phone",
        body: bytes = b"",
        chunked: bool = False,
        **headers: str,
    ) -> None:
        """Send one request; its refusal is raised."""
        asker = Principal(self.user, self.devices[device] if device else None)
        environ = {
            "REQUEST_METHOD": method,
            "wsgi.input": io.BytesIO(body),
            PRINCIPAL: asker,
            PLACE: find_place(parse_target(target), asker),
            **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
        }
        environ |= {"wsgi.input_terminated": True} if chunked else {"CONTENT_LENGTH": str(len(body))}
        self.application(environ, lambda *words: None)

    def admit(self, path: Path) -> None:
        """Ask the gate itself about a listing of any place, which succeeds."""
        asker = Principal(self.user, self.devices["phone"])
        self.gate.admit(GateRequest(asker, self.devices["phone"], path, Mode.AUTOMATIC, None, self.now_us)).answered()

    def report(
        self, token: str = "", given: str = "", *, truncated: bool = False, target: str = MINE, **more: Any
    ) -> None:
        """Ask with a token; the application inside answers with another."""
        self.given, self.truncated = given, truncated
        self.ask("REPORT", target, body=sync_body(token), **more)

    def is_early(self, token: str = "", given: str = "", **more: Any) -> bool:
        try:
            self.report(token, given, **more)
        except SyncDeferred:
            return True
        return False


@pytest.fixture
def store(tmp_path: FilePath):
    made = Store(tmp_path)
    yield made
    made.throttle.close()
    made.database.close()


NEVER = '[[rule]]\nname = "never"\nallowed = false\n'
BY_HAND = '[[rule]]\nname = "by-hand"\nmodes = "manual"\n'
HOURLY = '[[rule]]\nname = "hourly"\nmin_interval_seconds = 3600\n'
NO_ARCHIVE = '[[rule]]\nname = "no-archive"\nexclude = ["Archive", "*/raw"]\n'


@pytest.mark.parametrize(
    ("method", "headers", "gated"),
    [
        ("REPORT", {}, True),
        ("SEARCH", {}, True),
        ("PROPFIND", {"depth": "1"}, True),
        ("PROPFIND", {"depth": "infinity"}, True),
        ("PROPFIND", {}, True),  # no Depth is infinity (RFC 4918 §9.1)
        ("PROPFIND", {"depth": "0"}, False),
        ("GET", {}, False),  # of a file
        ("HEAD", {}, False),
        ("PUT", {}, False),
        ("DELETE", {}, False),
        ("OPTIONS", {}, False),
        ("PROPPATCH", {"depth": "1"}, False),
    ],
)
def test_the_gate_points(store: Store, method: str, headers: dict[str, str], gated: bool) -> None:
    store.rules(NEVER)
    body = sync_body() if method == "REPORT" else b""
    if gated:
        with pytest.raises(SyncRefused) as caught:
            store.ask(method, body=body, **headers)
        assert (caught.value.condition, caught.value.rule) == ("sync-allowed", "never")
        assert (caught.value.decided_by, caught.value.allowed_modes) == ("provider", ())
        assert store.reached == 0
    else:
        store.ask(method, body=body, **headers)
        assert store.reached == 1
    store.ask(method, body=body, device=None, **headers)  # a file browser is not asked


@pytest.mark.parametrize("target", ["/dav/store/", "/dav/", "/", "/dav/principals/users/alice/"])
def test_only_the_own_store_is_gated(store: Store, target: str) -> None:
    store.rules(NEVER)
    store.ask("PROPFIND", target, depth="1")
    store.ask("REPORT", target, body=sync_body())
    store.ask("REPORT", target, body=b"<other/>")  # what is not there for anybody is not told apart
    assert store.reached == 3


def test_the_mode_is_what_the_device_says_and_automatic_when_it_does_not(store: Store) -> None:
    store.rules(BY_HAND)
    manual = "<C:context><C:mode>manual</C:mode></C:context>"
    automatic = "<C:context><C:mode>automatic</C:mode></C:context>"
    accepted = [
        (sync_body(), "mode=manual, bearer=wifi"),
        (sync_body(context=manual), ""),
        (sync_body(context=manual), "mode=automatic"),  # the body wins
    ]
    for body, header in accepted:
        store.ask("REPORT", body=body, sync_context=header)
    for body, header in [
        (sync_body(), ""),
        (sync_body(), "bearer=wifi"),
        (sync_body(context=automatic), "mode=manual"),
    ]:
        with pytest.raises(SyncRefused) as caught:
            store.ask("REPORT", body=body, sync_context=header)
        assert (caught.value.condition, caught.value.allowed_modes) == ("sync-allowed", ("manual",))
    with pytest.raises(Malformed):
        store.ask("PROPFIND", sync_context="mode=(")


@pytest.mark.parametrize(
    ("path", "excluded"),
    [
        ("", False),
        ("Archive/", True),
        ("Archive", True),
        ("%41rchive/2024/", True),
        ("Mail/raw/x/", True),
        ("Archive2/", False),
        ("Mail/Archive/", False),
    ],
)
def test_excluded_folders(store: Store, path: str, excluded: bool) -> None:
    store.rules(NO_ARCHIVE)
    for send in (store.report, lambda target: store.ask("PROPFIND", target, depth="1")):
        if excluded:
            with pytest.raises(SyncRefused) as caught:
                send(target=MINE + path)
            assert (caught.value.condition, caught.value.rule) == ("sync-scope-allowed", "no-archive")
        else:
            send(target=MINE + path)


def test_an_excluded_folder_is_one_of_the_users_store(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    add_area(monkeypatch)
    store.rules(NO_ARCHIVE)
    store.report(target=f"{ELSEWHERE}/Archive/")
    store.admit(Path("bob", ("Archive",)))
    with pytest.raises(SyncRefused):
        store.admit(Path("alice", ("Archive",)))


def test_an_interval_is_counted_for_one_collection_of_one_area_of_one_store(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    area = add_area(monkeypatch)
    store.rules(HOURLY)
    places = [Path(*place) for place in (("alice", ("c",)), ("alice", ("c",), area), ("bob", ("c",)), ("bob", ("d",)))]
    for place in places:
        store.admit(place)
    for place in places:
        with pytest.raises(SyncDeferred):
            store.admit(place)


def test_an_interval_outlives_an_upgrade(store: Store) -> None:
    """The hash of the names below the user's store, as versions before wrote it."""
    store.rules(HOURLY)
    store.ask("PROPFIND", f"{MINE}a/b/", depth="1")
    scope = f"LIST {hashlib.sha256(b'a/b').hexdigest()[:32]}"
    assert store.throttle.rounds.find(store.devices["phone"].id, scope) is not None


def test_rules_select_devices(store: Store) -> None:
    store.rules('[[rule]]\nname = "no-phones"\nclass = "phone"\nallowed = false\n')
    with pytest.raises(SyncRefused):
        store.report()
    store.report(device="laptop")


def test_the_next_round_waits_for_the_interval(store: Store) -> None:
    store.rules(HOURLY)
    store.report("", "T1")
    store.now_us += 600 * SECOND
    with pytest.raises(SyncDeferred) as caught:
        store.report("T1", "T2")
    deferred = caught.value
    assert (deferred.condition, deferred.rule, deferred.decided_by) == ("sync-interval-respected", "hourly", "provider")
    assert deferred.retry_after_seconds == 3000
    store.now_us += 3000 * SECOND
    store.report("T1", "T2")
    assert store.is_early("T2")


def test_the_next_page_is_never_early_and_a_lost_answer_is_free_twice(store: Store) -> None:
    store.rules(HOURLY)
    store.report("", "P1", truncated=True)
    store.report("P1", "P2", truncated=True)
    store.report("P1", "P2", truncated=True)  # its answer was lost
    store.report("P2", "T1")
    store.report("P2", "T1")
    for _ in range(2):
        store.report("", "P1", truncated=True)  # the device lost its state
        store.report("P1", "T1")
    assert store.is_early("T1")
    assert store.is_early("")
    assert store.is_early("P2")


@pytest.mark.parametrize("token", ["", "urn:x:old"])
def test_no_token_evades_an_interval(store: Store, token: str) -> None:
    store.rules(HOURLY)
    for hour in range(3):
        store.now_us = NOW + hour * 3600 * SECOND
        answers = sum(not store.is_early(token, given="T1") for _ in range(10))
        assert answers == 3


def test_a_poll_that_brought_nothing_counts(store: Store) -> None:
    store.rules(HOURLY)
    store.report("T1", "T1")
    assert store.is_early("T1")


def test_what_failed_uses_up_nothing(store: Store) -> None:
    store.rules(HOURLY)
    store.succeeds = False  # such as valid-sync-token
    store.report("stale")
    store.succeeds = True
    store.report("", "T1")
    assert store.is_early("T1")


def test_each_device_and_each_collection_has_rounds_of_its_own(store: Store) -> None:
    store.rules(HOURLY)
    store.report("", "T1")
    store.report("", "T1", device="laptop")
    store.report("x", "T1", target=MINE + "Mail/")
    assert store.is_early("T1", target="/dav/store/%61lice")
    assert store.is_early("T1", target=MINE + "Mail")


def test_listings_are_counted_by_themselves(store: Store) -> None:
    store.rules(HOURLY)
    store.succeeds = False
    store.ask("PROPFIND", depth="1")
    store.succeeds = True
    store.ask("PROPFIND", depth="1")
    with pytest.raises(SyncDeferred):
        store.ask("PROPFIND", depth="1")
    store.ask("PROPFIND", MINE + "Mail/", depth="1")
    store.report("", "T1")


def test_a_get_of_a_collection_is_a_listing_like_any_other(store: Store) -> None:
    store.rules(HOURLY)
    for _ in range(3):
        store.ask("GET", MINE + "file")
    store.lists = True
    for _ in range(3):
        store.ask("HEAD")  # it tells no names, and takes no turn
    store.ask("GET")
    for method, headers in (("GET", {}), ("HEAD", {}), ("PROPFIND", {"depth": "1"}), ("PROPFIND", {})):
        with pytest.raises(SyncDeferred):
            store.ask(method, **headers)
    store.ask("GET", device=None)
    store.ask("GET", device="laptop")
    store.ask("GET", MINE + "Mail/")


def test_a_provider_may_require_a_device(store: Store) -> None:
    demanding = SyncGate(store._inside, Gate(store.policy.rules, store.throttle, store.database), requires_device=True)
    store.application, store.lists = demanding, True
    for method, headers in (("REPORT", {}), ("PROPFIND", {}), ("PROPFIND", {"depth": "1"}), ("GET", {}), ("HEAD", {})):
        body = sync_body() if method == "REPORT" else b""
        with pytest.raises(DeviceRequired):
            store.ask(method, body=body, device=None, **headers)
        store.ask(method, body=body, **headers)
    store.lists = False
    for method, headers in (("PROPFIND", {"depth": "0"}), ("GET", {}), ("PUT", {}), ("DELETE", {}), ("OPTIONS", {})):
        store.ask(method, device=None, **headers)


def test_no_interval_counts_for_whom_it_is_lifted(store: Store) -> None:
    store.rules(HOURLY + '[[rule]]\nname = "free"\ndevice = "phone"\nmin_interval_seconds = 0\n')
    for _ in range(3):
        store.report("T1", "T1")
        store.ask("PROPFIND", depth="1")


def test_rounds_from_before_a_rule_count(store: Store) -> None:
    store.report("", "T1")
    store.rules(HOURLY)
    assert store.is_early("T1")


def test_a_changed_file_counts_at_once_and_a_wrong_one_not_at_all(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    store.report()
    store.rules(NEVER)
    with pytest.raises(SyncRefused):
        store.report()
    store.rules("[[rule]]\nname = 3\n")
    with pytest.raises(SyncRefused):
        store.report()
    assert f"{store.file}:2: rule.name" in caplog.text
    with pytest.raises(Unavailable):
        store.policy.check()
    store.file.unlink()
    with pytest.raises(SyncRefused):
        store.report()
    assert "No such file or directory; the last good rules stay in force" in caplog.text
    with pytest.raises(Unavailable):
        store.policy.check()
    store.rules("")
    store.report()
    store.policy.check()


def test_a_file_that_breaks_and_comes_back_as_it_was(store: Store) -> None:
    store.rules(NEVER)
    store.policy.check()
    aside = store.file.rename(store.file.with_name("aside"))
    with pytest.raises(Unavailable):
        store.policy.check()
    aside.rename(store.file)
    store.policy.check()
    with pytest.raises(SyncRefused):
        store.report()


def test_a_file_that_is_wrong_at_the_start_is_refused(store: Store) -> None:
    assert PolicyFile(None).rules() == ()
    with pytest.raises(BadSettings, match="No such file"):
        PolicyFile(store.file.with_name("missing.toml"))
    store.rules("rule = 3")
    with pytest.raises(BadSettings, match=r"policy\.toml:1: rule"):
        PolicyFile(store.file)


def test_a_rule_on_a_group_counts_for_its_users_while_they_are_in_it(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    file = store.file.with_name("principals.toml")
    file.write_text("")
    groups = GroupsFile(file)
    store.application = SyncGate(store._inside, Gate(store.policy.rules, store.throttle, store.database, groups.of))

    def write(text: str) -> None:
        file.write_text(text)
        stamp = file.stat().st_mtime_ns + 1_000_000_000
        os.utime(file, ns=(stamp, stamp))

    store.rules('[[rule]]\nname = "no-staff"\ngroup = "staff"\nallowed = false\n')
    store.report()
    write('[[group]]\nname = "staff"\nmembers = ["bob", "alice"]\n')
    with pytest.raises(SyncRefused):
        store.report()
    write('[[group]]\nname = "staff"\n')
    with pytest.raises(SyncRefused):
        store.report()
    assert f"{file}:1: group.members" in caplog.text
    assert "the last good groups stay in force" in caplog.text
    with pytest.raises(Unavailable):
        groups.check()
    write('[[group]]\nname = "staff"\nmembers = ["bob"]\n')
    groups.check()
    store.report()
    assert GroupsFile(None).of("alice") == frozenset()


def test_the_query_is_handed_on(store: Store) -> None:
    for device in ("phone", None):
        for chunked in (False, True):
            store.ask("REPORT", body=sync_body("T1"), device=device, chunked=chunked)
            assert store.environ[QUERY].token == "T1"


def test_bad_reports_are_refused_before_any_work(store: Store) -> None:
    large = sync_body() + b" " * (1 << 20)
    for body, error in [
        (b"", Malformed),
        (b"<D:sync-collection", Malformed),
        (b"<other/>", UnsupportedReport),
        (large, TooLarge),
    ]:
        for chunked in (False, True):
            with pytest.raises(error):
                store.ask("REPORT", body=body, chunked=chunked)
    for depth in ("infinity", "2"):
        with pytest.raises(Malformed):
            store.ask("REPORT", body=sync_body(), depth=depth)
    assert store.reached == 0


def test_a_report_with_depth_1_is_answered_unless_the_depth_is_strict(store: Store) -> None:
    store.ask("REPORT", body=sync_body("T1"), depth="1")
    assert store.environ[QUERY].token == "T1"
    gate = Gate(store.policy.rules, store.throttle, store.database)
    store.application = SyncGate(store._inside, gate, strict_depth=True, clock=lambda: store.now_us)
    store.ask("REPORT", body=sync_body(), depth="0")
    with pytest.raises(Malformed):
        store.ask("REPORT", body=sync_body(), depth="1")


def test_a_refusal_on_the_wire(store: Store) -> None:
    """docs/protocol.md#the-sync-policy: condition, voice and rule; never valid-sync-token."""
    answers: list[tuple[str, dict[str, str]]] = []

    def told(body: bytes, target: str = MINE) -> tuple[str, dict[str, str], str]:
        environ = {
            "REQUEST_METHOD": "REPORT",
            "REQUEST_URI": target,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            PRINCIPAL: Principal(store.user, store.devices["phone"]),
        }
        parts = Boundary(Places(store.application), realm="davstore")(
            environ, lambda status, headers, exc_info=None: answers.append((status, dict(headers)))
        )
        content = b"".join(parts).decode()
        status, headers = answers[-1]
        return status, headers, content

    def condition(name: str, rule: str, more: str = "") -> str:
        policy = "<C:policy><D:href>/dav/principals/devices/alice/phone/</D:href></C:policy>"
        said = f"<C:decided-by>provider</C:decided-by><C:rule>{rule}</C:rule>"
        return f"<C:{name}>{said}{policy}{more}</C:{name}>"

    store.rules(BY_HAND)
    status, _, content = told(sync_body())
    assert status == "403 Forbidden"
    manual = "<C:allowed-modes><C:mode>manual</C:mode></C:allowed-modes>"
    assert condition("sync-allowed", "by-hand", manual) in content
    store.rules(NO_ARCHIVE)
    status, _, content = told(sync_body("garbled"), MINE + "Archive/")
    assert status == "403 Forbidden"
    assert condition("sync-scope-allowed", "no-archive") in content
    assert "valid-sync-token" not in content
    store.rules(HOURLY)
    store.report("", "T1")
    status, headers, content = told(sync_body("T1"))
    assert status == "429 Too Many Requests"
    assert headers["Retry-After"] == "3600"
    assert headers["Content-Type"].startswith("application/xml")
    assert condition("sync-interval-respected", "hourly") in content
    store.rules('[[rule]]\nname = "night"\nwindow = "22:00-06:00"\n')  # it is 8 o'clock
    status, headers, content = told(sync_body("T1"))
    assert status == "503 Service Unavailable"
    assert headers["Retry-After"] == str(14 * 3600)
    assert condition("sync-window-open", "night") in content


def test_a_bearer_is_told_by_header_or_body(store: Store) -> None:
    store.rules('[[rule]]\nname = "no-roaming"\nbearer_not = ["cellular-roaming"]\n')

    def refused(context: str = "", **headers: str) -> SyncRefused | None:
        try:
            store.ask("REPORT", body=sync_body("", context), **headers)
        except SyncRefused as error:
            return error
        return None

    roaming, wifi = (f"<C:context><C:bearer>{one}</C:bearer></C:context>" for one in ("cellular-roaming", "wifi"))
    error = refused(roaming)
    assert error is not None
    assert (error.condition, error.rule, error.allowed_modes) == ("sync-allowed", "no-roaming", ("manual",))
    assert refused(Sync_Context="bearer=cellular-roaming")
    assert refused(roaming, Sync_Context="bearer=wifi")
    assert not refused()
    assert not refused(Sync_Context="bearer=cellular-roaming, mode=manual")
    assert not refused(wifi, Sync_Context="bearer=cellular-roaming")


def test_what_was_seen_is_written_down_once_a_minute(store: Store) -> None:
    def seen() -> tuple[int | None, int | None, str | None]:
        facts = enrolling.get_device(store.database, "alice", "phone")
        return facts.seen_us, facts.round_us, facts.token

    store.report("", "P1", truncated=True)
    assert seen() == (NOW, NOW, "P1")
    store.now_us += 30 * SECOND
    store.report("P1", "T1")
    assert seen() == (NOW, NOW, "P1")
    store.now_us += 30 * SECOND
    store.report("T1", "T2")
    assert seen() == (NOW + 60 * SECOND, NOW + 60 * SECOND, "T2")


def decided(store: Store) -> tuple[str, int | None]:
    """Return the last decision about the phone as it is kept, and its time."""
    facts = enrolling.get_device(store.database, "alice", "phone")
    return facts.decision.text if facts.decision else "", facts.decided_us


def test_the_last_decision_is_kept_with_rule_voice_and_time(store: Store) -> None:
    assert decided(store) == ("", None)
    store.report("", "T1")
    assert decided(store) == ("accepted", NOW)
    store.now_us += SECOND
    store.rules(HOURLY)
    assert store.is_early("T1")
    assert decided(store) == ("sync-interval-respected provider hourly", NOW + SECOND)
    store.now_us += SECOND
    store.rules(NEVER)
    with pytest.raises(SyncRefused):
        store.ask("PROPFIND", depth="1")
    assert decided(store) == ("sync-allowed provider never", NOW + 2 * SECOND)
    store.now_us += SECOND
    store.rules("")
    store.ask("PROPFIND", depth="1")
    assert decided(store) == ("accepted", NOW + 3 * SECOND)
    assert enrolling.get_device(store.database, "alice", "phone").token == "T1"
    assert enrolling.get_device(store.database, "alice", "laptop").decision is None


def test_a_preference_is_named_by_its_voice(store: Store) -> None:
    quiet = to_json(Rule("sync-preferences", voice=DEVICE, modes=frozenset({Mode.MANUAL})))
    store.devices["phone"] = store.devices["phone"]._replace(preferences=quiet)
    with pytest.raises(SyncUnwanted):
        store.report()
    assert decided(store) == ("automatic-sync-enabled device sync-preferences", NOW)


def test_a_device_that_does_not_cease_costs_a_write_in_a_minute(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.rules(HOURLY)
    store.report("", "T1")
    writes: list[object] = []
    write = store.database.write
    monkeypatch.setattr(store.database, "write", lambda work: writes.append(work) or write(work))
    for _ in range(100):
        store.now_us += SECOND // 2
        assert store.is_early("T1")
    assert len(writes) == 1
    store.now_us += 60 * SECOND
    assert store.is_early("T1")
    assert decided(store) == ("sync-interval-respected provider hourly", store.now_us)


def test_a_decision_that_cannot_be_written_down_is_the_same(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_work: object) -> None:
        raise DiskFull

    monkeypatch.setattr(store.database, "write", fail)
    store.ask("PROPFIND", depth="1")
    store.rules(NEVER)
    with pytest.raises(SyncRefused):
        store.report()
