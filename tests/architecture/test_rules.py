"""The storage rules that no tool knows, checked on the syntax trees of the package."""

import ast
import re

import pytest

from davstore.protocol.urls import AREAS
from tests.architecture.trees import TOP, TREES, Function, functions

FILE_LINES = 400
FUNCTION_LINES = 40
MIGRATIONS = "metadata/migrations/versions/"
FORBIDDEN_NAMES = {"util", "utils", "helper", "helpers", "common", "misc", "manager", "managers", "base"}
BOUNDARIES = {
    "middleware/boundary.py",
    "jobs/runner.py",
    "jobs/refreshing.py",
    "metadata/group_commit.py",
    "server/loop.py",
}

SQL = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|CREATE|DROP|ALTER|PRAGMA|ATTACH)\s")

NO_NOUNS = (
    "What",
    "Who",
    "Whoever",
    "Whatever",
    "How",
    "Why",
    "Where",
    "When",
    "Whether",
    "Is",
    "Does",
    "May",
    "Nobody",
)
"""Words that a module may not begin with: they tell a story before they name the subject."""


def code_lines(function: Function) -> int:
    """Count the lines of a function without its docstring."""
    first = function.body[0]
    documented = ast.get_docstring(function) is not None
    documentation = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
    return (function.end_lineno or 0) - function.lineno + 1 - documentation


@pytest.mark.parametrize("name", TREES)
def test_files_and_functions_stay_small(name: str):
    assert len((TOP / "davstore" / name).read_text().splitlines()) <= FILE_LINES
    if name.startswith(MIGRATIONS):
        return  # one list of statements, never read as code
    lengths = {found.name: code_lines(found) for found in functions(TREES[name])}
    assert {found: lines for found, lines in lengths.items() if lines > FUNCTION_LINES} == {}


def test_modules_are_named_for_what_they_answer_for():
    words = {part for name in TREES for part in name.removesuffix(".py").split("/")}
    assert words & FORBIDDEN_NAMES == set()


@pytest.mark.parametrize("name", TREES)
def test_every_module_says_what_it_answers_for(name: str):
    documentation = ast.get_docstring(TREES[name])
    assert documentation or not TREES[name].body
    assert (documentation or " ").split()[:1] not in ([word] for word in NO_NOUNS)


def catches_all(handler: ast.ExceptHandler) -> bool:
    """Tell whether a handler ends every error; one that cleans up and raises it again does not."""
    if isinstance(handler.body[-1], ast.Raise) and handler.body[-1].exc is None:
        return False
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or getattr(kind, "id", "") in ("Exception", "BaseException") for kind in caught)


def test_everything_is_caught_at_the_boundaries_only():
    found = {
        name
        for name, tree in TREES.items()
        if any(isinstance(node, ast.ExceptHandler) and catches_all(node) for node in ast.walk(tree))
    }
    assert found <= BOUNDARIES


def test_errors_in_the_words_of_http_are_raised_at_the_edge_only():
    """Beneath it an error means something of the store; the table of errors says what that is in HTTP."""
    words = {"MethodNotAllowed", "NotImplementedMethod", "UnsupportedMediaType"}
    found = {name for name, tree in TREES.items() for node in ast.walk(tree) if getattr(node, "id", "") in words}
    assert {name.partition("/")[0] for name in found} == {"dav", "middleware"}


def test_the_gate_hears_of_listings_from_the_edges_only():
    """A handler that forgot would take the interval out of force without a sign of it."""
    words = {"ask", "answered"}
    found = {
        name
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and words & {alias.name for alias in node.names}
    }
    assert found == {"dav/dispatch.py", "web/app.py"}


def test_the_segments_of_areas_are_written_in_one_place_only():
    segments = {name for area in AREAS for name in area}
    found = {
        name
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Tuple) and any(getattr(part, "value", None) in segments for part in node.elts)
    }
    assert found == {"protocol/urls.py"}


def test_wsgidav_answers_no_errors_of_its_own():
    """Its constants are statuses. Where its own machinery wants a DAVError, the status comes from the table."""
    for name, tree in TREES.items():
        names = (getattr(node, "attr", None) or getattr(node, "id", "") for node in ast.walk(tree))
        assert not [word for word in names if re.fullmatch(r"HTTP_[A-Z_]+", word)], name


def formats(node: ast.AST) -> bool:
    """Tell whether an expression puts values into a text that begins like a statement of SQL."""
    match node:
        case ast.JoinedStr(values=[ast.Constant(value=str(head)), *rest]):
            return bool(SQL.match(head)) and any(isinstance(part, ast.FormattedValue) for part in rest)
        case ast.BinOp(left=ast.Constant(value=str(head)), op=ast.Mod() | ast.Add()):
            return bool(SQL.match(head))
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(head)), attr="format")):
            return bool(SQL.match(head))
    return False


def numbers_only(function: Function) -> bool:
    """Tell whether a function is cached and takes nothing but numbers and flags: no text can reach its statement."""
    given = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    cached = any("cache" in ast.unparse(decorator) for decorator in function.decorator_list)
    return cached and all(word.annotation and ast.unparse(word.annotation) in ("int", "bool") for word in given)


@pytest.mark.parametrize("name", [name for name in TREES if not name.startswith(MIGRATIONS)])
def test_no_request_can_write_sql(name: str):
    """Statements are put together when a module is imported, or by a cached function of numbers; never per request."""
    built = [
        f"{function.name}:{node.lineno}"
        for function in functions(TREES[name])
        if not numbers_only(function)
        for node in ast.walk(function)
        if formats(node)
    ]
    assert built == []
