"""The voices of user and device, from PROPPATCH to the gate (docs/protocol.md#preferences)."""

from __future__ import annotations

import datetime
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from davstore import application_wiring, wiring
from davstore.model.principals import DeviceClass
from davstore.settings import load_settings
from davstore.store import enrolling
from tests.dav.client import Answer, prop_body, removing, setting, sync_body, token_of
from tests.dav.test_entrances import basic

USER = "/dav/principals/users/alice/"
PHONE = "/dav/principals/devices/alice/phone/"
TABLET = "/dav/principals/devices/alice/tablet/"
HOME = "/dav/store/alice/"
C, D = "{urn:davstore:cpm}", "{DAV:}"
PREFERENCES, EFFECTIVE = f"{C}sync-preferences", f"{C}effective-sync-policy"
MANUAL = {"HTTP_SYNC_CONTEXT": "mode=manual"}


class Place:
    """The whole application with a policy; alice has a phone and a tablet, bob is another user."""

    def __init__(self, directory: Path) -> None:
        self.policy = directory / "policy.toml"
        self.policy.write_text("")
        settings = load_settings(
            flags={
                "data.path": str(directory),
                "policy.file": str(self.policy),
                "server.trusted_proxies": "192.0.2.9",
            },
            environ={},
        )
        self.database = wiring.open_storage(settings).database
        self.who = {}
        for user in ("alice", "bob"):
            enrolling.add_user(self.database, user, f"{user}'s", now_us=1)
            self.who[user] = basic(user, f"{user}'s")
        for name, kind in (("phone", DeviceClass.PHONE), ("tablet", DeviceClass.TABLET), ("lost", DeviceClass.OTHER)):
            added = enrolling.add_device(self.database, "alice", name, device_class=kind, now_us=1)
            self.who[name] = f"Bearer {added.secret}"
        self.who["bobs"] = f"Bearer {enrolling.add_device(self.database, 'bob', 'phone', now_us=1).secret}"
        enrolling.revoke_device(self.database, "alice", "lost")
        self._application: Any = application_wiring.build_application(settings)

    def __call__(self, method: str, target: str, who: str = "alice", body: str | bytes = "", **headers: str) -> Answer:
        content = body.encode() if isinstance(body, str) else body
        environ = {
            "REQUEST_METHOD": method,
            "REQUEST_URI": target,
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

    def rules(self, text: str) -> None:
        """Write the policy file, with a time stamp of its own."""
        stamp = self.policy.stat().st_mtime_ns + 1_000_000_000
        self.policy.write_text(text)
        os.utime(self.policy, ns=(stamp, stamp))

    def patch(self, target: str, *instructions: str, who: str = "alice", **headers: str) -> Answer:
        spaces = 'xmlns:D="DAV:" xmlns:C="urn:davstore:cpm" xmlns:x="urn:x"'
        body = f"<D:propertyupdate {spaces}>{''.join(instructions)}</D:propertyupdate>"
        return self("PROPPATCH", target, who, body, **headers)

    def prefer(self, target: str, content: str, who: str = "alice", **headers: str) -> Answer:
        """Set the preferences of a principal."""
        return self.patch(target, setting(f"<C:sync-preferences>{content}</C:sync-preferences>"), who=who, **headers)

    def told(self, target: str, name: str = PREFERENCES, who: str = "alice", **headers: str) -> str | None:
        """Return the content of a property as text without the declarations of namespaces; None: there is none."""
        answer = self("PROPFIND", target, who, prop_body(name), HTTP_DEPTH="0", **headers)
        assert answer.status == 207
        found = [element for status in answer.xml.iter(f"{D}propstat") for element in status.find(f"{D}prop")]
        assert [element.tag for element in found] == [name]
        if " 404 " in answer.xml.findtext(f".//{D}status"):
            return None
        text = etree.tostring(found[0]).decode()
        for declaration in (' xmlns:D="DAV:"', ' xmlns:C="urn:davstore:cpm"'):
            text = text.replace(declaration, "")
        return text.partition(">")[2].rpartition("<")[0]


def statuses(answer: Answer) -> dict[str, int]:
    """Return the status of each property of a PROPPATCH."""
    assert answer.status == 207, answer
    return {
        str(element.tag).replace(C, "C:").replace(D, "D:"): int(status.findtext(f"{D}status")[9:12])
        for status in answer.xml.iter(f"{D}propstat")
        for element in status.find(f"{D}prop")
    }


def condition(answer: Answer) -> tuple[str, list[str]]:
    """Return the name of the condition for which a property failed, and the texts, else names, in it."""
    [element] = [one for error in answer.xml.iter(f"{D}error") for one in error]
    return str(element.tag).replace(C, "C:"), [child.text or str(child.tag).replace(C, "C:") for child in element]


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("place"))
    yield made
    made.database.close()


