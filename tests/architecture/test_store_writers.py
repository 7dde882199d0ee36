"""The two doors: only the engine changes what a store holds, and every body comes in through `engine/receiving`.

Kept on the syntax trees, as a linter of imports cannot.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import fields

import pytest

from davstore.metadata.stores import Ledger
from tests.architecture.trees import TREES, called, functions, imported, in_layers, named, outside

NO_CONTENT = {"instance", "job", "principal", "user", "device", "service", "list_", "membership", "view"}
"""Tables that hold nothing of a store: who there is, what waits to be done, and how devices look at it."""
WRITES_ANY_TABLE = {"davstore.metadata.dump", "davstore.metadata.archive", "davstore.metadata.migrate"}
"""They copy and upgrade whole databases."""
OWN_FILE = {"davstore.metadata.volatile", "davstore.metadata.guesses"}
"""They write a file of their own, by SQL as text."""

EXCEPTIONS = {
    "store/enrolling.py": {
        "lists.remove_user": "entries that name a user, or a list of it, end with it",
        "stores.create": "a user comes with an empty store",
        "stores.remove": "and goes with it",
        "stores.set_quota": "the operator's, not a request's",
    },
    "store/grouping.py": {
        "lists.remove_list": "entries that name a list end with it",
    },
    "store/sweeping.py": {
        "dispositions.sweep": "of messages that are not there",
        "locks.sweep_locks": "an expired lock is none already",
        "stores.set_floor": "history ends: nobody's content changes",
        "stores.settle": "gives back the names that are forgotten",
        "tombstones.forget": "takes away what no URL names",
        "uploads.release": "ends what crashed uploads had reserved",
    },
    "store/indexing.py": {
        "messages.insert_message": "facts of bodies that are there: read later than they came",
        "nodes.set_type": "as above",
        "stores.settle": "threads that are made later than their messages came",
    },
    "store/recognising.py": {
        "stores.renew_epochs": "a store that was put back from a copy: no token from before fits",
    },
    "store/restoring.py": {
        "stores.renew_epochs": "a store that was put back from a backup",
    },
}
IN_THE_ENGINE = {
    "engine/writer.py": "the verbs",
    "engine/dispositions.py": "what notifications tell of messages",
    "engine/trees.py": "COPY",
    "engine/threads.py": "the bindings and counts of threads, which follow each write",
    "engine/locks.py": "locks",
    "engine/receiving.py": "what uploads reserve",
    "engine/room.py": "what dead uploads had reserved",
    "engine/viewing.py": "what guests saw, and what is hidden from them",
    "engine/transaction.py": "the counters, at the end of each unit",
}
VERBS = {"make", "replace", "alter", "alter_all", "control", "unbind", "unbind_all", "unbind_nodes", "rebind"}
"""The verbs of `Writer`: a use case has no other word of it."""
READ_OF_LEDGER = {"store_id", "seq", "facts"}
CHARGE = {"used_bytes", "entries"}
CHARGING = {
    "engine/charging.py": "the effect",
    "metadata/tombstones.py": "gives back the names that it forgets, with the rows that they cost",
}
RUNNING = {"run", "many", "one", "all", "each", "stream", "pages"}
"""The methods of `Unit` that run a statement."""
DOOR_OF_BODIES = {
    "engine/receiving.py": "the door",
    "store/backups.py": "copies bodies that are in a store, to a backup or back",
    "store/locking.py": "LOCK of an unmapped URL makes a resource with no bytes (RFC 4918 §7.3)",
}


def full_name(module: str) -> str:
    return f"davstore.{module.removesuffix('.py').removesuffix('/__init__').replace('/', '.')}"


def writes_content(tree: ast.AST) -> bool:
    """Tell whether a piece of `metadata` has a statement of SQLAlchemy that writes rows of a store."""
    return any(
        isinstance(node, ast.Call)
        and getattr(node.func, "id", "") in ("insert", "update", "delete")
        and (not node.args or getattr(node.args[0], "id", "") not in NO_CONTENT)
        for node in ast.walk(tree)
    )


def pieces(tree: ast.Module) -> Iterator[tuple[list[str], ast.stmt]]:
    """Yield what stands at the top of a module, with the names that it has."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield [node.name], node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield [ast.unparse(target) for target in targets], node


