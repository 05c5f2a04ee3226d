"""A summary of silver/quarantine: the refused records by reason, and the forms of their values.

Belongs here: counting refused records, and masking their values so that every reader may see them.
Does not belong here: refusing (see `cleaning`).
The summary never reads the record itself. Of a column about a person it shows no value, masked or
not: the length of a name is a hint, too.
"""

import polars as pl

from bridge_cart_assets.tables.silver import CUSTOMERS, PURCHASES

LONGEST = 40
EXAMPLES = 3
_KEY = ["source", "reason", "column"]
# A list of what may be shown: a column that was not considered is not on it.
_SHOWN = sorted(
    {*PURCHASES.columns, *CUSTOMERS.columns} - {*PURCHASES.pii, *CUSTOMERS.pii, "unreadable"}
)


def masked(value: pl.Expr) -> pl.Expr:
    """The form of a value: letters are a, digits 9, at most 40 characters, in one line.

    >>> values = pl.DataFrame({"value": ["31.13.2024", "Anna-1"]})
    >>> values.select(masked(pl.col("value"))).to_series().to_list()
    ['99.99.9999', 'aaaa-9']
    """
    return (
        value.str.slice(0, LONGEST)
        .str.replace_all(r"\p{M}", "")
        .str.replace_all(r"\p{L}", "a")
        .str.replace_all(r"\p{N}", "9")
        .str.replace_all(r"[\p{C}\p{Z}\s]+", " ")
        .str.strip_chars()
    )


def refusals_by_reason(quarantine: pl.LazyFrame) -> pl.DataFrame:
    """Refused records by source, reason and column, with the columns of meta/quarantine.

    Examples are the most frequent forms of the refused values. Equal forms count as one.

    >>> from datetime import date
    >>> refusals = {"source": "purchases", "reason": "BAD_DATE", "column": "purchase_date"}
    >>> values = {"value": ["31.13.2024", "30.14.2024", "soon"], "batch_day": date(2024, 1, 1)}
    >>> summary = refusals_by_reason(pl.LazyFrame({**refusals, **values}))
    >>> summary.select("reason", "records", "examples").rows()
    [('BAD_DATE', 3, ['99.99.9999', 'aaaa'])]
    """
    rows = quarantine.select(
        "source",
        "reason",
        "batch_day",
        pl.col("column").fill_null(""),
        form=masked(pl.col("value")),
    )
    counted = rows.group_by(_KEY).agg(
        records=pl.len().cast(pl.Int64),
        first_seen=pl.min("batch_day"),
        last_seen=pl.max("batch_day"),
    )
    forms = (
        rows.filter(pl.col("column").is_in(_SHOWN), pl.col("form") != "")
        .group_by(*_KEY, "form")
        .len()
        .sort("len", "form", descending=[True, False])
        .group_by(_KEY, maintain_order=True)
        .agg(examples=pl.col("form").head(EXAMPLES))
    )
    return (
        counted.join(forms, on=_KEY, how="left")
        .with_columns(pl.col("examples").fill_null(pl.lit([], dtype=pl.List(pl.String))))
        .sort(["records", *_KEY], descending=[True, False, False, False])
        .collect()
    )