@pytest.fixture
def place(application: Place) -> Place:
    """Return the application without rules and preferences."""
    application.rules("")
    for target in (USER, PHONE, TABLET):
        assert statuses(application.patch(target, removing("<C:sync-preferences/>"))) == OK
    return application


OK = {"C:sync-preferences": 200}


# Who sets them, and where


def test_a_preference_is_set_read_replaced_and_removed(place: Place) -> None:
    assert place.told(PHONE) is None
    answer = place.prefer(PHONE, "<C:automatic>F</C:automatic><C:max-age>PT48H</C:max-age>")
    assert statuses(answer) == OK
    assert answer.hrefs() == [PHONE]
    assert place.told(PHONE) == "<C:automatic>F</C:automatic><C:max-age>P2D</C:max-age>"
    assert statuses(place.prefer(PHONE, "<C:list-only>T</C:list-only>")) == OK
    assert place.told(PHONE) == "<C:list-only>T</C:list-only>"
    assert (place.told(USER), place.told(TABLET)) == (None, None)
    assert statuses(place.patch(PHONE, removing("<C:sync-preferences/>"))) == OK
    assert place.told(PHONE) is None
    assert statuses(place.patch(PHONE, removing("<C:sync-preferences/>"))) == OK  # RFC 4918 §14.23


def test_an_empty_one_is_none_and_of_two_the_last_counts(place: Place) -> None:
    place.prefer(USER, "<C:automatic>F</C:automatic>")
    assert statuses(place.prefer(USER, "")) == OK
    assert place.told(USER) is None
    first, last = (
        setting(f"<C:sync-preferences><C:kind>{kind}</C:kind></C:sync-preferences>") for kind in ("media", "imdn")
    )
    assert statuses(place.patch(USER, first, last)) == OK
    assert place.told(USER) == "<C:kind>imdn</C:kind>"


@pytest.mark.parametrize(
    ("target", "who", "status"),
    [
        (USER, "alice", 200),
        (USER, "phone", 403),
        (PHONE, "alice", 200),
        (PHONE, "phone", 200),
        (PHONE, "tablet", 404),
        (PHONE, "bob", 404),
        (PHONE, "bobs", 404),
        (USER, "bob", 404),
        ("/dav/principals/devices/alice/lost/", "alice", 404),
        ("/dav/principals/devices/alice/none/", "alice", 404),
        ("/dav/principals/devices/alice/none/", "phone", 404),
        ("/dav/principals/devices/bob/phone/", "alice", 404),
        ("/dav/principals/users/none/", "alice", 404),
        ("/dav/principals/devices/alice/", "alice", 405),
        ("/dav/principals/", "alice", 405),
    ],
)
def test_who_sets_whose(place: Place, target: str, who: str, status: int) -> None:
    answer = place.prefer(target, "<C:automatic>F</C:automatic>", who)
    if status in (404, 405):
        assert answer.status == status
    else:
        assert statuses(answer) == {"C:sync-preferences": status}
    for own in (USER, PHONE, TABLET):
        assert (place.told(own) is not None) == (status == 200 and own == target)


def test_a_device_reads_its_users_and_not_another_devices(place: Place) -> None:
    place.prefer(USER, "<C:automatic>F</C:automatic>")
    place.prefer(PHONE, "<C:list-only>T</C:list-only>")
    assert place.told(USER, who="phone") == "<C:automatic>F</C:automatic>"
    assert place.told(PHONE, who="phone") == "<C:list-only>T</C:list-only>"
    assert place("PROPFIND", PHONE, "tablet", prop_body(PREFERENCES), HTTP_DEPTH="0").status == 404
    listed = place("PROPFIND", "/dav/principals/devices/alice/", "alice", prop_body(PREFERENCES), HTTP_DEPTH="1")
    assert listed.hrefs() == ["/dav/principals/devices/alice/", PHONE, TABLET]
    assert listed.prop(PHONE, PREFERENCES) is not None
    assert listed.prop(TABLET, PREFERENCES) is None
    own = place("PROPFIND", "/dav/principals/devices/alice/", "tablet", prop_body(PREFERENCES), HTTP_DEPTH="1")
    assert own.hrefs() == ["/dav/principals/devices/alice/", TABLET]


