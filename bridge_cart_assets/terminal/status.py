"""`bridge-cart status`: tables, accounting, refused files, checks, last run.

Belongs here: what there is to tell, as plain values and as words. Does not belong here: how a
figure, an age or a verdict looks (`style`).
"""

from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import polars.selectors as cs
from rich.console import Console
from rich.table import Table as Shown
from rich.text import Text

from bridge_cart_assets.automation.latest_state import REFRESH, LatestState
from bridge_cart_assets.automation.state_files import latest_state
from bridge_cart_assets.batch_days import today
from bridge_cart_assets.checks.registry import checks_of
from bridge_cart_assets.ingestion.landing import list_landing
from bridge_cart_assets.ingestion.ledger import refused_in_landing, retracted_files
from bridge_cart_assets.ingestion.offsets import latest_of_topic
from bridge_cart_assets.ingestion.schema_drift import drift_of_files, drift_of_messages
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.findings import by_file, latest_findings
from bridge_cart_assets.pipeline.lake_format import refuse_other_format
from bridge_cart_assets.pipeline.open_rebuild import unfinished_rebuild
from bridge_cart_assets.pipeline.pending import source_days
from bridge_cart_assets.pipeline.remembered_settings import remembered_settings
from bridge_cart_assets.pipeline.stored_tables import PUBLISHED_TABLES, RAW_TABLES
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.meta import INTAKE_FINDINGS
from bridge_cart_assets.tables.ops import OFFSETS
from bridge_cart_assets.tables.silver import ACCOUNTING
from bridge_cart_assets.terminal.escaping import printable
from bridge_cart_assets.terminal.intake_summary import show_findings
from bridge_cart_assets.terminal.style import (
    BAD,
    GOOD,
    NOTHING,
    QUIET,
    WARN,
    age,
    format_count,
    grid,
    heading,
    mark,
)
from bridge_cart_assets.thresholds import THRESHOLDS
from bridge_cart_assets.transforms.masking import masked_path
from bridge_cart_assets.transforms.outcomes import LATEST_DAYS
from bridge_cart_assets.transforms.source_days import latest_of_orders, orders_stopped

_TABLES = (*RAW_TABLES, *PUBLISHED_TABLES)
# Those that were taken back last are named.
_MOST_RETRACTED = 3
_COUNTS = ("records", "blank", "quarantined", "accepted", "duplicate", "superseded")


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


def show(found: dict[str, Any], on: Console) -> None:
    """Print what `collect` found."""
    _show_first(found, on)
    if found["freshness"]:
        _show_freshness(found["freshness"], on)
    if found["tables"]:
        heading(on, "tables")
        on.print(_tables_shown(found))
    if found["accounting"]:
        heading(on, "accounting", "every record is counted once")
        on.print(_accounting_shown(found["accounting"]))
    if found["topics"]:
        heading(on, "topics")
        shown = grid("partition", "next offset", "records", "quarantined", "latest day")
        for t in found["topics"]:
            figures = (format_count(t[name]) for name in ("next_offset", "records", "quarantined"))
            shown.add_row(f"{t['topic']}-{t['partition']}", *figures, t["latest_day"] or NOTHING)
        on.print(shown)
    _show_files(found, on)
    _show_findings(found["findings"], on)
    _show_checks(found["checks"], on)
    if not found["last_run"]:
        on.print("\nNext: bridge-cart run")


def _show_first(found: dict[str, Any], on: Console) -> None:
    """The lines that answer most questions: how old the figures are, how the last run went."""
    if found["as_of"]:
        zone = found["timezone"]
        behind = (today(zone) - date.fromisoformat(found["as_of"])).days
        of_zone = "" if zone == "UTC" else f" in {zone}"
        on.print(
            Text.assemble("data       up to ", (found["as_of"], "bold"), of_zone, ", ", age(behind))
        )
    else:
        on.print("data       none yet")
    if found["orders_stopped"]:
        on.print(Text.assemble("orders     ", (found["orders_stopped"], WARN)), soft_wrap=True)
    if found["rebuild"]:
        began = datetime.fromisoformat(found["rebuild"]["started_at"])
        on.print(
            Text.assemble(
                "rebuild    ",
                ("NOT COMPLETE", BAD),
                f", begun on {began:%Y-%m-%d %H:%M} UTC: bridge-cart run goes on",
            ),
            soft_wrap=True,
        )
    run = found["last_run"]
    if run is None:
        on.print("last run   none yet")
        return
    at = datetime.fromisoformat(run["finished_at"]).astimezone(UTC)
    verdict = Text("done", GOOD) if run["success"] else Text("FAILED", BAD)
    on.print(
        Text.assemble(
            "last run   ",
            verdict,
            f" on {at:%Y-%m-%d %H:%M} UTC, {run['seconds']:,.1f} s",
            (f"  {run['run_id']}", QUIET),
        ),
        soft_wrap=True,
    )


