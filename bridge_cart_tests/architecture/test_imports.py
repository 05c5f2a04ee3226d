"""Imports run downward only: a room knows the rooms below it and none above."""

import ast
from pathlib import Path

import pytest

import bridge_cart_assets

ROOT = Path(bridge_cart_assets.__file__).parent
# From the roof to the cellar; rooms on one floor do not know each other.
FLOORS = (
    {"__main__", "demo", "dev", "dictionary", "webserver"},
    {"cli"},
    {"terminal"},
    {"automation.run_in_process"},
    {"definitions"},
    {"automation"},
    {"assets"},
    {"checks"},
    {"pipeline"},
    {"alerts", "reports", "generator", "ingestion"},
    {"sources", "models"},
    {"transforms"},
    {"engine"},
    {"lake"},
    {"tables"},
    {"partitions"},
    {"settings", "batch_days", "thresholds", "leftovers", "private_files"},
    {"object_store"},
)
PURE = {
    "alerts",
    "transforms",
    "models",
    "tables",
    "sources",
    "generator",
    "reports",
    "lake",
    "engine",
    "ingestion",
    "pipeline",
}
MODULES = sorted(path for path in ROOT.rglob("*.py") if path.name != "__init__.py")


def room(module: str) -> str:
    parts = module.split(".")
    longest = ".".join(parts[:2])
    return longest if any(longest in floor for floor in FLOORS) else parts[0]


def floor(module: str) -> int:
    return next(i for i, rooms in enumerate(FLOORS) if room(module) in rooms)


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_module_imports_only_from_its_room_and_from_below(path: Path) -> None:
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    ours = {
        name.removeprefix("bridge_cart_assets.")
        for name in imports(path)
        if name.startswith("bridge_cart_assets.")
    }
    above = {n for n in ours if room(n) != room(module) and floor(n) <= floor(module)}
    assert not above


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_the_core_knows_no_dagster(path: Path) -> None:
    if path.relative_to(ROOT).parts[0] in PURE:
        assert not {name for name in imports(path) if name.split(".")[0] == "dagster"}


def test_the_pure_transforms_know_no_delta() -> None:
    for path in (ROOT / "transforms").glob("*.py"):
        assert not {n for n in imports(path) if n.split(".")[0] in ("deltalake", "duckdb")}


def test_ingestion_ends_with_raw_and_knows_no_silver() -> None:
    for path in (ROOT / "ingestion").glob("*.py"):
        assert not {name for name in imports(path) if name.endswith("tables.silver")}, path