def test_allow_says_it_and_allprop_does_not(place: Place) -> None:
    place.prefer(PHONE, "<C:list-only>T</C:list-only>")
    for target in (USER, PHONE):
        assert "PROPPATCH" in place("OPTIONS", target).headers["Allow"].split(", ")
        everything = place("PROPFIND", target, HTTP_DEPTH="0")
        assert everything.status == 207
        assert b"sync-" not in everything.body
    assert "PROPPATCH" not in place("OPTIONS", "/dav/principals/").headers["Allow"]


# Bad input


def test_a_wrong_one_is_409_and_named(place: Place) -> None:
    answer = place.prefer(PHONE, "<C:window>22:00-22:00</C:window>")
    assert statuses(answer) == {"C:sync-preferences": 409}
    assert condition(answer) == ("C:valid-sync-preferences", ["C:window"])
    assert condition(place.prefer(PHONE, "<C:unheard-of/>")) == ("C:valid-sync-preferences", ["C:unheard-of"])


def test_the_providers_elements_are_protected(place: Place) -> None:
    answer = place.prefer(PHONE, "<C:allowed>T</C:allowed>")
    assert statuses(answer) == {"C:sync-preferences": 403}
    assert condition(answer) == (f"{D}cannot-modify-protected-property", [])


def test_a_condition_that_is_not_known_is_422(place: Place) -> None:
    answer = place.prefer(PHONE, "<D:where><D:contains>x</D:contains></D:where>")
    assert statuses(answer) == {"C:sync-preferences": 422}
    assert condition(answer) == ("C:sync-filter-supported", [])


GOOD = "<C:sync-preferences><C:automatic>F</C:automatic></C:sync-preferences>"
BAD = "<C:sync-preferences><C:automatic>?</C:automatic></C:sync-preferences>"


@pytest.mark.parametrize(
    ("instructions", "expected"),
    [
        ([setting(GOOD + "<x:p/>")], {"C:sync-preferences": 424, "{urn:x}p": 403}),
        (
            [setting("<D:displayname>me</D:displayname>"), setting(GOOD)],
            {"D:displayname": 403, "C:sync-preferences": 424},
        ),
        ([setting(GOOD + "<C:effective-sync-policy/>")], {"C:sync-preferences": 424, "C:effective-sync-policy": 403}),
        (
            [removing("<C:effective-sync-policy/><D:displayname/>")],
            {"C:effective-sync-policy": 403, "D:displayname": 403},
        ),
        ([removing("<x:p/>"), setting(GOOD)], {"{urn:x}p": 200, "C:sync-preferences": 200}),
        ([setting(BAD + "<x:p/>")], {"C:sync-preferences": 409, "{urn:x}p": 403}),
        ([removing("<x:p/>"), setting(BAD)], {"{urn:x}p": 424, "C:sync-preferences": 409}),
        ([setting(BAD), setting(GOOD)], {"C:sync-preferences": 409}),
        ([removing("<C:sync-preferences/><C:keyword/>")], {"C:sync-preferences": 424, "C:keyword": 403}),
    ],
)
def test_all_or_nothing(place: Place, instructions: list[str], expected: dict[str, int]) -> None:
    before = "<C:list-only>T</C:list-only>"
    place.prefer(PHONE, before)
    assert statuses(place.patch(PHONE, *instructions)) == expected
    is_changed = expected["C:sync-preferences"] == 200 if "C:sync-preferences" in expected else False
    assert place.told(PHONE) == ("<C:automatic>F</C:automatic>" if is_changed else before)


def test_a_file_and_a_folder_have_none(place: Place) -> None:
    place("PUT", f"{HOME}file", body="x")
    for target in (f"{HOME}file", HOME):
        assert statuses(place.patch(target, setting(GOOD))) == {"C:sync-preferences": 403}


