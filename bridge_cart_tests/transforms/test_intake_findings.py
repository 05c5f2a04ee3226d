"""What of a file is not in silver as it says, counted with its money."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge_cart_assets.tables.columns import MONEY
from bridge_cart_assets.tables.silver import (
    CUSTOMER_REPEATS,
    CUSTOMERS,
    PURCHASE_REPEATS,
    PURCHASES,
    QUARANTINE,
)
from bridge_cart_assets.tables.table import Table
from bridge_cart_assets.transforms.folding import fold_purchases
from bridge_cart_assets.transforms.intake_findings import intake_findings

DAY = date(2024, 3, 1)
A, B = "a" * 64, "b" * 64
FILE = {"source": "purchases", "batch_day": DAY, "object": "a.csv", "fingerprint": A, "item": 1}
NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
LINE = {**FILE, "order_id": "V1", "line_number": 1, "kind": "sale", "version_at": NOON}


def rows(table: Table, *of: dict[str, Any]) -> pl.LazyFrame:
    return pl.LazyFrame(list(of), schema=table.dtypes)


def found(
    quarantine: list[dict[str, Any]] | None = None,
    current: list[dict[str, Any]] | None = None,
    superseded: list[dict[str, Any]] | None = None,
) -> pl.DataFrame:
    return intake_findings(
        rows(QUARANTINE, *quarantine or []),
        rows(PURCHASES, *current or []),
        rows(PURCHASE_REPEATS, *superseded or []),
        PURCHASES.key,
    )


def told(findings: pl.DataFrame) -> list[tuple[Any, ...]]:
    columns = ("object", "kind", "subject", "records", "of_records", "amount")
    return findings.select(columns).rows()


def folded(*lines: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The findings of order lines that silver has folded."""
    schema = PURCHASE_REPEATS.empty().drop("fate").schema
    fold = fold_purchases(pl.DataFrame(list(lines), schema=schema))
    superseded = PURCHASE_REPEATS.conform(fold.superseded)
    return told(
        intake_findings(
            QUARANTINE.empty().lazy(),
            fold.current.lazy(),
            superseded.lazy(),
            PURCHASES.key,
        )
    )


def line(pos: int, amount: str, **others: Any) -> dict[str, Any]:
    blank = {"unreadable": None, "guessed": None, "customer_id": "C1", "currency": None}
    required = {
        "purchase_date": NOON,
        "purchase_day": DAY,
        "purchase_month": "2024-03",
        "purchase_amount": Decimal(amount),
        "discount_amount": Decimal(0),
        "quantity": Decimal(1),
        "coupon_used": False,
        "payment_method": "unknown",
        "product_category": "unknown",
    }
    return {**LINE, **required, **blank, "pos": pos, "net_amount": Decimal(amount), **others}


def test_refused_records_are_counted_by_reason_with_what_of_their_money_is_readable() -> None:
    refused = [
        {**FILE, "pos": 1, "reason": "BAD_DATE", "amount": Decimal("10.00")},
        {**FILE, "pos": 2, "reason": "BAD_DATE", "amount": Decimal("2.50")},
        {**FILE, "pos": 3, "reason": "BAD_AMOUNT", "amount": None},
    ]
    assert told(found(refused, [line(4, "1.00")])) == [
        ("a.csv", "refused", "BAD_AMOUNT", 1, 4, None),
        ("a.csv", "refused", "BAD_DATE", 2, 4, Decimal("12.50")),
    ]


def test_a_record_with_two_columns_is_in_the_count_of_each() -> None:
    lines = [
        line(1, "5.00", guessed="purchase_date,purchase_amount"),
        line(2, "7.00", line_number=2, guessed="purchase_date", unreadable="currency"),
    ]
    assert told(found(current=lines)) == [
        ("a.csv", "guessed", "purchase_amount", 1, 2, Decimal("5.00")),
        ("a.csv", "guessed", "purchase_date", 2, 2, Decimal("12.00")),
        ("a.csv", "unreadable", "currency", 1, 2, Decimal("7.00")),
    ]


def test_files_of_one_name_are_two_files() -> None:
    refused = [
        {**FILE, "fingerprint": f, "pos": 1, "reason": "BAD_DATE", "amount": None} for f in (A, B)
    ]
    assert found(refused)["of_records"].to_list() == [1, 1]


def test_a_line_that_its_own_file_replaces_is_told_with_its_money() -> None:
    assert folded(line(1, "11.11"), line(2, "12.00")) == [
        ("a.csv", "superseded_in_file", "", 1, 2, Decimal("11.11"))
    ]


def test_a_line_that_another_file_replaces_is_a_correction() -> None:
    correction = line(1, "12.00", fingerprint=B, object="b.csv")
    assert folded(line(1, "11.11"), correction) == []


def test_a_repetition_within_a_file_is_no_loss_whoever_stands() -> None:
    same = [line(1, "11.11"), line(2, "11.11")]
    assert folded(*same) == []
    assert folded(*same, line(1, "12.00", fingerprint=B, object="b.csv")) == []


def test_a_line_lost_in_its_file_stays_told_when_another_file_replaces_the_other() -> None:
    later = line(1, "13.00", fingerprint=B, object="b.csv")
    assert folded(line(1, "11.11"), line(2, "12.00"), later) == [
        ("a.csv", "superseded_in_file", "", 1, 2, Decimal("11.11"))
    ]


def test_a_line_that_a_later_file_brings_again_is_lost_no_more() -> None:
    corrected = {"fingerprint": B, "object": "b.csv"}
    again = [line(1, "11.11", **corrected), line(2, "12.00", line_number=2, **corrected)]
    assert folded(line(1, "11.11"), line(2, "12.00"), *again) == []


def test_messages_of_one_key_are_corrections() -> None:
    topic = {"object": "bridge-cart.purchases-0", "fingerprint": "bridge-cart.purchases-0"}
    assert folded(line(1, "11.11", **topic), line(2, "12.00", **topic)) == []


def test_a_later_updated_at_within_the_file_is_a_correction() -> None:
    later = datetime(2024, 3, 1, 13, tzinfo=UTC)
    assert folded(line(1, "11.11"), line(2, "12.00", version_at=later)) == []
    assert folded(line(1, "11.11", version_at=later), line(2, "12.00")) == []


def test_a_profile_has_no_money() -> None:
    profile = {**FILE, "source": "customers", "pos": 1, "customer_id": "C1", "unreadable": "age"}
    findings = intake_findings(
        QUARANTINE.empty().lazy(),
        rows(CUSTOMERS, profile),
        CUSTOMER_REPEATS.empty().lazy(),
        ("customer_id", "valid_from"),
    )
    assert told(findings) == [("a.csv", "unreadable", "age", 1, 1, None)]
    assert findings.schema["amount"] == MONEY


def test_nothing_is_no_row() -> None:
    assert found().is_empty()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["1.00", "2.00", "3.00"]), min_size=1, max_size=6))
def test_what_is_told_is_all_that_differs_from_the_last_of_the_file(amounts: list[str]) -> None:
    lost = [Decimal(a) for a in amounts if a != amounts[-1]]
    wanted = [("a.csv", "superseded_in_file", "", len(lost), len(amounts), sum(lost))]
    lines = [line(n, amount) for n, amount in enumerate(amounts, 1)]
    assert folded(*lines) == (wanted if lost else [])
