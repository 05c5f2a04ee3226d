"""Gold: each table is one pure function of silver, or of gold tables before it.

A table that can follow a change has a second function, which brings its rows up to date from the
rows of silver that came and went since. Its commits record the version of silver that they have
seen. Where that is impossible, the table is built whole, and `Built` says why. The commit notes it
too (`gold_builds`).
"""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

import polars as pl

from bridge_cart_assets.lake.changes import diff
from bridge_cart_assets.lake.commits import Commit, retry_on_conflict
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.doctor import refuse_torn
from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.models.customer_value import customer_value, value_model
from bridge_cart_assets.models.drift import (
    drift_between,
    models_up_to,
    training_states,
    updated_training_states,
)
from bridge_cart_assets.models.metrics import model_metrics
from bridge_cart_assets.models.retraining import segment_models
from bridge_cart_assets.models.rfm import customer_rfm, rfm_models
from bridge_cart_assets.models.rfm_migration import rfm_migration, updated_rfm_migration
from bridge_cart_assets.models.segment_history import (
    customer_history,
    customer_segments,
    metrics_from,
    updated_history,
)
from bridge_cart_assets.models.spend_forecast import spend_forecast
from bridge_cart_assets.pipeline.gold_inputs import (
    SEEN,
    GoldInputs,
    WholeError,
    feed_since,
    seen_name,
)
from bridge_cart_assets.pipeline.phases import phase
from bridge_cart_assets.pipeline.spread_gold import build_by
from bridge_cart_assets.tables.gold import (
    CATEGORY_BASKETS,
    CATEGORY_PAIRS,
    COHORT_RETENTION,
    CONCENTRATION_DAILY,
    CUSTOMER_FEATURES,
    CUSTOMER_HISTORY,
    CUSTOMER_RFM,
    CUSTOMER_SEGMENTS,
    CUSTOMER_VALUE,
    FIRST_CATEGORY,
    FIRST_CATEGORY_DAYS,
    INTERNAL,
    KPI_MOVES,
    KPIS_DAILY,
    MODEL_DRIFT,
    MODEL_METRICS,
    RFM_MIGRATION,
    RFM_MODEL,
    SALES_DAILY,
    SEGMENT_EVENTS,
    SEGMENT_METRICS,
    SEGMENT_MIGRATION,
    SEGMENT_MODEL,
    SPEND_FORECAST,
    TRAINING_STATES,
    VALUE_MODEL,
)
from bridge_cart_assets.tables.silver import CUSTOMERS, PURCHASES
from bridge_cart_assets.tables.table import Table
from bridge_cart_assets.transforms.category_pairs import (
    category_baskets,
    category_pairs,
    updated_category_baskets,
)
from bridge_cart_assets.transforms.changes import Rows
from bridge_cart_assets.transforms.cohorts import cohort_retention, updated_cohorts
from bridge_cart_assets.transforms.concentration import concentration_daily, updated_concentration
from bridge_cart_assets.transforms.features import customer_features, updated_features
from bridge_cart_assets.transforms.first_category import (
    first_category,
    first_category_days,
    updated_first_category_days,
)
from bridge_cart_assets.transforms.history import segment_events, updated_events
from bridge_cart_assets.transforms.kpi_moves import kpi_moves, updated_kpi_moves
from bridge_cart_assets.transforms.kpis import kpis_from
from bridge_cart_assets.transforms.migration import segment_migration, updated_migration
from bridge_cart_assets.transforms.sales import sales_daily, updated_sales

# Counted up when a formula of a table that follows changes: then it is built whole once.
FORMULAS = 2
# When it is further behind, a table is built whole as quickly.
MOST_DAYS = timedelta(days=31)
_FORMULAS, _TABLES = "bridge-cart/formulas", "bridge-cart/tables"


@dataclass(frozen=True)
class Follow:
    """How a table follows a change.

    Attributes:
        update: brings the rows up to date; its arguments are the table's rows, the changes of
            silver, the rows of `reads`, and the changed rows of `feed` if there is one. It returns
            all rows, or those that come and go.
        reads: further tables that it reads.
        feed: a table of gold whose changed rows it needs too.
        model: the table of the models that the rows depend on, if any; a new one makes all new.
    """

    update: Callable[..., pl.DataFrame | Rows]
    reads: tuple[Table, ...] = ()
    feed: Table | None = None
    model: Table | None = None


