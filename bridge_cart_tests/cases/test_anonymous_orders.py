"""Anonymous orders, on the page and at the end of `run`."""

import shutil
from pathlib import Path

from bridge_cart_tests.conftest import Command
from bridge_cart_tests.reports.conftest import browse
from bridge_cart_tests.reports.markup import Markup, text

CASES = Path(__file__).parent / "anonymous-lines"


def test_run_and_overview_say_the_share_of_anonymous_orders(
    tmp_path: Path, command: Command
) -> None:
    shutil.copytree(CASES, tmp_path / "landing")
    done = command("run")
    assert done.returncode == 0, done.stderr
    assert (
        "revenue so far: 64.00, of it 40.00 of customers\n"
        "  and 24.00 of anonymous orders: 37.5 % of revenue, 66.7 % of orders"
    ) in done.stdout

    page = Markup(browse(tmp_path / "bridge_cart.duckdb").get("/").text)
    assert text(page["anonymous"]) == (
        "Of all revenue, 64, 37.5% came from anonymous orders (24, 66.7% of the orders); "
        "the figures here are of customers (40)."
    )
    rows = [[text(cell) for cell in row] for row in page["sold-table"].findall("tbody/tr")]
    assert rows[0] == ["Revenue", "40.00", "24.00", "64.00"]


def test_the_sums_of_the_overview_reconcile_with_the_customers_value(
    tmp_path: Path, command: Command
) -> None:
    (tmp_path / "landing" / "purchases").mkdir(parents=True)
    (tmp_path / "landing" / "purchases" / "2024-01-05.csv").write_text(
        "order_id,customer_id,purchase_date,purchase_amount\n"
        "r1,A,2024-01-01,-4.00\nr2,B,2024-01-02,-3.00\ns1,A,2024-01-04,50.00\n"
        "r4,A,2024-01-05,-7.00\nr5,B,2024-01-05,-2.00\ns2,,2024-01-05,9.00\n"
    )
    assert command("run").returncode == 0
    page = Markup(browse(tmp_path / "bridge_cart.duckdb").get("/").text)
    rows = [[text(cell) for cell in row] for row in page["sold-table"].findall("tbody/tr")]
    assert [[cell.replace("\N{MINUS SIGN}", "-") for cell in row[:2]] for row in rows] == [
        ["Revenue", "50.00"],
        ["Refunds", "-9.00"],
        ["Net revenue", "41.00"],
        ["Refunds of people without a sale", "2.00"],
        ["Refunds before the first sale", "-4.00"],
        ["CLV so far of all customers", "39.00"],
    ]
