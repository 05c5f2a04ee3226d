"""Putting defects into the records of a day's files, and writing every one down.

A record has one defect at most, so that what should become of it is beyond dispute.

Belongs here: spoiling records and the manifest. Does not belong here: which defects there are
(`defects`), nor how a value is spelt (`spellings`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from bridge_cart_assets.generator.defects import MOVING, Defect, How, Share
from bridge_cart_assets.generator.deliveries import NONE
from bridge_cart_assets.generator.file_forms import ORDER_FIELDS, render_in_form
from bridge_cart_assets.generator.landing import PURCHASES, Form, Target
from bridge_cart_assets.generator.rng import Flags, Ints, choose_each

MANIFEST = {
    "file": pl.String,
    "record": pl.Int64,
    "column": pl.String,
    "kind": pl.String,
    "clean_value": pl.String,
    "dirty_value": pl.String,
    "expected": pl.String,
    "settled_on": pl.Date,
}


@dataclass(frozen=True)
class Spoilt:
    """Records as they land.

    Attributes:
        records: what `file_forms.render_in_form` returns, and `_day` of the file, in the order of
            the files.
        places: of each given record the position in its file, from 1.
        manifest: grain (file, record), one row per defect; `_day` of the file and the columns of
            `MANIFEST` but `file`.
    """

    records: pl.DataFrame
    places: Ints
    manifest: pl.DataFrame


def spoil(
    tidy: pl.DataFrame,
    *,
    source: str,
    form: Form,
    defects: Sequence[Defect],
    shares: Sequence[Share],
    start: date,
    to: Target,
) -> Spoilt:
    """Give a share of the records one defect each.

    Args:
        tidy: the source's columns as text; of `deliveries` what its records have, each name with
            an underscore before it, `_day` for lands; and what `file_forms.with_forms` adds.
        source: whose records they are.
        form: format of the files.
        defects: what can befall these records.
        shares: which records the defects befall that are not put in by `deliveries`.
        start: first day of the shop.
        to: where the records go.
    """
    kind = _kinds(tidy, defects, shares)
    filled = np.zeros(kind.size, dtype=np.bool_)
    # Messages are by themselves: no other one says what is missing.
    if source == PURCHASES and to is Target.FILES:
        kind, filled = _with_orders_that_fill(tidy, kind, defects)
    rows = np.flatnonzero(kind != NONE)
    struck = tidy[rows].with_columns(_kind=kind[rows], _filled=filled[rows])
    dirty = struck.with_columns(_dirty_columns(defects))
    how = np.array([defect.how for defect in defects], dtype=object)[kind[rows]]
    copied = how == How.COPY
    later = _later_in_file(tidy["_day"].to_numpy(), tidy["_place"].to_numpy()[rows], rows)

    # A copy comes behind its original; every other defect takes the place of the tidy record.
    intact = np.setdiff1d(np.arange(tidy.height), rows[~copied], assume_unique=True)
    row = np.concatenate([intact, rows])
    copy = np.concatenate([np.zeros(intact.size, dtype=np.bool_), copied])
    behind = np.concatenate([intact, np.where(copied, later, rows)])
    order = np.lexsort((row, copy, behind))
    clean_lines = render_in_form(struck, source, form)
    dirty_lines = render_in_form(dirty, source, form, tidy=struck)
    if form is not Form.PARQUET:
        dirty_lines = _with_broken_lines(dirty_lines, clean_lines, kind[rows], defects)
    rendered = pl.concat([render_in_form(tidy, source, form)[intact], dirty_lines])[order]
    day = tidy["_day"][row[order]]
    place = np.empty(order.size, dtype=np.int64)
    place[order] = _places_in_file(day.to_numpy())

    places = np.empty(tidy.height, dtype=np.int64)
    places[row[~copy]] = place[~copy]
    manifest = _manifest(
        struck, dirty, _as_line(clean_lines), _as_line(dirty_lines), place[intact.size :], defects
    ).with_columns(
        clean_value=pl.when("_late").then(_day("_due", start)).otherwise("clean_value"),
        dirty_value=pl.when("_late").then(_day("_day", start)).otherwise("dirty_value"),
        settled_on=_day("_settled", start).str.to_date("%Y-%m-%d"),
    )
    return Spoilt(
        records=rendered.with_columns(_day=day),
        places=places,
        manifest=manifest.sort("_day", "record").select(
            "_day", *(name for name in MANIFEST if name != "file")
        ),
    )


def _kinds(tidy: pl.DataFrame, defects: Sequence[Defect], shares: Sequence[Share]) -> Ints:
    """For each record the index of its defect, or -1."""
    kind = tidy["_defect"].to_numpy().copy()
    level = tidy["_level"].to_numpy()
    for share in shares:
        rows = np.flatnonzero((level >= share.lower) & (level < share.upper) & (kind == NONE))
        able = tidy[rows]
        weights = able.select(
            pl.when(defects[member].can_befall)
            .then(defects[member].weight)
            .otherwise(0.0)
            .alias(str(member))
            for member in share.members
        ).to_numpy()
        chosen = choose_each(weights, able["_choice"].to_numpy())
        members = np.array(share.members, dtype=np.int64)[chosen]
        kind[rows] = np.where(weights.sum(axis=1) > 0, members, NONE)
    return kind


def _with_orders_that_fill(
    tidy: pl.DataFrame, kind: Ints, defects: Sequence[Defect]
) -> tuple[Ints, Flags]:
    """Settle what becomes of a blank that the order's other lines in the file can fill.

    They do when all of them say the same. A line is left tidy when another one of its order is
    spoilt or says something else (what the blank becomes would not be beyond dispute), or when it
    will be cancelled.

    Returns:
        For each record the index of its defect, or -1, and whether a blank of it will be filled.
    """
    blanks = [
        (n, str(d.column)) for n, d in enumerate(defects) if d.blanks and d.column in ORDER_FIELDS
    ]
    filled = np.zeros(kind.size, dtype=np.bool_)
    if not np.isin(kind, [n for n, _ in blanks]).any():
        return kind, filled
    moved = [n for n, defect in enumerate(defects) if defect.how in MOVING]
    is_spoilt = (kind != NONE) & ~np.isin(kind, moved)
    order = ["_day", "order_id"]
    records = tidy.select(
        *order, *ORDER_FIELDS, "_stands", _spoilt=is_spoilt, _kind=kind
    ).with_row_index()
    struck = records.filter(pl.col("_kind").is_in([n for n, _ in blanks])).select(order).unique()
    given = (
        records.join(struck, on=order, how="semi")
        .with_columns(
            pl.len().over(order).alias("_lines"),
            pl.col("_spoilt").sum().over(order).alias("_others"),
            *(pl.col(name).n_unique().over(order) for name in ORDER_FIELDS),
        )
        .filter(pl.col("_kind").is_in([n for n, _ in blanks]), pl.col("_lines") > 1)
        .with_columns(
            _says=pl.coalesce(
                pl.when(pl.col("_kind") == n).then(pl.col(name) == 1) for n, name in blanks
            )
        )
    )
    agrees = pl.col("_says") & (pl.col("_others") == 1) & pl.col("_stands")
    kind = kind.copy()
    kind[given.filter(~agrees)["index"].to_numpy()] = NONE
    filled[given.filter(agrees)["index"].to_numpy()] = True
    return kind, filled


def _dirty_columns(defects: Sequence[Defect]) -> list[pl.Expr]:
    """Each column that a defect can spoil, spoilt where `_kind` says so."""
    spoilt: dict[str, pl.Expr] = {}
    for number, defect in enumerate(defects):
        for column, dirty in defect.changes.items():
            tidy = spoilt.get(column, pl.col(column))
            spoilt[column] = pl.when(pl.col("_kind") == number).then(dirty).otherwise(tidy)
    return [expression.alias(column) for column, expression in spoilt.items()]


def _with_broken_lines(
    dirty: pl.DataFrame, clean: pl.DataFrame, kind: Ints, defects: Sequence[Defect]
) -> pl.DataFrame:
    broken = pl.coalesce(
        *(
            pl.when(pl.col("_kind") == number).then(defect.line)
            for number, defect in enumerate(defects)
            if defect.line is not None
        ),
        pl.lit(None, pl.String),
    )
    lines = clean.with_columns(_kind=kind).select(broken.alias("line"))
    return dirty.select(line=pl.coalesce(lines["line"], dirty["line"]))


def _as_line(records: pl.DataFrame) -> pl.Series:
    """Each record in one text, as the manifest has it."""
    if "line" in records.columns:
        return records["line"]
    return records.select(pl.struct(pl.all()).struct.json_encode()).to_series()


def _places_in_file(day: Ints) -> Ints:
    """Position of each record among those of its day, from 1; `day` ascends."""
    return np.arange(1, day.size + 1) - np.searchsorted(day, day, side="left")


def _later_in_file(day: Ints, level: np.ndarray, rows: Ints) -> Ints:
    """For each of `rows` a row between it and the last one of its file; `day` ascends."""
    left = np.searchsorted(day, day[rows], side="right") - rows
    later: Ints = rows + (level * left).astype(np.int64)
    return later


def _manifest(
    struck: pl.DataFrame,
    dirty: pl.DataFrame,
    clean_line: pl.Series,
    dirty_line: pl.Series,
    place: Ints,
    defects: Sequence[Defect],
) -> pl.DataFrame:
    """What was done to each of the struck records.

    Where one column is spoilt the values are its two texts. A copy has no clean value; of a late
    record the values are the days on which it was due and on which it landed; of a broken line,
    the two lines. A byte that is not UTF-8 is written `\\xe9`.
    """
    how = pl.Series([defect.how.name for defect in defects]).gather(struck["_kind"])
    named = struck.select(
        "_day",
        "_settled",
        record=place,
        column=_of_kind([None if d.how is How.COPY else d.column for d in defects]),
        kind=_of_kind([defect.kind for defect in defects]),
        expected=pl.when("_filled")
        .then(pl.lit("repaired"))
        .otherwise(_of_kind([defect.expected for defect in defects])),
    )
    clean, spoilt = _named_value(struck, named["column"]), _named_value(dirty, named["column"])
    is_whole = named["column"].is_null()
    return named.with_columns(
        _due=struck["_due"],
        _late=how == How.LATE.name,
        clean_value=pl.when(how == How.COPY.name)
        .then(None)
        .when(is_whole)
        .then(clean_line)
        .otherwise(clean),
        dirty_value=pl.when(is_whole).then(dirty_line).otherwise(spoilt.fill_null("")),
    ).with_columns(dirty_value=_readable("dirty_value"))


def _of_kind(values: Sequence[str | None]) -> pl.Expr:
    return pl.col("_kind").replace_strict(dict(enumerate(values)), return_dtype=pl.String)


def _named_value(records: pl.DataFrame, column: pl.Series) -> pl.Series:
    """From each record the value of the column that is named for it; null where none is."""
    named = [pl.when(pl.col("_named") == name).then(name) for name in column.unique().drop_nulls()]
    value = pl.coalesce(*named, pl.lit(None, pl.String))
    return records.with_columns(_named=column).with_columns(_value=value)["_value"]


def _day(number: str, start: date) -> pl.Expr:
    """The day that is so many days after the first, as text."""
    return (pl.lit(start) + pl.duration(days=number)).dt.to_string("%Y-%m-%d")


def _readable(column: str) -> pl.Expr:
    codes = range(0xC0, 0x100)
    return pl.col(column).str.replace_many(
        [chr(0xE000 + code) for code in codes], [f"\\x{code:02x}" for code in codes]
    )
