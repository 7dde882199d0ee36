"""The files of changes, and the release that is made of them, on a scratch clone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from changes.release import HEADINGS, Refused, list_changes, parse_change, release
from tests.architecture.trees import TOP

CHANGE = "## Description\n\n{description}\n\n## Settings\n\n{settings}\n\n## Upgrade\n\n{upgrade}\n"


def git(top: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=top, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A checkout with the present release's files and two changes, committed."""
    top = tmp_path / "clone"
    (top / "changes/next").mkdir(parents=True)
    for name in ("CHANGELOG.md", "pyproject.toml", "changes/next/TEMPLATE.md", "changes/release.py"):
        (top / name).write_bytes((TOP / name).read_bytes())
    one = CHANGE.format(description="- One.\n- Another.", settings="`a.b` (3).", upgrade="")
    two = CHANGE.format(description="Long\nlines.", settings="", upgrade="Back up.")
    (top / "changes/next/a-one.md").write_text(one)
    (top / "changes/next/b-two.md").write_text(two)
    git(top, "init", "--quiet")
    git(top, "config", "user.name", "Somebody")
    git(top, "config", "user.email", "somebody@example.org")
    git(top, "add", "--all")
    git(top, "commit", "--quiet", "--message", "before")
    return top


def test_every_change_has_the_form_of_the_template() -> None:
    assert [file for file in list_changes(TOP) if tuple(parse_change(file)) != HEADINGS] == []


def test_a_release_joins_dates_and_tags(clone: Path) -> None:
    done = subprocess.run([sys.executable, "changes/release.py", "7.0.1"], cwd=clone, check=False, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    day = datetime.fromtimestamp(int(git(clone, "log", "-1", "--format=%ct")), UTC).date()
    text = (clone / "CHANGELOG.md").read_text()
    section = text[text.index("## 7.0.1") :]
    assert section.startswith(
        f"## 7.0.1, {day}\n\n### Changes\n\n- One.\n- Another.\n- Long\n  lines.\n\n### Settings\n\n- `a.b` (3).\n\n"
        "### Upgrade\n\n- Back up.\n"
    )
    assert 'version = "7.0.1"\n' in (clone / "pyproject.toml").read_text()
    assert [file.name for file in (clone / "changes/next").iterdir()] == ["TEMPLATE.md"]
    assert (git(clone, "status", "--porcelain"), git(clone, "describe", "--exact-match")) == ("", "v7.0.1")


def test_a_second_release_stands_above_the_first(clone: Path) -> None:
    release(clone, "7.0.1")
    (clone / "changes/next/c.md").write_text(CHANGE.format(description="More.", settings="", upgrade=""))
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "--message", "more")
    release(clone, "7.1.0")
    lines = (clone / "CHANGELOG.md").read_text().splitlines()
    assert [line.split(",")[0] for line in lines if line.startswith("## ")][:2] == ["## 7.1.0", "## 7.0.1"]
    assert lines[0] == "# Changes"


@pytest.mark.parametrize("version", ["", "7", "7.0", "v7.0.0", "7.0.0rc1", "0.0.9", "07.0.0"])
def test_a_version_that_is_none_or_older_is_refused(clone: Path, version: str) -> None:
    with pytest.raises(Refused):
        release(clone, version)
    assert git(clone, "tag") == ""


def test_nothing_is_released_twice_dirty_or_empty(clone: Path) -> None:
    (clone / "new").touch()
    with pytest.raises(Refused, match="not committed"):
        release(clone, "7.0.0")
    (clone / "new").unlink()
    release(clone, "7.0.0")
    with pytest.raises(Refused, match="tag"):
        release(clone, "7.0.0")
    with pytest.raises(Refused, match="nothing"):
        release(clone, "7.0.1")


@pytest.mark.parametrize(
    "text", ["", "No heading.\n", "## Upgrade\n\nx\n", CHANGE.format(description="", settings="", upgrade="x")]
)
def test_a_change_without_the_form_is_refused_and_nothing_is_written(clone: Path, text: str) -> None:
    (clone / "changes/next/bad.md").write_text(text)
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "--message", "bad")
    with pytest.raises(Refused, match="bad"):
        release(clone, "7.0.0")
    assert (git(clone, "status", "--porcelain"), git(clone, "tag")) == ("", "")


def state(top: Path) -> tuple[str, ...]:
    """Return all that a release changes, the files included."""
    places = [file for pattern in ("*.md", "*.toml", "changes/**/*.md") for file in sorted(top.glob(pattern))]
    files = "".join(f"{file}{file.read_text()}" for file in places)
    return (git(top, "log", "--format=%H", "--all"), git(top, "tag"), git(top, "status", "--porcelain"), files)


@pytest.mark.parametrize(
    "fault", ["no identity", "detached HEAD", "a hook that refuses", "a tag that cannot be signed"]
)
def test_what_git_refuses_is_one_line_and_changes_nothing(clone: Path, fault: str) -> None:
    if fault == "no identity":
        git(clone, "config", "--unset", "user.email")
        git(clone, "config", "user.useConfigOnly", "true")
    elif fault == "detached HEAD":
        git(clone, "checkout", "--quiet", "--detach")
    elif fault == "a hook that refuses":
        hook = clone / ".git/hooks/pre-commit"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\nexit 1\n")
        hook.chmod(0o755)
    else:
        git(clone, "config", "tag.gpgSign", "true")
        git(clone, "config", "gpg.program", "false")
    before = state(clone)
    hidden = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "EMAIL"))} | hidden
    done = subprocess.run(
        [sys.executable, "changes/release.py", "7.0.1"],
        cwd=clone,
        env=environ,
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("no release: HEAD is detached" if fault == "detached HEAD" else "no release: git ")
    assert "Traceback" not in done.stderr
    assert state(clone) == before


@pytest.mark.parametrize("heading", HEADINGS)
def test_the_text_of_the_template_is_not_released(clone: Path, heading: str) -> None:
    """A copy of it whose headings were not all filled in or emptied."""
    texts = {"description": "More.", "settings": "", "upgrade": ""}
    _, _, rest = (clone / "changes/next/TEMPLATE.md").read_text().partition(f"## {heading}\n")
    texts[heading.lower()] = rest.partition("\n## ")[0].strip()
    test_a_change_without_the_form_is_refused_and_nothing_is_written(clone, CHANGE.format(**texts))


def test_no_checkout_is_refused(clone: Path) -> None:
    shutil.rmtree(clone / ".git")
    with pytest.raises(Refused, match="not a git repository"):
        release(clone, "7.0.0")
