"""The page on sources has a section for each, and each section says what becomes of each column."""

import re
from pathlib import Path

import pytest

from bridge_cart_assets.sources import SOURCES, Source

PAGE = (Path(__file__).parents[2] / "docs" / "sources.md").read_text()
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))


def first_cells(section: str) -> str:
    """What the first column of a section's table names."""
    return "\n".join(re.findall(r"^\| ([^|]+) \|", section, re.MULTILINE))


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_every_column_of_a_source_is_in_the_table_of_its_section(source: Source) -> None:
    named = set(re.findall(r"`([^`]+)`", first_cells(SECTIONS[source.name])))
    assert source.columns.keys() - named == set()


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_the_required_columns_are_marked_and_no_others(source: Source) -> None:
    rows = first_cells(SECTIONS[source.name]).splitlines()
    marked = [row for row in rows if "(required" in row]
    assert {re.findall(r"`([^`]+)`", row)[0] for row in marked} == set(source.required)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_a_foreign_source_says_what_it_leaves_out(source: Source) -> None:
    if source.name not in ("customers", "purchases"):
        assert "**Limits**" in SECTIONS[source.name]
