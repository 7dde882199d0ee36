"""The devices of a user over HTTP (docs/protocol.md#devices)."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from davstore import application_wiring, wiring
from davstore.metadata import principals
from davstore.metadata.opening import open_database
from davstore.model.decisions import LastDecision
from davstore.model.principals import DeviceClass
from davstore.settings import Settings, load_settings
from davstore.store import enrolling
from tests.dav.client import Answer, expand_body, prop_body, removing, setting
from tests.dav.test_entrances import basic

DEVICES = "/dav/principals/devices/alice/"
PHONE, NEW = f"{DEVICES}phone/", f"{DEVICES}new/"
ALICE = "/dav/principals/users/alice/"
C, D = "{urn:davstore:cpm}", "{DAV:}"
SECRET = "dvs_[0-9a-f]{16}_[0-9a-f]{64}"
TOLD = ("class", "state", "last-sync", "last-token")


def mkcol_body(properties: str = "", types: str = "<D:collection/><D:principal/>") -> str:
    return (
        '<D:mkcol xmlns:D="DAV:" xmlns:C="urn:davstore:cpm"><D:set><D:prop>'
        f"<D:resourcetype>{types}</D:resourcetype>{properties}</D:prop></D:set></D:mkcol>"
    )


class Place:
    """The whole application; alice has a phone, bob is another user with a phone. Three devices are the most."""

    def __init__(self, directory: Path, secrets: dict[str, str], **flags: str) -> None:
        self.database = open_database("", directory)
        self.phone = enrolling.get_device(self.database, "alice", "phone").device
        self.who = {user: basic(user, f"{user}'s") for user in ("alice", "bob")}
        self.who |= {f"{user}'s phone": f"Bearer {secret}" for user, secret in secrets.items()}
        self._application: Any = application_wiring.build_application(settings_of(directory, **flags))

    def __call__(self, method: str, target: str, who: str = "alice", body: str | bytes = "", **headers: str) -> Answer:
        content = body.encode() if isinstance(body, str) else body
        environ = {
            "REQUEST_METHOD": method,
            "REQUEST_URI": target,
            "HTTP_HOST": "dav.example",
            "wsgi.url_scheme": "http",
            "REMOTE_ADDR": "192.0.2.1",
            "HTTP_AUTHORIZATION": self.who.get(who, who),
            "CONTENT_LENGTH": str(len(content)),
            "wsgi.input": io.BytesIO(content),
            **({"CONTENT_TYPE": "application/xml"} if content else {}),
            **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
        }
        begun: list[tuple[str, list[tuple[str, str]]]] = []
        parts = self._application(environ, lambda status, sent, _=None: begun.append((status, sent)))
        answered = b"".join(parts)
        parts.close()
        return Answer(int(begun[-1][0][:3]), dict(begun[-1][1]), answered)

    def enrol(self, target: str = NEW, who: str = "alice", **headers: str) -> Answer:
        return self("MKCOL", target, who, mkcol_body(), **headers)

    def find(self, target: str, *names: str, who: str = "alice", depth: str = "0") -> Answer:
        return self("PROPFIND", target, who, prop_body(*names), depth=depth)

    def names(self) -> list[str]:
        found = enrolling.list_devices(self.database, "alice")
        return [facts.device.name for facts in found if not facts.device.revoked]


def settings_of(directory: Path, *, groups: str = "") -> Settings:
    flags = {"data.path": str(directory), "policy.file": "", "policy.devices_per_user": 3, "principals.file": groups}
    return load_settings(flags=flags, environ={})


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Return a data directory, and the secrets of the phones by user."""
    directory, secrets = tmp_path_factory.mktemp("devices"), {}
    database = wiring.open_storage(settings_of(directory)).database
    for user in ("alice", "bob"):
        enrolling.add_user(database, user, f"{user}'s", now_us=1)
        secrets[user] = enrolling.add_device(database, user, "phone", device_class=DeviceClass.PHONE, now_us=1).secret
    database.close()
    return directory, secrets


