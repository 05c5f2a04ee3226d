"""Whether a rebuild has begun and is not complete: beginning and completing it is `rebuild`'s."""

from datetime import UTC, datetime

import polars as pl

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.tables.ops import REBUILDS


def unfinished_rebuild(lake: Lake) -> datetime | None:
    """When the rebuild began that has not been completed; None when there is none."""
    open_rows = lake.snapshot(REBUILDS).scan().filter(pl.col("finished_at").is_null())
    began: datetime | None = open_rows.select(pl.min("started_at")).collect().item()
    return None if began is None else began.replace(tzinfo=UTC)
