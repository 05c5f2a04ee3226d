"""The nightly job: tables are looked after, and the run after it builds the catalogue again."""

from collections.abc import Iterator

import dagster as dg
import duckdb
import pytest

from bridge_cart_assets.automation.schedules import maintenance_schedule
from bridge_cart_assets.definitions import build_defs
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.maintenance import maintain as maintain_tables
from bridge_cart_assets.pipeline.plan import plan
from bridge_cart_assets.pipeline.stored_tables import STORED_TABLES
from bridge_cart_assets.settings import Settings
from bridge_cart_tests.checks.test_blocking import double_a_line, land, materialized, run
from bridge_cart_tests.faults import kill_target


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def maintain(settings: Settings, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    job = build_defs(settings).resolve_job_def("maintenance")
    return job.execute_in_process(instance=instance)


def test_it_runs_every_night_and_touches_no_other_asset(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    schedule = maintenance_schedule("America/Los_Angeles")
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    assert schedule.cron_schedule == "30 3 * * *"
    assert schedule.execution_timezone == "America/Los_Angeles"
    result = maintain(settings, instance)
    assert materialized(result) == {"ops/maintenance"}
    refresh = build_defs(settings).resolve_job_def("refresh")
    assert "ops__maintenance" not in refresh.graph.node_dict


@pytest.mark.slow
def test_a_night_without_anything_to_do_is_skipped(settings: Settings) -> None:
    def tonight() -> object:
        context = dg.build_schedule_context(
            resources={"lake": Lake(settings.lake), "settings": settings}
        )
        return maintenance_schedule("UTC")(context)

    assert isinstance(tonight(), dg.SkipReason), "there is no lake"
    for day in ("2024-01-01", "2024-01-02"):
        land(settings, day, f"O{day},C1,{day},10")
        kill_target.run(settings.data)
    assert isinstance(tonight(), dg.RunRequest), "a day's files are small"
    maintain_tables(Lake(settings.lake), STORED_TABLES, "tonight")
    assert isinstance(tonight(), dg.SkipReason)


@pytest.mark.slow
def test_the_run_after_it_builds_the_catalogue_again(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    for day in ("2024-01-01", "2024-01-02"):
        land(settings, day, f"O{day},C1,{day},10")
        kill_target.run(settings.data)
    result = maintain(settings, instance)

    (done,) = result.asset_materializations_for_node("ops__maintenance")
    run_metadata = done.metadata["tables"]
    assert isinstance(run_metadata, dg.TableMetadataValue)
    tables = {r.data["table"]: r.data for r in run_metadata.records}
    assert tables["silver/purchases"]["files_before"] == 2
    assert tables["silver/purchases"]["files_after"] == 1
    with duckdb.connect(str(settings.catalogue), read_only=True) as old:
        assert old.execute("SELECT count(*) FROM silver.purchases").fetchone() == (2,)
    assert plan(settings, Lake(settings.lake)).days is not None
    after = run(settings, instance)
    assert "catalogue" in materialized(after)
    assert plan(settings, Lake(settings.lake)).days is None
    with duckdb.connect(str(settings.catalogue), read_only=True) as new:
        views = new.execute("SELECT sql FROM duckdb_views() WHERE NOT internal").fetchall()
        assert any("compacted-" in view for (view,) in views)


@pytest.mark.slow
def test_it_publishes_nothing_that_a_check_holds_back(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    land(settings, "2024-01-01", "O1,C1,2024-01-01,10")
    kill_target.run(settings.data)
    double_a_line(settings)
    land(settings, "2024-01-02", "O1,C1,2024-01-01,11")
    assert not run(settings, instance).success
    served = settings.catalogue.stat().st_mtime_ns

    assert maintain(settings, instance).success

    assert settings.catalogue.stat().st_mtime_ns == served
    with duckdb.connect(str(settings.catalogue), read_only=True) as reader:
        assert reader.execute("SELECT count(*) FROM silver.purchases").fetchone() == (1,)
