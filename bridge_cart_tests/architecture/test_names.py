"""One word, one thing: no public name means two things in two rooms."""

import ast
from collections import defaultdict
from pathlib import Path

import bridge_cart_assets

ROOT = Path(bridge_cart_assets.__file__).parent
# Names that two rooms share, and why that is no second meaning.
SHARED = {
    "main": "the entry point of each command",
    "run": "the verb of the command, and the same steps without Dagster",
    "generate": "the verb of the command, and the function that it calls",
    "topics": "the verb of the command, and the page's table of the same positions",
    "SegmentModel": "the table's schema, and the model that its rows are read into",
    "ValueModel": "the table's schema, and the model that its rows are read into",
    "Column": "a column of a stored table, and a column of a table on a page",
    "day": "a column of days in a schema, and a day in a cell of the report",
    "money": "a column of money in a schema, and money in a cell of the report",
}


def rooms_by_name() -> dict[str, set[str]]:
    """Every public function and class of the package, with the rooms that define it."""
    rooms: dict[str, set[str]] = defaultdict(set)
    for path in ROOT.rglob("*.py"):
        room = path.relative_to(ROOT).parts[0]
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                rooms[node.name].add(room)
    return rooms


def test_no_public_name_means_two_things() -> None:
    doubles = {name: rooms for name, rooms in rooms_by_name().items() if len(rooms) > 1}
    assert doubles.keys() == SHARED.keys()


def test_exceptions_are_called_errors() -> None:
    names = {
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(base).endswith(("Error", "Exception")) for base in node.bases)
        and not node.name.endswith("Error")
    }
    assert names == set()
