"""A page of docs/ that is run: its commands in a shell's words, its requests, and the lines that they print.

A section is what stands beneath a heading `## …`. Of an indented block each line that begins with `$ ` is a command,
and the lines until the next are what it prints (a here-document belongs to its command). A block that begins with a
method and a path is a request, and one that begins with neither is what the last request is told. Behind ` < ` stands
the file that a command of davstore reads.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from click.testing import CliRunner

from davstore.cli import main

_HERE_DOCUMENT = re.compile(r"<<'?(\w+)'?$")
_TIME = re.compile(r"\b(?:on \d{4}-\d\d-\d\d )?at \d\d:\d\d\b")


class Command(NamedTuple):
    """A line as a person types it, and what it prints."""

    line: str
    printed: str


class Request(NamedTuple):
    """A request of a program."""

    method: str
    path: str
    body: str


class Told(NamedTuple):
    """Sentences in the answer to a request."""

    sentences: str


Step = Command | Request | Told


def read_sections(page: Path) -> dict[str, list[Step]]:
    """Return the steps of each section of a page, by its heading."""
    parts = re.split(r"^## (.+)$", page.read_text(), flags=re.MULTILINE)[1:]
    return {
        heading: [step for block in _blocks(text) for step in _steps(block)]
        for heading, text in zip(parts[::2], parts[1::2], strict=True)
    }


def _blocks(text: str) -> Iterator[list[str]]:
    for block in re.findall(r"(?:^(?: {4}.*)?\n)+", text, re.MULTILINE):
        lines = [line.removeprefix("    ") for line in block.strip("\n").split("\n")]
        if any(lines):
            yield lines


def _steps(block: list[str]) -> Iterator[Step]:
    if found := re.fullmatch(r"([A-Z]+) (/\S+)", block[0]):
        yield Request(found[1], found[2], "\n".join(block[1:]).strip())
        return
    if not block[0].startswith("$ "):
        yield Told(" ".join(block))
        return
    lines = iter(block)
    line = next(lines)
    while line.startswith("$ "):
        words, printed, following = [line.removeprefix("$ ")], [], ""
        if end := _HERE_DOCUMENT.search(line):
            for more in lines:
                words.append(more)
                if more == end[1]:
                    break
        for following in lines:
            if following.startswith("$ "):
                break
            printed.append(following)
        yield Command("\n".join(words), "\n".join(printed).strip())
        line = following if following.startswith("$ ") else ""


class Shell:
    """Runs commands in a directory: those of davstore here, others in a shell. status is how the last one ended."""

    def __init__(self, directory: Path, variables: dict[str, str]) -> None:
        self._directory, self._variables = directory, variables
        self.status = 0

    def words_of(self, line: str) -> list[str]:
        """Return the words of a command, as a shell makes them of variables and patterns."""
        return self._bash(f"printf '%s\\0' {line}").stdout.split("\0")[:-1]

    def run(self, line: str) -> str:
        """Run a command and return what it prints."""
        if line == "echo $?":
            return str(self.status)
        if line.startswith("davstore "):
            line, _, source = line.partition(" < ")
            said = (self._directory / source).read_text() if source else None
            done = CliRunner().invoke(main, self.words_of(line)[1:], input=said, catch_exceptions=False)
            self.status = done.exit_code
            return done.output.strip()
        other = self._bash(line)
        self.status = other.returncode
        return (other.stdout + other.stderr).strip()

    def _bash(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", line],
            cwd=self._directory,
            env=self._variables,
            capture_output=True,
            text=True,
            check=False,
        )


def without_times(printed: str) -> str:
    """Return what is printed without times to come, which no page can know: those of tomorrow have a date."""
    return _TIME.sub("at hh:mm", printed)
