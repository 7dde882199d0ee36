"""A hidden resource and one that is not there have the same answer, to the byte (RFC 3744 §3)."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import pytest

from tests.acl.matrix import FREE_FOLDER, METHODS, SUB, Method, Setting, deny, grant, send
from tests.acl.matrix import M as HIDDEN
from tests.acl.matrix import N as SEEN
from tests.acl.matrix import O as TARGET
from tests.acl.scene import Scene
from tests.dav.client import Answer

FREE = {"m.eml": "q.eml", SUB: FREE_FOLDER, "top/t/o": "top/t/q"}
"""Names that nothing has, by those that are hidden; of the same lengths."""
WHERE = (HIDDEN, SUB, TARGET)
SETTINGS = (
    Setting("nothing is granted", {}),
    Setting("to see is denied", {"top": [grant("access", "list")]} | {path: [deny("access")] for path in WHERE}),
    Setting("all but to add", {"top": [deny("bind"), grant("all")]} | {path: [deny("access")] for path in WHERE}),
    Setting("all is denied", {"top": [grant("read", "write-acl")]} | {path: [deny("all")] for path in WHERE}),
    Setting("a folder above is hidden", {"top": [deny("access")], SEEN: [grant("all")]}),
)
BESIDE = (
    *(Method(name, path) for name in ("MKCOL", "PUT", "LOCK", "GET", "DELETE") for path in (HIDDEN, f"{SUB}/new")),
    *(Method(name, SEEN, to) for name in ("COPY", "MOVE") for to in (HIDDEN, TARGET, f"{SUB}/new")),
    *(Method(name, f"{SUB}/x") for name in ("GET", "PROPFIND 0", "PUT", "OPTIONS", "PROPPATCH property")),
)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Yield a store with people in it."""
    made = Scene(tmp_path_factory.mktemp("hiding"))
    yield made
    made.close()


def free(text: str) -> str:
    """Return a text with the names that nothing has."""
    for hidden, name in FREE.items():
        text = text.replace(hidden, name)
    return text


def asked(scene: Scene, method: Method) -> Answer:
    """Return the answer to bob, and put back what he changed."""
    scene.become("bob")
    answer = send(scene.client, method, "urn:x:none")
    if answer.status < 400:
        scene.restore(method)
    return answer


def told(answer: Answer) -> list[str]:
    """Return all that an answer tells beside its status."""
    body = re.sub("<D:sync-token>.*</D:sync-token>", "", answer.body.decode())  # it moves with each change
    return [body, *(f"{name}: {value}" for name, value in sorted(answer.headers.items()))]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name.replace(" ", "-"))
def test_what_is_hidden_answers_as_a_free_name(scene: Scene, setting: Setting) -> None:
    scene.apply(setting)
    different = []
    for method in itertools.chain(METHODS, BESIDE):
        to = free(method.to) if isinstance(method.to, str) else tuple(map(free, method.to))
        other = method._replace(path=free(method.path), to=to)
        if other != method:
            hidden, missing = asked(scene, method), asked(scene, other)
            if (hidden.status, *map(free, told(hidden))) != (missing.status, *told(missing)):
                different.append((str(method), hidden, missing))
    assert different == []
