"""How long Dagster's history of runs stays.

Belongs here: which runs are old. Does not belong here: how their events go (`event_log`), or files
of the lake (`lake.maintenance`).

Dagster keeps all runs for ever. Its own `delete_run` takes the materializations along, by which it
knows which days are there, and leaves the run's file as large as it was. So the event log forgets
what no state rests on. Postgres is left to its administrator.
"""

from pathlib import Path

import dagster as dg
from sqlalchemy.exc import OperationalError

from bridge_cart_assets.automation.event_log import PooledSqliteEventLogStorage

_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def forget_old_runs(instance: dg.DagsterInstance, keep: int) -> int:
    """Remove the history of all runs but the latest that have ended.

    A run that is under way is never touched, and no day or check changes its state. A run stays in
    the list of runs, without its log, for as long as the state of a day rests on it.

    Args:
        instance: where the runs are recorded.
        keep: how many runs keep all they have.

    Returns:
        How many runs were looked at; 0 too when another process keeps writing: the next run does
        it.
    """
    storage = instance.event_log_storage
    if not isinstance(storage, PooledSqliteEventLogStorage):
        return 0
    ended = instance.get_run_ids(dg.RunsFilter(statuses=_ENDED))
    old = [run_id for run_id in ended[keep:] if Path(storage.path_for_shard(run_id)).exists()]
    if not old:
        return 0
    try:
        gone = storage.forget_runs(old)
        for run_id in gone:
            instance.run_storage.delete_run(run_id)
    except OperationalError:
        return 0
    for run_id in old:
        instance.compute_log_manager.delete_logs(prefix=[run_id])
    return len(old)
