"""References from code, tests, settings and papers to papers: each opens, and none is to a paper that is not here."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from davstore.cli import main
from tests.architecture.trees import TOP

SUFFIXES = {".py", ".md", ".toml", ".conf", ".service", ".sh", ".html", ".css", ""}
TRACKED = subprocess.run(["git", "ls-files"], cwd=TOP, check=True, capture_output=True, text=True).stdout.splitlines()
OF_THEIR_OWN = ("tests/architecture/test_papers.py", "tests/architecture/test_changes.py")
"""Tests whose examples are references that open nothing."""
FILES = [name for name in TRACKED if Path(name).suffix in SUFFIXES and name not in OF_THEIR_OWN]

ABSENT = re.compile(
    r"\bSYNC's|\bDECISIONS\b|\bRELIABILITY\b|\bWISHES\b|(?<!docs/)\bprotocol\.md\b"
    r"|\b[Rr]ulings?\b|\b[Cc]hecklist\b|\b[Rr]equirements? \d|\b[Tt]raps? \d|\btest_[a-z]?\d{1,2}_[a-z]"
    r"|(?<![\w.%/+'-])[WC]\d\d?(?=,| to | of | is |\)|\.|\Z)"
)
"""How papers were cited that the repository does not have."""
PATH = re.compile(
    r"(?<![\w./{-])((?:docs|tests|davstore|config|changes)(?:/[\w.-]+)*/[\w-]+\.(?:md|py|toml|conf|service)"
    r"|docs/adr/\d{4}\b(?!-)|(?:README|CHANGELOG|CONTRIBUTING|SECURITY)\.md)(?:#([\w-]+)|::(\w+))?"
)
CITED = re.compile(
    r"(?<![\w./{*<-])((?:[\w.-]+/)*[\w.-]*\w\.md|(?:docs|tests|davstore|config|changes)/[\w./-]*\.[a-z]\w*)\b"
)
"""What is spelled as a paper, or as a file of ours."""
NUMBERED = re.compile(r"\b(?!(?:COPY|DELETE|MOVE|POST|EXPOSE)\b)[A-Z]{4,} [A-Z]?\d+(?:\.\d+)*\b")
"""A paper with the number of a part, as they were cited that the repository does not have."""
TARGETS = {"", *re.findall(r"^([a-z]+):", (TOP / "Makefile").read_text(), re.MULTILINE)}
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
RECORD = re.compile(r"\bADRs? (\d+)\b")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def read(name: str) -> str:
    return (TOP / name).read_text()


@cache
def anchors(paper: Path) -> set[str]:
    """Return the anchors of a paper's headings, as a forge makes them."""
    headings = HEADING.findall(paper.read_text())
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def find(path: Path) -> Path | None:
    """Return the file of a path; of a decision record its number is enough."""
    if path.is_file() or path.is_dir():
        return path
    return next(path.parent.glob(f"{path.name}-*.md"), None)


def closed(name: str, text: str) -> Iterator[str]:
    """Yield the references of a file that open nothing."""
    found = [(TOP / path, anchor, function) for path, anchor, function in PATH.findall(text)]
    found += [(TOP / "docs/adr" / f"{int(number):04}", "", "") for number in RECORD.findall(text)]
    if name.endswith(".md"):
        above = (TOP / name).parent
        found += [(above / path if path else TOP / name, anchor, "") for path, anchor in LINK.findall(text)]
    for path, anchor, function in found:
        there = find(path)
        if there is None or (anchor and anchor not in anchors(there)):
            yield f"{path.relative_to(TOP)}#{anchor}"
        elif function and f"def {function}(" not in there.read_text():
            yield f"{path.relative_to(TOP)}::{function}"


def prose(name: str, text: str) -> str:
    """Return what people read of a file: of code its docstrings and comments."""
    if not name.endswith(".py"):
        return text
    documents = (node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Expr))
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    words = [str(node.value) for node in documents if isinstance(node, ast.Constant)]
    return "\n".join([*words, *(token.string for token in tokens if token.type == tokenize.COMMENT)])


@cache
def find_command(*words: str) -> bool:
    """Tell whether the command line has a command; words behind one that is no group are its arguments."""
    context, command = click.Context(main), main
    for word in words:
        if not isinstance(command, click.Group):
            return True
        found = command.get_command(context, word)
        if found is None:
            return False
        command = found
    return True


