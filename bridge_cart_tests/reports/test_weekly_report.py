"""The week as a file: the overview's figures, whole in itself; a word where there are none."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from bridge_cart_assets.reports.weekly.report import NoReportError, weekly_report
from bridge_cart_tests.conftest import Command
from bridge_cart_tests.reports.catalogues import shop, write_catalogue
from bridge_cart_tests.reports.conftest import Ask


@pytest.fixture(scope="module")
def saved(catalogue: Path) -> str:
    return weekly_report(catalogue, shop="Corner <shop>")[1].decode()


def texts(html: str, table: str) -> list[list[str]]:
    """The cells of a table's rows, as text."""
    body = re.search(rf'<table id="{table}".*?<tbody>(.*?)</tbody>', html, re.DOTALL)
    assert body is not None
    rows = re.findall(r"<tr>(.*?)</tr>", body[1], re.DOTALL)
    return [
        [
            " ".join(re.sub("<[^>]+>", "", cell).split())
            for cell in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row, re.DOTALL)
        ]
        for row in rows
    ]


def test_it_is_whole_in_itself(saved: str) -> None:
    assert "<script" not in saved
    assert not re.search(r"(?:src|href)=|url\(|@import", saved)
    assert "Corner &lt;shop&gt;" in saved
    assert "Corner <shop>" not in saved


def test_its_key_figures_are_those_of_the_overview(saved: str, html: str) -> None:
    found = texts(saved, "kpis")
    assert len(found) == 6
    for label, now, _ in found:
        card = re.search(rf"<h3[^>]*>{label}</h3>\s*<p class=\"now\">(.*?)</p>", html, re.DOTALL)
        assert card is not None
        assert now == " ".join(re.sub("<[^>]+>", "", card[1]).split())


def test_its_weeks_are_sums_of_days(saved: str, ask: Ask) -> None:
    last = ask("SELECT max(day) FROM gold.kpis_daily")[0][0]
    weeks = texts(saved, "weeks")
    assert len(weeks) == 8
    for number, (week_to, _, _, newcomers) in enumerate(reversed(weeks)):
        end = last - timedelta(days=7 * number)
        assert week_to == f"{end}"
        [[customers]] = ask(
            "SELECT CAST(sum(new_customers) AS BIGINT) FROM gold.kpis_daily "
            f"WHERE day > DATE '{end}' - 7 AND day <= DATE '{end}'"
        )
        assert int(newcomers.replace("\N{NARROW NO-BREAK SPACE}", "")) == customers


def test_before_the_first_sale_it_says_what_to_do(tmp_path: Path) -> None:
    write_catalogue(tmp_path / "c.duckdb", {**shop(), "kpis_daily": []})
    with pytest.raises(NoReportError, match="bridge-cart run"):
        weekly_report(tmp_path / "c.duckdb")


def test_the_command_saves_it(tmp_path: Path, command: Command) -> None:
    none = command("report", "--save", str(tmp_path / "week.html"))
    assert none.returncode == 1
    assert "bridge-cart run" in none.stderr
    write_catalogue(tmp_path / "bridge_cart.duckdb", shop())
    done = command("report", "--save", str(tmp_path / "week.html"))
    assert done.returncode == 0
    assert f"is in {tmp_path / 'week.html'}" in done.stdout
    assert (tmp_path / "week.html").read_text().startswith("<!doctype html>")
    refused = command("report", "--save", str(tmp_path / "not-there" / "week.html"))
    assert (refused.returncode, "cannot write" in refused.stderr) == (1, True)
    both = command("report", "--save", str(tmp_path / "week.html"), "--port", "5010")
    assert both.returncode == 2
