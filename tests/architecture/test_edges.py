"""Each thing is spoken in one place, a handler makes one store call, and the asker is not the owner."""

from __future__ import annotations

import ast
import re
from http import HTTPStatus

import pytest

from tests.architecture.trees import TREES, Function, called, functions, imported, in_layers, named, outside

Reasons = dict[str, str]


def places(found: dict[str, object]) -> set[str]:
    """Return the modules in which something was found."""
    return {name for name, what in found.items() if what}


# The asker is not the owner.

KNOWS_THE_USER: Reasons = {
    "engine/rights.py": "the one place that compares",
    "store/authenticating.py": "makes the asker",
    "middleware/auth.py": "the name in the log",
    "middleware/sync_gate.py": "rules select users, not stores",
    "store/gating.py": "the same",
    "store/preferring.py": "the preferences of the asker itself",
    "protocol/urls.py": "the URL of the asker as a principal",
    "store/enrolling.py": "keeps the users",
    "cli/users.py": "lists them",
}


ASKER = re.compile(r"\b(?:asker|principal|found|request|account)$")


def users(tree: ast.AST) -> list[str]:
    """Return what is read of the user of an asker, but for the id, which no path has."""
    ids = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "id"}
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "user"]
    read = [ast.unparse(node) for node in nodes if id(node) not in ids and ASKER.search(ast.unparse(node.value))]
    unpacked = [
        node for node in ast.walk(tree) if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple)
    ]
    return read + [text for text in map(ast.unparse, unpacked) if text.endswith((" = asker", ".asker", "principal"))]


def test_the_asker_meets_the_owner_in_one_place_only() -> None:
    """No other module may take the asker for the owner: other principals will have rights in a store too."""
    trees = outside("client", "metadata", "policy")  # they know no asker
    assert places({name: users(tree) for name, tree in trees.items()}) <= set(KNOWS_THE_USER)


@pytest.mark.parametrize(
    "line",
    [
        "Path(request.principal.user.name, names)",
        "name = asker.user.name; name == path.store",
        "user = context.asker.user",
        "user, device = request.principal",
        "name = Path((lambda one: one.name)(self.principal.user))",
    ],
)
def test_the_user_of_an_asker_is_found(line: str) -> None:
    assert users(ast.parse(line))
    assert not users(ast.parse("lock.user_id == context.asker.user.id"))


# Statuses.

SAYS_ERRORS: Reasons = {
    "middleware/errors.py": "the table",
    "protocol/dav/multistatus.py": "the status of a member",
    "server/connection.py": "framing",
    "server/loop.py": "framing: no room for a connection",
    "server/request_head.py": "framing",
    "server/sockets.py": "500 bytes a second are no status",
    "web/refusals.py": "words for a status that the table gave",
}


def statuses(tree: ast.AST) -> list[object]:
    """Return what looks like a response status of 400 or more; the mode of a file is a number too."""
    modes = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "mode"}
    errors = {status.name for status in HTTPStatus if status >= 400}
    return [
        ast.unparse(node)
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr in errors and "HTTPStatus" in ast.unparse(node.value))
        or (
            isinstance(node, ast.Constant)
            and id(node) not in modes
            and node.value != "443"  # the port
            and re.fullmatch(r"[45]\d\d( [A-Z].*)?", str(node.value))
        )
    ]


def test_error_statuses_are_said_in_one_table() -> None:
    """The device reads the statuses of others; to a command 400 is a number like another."""
    trees = outside("client", "cli", "metadata", "blobs")
    assert places({name: statuses(tree) for name, tree in trees.items()}) == set(SAYS_ERRORS)


@pytest.mark.parametrize("line", ["HTTPStatus.CONFLICT", "http.HTTPStatus.CONFLICT", "Response(409, [])", "'404 Gone'"])
def test_an_error_status_is_found(line: str) -> None:
    assert statuses(ast.parse(line))
    assert not statuses(ast.parse("HTTPStatus.OK, 207, open(mode=0o600)"))


# XML and SQL as text. The imports of lxml, SQLAlchemy and WsgiDAV are contracts of import-linter.

XML = re.compile(r"<\?xml|xmlns|</?[A-Z]:[a-z-]+/?>")
SQL = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH|CREATE|DROP|ALTER|PRAGMA)\s+([a-zA-Z]|$)")


WRITES_XML: Reasons = {
    "dav/properties/core.py": "columns: a text around one field of a row, put in for a page at once",
    "dav/properties/messages.py": "the same",
    "dav/properties/times.py": "the same",
    "dav/properties/sync.py": "the same",
}


def texts(tree: ast.AST, form: re.Pattern[str]) -> list[str]:
    """Return the texts of a form that are no docstrings."""
    documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in documents)
    words = (one.value.decode("latin-1") if isinstance(one.value, bytes) else str(one.value) for one in found)
    return [word for word in words if form.search(word)]


def test_xml_is_written_in_protocol() -> None:
    found = {name: texts(tree, XML) for name, tree in outside("protocol").items()}
    assert places(found) == set(WRITES_XML)


