"""Changes of a table's rows, and the difference between rows as they are and as they should be."""

from dataclasses import dataclass

import polars as pl

from bridge_cart_assets.tables.table import Table

_CAME = ("insert", "update_postimage")


@dataclass(frozen=True)
class Change:
    """Rows to add, rows to replace by key, and keys to remove.

    Attributes:
        inserts: full rows whose keys are not in the table.
        updates: full rows whose keys are.
        deletes: key columns of rows that go.
        partitions: values of the partition column in which the touched rows lie now, or None when
            the table is not partitioned. Only these are looked at.
    """

    inserts: pl.DataFrame
    updates: pl.DataFrame
    deletes: pl.DataFrame
    partitions: tuple[str, ...] | None = None

    @property
    def height(self) -> int:
        """How many rows that are."""
        return self.inserts.height + self.updates.height + self.deletes.height

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not self.height


def diff(table: Table, before: pl.DataFrame, after: pl.DataFrame) -> Change:
    """What has to be written so that `before` becomes `after`.

    Args:
        table: the table that both are rows of.
        before: the rows now in the table for some keys.
        after: the rows that should be there for the same keys.
    """
    old, new = before.select(table.dtypes.keys()), after.select(table.dtypes.keys())
    key = list(table.key)
    partitions = None
    if table.partition_by:
        column = table.partition_by[0]
        partitions = tuple(str(v) for v in old[column].unique())
    if old.is_empty():
        return Change(new, new.clear(), old, partitions)
    # Most rows of a large batch are new; only those whose key may be there are compared.
    may_be_there = _hash(new, key).is_in(_hash(old, key).implode())
    certain, new = new.filter(~may_be_there), new.filter(may_be_there)
    same = new.join(old, on=new.columns, how="semi", nulls_equal=True)
    changed = new.join(same, on=key, how="anti")
    updates = changed.join(old, on=key, how="semi")
    return Change(
        inserts=pl.concat([certain, changed.join(old, on=key, how="anti")]),
        updates=updates,
        deletes=old.join(new, on=key, how="anti"),
        partitions=partitions,
    )


def net_rows(table: Table, feed: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows that came, and those that went; one that came and went again is in neither.

    Args:
        table: whose rows they are.
        feed: its change feed: the columns and `_change_type`.
    """
    sign = pl.when(pl.col("_change_type").is_in(_CAME)).then(1).otherwise(-1)
    net = feed.with_columns(_sign=sign).group_by(list(table.dtypes)).agg(pl.sum("_sign"))
    return (
        net.filter(pl.col("_sign") > 0).drop("_sign"),
        net.filter(pl.col("_sign") < 0).drop("_sign"),
    )


def _hash(rows: pl.DataFrame, key: list[str]) -> pl.Series:
    return rows.select(pl.struct(key).hash()).to_series()