@dataclass(frozen=True)
class Recipe:
    """How a table of gold is built.

    Attributes:
        table: the table.
        deps: the tables that it is built from, as Dagster shows it.
        build: the function; its arguments are the inputs in this order, then as_of.
        reads: the tables that `build` reads, where these are not the deps. All are built before.
        of_everybody: whether `build` gets the order lines without a customer too.
        includes_previous_rows: whether `build` gets the table's own rows first. A model table keeps
            the rows of every version.
        follow: how it follows a change of silver; None when it is built whole each time, from
            small tables or in one pass over the customers.
    """

    table: Table
    deps: tuple[Table, ...]
    build: Callable[..., pl.DataFrame]
    reads: tuple[Table, ...] = ()
    of_everybody: bool = False
    includes_previous_rows: bool = False
    follow: Follow | None = None

    @property
    def inputs(self) -> tuple[Table, ...]:
        """The tables whose rows `build` gets."""
        own = (self.table,) if self.includes_previous_rows else ()
        return (*own, *(self.reads or self.deps))

    @property
    def made_from(self) -> tuple[Table, ...]:
        """All tables whose rows it may get: where one is wrong, it must not follow."""
        follow = self.follow
        fed = () if follow is None or follow.feed is None else (follow.feed,)
        return (*self.deps, *self.reads, *(follow.reads if follow else ()), *fed)

    @property
    def is_internal(self) -> bool:
        """Whether only other tables of gold need it."""
        return self.table in INTERNAL


def recipes(discount_rate: float, retrain: bool = False) -> tuple[Recipe, ...]:
    """All of gold, each table after those that it is built from.

    Args:
        discount_rate: by how much money is worth less in a year, as a share.
        retrain: whether models are trained although those in effect are not due.
    """
    trained = partial(segment_models, asked=retrain)
    judged = partial(model_metrics, asked=retrain)
    fitted = partial(value_model, asked=retrain)
    worth = partial(customer_value, discount_rate=discount_rate)
    features, models = CUSTOMER_FEATURES, SEGMENT_MODEL
    return (
        Recipe(
            *(features, (PURCHASES, CUSTOMERS), customer_features),
            follow=Follow(updated_features),
        ),
        Recipe(
            TRAINING_STATES,
            (PURCHASES, models),
            lambda purchases, models, as_of: training_states(
                purchases, models_up_to(models, as_of)
            ),
            follow=Follow(updated_training_states, reads=(models,), model=models),
        ),
        Recipe(
            *(models, (features, PURCHASES), trained, (features, TRAINING_STATES)),
            includes_previous_rows=True,
        ),
        Recipe(CUSTOMER_SEGMENTS, (features, models), customer_segments),
        Recipe(
            *(CUSTOMER_HISTORY, (PURCHASES, models), customer_history),
            follow=Follow(updated_history, reads=(features, models), model=models),
        ),
        Recipe(
            *(SEGMENT_EVENTS, (CUSTOMER_HISTORY, PURCHASES), segment_events),
            follow=Follow(
                updated_events,
                reads=(CUSTOMER_HISTORY, features),
                feed=CUSTOMER_HISTORY,
                model=models,
            ),
        ),
        Recipe(
            *(SEGMENT_METRICS, (CUSTOMER_HISTORY, PURCHASES, models), metrics_from),
            reads=(CUSTOMER_HISTORY, SEGMENT_EVENTS, models),
        ),
        Recipe(
            *(SEGMENT_MIGRATION, (CUSTOMER_HISTORY,), segment_migration),
            follow=Follow(
                updated_migration,
                reads=(CUSTOMER_HISTORY,),
                feed=CUSTOMER_HISTORY,
                model=models,
            ),
        ),
        Recipe(*(RFM_MODEL, (features, models), rfm_models), includes_previous_rows=True),
        Recipe(CUSTOMER_RFM, (features, RFM_MODEL), customer_rfm),
        Recipe(
            *(RFM_MIGRATION, (PURCHASES, RFM_MODEL), rfm_migration),
            follow=Follow(updated_rfm_migration, reads=(features, RFM_MODEL), model=RFM_MODEL),
        ),
        Recipe(
            *(MODEL_DRIFT, (PURCHASES, models), drift_between),
            reads=(TRAINING_STATES, features, models),
        ),
        Recipe(
            *(MODEL_METRICS, (PURCHASES, models, MODEL_DRIFT, CUSTOMER_HISTORY), judged),
            reads=(PURCHASES, models, MODEL_DRIFT, features, CUSTOMER_HISTORY),
            includes_previous_rows=True,
        ),
        Recipe(
            *(VALUE_MODEL, (features, MODEL_METRICS), fitted),
            reads=(features, MODEL_METRICS, PURCHASES),
            includes_previous_rows=True,
        ),
        Recipe(
            *(CUSTOMER_VALUE, (features, VALUE_MODEL), worth),
            reads=(features, VALUE_MODEL, PURCHASES),
        ),
        Recipe(SPEND_FORECAST, (CUSTOMER_VALUE, VALUE_MODEL), spend_forecast),
        Recipe(
            *(KPI_MOVES, (PURCHASES,), kpi_moves),
            of_everybody=True,
            follow=Follow(updated_kpi_moves),
        ),
        Recipe(
            *(CONCENTRATION_DAILY, (PURCHASES,), concentration_daily),
            follow=Follow(updated_concentration, reads=(features,)),
        ),
        Recipe(KPIS_DAILY, (PURCHASES,), kpis_from, reads=(KPI_MOVES, CONCENTRATION_DAILY)),
        Recipe(*(COHORT_RETENTION, (PURCHASES,), cohort_retention), follow=Follow(updated_cohorts)),
        Recipe(*(SALES_DAILY, (PURCHASES, CUSTOMERS), sales_daily), follow=Follow(updated_sales)),
        Recipe(
            *(FIRST_CATEGORY_DAYS, (PURCHASES,), first_category_days),
            follow=Follow(updated_first_category_days),
        ),
        Recipe(FIRST_CATEGORY, (PURCHASES,), first_category, reads=(FIRST_CATEGORY_DAYS,)),
        Recipe(
            *(CATEGORY_BASKETS, (PURCHASES,), category_baskets),
            follow=Follow(updated_category_baskets),
        ),
        Recipe(CATEGORY_PAIRS, (PURCHASES,), category_pairs, reads=(CATEGORY_BASKETS,)),
    )


