"""How figures are written."""

import doctest
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from types import ModuleType

import pytest

from bridge_cart_assets.reports import export, formatting
from bridge_cart_assets.reports.formatting import (
    THIN,
    Cell,
    Number,
    compact,
    compact_count,
    compact_money,
    count,
    grouped,
    moment,
    money,
    percent,
)


@pytest.mark.parametrize("module", [formatting, export])
def test_the_examples_in_the_docstrings_hold(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0
    assert doctest.testmod(module).attempted > 0


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (0.004, "0"),
        (-0.004, "0"),
        (0.996, "1"),
        (5.25, "5.25"),
        (5.245, "5.25"),
        (81.37, "81.4"),
        (117.2, "117"),
        (999.4, "999"),
        (999.5, "1k"),
        (1143.2, "1.14k"),
        (10_000, "10k"),
        (49_999, "50k"),
        (100_000, "100k"),
        (999_499, "999k"),
        (999_500, "1M"),
        (Decimal("35612345.67"), "35.6M"),
        (1_000_000_000, "1bn"),
        (1_234_000_000_000, f"1{THIN}230bn"),
        (-1143.2, "−1.14k"),
    ],
)
def test_compact_has_three_digits_and_a_unit(number: Number, text: str) -> None:
    assert compact(number) == text


@pytest.mark.parametrize(
    ("number", "decimals", "text"),
    [
        (1234567, 0, "1_234_567"),
        (999, 0, "999"),
        (0.125, 2, "0.13"),
        (Decimal("-1234.5"), 2, "−1_234.50"),
        (-0.001, 2, "0.00"),
    ],
)
def test_grouped_separates_thousands_thinly(number: Number, decimals: int, text: str) -> None:
    assert grouped(number, decimals).replace(THIN, "_") == text


def test_the_full_value_stays_beside_the_short_one() -> None:
    assert compact_money(Decimal("35612345.67")) == Cell(
        "35.6M", f"35{THIN}612{THIN}345.67", "35612345.67", is_money=True
    )
    assert compact_count(13_949) == Cell("13.9k", f"13{THIN}949", "13949")
    assert percent(0.43912) == Cell("43.9%", "43.9120%", "0.43912")


def test_counts_below_ten_thousand_are_written_in_full() -> None:
    assert compact_count(9_999).text == f"9{THIN}999"
    assert compact_count(10_000).text == "10k"


@pytest.mark.parametrize("show", [count, compact_count, money, compact_money, percent])
@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_no_value_is_a_dash_with_its_reason(
    show: Callable[[Number | None, str], Cell], value: float | None
) -> None:
    assert show(value, "no orders") == Cell("–", "no orders", None)


def test_zero_is_a_value() -> None:
    assert count(0).value == "0"
    assert percent(0.0).text == "0.0%"


def test_moments_are_iso_and_say_utc() -> None:
    assert moment(datetime(2024, 5, 1, 7, 3, 59)) == "2024-05-01 07:03 UTC"
