"""The checks of the tables as Dagster's asset checks.

Belongs here: their specs, their evaluation within a run, and their latest verdicts in Dagster's
event log. Does not belong here: which checks a table has (`checks.registry`).

In a run the checks of silver cover what the run touched; on their own, or when they failed the last
time, they cover whole tables: what was found wrong yesterday is not forgotten because today's rows
are right.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from bridge_cart_assets.assets.asset_specs import asset_key
from bridge_cart_assets.checks.check import Check, CheckContext, day_span
from bridge_cart_assets.checks.registry import checks_of
from bridge_cart_assets.pipeline.phases import phase
from bridge_cart_assets.tables.table import Table


@dataclass(frozen=True)
class Verdict:
    """The latest verdict of a check that came to an end.

    Attributes:
        table, check: which check of which table.
        evaluation: the verdict; None when the check was never evaluated.
        run_id: the run that gave it.
        timestamp: when that was, in seconds since 1970.
    """

    table: Table
    check: Check
    evaluation: dg.AssetCheckEvaluation | None = None
    run_id: str | None = None
    timestamp: float | None = None


def check_specs(table: Table) -> list[dg.AssetCheckSpec]:
    """The specs of a table's checks."""
    return [
        dg.AssetCheckSpec(
            check.name,
            asset=asset_key(table),
            description=check.meaning,
            blocking=check.blocking,
        )
        for check in checks_of(table)
    ]


def evaluate(
    context: dg.AssetExecutionContext, check_context: CheckContext, tables: Sequence[Table]
) -> Iterator[dg.AssetCheckResult]:
    """Run the selected checks of some tables."""
    selected = context.selected_asset_check_keys
    failed: set[dg.AssetCheckKey] | None = None
    for table in tables:
        for check in checks_of(table):
            key = _check_key(table, check)
            if key not in selected:
                continue
            scope = check_context
            is_partial = scope.days is not None or scope.last_catalogue is not None
            if check.remembered and is_partial:
                failed = _failed_last_time(context.instance, selected) if failed is None else failed
                scope = replace(scope, days=None, last_catalogue=None) if key in failed else scope
            # The days for checks that name no others; the version before anything is looked at.
            days = day_span(scope.days.first, scope.days.last) if scope.days else {}
            version = check_context.lake.snapshot(table).version
            looked_at = {**days, **({} if version is None else {"version": version})}
            with phase(f"checks of {table.layer}"):
                result = check.compute(scope)
            yield dg.AssetCheckResult(
                asset_key=key.asset_key,
                check_name=key.name,
                passed=result.passed,
                severity=(
                    dg.AssetCheckSeverity.ERROR if check.blocking else dg.AssetCheckSeverity.WARN
                ),
                description=result.message,
                metadata={**looked_at, **result.metadata, "covers": _covers(scope, table)},
            )


def latest_verdicts(instance: dg.DagsterInstance, tables: Sequence[Table]) -> Iterator[Verdict]:
    """The latest verdict of every check of some tables, in the order of their declaration."""
    checks = {
        _check_key(table, check): (table, check) for table in tables for check in checks_of(table)
    }
    latest = instance.event_log_storage.get_asset_check_summary_records(list(checks))
    for key, (table, check) in checks.items():
        summary = latest.get(key)
        # The latest that came to an end: another run may be at it now.
        record = summary.last_completed_check_execution_record if summary else None
        event = record.event if record else None
        data = event.dagster_event.event_specific_data if event and event.dagster_event else None
        if event is not None and isinstance(data, dg.AssetCheckEvaluation):
            yield Verdict(table, check, data, event.run_id, event.timestamp)
        else:
            yield Verdict(table, check)


def _check_key(table: Table, check: Check) -> dg.AssetCheckKey:
    return dg.AssetCheckKey(asset_key(table), check.name)


def _failed_last_time(
    instance: dg.DagsterInstance, keys: Iterable[dg.AssetCheckKey]
) -> set[dg.AssetCheckKey]:
    """Those of some checks whose latest verdict was that something is wrong."""
    latest = instance.event_log_storage.get_asset_check_summary_records(list(keys))
    completed = (
        (k, summary.last_completed_check_execution_record) for k, summary in latest.items()
    )
    failed = AssetCheckExecutionRecordStatus.FAILED
    return {key for key, record in completed if record is not None and record.status == failed}


def _covers(context: CheckContext, table: Table) -> str:
    if context.days is None:
        return (
            "whole tables" if context.changed(table) is None else "what changed since the last run"
        )
    return f"batch days {context.days.first} to {context.days.last}"