GOLD_TABLES: tuple[Table, ...] = tuple(
    recipe.table for recipe in recipes(0.0) if not recipe.is_internal
)


@dataclass(frozen=True)
class Built:
    """What became of a table.

    Attributes:
        rows: all of its rows; None when only those that came and went are known.
        mode: incremental, or full.
        why: why it was built whole; None when it was not.
        changed: how many rows were written.
        seconds: how long it took.
    """

    rows: pl.DataFrame | None
    mode: str
    why: str | None
    changed: int
    seconds: float

    def after(self, internal: Sequence["Built"]) -> "Built":
        """The same, when it was made from internal tables: it has followed if they have."""
        if not internal:
            return self
        why = next((one.why for one in internal if one.why is not None), None)
        seconds = self.seconds + sum(one.seconds for one in internal)
        mode = "full" if why else "incremental"
        return replace(self, mode=mode, why=why, seconds=seconds)

    def notes(self, noted: Mapping[str, str]) -> dict[str, str]:
        """What the commit writes down of it, beside what was noted before."""
        why = {} if self.why is None else {"why": self.why}
        return {**noted, "mode": self.mode, "rows_changed": str(self.changed), **why}


def build_rows(recipe: Recipe, inputs: GoldInputs) -> pl.DataFrame:
    """The rows that a table should have now, as its declaration types them.

    Raises:
        EngineError: the engine of the run failed.
    """
    if inputs.engine is not None:
        by_engine = build_by(inputs.engine, recipe.table, inputs)
        if by_engine is not None:
            return recipe.table.conform(by_engine)
    read = (inputs.rows(table, of_everybody=recipe.of_everybody) for table in recipe.inputs)
    rows = recipe.build(*read, inputs.as_of)
    return recipe.table.conform(rows)