@pytest.fixture
def place(template: tuple[Path, dict[str, str]], tmp_path: Path) -> Iterator[Place]:
    directory, secrets = template
    shutil.copytree(directory, tmp_path / "data")
    made = Place(tmp_path / "data", secrets)
    yield made
    made.database.close()


def test_a_device_is_enrolled_and_its_secret_is_told_once(place: Place) -> None:
    answer = place("MKCOL", NEW, "alice", mkcol_body("<C:class>tablet</C:class>"))
    assert (answer.status, answer.headers["Cache-Control"]) == (201, "no-store")
    assert answer.xml.tag == f"{D}mkcol-response"
    [told] = answer.xml.iter(f"{D}propstat")
    assert "200" in told.findtext(f"{D}status")
    assert [element.tag for element in told.find(f"{D}prop")] == [f"{C}secret", f"{D}resourcetype", f"{C}class"]
    place.who["new"] = f"Bearer {told.findtext(f'{D}prop/{C}secret')}"
    assert place("PROPFIND", "/dav/store/alice/", "new", depth="0").status == 207
    found = place.find(NEW, f"{C}class", f"{C}state", f"{D}displayname", f"{C}secret", who="new")
    assert {name: element.text for name, element in found.props(NEW).items()} == {
        f"{C}class": "tablet",
        f"{C}state": "active",
        f"{D}displayname": "new",
    }
    assert place.enrol().status == 405
    assert place("MKCOL", f"{DEVICES}plain", "alice", mkcol_body()).headers["Content-Location"] == f"{DEVICES}plain/"
    assert place.find(f"{DEVICES}plain/", f"{C}class").text(f"{DEVICES}plain/", f"{C}class") == "other"


def test_a_user_sees_and_lists_its_devices_and_a_device_itself(place: Place) -> None:
    place.enrol()
    kind = f"{D}resourcetype"
    assert place.find(DEVICES, kind, depth="1").hrefs() == [DEVICES, NEW, PHONE]
    assert place("GET", DEVICES, accept="text/plain").body.decode().split() == ["new/", "phone/"]
    assert [element.tag for element in place.find(PHONE, kind).prop(PHONE, kind)] == [f"{D}collection", f"{D}principal"]
    assert place.find(DEVICES, kind, who="alice's phone", depth="1").hrefs() == [DEVICES, PHONE]
    for target in (NEW, f"{DEVICES}nothing/"):
        for method in ("OPTIONS", "PROPFIND", "DELETE", "MKCOL", "MOVE"):
            assert place(method, target, "alice's phone", destination=f"{DEVICES}x/").status == 404


@pytest.mark.parametrize(
    ("body", "status", "condition"),
    [
        ("", 403, f"{D}valid-resourcetype"),
        (mkcol_body(types="<D:collection/>"), 403, f"{D}valid-resourcetype"),
        (mkcol_body(types="<D:principal/>"), 403, f"{D}valid-resourcetype"),
        (mkcol_body(types="<D:collection/><D:principal/><C:thread/>"), 403, f"{D}valid-resourcetype"),
        (mkcol_body("<C:class>fridge</C:class>"), 403, None),
        (mkcol_body("<C:state>suspended</C:state>"), 403, None),
        (mkcol_body("<D:displayname>x</D:displayname>"), 403, None),
        ("<mkcol", 400, None),
    ],
)
def test_what_is_no_device_is_not_enrolled(place: Place, body: str, status: int, condition: str | None) -> None:
    answer = place("MKCOL", NEW, "alice", body)
    assert answer.status == status
    if condition is not None:
        assert answer.condition == condition
    assert place.names() == ["phone"]


def test_the_property_that_is_wrong_is_named(place: Place) -> None:
    answer = place("MKCOL", NEW, "alice", mkcol_body("<C:class>fridge</C:class><x xmlns='urn:x'/>"))
    assert answer.xml.tag == f"{D}mkcol-response"
    told = {
        element.tag: propstat.findtext(f"{D}status").split()[1]
        for propstat in answer.xml.iter(f"{D}propstat")
        for element in propstat.find(f"{D}prop")
    }
    assert told == {f"{C}class": "409", "{urn:x}x": "403"}