def test_what_cannot_be_read_changes_nothing(place: Place) -> None:
    place.prefer(PHONE, "<C:list-only>T</C:list-only>")
    assert place("PROPPATCH", PHONE, body="<no").status == 400
    assert place("PROPPATCH", PHONE).status == 400
    long = f"<C:sync-preferences><C:kind>{'x' * 17_000}</C:kind></C:sync-preferences>"
    answer = place.patch(PHONE, setting(long))
    assert condition(answer) == ("C:valid-sync-preferences", ["C:sync-preferences"])
    assert place.patch(PHONE, setting(f"<C:sync-preferences>{'x' * 70_000}</C:sync-preferences>")).status == 413
    assert place.told(PHONE) == "<C:list-only>T</C:list-only>"


def test_conditions_are_judged_as_of_any_resource(place: Place) -> None:
    place("MKCOL", f"{HOME}c")
    for headers in (
        {"HTTP_IF_MATCH": '"x"'},
        {"HTTP_IF_NONE_MATCH": "*"},
        {"HTTP_IF": '(["x"])'},
        {"HTTP_IF": f"<{HOME}none> (<urn:x>)"},
    ):
        assert place.prefer(PHONE, "<C:list-only>T</C:list-only>", **headers).status == 412
    assert place.told(PHONE) is None
    for headers in ({"HTTP_IF_MATCH": "*"}, {"HTTP_IF": "(Not <DAV:no-lock>)"}, {"HTTP_DEPTH": "0"}):
        assert statuses(place.prefer(PHONE, "<C:list-only>T</C:list-only>", **headers)) == OK
    assert place.prefer(PHONE, "<C:list-only>T</C:list-only>", HTTP_IF="nonsense").status == 400
    quiet = place.prefer(PHONE, "<C:list-only>T</C:list-only>", HTTP_PREFER="return=minimal")
    assert (quiet.status, quiet.body) == (200, b"")


# Folders


@pytest.mark.parametrize(
    "href",
    [
        f"{HOME}a%20b/",
        f"{HOME}a%20b",
        "/dav//store/%61lice/a%20b/",
        f"http://dav.example{HOME}a%20b/",
        f"https://dav.example{HOME}a%20b/?sort=name",
    ],
)
def test_a_folder_is_named_by_any_href_of_it_there_or_not(place: Place, href: str) -> None:
    assert statuses(place.prefer(PHONE, f"<C:exclude><D:href>{href}</D:href></C:exclude>")) == OK
    assert place.told(PHONE) == f"<C:exclude><D:href>{HOME}a%20b/</D:href></C:exclude>"


@pytest.mark.parametrize(
    "href",
    [
        "/dav/store/bob/a/",
        "/dav/store/",
        USER,
        "/",
        "a/",
        "http://other.example/dav/store/alice/a/",
        "mailto:alice@example.com",
        f"{HOME}a/../b/",
        f"{HOME}m.eml?part=1",
        "/dav/threads/bob/1/",
        "/dav/threads/alice/1/2.eml",
        f"{HOME}%ff/",
        f"{HOME}a%2",
    ],
)
def test_an_href_elsewhere_is_409(place: Place, href: str) -> None:
    answer = place.prefer(PHONE, f"<C:exclude><D:href>{href}</D:href></C:exclude>")
    assert condition(answer) == ("C:valid-sync-preferences", ["C:exclude"])


@pytest.mark.parametrize("href", ["/dav/threads/alice/", "/dav/threads/alice/1%5B2"])
def test_a_thread_is_named_beside_folders(place: Place, href: str) -> None:
    included = f"<C:include><D:href>{href}</D:href><D:href>{HOME}a/</D:href></C:include>"
    assert statuses(place.prefer(PHONE, included)) == OK
    slash = "" if href.endswith("/") else "/"
    assert place.told(PHONE) == included.replace(href, href + slash)
    excluded = f"<C:exclude><D:href>{href}</D:href></C:exclude>"
    assert statuses(place.prefer(PHONE, excluded)) == OK
    assert place("REPORT", href + slash, "phone", sync_body()).condition.removeprefix(C) == "sync-scope-allowed"
    assert place("REPORT", HOME, "phone", sync_body()).status == 207


def test_the_providers_rules_on_threads_are_told(place: Place) -> None:
    place.rules('[[rule]]\nname = "no"\nexclude = ["/dav/threads/{user}", "/dav/threads/{user}/a*"]\n')
    told = place.told(PHONE, EFFECTIVE)
    assert told is not None
    assert "<D:href>/dav/threads/alice/</D:href><C:pattern>/dav/threads/{user}/a*</C:pattern>" in told
    wanted = "<C:include><D:href>/dav/threads/alice/b/</D:href></C:include>"
    assert condition(place.prefer(PHONE, wanted))[0] == "C:sync-ceilings-respected"


