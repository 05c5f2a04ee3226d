"""What raw has and silver has not accounted for yet.

Belongs here: the one question that tells what is left to do after anything, a crash too. It is
answered from two facts: records per batch day by raw's log, and records per batch day that
silver/accounting, the last table that silver writes, has counted.
"""

from collections.abc import Iterable
from datetime import date

import polars as pl

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.sources import SOURCES, Source
from bridge_cart_assets.tables.silver import ACCOUNTING, PURCHASES
from bridge_cart_assets.transforms.source_days import SourceDay, latest_of_orders


def arrived_days(lake: Lake, source: Source) -> dict[date, int]:
    """Records in raw per batch day, from the log alone."""
    files = lake.snapshot(source.raw).files
    if not files.height:
        return {}
    counted = files.group_by(pl.col("partition._batch_day").cast(pl.Date)).agg(
        pl.sum("num_records")
    )
    return dict(counted.iter_rows())


def pending_days(lake: Lake, sources: Iterable[Source]) -> dict[str, set[date]]:
    """Per source the batch days whose records silver has not all accounted for."""
    rows = lake.snapshot(ACCOUNTING).scan().select("source", "batch_day", "raw_records").collect()
    accounted = {(source, day): records for source, day, records in rows.iter_rows()}
    return {
        source.name: {
            day
            for day, records in arrived_days(lake, source).items()
            # Fewer than accounted for: raw has lost records (`losses`). To fold them would hide it.
            if accounted.get((source.name, day), -1) < records
        }
        for source in sources
    }


def source_days(accounting: pl.LazyFrame) -> list[SourceDay]:
    """The latest batch day of each source that silver has records of.

    Args:
        accounting: rows of silver/accounting.
    """
    selling = {source.name for source in SOURCES if source.feeds is PURCHASES}
    latest = accounting.group_by("source").agg(pl.max("batch_day")).sort("source").collect()
    return [SourceDay(name, day, name in selling) for name, day in latest.iter_rows()]


def latest_day(lake: Lake) -> date | None:
    """as_of: the latest batch day of a source of orders, of the others while there is none.

    It is never the clock; None when silver is empty.
    """
    return latest_of_orders(source_days(lake.snapshot(ACCOUNTING).scan()))
