"""Dagster's folder: made on first use, with settings that suit a laptop.

Belongs here: where DAGSTER_HOME is, what its dagster.yaml says, and what is said when Dagster's
state in it cannot be used. A folder that the user names by DAGSTER_HOME is used as it is; on
Postgres, see deploy/dagster.yaml.
"""

import hashlib
import os
from pathlib import Path

from bridge_cart_assets.settings import Settings

_INSTANCE = """\
# Written by bridge-cart on first use; change it as you like.
telemetry: {enabled: false}
nux: {enabled: false}
event_log_storage:
  module: bridge_cart_assets.automation.event_log
  class: PooledSqliteEventLogStorage
  config: {base_dir: {env: DAGSTER_HOME}}
run_storage:
  module: dagster._core.storage.runs
  class: SqliteRunStorage
  config: {base_dir: {env: DAGSTER_HOME}}
schedule_storage:
  module: dagster._core.storage.schedules
  class: SqliteScheduleStorage
  config: {base_dir: {env: DAGSTER_HOME}}
# Tells Dagster's run monitoring whether the process of a run still lives.
run_launcher:
  module: bridge_cart_assets.automation.launcher
  class: LivenessRunLauncher
run_retries: {enabled: true, max_retries: 2, retry_on_asset_or_op_failure: false}
run_monitoring: {enabled: true, start_timeout_seconds: 120, poll_interval_seconds: 20}
concurrency:
  runs: {max_concurrent_runs: 2}
"""
# What earlier versions wrote: such a file was never changed by its user, so it follows.
_WRITTEN_EARLIER = frozenset({"621b22df45ca85044d37f5d26812159bae0f3ad0e93777056b6919e3e588eb72"})


class DagsterStateError(RuntimeError):
    """Dagster's own state cannot be used; the lake is not concerned."""


def unusable(home: Path | str, error: BaseException) -> DagsterStateError:
    """What is said when Dagster's state cannot be opened, read or written.

    Args:
        home: DAGSTER_HOME.
        error: what stood in the way.
    """
    # SQLAlchemy's message is a statement and an address to read; the driver's own says what it is.
    cause = getattr(error, "orig", None) or error.__cause__ or error
    first = next((line for line in str(cause).splitlines() if line.strip()), type(cause).__name__)
    return DagsterStateError(
        f"Dagster's state in {home} cannot be used: {first.strip()}\n"
        "the lake is not concerned: see to room and rights there, or move the folder away if it is "
        "damaged or of another version, and run again (docs/operations.md#dagsters-state)"
    )


def dagster_home(settings: Settings) -> Path:
    """The folder of Dagster's state; `DAGSTER_HOME` is set to it for this process."""
    named = os.environ.get("DAGSTER_HOME")
    if named:
        return Path(named)
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    instance = home / "dagster.yaml"
    if not instance.exists() or _was_written_earlier(instance):
        instance.write_text(_INSTANCE)
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def _was_written_earlier(instance: Path) -> bool:
    return hashlib.sha256(instance.read_bytes()).hexdigest() in _WRITTEN_EARLIER
