"""Dagster's launcher, which can also say whether the process of a run still lives."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._serdes import ConfigurableClassData

from bridge_cart_assets.automation.liveness import PROCESS_GONE, cause_of_death, ended_tag


class LivenessRunLauncher(dg.DefaultRunLauncher):
    """`DefaultRunLauncher`; run monitoring asks it about runs, and ends those that it calls dead.

    Dagster's own launcher does not answer, so that a run whose process was killed together with its
    code server, or that `bridge-cart run` executes, would stay started for ever.
    """

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]
    ) -> "LivenessRunLauncher":
        """Make this class; the inherited method makes the base class."""
        return cls(inst_data=inst_data)

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Yes: this is what run monitoring asks first."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the process of a started run lives."""
        reason = cause_of_death(run)
        if reason is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        self._instance.add_run_tags(run.run_id, ended_tag(run.run_id, PROCESS_GONE))
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, f"{reason}; the next run does the rest")