@pytest.mark.parametrize("name", ["a%20b", "%C3%A9", "-a", "x" * 65])
def test_what_is_no_name_is_refused(place: Place, name: str) -> None:
    assert (place.enrol(f"{DEVICES}{name}/").status, place.names()) == (403, ["phone"])
    answer = place("MOVE", PHONE, destination=f"{DEVICES}{name}/")
    assert (answer.status, answer.condition, place.names()) == (403, f"{D}name-allowed", ["phone"])


def test_a_user_has_so_many_devices(place: Place) -> None:
    assert [place.enrol(f"{DEVICES}d{number}/").status for number in range(3)] == [201, 201, 403]
    assert place.enrol(f"{DEVICES}more/").condition == f"{C}devices-within-limits"
    assert place("DELETE", f"{DEVICES}d0/").status == 204
    assert place.enrol(f"{DEVICES}more/").status == 201


def test_a_device_is_revoked_by_its_user_and_by_itself(place: Place) -> None:
    for who, target in (("alice", PHONE), ("bob's phone", "/dav/principals/devices/bob/phone")):
        assert place("DELETE", target, who).status == 204
        assert place("DELETE", target, who).status == (404 if who == "alice" else 401)
    assert place("OPTIONS", "/dav/", "alice's phone").status == 401
    assert place.names() == []


def test_a_device_is_renamed_and_keeps_its_secret(place: Place) -> None:
    answer = place("MOVE", PHONE, destination="http://dav.example/dav/principals/devices/alice/old%2Dphone/")
    assert (answer.status, place.names()) == (201, ["old-phone"])
    assert place.find(f"{DEVICES}old-phone/", f"{C}class", who="alice's phone").status == 207
    assert place.find(PHONE, f"{C}class").status == 404


def test_no_device_is_overwritten_and_none_leaves_its_collection(place: Place) -> None:
    place.enrol()
    for destination, overwrite, status in (
        (NEW, "T", 403),
        (NEW, "F", 412),
        (PHONE, "T", 403),
        ("/dav/store/alice/x/", "T", 403),
        (DEVICES, "T", 403),
        (ALICE, "T", 403),
        ("/dav/principals/devices/bob/x/", "T", 502),
        ("http://elsewhere.example/dav/principals/devices/alice/x/", "T", 502),
        (f"{DEVICES}a/b/", "T", 502),
    ):
        assert place("MOVE", PHONE, destination=destination, overwrite=overwrite).status == status, destination
    assert place("MOVE", PHONE).status == 400
    assert place("MOVE", PHONE, "alice's phone", destination=f"{DEVICES}x/").status == 403
    assert place("MOVE", "/dav/store/alice/", destination=f"{DEVICES}x/").status == 502
    assert place.names() == ["new", "phone"]


def test_the_devices_of_others_are_not_there(place: Place) -> None:
    for who in ("bob", "bob's phone"):
        for target in (DEVICES, PHONE, NEW, "/dav/principals/devices/nobody/x/"):
            for method in ("OPTIONS", "GET", "PROPFIND", "MKCOL", "DELETE", "MOVE"):
                body = mkcol_body() if method == "MKCOL" else ""
                answer = place(method, target, who, body, destination="/dav/principals/devices/bob/x/", depth="0")
                assert answer.status == 404, (method, target)
    assert place.names() == ["phone"]