def writers(trees: dict[str, ast.Module]) -> set[str]:
    """Return the full names of all in `metadata` that writes content: a statement, and whatever names one."""
    known = []
    for name, tree in trees.items():
        module = full_name(name)
        if module in WRITES_ANY_TABLE or name.startswith("metadata/migrations/"):
            continue
        own = {word: f"{module}.{word}" for words, _ in pieces(tree) for word in words}
        for words, piece in pieces(tree):
            names = set(named(piece, imported(tree) | own)) - {own[word] for word in words}
            known.append(({own[word] for word in words}, names, writes_content(piece)))
    found: set[str] = set()
    while more := {word for words, names, writes in known for word in words if writes or names & found} - found:
        found |= more
    return found


WRITERS = writers(in_layers("metadata"))


def written(tree: ast.AST) -> set[str]:
    """Return what a module names of the writers, each as `module.name`."""
    return {name.removeprefix("davstore.metadata.") for name in named(tree) if name in WRITERS}


def test_what_writes_is_found() -> None:
    """The rules below are only as good as this list."""
    found = {name.removeprefix("davstore.metadata.") for name in WRITERS}
    assert {"bindings.bind", "bindings.close", "bindings.close_beneath", "bindings._UNBIND"} <= found
    assert {"nodes.insert_node", "nodes.replace_body", "nodes.set_modified", "nodes.end_unbound"} <= found
    assert {"properties.set_properties", "properties.copy_properties", "bodies.insert_body"} <= found
    assert {"locks.insert_lock", "locks.remove_locks", "trees.copy_beneath", "stores.settle"} <= found
    assert not found & {"bindings.list_members_of", "bindings.find", "jobs.append", "principals.add_user"}


def test_a_job_that_writes_content_is_found() -> None:
    source = "from sqlalchemy import delete\n_GO = Write(delete(node))\ndef go(unit): unit.run(_GO, {})\n"
    assert writers({"metadata/jobs.py": ast.parse(source)}) == {
        "davstore.metadata.jobs._GO",
        "davstore.metadata.jobs.go",
    }


def test_sql_as_text_writes_nothing_of_a_store() -> None:
    for name, tree in in_layers("metadata").items():
        if full_name(name) not in OWN_FILE and not name.startswith("metadata/migrations/"):
            texts = (str(node.value) for node in ast.walk(tree) if isinstance(node, ast.Constant))
            assert not [text for text in texts if text.startswith(("INSERT ", "UPDATE ", "DELETE ", "REPLACE "))], name


def test_only_the_engine_writes_content() -> None:
    found = {name: written(tree) for name, tree in outside("engine", "metadata").items()}
    assert {name: names for name, names in found.items() if names} == {
        name: set(reasons) for name, reasons in EXCEPTIONS.items()
    }


def test_few_modules_of_the_engine_do() -> None:
    assert {name for name, tree in in_layers("engine").items() if written(tree)} == set(IN_THE_ENGINE)


@pytest.mark.parametrize(
    "source",
    [
        "from davstore.metadata import bindings\nbindings.bind()",
        "from davstore.metadata import bindings as b\nb.close()",
        "from davstore.metadata.bindings import close as c",
        "import davstore.metadata.bindings as b\nb.close()",
        "import davstore.metadata.bindings\ndavstore.metadata.bindings.close()",
        "from davstore import metadata\nmetadata.bindings.close()",
        "from davstore.metadata import bindings\nunit.run(bindings._UNBIND, {})",
        "from davstore.metadata import bindings\ndo = bindings.touch",
    ],
)
def test_every_form_of_import_is_seen(source: str) -> None:
    assert written(ast.parse(source))


