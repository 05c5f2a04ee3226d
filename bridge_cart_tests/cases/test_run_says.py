"""What `run` and `status` say of files whose money is not in silver as they say it."""

import json
import shutil
from datetime import date
from pathlib import Path

import duckdb
import pytest

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline import run
from bridge_cart_assets.pipeline.findings import by_file, findings_of_run
from bridge_cart_tests.conftest import Command

CASES = Path(__file__).parent / "what-the-run-says"
DAY = "2024-05-31"
REFUSED = f"purchases/{DAY}-refused.csv: 5 of 5 records refused, 60.00 (BAD_DATE)"
OPEN = (
    f"purchases/{DAY}-open.csv: 2 of 3 records read by a guess, 30.00 (purchase_date); "
    "BRIDGE_CART_DATES=purchases=day_first or month_first says how it is meant"
)
TWICE = f"purchases/{DAY}-twice.csv: 1 of 4 records superseded within the file, 17.35"
STATUSES = f"purchases/{DAY}-statuses.csv: 2 of 4 records refused, 75.50 (BAD_STATUS)"
TORN = f"purchases/{DAY}-torn.csv: 3 of 3 records refused (BAD_AMOUNT)"


def land(root: Path, *names: str) -> None:
    folder = root / "landing" / "purchases"
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copy(CASES / "purchases" / f"{DAY}-{name}.csv", folder)


def of_kind(stderr: str, check: str) -> str:
    [line] = [t for t in stderr.splitlines() if t.startswith(f"warning: {check}: ")]
    return line


def intake(stdout: str) -> list[str]:
    """The lines of the section on what came in."""
    lines = stdout.splitlines()
    begins = next(n for n, line in enumerate(lines) if line.startswith("intake"))
    return lines[begins : lines.index("", begins)]


def test_the_run_names_file_reason_count_and_money(tmp_path: Path, command: Command) -> None:
    land(tmp_path, "refused", "open", "month-first", "twice", "torn", "statuses", "currencies")
    done = command("run")
    assert done.returncode == 0, done.stderr
    heading, *lines = intake(done.stdout)
    assert done.stdout.splitlines()[1] == heading
    # Files of which nothing was accepted first, then by money.
    assert lines == [
        f"FILE {REFUSED}",
        f"FILE {TORN}",
        f"warn {STATUSES}",
        f"warn {OPEN}",
        f"warn {TWICE}",
    ]
    assert "nothing stands out" not in done.stdout
    warnings = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert warnings[:4] == [
        *(f"warning: {line}" for line in (REFUSED, TORN, STATUSES)),
        "warning: and 2 more: see the summary",
    ]
    assert OPEN in of_kind(done.stderr, "nothing_guessed")
    assert TWICE in of_kind(done.stderr, "lines_of_one_key_agree")
    assert REFUSED in of_kind(done.stderr, "few_refused")
    assert "JPY 18000.00" in of_kind(done.stderr, "one_currency")
    assert "SEK 13.50" in of_kind(done.stderr, "one_currency")

    shown = command("status").stdout
    assert all(line in shown for line in (REFUSED, TORN, STATUSES, OPEN, TWICE))
    findings = json.loads(command("status", "--json").stdout)["findings"]
    assert {
        "source": "purchases",
        "batch_day": DAY,
        "object": f"{DAY}-refused.csv",
        "kind": "refused",
        "subject": "BAD_DATE",
        "records": 5,
        "of_records": 5,
        "amount": "60.00",
    }.items() <= next(f for f in findings if f["subject"] == "BAD_DATE").items()
    with duckdb.connect(str(tmp_path / "bridge_cart.duckdb"), read_only=True) as connection:
        rows = connection.execute("SELECT sum(records) FROM meta.intake_findings").fetchall()
    assert rows == [(sum(finding["records"] for finding in findings),)]

    # The next run tells what it took itself, and the checks look at no more than its days.
    (tmp_path / "landing" / "purchases" / "2024-06-01.csv").write_text(
        "order_id,customer_id,purchase_date,purchase_amount\nok-1,C1,2024-06-01,5.00\n"
    )
    second = command("run")
    assert second.returncode == 0, second.stderr
    assert "refused" not in second.stdout + second.stderr
    assert "intake" not in second.stdout
    checked = command("check").stdout
    assert REFUSED in next(t for t in checked.splitlines() if "few_refused" in t)


@pytest.mark.slow
def test_a_file_of_which_nothing_is_accepted_is_said_without_any_sale(
    tmp_path: Path, command: Command
) -> None:
    land(tmp_path, "refused")
    done = command("run")
    assert done.returncode == 0, done.stderr
    assert f"FILE {REFUSED}" in intake(done.stdout)
    assert next(t for t in done.stderr.splitlines() if t.startswith("warning")) == (
        f"warning: {REFUSED}"
    )


def test_what_a_dead_run_had_taken_is_told_by_the_one_that_goes_on(tmp_path: Path) -> None:
    land(tmp_path, "refused")
    lake = Lake(str(tmp_path / "lake"))
    run(lake, tmp_path / "landing")
    assert by_file(findings_of_run(lake, "the next run")) == []
    waiting = {"purchases": {date.fromisoformat(DAY)}, "customers": set[date]()}
    [told] = by_file(findings_of_run(lake, "the next run", waiting))
    assert str(told) == REFUSED


@pytest.mark.slow
def test_a_setting_ends_the_guess(tmp_path: Path, command: Command) -> None:
    land(tmp_path, "open")
    done = command("run", BRIDGE_CART_DATES="purchases=month_first")
    assert done.returncode == 0, done.stderr
    assert "guess" not in done.stdout + done.stderr


@pytest.mark.slow
def test_the_shops_currency_ends_the_question_for_one(tmp_path: Path, command: Command) -> None:
    land(tmp_path, "currencies")
    done = command("run", BRIDGE_CART_CURRENCY="SEK")
    assert done.returncode == 0, done.stderr
    assert "one_currency" not in done.stderr
