"""The examples in docstrings run, and no public function of the pure rooms is without one."""

import ast
import doctest
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import bridge_cart_assets

ROOT = Path(bridge_cart_assets.__file__).parent
ROOMS = ("transforms", "models", "tables")
FILES = sorted(path for room in ROOMS for path in (ROOT / room).glob("*.py"))
MODULES = [
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
    for path in (*FILES, ROOT / "batch_days.py", ROOT / "assets" / "gold.py")
    if ">>>" in path.read_text()
]
FOLLOWS = "gives what the whole function gives: lakehouse/test_gold_follows.py"
# Public functions and methods without an example, and why.
WITHOUT_EXAMPLE = {
    "models/buy_till_you_die.py: Orders.expected_orders": "a protocol; its models have examples",
    "models/buy_till_you_die.py: Orders.p_alive": "a protocol; its models have examples",
    "models/buy_till_you_die.py: Orders.prob_no_order": "a protocol; its models have examples",
    "models/drift.py: training_states": "drift_between has the example",
    "models/drift.py: updated_training_states": FOLLOWS,
    "models/rfm_migration.py: updated_rfm_migration": FOLLOWS,
    "models/segment_history.py: Versioned.effective_from": "effective_intervals has the example",
    "models/segment_history.py: metrics_from": "calls segment_versions, which has the example",
    "models/segment_history.py: updated_history": FOLLOWS,
    "transforms/cohorts.py: cohort_sums": "cohort_retention is made of both",
    "transforms/cohorts.py: cohorts_from": "cohort_retention is made of both",
    "transforms/cohorts.py: updated_cohorts": FOLLOWS,
    "transforms/concentration.py: updated_concentration": FOLLOWS,
    "transforms/features.py: customer_facts": "customer_features has the example",
    "transforms/features.py: updated_features": FOLLOWS,
    "transforms/history.py: updated_events": FOLLOWS,
    "transforms/kpi_moves.py: moves_of_anonymous": "kpi_moves adds the three up",
    "transforms/kpi_moves.py: moves_of_customers": "kpi_moves adds the three up",
    "transforms/kpi_moves.py: moves_of_orders": "kpi_moves adds the three up",
    "transforms/kpi_moves.py: updated_kpi_moves": FOLLOWS,
    "transforms/migration.py: updated_migration": FOLLOWS,
    "transforms/first_category.py: updated_first_category_days": FOLLOWS,
    "transforms/category_pairs.py: updated_category_baskets": FOLLOWS,
    "models/metrics.py: flicker_metrics": "flickering has the example",
    "models/segment_contrasts.py: Contrasts.holds": "contrasts has the example",
    "models/segment_contrasts.py: Contrasts.is_between": "name_segments has the example",
    "models/segment_history.py: moved_share": "with_new_model has the example",
    "models/segment_names.py: is_true": "name_segments has the example",
    "transforms/sales.py: updated_sales": FOLLOWS,
    "models/segment_history.py: segment_under_previous_model": "longer than its code",
}


def names_without_example(source: str) -> Iterator[str]:
    """Public functions, and public methods that neither they nor their class's example shows."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and is_public(node) and not examples(node):
            yield node.name
        elif isinstance(node, ast.ClassDef) and is_public(node):
            yield from (
                f"{node.name}.{method.name}"
                for method in node.body
                if isinstance(method, ast.FunctionDef)
                and is_public(method)
                and not examples(method)
                and method.name not in attributes(examples(node))
            )


def is_public(node: ast.FunctionDef | ast.ClassDef) -> bool:
    return not node.name.startswith("_")


def examples(node: ast.FunctionDef | ast.ClassDef) -> str:
    """The code of the examples in a docstring."""
    parsed = doctest.DocTestParser().get_examples(ast.get_docstring(node) or "")
    return "".join(example.source for example in parsed)


def attributes(code: str) -> set[str]:
    return {node.attr for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Attribute)}


def test_there_are_modules_with_examples() -> None:
    assert len(MODULES) >= 30


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_a_module_hold(module: str) -> None:
    results = doctest.testmod(importlib.import_module(module))
    assert results.attempted > 0
    assert results.failed == 0


def test_every_public_function_has_an_example_or_a_reason_for_none() -> None:
    lacking = {
        f"{path.relative_to(ROOT).as_posix()}: {name}"
        for path in FILES
        for name in names_without_example(path.read_text())
    }
    assert lacking == WITHOUT_EXAMPLE.keys()


def test_a_function_or_a_method_without_an_example_is_refused() -> None:
    source = '''
def one():
    """One.

    >>> one()
    1
    """

def bare():
    """The text >>> alone is no example."""

def _private():
    """No example is needed."""

class Visits:
    """Visits.

    >>> Visits().count
    3
    """

    def count(self):
        """In the example of the class."""

    def total(self):
        """In no example."""
'''
    assert list(names_without_example(source)) == ["bare", "Visits.total"]
