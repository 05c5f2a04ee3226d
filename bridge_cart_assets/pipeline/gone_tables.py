"""Tables of silver that are gone although there is something that they should have.

A table that is not there reads as one without rows, and is that in a new lake. So gold would follow
one that somebody has removed by becoming empty. What silver/accounting has counted, the last table
that silver writes, tells the two apart.

Belongs here: finding them, and refusing to go on. Does not belong here: tables that have lost some
rows (`diagnosis`), raw (`losses`), or gold, which a run makes again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.snapshot import DamagedTableError
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.silver import (
    ACCOUNTING,
    CUSTOMER_REPEATS,
    CUSTOMERS,
    IDENTITIES,
    PURCHASE_REPEATS,
    PURCHASES,
    QUARANTINE,
)
from bridge_cart_assets.tables.table import Table

REBUILD = "bridge-cart rebuild makes silver and gold again from raw"
_BEATEN = ("duplicate", "superseded")
# What accounting counts of a table, of which sources: those that feed this one, or all.
_COUNTED: tuple[tuple[Table, tuple[str, ...], Table | None], ...] = (
    (PURCHASES, ("accepted",), PURCHASES),
    (CUSTOMERS, ("accepted",), CUSTOMERS),
    (PURCHASE_REPEATS, _BEATEN, PURCHASES),
    (CUSTOMER_REPEATS, _BEATEN, CUSTOMERS),
    (QUARANTINE, ("quarantined",), None),
)


@dataclass(frozen=True)
class CountedTable:
    """A table of silver beside what accounting has counted of it.

    Attributes:
        table: the table.
        counted: its rows by accounting.
        rows: those that it has.
        is_gone: whether there is no table.
    """

    table: Table
    counted: int
    rows: int
    is_gone: bool

    def __str__(self) -> str:
        """What is wrong with it, for people."""
        words = f"accounting counts {self.counted:,} rows, and there are {self.rows:,}"
        return f"it is gone; {words}" if self.is_gone else words


def counted_tables(lake: Lake) -> Iterator[CountedTable]:
    """The tables of silver whose rows accounting counts."""
    accounting = lake.snapshot(ACCOUNTING).read()
    feeds: Mapping[str, Table] = {source.name: source.feeds for source in SOURCES}
    for table, counts, fed in _COUNTED:
        of_these = [name for name, to in feeds.items() if fed is None or to is fed]
        mine = accounting.filter(pl.col("source").is_in(of_these))
        total = mine.select(pl.sum_horizontal(pl.sum(name) for name in counts)).item()
        snapshot = lake.snapshot(table)
        yield CountedTable(table, int(total or 0), snapshot.rows, snapshot.version is None)


def identities_are_gone(lake: Lake) -> bool:
    """Whether there are lines or profiles, and nothing says whose they are."""
    standing = lake.snapshot(PURCHASES).rows + lake.snapshot(CUSTOMERS).rows
    return bool(standing) and lake.snapshot(IDENTITIES).version is None


def refuse_gone_silver(lake: Lake) -> None:
    """Refuse a lake of which somebody has removed a table of silver.

    Raises:
        DamagedTableError: there is one; the message says what mends it.
    """
    for found in counted_tables(lake):
        if found.is_gone and found.counted:
            raise DamagedTableError(f"{found.table.path}: {found}\n{REBUILD}")
    if identities_are_gone(lake):
        raise DamagedTableError(f"{IDENTITIES.path}: it is gone\n{REBUILD}")
