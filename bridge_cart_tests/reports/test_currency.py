"""Amounts are written with the sign and the decimals of their currency."""

from decimal import Decimal
from pathlib import Path

import pytest

from bridge_cart_assets.reports.currency import amounts_in, currency_name, in_currency
from bridge_cart_assets.reports.formatting import (
    THIN,
    compact_money,
    count,
    money,
    nothing,
    percent,
)
from bridge_cart_tests.conftest import Command
from bridge_cart_tests.reports.conftest import browse
from bridge_cart_tests.reports.markup import Markup, text


@pytest.mark.parametrize(
    ("code", "full", "short"),
    [
        ("EUR", "€1_234.50", "€1.23k"),
        ("JPY", "¥1_235", "¥1.23k"),
        ("CHF", "CHF_1_234.50", "CHF_1.23k"),
        ("", "1_234.50", "1.23k"),
    ],
)
def test_an_amount_has_the_form_of_its_currency(code: str, full: str, short: str) -> None:
    amount = Decimal("1234.50")
    with amounts_in(code):
        assert in_currency(money(amount)).text.replace(THIN, "_") == full
        cell = in_currency(compact_money(-amount))
        assert cell.text.replace(THIN, "_") == f"\N{MINUS SIGN}{short}"
        assert cell.title.replace(THIN, "_") == f"\N{MINUS SIGN}{full}"
        assert cell.value == "-1234.50"


def test_other_figures_have_no_sign() -> None:
    with amounts_in("EUR"):
        for figure in (count(5), percent(0.5), nothing("why"), money(None)):
            assert in_currency(figure) == figure
        assert currency_name() == "€"
    assert currency_name() == "the shop’s currency"


@pytest.mark.slow
def test_the_page_shows_the_only_currency_that_lines_name(tmp_path: Path, command: Command) -> None:
    landing = tmp_path / "landing" / "purchases"
    landing.mkdir(parents=True)
    header = "order_id,customer_id,purchase_date,purchase_amount,currency\n"
    (landing / "2024-01-05.csv").write_text(f"{header}a,C,2024-01-05,1234.50,GBP\n")
    (landing / "2024-02-05.csv").write_text(f"{header}b,C,2024-02-05,1000,\n")

    def shown(kpi: str) -> tuple[str, str]:
        assert command("run").returncode == 0
        page = Markup(browse(tmp_path / "bridge_cart.duckdb").get("/").text)
        [now] = page[f"kpi-{kpi}"].findall(".//p[@class='now']")
        return text(now), text(next(iter(page.all(".//footer"))))

    now, footer = shown("revenue_90d")
    assert now == "£2.23k"
    assert "amounts in £" in footer
    # With another one, no sign is right.
    (landing / "2024-02-06.csv").write_text(f"{header}d,C,2024-02-06,1000,EUR\n")
    now, footer = shown("revenue_90d")
    assert now == "3.23k"
    assert "amounts in the shop’s currency" in footer
