"""Make a release: join `changes/next/` into CHANGELOG.md, date it, set the version, commit and tag. Pushes nothing.

python changes/release.py 1.2.3
"""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

TEMPLATE = "TEMPLATE.md"
HEADINGS = ("Description", "Settings", "Upgrade")
TITLES = {"Description": "Changes", "Settings": "Settings", "Upgrade": "Upgrade"}
VERSION = re.compile(r"^version = \"([0-9]+)\.([0-9]+)\.([0-9]+)\"$", re.MULTILINE)


class Refused(Exception):
    """No release can be made of this checkout."""


def list_changes(top: Path) -> list[Path]:
    """Return the files of changes that are not released, in the order of their names."""
    return sorted(file for file in (top / "changes/next").glob("*.md") if file.name != TEMPLATE)


def parse_change(file: Path) -> dict[str, str]:
    """Return the text under each heading, '' for none.

    Raises:
        Refused: other headings than the three, another order, no description, or one that the template was left in.
    """
    texts = _parse(file)
    if not texts["Description"]:
        raise Refused(f"{file}: no description")
    for heading, given in _parse(file.with_name(TEMPLATE)).items():
        if given and given in texts[heading]:
            raise Refused(f"{file}: under {heading} the text of {TEMPLATE} was left")
    return texts


def _parse(file: Path) -> dict[str, str]:
    before, *parts = re.split(r"^## (.*)\n", file.read_text(), flags=re.MULTILINE)
    names, texts = parts[::2], [text.strip() for text in parts[1::2]]
    if before.strip() or tuple(names) != HEADINGS:
        raise Refused(f"{file}: the headings are {', '.join(HEADINGS)}, and nothing is before them")
    return dict(zip(names, texts, strict=True))


def render_release(version: str, day: date, changes: list[dict[str, str]]) -> str:
    """Return the section of a release."""
    section = f"## {version}, {day.isoformat()}\n"
    for heading in HEADINGS:
        texts = [_as_list(change[heading]) for change in changes if change[heading]]
        if texts:
            section += f"\n### {TITLES[heading]}\n\n" + "\n".join(texts) + "\n"
    return section


def _as_list(text: str) -> str:
    """Return a text as a list: as it is, or as one item."""
    return text if text.startswith("- ") else "- " + text.replace("\n", "\n  ")


def release(top: Path, version: str) -> None:
    """Make a release of a checkout, or leave it as it is.

    Raises:
        Refused: not a version, one that is older than the present one or tagged, nothing to release, changes that
            are not committed, no branch, or nobody whom git knows to commit it.
    """
    found = VERSION.search((top / "pyproject.toml").read_text())
    if found is None or not re.fullmatch(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){2}", version):
        raise Refused(f"a version is three numbers like 1.2.3, not {version!r}")
    if tuple(map(int, version.split("."))) < tuple(map(int, found.groups())):
        raise Refused(f"{version} is older than {'.'.join(found.groups())}")
    if _git(top, "tag", "--list", f"v{version}"):
        raise Refused(f"v{version} is a tag already")
    if _git(top, "status", "--porcelain"):
        raise Refused("there are changes that are not committed")
    files = list_changes(top)
    if not files:
        raise Refused("changes/next/ has nothing to release")
    section = render_release(version, datetime.now(UTC).date(), [parse_change(file) for file in files])
    before = _require_ready(top)
    try:
        _write(top, version, section, files)
    except BaseException:
        _git(top, "reset", "--quiet", "--hard", before)
        raise


def _require_ready(top: Path) -> str:
    """Return the commit that a release is made of. Raises Refused: git could not commit to a branch, or not tag."""
    if not _git(top, "branch", "--show-current"):
        raise Refused("HEAD is detached: a release is a commit of a branch, so check one out first")
    for who in ("AUTHOR", "COMMITTER"):
        _git(top, "var", f"GIT_{who}_IDENT")
    return _git(top, "rev-parse", "HEAD")


def _write(top: Path, version: str, section: str, files: list[Path]) -> None:
    project, changelog = top / "pyproject.toml", top / "CHANGELOG.md"
    head, mark, older = changelog.read_text().partition("\n## ")
    changelog.write_text(f"{head.rstrip()}\n\n{section}{mark}{older}")
    project.write_text(VERSION.sub(f'version = "{version}"', project.read_text(), count=1))
    _git(top, "rm", "--quiet", *map(str, files))
    _git(top, "commit", "--quiet", "--all", "--message", f"release: {version}")
    _git(top, "tag", "--annotate", f"v{version}", "--message", f"davstore {version}")


def _git(top: Path, *words: str) -> str:
    """Return what git says. Raises Refused: it fails."""
    done = subprocess.run(["git", *words], cwd=top, check=False, capture_output=True, text=True)
    if done.returncode:
        raise Refused(f"git {words[0]}: {done.stderr.strip() or done.returncode}")
    return done.stdout.strip()


def main() -> None:
    """Make a release of the current directory."""
    try:
        release(Path.cwd(), *sys.argv[1:2] or [""])
    except Refused as error:
        sys.exit(f"no release: {error}")


if __name__ == "__main__":
    main()
