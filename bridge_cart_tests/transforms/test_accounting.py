"""Each count is made by itself, per batch day."""

from datetime import date

import polars as pl

from bridge_cart_assets.tables.silver import ACCOUNTING
from bridge_cart_assets.transforms.accounting import account

ONE, TWO, THREE = date(2024, 1, 1), date(2024, 1, 2), date(2024, 1, 3)


def days(name: str, *rows: tuple[date, str]) -> pl.LazyFrame:
    """Rows with a batch day and one more column."""
    return pl.LazyFrame(rows, schema={"batch_day": pl.Date, name: pl.String}, orient="row")


def test_every_kind_of_record_is_counted_on_its_day() -> None:
    raw = days("_status", *[(ONE, "ok")] * 5, (ONE, "blank"), (ONE, "quarantined"), (TWO, "ok"))
    counted = account(
        "purchases",
        raw.rename({"batch_day": "_batch_day"}),
        days("reason", (ONE, "MALFORMED"), (ONE, "BAD_DATE")),
        days("order_id", (ONE, "O1"), (ONE, "O2"), (TWO, "O3")),
        days("fate", (ONE, "duplicate"), (ONE, "superseded")),
    )
    assert ACCOUNTING.conform(counted).rows(named=True) == [
        {
            "source": "purchases",
            "batch_day": ONE,
            "records": 7,
            "blank": 1,
            "quarantined": 2,
            "accepted": 2,
            "duplicate": 1,
            "superseded": 1,
            "raw_records": 7,
        },
        {
            "source": "purchases",
            "batch_day": TWO,
            "records": 1,
            "blank": 0,
            "quarantined": 0,
            "accepted": 1,
            "duplicate": 0,
            "superseded": 0,
            "raw_records": 1,
        },
    ]


def test_a_record_that_got_lost_is_not_made_up_for() -> None:
    raw = days("_status", (ONE, "ok"), (ONE, "ok")).rename({"batch_day": "_batch_day"})
    nothing = days("reason")
    counted = account("s", raw, nothing, days("order_id", (ONE, "O1")), days("fate"))
    assert counted.select("records", "accepted", "duplicate", "superseded").row(0) == (2, 1, 0, 0)


def test_a_day_without_raw_records_has_no_row() -> None:
    raw = days("_status", (ONE, "ok")).rename({"batch_day": "_batch_day"})
    standing = days("order_id", (ONE, "O1"), (THREE, "O2"))
    counted = account("s", raw, days("reason"), standing, days("fate"))
    assert counted["batch_day"].to_list() == [ONE]


def test_where_a_record_holds_several_lines_the_lines_are_counted() -> None:
    raw = pl.LazyFrame(
        {
            "_batch_day": ONE,
            "_fingerprint": "f",
            "_pos": [1, 2, 3, 4],
            "_status": ["ok", "ok", "blank", "quarantined"],
        }
    )
    lines = pl.DataFrame({"_batch_day": ONE, "_fingerprint": "f", "_pos": [1, 1, 1]})
    nothing = pl.LazyFrame(schema={"batch_day": pl.Date, "fate": pl.String})
    counted = account("shop", raw, nothing, nothing, nothing, lines)
    # Three lines, an order without any, an empty line, and what could not be read.
    assert counted.select("records", "blank", "raw_records").rows() == [(6, 2, 4)]
