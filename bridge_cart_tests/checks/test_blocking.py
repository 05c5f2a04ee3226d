"""A failed blocking check stops what is downstream: in the run, in later runs, and on its own."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from deltalake import write_deltalake

from bridge_cart_assets.assets import gold as assets_gold
from bridge_cart_assets.assets.run_scope import RunScope
from bridge_cart_assets.automation.jobs import QUIET, refresh_selection
from bridge_cart_assets.batch_days import DayRange
from bridge_cart_assets.checks import check as checks_check
from bridge_cart_assets.checks.check import CheckContext
from bridge_cart_assets.checks.registry import checks_of
from bridge_cart_assets.definitions import build_defs
from bridge_cart_assets.lake.changes import Change
from bridge_cart_assets.lake.commits import Commit
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.partitions import range_tags
from bridge_cart_assets.pipeline.gold import Built, Recipe, update_table
from bridge_cart_assets.pipeline.gold_inputs import GoldInputs
from bridge_cart_assets.pipeline.plan import plan
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.tables.columns import MONEY
from bridge_cart_assets.tables.gold import (
    CUSTOMER_FEATURES,
    CUSTOMER_HISTORY,
    CUSTOMER_VALUE,
    KPIS_DAILY,
    SEGMENT_METRICS,
)
from bridge_cart_assets.tables.silver import ACCOUNTING, PURCHASES
from bridge_cart_assets.tables.table import Table
from bridge_cart_tests.faults import kill_target

HEADER = "order_id,customer_id,purchase_date,purchase_amount\n"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture(scope="module")
def after_a_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose two order lines have gone through the whole chain."""
    data = tmp_path_factory.mktemp("after-a-run")
    settings = Settings(data=data, lake=str(data / "lake"))
    settings.landing.mkdir()
    land(settings, "2024-01-01", "O1,C1,2024-01-01,10", "O2,C2,2024-01-01,20")
    kill_target.run(data)
    return data


@pytest.fixture
def begun(after_a_run: Path, settings: Settings) -> Settings:
    """Settings of a copy of it."""
    copy = partial(shutil.copytree, copy_function=shutil.copy2, dirs_exist_ok=True)
    copy(after_a_run, settings.data)
    return settings


def land(settings: Settings, day: str, *lines: str) -> None:
    folder = settings.landing / "purchases"
    folder.mkdir(exist_ok=True)
    (folder / f"{day}.csv").write_text(HEADER + "".join(f"{line}\n" for line in lines))


