"""What a run costs that does nothing: libraries, and Dagster's job over the same assets and checks.

    python -m bridge_cart_tests.benchmarks.bare_run FOLDER

The folder has to be one of Dagster's own (DAGSTER_HOME), a new one for instance. Belongs here: CPU
seconds of a process, step by step. Does not belong here: what a run does (`bridge-cart run
--profile`).
"""

import gc
import os
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dagster as dg

gc.set_threshold(50_000)


def main() -> None:
    """Load what a run loads, run a job that only reports, and print CPU seconds."""
    spent = {"Python": time.process_time()}

    def lap(name: str) -> None:
        spent[name] = time.process_time() - sum(spent.values())

    import deltalake  # noqa: F401
    import duckdb  # noqa: F401
    import numpy as np  # noqa: F401
    import polars as pl  # noqa: F401
    import rich.console  # noqa: F401

    lap("Polars, delta-rs, DuckDB, NumPy, rich")
    import dagster as dg

    lap("Dagster")
    from bridge_cart_assets.assets.maintenance import GROUP as MAINTENANCE
    from bridge_cart_assets.assets.run_scope import RunScope
    from bridge_cart_assets.assets.synthetic_shop import GROUP as SHOP
    from bridge_cart_assets.automation import run_in_process
    from bridge_cart_assets.automation.instance import dagster_instance
    from bridge_cart_assets.automation.jobs import REFRESH, refresh_selection
    from bridge_cart_assets.batch_days import DayRange
    from bridge_cart_assets.definitions import build_defs
    from bridge_cart_assets.settings import Settings
    from bridge_cart_assets.sources import SOURCES

    lap("the package, SQLAlchemy, Alembic")
    settings = Settings(data=Path(sys.argv[1]), lake=sys.argv[1])

    def bare(_: Settings, loggers: Mapping[str, dg.LoggerDefinition]) -> dg.Definitions:
        real = [a for a in build_defs(settings).assets or () if isinstance(a, dg.AssetsDefinition)]
        others = {SHOP, MAINTENANCE}
        return dg.Definitions(
            [_bare_asset(a) for a in real if others.isdisjoint(a.group_names_by_key.values())],
            jobs=[dg.define_asset_job(REFRESH)],
            executor=dg.in_process_executor,
            loggers=dict(loggers),
        )

    run_in_process.build_defs = bare  # type: ignore[assignment]
    with dagster_instance(settings) as instance:
        lap("opening Dagster's history")
        day = date(2024, 3, 31)
        scope = RunScope(DayRange(day, day))
        sources = [source for source in SOURCES if source.name in ("customers", "purchases")]
        outcome = run_in_process.run_in_process(
            *(settings, instance, REFRESH, lambda _: None),
            *(scope.tags, refresh_selection(sources)),
        )
        lap(f"a job that only reports, with {len(outcome.checks)} checks")
    for problem in outcome.problems:
        print(problem, file=sys.stderr)
    for name, seconds in {**spent, "all": sum(spent.values())}.items():
        print(f"{seconds:5.2f}  {name}")
    sys.stdout.flush()
    os._exit(0 if outcome.success else 1)


def _bare_asset(asset: "dg.AssetsDefinition") -> "dg.AssetsDefinition":
    """An asset with the specs and checks of another one that reports them and does nothing."""
    import dagster as dg

    @dg.multi_asset(
        name=asset.op.name,
        specs=list(asset.specs),
        check_specs=list(asset.check_specs),
        can_subset=True,
        backfill_policy=asset.backfill_policy,
    )
    def bare(
        context: dg.AssetExecutionContext,
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        # In their order: Dagster refuses a table before one that it is made from.
        for spec in asset.specs:
            if spec.key in context.selected_asset_keys:
                yield dg.MaterializeResult(asset_key=spec.key, metadata={"rows": 1})
        for check in context.selected_asset_check_keys:
            yield dg.AssetCheckResult(
                asset_key=check.asset_key, check_name=check.name, passed=True, metadata={"value": 0}
            )

    return bare


if __name__ == "__main__":
    main()
