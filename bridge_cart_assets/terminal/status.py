"""`bridge-cart status`: tables, accounting, refused files, checks, last run.

Belongs here: what is said of each, and in which order. Does not belong here: the values themselves
(`automation.status`), or how a figure, an age or a verdict looks (`style`).
"""

from datetime import UTC, date, datetime
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table as Shown
from rich.text import Text

from bridge_cart_assets.automation.status import COUNTS
from bridge_cart_assets.batch_days import today
from bridge_cart_assets.pipeline.findings import by_file
from bridge_cart_assets.tables.meta import INTAKE_FINDINGS
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
from bridge_cart_assets.transforms.masking import masked_path
from bridge_cart_assets.transforms.outcomes import LATEST_DAYS

# Those that were taken back last are named.
_MOST_RETRACTED = 3


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
    shown = grid("source", *COUNTS)
    for source, row in accounting.items():
        shown.add_row(source, *(format_count(row[name]) for name in COUNTS))
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
