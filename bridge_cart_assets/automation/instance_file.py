"""What the dagster.yaml of the data folder says, as long as its user has not changed it.

Belongs here: only the text, for those who look at Dagster's files without loading Dagster too. Does
not belong here: when it is written (`instance`).
"""

INSTANCE_FILE = """\
# Written by bridge-cart on first use; change it as you like.
telemetry: {enabled: false}
nux: {enabled: false}
event_log_storage:
  module: bridge_cart_assets.automation.event_log
  class: PooledSqliteEventLogStorage
  config: {base_dir: {env: DAGSTER_HOME}}
run_storage:
  module: bridge_cart_assets.automation.run_storage
  class: PatientSqliteRunStorage
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
# Days after which what sensors and schedules have done is forgotten.
retention:
  schedule: {purge_after_days: {skipped: 7, success: 90, failure: 90}}
  sensor: {purge_after_days: {skipped: 2, success: 30, failure: 90}}
  auto_materialize: {purge_after_days: {skipped: 2, success: 30, failure: 90}}
"""