def test_behind_a_proxy_folders_have_its_prefix(place: Place) -> None:
    proxied = {
        "REMOTE_ADDR": "192.0.2.9",
        "HTTP_X_FORWARDED_FOR": "198.51.100.7",
        "HTTP_X_FORWARDED_PREFIX": "/my%20files",
        "HTTP_X_FORWARDED_HOST": "cloud.example",
    }
    for href in (f"/my%20files{HOME}a/", f"https://cloud.example/my%20files{HOME}a/"):
        assert statuses(place.prefer(PHONE, f"<C:exclude><D:href>{href}</D:href></C:exclude>", **proxied)) == OK
        assert place.told(PHONE, **proxied) == f"<C:exclude><D:href>/my%20files{HOME}a/</D:href></C:exclude>"
        assert place.told(PHONE) == f"<C:exclude><D:href>{HOME}a/</D:href></C:exclude>"
    refused = place.prefer(PHONE, f"<C:exclude><D:href>{HOME}a/</D:href></C:exclude>", **proxied)
    assert statuses(refused) == {"C:sync-preferences": 409}


# The provider's ceilings

CEILINGS = """
[[rule]]
name = "small"
max_body_bytes = 1000
exclude = ["Archive", "*/raw"]
[[rule]]
name = "phones-slow"
class = "phone"
min_interval_seconds = 900
modes = "manual"
[[rule]]
name = "usual"
max_age_days = 30
default = true
"""


def test_a_ceiling_is_named(place: Place) -> None:
    place.rules(CEILINGS)
    place.prefer(PHONE, "<C:list-only>T</C:list-only>")
    for content, rule, element in (
        ("<C:max-body-size>1001</C:max-body-size>", "small", "C:max-body-size"),
        ("<C:min-interval>PT14M</C:min-interval>", "phones-slow", "C:min-interval"),
        ("<C:automatic>T</C:automatic>", "phones-slow", "C:automatic"),
        (f"<C:include><D:href>{HOME}Archive/2020/</D:href></C:include>", "small", "C:include"),
        (f"<C:include><D:href>{HOME}Media/raw/</D:href></C:include>", "small", "C:include"),
    ):
        answer = place.prefer(PHONE, content)
        assert statuses(answer) == {"C:sync-preferences": 409}
        assert condition(answer) == ("C:sync-ceilings-respected", ["provider", rule, element])
    assert place.told(PHONE) == "<C:list-only>T</C:list-only>"
    narrow = "<C:automatic>F</C:automatic><C:min-interval>PT15M</C:min-interval><C:max-body-size>1000</C:max-body-size>"
    assert statuses(place.prefer(PHONE, narrow)) == OK
    assert statuses(place.prefer(PHONE, "<C:max-age>P365D</C:max-age>")) == OK  # a default gives way


def test_for_a_user_and_another_class_other_rules_count(place: Place) -> None:
    place.rules(CEILINGS)
    for target in (USER, TABLET):
        assert statuses(place.prefer(target, "<C:min-interval>PT1M</C:min-interval>")) == OK
        assert condition(place.prefer(target, "<C:max-body-size>1001</C:max-body-size>"))[1][1] == "small"
    assert statuses(place.prefer(USER, "<C:max-body-size>10</C:max-body-size>")) == OK
    assert statuses(place.prefer(PHONE, "<C:max-body-size>999</C:max-body-size>")) == OK  # the user's is no ceiling


def test_a_preference_that_a_new_ceiling_passes_stays_and_counts_for_less(place: Place) -> None:
    place.prefer(PHONE, "<C:max-body-size>5000</C:max-body-size>")
    place.rules(CEILINGS)
    assert place.told(PHONE) == "<C:max-body-size>5000</C:max-body-size>"
    told = place.told(PHONE, EFFECTIVE)
    assert told is not None
    assert '<C:max-body-size decided-by="provider" rule="small">1000</C:max-body-size>' in told


# What all voices come to


def test_without_any_rule_all_is_allowed(place: Place) -> None:
    free = (
        "<C:allowed>T</C:allowed><C:allowed-modes><C:mode>automatic</C:mode><C:mode>manual</C:mode></C:allowed-modes>"
    )
    for target in (USER, PHONE):
        assert place.told(target, EFFECTIVE) == free


