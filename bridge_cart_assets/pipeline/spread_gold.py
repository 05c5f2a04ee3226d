"""Tables of gold that are built whole by an engine, from order lines per customer or per order.

Each calls the functions that a run calls without an engine. Rows per customer come here; sums over
customers and orders are added up by the engine. A table that follows a change does so without an
engine: it looks at what has changed.

Belongs here: what is asked of an engine for gold. Does not belong here: what a table means
(`transforms`, `models`), or how it is written (`gold`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial

import polars as pl

from bridge_cart_assets.engine.engine import Engine, Frames, Keyed
from bridge_cart_assets.lake.row_files import RowFiles
from bridge_cart_assets.models.drift import training_states
from bridge_cart_assets.models.rfm_migration import rfm_migration
from bridge_cart_assets.models.segment_history import customer_history
from bridge_cart_assets.pipeline.gold_inputs import GoldInputs
from bridge_cart_assets.tables.columns import MONEY
from bridge_cart_assets.tables.gold import (
    CATEGORY_BASKETS,
    COHORT_RETENTION,
    CONCENTRATION_DAILY,
    CUSTOMER_FEATURES,
    CUSTOMER_HISTORY,
    FIRST_CATEGORY_DAYS,
    KPI_MOVES,
    RFM_MIGRATION,
    RFM_MODEL,
    SALES_DAILY,
    SEGMENT_EVENTS,
    SEGMENT_MODEL,
    TRAINING_STATES,
)
from bridge_cart_assets.tables.silver import CUSTOMERS, PURCHASES
from bridge_cart_assets.tables.table import Table
from bridge_cart_assets.transforms.category_pairs import category_baskets
from bridge_cart_assets.transforms.changes import added_up
from bridge_cart_assets.transforms.cohorts import cohort_sums, cohorts_from
from bridge_cart_assets.transforms.concentration import concentration_daily
from bridge_cart_assets.transforms.features import (
    ORDER,
    customer_facts,
    imputed,
    refunds,
    sales,
)
from bridge_cart_assets.transforms.first_category import first_category_days
from bridge_cart_assets.transforms.history import segment_events
from bridge_cart_assets.transforms.kpi_moves import (
    moves_of_anonymous,
    moves_of_customers,
    moves_of_orders,
)
from bridge_cart_assets.transforms.sales import sales_daily

_CUSTOMER = ("customer_id",)
# What gold asks of an order line.
_SOLD = (
    *(*ORDER, "customer_id", "purchase_date", "purchase_day", "purchase_month"),
    *("purchase_amount", "discount_amount", "net_amount", "quantity", "coupon_used"),
    *("payment_method", "product_category", "kind"),
)
_MONEY_OF_DAY = ("customer_id", "purchase_day", "kind", "net_amount")
_HAS_CUSTOMER = pl.col("customer_id").is_not_null()


@dataclass(frozen=True)
class SpreadInputs:
    """What the tables of one run are built from, where an engine reads it.

    Attributes:
        engine: where.
        inputs: what the run reads.
        as_of: latest batch day.
    """

    engine: Engine
    inputs: GoldInputs
    as_of: date

    def _files(self, table: Table) -> RowFiles:
        return self.inputs.snapshot(table).row_files()

    def lines(
        self,
        key: tuple[str, ...] = _CUSTOMER,
        columns: tuple[str, ...] = _SOLD,
        *,
        anonymous: bool = False,
    ) -> Keyed:
        """Order lines up to as_of: of customers, or else those without one."""
        where = (pl.col("purchase_day") <= self.as_of) & (_HAS_CUSTOMER ^ pl.lit(anonymous))
        return Keyed(self._files(PURCHASES), key, columns, where)

    def profiles(self) -> Keyed:
        """The current profiles."""
        columns = (*_CUSTOMER, "country", "gender", "age", "income", "is_current")
        return Keyed(self._files(CUSTOMERS), _CUSTOMER, columns, pl.col("is_current"))

    def states(self) -> Keyed:
        """The history of states."""
        return Keyed(self._files(CUSTOMER_HISTORY), _CUSTOMER)

    def models(self) -> pl.DataFrame:
        """The segment models."""
        return self.inputs.rows(SEGMENT_MODEL).collect()


def build_by(engine: Engine, table: Table, inputs: GoldInputs) -> pl.DataFrame | None:
    """All rows of a table, built by an engine; None for a table that is not built from lines.

    Args:
        engine: where.
        table: the table.
        inputs: what the run reads.
    """
    build = BUILDS.get(table.path)
    if build is None or inputs.as_of is None:
        return None
    if not engine.is_used_for(inputs.snapshot(PURCHASES).rows):
        return None
    return build(SpreadInputs(engine, inputs, inputs.as_of))


def _features(given: SpreadInputs) -> pl.DataFrame:
    facts = partial(_facts, as_of=given.as_of)
    (rows,) = given.engine.per_key(facts, given.lines(), given.profiles())
    return imputed(rows.collect().lazy())


def _facts(lines: pl.LazyFrame, profiles: pl.LazyFrame, *, as_of: date) -> Frames:
    return (customer_facts(lines, profiles, as_of).collect(),)


def _training_states(given: SpreadInputs) -> pl.DataFrame:
    part = partial(_states_at_training, models=given.models())
    (rows,) = given.engine.per_key(part, given.lines())
    return rows.collect()


def _states_at_training(lines: pl.LazyFrame, *, models: pl.DataFrame) -> Frames:
    return (TRAINING_STATES.conform(training_states(lines, models.lazy())),)


def _history(given: SpreadInputs) -> pl.DataFrame:
    part = partial(_states, models=given.models(), as_of=given.as_of)
    (rows,) = given.engine.per_key(part, given.lines())
    return rows.collect().sort("customer_id", "valid_from")


def _states(lines: pl.LazyFrame, *, models: pl.DataFrame, as_of: date) -> Frames:
    return (CUSTOMER_HISTORY.conform(customer_history(lines, models.lazy(), as_of)),)


def _events(given: SpreadInputs) -> pl.DataFrame:
    part = partial(segment_events, as_of=given.as_of)
    by = SEGMENT_EVENTS.key
    summed = given.engine.sums(part, given.states(), given.lines(), by=by)
    return added_up(SEGMENT_EVENTS, summed)


def _rfm_migration(given: SpreadInputs) -> pl.DataFrame:
    models = given.inputs.rows(RFM_MODEL).collect()
    part = partial(_rfm_moves, models=models, as_of=given.as_of)
    by = RFM_MIGRATION.key
    return given.engine.sums(part, given.lines(), by=by).sort(by)


def _rfm_moves(lines: pl.LazyFrame, *, models: pl.DataFrame, as_of: date) -> pl.DataFrame:
    return rfm_migration(lines, models.lazy(), as_of)


def _kpi_moves(given: SpreadInputs) -> pl.DataFrame:
    by = KPI_MOVES.key
    return added_up(
        KPI_MOVES,
        given.engine.sums(partial(_moves, of=moves_of_customers), given.lines(), by=by),
        given.engine.sums(partial(_moves, of=moves_of_orders), given.lines(ORDER), by=by),
        given.engine.sums(
            partial(_moves, of=moves_of_anonymous), given.lines(ORDER, anonymous=True), by=by
        ),
    )


def _moves(
    lines: pl.LazyFrame, *, of: Callable[[pl.LazyFrame], tuple[pl.DataFrame, ...]]
) -> pl.DataFrame:
    return added_up(KPI_MOVES, *of(lines))


def _concentration(given: SpreadInputs) -> pl.DataFrame:
    """Ranks all customers: what each of them paid on each day comes here."""
    (rows,) = given.engine.per_key(_money_of_days, given.lines(columns=_MONEY_OF_DAY))
    return concentration_daily(rows.collect().lazy(), given.as_of)


def _money_of_days(lines: pl.LazyFrame) -> Frames:
    day = ("customer_id", "purchase_day", "kind")
    both = pl.concat([sales(lines), refunds(lines)])
    return (both.group_by(day).agg(pl.sum("net_amount").cast(MONEY)).collect(),)


def _cohorts(given: SpreadInputs) -> pl.DataFrame:
    summed = given.engine.sums(_cohort_part, given.lines(), by=("cohort", "month"))
    return cohorts_from(summed.lazy(), given.as_of)


def _cohort_part(lines: pl.LazyFrame) -> pl.DataFrame:
    return cohort_sums(lines).with_columns(pl.col("revenue").cast(MONEY)).collect()


def _sales(given: SpreadInputs) -> pl.DataFrame:
    part = partial(_sales_part, as_of=given.as_of)
    summed = given.engine.sums(part, given.lines(), given.profiles(), by=SALES_DAILY.key)
    return SALES_DAILY.conform(summed).sort(SALES_DAILY.key)


def _sales_part(lines: pl.LazyFrame, profiles: pl.LazyFrame, *, as_of: date) -> pl.DataFrame:
    return SALES_DAILY.conform(sales_daily(lines, profiles, as_of))


def _first_days(given: SpreadInputs) -> pl.DataFrame:
    part = partial(first_category_days, as_of=given.as_of)
    summed = given.engine.sums(part, given.lines(), by=FIRST_CATEGORY_DAYS.key)
    return added_up(FIRST_CATEGORY_DAYS, summed)


def _baskets(given: SpreadInputs) -> pl.DataFrame:
    part = partial(category_baskets, as_of=given.as_of)
    summed = given.engine.sums(part, given.lines(), by=CATEGORY_BASKETS.key)
    return added_up(CATEGORY_BASKETS, summed)


BUILDS: dict[str, Callable[[SpreadInputs], pl.DataFrame]] = {
    CUSTOMER_FEATURES.path: _features,
    TRAINING_STATES.path: _training_states,
    CUSTOMER_HISTORY.path: _history,
    SEGMENT_EVENTS.path: _events,
    RFM_MIGRATION.path: _rfm_migration,
    KPI_MOVES.path: _kpi_moves,
    CONCENTRATION_DAILY.path: _concentration,
    COHORT_RETENTION.path: _cohorts,
    SALES_DAILY.path: _sales,
    FIRST_CATEGORY_DAYS.path: _first_days,
    CATEGORY_BASKETS.path: _baskets,
}
