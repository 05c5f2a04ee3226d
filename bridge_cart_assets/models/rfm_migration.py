"""From which RFM group to which customers move between the ends of two months.

Belongs here: gold/rfm_migration, which is the groups of all customers at each month's end by the
cut points effective on that day. Does not belong here: the cut points (`rfm`), or counting moves
between states (`transforms.migration`).

Between two purchases only recency moves, and it passes four cut points: so the months in which a
customer is in a group are intervals, and no customer is looked up month by month.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise

import polars as pl

from bridge_cart_assets.models.rfm import MEASURES, CutPoints, from_rows, score_of_fifth
from bridge_cart_assets.models.segment_history import effective_intervals
from bridge_cart_assets.tables.gold import RFM_MIGRATION
from bridge_cart_assets.transforms.changes import Changes
from bridge_cart_assets.transforms.features import ORDER, exact_sum, refunds, sales, up_to
from bridge_cart_assets.transforms.migration import month_moves, month_number
from bridge_cart_assets.transforms.rfm_groups import NO_SALE, rfm_group

_ONE_DAY = timedelta(days=1)
_KEY = RFM_MIGRATION.key


def rfm_migration(purchases: pl.LazyFrame, models: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """One row per month's end up to `as_of` and pair of groups with a customer.

    Args:
        purchases: rows of silver/purchases.
        models: rows of gold/rfm_model; each version decides at the month ends from its
            effective_from on, the first at those before too.
        as_of: latest batch day in silver.

    Returns:
        The columns of gold/rfm_migration, ordered by its key. The customers of a month add up to
        all who had a sale by its end.

    The cut points of recency are 10, 20, 30 and 40 days; all other scores are 5:

    >>> from bridge_cart_assets.tables.gold import RFM_MODEL
    >>> from bridge_cart_assets.tables.silver import PURCHASES
    >>> cuts = {"recency_days": [10, 20, 30, 40], "orders": [0] * 4, "net_revenue": [0] * 4}
    >>> rows = [{"measure": name, "up_to": cut} for name, own in cuts.items() for cut in own]
    >>> models = pl.LazyFrame(rows, schema=RFM_MODEL.dtypes).with_columns(model_version=1)
    >>> line = {"customer_id": "C1", "kind": "sale", "purchase_day": date(2024, 1, 30)}
    >>> purchases = pl.LazyFrame([{**line, "net_amount": 10}], schema=PURCHASES.dtypes)
    >>> moves = rfm_migration(purchases, models, as_of=date(2024, 3, 31))
    >>> moves.select(pl.col("period_end").dt.to_string(), "from_group", "to_group").rows()
    ... # doctest: +NORMALIZE_WHITESPACE
    [('2024-01-31', 'NO_SALE', 'CHAMPIONS'), ('2024-02-29', 'CHAMPIONS', 'LOYAL'),
     ('2024-03-31', 'LOYAL', 'PREVIOUSLY_LOYAL')]
    """
    versions = from_rows(models.collect())
    return _moves(_spells(_month_states(purchases, as_of), versions, as_of))


def updated_rfm_migration(
    earlier: pl.LazyFrame, changes: Changes, customers: pl.LazyFrame, models: pl.LazyFrame
) -> pl.DataFrame:
    """The rows of gold/rfm_migration once the changed customers are as they are now.

    While a month goes on, only lines of months that have ended change something. When a month has
    ended, a customer without a line since the end before is as gold/customer_features says.

    Args:
        earlier: rows of gold/rfm_migration, by the same models.
        changes: what has changed since.
        customers: rows of gold/customer_features.
        models: rows of gold/rfm_model.
    """
    seen_end, end = _last_month_end(changes.seen_as_of), _last_month_end(changes.as_of)
    day = pl.col("purchase_day")
    changed = changes.counted.both
    if end == seen_end:
        changed = changed.filter(day <= end)
    touched = changed.select("customer_id").unique()
    parts: list[pl.DataFrame] = []
    if end > seen_end:
        is_since = day.is_between(seen_end, changes.as_of, closed="right")
        since = changes.purchases.filter(is_since).select("customer_id").unique().collect()
        touched = pl.concat([touched, since]).unique()
        waited = customers.join(touched.lazy(), on="customer_id", how="anti")
        states = _states_since(waited, seen_end, changes.as_of)
        moves = _moves(_spells(states, from_rows(models.collect()), changes.as_of))
        parts.append(moves.filter(pl.col("period_end") > seen_end))
    if touched.height:
        lines = changes.lines_of(touched)
        before = rfm_migration(lines.before.lazy(), models, changes.seen_as_of)
        parts += [
            rfm_migration(lines.now.lazy(), models, changes.as_of),
            before.with_columns(-pl.col("customers")),
        ]
    return (
        pl.concat([earlier.collect(), *parts])
        .group_by(_KEY)
        .agg(pl.sum("customers"))
        .filter(pl.col("customers") > 0)
        .sort(_KEY)
    )


def _last_month_end(as_of: date) -> date:
    """The last day of the latest month that has ended by the end of a day."""
    return (as_of + _ONE_DAY).replace(day=1) - _ONE_DAY


def _month_states(purchases: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """What each customer has bought by the end of a month with a line of theirs.

    Returns:
        customer_id, month and stop (the months [month, stop) at whose end it is so), last (day of
        the latest sale), and up to then orders and net_revenue, as in gold/customer_features.
    """
    lines = up_to(purchases, as_of)
    day, month = pl.col("purchase_day"), month_number(pl.col("purchase_day"))
    money = (
        pl.concat([sales(lines), refunds(lines)])
        .group_by("customer_id", month=month)
        .agg(net_revenue=pl.sum("net_amount"), last=day.filter(pl.col("kind") == "sale").max())
    )
    # An order counts from its first line on.
    orders = (
        sales(lines)
        .group_by("customer_id", *ORDER)
        .agg(month=month.min())
        .group_by("customer_id", "month")
        .agg(orders=pl.len().cast(pl.Int64))
    )
    is_same = pl.col("customer_id") == pl.col("customer_id").shift(-1)
    following = pl.when(is_same).then(pl.col("month").shift(-1))
    return (
        money.join(orders, on=["customer_id", "month"], how="left")
        .sort("customer_id", "month")
        .with_columns(
            stop=following.fill_null(_month_of(as_of + _ONE_DAY)),
            # Before the first sale it is another customer's, and there is no state.
            last=pl.col("last").forward_fill(),
            orders=_so_far(pl.col("orders").fill_null(0)),
            net_revenue=exact_sum(_so_far(pl.col("net_revenue"))),
        )
        .filter(pl.col("orders") > 0)
        .collect()
    )


def _so_far(value: pl.Expr) -> pl.Expr:
    """The running sum within each customer, in rows sorted by customer; sums are exact."""
    begins = (pl.col("customer_id") != pl.col("customer_id").shift(1)).fill_null(True)
    total = value.cum_sum()
    return total - pl.when(begins).then(total - value).forward_fill()


def _states_since(customers: pl.LazyFrame, end: date, as_of: date) -> pl.DataFrame:
    """The `_month_states` of customers who have no line since a month's end."""
    return customers.select(
        "customer_id",
        *("orders", "net_revenue"),
        month=pl.lit(_month_of(end), pl.Int64),
        stop=pl.lit(_month_of(as_of + _ONE_DAY), pl.Int64),
        last="last_purchase_day",
    ).collect()