def test_conditions_count(place: Place) -> None:
    never = "(<urn:no:such>)"
    for method, target, headers, status in (
        ("MKCOL", NEW, {"if_match": "*"}, 412),
        ("MKCOL", NEW, {"if": never}, 412),
        ("DELETE", PHONE, {"if_none_match": "*"}, 412),
        ("DELETE", PHONE, {"if_match": '"x"'}, 412),
        ("DELETE", PHONE, {"if": never}, 412),
        ("MOVE", PHONE, {"if": never, "destination": NEW}, 412),
        ("OPTIONS", NEW, {"if": never}, 412),
    ):
        body = mkcol_body() if method == "MKCOL" else ""
        assert place(method, target, "alice", body, **headers).status == status, (method, headers)
    assert place.names() == ["phone"]
    assert place.enrol(if_none_match="*").status == 201


def test_allow_tells_what_a_device_and_a_free_name_have(place: Place) -> None:
    methods = f"{D}supported-method-set"
    told = [element.get("name") for element in place.find(PHONE, methods).prop(PHONE, methods)]
    assert place("OPTIONS", PHONE).headers["Allow"].split(", ") == told
    assert {"DELETE", "MOVE"} <= set(told)
    assert place("OPTIONS", NEW).headers["Allow"] == "OPTIONS, MKCOL"
    for method in ("PUT", "LOCK"):
        answer = place(method, NEW)
        assert (answer.status, answer.headers["Allow"]) == (405, "OPTIONS, MKCOL")
    for method in ("GET", "PROPFIND", "DELETE", "MOVE", "COPY", "PROPPATCH", "REPORT", "UNLOCK"):
        assert place(method, NEW).status == 404
    assert place("MKCOL", PHONE, "alice", mkcol_body()).status == 405
    for method in ("DELETE", "MOVE"):
        for target in (DEVICES, ALICE):
            answer = place(method, target, destination=NEW)
            assert (answer.status, method in answer.headers["Allow"]) == (405, False)


def test_a_user_is_told_its_devices_with_the_last_of_each(place: Place) -> None:
    place.enrol()
    phone, second = place.phone.id, 1_000_000
    enrolling.set_suspended(place.database, "alice", "new", suspended=True)
    place.database.write(
        lambda unit: principals.record_seen(unit, phone, seen_us=60 * second, round_us=0, token="urn:T&1")
    )
    devices = f"{C}devices"
    new, old = place.find(ALICE, devices).prop(ALICE, devices)
    assert [child.tag for child in new] == [f"{D}href", f"{C}class", f"{C}state"]
    assert [child.text for child in new] == [NEW, "other", "suspended"]
    assert [old.findtext(f"{D}href"), *(old.findtext(f"{C}{name}") for name in TOLD)] == [
        PHONE,
        *("phone", "active", "1970-01-01T00:01:00Z", "urn:T&1"),
    ]
    assert [child.tag for child in old.find(f"{C}last-result")] == [f"{C}at", f"{C}accepted"]
    refused = LastDecision("sync-allowed", "provider", "no-roaming")
    place.database.write(lambda unit: principals.record_decision(unit, phone, refused, decided_us=90 * second))
    _, old = place.find(ALICE, devices).prop(ALICE, devices)
    result = old.find(f"{C}last-result")
    assert result.findtext(f"{C}at") == "1970-01-01T00:01:30Z"
    assert [child.text for child in result.find(f"{C}sync-allowed")] == ["provider", "no-roaming"]
    place("DELETE", PHONE)
    assert len(place.find(ALICE, devices).prop(ALICE, devices)) == 1


def test_the_list_of_devices_is_for_their_user_and_asked_for_by_name(place: Place) -> None:
    devices = f"{C}devices"
    assert devices not in place("PROPFIND", ALICE, "alice", depth="0").props(ALICE)
    propname = '<propfind xmlns="DAV:"><propname/></propfind>'
    assert devices in place("PROPFIND", ALICE, "alice", propname, depth="0").props(ALICE)
    assert place.find(ALICE, devices, who="alice's phone").prop(ALICE, devices) is None
    assert place.find(ALICE, devices, who="bob").status == 404
    nested = '<D:property name="devices" namespace="urn:davstore:cpm"/>'
    answer = place("REPORT", ALICE, "alice", expand_body(nested), depth="0")
    assert answer.prop(ALICE, devices)[0].findtext(f"{D}href") == PHONE


