"""What goes wrong on the way: a share of the records is spoilt, and every defect is written down.

A record has one defect at most, so that what should become of it is beyond dispute.

Belongs here: the kinds of defects, what each should lead to, and putting them in. Does not belong
here: how a value is spelt (`spellings`), nor defects of whole files.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from bridge_cart_assets.generator import spellings as sp
from bridge_cart_assets.generator.chance import Ints, pick_each
from bridge_cart_assets.generator.landing import COLUMNS, plain_line, quoted_line

MANIFEST = {
    "file": pl.String,
    "record": pl.Int64,
    "column": pl.String,
    "kind": pl.String,
    "clean_value": pl.String,
    "dirty_value": pl.String,
    "expected": pl.String,
}
ALWAYS = pl.lit(True)
EMPTY = pl.lit(None, pl.String)


@dataclass(frozen=True, eq=False)  # expressions cannot be compared
class Defect:
    """One kind of defect in one column.

    Attributes:
        kind: its name in the manifest.
        column: column that it spoils; None for a copy of the whole record.
        dirty: the text that takes the place of the tidy one.
        expected: repaired, duplicate, defaulted or the reason code of the refusal.
        weight: how often, among the defects that can befall a record.
        applies: records that it can befall.
    """

    kind: str
    column: str | None
    dirty: pl.Expr
    expected: str
    weight: float
    applies: pl.Expr = ALWAYS


def _missing(column: str) -> Defect:
    return Defect("missing_value", column, EMPTY, "defaulted", 2)


def _date_spellings(column: str) -> tuple[Defect, ...]:
    long_epoch = sp.has_long_epoch(column)
    return (
        Defect("date_with_zone", column, sp.with_zone(column), "repaired", 3),
        Defect("date_day_first", column, sp.day_first(column), "repaired", 5),
        Defect("date_epoch", column, sp.epoch(column), "repaired", 3, long_epoch),
    )


def _amount_spellings(column: str, *, thousands: float) -> tuple[Defect, ...]:
    positive = ~sp.is_negative(column)
    large = positive & sp.is_thousands(column)
    return (
        Defect("amount_thousands", column, sp.with_thousands(column), "repaired", thousands, large),
        Defect("amount_currency", column, sp.with_currency(column), "repaired", 5, positive),
        Defect("amount_comma", column, sp.with_comma(column), "repaired", 5),
    )


DUPLICATE = Defect("duplicate_record", None, pl.lit(None), "duplicate", 15, pl.col("_stands"))
_NO_CUSTOMER = Defect("missing_customer_id", "customer_id", EMPTY, "MISSING_CUSTOMER_ID", weight=5)

PURCHASE_DEFECTS = (
    *_date_spellings("purchase_date"),
    *_date_spellings("updated_at"),
    *_amount_spellings("purchase_amount", thousands=60),  # few lines are that dear
    Defect(
        "amount_parentheses",
        "purchase_amount",
        sp.in_parentheses("purchase_amount"),
        "repaired",
        weight=30,
        applies=sp.is_negative("purchase_amount"),
    ),
    Defect(
        "boolean_spelling",
        "coupon_used",
        sp.respelt("coupon_used", sp.BOOLEANS),
        "repaired",
        weight=8,
    ),
    Defect(
        "payment_spelling",
        "payment_method",
        sp.respelt("payment_method", sp.PAYMENT_METHODS),
        "repaired",
        weight=12,
    ),
    *(_missing(column) for column in ("coupon_used", "payment_method", "product_category")),
    DUPLICATE,
    _NO_CUSTOMER,
    Defect(
        "unreadable_amount", "purchase_amount", sp.one_of(sp.NOT_AMOUNTS), "BAD_AMOUNT", weight=4
    ),
    Defect("unreadable_date", "purchase_date", sp.one_of(sp.NOT_MOMENTS), "BAD_DATE", weight=4),
    Defect(
        "negative_amount",
        "purchase_amount",
        pl.lit("-") + pl.col("purchase_amount"),
        "NON_POSITIVE_AMOUNT",
        weight=4,
        applies=pl.col("status") == "completed",
    ),
)

CUSTOMER_DEFECTS = (
    *_date_spellings("updated_at"),
    Defect("date_day_first", "signup_date", sp.day_first_date("signup_date"), "repaired", weight=6),
    *_amount_spellings("income", thousands=5),
    Defect("gender_spelling", "gender", sp.respelt("gender", sp.GENDERS), "repaired", weight=15),
    *(_missing(column) for column in ("name", "email", "mobile", "age", "income", "city")),
    DUPLICATE,
    _NO_CUSTOMER,
)


@dataclass(frozen=True)
class Spoilt:
    """Records as they land.

    Attributes:
        records: `line`, the record's text, and `_day` of its file, in the order of the files.
        places: of each tidy record the position in its file, from 1.
        manifest: grain (file, record), one row per defect, with the columns of `MANIFEST`.
    """

    records: pl.DataFrame
    places: Ints
    manifest: pl.DataFrame


def spoil(
    tidy: pl.DataFrame,
    *,
    source: str,
    defects: Sequence[Defect],
    rate: float,
    rng: np.random.Generator,
) -> Spoilt:
    """Give a share of the records one defect each.

    Args:
        tidy: what `landing.as_text` returns for the source.
        source: folder of the files.
        defects: what can befall these records; to each record one of them must apply.
        rate: chance of a record to have a defect.
        rng: source of chance.
    """
    columns = COLUMNS[source]
    rows = np.flatnonzero(rng.random(tidy.height) < rate)
    struck = tidy[rows]
    struck = struck.with_columns(
        _kind=pick_each(rng, struck.select(_weights(defects)).to_numpy()),
        _chance=rng.integers(0, 1 << 30, rows.size),
    )
    dirty = struck.with_columns(_dirty_columns(defects))
    copied = (struck["_kind"] == defects.index(DUPLICATE)).to_numpy()
    later = _later_in_file(rng, tidy["_day"], rows)

    # A copy comes behind its original; every other defect takes the place of the tidy record.
    intact = np.setdiff1d(np.arange(tidy.height), rows[~copied], assume_unique=True)
    row = np.concatenate([intact, rows])
    copy = np.concatenate([np.zeros(intact.size, dtype=np.bool_), copied])
    behind = np.concatenate([intact, np.where(copied, later, rows)])
    order = np.lexsort((row, copy, behind))
    line = pl.concat(
        [_lines(tidy, plain_line(columns))[intact], _lines(dirty, quoted_line(columns))]
    )
    records = pl.DataFrame({"line": line[order], "_day": tidy["_day"][row[order]]})
    place = np.empty(order.size, dtype=np.int64)
    place[order] = _places_in_file(records["_day"])

    places = np.empty(tidy.height, dtype=np.int64)
    places[row[~copy]] = place[~copy]
    manifest = _manifest(struck, dirty, place[intact.size :], source=source, defects=defects)
    return Spoilt(records, places, manifest)


def _lines(records: pl.DataFrame, line: pl.Expr) -> pl.Series:
    return records.select(line).to_series()


def _places_in_file(day: pl.Series) -> Ints:
    """Position of each record among those of its day, from 1; `day` ascends."""
    days = day.to_physical().to_numpy()
    return np.arange(1, days.size + 1) - np.searchsorted(days, days, side="left")


def _later_in_file(rng: np.random.Generator, day: pl.Series, rows: Ints) -> Ints:
    """For each of `rows` a row between it and the last one of its file; `day` ascends."""
    days = day.to_physical().to_numpy()
    left = np.searchsorted(days, days[rows], side="right") - rows
    later: Ints = rows + (rng.random(rows.size) * left).astype(np.int64)
    return later


def _weights(defects: Sequence[Defect]) -> list[pl.Expr]:
    """A column per defect: its weight, or 0 where it cannot befall the record."""
    return [
        pl.when(defect.applies).then(defect.weight).otherwise(0.0).alias(str(number))
        for number, defect in enumerate(defects)
    ]


def _dirty_columns(defects: Sequence[Defect]) -> list[pl.Expr]:
    """Each column that a defect can spoil, spoilt where `_kind` says so."""
    spoilt: dict[str, pl.Expr] = {}
    for number, defect in enumerate(defects):
        if defect.column:
            tidy = spoilt.get(defect.column, pl.col(defect.column))
            is_struck = pl.col("_kind") == number
            spoilt[defect.column] = pl.when(is_struck).then(defect.dirty).otherwise(tidy)
    return [expression.alias(column) for column, expression in spoilt.items()]


def _manifest(
    struck: pl.DataFrame,
    dirty: pl.DataFrame,
    place: Ints,
    *,
    source: str,
    defects: Sequence[Defect],
) -> pl.DataFrame:
    """What was done to each of the struck records; a copy's dirty value is its whole line."""
    told = struck.select(
        file=pl.lit(f"{source}/") + pl.col("_day").cast(pl.String) + ".csv",
        record=pl.lit(pl.Series(place)),
        column=_of_kind([defect.column for defect in defects]),
        kind=_of_kind([defect.kind for defect in defects]),
        expected=_of_kind([defect.expected for defect in defects]),
    )
    line = _lines(dirty, quoted_line(COLUMNS[source]))
    value = _named_value(dirty, told["column"]).fill_null("")
    return (
        told.with_columns(
            clean_value=_named_value(struck, told["column"]),
            dirty_value=pl.when(pl.col("column").is_null()).then(line).otherwise(value),
        )
        .sort("file", "record")
        .select(pl.col(name).cast(dtype) for name, dtype in MANIFEST.items())
    )


def _of_kind(values: Sequence[str | None]) -> pl.Expr:
    return pl.col("_kind").replace_strict(dict(enumerate(values)), return_dtype=pl.String)


def _named_value(records: pl.DataFrame, column: pl.Series) -> pl.Series:
    """From each record the value of the column that is named for it; null where none is."""
    named = [pl.when(pl.col("_named") == name).then(name) for name in column.unique().drop_nulls()]
    value = pl.coalesce(*named, pl.lit(None, pl.String))
    return records.with_columns(_named=column).with_columns(_value=value)["_value"]
