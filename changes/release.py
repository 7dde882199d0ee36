"""Make a release: join `changes/next/` into CHANGELOG.md, date it, set the version, commit and tag. Pushes nothing.

python changes/release.py 1.2.3
"""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

HEADINGS = ("Description", "Settings", "Upgrade")
TITLES = {"Description": "Changes", "Settings": "Settings", "Upgrade": "Upgrade"}
VERSION = re.compile(r"^version = \"([0-9]+)\.([0-9]+)\.([0-9]+)\"$", re.MULTILINE)


class Refused(Exception):
    """No release can be made of this checkout."""


def list_changes(top: Path) -> list[Path]:
    """Return the files of changes that are not released, in the order of their names."""
    return sorted(file for file in (top / "changes/next").glob("*.md") if file.name != "TEMPLATE.md")


def parse_change(file: Path) -> dict[str, str]:
    """Return the text under each heading, '' for none.

    Raises:
        Refused: other headings than the three, another order, or no description.
    """
    before, *parts = re.split(r"^## (.*)\n", file.read_text(), flags=re.MULTILINE)
    names, texts = parts[::2], [text.strip() for text in parts[1::2]]
    if before.strip() or tuple(names) != HEADINGS:
        raise Refused(f"{file}: the headings are {', '.join(HEADINGS)}, and nothing is before them")
    if not texts[0]:
        raise Refused(f"{file}: no description")
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
    """Make a release of a checkout.

    Raises:
        Refused: not a version, one that is older than the present one or tagged, nothing to release, changes that
            are not committed.
    """
    project, changelog = top / "pyproject.toml", top / "CHANGELOG.md"
    found = VERSION.search(project.read_text())
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
    head, mark, older = changelog.read_text().partition("\n## ")
    changelog.write_text(f"{head.rstrip()}\n\n{section}{mark}{older}")
    project.write_text(VERSION.sub(f'version = "{version}"', project.read_text(), count=1))
    _git(top, "rm", "--quiet", *map(str, files))
    _git(top, "commit", "--quiet", "--all", "--message", f"release: {version}")
    _git(top, "tag", "--annotate", f"v{version}", "--message", f"davstore {version}")


def _git(top: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=top, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def main() -> None:
    """Make a release of the current directory."""
    try:
        release(Path.cwd(), *sys.argv[1:2] or [""])
    except Refused as error:
        sys.exit(f"no release: {error}")


if __name__ == "__main__":
    main()
