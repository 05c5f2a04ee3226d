"""What files brought that a shop should look at: when a check warns, and what it names."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from bridge_cart_assets.batch_days import DayRange
from bridge_cart_assets.checks.check import CheckContext, CheckResult
from bridge_cart_assets.checks.registry import checks_of
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.tables.gold import CUSTOMER_FEATURES
from bridge_cart_assets.tables.silver import (
    ACCOUNTING,
    CUSTOMERS,
    PURCHASE_REPEATS,
    PURCHASES,
    QUARANTINE,
)
from bridge_cart_assets.tables.table import Table

DAY, NEXT = date(2024, 3, 1), date(2024, 3, 2)
A = "a" * 64
FILE = {"source": "purchases", "batch_day": DAY, "object": "a.csv", "fingerprint": A, "item": 1}
LINE = {**FILE, "line_number": 1, "kind": "sale", "version_at": datetime(2024, 3, 1, tzinfo=UTC)}

Rows = list[dict[str, Any]]


def find(
    tmp_path: Path,
    table: Table,
    name: str,
    rows: dict[Table, Rows],
    days: DayRange | None = None,
    currency: str = "",
) -> CheckResult:
    frames = {t.path: pl.DataFrame(r, schema=t.dtypes) for t, r in rows.items()}
    [check] = [check for check in checks_of(table) if check.name == name]
    assert not check.blocking
    # What a file brought is told by the run that takes it, not by each later one.
    assert check.remembered == (table is CUSTOMER_FEATURES)
    return check.compute(CheckContext(Lake(str(tmp_path)), days, frames, currency))


def lines(number: int, first: int = 1, **others: Any) -> Rows:
    """Order lines of 10.00 each."""
    money = {"net_amount": Decimal("10.00")}
    return [
        {**LINE, **money, "order_id": f"O{n}", "pos": n, **others}
        for n in range(first, first + number)
    ]


def refused(number: int, reason: str = "BAD_DATE") -> Rows:
    row = {**FILE, "reason": reason, "amount": Decimal("10.00")}
    return [{**row, "pos": 100 + n} for n in range(number)]


@pytest.mark.parametrize(("bad", "passed"), [(0, True), (1, True), (2, False)])
def test_more_than_a_twentieth_of_a_file_refused_is_a_warning(
    tmp_path: Path, bad: int, passed: bool
) -> None:
    rows = {QUARANTINE: refused(bad), PURCHASES: lines(20 - bad)}
    result = find(tmp_path, QUARANTINE, "few_refused", rows)
    assert result.passed == passed
    assert result.metadata["value"] == bad / 20
    if not passed:
        assert result.message == (
            "more than 5 % refused: "
            "purchases/a.csv of 2024-03-01: 2 of 20 records refused, 20.00 (BAD_DATE)"
        )


def test_in_a_run_only_the_files_of_its_days_are_judged(tmp_path: Path) -> None:
    rows = {QUARANTINE: refused(3)}
    assert not find(tmp_path, QUARANTINE, "few_refused", rows, DayRange(DAY, DAY)).passed
    assert find(tmp_path, QUARANTINE, "few_refused", rows, DayRange(NEXT, NEXT)).passed


def test_a_guess_is_named_with_its_file_column_count_money_and_remedy(tmp_path: Path) -> None:
    rows = {PURCHASES: [*lines(2, guessed="purchase_date"), *lines(3, first=3)]}
    result = find(tmp_path, PURCHASES, "nothing_guessed", rows)
    assert (result.passed, result.metadata["value"]) == (False, 2)
    assert result.message == (
        "purchases/a.csv of 2024-03-01: 2 of 5 records read by a guess, 20.00 (purchase_date); "
        "BRIDGE_CART_DATES=purchases=day_first or month_first says how it is meant"
    )
    amounts = {PURCHASES: lines(1, guessed="purchase_amount")}
    assert "BRIDGE_CART" not in find(tmp_path, PURCHASES, "nothing_guessed", amounts).message
    assert find(tmp_path, CUSTOMERS, "nothing_guessed", rows).passed


def test_a_value_that_cannot_be_read_is_a_warning_of_its_table(tmp_path: Path) -> None:
    profile = {**FILE, "source": "customers", "customer_id": "C1", "unreadable": "age", "pos": 1}
    rows = {CUSTOMERS: [profile], PURCHASES: lines(1)}
    result = find(tmp_path, CUSTOMERS, "values_readable", rows)
    assert (result.passed, result.message) == (
        False,
        "customers/a.csv of 2024-03-01: 1 of 1 record with a value that could not be read (age)",
    )
    assert find(tmp_path, PURCHASES, "values_readable", rows).passed


def test_a_line_replaced_within_its_file_is_a_warning_with_its_money(tmp_path: Path) -> None:
    lost = {**lines(1)[0], "net_amount": Decimal("11.11"), "fate": "superseded"}
    rows = {PURCHASES: lines(1, pos=2), PURCHASE_REPEATS: [lost]}
    result = find(tmp_path, PURCHASES, "lines_of_one_key_agree", rows)
    assert (result.passed, result.metadata["value"]) == (False, 1)
    assert result.message.endswith("1 of 2 records superseded within the file, 11.11")
    assert find(tmp_path, PURCHASES, "lines_of_one_key_agree", {PURCHASES: lines(2)}).passed


def accounted(*sources: str) -> Rows:
    return [{"source": source, "batch_day": DAY, "accepted": 1} for source in sources]


def test_order_ids_of_two_sources_are_named_with_the_money_of_both(tmp_path: Path) -> None:
    two = ("shopify_orders", "shopify_api_orders")
    rows = {
        ACCOUNTING: accounted(*two),
        PURCHASES: [*lines(3, source=two[0]), *lines(2, first=3, source=two[1], batch_day=NEXT)],
    }
    result = find(tmp_path, PURCHASES, "ids_of_one_source", rows)
    assert (result.passed, result.metadata["value"]) == (False, 1)
    assert "shopify_api_orders 1 (10.00), shopify_orders 1 (10.00), for instance O3" in (
        result.message
    )
    # The other source's line is of another day.
    assert not find(tmp_path, PURCHASES, "ids_of_one_source", rows, DayRange(NEXT, NEXT)).passed
    apart = {**rows, PURCHASES: [*lines(3, source=two[0]), *lines(2, first=4, source=two[1])]}
    assert find(tmp_path, PURCHASES, "ids_of_one_source", apart).passed


def test_currencies_are_named_with_their_amounts_once_there_are_two(tmp_path: Path) -> None:
    euros = lines(2, currency="EUR")
    none = lines(5, first=10, currency=None)
    yen = lines(1, first=3, currency="JPY", net_amount=Decimal(15000), batch_day=NEXT)
    cancelled = lines(1, first=4, currency="USD", kind="cancelled")
    rows = {PURCHASES: [*euros, *none, *yen, *cancelled]}
    result = find(tmp_path, PURCHASES, "one_currency", rows)
    assert (result.passed, result.metadata["value"]) == (False, 2)
    assert "EUR 20.00, JPY 15000.00; BRIDGE_CART_CURRENCY=EUR" in result.message
    other = find(tmp_path, PURCHASES, "one_currency", rows, currency="EUR")
    assert not other.passed
    assert "before it was set name another one: JPY 15000.00; bridge-cart rebuild" in other.message
    mine = {PURCHASES: [*euros, *none, *cancelled]}
    assert find(tmp_path, PURCHASES, "one_currency", mine, currency="EUR").passed
    assert find(tmp_path, PURCHASES, "one_currency", {PURCHASES: [*euros, *none]}).passed
    assert find(tmp_path, PURCHASES, "one_currency", {PURCHASES: none}).passed


def test_a_currency_that_the_days_of_a_run_bring_is_compared_with_those_before(
    tmp_path: Path,
) -> None:
    euros = lines(2, currency="EUR")
    yen = lines(1, first=3, currency="JPY", batch_day=NEXT)
    rows = {PURCHASES: [*euros, *yen]}
    result = find(tmp_path, PURCHASES, "one_currency", rows, DayRange(NEXT, NEXT))
    assert "EUR 20.00, JPY 10.00" in result.message
    third = DayRange(date(2024, 3, 3), date(2024, 3, 3))
    assert find(tmp_path, PURCHASES, "one_currency", rows, third).passed


@pytest.mark.parametrize(
    ("most", "others", "passed"), [(10, 90, True), (11, 89, False), (50, 49, True)]
)
def test_a_customer_with_more_than_a_tenth_of_a_hundred_orders_is_named(
    tmp_path: Path, most: int, others: int, passed: bool
) -> None:
    guest = {"customer_id": "0", "orders": most, "net_revenue": Decimal(most * 5)}
    each = [{"customer_id": f"C{n}", "orders": 1, "net_revenue": Decimal(5)} for n in range(others)]
    day = {"as_of": DAY}
    rows = {CUSTOMER_FEATURES: [row | day for row in (guest, *each)]}
    result = find(tmp_path, CUSTOMER_FEATURES, "no_customer_of_many", rows)
    assert result.passed == passed
    if not passed:
        assert result.message.startswith("customer 0 has 11 of 100 orders (11.0%, 55.00)")
    address = [{**guest, "customer_id": "a@b.example"}, *each]
    named = {CUSTOMER_FEATURES: [row | day for row in address]}
    assert "@" not in find(tmp_path, CUSTOMER_FEATURES, "no_customer_of_many", named).message
