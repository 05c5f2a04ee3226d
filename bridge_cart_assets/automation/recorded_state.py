"""The latest run and what the checks said, by asking Dagster, wherever its history is kept.

Belongs here: only that. `state_files` reads the same without loading Dagster where it can.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg

from bridge_cart_assets.assets.asset_checks import latest_verdicts
from bridge_cart_assets.automation.latest_state import CheckState, LastRun, LatestState
from bridge_cart_assets.tables.table import Table


def recorded_state(instance: dg.DagsterInstance, job: str, tables: Sequence[Table]) -> LatestState:
    """The latest run of a job, and the checks of some tables."""
    checks = {
        (verdict.table.path, verdict.check.name): CheckState(
            verdict.evaluation.passed,
            verdict.evaluation.severity.value,
            verdict.evaluation.blocking,
            verdict.evaluation.description,
        )
        for verdict in latest_verdicts(instance, tables)
        if verdict.evaluation is not None
    }
    return LatestState(_last_run(instance, job), checks)


def _last_run(instance: dg.DagsterInstance, job: str) -> LastRun | None:
    finished = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
    records = instance.get_run_records(dg.RunsFilter(job_name=job, statuses=finished), limit=1)
    if not records or records[0].end_time is None or records[0].start_time is None:
        return None
    record = records[0]
    return LastRun(
        run_id=record.dagster_run.run_id,
        finished_at=datetime.fromtimestamp(record.end_time or 0, tz=UTC),
        seconds=(record.end_time or 0) - (record.start_time or 0),
        success=record.dagster_run.status == dg.DagsterRunStatus.SUCCESS,
    )
