"""Refused records in short, without what they say."""

from datetime import date

import polars as pl
import pytest

from bridge_cart_assets.tables.meta import ACCOUNTING, ACCOUNTING_DAYS
from bridge_cart_assets.tables.meta import QUARANTINE as META
from bridge_cart_assets.tables.silver import QUARANTINE
from bridge_cart_assets.transforms.outcomes import accounting_totals, latest_days
from bridge_cart_assets.transforms.quarantine_summary import masked, refusals_by_reason


def refused(*rows: tuple[str, str, str | None, str | None, int]) -> pl.LazyFrame:
    names = {"source": pl.String, "reason": pl.String, "column": pl.String, "value": pl.String}
    frame = pl.DataFrame(rows, schema={**names, "day": pl.Int64}, orient="row")
    assert set(names) < set(QUARANTINE.columns)
    return frame.lazy().with_columns(batch_day=pl.date(2024, 1, pl.col("day")))


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("2024-13-45", "9999-99-99"),
        ("Élodie  O’Brien", "aaaaaa a’aaaaa"),
        ("e\N{COMBINING ACUTE ACCENT}t\tÄß中٣\n", "aa aaa9"),
        (" N/A ", "a/a"),
        ("x" * 60, "a" * 40),
        ("", ""),
        (None, None),
    ],
)
def test_letters_become_a_and_digits_9(value: str | None, form: str | None) -> None:
    frame = pl.DataFrame({"value": [value]}, schema={"value": pl.String})
    assert frame.select(masked(pl.col("value"))).item() == form


def test_refusals_are_counted_with_their_most_frequent_forms() -> None:
    bad = ("purchases", "BAD_DATE", "purchase_date")
    found = refusals_by_reason(
        refused(
            *((*bad, value, 3) for value in ("x1", "y2", "z3")),
            *((*bad, value, 5) for value in ("soon", "2024", "2025", "n/a", "")),
            ("purchases", "MALFORMED", None, None, 4),
        )
    )
    assert META.conform(found).rows() == [
        (*bad, 8, date(2024, 1, 3), date(2024, 1, 5), ["a9", "9999", "a/a"]),
        ("purchases", "MALFORMED", "", 1, date(2024, 1, 4), date(2024, 1, 4), []),
    ]


@pytest.mark.parametrize("column", ["name", "email", "mobile", "city", "something_new", None])
def test_no_value_is_shown_of_columns_about_persons_or_unknown_ones(column: str | None) -> None:
    found = refusals_by_reason(refused(("customers", "BAD", column, "Anna", 1)))
    assert found["examples"].to_list() == [[]]
    assert found["records"].to_list() == [1]


def test_no_refusals_are_no_rows() -> None:
    assert META.conform(refusals_by_reason(refused())).height == 0


def test_fates_are_summed_by_source_and_kept_for_the_latest_days() -> None:
    days = [date(2024, 1, d) for d in (1, 2, 4)]
    counts = {"records": 10, "blank": 1, "quarantined": 2, "accepted": 4, "duplicate": 2}
    rows = [{"batch_day": day, **counts, "superseded": 1} for day in days]
    frame = pl.DataFrame(
        [{"source": "b", **row} for row in rows] + [{"source": "a", **rows[0]}]
    ).lazy()
    totals = ACCOUNTING.conform(accounting_totals(frame, ["b"]))
    assert totals.select("source", "records", "days", "last_day", "brings_orders").rows() == [
        ("a", 10, 1, days[0], False),
        ("b", 30, 3, days[2], True),
    ]
    latest = ACCOUNTING_DAYS.conform(latest_days(frame, 2))
    assert latest.select("source", "batch_day").rows() == [("b", days[1]), ("b", days[2])]
