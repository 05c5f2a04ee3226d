"""The worked examples of docs/kpis.md: what is landed, and what the KPIs make of it."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline import run
from bridge_cart_assets.tables.gold import KPIS_DAILY

PAGE = Path(__file__).parents[2] / "docs" / "kpis.md"
EXAMPLE = re.compile(r"^### (.+?)\n.*?^```csv\n(.*?)^```\n\n((?:\|[^\n]*\n)+)", re.M | re.S)
SUBJECTS = ("Tax", "Shipping", "Gift cards", "Test orders", "Free lines", "Refunds", "One sum")
EXAMPLES = [
    (heading, csv, [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines()])
    for heading, csv, table in EXAMPLE.findall(PAGE.read_text())
]


def test_every_rule_has_an_example() -> None:
    headings = [heading for heading, *_ in EXAMPLES]
    assert len(headings) == len(SUBJECTS)
    pairs = zip(headings, SUBJECTS, strict=True)
    assert all(heading.startswith(subject) for heading, subject in pairs)


@pytest.mark.parametrize(
    ("csv", "table"), [one[1:] for one in EXAMPLES], ids=[one[0] for one in EXAMPLES]
)
def test_the_kpis_are_those_of_the_page(tmp_path: Path, csv: str, table: list[list[str]]) -> None:
    folder = tmp_path / "landing" / "purchases"
    folder.mkdir(parents=True)
    (folder / "2024-01-31.csv").write_text(csv)
    lake = Lake(str(tmp_path / "lake"))
    run(lake, tmp_path / "landing")
    names, _, values = table
    kpis = lake.snapshot(KPIS_DAILY).read()
    assert {name: Decimal(kpis[name].sum()) for name in names} == {
        name: Decimal(value) for name, value in zip(names, values, strict=True)
    }
