"""The examples in docstrings run: of pure functions, models and declarations."""

import doctest
import importlib
from pathlib import Path

import pytest

import bridge_cart_assets

ROOT = Path(bridge_cart_assets.__file__).parent
ROOMS = ("transforms", "models", "tables", "batch_days.py")
MODULES = sorted(
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
    for room in ROOMS
    for path in ((ROOT / room).glob("*.py") if (ROOT / room).is_dir() else [ROOT / room])
    if path.name != "__init__.py" and ">>>" in path.read_text()
)


def test_there_are_modules_with_examples() -> None:
    assert len(MODULES) >= 10


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_a_module_hold(module: str) -> None:
    results = doctest.testmod(importlib.import_module(module))
    assert results.attempted > 0
    assert results.failed == 0
