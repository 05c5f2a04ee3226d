"""Raw as this version would have taken it in, where an earlier one took the same files otherwise.

Belongs here: columns that a source has since, whose values an earlier version kept in `_rescued`;
the batch day of a file of a period; and files that were refused. Does not belong here: what is made
from raw (`rebuild`), or which format needs it (`lake_format`).

Done again it changes nothing. What an earlier version could not read as a record stays refused.
"""

import json
from datetime import date
from functools import partial

import polars as pl

from bridge_cart_assets.ingestion.landing import day_in_path
from bridge_cart_assets.ingestion.ledger import forget
from bridge_cart_assets.ingestion.raw_rows import match_column_names
from bridge_cart_assets.lake.changes import Change
from bridge_cart_assets.lake.commits import Commit, retry_on_conflict
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.pending import arrived_days
from bridge_cart_assets.pipeline.progress import ProgressCallback, silent
from bridge_cart_assets.sources import SOURCES, Source
from bridge_cart_assets.tables.ops import FILES
from bridge_cart_assets.tables.raw import is_of_file

_RUN = "migrate"


def migrate_raw(lake: Lake, progress: ProgressCallback = silent) -> None:
    """Bring the raw tables and the ledger of files to what this version would have made of them."""
    for source in SOURCES:
        if lake.snapshot(source.raw).version is not None:
            progress(f"{source.raw.path}: columns and batch days")
            retry_on_conflict(partial(_rewrite, lake, source))
    ledger = lake.snapshot(FILES).read()
    forget(lake, ledger.filter(pl.col("state") == "refused"), _RUN)
    days = ledger.with_columns(_days_of(ledger["object"], ledger["batch_day"]))
    moved = days.filter(days["batch_day"] != ledger["batch_day"], pl.col("state") != "refused")
    if moved.height:
        change = Change(FILES.empty(), moved, FILES.empty())
        retry_on_conflict(lambda: lake.snapshot(FILES).apply(change, Commit(_RUN)))


def _rewrite(lake: Lake, source: Source) -> int:
    raw = lake.snapshot(source.raw)
    days = arrived_days(lake, source)
    return raw.rewrite(partial(migrated_records, source=source), days, Commit(_RUN, raw.as_of))


def migrated_records(rows: pl.DataFrame, source: Source) -> pl.DataFrame | None:
    """Raw records as this version takes them in; None where they are so already.

    Args:
        rows: rows of the source's raw table.
        source: whose records they are.
    """
    of_file = rows.select(is_of_file(pl.col("_fingerprint"))).to_series()
    days = _days_of(rows["_object"], rows["_batch_day"])
    migrated = rows.with_columns(
        pl.when(of_file).then(days).otherwise(pl.col("_batch_day")).alias("_batch_day")
    )
    migrated = _with_rescued(migrated, source)
    return None if migrated.equals(rows) else migrated


def _days_of(paths: pl.Series, known: pl.Series) -> pl.Series:
    """The batch day that each path names; the known one where it names none."""
    days: dict[str, date | None] = {path: day_in_path(path) for path in paths.unique()}
    named = pl.Series([days[path] for path in paths], dtype=pl.Date)
    return named.fill_null(known).alias(known.name)


def _with_rescued(rows: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Records with the values of `_rescued` that are of columns which the source has by now."""
    texts = rows["_rescued"].to_list()
    found: dict[str, list[str | None]] = {}
    for at, text in enumerate(texts):
        fields = {} if text is None else json.loads(text)
        meant = dict(zip(fields, match_column_names(list(fields), source), strict=True))
        for spelt, name in meant.items():
            if name not in source.columns:
                continue
            column = found.setdefault(name, rows[name].to_list())
            # What stands in the column already is a value of its own.
            if column[at] is None:
                column[at] = _text_of(fields[spelt])
                del fields[spelt]
                texts[at] = json.dumps(fields, ensure_ascii=False) if fields else None
    if not found:
        return rows
    return rows.with_columns(
        *(pl.Series(name, column, dtype=pl.String) for name, column in found.items()),
        pl.Series("_rescued", texts, dtype=pl.String),
    )


def _text_of(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
