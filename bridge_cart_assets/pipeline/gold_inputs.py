"""What one run of gold reads, and what has changed in silver since a table was written.

Belongs here: reading the change feeds of Delta tables. Does not belong here: what a table makes of
the changes (`gold`, `transforms.changes`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property

import polars as pl

from bridge_cart_assets.engine.engine import Engine
from bridge_cart_assets.lake.changes import net_rows
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.snapshot import FeedGoneError, Snapshot
from bridge_cart_assets.pipeline.open_rebuild import unfinished_rebuild
from bridge_cart_assets.pipeline.pending import latest_day
from bridge_cart_assets.tables.silver import CUSTOMERS, PURCHASES
from bridge_cart_assets.tables.table import Table
from bridge_cart_assets.transforms.changes import Changes, Rows
from bridge_cart_assets.transforms.features import anonymous_lines, of_customers

# With a larger share of the lines changed, a table is built whole as quickly.
MOST_LINES = 0.2
# How the names of transactions begin that record versions of tables.
SEEN = "bridge-cart/seen/"


class WholeError(Exception):
    """A table cannot follow the change; the message says why."""


@dataclass(frozen=True)
class GoldInputs:
    """Silver as it was when a run of gold began, and the tables of gold as the run has left them.

    Whatever other runs commit meanwhile, all tables of a run are built from the same rows.

    Attributes:
        lake: the tables.
        as_of: latest batch day; None while silver is empty.
        is_rebuilding: whether a rebuild is not complete.
        engine: where tables are built from all lines; in this process without.
    """

    lake: Lake
    as_of: date | None
    is_rebuilding: bool = False
    engine: Engine | None = None
    _known: dict[tuple[int, int, date], Changes] = field(default_factory=dict)
    _opened: dict[str, Snapshot] = field(default_factory=dict)

    @classmethod
    def now(cls, lake: Lake, engine: Engine | None = None) -> "GoldInputs":
        """For a run that begins now."""
        opened = {table.path: lake.snapshot(table) for table in (PURCHASES, CUSTOMERS)}
        is_rebuilding = unfinished_rebuild(lake) is not None
        return cls(lake, latest_day(lake), is_rebuilding, engine, _opened=opened)

    @cached_property
    def seen(self) -> dict[str, int]:
        """What a table records that was built from this."""
        return {
            seen_name(table): self.snapshot(table).version or 0 for table in (PURCHASES, CUSTOMERS)
        }

    def rows(self, table: Table, *, of_everybody: bool = False) -> pl.LazyFrame:
        """The rows of a table; of silver/purchases those that have a customer.

        Gold speaks of customers. Here, and in `changes_since`, is where it leaves out what was sold
        without a customer.

        Args:
            table: the table.
            of_everybody: whether the lines without a customer are among them.
        """
        rows = self.snapshot(table).scan()
        return of_customers(rows) if table is PURCHASES and not of_everybody else rows

    def snapshot(self, table: Table) -> Snapshot:
        """A table as this run knows it."""
        if table.path not in self._opened:
            self._opened[table.path] = self.lake.snapshot(table)
        return self._opened[table.path]

    def reopen(self, table: Table) -> Snapshot:
        """A table of gold as it is now, to be written; the run knows it by what it writes."""
        self._opened[table.path] = self.lake.snapshot(table)
        return self._opened[table.path]

    def changes_since(self, seen: Mapping[str, int], seen_as_of: date) -> Changes:
        """What has changed since a table recorded what it had seen.

        Raises:
            WholeError: there is no change feed, or too much has changed.
        """
        assert self.as_of is not None  # noqa: S101 - nothing is built from an empty silver
        versions = seen[seen_name(PURCHASES)], seen[seen_name(CUSTOMERS)]
        known_as = (*versions, seen_as_of)
        if known_as not in self._known:
            purchases, customers = self.snapshot(PURCHASES), self.snapshot(CUSTOMERS)
            lines, profiles = feed_since(purchases, versions[0]), feed_since(customers, versions[1])
            if lines.height > MOST_LINES * purchases.rows:
                raise WholeError(f"{lines.height:,} changed lines of {purchases.rows:,}")
            # A profile changes nothing about lines without a customer.
            nobody = Rows(profiles.came.clear(), profiles.gone.clear())
            both = (
                (keep(purchases.scan()), customers.scan(), lines.filtered(keep), of_people)
                for keep, of_people in ((anonymous_lines, nobody), (of_customers, profiles))
            )
            anonymous, people = (Changes(*rows, seen_as_of, self.as_of) for rows in both)
            self._known[known_as] = replace(people, anonymous=anonymous)
        return self._known[known_as]


def feed_since(snapshot: Snapshot, since: int) -> Rows:
    """The rows of a table that came and went since one of its versions.

    A row that came and went again in between is in neither.

    Raises:
        WholeError: the change feed does not reach back to that version.
    """
    try:
        feed = snapshot.change_feed(since)
    except FeedGoneError as gone:
        raise WholeError(str(gone)) from gone
    return Rows(*net_rows(snapshot.table, feed))


def seen_name(table: Table) -> str:
    """The transaction that records the version of a table that another table has seen."""
    return f"{SEEN}{table.path}"
