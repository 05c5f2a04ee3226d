"""Dagster's folder: made on first use, with settings that suit a laptop.

Belongs here: where DAGSTER_HOME is and what its dagster.yaml says. A folder that the user names
by DAGSTER_HOME is used as it is; on Postgres, see deploy/dagster.yaml.
"""

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
run_retries: {enabled: true, max_retries: 2, retry_on_asset_or_op_failure: false}
run_monitoring: {enabled: true}
concurrency:
  runs: {max_concurrent_runs: 2}
  pools: {default_limit: 1}
"""


def dagster_home(settings: Settings) -> Path:
    """The folder of Dagster's state; `DAGSTER_HOME` is set to it for this process."""
    named = os.environ.get("DAGSTER_HOME")
    if named:
        return Path(named)
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    instance = home / "dagster.yaml"
    if not instance.exists():
        instance.write_text(_INSTANCE)
    os.environ["DAGSTER_HOME"] = str(home)
    return home
