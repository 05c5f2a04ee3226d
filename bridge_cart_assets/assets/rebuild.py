"""Clearing silver and gold, so that the next run makes them from raw from nothing."""

from bridge_cart_assets.assets.gold import BUILT
from bridge_cart_assets.lake.delta import Commit, Lake, retrying
from bridge_cart_assets.tables.silver import ACCOUNTING, INTERNAL, TABLES
from bridge_cart_assets.tables.table import Table

_RUN = "rebuild"


def clear(lake: Lake) -> None:
    """Empty all tables of silver and gold, accounting first.

    A day counts as done when accounting has it: once that is empty every day is pending, so a
    crash after it loses nothing that the next run does not make again.
    """
    for table in (ACCOUNTING, *TABLES, *INTERNAL, *BUILT):
        if lake.look(table).version is not None:
            retrying(lambda table=table: _empty(lake, table))  # type: ignore[misc]


def _empty(lake: Lake, table: Table) -> int:
    snapshot = lake.look(table)
    return snapshot.replace(table.empty(), Commit(_RUN, snapshot.as_of))
