"""`bridge-cart status` as people read it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from bridge_cart_assets.terminal.status import show
from bridge_cart_tests.terminal.consoles import lines, recorded

TODAY = datetime.now(UTC).date()


def check(name: str, *, passed: bool, blocking: bool) -> dict[str, Any]:
    severity = "ERROR" if blocking else "WARN"
    return {
        "table": "gold/kpis_daily",
        "check": name,
        "passed": passed,
        "severity": severity,
        "blocking": blocking,
        "says": f"what {name} found [3]",
    }


def found(*checks: dict[str, Any], **others: Any) -> dict[str, Any]:
    table = {"rows": 1_234_567, "version": 12, "checks_passed": 0, "checks_failed": 0}
    recent, old = TODAY - timedelta(1), TODAY - timedelta(100)
    return {
        "lake": "data/lake",
        "as_of": recent.isoformat(),
        "freshness": {
            "online_retail": {
                "last_day": recent.isoformat(),
                "days_behind": 1,
                "brings_orders": True,
            }
        },
        "orders_stopped": None,
        "tables": {
            "raw/purchases": {**table, "as_of": old.isoformat(), "days_behind": 100},
            "gold/kpis_daily": {**table, "as_of": recent.isoformat(), "days_behind": 1},
            "gold/segment_migration": {**table, "as_of": None, "days_behind": None},
        },
        "accounting": {
            "online_retail": {
                "records": 541_909,
                "blank": 0,
                "quarantined": 135_124,
                "accepted": 401_560,
                "duplicate": 5_225,
                "superseded": 0,
                "days": 305,
            }
        },
        "rebuild": None,
        "timezone": "UTC",
        "files": [],
        "retracted": [],
        "columns": [],
        "findings": [],
        "topics": [],
        "checks": list(checks),
        "last_run": {
            "run_id": "c97d5657",
            "finished_at": "2026-11-24T04:23:39+00:00",
            "seconds": 1234.56,
            "success": True,
        },
        **others,
    }


def printed(state: dict[str, Any]) -> list[str]:
    console = recorded()
    show(state, console)
    return lines(console)


def test_the_first_two_lines_say_how_old_the_data_is_and_how_the_last_run_went() -> None:
    first, second, *_ = printed(found())
    assert first == f"data       up to {TODAY - timedelta(1)}, yesterday"
    assert second == "last run   done on 2026-11-24 04:23 UTC, 1,234.6 s  c97d5657"


def test_each_table_has_rows_version_age_and_what_its_checks_said() -> None:
    checks = (
        check("keys_unique", passed=True, blocking=True),
        check("usual", passed=False, blocking=False),
    )
    shown = printed(found(*checks))

    [kpis] = [text for text in shown if text.startswith("gold/kpis_daily")]
    assert " ".join(kpis.split()[1:]) == (
        f"1,234,567 v12 {TODAY - timedelta(1)} yesterday warn 1 of 2"
    )
    [raw] = [text for text in shown if text.startswith("raw/purchases")]
    assert raw.endswith("3 months old  not checked")
    [empty] = [text for text in shown if text.startswith("gold/segment_migration")]
    assert " ".join(empty.split()[3:]) == "– – not checked"


def test_failed_checks_are_marked_the_blocking_ones_first() -> None:
    shown = printed(
        found(
            check("usual", passed=False, blocking=False),
            check("adds_up", passed=False, blocking=True),
            check("keys_unique", passed=True, blocking=True),
        )
    )
    begins = shown.index("checks  1 of 3 passed")
    assert shown[begins + 1 :] == [
        "FAIL gold/kpis_daily adds_up: what adds_up found [3]",
        "warn gold/kpis_daily usual: what usual found [3]",
    ]


def test_checks_that_all_passed_are_ok() -> None:
    shown = printed(found(check("keys_unique", passed=True, blocking=True)))
    assert shown[-2:] == ["checks  1 of 1 passed", "ok"]


def test_refused_files_unknown_columns_and_topics_are_named() -> None:
    file = {"source": "purchases", "object": "[1].csv", "reason": "TRUNCATED", "detail": "gzip"}
    column = {"kind": "unknown", "source": "purchases", "column": "shop[b]"}
    topic = {"topic": "bridge-cart.purchases", "partition": 0, "next_offset": 12_345}
    shown = printed(
        found(
            files=[file],
            columns=[{**column, "files": 1_200, "first_day": "2024-01-01"}],
            topics=[{**topic, "records": 9, "quarantined": 0, "latest_day": None}],
        )
    )
    assert "refused purchases/[1].csv: TRUNCATED, gzip" in shown
    assert (
        "unknown column purchases.shop[b] in 1,200 files or partitions since 2024-01-01, "
        "kept in _rescued" in shown
    )
    [line] = [text for text in shown if text.startswith("bridge-cart.purchases-0")]
    assert line.split()[1:] == ["12,345", "9", "0", "–"]


def test_the_files_that_were_taken_back_last_are_named() -> None:
    file = {"source": "purchases", "retracted_at": "2024-02-01 12:30:00.000000+00:00"}
    files = [{**file, "object": f"{n}.csv", "lies_in": None} for n in range(2, 6)]
    first = {**file, "object": "1.csv", "lies_in": "_retracted/purchases/1.csv"}
    shown = printed(found(retracted=[first, *files]))
    assert (
        "retracted purchases/1.csv: taken back on 2024-02-01 12:30 UTC, "
        "lies in _retracted/purchases/1.csv" in shown
    )
    assert "retracted 2 more: see ops.files" in shown


def test_files_that_silver_has_otherwise_are_named_ten_at_most() -> None:
    day = {"source": "purchases", "batch_day": "2024-01-01", "fingerprint": "f"}
    bad = {**day, "kind": "refused", "subject": "BAD_DATE", "records": 2, "of_records": 2}
    files = [{**bad, "object": f"2024-01-01-{n:02}.csv", "amount": Decimal(n)} for n in range(12)]
    profile = {**day, "object": "p.csv", "kind": "unreadable", "subject": "age", "amount": None}
    shown = printed(found(findings=[*files, {**profile, "records": 1, "of_records": 9}]))
    at = shown.index("intake  refused, replaced or guessed on the latest 30 batch days")
    assert shown[at + 1] == (
        "FILE purchases/2024-01-01-11.csv: 2 of 2 records refused, 11.00 (BAD_DATE)"
    )
    assert shown[at + 11] == "and 3 more: meta.intake_findings"


def test_before_the_first_run_it_says_what_to_do() -> None:
    shown = printed(found(as_of=None, freshness={}, tables={}, accounting={}, last_run=None))
    assert shown[:2] == ["data       none yet in data/lake", "last run   none yet"]
    assert shown[-1] == "Next: bridge-cart run"


def test_each_source_says_up_to_when_it_goes_and_orders_come_first() -> None:
    day = {"last_day": "2026-11-20", "days_behind": 100, "brings_orders": False}
    sources = {"customers": day, **found()["freshness"]}
    on = recorded()
    show(found(freshness=sources, orders_stopped="no orders since Friday"), on)
    assert lines(on)[1] == "orders     no orders since Friday"
    assert lines(on)[3] == (
        f"sources    online_retail up to {TODAY - timedelta(1)}, yesterday; "
        "customers up to 2026-11-20, 3 months old"
    )


def test_it_fits_into_80_columns_and_colours_change_no_word() -> None:
    state = found(check("adds_up", passed=False, blocking=True))
    plain, coloured = recorded(), recorded(terminal=True)
    show(state, plain)
    show(state, coloured)

    assert lines(plain) == lines(coloured)
    assert not [text for text in lines(plain) if "…" in text or len(text) > 80]
    assert "\x1b[1;31mFAIL 1 of 1" in coloured.export_text(styles=True)
