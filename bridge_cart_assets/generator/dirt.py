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
from bridge_cart_assets.generator.chance import Ints, pick

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
        weight: how often, among the defects of the source.
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
    """The first one befalls every record: it stands in where another one does not apply."""
    long_epoch = sp.has_long_epoch(column)
    return (
        Defect("date_with_zone", column, sp.with_zone(column), "repaired", 3),
        Defect("date_day_first", column, sp.day_first(column), "repaired", 5),
        Defect("date_epoch", column, sp.epoch(column), "repaired", 3, long_epoch),
    )


def _amount_spellings(column: str) -> tuple[Defect, ...]:
    positive = ~sp.is_negative(column)
    thousands = positive & sp.is_thousands(column)
    return (
        Defect("amount_thousands", column, sp.with_thousands(column), "repaired", 5, thousands),
        Defect("amount_currency", column, sp.with_currency(column), "repaired", 5, positive),
        Defect("amount_comma", column, sp.with_comma(column), "repaired", 5),
    )


DUPLICATE = Defect("duplicate_record", None, pl.lit(None), "duplicate", 15, pl.col("_stands"))
_NO_CUSTOMER = Defect(
    "missing_customer_id", "customer_id", EMPTY, "MISSING_CUSTOMER_ID", weight=5
)

PURCHASE_DEFECTS = (
    *_date_spellings("purchase_date"),
    *_date_spellings("updated_at"),
    *_amount_spellings("purchase_amount"),
    Defect(
        "amount_parentheses",
        "purchase_amount",
        sp.in_parentheses("purchase_amount"),
        "repaired",
        weight=5,
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
    Defect(
        "date_day_first", "signup_date", sp.day_first_date("signup_date"), "repaired", weight=6
    ),
    *_amount_spellings("income"),
    Defect("gender_spelling", "gender", sp.respelt("gender", sp.GENDERS), "repaired", weight=15),
    *(_missing(column) for column in ("name", "email", "mobile", "age", "income", "city")),
    DUPLICATE,
    _NO_CUSTOMER,
)


@dataclass(frozen=True)
class Spoilt:
    """Records as they land.

    Attributes:
        records: the text of every record, in the order of the files; `_day` its file's day,
            `_record` its position there, from 1, and `_row` the tidy record that it was made from
            (`_copy` when it is that record once more).
        manifest: grain (file, record), one row per defect, with the columns of `MANIFEST`.
    """

    records: pl.DataFrame
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
        tidy: text columns; `_day`, ascending, of the file; `_stands`, whether the record is the
            last one of its key, so that a copy of it is a duplicate and not outdated.
        source: folder of the files.
        defects: what can befall these records; the first one must apply to all of them.
        rate: chance of a record to have a defect.
        rng: source of chance.
    """
    columns = _columns(tidy)
    numbered = tidy.with_columns(
        _row=pl.int_range(pl.len()), _kind=pl.lit(None, pl.Int64), _copy=pl.lit(False)
    ).with_columns(_place="_row")
    hit = rng.random(tidy.height) < rate
    struck = numbered.filter(hit).with_columns(
        _kind=pick(rng, [defect.weight for defect in defects], int(hit.sum())),
        _chance=rng.integers(0, 1 << 30, int(hit.sum())),
        _later=_later_in_file(rng, tidy["_day"], np.flatnonzero(hit)),
    )
    struck = struck.with_columns(_kind=_applicable(defects))
    copied = pl.col("_kind") == defects.index(DUPLICATE)
    struck = struck.with_columns(
        *_dirty_columns(defects),
        _copy=copied,
        _place=pl.when(copied).then("_later").otherwise("_place"),
    ).select(numbered.columns)
    originals = numbered.filter(pl.col("_row").is_in(struck.filter("_copy")["_row"].implode()))
    records = (
        pl.concat([numbered.filter(~hit), originals, struck])
        .sort("_place", "_copy", "_row")
        .with_columns(_record=pl.int_range(1, pl.len() + 1).over("_day"))
    )
    manifest = _manifest(records.filter(pl.col("_kind").is_not_null()), tidy, source, defects)
    return Spoilt(records.select(*columns, "_day", "_record", "_row", "_copy"), manifest)


def _columns(tidy: pl.DataFrame) -> list[str]:
    """The columns that land; the others begin with an underscore."""
    return [name for name in tidy.columns if not name.startswith("_")]


def _later_in_file(rng: np.random.Generator, day: pl.Series, rows: Ints) -> Ints:
    """A row from each of `rows` to the last one of its file."""
    days = day.to_physical().to_numpy()
    left = np.searchsorted(days, days[rows], side="right") - rows
    return rows + (rng.random(rows.size) * left).astype(np.int64)


def _applicable(defects: Sequence[Defect]) -> pl.Expr:
    """The drawn kind, or the first one where that cannot befall the record."""
    misfits = [
        (pl.col("_kind") == number) & ~defect.applies for number, defect in enumerate(defects)
    ]
    return pl.when(pl.any_horizontal(misfits)).then(0).otherwise("_kind")


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
    spoilt: pl.DataFrame, tidy: pl.DataFrame, source: str, defects: Sequence[Defect]
) -> pl.DataFrame:
    """What was done to each of the spoilt records, with the value before and after."""
    before = tidy[spoilt["_row"].to_numpy()]
    told = spoilt.select(
        file=pl.lit(f"{source}/") + pl.col("_day").cast(pl.String) + ".csv",
        record="_record",
        column=_of_kind([defect.column for defect in defects]),
        kind=_of_kind([defect.kind for defect in defects]),
        expected=_of_kind([defect.expected for defect in defects]),
    )
    told = told.with_columns(
        clean_value=_value_of(before, told["column"]),
        dirty_value=_value_of(spoilt, told["column"]).fill_null(""),
    )
    copies = pl.col("column").is_null()
    text = spoilt.select(pl.concat_str(_columns(tidy), separator=",")).to_series()
    return told.with_columns(dirty_value=pl.when(copies).then(text).otherwise("dirty_value")).select(
        pl.col(name).cast(dtype) for name, dtype in MANIFEST.items()
    )


def _of_kind(values: Sequence[str | None]) -> pl.Expr:
    return pl.col("_kind").replace_strict(dict(enumerate(values)), return_dtype=pl.String)


def _value_of(records: pl.DataFrame, column: pl.Series) -> pl.Series:
    """From each record the value of the column that is named for it; null where none is."""
    named = (pl.when(pl.lit(column) == name).then(name) for name in column.unique().drop_nulls())
    return records.select(pl.coalesce(pl.lit(None, pl.String), *named)).to_series()
