"""Only the engine writes what a store holds: kept on the syntax trees, as a linter of imports cannot."""

import ast
from collections.abc import Iterator

from tests.architecture.test_rules import TREES, functions

NOT_CONTENT = {"instance", "principals", "jobs", "migrate", "dump", "archive", "volatile", "guesses", "group_commit"}
"""Modules of `metadata` that write no row of a store: who there is, what waits to be done, and copies of all rows."""

EXCEPTIONS = {
    "store/enrolling.py": {
        "stores.create": "a user comes with an empty store",
        "stores.remove": "and goes with it",
        "stores.set_quota": "the operator's, not a request's",
    },
    "store/sweeping.py": {
        "locks.sweep_locks": "an expired lock is none already",
        "stores.set_floor": "history ends: nobody's content changes",
        "stores.settle": "gives back the names that are forgotten",
        "tombstones.forget": "takes away what no URL names",
        "uploads.release": "ends what crashed uploads had reserved",
    },
    "store/recognising.py": {
        "stores.renew_epochs": "a store that was put back from a copy: no token from before fits",
    },
    "store/restoring.py": {
        "stores.renew_epochs": "a store that was put back from a backup",
    },
}
CHARGE = {"used_bytes", "entries"}
CHARGING = {
    "engine/charging.py": "the effect",
    "metadata/tombstones.py": "gives back the names that it forgets, with the rows that they cost",
}


def writers() -> dict[str, set[str]]:
    """Return the functions of each module of `metadata` that run a statement which writes, or call one that does."""
    found = {}
    for name, tree in TREES.items():
        layer, _, module = name.removesuffix(".py").partition("/")
        if layer != "metadata" or "/" in module or module in NOT_CONTENT:
            continue
        calls = {function.name: set(called(function)) for function in functions(tree)}
        writing = {function for function, names in calls.items() if names & {"run", "many"}}
        while more := {function for function, names in calls.items() if names & writing} - writing:
            writing |= more
        found[module] = {function for function in writing if not function.startswith("_")}
    return found


def called(function: ast.AST) -> Iterator[str]:
    """Yield the last name of whatever a function calls."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            yield getattr(node.func, "attr", None) or getattr(node.func, "id", "")


def uses(tree: ast.AST, writing: dict[str, set[str]]) -> set[str]:
    """Return the functions that write among those that a module names, each as `module.function`."""
    modules: dict[str, str] = {}
    found = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("davstore.metadata"):
            continue
        module = (node.module or "").removeprefix("davstore.metadata").lstrip(".")
        for imported in node.names:
            if not module:
                modules[imported.asname or imported.name] = imported.name
            elif imported.name in writing.get(module, ()):
                found.add(f"{module}.{imported.name}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            module = modules[node.value.id]
            if node.attr in writing.get(module, ()):
                found.add(f"{module}.{node.attr}")
    return found


def test_what_writes_is_found():
    """The rule below is only as good as this list."""
    found = writers()
    assert {"bind", "touch", "close", "close_beneath"} <= found["bindings"]
    assert {"insert_node", "replace_body", "set_modified", "end_unbound"} <= found["nodes"]
    assert {"insert_body"} <= found["bodies"]
    assert {"set_properties", "remove_properties", "copy_properties"} <= found["properties"]
    assert {"insert_lock", "remove_locks"} <= found["locks"]
    assert found["trees"] == {"copy_beneath"}
    assert "list_members_of" not in found["bindings"]


def test_only_the_engine_writes_content():
    writing = writers()
    found = {name: uses(tree, writing) for name, tree in TREES.items() if not name.startswith(("engine/", "metadata/"))}
    assert {name: names for name, names in found.items() if names} == {
        name: set(reasons) for name, reasons in EXCEPTIONS.items()
    }


def assigned(tree: ast.AST) -> Iterator[str]:
    """Yield the attributes of others that a module gives another value."""
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            if isinstance(target, ast.Attribute) and ast.unparse(target.value) != "self":
                yield target.attr


def test_charge_is_counted_in_one_place():
    assert {name for name, tree in TREES.items() if CHARGE & set(assigned(tree))} == set(CHARGING)
