"""The end of a run, over a small catalogue with figures that are easy to check by head."""

from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from bridge_cart_assets.lake.query import query
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.terminal.summary import summarise
from bridge_cart_tests.terminal.consoles import lines, recorded

AS_OF = date(2024, 3, 31)
KPIS = """
CREATE TABLE gold.kpis_daily (day DATE, customers_total BIGINT, revenue_90d DECIMAL(18,2),
  orders_90d BIGINT, aov_90d DOUBLE, repeat_purchase_rate DOUBLE, churn_rate_90d DOUBLE,
  nrr_90d DOUBLE, revenue DECIMAL(18,2), anonymous_revenue DECIMAL(18,2), orders BIGINT,
  anonymous_orders BIGINT)
"""
OTHERS = """
CREATE TABLE gold.segment_metrics (segment_id BIGINT, segment_name VARCHAR, customers BIGINT,
  avg_clv DECIMAL(18,2), churn_rate DOUBLE, segment_contribution DOUBLE, is_current BOOLEAN);
CREATE TABLE gold.customer_segments (customer_id VARCHAR, segment_id BIGINT);
CREATE TABLE gold.customer_value (customer_id VARCHAR, historic_clv DECIMAL(18,2),
  churn_probability_90d DOUBLE, churn_band VARCHAR, is_churned BOOLEAN,
  predicted_clv_365d DECIMAL(18,2));
"""


class Catalogue:
    """Twenty customers, of whom the first two are the best tenth, in two segments."""

    def __init__(self, path: Path, days: int, bands: str | None, churn: float = 0.5) -> None:
        with duckdb.connect(str(path)) as connection:
            connection.execute("CREATE SCHEMA gold")
            connection.execute(KPIS)
            connection.execute(OTHERS)
            for back in range(days):
                connection.execute(
                    "INSERT INTO gold.kpis_daily VALUES (?, ?, ?, ?, ?, ?, ?, ?, 3, 1, 9, 1)",
                    [
                        *(AS_OF - timedelta(back), 2_000 - 10 * back, 12_345.6, 150, 82.3, 0.4),
                        *(churn if back < 28 else 0.5, None),
                    ],
                )
            if not days:
                return
            connection.execute(
                "INSERT INTO gold.segment_metrics VALUES (1, 'Champions', 2, 1000, 0, .8, true),"
                " (2, 'Dormant', 18, 10.5, .75, .2, true), (2, 'Dormant', 9, 1, 0, .1, false)"
            )
            for n in range(20):
                leaves = bands == "mixed" and (n == 0 or n > 5)
                band = None if bands is None else "high" if leaves else "low"
                connection.execute(
                    "INSERT INTO gold.customer_segments VALUES (?, ?)", [f"C{n:02}", 1 + (n > 1)]
                )
                connection.execute(
                    "INSERT INTO gold.customer_value VALUES (?, ?, ?, ?, ?, ?)",
                    [
                        *(f"C{n:02}", 1000 - n, None if band is None else 0.9 if leaves else 0.1),
                        *(band, n > 5, None if band is None else 100),
                    ],
                )


def printed(
    tmp_path: Path, days: int = 300, bands: str | None = "mixed", churn: float = 0.5
) -> list[str]:
    settings = Settings(data=tmp_path, lake=str(tmp_path / "lake"))
    Catalogue(settings.catalogue, days, bands, churn)
    console = recorded()
    summarise(settings, console)
    return lines(console)


def line(of: list[str], begins: str) -> str:
    return next(text for text in of if text.startswith(begins))


def words(text: str) -> str:
    return " ".join(text.split())


def test_the_kpis_stand_beside_those_of_28_days_before_with_words_for_the_arrows(
    tmp_path: Path,
) -> None:
    shown = printed(tmp_path)

    assert "KPIs  on 2024-03-31, beside 28 days before" in shown
    assert words(line(shown, "customers")) == "customers 2,000 1,720 ↑ up 16.3 %, better"
    assert line(shown, "revenue, 90").endswith("12,345.60  12,345.60  → unchanged")
    assert " ".join(line(shown, "net revenue").split()[3:]) == "– – no figure to compare with"


def test_what_is_summed_over_days_is_compared_where_the_shop_has_all_of_them(
    tmp_path: Path,
) -> None:
    """28 days before, a shop of 117 days had 89: a sum over 90 would rise by that alone."""
    shown = printed(tmp_path, days=117, bands=None, churn=0.7)
    for kpi in ("revenue, 90", "orders, 90", "average order", "churn rate"):
        assert line(shown, kpi).endswith("–  no figure to compare with")
    assert line(shown, "customers").endswith("better")
    assert line(shown, "repeat").endswith("unchanged")
    assert "beside 28 days before where all days of a figure are there" in line(shown, "KPIs")
    assert "nothing stands out" in "".join(shown)
    [full] = [tmp_path / "full"]
    full.mkdir()
    assert line(printed(full, days=118), "revenue, 90").endswith("unchanged")