def test_the_effective_policy_of_a_device_and_of_its_user(place: Place) -> None:
    place.rules(CEILINGS)
    place.prefer(USER, "<C:min-interval>PT20M</C:min-interval><C:kind>message</C:kind><C:kind>media</C:kind>")
    place.prefer(PHONE, f"<C:kind>message</C:kind><C:exclude><D:href>{HOME}Big/</D:href></C:exclude>")
    small, slow = ('decided-by="provider" rule="small"', 'decided-by="provider" rule="phones-slow"')
    usual = 'decided-by="provider" rule="usual"'
    user, device = (f'decided-by="{voice}" rule="sync-preferences"' for voice in ("user", "device"))
    both = "<C:mode>automatic</C:mode><C:mode>manual</C:mode>"
    archive = f"<C:exclude {small}><D:href>{HOME}Archive/</D:href><C:pattern>*/raw</C:pattern></C:exclude>"
    kinds = f"<C:kind {user}>media</C:kind><C:kind {user}>message</C:kind>"
    size = f"<C:max-body-size {small}>1000</C:max-body-size><C:max-age {usual}>P30D</C:max-age>"
    interval = f"<C:min-interval {user}>PT20M</C:min-interval>"
    assert place.told(USER, EFFECTIVE) == (
        f"<C:allowed>T</C:allowed><C:allowed-modes>{both}</C:allowed-modes>{interval}{archive}{kinds}{size}"
    )
    assert place.told(PHONE, EFFECTIVE) == (
        f"<C:allowed>T</C:allowed><C:allowed-modes {slow}><C:mode>manual</C:mode></C:allowed-modes>"
        f"<C:automatic {slow}>F</C:automatic>{interval}{archive}"
        f"<C:exclude {device}><D:href>{HOME}Big/</D:href></C:exclude>{kinds}<C:kind {device}>message</C:kind>{size}"
    )


def test_the_effective_policy_of_a_device_that_is_shut_out(place: Place) -> None:
    place.rules('[[rule]]\nname = "suspended"\nuser = "alice"\nallowed = false\n')
    told = place.told(PHONE, EFFECTIVE)
    assert told is not None
    assert told.startswith('<C:allowed decided-by="provider" rule="suspended">F</C:allowed>')


# The gate


def decided(answer: Answer) -> tuple[int, str, str, str]:
    """Return status, condition, voice and rule of a refusal."""
    element = answer.xml[0]
    return (
        answer.status,
        str(element.tag).replace(C, "C:"),
        element.findtext(f"{C}decided-by"),
        element.findtext(f"{C}rule"),
    )


@pytest.mark.parametrize(("target", "voice"), [(USER, "user"), (PHONE, "device")])
def test_who_does_not_want_automatic_synchronisation_gets_a_manual_one(place: Place, target: str, voice: str) -> None:
    assert place("REPORT", HOME, "phone", sync_body()).status == 207
    place.prefer(target, "<C:automatic>F</C:automatic>")
    refused = place("REPORT", HOME, "phone", sync_body())
    assert decided(refused) == (409, "C:automatic-sync-enabled", voice, "sync-preferences")
    assert [mode.text for mode in refused.xml.iter(f"{C}mode")] == ["manual"]
    assert place("REPORT", HOME, "phone", sync_body(), **MANUAL).status == 207
    assert place("REPORT", HOME, "alice", sync_body()).status == 207  # a person without a device
    place.patch(target, removing("<C:sync-preferences/>"))
    assert place("REPORT", HOME, "phone", sync_body()).status == 207


def test_a_devices_preference_is_no_other_devices(place: Place) -> None:
    place.prefer(PHONE, "<C:automatic>F</C:automatic>")
    assert place("REPORT", HOME, "phone", sync_body()).status == 409
    assert place("REPORT", HOME, "tablet", sync_body()).status == 207


def test_a_bearer_that_is_not_wanted(place: Place) -> None:
    place.prefer(PHONE, "<C:bearer-not>cellular-roaming</C:bearer-not>", who="phone")
    over = "mode={}, bearer=cellular-roaming".format
    refused = place("REPORT", HOME, "phone", sync_body(), HTTP_SYNC_CONTEXT=over("automatic"))
    assert decided(refused) == (409, "C:automatic-sync-enabled", "device", "sync-preferences")
    assert place("REPORT", HOME, "phone", sync_body(), HTTP_SYNC_CONTEXT=over("manual")).status == 207
    assert place("REPORT", HOME, "phone", sync_body(), HTTP_SYNC_CONTEXT="bearer=wifi").status == 207


