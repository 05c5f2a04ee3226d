"""The difference between rows as they are and rows as they should be."""

import polars as pl

from bridge_cart_assets.lake.delta import Change
from bridge_cart_assets.tables.table import Table


def diff(table: Table, before: pl.DataFrame, after: pl.DataFrame) -> Change:
    """What has to be written so that `before` becomes `after`.

    Args:
        table: the table that both are rows of.
        before: the rows now in the table for some keys.
        after: the rows that should be there for the same keys.
    """
    old, new = before.select(table.dtypes.keys()), after.select(table.dtypes.keys())
    key = list(table.key)
    same = new.join(old, on=new.columns, how="semi", nulls_equal=True)
    changed = new.join(same, on=key, how="anti")
    updates = changed.join(old, on=key, how="semi")
    partitions = None
    if table.partition_by:
        column = table.partition_by[0]
        partitions = tuple(str(v) for v in old[column].unique())
    return Change(
        inserts=changed.join(old, on=key, how="anti"),
        updates=updates,
        deletes=old.join(new, on=key, how="anti"),
        partitions=partitions,
    )
