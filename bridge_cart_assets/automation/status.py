"""What is known of the lakehouse now, as plain values: `status` shows it, alerts judge it.

Belongs here: tables, accounting, files, checks and the last run, without loading Dagster where its
history can be read without. Does not belong here: how any of it looks (`terminal.status`).
"""

from datetime import date
from typing import Any

import polars as pl
import polars.selectors as cs

from bridge_cart_assets.automation.latest_state import REFRESH, LatestState
from bridge_cart_assets.automation.state_files import latest_state
from bridge_cart_assets.batch_days import today
from bridge_cart_assets.checks.registry import checks_of
from bridge_cart_assets.ingestion.landing import list_landing
from bridge_cart_assets.ingestion.ledger import refused_in_landing, retracted_files
from bridge_cart_assets.ingestion.offsets import latest_of_topic
from bridge_cart_assets.ingestion.schema_drift import drift_of_files, drift_of_messages
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.findings import latest_findings
from bridge_cart_assets.pipeline.lake_format import refuse_other_format
from bridge_cart_assets.pipeline.open_rebuild import unfinished_rebuild
from bridge_cart_assets.pipeline.pending import source_days
from bridge_cart_assets.pipeline.remembered_settings import remembered_settings
from bridge_cart_assets.pipeline.stored_tables import PUBLISHED_TABLES, RAW_TABLES
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.ops import OFFSETS
from bridge_cart_assets.tables.silver import ACCOUNTING
from bridge_cart_assets.thresholds import THRESHOLDS
from bridge_cart_assets.transforms.source_days import latest_of_orders, orders_stopped

# Each of them counts a record by itself.
COUNTS = ("records", "blank", "quarantined", "accepted", "duplicate", "superseded")
_TABLES = (*RAW_TABLES, *PUBLISHED_TABLES)


def collect(settings: Settings) -> dict[str, Any]:
    """Everything that `status` tells, as plain values.

    Returns:
        as_of; freshness by source (last_day, days_behind, brings_orders), and orders_stopped, which
        says so, or is null; tables by path (rows, version, as_of, days_behind, checks_passed,
        checks_failed); accounting by source; files (refused ones); retracted (files that were taken
        back, the latest first, with the place below landing where each lies); columns (that files
        have beyond their source's, or lack); findings (what of the latest days' files is not in
        silver as they say); topics;
        checks; last_run; rebuild (one that has not been completed, or null).

    Raises:
        OtherFormatError: another version wrote the lake.
    """
    lake = Lake(settings.lake, settings.storage_options)
    refuse_other_format(lake)
    days = source_days(lake.snapshot(ACCOUNTING).scan())
    # The figures are of the zone that they were made with, whatever the environment says now.
    zone = remembered_settings(lake).get("BRIDGE_CART_TIMEZONE") or settings.timezone
    as_of, here = latest_of_orders(days), today(zone)
    state = recorded_in_dagster(settings)
    run = state.last_run
    checks = [
        {
            "table": table.path,
            "check": check.name,
            "passed": said.passed,
            "severity": said.severity,
            "blocking": said.blocking,
            "says": said.description,
        }
        for table in _TABLES
        for check in checks_of(table)
        if (said := state.checks.get((table.path, check.name))) is not None
    ]
    listed = [
        file
        for source in SOURCES
        for file in list_landing(settings.landing_zone, source.name, settings.timezone)
    ]
    began = unfinished_rebuild(lake)
    return {
        "rebuild": None if began is None else {"started_at": began.isoformat(timespec="seconds")},
        "as_of": as_of.isoformat() if as_of else None,
        "freshness": {
            day.source: {
                "last_day": day.last_day.isoformat(),
                "days_behind": (here - day.last_day).days,
                "brings_orders": day.brings_orders,
            }
            for day in days
        },
        "orders_stopped": orders_stopped(days, THRESHOLDS.as_of_age) or None,
        "timezone": zone,
        "tables": _tables(lake, checks, here),
        "accounting": _accounting(lake),
        "files": refused_in_landing(lake, listed)
        .select("source", "object", "batch_day", "reason", "detail", "seen_at")
        .pipe(_plain),
        "retracted": retracted_files(lake)
        .select("source", "object", "batch_day", "records", "detail", "seen_at")
        .rename({"detail": "lies_in", "seen_at": "retracted_at"})
        .pipe(_plain),
        "columns": _plain(_drift(lake)),
        "findings": _plain(latest_findings(lake)),
        "topics": _plain(lake.snapshot(OFFSETS).read().drop("run_id").sort("topic", "partition")),
        "checks": checks,
        "last_run": None
        if run is None
        else {
            "run_id": run.run_id,
            "finished_at": run.finished_at.isoformat(timespec="seconds"),
            "seconds": round(run.seconds, 2),
            "success": run.success,
        },
    }


def recorded_in_dagster(settings: Settings) -> LatestState:
    """What is in Dagster's history; Dagster is loaded only where nothing else can read it."""
    state = latest_state(settings, REFRESH)
    if state is None:
        from bridge_cart_assets.automation.instance import dagster_instance
        from bridge_cart_assets.automation.recorded_state import recorded_state

        with dagster_instance(settings) as instance:
            state = recorded_state(instance, REFRESH, _TABLES)
    return state


def _drift(lake: Lake) -> pl.DataFrame:
    """Of files since the first one, of messages on their latest day."""
    latest = [(source, latest_of_topic(lake, source)) for source in SOURCES]
    messages = [drift_of_messages(lake, source, day, day) for source, day in latest if day]
    return pl.concat([drift_of_files(lake), *messages])


def _plain(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows as values that JSON has."""
    return rows.with_columns(cs.temporal().cast(pl.String)).to_dicts()


def _tables(lake: Lake, checks: list[dict[str, Any]], now: date) -> dict[str, dict[str, Any]]:
    described = {}
    for table in _TABLES:
        snapshot = lake.snapshot(table)
        if snapshot.version is None:
            continue
        mine = [check["passed"] for check in checks if check["table"] == table.path]
        as_of = snapshot.as_of
        described[table.path] = {
            "rows": snapshot.rows,
            "version": snapshot.version,
            "as_of": as_of.isoformat() if as_of else None,
            "days_behind": (now - as_of).days if as_of else None,
            "checks_passed": sum(mine),
            "checks_failed": len(mine) - sum(mine),
        }
    return described


def _accounting(lake: Lake) -> dict[str, dict[str, Any]]:
    sums = (
        lake.snapshot(ACCOUNTING)
        .scan()
        .group_by("source")
        .agg(pl.sum(*COUNTS), days=pl.len())
        .sort("source")
        .collect()
    )
    return {row.pop("source"): row for row in sums.iter_rows(named=True)}
