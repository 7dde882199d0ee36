"""The matrix of rights: methods answer as the model says, with the privileges that are lacking (RFC 3744 §7.1.1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acl.matrix import METHODS, settings_of
from tests.acl.scene import Scene

WHO = {
    "a user": ("user:bob", "bob"),
    "a list in a list": ("list:family", "carol"),
    "a group": ("group:staff", "dave"),
    "all users": ("authenticated", "dave"),
    "another user": ("user:bob", "carol"),
    "the owner": ("authenticated", "alice"),
}
"""The principal of the entries, and the one who asks."""


def judge(directory: Path, who: str, step: int) -> None:
    """Send each `step`-th method in each setting, the next one in the next, and compare all answers with the model."""
    principal, asker = WHO[who]
    scene = Scene(directory)
    found = []
    for number, setting in enumerate(settings_of(principal)):
        methods = METHODS[-number % step :: step]
        if methods:
            scene.apply(setting)
        for method in methods:
            found += scene.differences(asker, method)
    scene.close()
    assert found == []


@pytest.mark.parametrize("who", WHO)
def test_a_sample_of_cells_agrees_with_the_model(tmp_path: Path, who: str) -> None:
    judge(tmp_path, who, 31 if who == "a user" else 311)


@pytest.mark.torture
@pytest.mark.parametrize("who", WHO)
def test_all_cells_agree_with_the_model(tmp_path: Path, who: str) -> None:
    judge(tmp_path, who, 1)
