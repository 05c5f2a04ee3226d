"""What is wrong with the lakehouse, from the values that `status` shows.

Belongs here: which of them are worth a message, and its words. Does not belong here: how the values
come about (`automation.status`), or who has been sent what (`register`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from bridge_cart_assets.thresholds import THRESHOLDS

Level = Literal["error", "warning"]

# The warnings that are sent; the others stand in `status` and on the page.
SENT_WARNINGS = {
    ("silver/quarantine", "few_refused"): "More records were refused than usual",
    ("gold/model_metrics", "gates_passed"): "A model has missed a gate",
    ("gold/model_metrics", "value_model_beats_naive"): "The value model is worse than a plain rate",
}
_RUN, _STATUS = "run", "status"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        key: names it over time: the problem is the same for as long as its key is there.
        level: error when figures are missing, wrong or old; warning when somebody should look.
        title: in a few words.
        detail: what was found, with its figures.
        remedy: what to do.
    """

    key: str
    level: Level
    title: str
    detail: str
    remedy: str


TEST = Problem("test", "warning", "A test", "somebody called bridge-cart alert --test", "nothing")


def problems(
    status: Mapping[str, Any], stale_after: timedelta = THRESHOLDS.as_of_age
) -> list[Problem]:
    """Everything that is wrong, errors first.

    Args:
        status: the values of `status --json`.
        stale_after: how old the latest day of a source may be.
    """
    found = [
        *_last_run(status["last_run"]),
        *_failed_checks(status["checks"]),
        *_old_sources(status["freshness"], stale_after),
    ]
    if status["orders_stopped"]:
        remedy = "see whether the program that lands orders still runs"
        found.append(Problem("orders", "error", "Orders stopped", status["orders_stopped"], remedy))
    return sorted(found, key=lambda problem: (problem.level, problem.key))


def failed_command(words: str) -> Problem:
    """A verb that ended with an error, whether or not a run of Dagster had begun."""
    return Problem(
        _RUN, "error", "The last run failed", words, "mend the cause, then bridge-cart run"
    )


def unreadable(words: str) -> Problem:
    """The state of the lakehouse cannot be read at all."""
    return Problem(_STATUS, "error", "The lakehouse cannot be read", words, "bridge-cart doctor")


def _last_run(run: Mapping[str, Any] | None) -> list[Problem]:
    if run is None or run["success"]:
        return []
    detail = f"run {run['run_id'][:8]} ended at {run['finished_at']}"
    remedy = "bridge-cart run names the cause; the log of the run has the rest"
    return [Problem(_RUN, "error", "The last run failed", detail, remedy)]


def _failed_checks(checks: list[dict[str, Any]]) -> list[Problem]:
    found = []
    for check in checks:
        table, name = check["table"], check["check"]
        title = SENT_WARNINGS.get((table, name))
        if check["passed"] or not (check["blocking"] or title):
            continue
        found.append(
            Problem(
                f"check {table} {name}",
                "error" if check["blocking"] else "warning",
                title or f"A check of {table} failed: {name}",
                check["says"] or "",
                "bridge-cart status lists the files"
                if name == "few_refused"
                else f"docs/checks.md says what {name} means",
            )
        )
    return found


def _old_sources(freshness: Mapping[str, Any], stale_after: timedelta) -> list[Problem]:
    return [
        Problem(
            f"source {source}",
            "warning",
            f"Nothing new from {source}",
            f"its latest day is {day['last_day']}, {day['days_behind']} days ago",
            f"see whether its files still arrive in landing/{source}",
        )
        for source, day in freshness.items()
        if day["days_behind"] > stale_after.days
    ]
