"""The walk of one purchase line in docs/architecture.md leads through functions that are there."""

import ast
import re
from pathlib import Path

import bridge_cart_assets

ROOT = Path(bridge_cart_assets.__file__).parent
PAGE = ROOT.parent / "docs" / "architecture.md"
STEP = re.compile(r"^\| (\d+) \| `([\w/]+\.py)` \| `(\w+)` \|", flags=re.MULTILINE)


def steps() -> list[tuple[int, str, str]]:
    return [(int(n), path, name) for n, path, name in STEP.findall(PAGE.read_text())]


def test_it_has_at_most_25_steps_one_after_the_other() -> None:
    assert [n for n, _, _ in steps()] == list(range(1, len(steps()) + 1))
    assert 15 <= len(steps()) <= 25


def test_it_returns_to_rooms_already_left_as_often_as_the_page_says() -> None:
    rooms = [path.partition("/")[0] for _, path, _ in steps()]
    visits = [room for n, room in enumerate(rooms) if n == 0 or room != rooms[n - 1]]
    returns = len(visits) - len(set(visits))
    assert f"returns to a room already left {returns} times" in PAGE.read_text()
    assert returns < 31 / 2


def test_every_step_is_a_function_or_class_of_its_file() -> None:
    for _, path, name in steps():
        nodes = ast.walk(ast.parse((ROOT / path).read_text()))
        assert name in {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)}, (
            path
        )
