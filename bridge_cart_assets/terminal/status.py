"""`bridge-cart status`: tables, accounting, refused files, checks, last run."""

from datetime import UTC, datetime
from typing import Any

import polars as pl
import polars.selectors as cs
from rich.console import Console
from rich.table import Table as Shown

from bridge_cart_assets.assets.gold import BUILT
from bridge_cart_assets.automation.execute import last_run, latest_checks
from bridge_cart_assets.ingestion.landing import list_landing
from bridge_cart_assets.ingestion.ledger import drift, refused
from bridge_cart_assets.ingestion.pending import latest_day
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.ops import OFFSETS
from bridge_cart_assets.tables.silver import ACCOUNTING
from bridge_cart_assets.tables.silver import TABLES as SILVER

_COUNTS = ("records", "blank", "quarantined", "accepted", "duplicate", "superseded")


def collect(settings: Settings) -> dict[str, Any]:
    """Everything that `status` tells, as plain values.

    Returns:
        as_of; tables by path (rows, version, as_of, days_behind, checks_passed, checks_failed);
        accounting by source; files (refused ones); columns (that files have beyond their source's,
        or lack); topics; checks; last_run.
    """
    lake = Lake(settings.lake, settings.storage_options)
    as_of = latest_day(lake)
    checks = [
        {
            "table": "/".join(c.asset_key.path),
            "check": c.check_name,
            "passed": c.passed,
            "severity": c.severity.value,
            "blocking": c.blocking,
            "says": c.description,
        }
        for c in latest_checks(settings)
    ]
    listed = [file for s in SOURCES for file in list_landing(settings.landing, s.name)]
    run = last_run(settings)
    return {
        "as_of": as_of.isoformat() if as_of else None,
        "tables": _tables(lake, checks),
        "accounting": _accounting(lake),
        "files": refused(lake, listed)
        .select("source", "object", "batch_day", "reason", "detail", "seen_at")
        .pipe(_plain),
        "columns": _plain(drift(lake)),
        "topics": _plain(lake.look(OFFSETS).read().drop("run_id").sort("topic", "partition")),
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


def show(found: dict[str, Any], console: Console) -> None:
    """Print what `collect` found."""
    console.print(_grid("tables", ("table", *_TABLE_COLUMNS), found["tables"]))
    if found["accounting"]:
        console.print(_grid("accounting", ("source", *_COUNTS), found["accounting"]))
    if found["topics"]:
        topics = {f"{t['topic']}-{t['partition']}": t for t in found["topics"]}
        console.print(_grid("topics", ("partition", *_TOPIC_COLUMNS), topics))
    for column in found["columns"]:
        if column["kind"] == "unknown":
            console.print(
                f"unknown column: {column['source']}.{column['column']} in "
                f"{column['files']:,} files since {column['first_day']}, kept in _rescued"
            )
    for file in found["files"]:
        console.print(
            f"refused: {file['source']}/{file['object']}: {file['reason']}, {file['detail']}"
        )
    for check in found["checks"]:
        if not check["passed"]:
            mark = "FAILED" if check["blocking"] else "warning"
            console.print(f"{mark}: {check['table']} {check['check']}: {check['says']}")
    passed = sum(check["passed"] for check in found["checks"])
    console.print(f"checks: {passed} of {len(found['checks'])} passed; as_of {found['as_of']}")
    if found["last_run"]:
        run = found["last_run"]
        verdict = "done" if run["success"] else "failed"
        console.print(
            f"last run: {run['run_id']} {verdict} at {run['finished_at']} in {run['seconds']} s"
        )
    else:
        console.print("no run yet: bridge-cart run")


def _plain(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows as values that JSON has."""
    return rows.with_columns(cs.temporal().cast(pl.String)).to_dicts()


_TOPIC_COLUMNS = ("next_offset", "records", "quarantined", "latest_day", "version")
_TABLE_COLUMNS = ("rows", "version", "as_of", "days_behind", "checks_passed", "checks_failed")


def _tables(lake: Lake, checks: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    today = datetime.now(UTC).date()
    described = {}
    for table in (*(source.raw for source in SOURCES), *SILVER, *BUILT):
        snapshot = lake.look(table)
        if snapshot.version is None:
            continue
        mine = [check["passed"] for check in checks if check["table"] == table.path]
        as_of = snapshot.as_of
        described[table.path] = {
            "rows": snapshot.rows,
            "version": snapshot.version,
            "as_of": as_of.isoformat() if as_of else None,
            "days_behind": (today - as_of).days if as_of else None,
            "checks_passed": sum(mine),
            "checks_failed": len(mine) - sum(mine),
        }
    return described


def _accounting(lake: Lake) -> dict[str, dict[str, Any]]:
    sums = (
        lake.look(ACCOUNTING)
        .scan()
        .group_by("source")
        .agg(pl.sum(*_COUNTS), days=pl.len())
        .sort("source")
        .collect()
    )
    return {row.pop("source"): row for row in sums.iter_rows(named=True)}


def _grid(title: str, columns: tuple[str, ...], rows: dict[str, dict[str, Any]]) -> Shown:
    grid = Shown(title=title, box=None, title_justify="left", pad_edge=False)
    for name in columns:
        grid.add_column(name, justify="left" if name == columns[0] else "right", no_wrap=True)
    for name, values in rows.items():
        cells = (values[column] for column in columns[1:])
        grid.add_row(
            name, *("–" if c is None else f"{c:,}" if isinstance(c, int) else str(c) for c in cells)
        )
    return grid