def unknown(name: str, text: str) -> Iterator[str]:
    """Yield the papers, files, targets of make and commands in the prose of a file that there are none of."""
    text = prose(name, text)
    begin = "`|^    (?:\\.venv/bin/)?" if name.endswith(".md") else "`"
    above = (TOP / name).parent
    yield from (word for word in CITED.findall(text) if not (TOP / word).exists() and not (above / word).exists())
    yield from NUMBERED.findall(text)
    made = re.findall(rf"(?:{begin})make ([a-z]*)\b(?! here:| on the server:)", text, re.MULTILINE)  # is printed
    yield from set(made) - TARGETS
    for words in re.findall(rf"(?:{begin})davstore ([a-z]+)(?: ([a-z]+)\b)?", text, re.MULTILINE):
        if not find_command(*filter(None, words)):
            yield " ".join(words)


def absent(text: str) -> Iterator[str]:
    """Yield the lines of a file that cite a paper which is not here."""
    for number, line in enumerate(text.splitlines(), 1):
        if ABSENT.search(line):
            yield f"{number}: {line.strip()}"


@pytest.mark.parametrize("name", FILES)
def test_every_reference_opens_a_paper_that_is_here(name: str) -> None:
    text = read(name)
    assert [*closed(name, text), *absent(text), *unknown(name, text)] == []


def test_every_folder_of_tests_is_in_their_table() -> None:
    table = read("tests/README.md")
    folders = {Path(name).parts[1] for name in TRACKED if name.startswith("tests/") and name.count("/") > 1}
    assert [folder for folder in folders if f"| `{folder}`" not in table] == []


def test_every_page_is_reached_from_the_readme() -> None:
    pages = [name for name in TRACKED if re.fullmatch(r"docs/[\w-]+\.md|[A-Z]+\.md|tests/README\.md", name)]
    linked = {path for path, _ in LINK.findall(read("README.md"))}
    assert {*pages} - linked == {"README.md"}


def test_the_table_of_layers_is_the_contract() -> None:
    contracts = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    page = read("docs/architecture.md")
    rows = re.findall(r"^\| (`.*?`) \|", page[page.index("## Layers") : page.index("## Four walks")], re.MULTILINE)
    assert [set(re.findall(r"\w+", row)) for row in rows] == [set(re.findall(r"\w+", layer)) for layer in layers]


@pytest.mark.parametrize("record", sorted((TOP / "docs/adr").iterdir()), ids=lambda record: record.name)
def test_a_record_has_a_number_a_status_and_a_date(record: Path) -> None:
    number = int(record.name[:4])
    form = rf"# {number}\. .+\n\nStatus: .+\nDate: \d{{4}}-\d\d-\d\d\n"
    assert re.match(form, record.read_text()), f"the title, an empty line, then two lines: {form}"


@pytest.mark.parametrize(
    "text",
    [
        "`docs/nothing.md`",
        "docs/sync.md#no-such-heading",
        "[a](docs/nothing.md)",
        "[a](docs/sync.md#no-such-heading)",
        "docs/adr/0099",
        "see ADR 99",
        "tests/architecture/test_rules.py::test_nothing",
        "davstore/nothing.py",
    ],
)
def test_a_reference_that_opens_nothing_is_found(text: str) -> None:
    assert list(closed("README.md", text)) != []


@pytest.mark.parametrize(
    "text",
    [
        "DESIGN.md",
        "SYNCHRONISATION.md",
        "docs/no/such.md",
        "HOUSE 11.4",
        "config/absent.yaml",
        "`make nothing`",
        "`davstore nothing`",
        "`davstore store frobnicate`",
        "`davstore user frobnicate alice`",
    ],
)
def test_what_there_is_not_is_found(text: str) -> None:
    assert list(unknown("docs/sync.md", text)) != []
    assert list(unknown("davstore/wiring.py", f'"""See {text}."""')) != []
    assert list(unknown("davstore/wiring.py", f"x = 1  # see {text}")) != []
    assert list(unknown("docs/sync.md", "`davstore user add alice`, `davstore sync folder`, `make test ARGS=x`")) == []


@pytest.mark.parametrize(
    "text",
    [
        "DECISIONS 12",
        "protocol.md B.5",
        "RELIABILITY C5",
        "ruling 4",
        "checklist E.1",
        "trap 7",
        "W19",
        "C1 to C8",
    ],
)
def test_a_citation_of_an_absent_paper_is_found(text: str) -> None:
    assert list(absent(f"({text})")) != []