def test_a_young_shop_has_nothing_to_compare_with(tmp_path: Path) -> None:
    shown = printed(tmp_path, days=10)
    assert " ".join(line(shown, "customers").split()[1:]) == "2,000 – no figure to compare with"


def test_it_says_the_share_of_anonymous_orders(tmp_path: Path) -> None:
    shown = printed(tmp_path)
    said = line(shown, "revenue so far")
    assert said == "revenue so far: 1,200.00, of it 900.00 of customers"
    assert shown[shown.index(said) + 1] == (
        "  and 300.00 of anonymous orders: 25.0 % of revenue, 10.0 % of orders"
    )


def test_segments_have_size_share_value_and_what_is_expected_of_them(tmp_path: Path) -> None:
    shown = printed(tmp_path)

    assert words(line(shown, "Champions")) == "Champions 2 80.0 % 1,000.00 0.0 % 50.0 % 200.00"
    assert words(line(shown, "Dormant")) == "Dormant 18 20.0 % 10.50 75.0 % 72.2 % 1,800.00"
    assert line(shown, "all").split()[:3] == ["all", "20", "100.0"]


def test_segments_without_a_value_model_have_dashes(tmp_path: Path) -> None:
    assert line(printed(tmp_path, bands=None), "Champions").split()[-2:] == ["–", "–"]


def test_it_counts_the_best_who_are_likely_to_leave_and_the_question_finds_just_them(
    tmp_path: Path,
) -> None:
    shown = printed(tmp_path)

    said = line(shown, "1 of the 2 best customers are likely to leave")
    question = shown[shown.index(said) + 1]
    statement = question.removeprefix('  bridge-cart sql "').removesuffix('"')
    answer = query(tmp_path / "bridge_cart.duckdb", statement)
    assert [row[0] for row in answer.rows] == ["C00"]


@pytest.mark.parametrize(("bands", "churn"), [("low", 0.5), (None, 0.505)])
def test_it_does_not_cry_when_nothing_is_wrong(
    tmp_path: Path, bands: str | None, churn: float
) -> None:
    shown = printed(tmp_path, bands=bands, churn=churn)
    assert "nothing stands out:" in shown
    assert not [text for text in shown if "likely to leave" in text]


def test_a_churn_rate_that_has_risen_is_named_when_none_of_the_best_leave(tmp_path: Path) -> None:
    shown = printed(tmp_path, bands="low", churn=0.55)
    assert "the churn rate is 5.0 points higher than 28 days before:" in shown


def test_before_the_first_sale_it_says_so(tmp_path: Path) -> None:
    shown = printed(tmp_path, days=0)
    assert "there are none: no sale has been taken in yet" in shown


def test_how_gold_was_built_stands_at_the_end_of_that_run_alone(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, lake=str(tmp_path / "lake"))
    Catalogue(settings.catalogue, 60, "mixed")
    with duckdb.connect(str(settings.catalogue)) as connection:
        connection.execute("CREATE SCHEMA meta")
        connection.execute("CREATE TABLE meta.run AS SELECT 'now' AS run_id")
        connection.execute(
            "CREATE TABLE meta.gold_builds AS FROM (VALUES"
            " ('kpis_daily', 'incremental', NULL, 'now'), ('customer_value', 'full', NULL, 'now'),"
            " ('sales_daily', 'full', '40 days at once', 'now'),"
            " ('customer_history', 'full', 'another segment model has come', 'before')"
            ") AS t(name, mode, why, run_id)"
        )
    console = recorded()
    summarise(settings, console)
    shown = lines(console)
    at = shown.index(line(shown, "gold:"))
    assert shown[at : at + 2] == [
        "gold: 3 tables written, 1 followed the change, 1 in one pass as always, 1 whole",
        "  sales_daily: 40 days at once",
    ]
    (tmp_path / "older").mkdir()
    assert not [text for text in printed(tmp_path / "older") if text.startswith("gold:")]


def test_tables_fit_into_80_columns_and_colours_change_no_word(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, lake=str(tmp_path / "lake"))
    Catalogue(settings.catalogue, 60, "mixed")
    plain, coloured = recorded(), recorded(terminal=True)
    summarise(settings, plain)
    summarise(settings, coloured)

    assert lines(plain) == lines(coloured)
    assert not [text for text in lines(plain) if "…" in text]
    assert "\x1b[32m↑ up 16.3 %, better" in coloured.export_text(styles=True)
    assert all(len(text) <= 80 for text in lines(plain) if "bridge-cart" not in text)
