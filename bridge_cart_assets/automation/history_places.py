"""Where a Dagster instance keeps its history and captured output.

Belongs here: asking the instance. Does not belong here: what is done there (`dagster_traces`,
`postgres_traces`).
"""

from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager


@dataclass(frozen=True)
class HistoryPlaces:
    """Where history lies.

    Attributes:
        folders: with SQLite files and captured output.
        servers: addresses of databases in Postgres, which have a password.
        elsewhere: what keeps captured output that this program cannot write anew; empty if nothing.
    """

    folders: tuple[Path, ...]
    servers: tuple[str, ...] = field(repr=False)
    elsewhere: str


def history_places(instance: dg.DagsterInstance, home: Path) -> HistoryPlaces:
    """Where an instance whose DAGSTER_HOME is a folder keeps what it remembers."""
    storages = (instance.run_storage, instance.event_log_storage, instance.schedule_storage)
    addresses = (getattr(storage, "postgres_url", None) for storage in storages)
    folders = [home, Path(instance.storage_directory())]
    logs = instance.compute_log_manager
    if isinstance(logs, LocalComputeLogManager):
        # A path of the manager that has a file of every step: <base>/<run>/compute_logs/<step>.out
        step = logs.get_captured_local_path(["run", "compute_logs", "step"], "out")
        folders.append(Path(step).parents[2])
    is_known = isinstance(logs, LocalComputeLogManager | NoOpComputeLogManager)
    there = {folder.resolve() for folder in folders if folder.is_dir()}
    return HistoryPlaces(
        tuple(sorted(folder for folder in there if not there & {*folder.parents})),
        tuple(dict.fromkeys(address for address in addresses if address)),
        "" if is_known else type(logs).__name__,
    )