def state_of(place: Place) -> str:
    return enrolling.get_device(place.database, "alice", "phone").device.state


def patch(place: Place, target: str, *instructions: str, who: str = "alice") -> Answer:
    body = f'<D:propertyupdate xmlns:D="DAV:" xmlns:C="urn:davstore:cpm">{"".join(instructions)}</D:propertyupdate>'
    return place("PROPPATCH", target, who, body)


def test_a_user_suspends_a_device_and_lets_it_come_again(place: Place) -> None:
    state = f"{C}state"
    assert state in patch(place, PHONE, setting("<C:state>suspended</C:state>")).props(PHONE)
    refused = place("PROPFIND", "/dav/store/alice/", "alice's phone", depth="0")
    assert (refused.status, refused.condition, state_of(place)) == (403, f"{C}device-enrolled", "suspended")
    assert place.find(PHONE, state).text(PHONE, state) == "suspended"
    assert state in patch(place, PHONE, setting("<C:state> active </C:state>")).props(PHONE)
    assert place("PROPFIND", "/dav/store/alice/", "alice's phone", depth="0").status == 207


@pytest.mark.parametrize(
    ("instruction", "target", "who", "status"),
    [
        (setting("<C:state>revoked</C:state>"), PHONE, "alice", 409),
        (setting("<C:state/>"), PHONE, "alice", 409),
        (removing("<C:state/>"), PHONE, "alice", 403),
        (setting("<C:state>suspended</C:state>"), PHONE, "alice's phone", 403),
        (setting("<C:state>suspended</C:state>"), ALICE, "alice", 403),
    ],
)
def test_what_cannot_be_a_state_changes_nothing(
    place: Place, instruction: str, target: str, who: str, status: int
) -> None:
    preference = setting("<C:sync-preferences><C:automatic>F</C:automatic></C:sync-preferences>")
    answer = patch(place, target, preference, instruction, who=who)
    assert f"{C}state" in answer.props(target, status)
    found = enrolling.get_device(place.database, "alice", "phone").device
    assert (found.state, found.preferences) == ("active", None)


def test_a_wrong_preference_leaves_the_state(place: Place) -> None:
    wrong = setting("<C:sync-preferences><C:automatic>perhaps</C:automatic></C:sync-preferences>")
    answer = patch(place, PHONE, setting("<C:state>suspended</C:state>"), wrong)
    assert f"{C}state" in answer.props(PHONE, 424)
    assert state_of(place) == "active"
    for who in ("bob", "bob's phone"):
        assert patch(place, PHONE, setting("<C:state>suspended</C:state>"), who=who).status == 404


def test_a_user_has_the_decision_about_one_device_explained(place: Place) -> None:
    place.enrol()

    def explain(name: str) -> list[str]:
        named = f"<C:device><D:href>{DEVICES}{name}/</D:href></C:device>"
        body = f'<C:explain-sync xmlns:D="DAV:" xmlns:C="urn:davstore:cpm">{named}</C:explain-sync>'
        return place("REPORT", "/dav/store/alice/", "alice", body, depth="0").hrefs()

    assert explain("phone") == [PHONE]
    assert explain("nothing") == []


def test_a_user_finds_its_devices_and_no_others(place: Place) -> None:
    """RFC 3744 §9.4: by a part of the name, with the properties that they have for their user."""
    body = (
        '<D:principal-property-search xmlns:D="DAV:" xmlns:C="urn:davstore:cpm"><D:property-search><D:prop>'
        "<D:displayname/></D:prop><D:match>pho</D:match></D:property-search><D:prop><C:class/></D:prop>"
        "</D:principal-property-search>"
    )
    found = place("REPORT", "/dav/principals/", "alice", body)
    assert (found.status, found.hrefs()) == (207, [PHONE])
    assert found.text(PHONE, f"{C}class") == "phone"
    assert place("REPORT", "/dav/principals/", "alice's phone", body).hrefs() == [PHONE]
