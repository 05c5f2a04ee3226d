"""What a run tells the catalogue about itself: verdicts of the checks, fates of the records.

Belongs here: what the tables of `tables.meta` are made from, Dagster's instance among it; the
catalogue itself knows no Dagster. Does not belong here: the figures' arithmetic (`transforms`).
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime

import dagster as dg
import polars as pl

from bridge_cart_assets.assets.asset_checks import latest_verdicts
from bridge_cart_assets.checks.check import Check
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.pipeline.findings import latest_findings
from bridge_cart_assets.pipeline.gold_builds import recorded_builds
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables import meta
from bridge_cart_assets.tables.silver import ACCOUNTING, PURCHASES, QUARANTINE
from bridge_cart_assets.tables.table import Table
from bridge_cart_assets.transforms.masking import masked_path
from bridge_cart_assets.transforms.outcomes import accounting_totals, latest_days
from bridge_cart_assets.transforms.quarantine_summary import refusals_by_reason

_NUMBERS = ("value", "bound", "lower_bound", "upper_bound")
_DAYS = ("first_day", "last_day")


def run_metadata(
    lake: Lake,
    instance: dg.DagsterInstance,
    run_id: str,
    now: datetime,
    tables: Sequence[Table],
) -> tuple[tuple[Table, pl.DataFrame], ...]:
    """The tables of meta with their rows.

    Args:
        lake: where the tables lie.
        instance: what has happened so far.
        run_id: the run that builds the catalogue.
        now: the clock.
        tables: the tables whose checks are included.
    """
    accounting = lake.snapshot(ACCOUNTING).scan()
    order_sources = [source.name for source in SOURCES if source.feeds is PURCHASES]
    return (
        (meta.TIMES, times(instance, run_id, now)),
        (meta.SHOP, pl.DataFrame({"currency": [only_currency_of(lake.snapshot(PURCHASES))]})),
        (meta.CHECKS, verdicts(instance, tables)),
        (meta.GOLD_BUILDS, recorded_builds(lake)),
        (meta.ACCOUNTING, accounting_totals(accounting, order_sources)),
        (meta.ACCOUNTING_DAYS, latest_days(accounting)),
        (meta.INTAKE_FINDINGS, _masked(latest_findings(lake))),
        (meta.QUARANTINE, refusals_by_reason(lake.snapshot(QUARANTINE).scan())),
    )


def only_currency_of(purchases: Snapshot) -> str:
    """The currency that all lines name that name one, by the statistics in the table's log."""
    files = purchases.files
    if "min.currency" not in files.columns:
        return ""
    # Without statistics a file may name any.
    is_known = pl.col("min.currency").is_not_null() | (
        pl.col("null_count.currency") == pl.col("num_records")
    )
    if not files.select(is_known.fill_null(False).all()).item():
        return ""
    named = pl.concat([files["min.currency"], files["max.currency"]]).drop_nulls().unique()
    return str(named[0]) if named.len() == 1 else ""


def times(instance: dg.DagsterInstance, run_id: str, now: datetime) -> pl.DataFrame:
    """How long the run has taken; no row when its start was not recorded."""
    record = instance.get_run_record_by_id(run_id)
    if record is None or record.start_time is None:
        return meta.TIMES.empty()
    began = datetime.fromtimestamp(record.start_time, tz=UTC)
    seconds = (now - began).total_seconds()
    rows = [{"run_id": run_id, "started_at": began, "seconds": seconds}]
    return pl.DataFrame(rows, schema=meta.TIMES.dtypes)


def verdicts(instance: dg.DagsterInstance, tables: Sequence[Table]) -> pl.DataFrame:
    """The latest verdict of every check of some tables; those never evaluated have none."""
    rows = []
    for verdict in latest_verdicts(instance, tables):
        row = _declared(verdict.table, verdict.check)
        if verdict.evaluation is not None and verdict.timestamp is not None:
            at = datetime.fromtimestamp(verdict.timestamp, tz=UTC)
            figures = dict(_figures(verdict.evaluation))
            row |= {"evaluated_at": at, "run_id": verdict.run_id, **figures}
        rows.append(row)
    return pl.DataFrame(rows, schema=meta.CHECKS.dtypes)


def _masked(findings: pl.DataFrame) -> pl.DataFrame:
    """Findings whose files are not named after somebody."""
    return findings.with_columns(pl.col("object").map_elements(masked_path, return_dtype=pl.String))


def _declared(table: Table, check: Check) -> dict[str, object]:
    return {
        "layer": table.layer,
        "name": table.name,
        "check_name": check.name,
        "meaning": check.meaning,
        "severity": "blocking" if check.blocking else "warning",
    }


def _figures(evaluation: dg.AssetCheckEvaluation) -> Iterator[tuple[str, object]]:
    figures: dict[str, object] = {name: entry.value for name, entry in evaluation.metadata.items()}
    # Where a score is held against the bounds, it is not the figure itself that they are for.
    figures["value"] = figures.get("z", figures.get("value"))
    yield "passed", evaluation.passed
    yield "says", evaluation.description
    yield "covers", figures.get("covers")
    if isinstance(version := figures.get("version"), int):
        yield "version", version
    for name in _NUMBERS:
        figure = figures.get(name)
        if isinstance(figure, int | float):
            yield name, float(figure)
    for name in _DAYS:
        figure = figures.get(name)
        if isinstance(figure, str):
            yield name, date.fromisoformat(figure)
