"""What `status` tells of Dagster's history: the latest run, and what the checks said last.

Belongs here: these as plain values, without loading Dagster. How they are read stands in
`state_files` (without Dagster) and in `recorded_state` (by asking it).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

# The job whose latest run it is: from landing to the catalogue.
REFRESH = "refresh"


@dataclass(frozen=True)
class LastRun:
    """The latest finished run of the refresh job; seconds are without process start."""

    run_id: str
    finished_at: datetime
    seconds: float
    success: bool


@dataclass(frozen=True)
class CheckState:
    """What a check said when it was evaluated last."""

    passed: bool
    severity: str
    blocking: bool | None
    description: str | None


@dataclass(frozen=True)
class LatestState:
    """The latest run, and the checks by the path of their table and their name."""

    last_run: LastRun | None
    checks: Mapping[tuple[str, str], CheckState]