def update_table(
    lake: Lake, recipe: Recipe, run_id: str, inputs: GoldInputs | None = None
) -> Built | None:
    """Bring a table up to date and write it; None when silver is empty.

    Args:
        lake: the tables.
        recipe: how it is built.
        run_id: written down with the commit.
        inputs: what the run reads; the lake as it is now without.

    Raises:
        DamagedTableError: the last commit of the table is torn.
    """
    refuse_torn(lake, (recipe.table,))
    at = inputs or GoldInputs.now(lake)
    if at.as_of is None:
        return None
    began, noted = time.monotonic(), {"began": str(time.time_ns() // 1_000_000)}
    # Planned and written on the same snapshot: when another run was faster, all is done again.
    with phase(f"gold: {recipe.table.name}"):
        built = retry_on_conflict(partial(_update, recipe, run_id, at, noted))
    return replace(built, seconds=time.monotonic() - began)


def _update(recipe: Recipe, run_id: str, inputs: GoldInputs, noted: Mapping[str, str]) -> Built:
    snapshot = inputs.reopen(recipe.table)
    recorded = _recorded(recipe, inputs)
    why: str | None = None
    if recipe.follow is not None:
        try:
            changed = _followed(recipe.follow, inputs, snapshot, recorded)
        except WholeError as reason:
            why = str(reason)
        else:
            if isinstance(changed, Rows):
                change = diff(recipe.table, changed.gone, changed.came)
                built = Built(None, "incremental", None, change.height, 0.0)
                snapshot.apply(change, Commit(run_id, inputs.as_of, recorded, built.notes(noted)))
                return built
            rows = recipe.table.conform(changed)
            built = Built(rows, "incremental", None, rows.height, 0.0)
            snapshot.replace(rows, Commit(run_id, inputs.as_of, recorded, built.notes(noted)))
            return built
    rows = build_rows(recipe, inputs)
    built = Built(rows, "full", why, rows.height, 0.0)
    _write_whole(snapshot, rows, Commit(run_id, inputs.as_of, recorded, built.notes(noted)))
    return built


def _followed(
    follow: Follow,
    inputs: GoldInputs,
    snapshot: Snapshot,
    recorded: Mapping[str, int],
) -> pl.DataFrame | Rows:
    """What a table becomes by following the change since it was last written.

    Raises:
        WholeError: it cannot.
    """
    if not snapshot.rows:
        raise WholeError("it has no rows yet")
    if inputs.is_rebuilding:
        raise WholeError("a rebuild is not complete")
    if snapshot.absent_columns:
        raise WholeError(f"it gets new columns: {', '.join(snapshot.absent_columns)}")
    seen = snapshot.transactions(list(recorded))
    as_of, seen_as_of = inputs.as_of, snapshot.as_of
    if seen.keys() != recorded.keys() or seen_as_of is None or as_of is None:
        raise WholeError("it does not say what it has seen")
    if seen[_FORMULAS] != FORMULAS:
        raise WholeError("its formulas have changed")
    if seen[_TABLES] != recorded[_TABLES]:
        raise WholeError("a table that it is made from was removed and made again")
    if follow.model is not None:
        name = _model_name(follow.model)
        if seen[name] != recorded[name]:
            raise WholeError(f"another {follow.model.name.replace('_', ' ')} has come")
    if seen_as_of > as_of or any(seen[name] > recorded[name] for name in _versions(recorded)):
        raise WholeError("it has seen a later state of what it is made from")
    if CUSTOMER_FEATURES in follow.reads and not _is_as_new(CUSTOMER_FEATURES, inputs):
        raise WholeError(f"{CUSTOMER_FEATURES.path} has not seen this state of silver")
    if as_of - seen_as_of > MOST_DAYS:
        raise WholeError(f"{(as_of - seen_as_of).days} days at once")
    changes = inputs.changes_since(seen, seen_as_of)
    read: list[pl.LazyFrame | Rows] = [inputs.rows(table) for table in follow.reads]
    if follow.feed is not None:
        read.append(feed_since(inputs.snapshot(follow.feed), seen[seen_name(follow.feed)]))
    return follow.update(snapshot.scan(), changes, *read)


def _recorded(recipe: Recipe, inputs: GoldInputs) -> dict[str, int]:
    """What a commit of a table that follows records beside its rows."""
    follow = recipe.follow
    if follow is None:
        return {}
    made_from = [PURCHASES, CUSTOMERS, *([follow.feed] if follow.feed else ())]
    tables = _number_of(*(inputs.snapshot(table).table_id for table in made_from))
    recorded = {**inputs.seen, _FORMULAS: FORMULAS, _TABLES: tables}
    if follow.model is not None:
        # All versions with all they have: their numbers can come again.
        models = inputs.rows(follow.model).sort(follow.model.key).collect()
        recorded[_model_name(follow.model)] = _number_of(models.write_ndjson())
    if follow.feed is not None:
        recorded[seen_name(follow.feed)] = inputs.snapshot(follow.feed).version or 0
    return recorded


def _versions(recorded: Mapping[str, int]) -> list[str]:
    """The names under which versions of tables are recorded."""
    return [name for name in recorded if name.startswith(SEEN)]


def _model_name(models: Table) -> str:
    """The transaction that records the models which a table depends on."""
    return f"bridge-cart/{models.name.replace('_', '-')}"


def _is_as_new(table: Table, inputs: GoldInputs) -> bool:
    """Whether a table of gold has seen what this run reads; in a run of some tables it may not."""
    snapshot = inputs.snapshot(table)
    seen = snapshot.transactions(list(inputs.seen))
    return snapshot.as_of == inputs.as_of and seen == inputs.seen


def _number_of(*texts: str) -> int:
    """A number for some texts, another one for others: transactions hold numbers."""
    return int(hashlib.sha256(repr(texts).encode()).hexdigest()[:12], 16)


def _write_whole(snapshot: Snapshot, rows: pl.DataFrame, commit: Commit) -> int:
    """Make a table hold exactly these rows, in one commit.

    Of a history only the rows that differ are written, so that its change feed says what a late
    record has changed. The other tables are small, or every row of them changes with as_of.
    """
    table = snapshot.table
    if not table.interval_of or not snapshot.rows or snapshot.absent_columns:
        return snapshot.replace(rows, commit)
    return snapshot.apply(diff(table, snapshot.read(), rows), commit)
