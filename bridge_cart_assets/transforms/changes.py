"""What has changed since a table was last brought up to date, and whom it concerns.

Belongs here: the rows that came and went, and the order lines of the customers they belong to, as
they are now and as they were. Does not belong here: where the rows come from (`pipeline`), or what
a table makes of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import polars as pl

from bridge_cart_assets.tables.table import Table
from bridge_cart_assets.transforms.features import ORDER

LINE = (*ORDER, "line_number")
# What no table of gold is made from: where a record came from, and what is known of its reading.
_OF_THE_RECORD = (
    *("batch_day", "version_at", "object", "pos", "fingerprint", "item"),
    *("email_key", "received_customer_id", "currency", "unreadable", "guessed"),
)


def added_up(table: Table, *parts: pl.DataFrame) -> pl.DataFrame:
    """Sums per key of a table of sums; a key of which nothing is left is no row.

    Args:
        table: every column beside its key is a sum.
        parts: its key and some of its sums, each.

    >>> from bridge_cart_assets.tables.gold import SEGMENT_EVENTS
    >>> event = {"segment_id": 1, "day": date(2024, 1, 1)}
    >>> parts = [pl.DataFrame([{**event, "orders": n}]) for n in (2, 1, -3)]
    >>> [added_up(SEGMENT_EVENTS, *some)["orders"].to_list() for some in (parts[:2], parts)]
    [[3], []]
    """
    sums = pl.exclude(table.key)
    return table.conform(
        pl.concat([table.empty(), *parts], how="diagonal_relaxed")
        .with_columns(sums.fill_null(0))
        .group_by(table.key)
        .agg(pl.all().sum())
        .filter(pl.any_horizontal(sums != 0))
        .sort(table.key)
    )


def is_among(values: pl.Series) -> pl.Expr:
    """Whether a row's value is one of some, in the column that they are named after.

    As a filter of a scan it costs a third of a join: only the rows that are asked for are decoded.

    >>> rows = pl.DataFrame({"customer_id": ["C1", "C2", None]})
    >>> rows.filter(is_among(pl.Series("customer_id", ["C2", "C3"]))).rows()
    [('C2',)]
    """
    return pl.col(values.name).is_in(values.unique().implode())


@dataclass(frozen=True)
class Rows:
    """Rows of one table that came and rows that went; a row that was replaced is in both.

    >>> rows = Rows(pl.DataFrame({"id": [1], "n": [5]}), pl.DataFrame({"id": [1], "n": [3]}))
    >>> rows.height, rows.both["n"].to_list()
    (2, [5, 3])
    >>> rows.filtered(lambda lines: lines.filter(pl.col("n") > 4)).height
    1
    >>> rows.before(pl.DataFrame({"id": [1, 2], "n": [5, 9]}), ("id",)).sort("id").rows()
    [(1, 3), (2, 9)]
    """

    came: pl.DataFrame
    gone: pl.DataFrame

    @property
    def both(self) -> pl.DataFrame:
        """All of them."""
        return pl.concat([self.came, self.gone])

    @property
    def height(self) -> int:
        """How many there are."""
        return self.came.height + self.gone.height

    def filtered(self, keep: Callable[[pl.LazyFrame], pl.LazyFrame]) -> "Rows":
        """Those of them that a filter keeps."""
        return Rows(keep(self.came.lazy()).collect(), keep(self.gone.lazy()).collect())

    def before(self, now: pl.DataFrame, key: tuple[str, ...]) -> pl.DataFrame:
        """What some rows of now were, without those that came and with those that went."""
        stayed = now.join(self.came, on=list(key), how="anti")
        return pl.concat([stayed, self.gone.select(now.columns)])


@dataclass(frozen=True)
class LineVersions:
    """Order lines as they are and as they were.

    Attributes:
        now: those that count by as_of.
        before: those that counted by the as_of of the last time.
    """

    now: pl.DataFrame
    before: pl.DataFrame


@dataclass(frozen=True)
class Changes:
    """What has changed in silver since a table was last brought up to date.

    Attributes:
        purchases: rows of silver/purchases as they are now, those of customers.
        customers: rows of silver/customers as they are now.
        lines: rows of silver/purchases that came and went, those of customers. Of a line that has
            got a customer, only the row that came is one of them.
        profiles: rows of silver/customers that came and went.
        seen_as_of: latest batch day in silver then.
        as_of: and now.
        anonymous: the same of the lines without a customer; None when they are not asked for.

    C1 has ordered before, and on 2 January another customer orders for the first time:

    >>> from bridge_cart_assets.tables.silver import CUSTOMERS
    >>> first, second = date(2024, 1, 1), date(2024, 1, 2)
    >>> orders = {"source": "purchases", "order_id": ["O1", "O2"], "line_number": 1}
    >>> buyers = {"customer_id": ["C1", "C2"], "purchase_day": [first, second]}
    >>> lines = pl.DataFrame({**orders, **buyers}, schema_overrides={"line_number": pl.Int64})
    >>> came, none = lines.filter(pl.col("customer_id") == "C2"), lines.clear()
    >>> unmoved = Rows(CUSTOMERS.empty(), CUSTOMERS.empty())
    >>> changes = Changes(
    ...     lines.lazy(), CUSTOMERS.empty().lazy(), Rows(came, none), unmoved, first, second
    ... )
    >>> changes.counted.came.height, changes.buyers["customer_id"].to_list()
    (1, ['C2'])
    >>> changes.days.to_list() == [second], changes.of_orders.now["order_id"].to_list()
    (True, ['O2'])
    >>> changes.of_buyers.before.height, changes.lines_of(lines.select("customer_id")).before.height
    (0, 1)
    >>> changes.relocated.height, changes.of_relocated.now.height
    (0, 0)
    """

    purchases: pl.LazyFrame
    customers: pl.LazyFrame
    lines: Rows
    profiles: Rows
    seen_as_of: date
    as_of: date
    anonymous: "Changes | None" = None

    @cached_property
    def counted(self) -> Rows:
        """Lines that count now and did not, and lines that counted and do not any more.

        A line may be dated later than its batch: it comes when as_of gets there.
        """
        day = pl.col("purchase_day")
        is_due = day.is_between(self.seen_as_of, self.as_of, closed="right")
        due = self.purchases.filter(is_due).collect()
        came = self.lines.came.filter(day <= self.seen_as_of)
        gone = self.lines.gone.filter(day <= self.seen_as_of)
        return Rows(pl.concat([came, due.select(came.columns)]), gone)

    @cached_property
    def buyers(self) -> pl.DataFrame:
        """The customers whose lines have changed: customer_id."""
        return self.counted.both.select("customer_id").unique()

    @cached_property
    def days(self) -> pl.Series:
        """The days on which lines have changed."""
        return self.counted.both["purchase_day"].unique()

    @cached_property
    def relocated(self) -> pl.DataFrame:
        """The customers whose current profile has another country than before: customer_id."""
        now, before = (
            rows.filter("is_current").select("customer_id", "country")
            for rows in (self.profiles.came, self.profiles.gone)
        )
        both = now.join(before, on="customer_id", how="full", coalesce=True)
        is_another = pl.col("country").ne_missing(pl.col("country_right"))
        return both.filter(is_another).select("customer_id")

    @cached_property
    def of_buyers(self) -> LineVersions:
        """All lines of the customers whose lines have changed."""
        return self._with_one_of(self.buyers)

    @cached_property
    def of_relocated(self) -> LineVersions:
        """All lines of the customers who have another country."""
        return self._with_one_of(self.relocated)

    @cached_property
    def of_orders(self) -> LineVersions:
        """All lines of the orders whose lines have changed."""
        return self._with_one_of(self.counted.both.select(ORDER).unique())

    def lines_of(self, customers: pl.DataFrame) -> LineVersions:
        """All lines of some customers.

        Args:
            customers: customer_id, distinct.
        """
        if not customers.join(self.buyers, on="customer_id", how="anti").height:
            return self._with_one_of(customers)
        of_them = self._counting.filter(is_among(customers["customer_id"])).collect()
        return self._versions(of_them, customers)

    def _with_one_of(self, keys: pl.DataFrame) -> LineVersions:
        """All lines with one of some keys, each of a line that is at hand."""
        return self._versions(self._at_hand.join(keys, on=keys.columns, how="semi"), keys)

    def _versions(self, now: pl.DataFrame, keys: pl.DataFrame) -> LineVersions:
        """Some lines as they are and as they were."""
        gone = self.counted.gone.join(keys, on=keys.columns, how="semi")
        return LineVersions(now, Rows(self.counted.came, gone).before(now, LINE))

    @cached_property
    def _at_hand(self) -> pl.DataFrame:
        """All lines of the customers and the orders that have changed, in one look at silver."""
        changed = self.counted.both
        customers = pl.concat([self.buyers, self.relocated])["customer_id"].drop_nulls()
        if not changed.height and not customers.len():
            return self._counting.limit(0).collect()
        is_changed = is_among(customers) | is_among(changed["order_id"])
        return self._counting.filter(is_changed).collect()

    @property
    def _counting(self) -> pl.LazyFrame:
        """The lines that count by as_of, with what tables are made from."""
        columns = self.purchases.collect_schema().names()
        kept = [name for name in columns if name not in _OF_THE_RECORD]
        return self.purchases.filter(pl.col("purchase_day") <= self.as_of).select(kept)
