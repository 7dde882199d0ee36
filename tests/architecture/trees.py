"""The syntax trees of the package, and the names in them as modules of the package know them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TOP = Path(__file__).parents[2]
MODULES = sorted((TOP / "davstore").rglob("*.py"))
TREES = {module.relative_to(TOP / "davstore").as_posix(): ast.parse(module.read_text()) for module in MODULES}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def in_layers(*layers: str) -> dict[str, ast.Module]:
    """Return the modules of some layers."""
    return {name: tree for name, tree in TREES.items() if name.partition("/")[0] in layers}


def outside(*layers: str) -> dict[str, ast.Module]:
    """Return the modules of all other layers."""
    return {name: tree for name, tree in TREES.items() if name.partition("/")[0] not in layers}


def imported(tree: ast.AST) -> dict[str, str]:
    """Return the full name of each imported one; ruff refuses relative imports."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            for alias in node.names:
                head = alias.name.partition(".")[0]
                found |= {alias.asname: alias.name} if alias.asname else {head: head}
    return found


def named(tree: ast.AST, names: dict[str, str] | None = None) -> Iterator[str]:
    """Yield the full names of all that is named in a tree, by whatever form of import."""
    names = imported(tree) if names is None else names
    yield from (name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for name in imported(node).values())
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            head, dot, rest = ast.unparse(node).partition(".")
            if head in names:
                yield names[head] + dot + rest


def called(tree: ast.AST) -> Iterator[str]:
    """Yield the last name of whatever is called in a tree."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield getattr(node.func, "attr", None) or getattr(node.func, "id", "")