def past_the_writer(tree: ast.AST) -> Iterator[str]:
    """Yield what a module does with a writer but for its verbs, with a ledger but to read it, with a unit to run SQL.

    What is held in a variable counts by the name of the variable, or by its annotation; another name for it counts too.
    """
    given = [arg for function in functions(tree) for arg in ast.walk(function.args) if isinstance(arg, ast.arg)]
    held = {"writer": "Writer", "ledger": "Ledger", "unit": "Unit", "Writer": "Writer"}
    held |= {
        arg.arg: kind for arg in given if arg.annotation and (kind := ast.unparse(arg.annotation)) in held.values()
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            kind = held.get(ast.unparse(node.value).rpartition(".")[2].lstrip("_"))
            is_wrong = {
                "Writer": node.attr not in VERBS,
                "Ledger": node.attr not in READ_OF_LEDGER or not isinstance(node.ctx, ast.Load),
                "Unit": node.attr in (*RUNNING, "connection"),
            }
            if kind and is_wrong[kind]:
                yield f"{kind}.{node.attr}"
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id in held:
            if any(isinstance(target, ast.Name) for target in node.targets):
                yield f"{held[node.value.id]}: {ast.unparse(node)}"
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "transaction.write":
            yield from (f"Writer: {ast.unparse(arg)}" for arg in node.args if isinstance(arg, ast.Lambda))


def test_a_use_case_has_the_verbs_of_the_writer_alone() -> None:
    found = {name: list(past_the_writer(tree)) for name, tree in outside("engine", "metadata").items()}
    assert {name: words for name, words in found.items() if words} == {}


def test_the_engine_runs_no_statement_itself() -> None:
    found = {
        name: [word for word in past_the_writer(tree) if "Unit" in word] for name, tree in in_layers("engine").items()
    }
    assert {name: words for name, words in found.items() if words} == {}


@pytest.mark.parametrize(
    "line",
    [
        "writer.close(member)",
        "writer.changes.clear()",
        "writer.ledger.seq += 7",
        "ledger.seq += 7",
        "ledger.dropped.append(blob)",
        "unit.run(statement, {})",
        "writer.unit.run(statement, {})",
        "unit.connection.execute('DELETE')",
        "close = writer.close",
        "Writer.close(writer, member)",
        "mine = writer",
        "transaction.write(context, owner, lambda one: one.close(member))",
    ],
)
def test_a_use_case_that_goes_past_the_writer_is_found(line: str) -> None:
    assert list(past_the_writer(ast.parse(line)))
    other = re.sub(r"\b(w|l|u)(riter|edger|nit)\b", r"\1", line)
    assert list(past_the_writer(ast.parse(f"def work(w: Writer, l: Ledger, u: Unit):\n    {other}")))


def assigned(tree: ast.AST) -> Iterator[str]:
    """Yield the attributes of others that a module gives another value."""
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            if isinstance(target, ast.Attribute) and ast.unparse(target.value) != "self":
                yield target.attr


def test_charge_is_counted_in_one_place() -> None:
    assert {field.name for field in fields(Ledger)} >= CHARGE
    assert {name for name, tree in TREES.items() if CHARGE & set(assigned(tree))} == set(CHARGING)


def makes_bodies(tree: ast.AST) -> bool:
    return not {"stage", "publish", "Stored"}.isdisjoint(called(tree))


def test_every_body_comes_in_through_one_door() -> None:
    found = {name for name, tree in outside("blobs", "metadata").items() if makes_bodies(tree)}
    assert found == set(DOOR_OF_BODIES)


@pytest.mark.parametrize(
    "line", ["blobs.stage(1, 'x').publish()", "staged.publish()", "bodies.Stored(b'', None, 0, '')"]
)
def test_another_door_is_found(line: str) -> None:
    assert makes_bodies(ast.parse(line))