def run(settings: Settings, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    due = plan(settings, Lake(settings.lake))
    return (
        build_defs(settings)
        .resolve_job_def("refresh")
        .execute_in_process(
            instance=instance,
            tags=RunScope.of_plan(due).tags,
            asset_selection=refresh_selection(due.sources),
            run_config=QUIET,
            raise_on_error=False,
        )
    )


def materialized(result: dg.ExecuteInProcessResult) -> set[str]:
    return {
        event.asset_key.to_user_string()
        for event in result.all_events
        if event.is_step_materialization and event.asset_key
    }


def double_a_line(settings: Settings) -> None:
    """A defect that the product cannot make: a key twice in silver."""
    snapshot = Lake(settings.lake).snapshot(PURCHASES)
    write_deltalake(snapshot.uri, snapshot.read().head(1), mode="append")


def version(settings: Settings, table: Table) -> int | None:
    return Lake(settings.lake).snapshot(table).version


def test_a_failed_check_stops_gold_in_the_run_and_in_later_runs(
    begun: Settings, instance: dg.DagsterInstance
) -> None:
    settings = begun
    gold = version(settings, KPIS_DAILY)
    double_a_line(settings)

    # A line of the doubled key arrives: the run touches the key and sees it twice.
    land(settings, "2024-01-02", "O1,C1,2024-01-01,11", "O2,C2,2024-01-01,21")
    failed = run(settings, instance)
    # What arrives now has nothing to do with it.
    land(settings, "2024-01-03", "O3,C3,2024-01-03,30")
    failed_again = run(settings, instance)
    nothing_new = run(settings, instance)

    for result in (failed, failed_again, nothing_new):
        assert not result.success
        wrong = [c for c in result.get_asset_check_evaluations() if not c.passed]
        assert "keys_unique" in {check.check_name for check in wrong}
        assert not {key for key in materialized(result) if key.startswith(("gold", "catalogue"))}
    assert version(settings, KPIS_DAILY) == gold


def test_a_failed_check_within_gold_holds_back_what_is_built_from_its_table(
    begun: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one step: the tables behind the failed one are not built, the others are."""

    def with_a_row_twice(
        lake: Lake, recipe: Recipe, run_id: str, inputs: GoldInputs | None = None
    ) -> Built | None:
        built = update_table(lake, recipe, run_id, inputs)
        if built is None or built.rows is None or recipe.table is not CUSTOMER_FEATURES:
            return built
        return replace(built, rows=pl.concat([built.rows, built.rows]))

    monkeypatch.setattr(assets_gold, "update_table", with_a_row_twice)
    land(begun, "2024-01-02", "O3,C3,2024-01-02,30")
    before = version(begun, CUSTOMER_VALUE), version(begun, SEGMENT_METRICS)

    result = run(begun, instance)

    assert not result.success
    built = {key for key in materialized(result) if key.startswith("gold/")}
    assert {"gold/customer_features", "gold/cohort_retention", "gold/sales_daily"} <= built
    # From the table itself, and from tables that are built from it, as the KPIs' ranking is.
    behind = {"segment_model", "customer_value", "segment_metrics", "kpis_daily"}
    assert built.isdisjoint({f"gold/{name}" for name in behind})
    assert "catalogue" not in materialized(result)
    assert before == (version(begun, CUSTOMER_VALUE), version(begun, SEGMENT_METRICS))


@pytest.mark.slow
def test_what_failed_on_its_own_is_looked_at_whole_by_the_next_run(
    begun: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks_check, "WORTH_ROWS", 1)
    land(begun, "2024-01-02", *(f"P{n},D{n},2024-01-02,{n + 5}" for n in range(5)))
    assert run(begun, instance).success
    history = Lake(begun.lake).snapshot(CUSTOMER_HISTORY)
    twice = history.read().head(1)
    history.apply(
        Change(twice, twice.clear(), twice.clear().select(CUSTOMER_HISTORY.key)),
        Commit("another program", history.as_of),
    )
    jobs = build_defs(begun)
    # Published, and found.
    published = jobs.resolve_job_def("refresh").execute_in_process(
        instance=instance, asset_selection=[dg.AssetKey("catalogue")]
    )
    found = jobs.resolve_job_def("check").execute_in_process(
        instance=instance, raise_on_error=False
    )
    assert (published.success, found.success) == (True, False)

    land(begun, "2024-01-03", "O3,C3,2024-01-03,30")
    result = run(begun, instance)

    wrong = {c.check_name for c in result.get_asset_check_evaluations() if not c.passed}
    assert not result.success
    assert {"keys_unique", "intervals_touch"} <= wrong


@pytest.mark.slow
def test_a_shop_whose_lines_are_all_pending_has_a_catalogue(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    folder = settings.landing / "purchases"
    folder.mkdir(parents=True)
    line = "O1,C1,2024-01-01,10,pending\n"
    (folder / "2024-01-01.csv").write_text(HEADER.replace("\n", ",status\n") + line)
    result = run(settings, instance)
    assert result.success
    assert "catalogue" in materialized(result)


@pytest.mark.slow
def test_gold_goes_on_once_the_cause_is_mended(
    begun: Settings, instance: dg.DagsterInstance
) -> None:
    settings = begun
    double_a_line(settings)
    land(settings, "2024-01-02", "O1,C1,2024-01-01,11")
    assert not run(settings, instance).success

    snapshot = Lake(settings.lake).snapshot(PURCHASES)
    write_deltalake(
        snapshot.uri, snapshot.read().unique(list(PURCHASES.key), keep="last"), mode="overwrite"
    )
    # The day's counts were taken while the line was there twice: the days are folded again.
    mended = (
        build_defs(settings)
        .resolve_job_def("refresh")
        .execute_in_process(
            instance=instance,
            tags=range_tags(DayRange(date(2024, 1, 1), date(2024, 1, 2))),
            raise_on_error=False,
        )
    )

    assert mended.success
    assert "gold/kpis_daily" in materialized(mended)


def test_the_check_job_covers_whole_tables_and_writes_nothing(
    begun: Settings, instance: dg.DagsterInstance
) -> None:
    settings = begun
    double_a_line(settings)
    before = version(settings, PURCHASES)

    result = (
        build_defs(settings)
        .resolve_job_def("check")
        .execute_in_process(instance=instance, raise_on_error=False)
    )

    verdicts = {
        (c.asset_key.path[-1], c.check_name): c for c in result.get_asset_check_evaluations()
    }
    assert not result.success
    assert not verdicts["purchases", "keys_unique"].passed
    assert not verdicts["purchases", "rows_are_accepted_records"].passed
    assert verdicts["purchases", "keys_unique"].metadata["covers"].value == "whole tables"
    assert version(settings, PURCHASES) == before
    assert materialized(result) == set()


@pytest.mark.parametrize(
    ("table", "column", "value", "check"),
    [
        (ACCOUNTING, "accepted", pl.lit(7, pl.Int64), "every_record_accounted"),
        (KPIS_DAILY, "revenue", pl.lit("1.00").cast(pl.Decimal(18, 2)), "revenue_agrees"),
        (KPIS_DAILY, "revenue_new", pl.lit("1.00").cast(pl.Decimal(18, 2)), "revenue_parts_add_up"),
        (KPIS_DAILY, "gini", pl.lit(1.5), "rates_in_range"),
        (KPIS_DAILY, "nrr_90d", pl.lit(-0.5), "ratios_not_negative"),
        (
            CUSTOMER_VALUE,
            "predicted_clv_365d",
            pl.lit("-0.01").cast(MONEY),
            "predictions_not_negative",
        ),
    ],
)
def test_each_invariant_is_seen_to_fail(
    begun: Settings, table: Table, column: str, value: pl.Expr, check: str
) -> None:
    """By the check itself: that one which fails stops a run is shown above."""
    lake = Lake(begun.lake)
    (asked,) = [c for c in checks_of(table) if c.name == check]
    assert asked.blocking
    assert asked.compute(CheckContext(lake)).passed

    snapshot = lake.snapshot(table)
    write_deltalake(
        snapshot.uri, snapshot.read().with_columns(value.alias(column)), mode="overwrite"
    )

    assert not asked.compute(CheckContext(lake)).passed
