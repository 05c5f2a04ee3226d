"""The notebook runs from top to bottom, and what it keeps tells nothing about a machine."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bridge_cart_assets.generator.shop import Shop, generate
from bridge_cart_assets.lake.catalogue import build_catalogue
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.chain import refresh_gold, refresh_silver
from bridge_cart_assets.pipeline.gold import GOLD_TABLES
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.ops import TABLES as OPS
from bridge_cart_assets.tables.silver import TABLES as SILVER

nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
pytest.importorskip("nbclient", reason="nbclient is not installed")

from bridge_cart_tests.notebook import NOTEBOOK, executed  # noqa: E402 (after the skips)

MOST_BYTES = 600_000
# A folder of some machine, and addresses of objects, which differ with every run.
TELLTALE = re.compile(
    r"(?<![\w.<])/(?:home|root|tmp|usr|work|Users|var|opt|private)\b|0x[0-9a-f]{6}"
)


def data_folder(root: Path, shop: Shop) -> Path:
    settings = Settings(data=root, lake=str(root / "lake"))
    generate(shop, root)
    lake = Lake(settings.lake)
    refresh_silver(lake, settings.landing)
    refresh_gold(lake)
    raw = [source.raw for source in SOURCES]
    tables = (*GOLD_TABLES, *OPS)
    build_catalogue(settings.catalogue, lake, tables, SILVER, raw, "notebook", datetime.now(UTC))
    return root


def texts(notebook: Any) -> Iterator[str]:
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            yield output.get("text", "")
            yield from (
                text for kind, text in output.get("data", {}).items() if kind.startswith("text/")
            )


def pictures(notebook: Any) -> int:
    return sum(
        "image/png" in output.get("data", {})
        for cell in notebook.cells
        for output in cell.get("outputs", ())
    )


@pytest.mark.slow
def test_it_runs_on_a_shop_whose_value_model_is_fitted(tmp_path: Path) -> None:
    notebook = executed(data_folder(tmp_path, Shop(customers=700, days=190)))

    said = "\n".join(texts(notebook))
    assert "fitted" in said
    assert "observed" in said
    assert "customers to compare with" in said
    assert pictures(notebook) == 7
    assert not TELLTALE.findall(said)
    assert not [
        o for cell in notebook.cells for o in cell.get("outputs", ()) if o.get("name") == "stderr"
    ]


@pytest.mark.slow
def test_it_says_so_when_the_shop_is_too_young_for_a_value_model(tmp_path: Path) -> None:
    notebook = executed(data_folder(tmp_path, Shop(customers=80, days=40)))

    said = "\n".join(texts(notebook))
    assert "not_fitted" in said
    assert "not enough history" in said
    assert "0 vouchers" in said


def test_what_it_keeps_is_whole_small_and_of_no_machine() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)

    assert NOTEBOOK.stat().st_size < MOST_BYTES
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert all(cell.outputs for cell in code)
    assert pictures(notebook) == 7
    assert not [o for cell in code for o in cell.outputs if o.output_type == "error"]
    assert not TELLTALE.findall("\n".join(texts(notebook)))