def _spells(states: pl.DataFrame, models: Sequence[CutPoints], as_of: date) -> pl.DataFrame:
    """The months at whose end customers are in a group, as `month_moves` takes them."""
    spells = [
        spell
        for model, first, end in effective_intervals(models, as_of)
        for spell in _spells_by(model, states, first, end)
    ]
    nothing = pl.DataFrame(
        schema={
            "customer_id": pl.String,
            "state": pl.String,
            "lapsed": pl.Boolean,
            "start": pl.Int64,
            "stop": pl.Int64,
        }
    )
    return pl.concat([nothing, *spells]).sort("customer_id", "start")


def _spells_by(
    model: CutPoints, states: pl.DataFrame, first: date | None, end: date
) -> list[pl.DataFrame]:
    """Those of the month ends in [first, end), a part per fifth of recency."""
    recency, others = "recency_days", [name for name in MEASURES if name != "recency_days"]
    scored = states.with_columns(model.score(measure) for measure in others)
    after, until = (None if d is None else _month_of(d) for d in (first, end))
    cuts = [None, *model.cuts[recency], None]
    parts = []
    for fifth, (above, up_to_days) in enumerate(pairwise(cuts), 1):
        # The first month's end at which recency is above a cut point: it begins the fifth.
        begin = None if above is None else _month_when_above(above)
        over = None if up_to_days is None else _month_when_above(up_to_days)
        starts = [pl.col("month"), *(e for e in (begin, _literal(after)) if e is not None)]
        stops = [pl.col("stop"), *(e for e in (over, _literal(until)) if e is not None)]
        scores = {MEASURES[recency]: score_of_fifth(recency, pl.lit(fifth, pl.Int64))}
        group = rfm_group(*(scores.get(score, pl.col(score)) for score in MEASURES.values()))
        parts.append(
            scored.with_columns(start=pl.max_horizontal(starts), stop=pl.min_horizontal(stops))
            .filter(pl.col("start") < pl.col("stop"))
            .select(
                "customer_id", state=group, lapsed=pl.lit(value=False), start="start", stop="stop"
            )
        )
    return parts


def _month_when_above(days: float) -> pl.Expr:
    """The first month at whose end the latest sale is more than some days ago."""
    return month_number(pl.col("last").dt.offset_by(f"{int(days) + 1}d"))


def _month_of(day: date) -> int:
    return 12 * day.year + day.month - 1


def _literal(month: int | None) -> pl.Expr | None:
    return None if month is None else pl.lit(month, pl.Int64)


def _moves(spells: pl.DataFrame) -> pl.DataFrame:
    """The rows of gold/rfm_migration that some customers make."""
    if not spells.height:
        return RFM_MIGRATION.empty()
    moves = month_moves(spells, nowhere=NO_SALE).rename({"from": "from_group", "to": "to_group"})
    return moves.select(list(RFM_MIGRATION.dtypes))
