"""What became of files is read once for all who ask, until a table has changed."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from unittest import mock

import pytest

from bridge_cart_assets.batch_days import DayRange
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline import chain, findings
from bridge_cart_assets.pipeline.findings import findings_in, findings_of_days, latest_findings

HEADER = "order_id,customer_id,purchase_date,purchase_amount\n"
FIRST, SECOND = date(2024, 1, 1), date(2024, 1, 2)


def land(lake: Lake, landing: Path, day: date) -> None:
    file = landing / "purchases" / f"{day}.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{HEADER}O{day.day},C1,{day},10.00\nP{day.day},C1,never,{day.day}.00\n")
    chain.run(lake, landing)


@pytest.fixture
def read() -> Iterator[mock.Mock]:
    """Counts how often findings are read from the tables."""
    with mock.patch.object(findings, "findings_of_days", wraps=findings_of_days) as reading:
        yield reading


def test_findings_are_read_once_until_a_table_changes(tmp_path: Path, read: mock.Mock) -> None:
    lake, landing = Lake(str(tmp_path / "lake")), tmp_path / "landing"
    land(lake, landing, FIRST)
    land(lake, landing, SECOND)
    read.reset_mock()
    of_second = findings_in(lake, DayRange(SECOND, SECOND))
    assert latest_findings(lake)["batch_day"].to_list() == [FIRST, SECOND]
    assert findings_in(lake, {SECOND}).equals(of_second)
    assert findings_in(lake, ()).is_empty()
    assert read.call_count == 1
    direct = findings_of_days(lambda table: lake.snapshot(table).scan(), {SECOND})
    assert direct.equals(of_second)
    assert direct["subject"].to_list() == ["BAD_DATE"]

    assert findings_in(lake, None).height == 2
    assert read.call_count == 2
    land(lake, landing, date(2024, 1, 3))
    assert findings_in(lake, None).height == 3
