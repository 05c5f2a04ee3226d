"""Whole files as other programs export them: dates, amounts, header and lines in another way.

A file has one form at most, and only one that can be undone from that file alone. Its records have
no defects beside it but those that move them to another day, and exact repetitions.

Belongs here: the forms, which files have one, and writing it. Does not belong here: single values
(`defects`), nor files that come twice (`duplicate_files`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from bridge_cart_assets.generator import spellings as sp
from bridge_cart_assets.generator.landing import (
    COLUMNS,
    CUSTOMERS,
    PURCHASES,
    SOURCES,
    Form,
    header_line,
    render_file,
)
from bridge_cart_assets.generator.rng import Stream, stream

NO_FORM = -1
# What an order says once for all of its lines: a blank takes it from them.
ORDER_FIELDS = ("customer_id", "purchase_date", "status", "payment_method", "coupon_used")
_ORDER = ("_day", "order_id")
_MONTH_FIRST = ("%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%-m/%-d/%Y %H:%M:%S")
_PREAMBLES = ("sep=,\n", "The shop's export\nAll times in UTC, all amounts with tax\n\n")
_TEXT = (Form.CSV,)
_UNCHANGED: Mapping[str, Mapping[str, pl.Expr]] = {source: {} for source in SOURCES}


@dataclass(frozen=True, eq=False)  # expressions cannot be compared
class FileForm:
    """A way in which a whole file is written.

    Attributes:
        kind: its name in the manifest and on the command line.
        changes: by source, the text that takes the place of a column's tidy one. The sources that
            are named here have files of this form.
        fits: by source, whether a file can be of this form, from its tidy records.
        forms: formats of files that can have it.
        head: what stands before the records of a CSV file, by source; None for the usual header.
        without: columns that are left out.
        behind: what stands behind each line.
    """

    kind: str
    changes: Mapping[str, Mapping[str, pl.Expr]]
    fits: Mapping[str, pl.Expr] = field(default_factory=dict)
    forms: tuple[Form, ...] = tuple(Form)
    head: Callable[[str], str] | None = None
    without: tuple[str, ...] = ()
    behind: str = ""


def _month_first(column: str) -> pl.Expr:
    if column == "signup_date":
        return sp.day_written(column, "%m/%d/%Y")
    return sp.moment_written(column, *_MONTH_FIRST)


def _decides_month(column: str) -> pl.Expr:
    """Whether a day of the column can be no month."""
    return (pl.col(column).str.slice(8, 2).cast(pl.Int64) > 12).any()


def _without_cents(column: str) -> pl.Expr:
    """Whether the amount is written `1.250`, which by itself leaves open what the point means."""
    is_whole = pl.col(column).str.ends_with(".00") & sp.is_thousands(column)
    return is_whole & (sp.CHANCE % 2 == 0)


def _decimal_comma(column: str) -> pl.Expr:
    text = sp.european(column)
    return pl.when(_without_cents(column)).then(text.str.head(-3)).otherwise(text)


def _decides_comma(column: str) -> pl.Expr:
    """Whether an amount of the column shows that its comma is decimal."""
    return (~_without_cents(column) & (pl.col("_defect") == NO_FORM)).any()


def _all(columns: Sequence[str], of: Callable[[str], pl.Expr]) -> pl.Expr:
    return pl.all_horizontal(*map(of, columns))


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _with_blanks(name: str) -> str:
    return name.replace("_", " ").title()


def _shouted(name: str) -> str:
    return f" {name.upper().replace('_', '-')} "


def _header_spelt(spell: Callable[[str], str]) -> FileForm:
    def head(source: str) -> str:
        return ",".join(map(spell, COLUMNS[source])) + "\n"

    return FileForm("header_spelling", _UNCHANGED, forms=_TEXT, head=head)


def _behind(preamble: str) -> FileForm:
    def head(source: str) -> str:
        return f"{preamble}{header_line(source)}\n"

    return FileForm("preamble", _UNCHANGED, forms=_TEXT, head=head)


_MOMENTS = {PURCHASES: ("purchase_date", "updated_at"), CUSTOMERS: ("signup_date", "updated_at")}
_AMOUNTS = {PURCHASES: ("purchase_amount", "discount_amount"), CUSTOMERS: ("income",)}

FILE_FORMS = (
    FileForm(
        "month_first",
        {
            source: {name: _month_first(name) for name in names}
            for source, names in _MOMENTS.items()
        },
        fits={source: _all(names, _decides_month) for source, names in _MOMENTS.items()},
    ),
    FileForm(
        "decimal_comma",
        {
            source: {name: _decimal_comma(name) for name in names}
            for source, names in _AMOUNTS.items()
        },
        fits={source: _all(names, _decides_comma) for source, names in _AMOUNTS.items()},
    ),
    *map(_header_spelt, (_camel, _with_blanks, _shouted)),
    *map(_behind, _PREAMBLES),
    FileForm(
        "nameless_columns",
        _UNCHANGED,
        forms=_TEXT,
        head=lambda source: f"{header_line(source)},,\n",
        behind=",,",
    ),
    FileForm(
        "no_line_numbers",
        {PURCHASES: {}},
        fits={PURCHASES: pl.col("_numbers_itself").all()},
        forms=_TEXT,
        head=lambda source: header_line(source).replace("line_number,", "") + "\n",
        without=("line_number",),
    ),
    FileForm(
        "blank_line_numbers",
        {PURCHASES: {"line_number": pl.when(~pl.col("_numbers_itself")).then("line_number")}},
        fits={PURCHASES: pl.col("_numbers_itself").any()},
    ),
    FileForm(
        "continuation_lines",
        {PURCHASES: {name: pl.when(~pl.col("_continues")).then(name) for name in ORDER_FIELDS}},
        fits={PURCHASES: pl.col("_continues").any()},
    ),
)


def with_forms(
    tidy: pl.DataFrame,
    source: str,
    form: Form,
    shares: Sequence[tuple[float, Sequence[str]]],
    seed: int,
) -> pl.DataFrame:
    """The records with the form of their file.

    Args:
        tidy: the source's columns as text, `_day`, `_defect` and `_chance`; in the order of the
            files.
        source: whose records they are.
        form: format of the files.
        shares: kinds that share some of the files, each with its share.
        seed: seed of the shop.

    Returns:
        The records with `_form` (an index into `FILE_FORMS`, or `NO_FORM`), `_numbers_itself`
        (whether the lines of its order in the file have the numbers that lines without one get)
        and `_continues` (whether it can take from the order's first line what is said of orders).
    """
    plain = {"_form": pl.lit(NO_FORM, pl.Int64)} | dict.fromkeys(_OF_ORDERS, pl.lit(False))
    shares = [(rate, kinds) for rate, kinds in shares if rate and kinds]
    if not shares:
        return tidy.with_columns(**plain)
    days = tidy["_day"].unique().to_list()
    drawn = {day: share for day in days if (share := _share_of(day, source, shares, seed))}
    of_orders = tidy.with_columns(**_OF_ORDERS) if source == PURCHASES else tidy
    able = _able(of_orders.filter(pl.col("_day").is_in(list(drawn))), source, form)
    chosen = {}
    for day, (kinds, choice) in drawn.items():
        fitting = [n for n in able.get(day, ()) if FILE_FORMS[n].kind in kinds]
        if fitting:
            chosen[day] = fitting[int(choice * len(fitting))]
    if source != PURCHASES:
        of_orders = tidy.with_columns(**plain)
    return of_orders.with_columns(
        _form=pl.col("_day").replace_strict(chosen, default=NO_FORM, return_dtype=pl.Int64)
        if chosen
        else plain["_form"]
    )


def _content() -> pl.Expr:
    return pl.struct(name for name in COLUMNS[PURCHASES] if name != "line_number")


_OF_ORDERS = {
    "_numbers_itself": (
        (pl.col("line_number").cast(pl.Int64) == pl.int_range(1, pl.len() + 1)).all()
        & (_content().n_unique() == pl.len())
    ).over(_ORDER),
    "_continues": (
        (pl.int_range(pl.len()) > 0)
        & pl.all_horizontal(pl.col(name).n_unique() == 1 for name in ORDER_FIELDS)
    ).over(_ORDER),
}


def _share_of(
    day: int, source: str, shares: Sequence[tuple[float, Sequence[str]]], seed: int
) -> tuple[Sequence[str], float] | None:
    """The kinds that a file's form is to be one of, and a number of chance for the choice."""
    chance = stream(seed, Stream.FILE_FORMS, day).random((len(SOURCES), 2))
    level, choice = chance[SOURCES.index(source)].tolist()
    for rate, kinds in shares:
        if level < rate:
            return kinds, choice
        level -= rate
    return None


def _able(records: pl.DataFrame, source: str, form: Form) -> dict[int, list[int]]:
    """The forms that the file of each day can have."""
    able = {
        n: file_form.fits.get(source, pl.lit(True)).alias(str(n))
        for n, file_form in enumerate(FILE_FORMS)
        if source in file_form.changes and form in file_form.forms
    }
    fits = records.group_by("_day").agg(able.values())
    return {row["_day"]: [n for n in able if row[str(n)]] for row in fits.iter_rows(named=True)}


def render_in_form(
    records: pl.DataFrame, source: str, form: Form, *, tidy: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Records as their files have them, as `landing.render_file` does it for usual files.

    Args:
        records: the source's columns as text, and what `with_forms` adds.
        source: whose records they are.
        form: format of the files.
        tidy: the same records before they were spoilt; None when they are the tidy ones.
    """
    used = [n for n in records["_form"].unique().to_list() if n != NO_FORM]
    if not used:
        return render_file(records, source, form, tidy=tidy)
    changed: dict[str, pl.Expr] = {}
    for n in used:
        for column, text in FILE_FORMS[n].changes[source].items():
            other = changed.get(column, pl.col(column))
            changed[column] = pl.when(pl.col("_form") == n).then(text).otherwise(other)
    written = records.with_columns(**changed)
    tidy = records if tidy is None else tidy
    rendered = render_file(written, source, form, tidy=tidy)
    for n in used:
        file_form = FILE_FORMS[n]
        if file_form.without or file_form.behind:
            narrow = render_file(written, source, form, tidy=tidy, without=file_form.without)
            line = pl.lit(narrow["line"]) + pl.lit(file_form.behind)
            rendered = rendered.select(
                line=pl.when(pl.lit(records["_form"] == n)).then(line).otherwise("line")
            )
    return rendered


def heads_of_days(records: pl.DataFrame, source: str) -> dict[int, str]:
    """What stands before the records of the CSV files that do not begin as usual."""
    heads = {}
    for day, n in records.select("_day", "_form").unique().iter_rows():
        head = FILE_FORMS[n].head if n != NO_FORM else None
        if head is not None:
            heads[day] = head(source)
    return heads


def form_rows(records: pl.DataFrame, start: date) -> pl.DataFrame:
    """What the manifest says of files of another form: `_day`, kind, expected, settled_on."""
    found = records.select("_day", "_form").unique().filter(pl.col("_form") != NO_FORM)
    kinds = dict(enumerate(file_form.kind for file_form in FILE_FORMS))
    return found.sort("_day").select(
        "_day",
        kind=pl.col("_form").replace_strict(kinds, return_dtype=pl.String),
        expected=pl.lit("repaired"),
        settled_on=pl.lit(start) + pl.duration(days="_day"),
    )