def test_an_interval_that_is_wanted(place: Place) -> None:
    place.prefer(USER, "<C:min-interval>PT1H</C:min-interval>")
    answers = [place("PROPFIND", HOME, "phone", HTTP_DEPTH="1") for _ in range(2)]
    assert answers[0].status == 207
    assert decided(answers[1]) == (429, "C:sync-interval-respected", "user", "sync-preferences")
    assert 0 < int(answers[1].headers["Retry-After"]) <= 3600


def test_a_window_that_is_wanted(place: Place) -> None:
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=2)
    hours = f"{later:%H:%M}-{later + datetime.timedelta(hours=1):%H:%M}"
    place.prefer(PHONE, f"<C:window>{hours}</C:window>")
    refused = place("REPORT", HOME, "phone", sync_body(), **MANUAL)
    assert decided(refused) == (503, "C:sync-window-open", "device", "sync-preferences")
    assert 6_600 < int(refused.headers["Retry-After"]) <= 7_200
    place.prefer(PHONE, "<C:window>00:00-24:00</C:window>")
    assert place("REPORT", HOME, "phone", sync_body()).status == 207


@pytest.mark.parametrize(("target", "voice"), [(USER, "user"), (PHONE, "device")])
def test_a_folder_that_is_left_out(place: Place, target: str, voice: str) -> None:
    for folder in ("a*", "ab", "c"):
        assert place("MKCOL", f"{HOME}{folder}/").status in (201, 405)
    place.prefer(target, f"<C:exclude><D:href>{HOME}a*/</D:href></C:exclude>")
    refused = place("PROPFIND", f"{HOME}a*/", "phone", HTTP_DEPTH="1")
    assert decided(refused) == (403, "C:sync-scope-allowed", voice, "sync-preferences")
    assert place("PROPFIND", f"{HOME}ab/", "phone", HTTP_DEPTH="1").status == 207
    place.prefer(target, f"<C:include><D:href>{HOME}c/</D:href></C:include>")
    assert decided(place("REPORT", f"{HOME}ab/", "phone", sync_body()))[:3] == (403, "C:sync-scope-allowed", voice)
    assert place("REPORT", f"{HOME}c/", "phone", sync_body()).status == 207
    assert place("PROPFIND", f"{HOME}ab/", "alice", HTTP_DEPTH="1").status == 207


def test_what_is_not_wanted_leaves_the_view_and_comes_back(place: Place) -> None:
    place("MKCOL", f"{HOME}view/")
    for name, body in (("a.eml", b"From: a@x\nSubject: x\n\nbody"), ("b.jpg", b"picture")):
        assert place("PUT", f"{HOME}view/{name}", body=body).status in (201, 204)
    first = place("REPORT", f"{HOME}view/", "phone", sync_body())
    assert first.hrefs() == [f"{HOME}view/a.eml", f"{HOME}view/b.jpg"]
    place.prefer(PHONE, "<C:kind>message</C:kind>")
    narrowed = place("REPORT", f"{HOME}view/", "phone", sync_body(token_of(first)))
    assert narrowed.hrefs() == narrowed.gone() == [f"{HOME}view/b.jpg"]
    assert b"<C:out-of-view/>" in narrowed.body
    place.patch(PHONE, removing("<C:sync-preferences/>"))
    again = place("REPORT", f"{HOME}view/", "phone", sync_body(token_of(narrowed)))
    assert (again.hrefs(), again.gone()) == ([f"{HOME}view/b.jpg"], [])
    last = place("REPORT", f"{HOME}view/", "phone", sync_body(token_of(again)))
    assert last.hrefs() == []


def test_an_expand_property_report_of_a_principal_tells_them(place: Place) -> None:
    place.prefer(PHONE, "<C:automatic>F</C:automatic>")
    body = (
        '<D:expand-property xmlns:D="DAV:"><D:property name="current-user-principal">'
        '<D:property name="sync-preferences" namespace="urn:davstore:cpm"/></D:property></D:expand-property>'
    )
    answer = place("REPORT", USER, "phone", body)
    assert [element.text for element in answer.xml.iter(f"{C}automatic")] == ["F"]