def _show_freshness(freshness: dict[str, dict[str, Any]], on: Console) -> None:
    """A line with each source, up to when it goes and how old that is; those of orders first."""
    ordered = sorted(freshness, key=lambda name: (not freshness[name]["brings_orders"], name))
    parts: list[Text] = []
    for name in ordered:
        day = freshness[name]
        parts.append(Text.assemble(f"{name} up to {day['last_day']}, ", age(day["days_behind"])))
    on.print(Text("sources    ") + Text("; ").join(parts), soft_wrap=True)


def _tables_shown(found: dict[str, Any]) -> Shown:
    shown = grid("table", "rows", "", "as_of", "age", "checks", words=("age", "checks"))
    layer = None
    for path, table in found["tables"].items():
        if layer not in (None, path.split("/")[0]):
            shown.add_section()
        layer = path.split("/")[0]
        mine = [check for check in found["checks"] if check["table"] == path]
        shown.add_row(
            path,
            format_count(table["rows"]),
            f"v{table['version']}",
            # A table that lags behind the others is news; an as_of that all share is not.
            Text(table["as_of"] or NOTHING, QUIET if table["as_of"] == found["as_of"] else WARN),
            age(table["days_behind"]),
            mark(
                sum(check["passed"] for check in mine),
                sum(not check["passed"] and not check["blocking"] for check in mine),
                sum(not check["passed"] and check["blocking"] for check in mine),
            ),
        )
    return shown


def _accounting_shown(accounting: dict[str, dict[str, Any]]) -> Shown:
    shown = grid("source", *_COUNTS)
    for source, row in accounting.items():
        shown.add_row(source, *(format_count(row[name]) for name in _COUNTS))
    return shown


def _show_files(found: dict[str, Any], on: Console) -> None:
    unknown = [column for column in found["columns"] if column["kind"] == "unknown"]
    if not found["files"] and not unknown and not found["retracted"]:
        return
    heading(on, "files")
    for file in found["files"]:
        on.print(
            Text.assemble(
                ("refused ", WARN),
                printable(
                    f"{file['source']}/{masked_path(file['object'])}: "
                    f"{file['reason']}, {file['detail']}"
                ),
            ),
            soft_wrap=True,
        )
    for file in found["retracted"][:_MOST_RETRACTED]:
        lies_in = f", lies in {masked_path(file['lies_in'])}" if file["lies_in"] else ""
        name = f"{file['source']}/{masked_path(file['object'])}"
        on.print(
            printable(f"retracted {name}: taken back on {file['retracted_at'][:16]} UTC{lies_in}"),
            soft_wrap=True,
            markup=False,
        )
    rest = len(found["retracted"]) - _MOST_RETRACTED
    if rest > 0:
        on.print(f"retracted {rest:,} more: see ops.files", markup=False)
    for column in unknown:
        on.print(
            f"unknown column {column['source']}.{printable(column['column'])} in "
            f"{column['files']:,} files or partitions since {column['first_day']}, "
            "kept in _rescued",
            soft_wrap=True,
            markup=False,
        )


def _show_findings(findings: list[dict[str, Any]], on: Console) -> None:
    if findings:
        schema = INTAKE_FINDINGS.dtypes | {"batch_day": pl.String}
        file_findings = by_file(pl.DataFrame(findings, schema=schema))
        remark = f"refused, replaced or guessed on the latest {LATEST_DAYS} batch days"
        show_findings(file_findings, on, "meta.intake_findings", remark)


def _show_checks(checks: list[dict[str, Any]], on: Console) -> None:
    failed = [check for check in checks if not check["passed"]]
    heading(on, "checks", f"{len(checks) - len(failed):,} of {len(checks):,} passed")
    for check in sorted(failed, key=lambda check: not check["blocking"]):
        on.print(
            Text.assemble(
                ("FAIL ", BAD) if check["blocking"] else ("warn ", WARN),
                printable(f"{check['table']} {check['check']}: {check['says']}"),
            ),
            soft_wrap=True,
        )
    if checks and not failed:
        on.print(Text("ok", GOOD))


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
        .agg(pl.sum(*_COUNTS), days=pl.len())
        .sort("source")
        .collect()
    )
    return {row.pop("source"): row for row in sums.iter_rows(named=True)}
