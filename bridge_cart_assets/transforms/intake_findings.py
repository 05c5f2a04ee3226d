"""What became of files otherwise than they say: refused, superseded, unreadable and guessed.

Belongs here: the kinds, and counting by file, with the money. Does not belong here: the verdicts
that are counted (`cleaning`, `folding`), or the sentences (`pipeline.findings`).
"""

from collections.abc import Collection, Mapping, Sequence

import polars as pl

from bridge_cart_assets.tables.columns import MONEY
from bridge_cart_assets.tables.raw import is_of_file
from bridge_cart_assets.transforms.folding import content_columns

# The kinds of findings, and how records of each are spoken of.
KINDS: Mapping[str, str] = {
    "refused": "refused",
    "superseded_in_file": "superseded within the file",
    "guessed": "read by a guess",
    "unreadable": "with a value that could not be read",
}
_FILE = ["source", "batch_day", "object", "fingerprint"]
_FINDING = [*_FILE, "kind", "subject"]
_IS_FILE = is_of_file(pl.col("fingerprint"))
# Within one file the batch day, the object and the fingerprint decide nothing.
_ORDER_IN_FILE = ("version_at", "pos", "item")


def intake_findings(
    quarantine: pl.LazyFrame,
    current: pl.LazyFrame,
    superseded: pl.LazyFrame,
    key: Sequence[str],
) -> pl.DataFrame:
    """What of the files of some batch days is not in silver as they say, counted.

    Args:
        quarantine: rows of silver/quarantine, of the sources that feed one table.
        current: that table's rows: silver/purchases or silver/customers.
        superseded: its accepted records that do not stand.
        key: the columns on which its records meet.

    Returns:
        One row per source, batch_day, object (file or topic-partition), fingerprint, kind and
        subject, with records, of_records (all records of that file on that batch day, but for
        blank ones) and amount. The kinds:

        - refused: records in quarantine; the subject is the reason, the amount is the one before
          discount, where it could be read.
        - superseded_in_file: records in whose place another one of the same key in the same file
          stands, with other content, and only because it comes later in the file; no subject. One
          with a later updated_at is a correction, as the file says it.
        - unreadable, guessed: records that stand, with a value that could not be read or could be
          read in two ways; the subject is the column. Their amount is the net amount.

    >>> from datetime import date
    >>> from bridge_cart_assets.tables.silver import PURCHASE_REPEATS, PURCHASES, QUARANTINE
    >>> file = {"source": "purchases", "batch_day": date(2024, 1, 1), "object": "a.csv"}
    >>> refused = {**file, "reason": "BAD_DATE", "amount": 10}
    >>> line = {**file, "guessed": "purchase_date", "net_amount": 25}
    >>> findings = intake_findings(
    ...     pl.LazyFrame([refused], schema=QUARANTINE.dtypes),
    ...     pl.LazyFrame([line], schema=PURCHASES.dtypes),
    ...     PURCHASE_REPEATS.empty().lazy(),
    ...     PURCHASES.key,
    ... )
    >>> findings.select("subject", "records", "of_records", "amount").rows()
    [('purchase_date', 1, 2, Decimal('25.00')), ('BAD_DATE', 1, 2, Decimal('10.00'))]
    """
    refused = quarantine.select(
        *_FILE, "amount", kind=pl.lit("refused"), subject=pl.col("reason")
    ).collect()
    replaced = _superseded_in_file(current, superseded, key)
    found = pl.concat([refused, replaced, *(_named_in(current, kind) for kind in _BY_COLUMN)])
    counted = found.group_by(_FINDING).agg(
        records=pl.len().cast(pl.Int64),
        amount=pl.when(pl.col("amount").count() > 0).then(pl.sum("amount").cast(MONEY)),
    )
    files = counted.select(_FILE).unique()
    of_records = (
        pl.concat([frame.select(_FILE) for frame in (quarantine, current, superseded)])
        .join(files.lazy(), on=_FILE, how="semi", nulls_equal=True)
        .group_by(_FILE)
        .agg(of_records=pl.len().cast(pl.Int64))
        .collect()
    )
    return (
        counted.join(of_records, on=_FILE, how="left", nulls_equal=True)
        .select(*_FINDING, "records", "of_records", "amount")
        .sort(_FINDING)
    )


_BY_COLUMN = ("unreadable", "guessed")


def _amount(columns: Collection[str]) -> pl.Expr:
    """The money of an accepted record; a profile has none."""
    return pl.col("net_amount") if "net_amount" in columns else pl.lit(None, MONEY)


def _named_in(current: pl.LazyFrame, kind: str) -> pl.DataFrame:
    """The records that stand, once for each column that `unreadable` or `guessed` names."""
    amount = _amount(current.collect_schema().names())
    return (
        current.filter(pl.col(kind).is_not_null())
        .select(
            *_FILE,
            amount=amount,
            kind=pl.lit(kind),
            subject=pl.col(kind).str.split(","),
        )
        .explode("subject")
        .collect()
    )


def _superseded_in_file(
    current: pl.LazyFrame,
    superseded: pl.LazyFrame,
    key: Sequence[str],
) -> pl.DataFrame:
    """The records that another one of their own file has taken the place of."""
    columns = [name for name in superseded.collect_schema().names() if name != "fate"]
    candidates = superseded.filter(pl.col("fate") == "superseded", _IS_FILE).select(columns)
    meeting = [*dict.fromkeys(["source", *key, "fingerprint"])]
    keys = candidates.select(meeting).unique().collect()
    content = [name for name in content_columns(columns) if name not in key]
    # The last one of its file need not stand: another file may have replaced it since.
    last = (
        pl.concat([current.select(columns), superseded.select(columns)])
        .join(keys.lazy(), on=meeting, how="semi")
        .sort(_ORDER_IN_FILE)
        .group_by(meeting)
        .agg(pl.col(*content, "version_at").last().name.prefix("_last_"))
    )
    differs = pl.any_horizontal(pl.col(n).ne_missing(pl.col(f"_last_{n}")) for n in content)
    is_correction = pl.col("version_at") < pl.col("_last_version_at")
    return (
        candidates.join(last, on=meeting, how="inner")
        .filter(differs & ~is_correction)
        .select(
            *_FILE,
            amount=_amount(columns),
            kind=pl.lit("superseded_in_file"),
            subject=pl.lit(""),
        )
        .collect()
    )
