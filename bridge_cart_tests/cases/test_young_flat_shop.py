"""A shop of 70 days that sells the same each day has not grown: nothing says that it has."""

import shutil
from pathlib import Path

from bridge_cart_tests.conftest import Command
from bridge_cart_tests.reports.conftest import browse
from bridge_cart_tests.reports.markup import Markup, text

CASES = Path(__file__).parent / "young-flat-shop"


def test_a_flat_shop_is_not_up_in_any_place(tmp_path: Path, command: Command) -> None:
    shutil.copytree(CASES, tmp_path / "landing")
    done = command("run", BRIDGE_CART_START_DATE="2024-03-01")
    assert done.returncode == 0, done.stderr
    lines = {line.split("  ")[0]: line for line in done.stdout.splitlines()}
    assert "2,800.00" in lines["revenue, 90 days"]
    for kpi in ("revenue, 90 days", "orders, 90 days", "average order, 90 days"):
        assert lines[kpi].endswith("no figure to compare with")
    client = browse(tmp_path / "bridge_cart.duckdb")
    overview = Markup(client.get("/").text)
    for kpi in ("revenue_90d", "aov_90d", "churn_rate_90d"):
        assert "28 days before: –" in text(overview[f"kpi-{kpi}"])
    weeks = overview.all(".//section[@aria-labelledby='week-title']")
    assert not any("revenue" in text(week) for week in weeks)
    retention = Markup(client.get("/retention").text)
    assert "28 days before: –" in text(retention["kpi-retention_rate_90d"])
