"""A plain install brings all that is imported, and the commands that the systemd unit and the Containerfile call."""

from __future__ import annotations

import ast
import configparser
import json
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator

import click
import pytest

from davstore.cli import main
from davstore.settings import load_settings
from tests.architecture.trees import TOP, TREES

PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
MODULES_OF = {"argon2-cffi": "argon2"}
READ_BY_PYTHON = {"tzdata"}
"""The zones of zoneinfo, which not every machine has."""
OPTIONAL = {"psycopg": {"metadata/postgresql.py"}, "gunicorn": {"wsgi.py"}}
"""Imported in these modules only, which say what is missing, or do without it."""


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the modules that a module imports, wherever it does."""
    for found in ast.walk(tree):
        if isinstance(found, ast.Import):
            yield from (alias.name for alias in found.names)
        elif isinstance(found, ast.ImportFrom) and not found.level:
            yield str(found.module)


def test_what_is_imported_is_what_a_plain_install_brings() -> None:
    names = [re.split(r"[^\w-]", text)[0] for text in PROJECT["dependencies"]]
    brought = {MODULES_OF.get(name, name) for name in names}
    used: dict[str, set[str]] = {}
    for name, tree in TREES.items():
        for module in imported(tree):
            used.setdefault(module.partition(".")[0], set()).add(name)
    others = used.keys() - sys.stdlib_module_names - {"davstore"}
    assert {name: used[name] for name in others - brought} == OPTIONAL
    assert brought - others == READ_BY_PYTHON


def commands() -> dict[str, list[str]]:
    """Return the words behind `davstore` in each file that starts it."""
    unit = configparser.RawConfigParser(strict=False)
    unit.read(TOP / "config/davstore.service")
    container = (TOP / "Containerfile").read_text()
    last = json.loads(re.findall(r"^CMD (.*)$", container, re.MULTILINE)[-1])
    return {"service": shlex.split(unit["Service"]["ExecStart"])[1:], "container": last[1:]}


@pytest.mark.parametrize("file", ["service", "container"])
def test_a_command_that_a_file_starts_is_one(file: str) -> None:
    name, *words = commands()[file]
    assert name == "serve"
    command = main.get_command(click.Context(main), name)
    assert command
    command.make_context(name, words).close()


def test_the_containers_settings_are_settings() -> None:
    container = (TOP / "Containerfile").read_text()
    given = dict(re.findall(r"(DAVSTORE_\w+)=(\S+)", container))
    settings = load_settings(environ=given)
    assert (settings.server.allow_remote, settings.server.address[0], str(settings.data.path)) == (
        True,
        "0.0.0.0",
        "/data",
    )
    assert f"EXPOSE {settings.server.address[1]}\n" in container
