"""Tests go by what the package offers: they neither import nor patch its private names."""

import ast
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

import bridge_cart_assets
import bridge_cart_tests
from bridge_cart_assets.dictionary import all_tables

PACKAGE = Path(bridge_cart_assets.__file__).parent
TESTS = Path(bridge_cart_tests.__file__).parent
PRIVATE = re.compile(r"_[A-Za-z]\w*")
DOTTED = re.compile(rf"\w\.({PRIVATE.pattern})")


def names_bound_by(node: ast.AST) -> list[str]:
    """The names that a statement gives to a function, a class, a variable or an attribute."""
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
            return [name]
    return []


@pytest.fixture(scope="module")
def private() -> set[str]:
    """The package's private names, without the columns of raw, whose names look like them."""
    nodes = chain.from_iterable(ast.walk(ast.parse(p.read_text())) for p in PACKAGE.rglob("*.py"))
    names = {name for node in nodes for name in names_bound_by(node) if PRIVATE.fullmatch(name)}
    return names - {column for table in all_tables() for column in table.columns}


def modules_of_others(tree: ast.AST) -> set[str]:
    """The names of imported modules that are not the package's: `os._exit` is Python's."""
    return {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if not alias.name.startswith(PACKAGE.name)
    }


def uses(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name wherever a module could reach into another one.

    That is an import, `owner._name`, the same within a string, and `owner, "_name"` as `setattr`
    and the fault injection take it.
    """
    own = {"self", "cls", *modules_of_others(tree)}
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(names=aliases):
                yield from ((node.lineno, alias.name) for alias in aliases)
            case ast.Attribute(value=ast.Name(id=owner)) if owner in own:
                pass
            case ast.Attribute(attr=name):
                yield node.lineno, name
            case ast.Constant(value=str(text)):
                yield from ((node.lineno, name) for name in DOTTED.findall(text))
            case (
                ast.Call(args=[_, ast.Constant(value=str(name)), *_])
                | ast.Tuple(elts=[_, ast.Constant(value=str(name)), *_])
            ):
                yield node.lineno, name


@pytest.mark.parametrize(
    "code",
    [
        "from bridge_cart_assets.lake.snapshot import _fsync_commit",
        "snapshot._fsync_commit(change)",
        "lake.snapshot(table)._fsync_commit(change)",
        "snapshot._fsync_commit = None",
        'monkeypatch.setattr(Snapshot, "_fsync_commit", die)',
        'patch.object(snapshot.Snapshot, "_fsync_commit", die)',
        'patch("bridge_cart_assets.lake.snapshot.Snapshot._fsync_commit")',
        'PLACE = (Snapshot, "_fsync_commit", after)',
        'program = f"snapshot._fsync_commit = {die}"',
    ],
)
def test_a_private_name_is_noticed(code: str) -> None:
    assert "_fsync_commit" in {name for _, name in uses(ast.parse(code))}


@pytest.mark.parametrize(
    "code", ["self._fsync_commit()", "os._fsync_commit()", 'frame.join(suffix="_fsync_commit")']
)
def test_names_of_others_are_left_alone(code: str) -> None:
    assert "_fsync_commit" not in {name for _, name in uses(ast.parse(f"import os\n{code}"))}


def test_no_test_uses_a_private_name_of_the_package(private: set[str]) -> None:
    assert "_fsync_commit" in private
    found = {
        f"{path.relative_to(TESTS)}:{line} {name}"
        for path in TESTS.rglob("*.py")
        if path != Path(__file__)
        for line, name in uses(ast.parse(path.read_text()))
        if name in private
    }
    assert found == set()