def test_sql_is_written_in_metadata() -> None:
    found = {name: [text for text in texts(tree, SQL) if SQL.match(text)] for name, tree in outside("metadata").items()}
    assert places(found) == {
        f"client/{name}.py" for name in ("state", "draft", "letters", "outside", "titles", "wishes")
    }  # the device's own


@pytest.mark.parametrize("line", ["b'<?xml version=1?>'", "f'<D:href>{x}'", "'<D:prop/>'", "'xmlns:D='"])
def test_xml_as_text_is_found(line: str) -> None:
    assert texts(ast.parse(f"x = {line}"), XML)


@pytest.mark.parametrize("line", ["'DELETE FROM node'", "'UPDATE agreed SET x = 1'", "f'SELECT {x}, y FROM z'"])
def test_sql_as_text_is_found(line: str) -> None:
    assert texts(ast.parse(f"x = {line}"), SQL)


# The pure layers.

IMPURE = re.compile(
    r"(datetime(\.\w+)?|date)\.(now|utcnow|today)|open|input|print|os\.\w+|(.*\.)?(read|write)_(text|bytes)"
)


def impure(tree: ast.AST) -> list[str]:
    """Return the calls of I/O and of the clock."""
    calls = (ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call))
    return [call for call in calls if IMPURE.fullmatch(call)]


def test_the_pure_layers_do_no_io_and_know_no_clock() -> None:
    trees = in_layers("protocol", "policy", "model", "errors", "toml_lines.py")
    assert places({name: impure(tree) for name, tree in trees.items()}) == set()


@pytest.mark.parametrize("line", ["datetime.datetime.now(UTC)", "date.today()", "open('x')", "Path('x').read_text()"])
def test_io_and_the_clock_are_found(line: str) -> None:
    assert impure(ast.parse(line))


# Connections.

PHASE = "davstore.server.phases.Phase"


def test_what_follows_from_a_phase_is_a_column_of_its_rules() -> None:
    found = {name: any(word.startswith(PHASE) for word in named(tree)) for name, tree in in_layers("server").items()}
    assert places(found) == {"server/connection.py"}  # the steps from one to the next


# Responses.

STARTS: Reasons = {
    "dav/dispatch.py": "every answer of WebDAV",
    "web/app.py": "the pages",
    "middleware/boundary.py": "errors",
    "middleware/health.py": "for a probe",
    "middleware/well_known.py": "the redirect to the store",
    "middleware/origins.py": "a preflight, and headers added",
    "middleware/access_log.py": "a header added",
}


def test_a_handler_returns_its_response() -> None:
    assert places({name: "start_response" in called(tree) for name, tree in TREES.items()}) == set(STARTS)
    names = (getattr(node, "id", "") for tree in in_layers("dav").values() for node in ast.walk(tree))
    assert "START_RESPONSE" not in names


SECOND_CALLS: Reasons = {
    "dav/handlers/get.py:handle_get": "the list of a collection, once it is known to be one",
    "dav/handlers/locks.py:handle_lock": "a lock is taken or refreshed",
    "web/app.py:__call__": "a folder by its slash, or a message",
    "web/app.py:_show_conversations": "the list of conversations, or one of them",
    "dav/handlers/propfind.py:handle_propfind": "a fixed collection holds roots of stores; else one",
}
"""A PUT, COPY or MOVE with `Prefer: return=representation` reads once more too, in `dav/handlers/made.py`."""
USE_CASES = {
    f"davstore.store.{name.removesuffix('.py').removeprefix('store/')}.{function.name}"
    for name, tree in in_layers("store").items()
    for function in functions(tree)
    if any(arg.annotation and ast.unparse(arg.annotation) == "Context" for arg in function.args.args)
}


def store_calls(tree: ast.Module) -> dict[str, int]:
    """Return how often the functions of a module name a use case, themselves or in functions of the module."""
    names, classes = imported(tree), [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    own = {node.name: node for one in [tree, *classes] for node in one.body if isinstance(node, Function)}

    def count(function: ast.AST, seen: frozenset[str]) -> int:
        direct = sum(name in USE_CASES for name in named(function, names))
        calls = [ast.unparse(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)]
        through = [word for call in calls if (word := call.removeprefix("self.")) in own and word not in seen]
        return direct + sum(count(own[word], seen | {word}) for word in through)

    return {name: count(function, frozenset({name})) for name, function in own.items()}


def test_a_handler_makes_one_store_call() -> None:
    found = {
        f"{name}:{function}"
        for name, tree in in_layers("dav", "web").items()
        for function, count in store_calls(tree).items()
        if count > 1
    }
    assert found == set(SECOND_CALLS)


@pytest.mark.parametrize("more", ["reading.find(request.context, path)", "again(request)"])
def test_a_second_store_call_is_found(more: str) -> None:
    source = f"""
from davstore.store import deleting, reading
def again(request): reading.find(request.context, request.path)
def handle(request):
    deleting.delete(request.context, request.path)
    {more}
"""
    assert store_calls(ast.parse(source)) == {"again": 1, "handle": 2}
