"""What is wrong is what `status` shows as failed, old or stopped, and no other warning."""

from datetime import timedelta
from typing import Any

import pytest

from bridge_cart_assets.alerts.problems import SENT_WARNINGS, failed_command, problems
from bridge_cart_assets.checks.registry import checks_of
from bridge_cart_assets.pipeline.stored_tables import PUBLISHED_TABLES

SOUND: dict[str, Any] = {
    "last_run": {
        "run_id": "0123456789",
        "finished_at": "2024-03-01T10:00:00+00:00",
        "success": True,
    },
    "checks": [],
    "freshness": {"purchases": {"last_day": "2024-02-29", "days_behind": 1}},
    "orders_stopped": None,
}


def check(table: str, name: str, *, passed: bool, blocking: bool) -> dict[str, Any]:
    return {
        "table": table, "check": name, "passed": passed, "blocking": blocking, "says": "3 of 4",
    }  # fmt: skip


def test_nothing_is_wrong_with_a_sound_lakehouse() -> None:
    assert problems(SOUND) == []
    assert problems({**SOUND, "last_run": None, "freshness": {}}) == []


def test_a_failed_run_is_one_problem_however_often_it_fails() -> None:
    failed = {**SOUND["last_run"], "success": False}
    [first] = problems({**SOUND, "last_run": failed})
    [second] = problems({**SOUND, "last_run": {**failed, "run_id": "abcdefghij"}})
    assert first.key == second.key == failed_command("disk full").key
    assert (first.level, "01234567" in first.detail) == ("error", True)


def test_failed_blocking_checks_and_some_warnings_are_problems_errors_first() -> None:
    sent, other = next(iter(SENT_WARNINGS)), ("gold/kpis_daily", "aov_90d_as_usual")
    checks = [
        check(*sent, passed=False, blocking=False),
        check(*other, passed=False, blocking=False),
        check("gold/kpis_daily", "revenue_agrees", passed=False, blocking=True),
        check("gold/kpis_daily", "keys_unique", passed=True, blocking=True),
    ]
    found = problems({**SOUND, "checks": checks})
    assert [(problem.level, problem.key) for problem in found] == [
        ("error", "check gold/kpis_daily revenue_agrees"),
        ("warning", f"check {sent[0]} {sent[1]}"),
    ]
    assert all(problem.detail == "3 of 4" and problem.remedy for problem in found)


@pytest.mark.parametrize(("table", "name"), SENT_WARNINGS)
def test_the_warnings_that_are_sent_are_checks_that_warn(table: str, name: str) -> None:
    of_table = [found for found in PUBLISHED_TABLES if found.path == table]
    assert [c.name for t in of_table for c in checks_of(t) if not c.blocking].count(name) == 1


def test_a_source_without_news_is_a_problem_when_it_is_older_than_it_may_be() -> None:
    for behind, count in ((2, 0), (3, 1)):
        freshness = {"purchases": {"last_day": "2024-02-27", "days_behind": behind}}
        found = problems({**SOUND, "freshness": freshness}, stale_after=timedelta(days=2))
        assert [problem.key for problem in found] == ["source purchases"] * count


def test_orders_that_stopped_are_an_error() -> None:
    [found] = problems({**SOUND, "orders_stopped": "no orders for 5 days"})
    assert (found.level, found.detail) == ("error", "no orders for 5 days")
