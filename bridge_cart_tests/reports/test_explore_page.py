"""Every figure on the explore page is what SQL says, and what is not there is said in words."""

import csv
import doctest
import io
import json
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import duckdb
import pytest
from starlette.testclient import TestClient

from bridge_cart_assets.reports.explore import bands, sales
from bridge_cart_assets.reports.explore.page import EXPLORE
from bridge_cart_assets.reports.explore.queries import SalesPart
from bridge_cart_assets.reports.explore.sales import CATEGORIES, sales_chart
from bridge_cart_assets.reports.filters import choices_of, read_address
from bridge_cart_assets.tables.gold import SALES_DAILY, TABLES
from bridge_cart_tests.reports.catalogues import AS_OF, open_catalogue, shop, write_catalogue
from bridge_cart_tests.reports.conftest import Ask, browse
from bridge_cart_tests.reports.markup import Markup, first_of, text, values

FIRST = AS_OF - timedelta(days=179)
SOLD_BY = {
    "categories": "product_category",
    "payments": "payment_method",
    "countries": "country",
    "coupons": "coupon_used",
}
PEOPLE_BY = {
    "ages": """CASE WHEN age < 18 THEN 'under 18' WHEN age < 25 THEN '18–24'
        WHEN age < 35 THEN '25–34' WHEN age < 45 THEN '35–44' WHEN age < 55 THEN '45–54'
        WHEN age < 65 THEN '55–64' ELSE '65 and over' END""",
    "incomes": """CASE WHEN income < 20000 THEN 'under 20k' WHEN income < 40000 THEN '20k to 40k'
        WHEN income < 60000 THEN '40k to 60k' WHEN income < 80000 THEN '60k to 80k'
        WHEN income < 100000 THEN '80k to 100k' ELSE '100k and more' END""",
    "genders": "gender",
    "customer_countries": "coalesce(country, 'unknown')",
    "discounts": """CASE WHEN discount_rate = 0 THEN 'no discount'
        WHEN discount_rate <= 0.05 THEN 'up to 5%' WHEN discount_rate <= 0.1 THEN '5% to 10%'
        WHEN discount_rate <= 0.2 THEN '10% to 20%' ELSE 'over 20%' END""",
    "coupon_users": "CASE WHEN coupon_rate > 0 THEN 'used a coupon' ELSE 'never used a coupon' END",
}
SHEETS = [*SOLD_BY, "months", *PEOPLE_BY]
EVIL = "</script><img src=x onerror=alert(1)>"

Gold = dict[str, Any]
Row = dict[str, Any]


def sold(day: date, revenue: str, category: str = "Books", **more: Any) -> Row:
    """A row of gold/sales_daily: two lines of an amount, a tenth of it discounts."""
    net = Decimal(revenue)
    return {
        "day": day,
        "country": "Germany",
        "product_category": category,
        "payment_method": "credit_card",
        "coupon_used": False,
        "lines": 2,
        "quantity": 3,
        "purchase_amount": net + Decimal("1.00"),
        "discounts": Decimal("1.00"),
        "revenue": net,
        "refunds": Decimal("0.00"),
        **more,
    }


def began(category: str, customers: int, rate: float | None) -> Row:
    """A row of gold/first_category."""
    return {
        "first_category": category,
        "customers": customers,
        "customers_90d": 0 if rate is None else customers - 2,
        "repeat_rate": 0.5,
        "repeat_rate_90d": rate,
        "orders_per_customer": 2.25,
        "revenue_per_customer": 81.5,
        "net_revenue_per_customer": 80.25,
    }


def explored() -> Gold:
    """A shop with sales and customers of every kind, each figure different from the next."""
    kinds = ("Books", "Toys", "Home & Garden", "unknown")
    lines = [
        sold(
            AS_OF - timedelta(days=n),
            f"{500 - n}.{n % 90 + 10}",
            kinds[n % 7 % 4],
            country=("Germany", "France", "unknown")[n % 5 % 3],
            payment_method=("credit_card", "upi", "paypal")[n % 4 % 3],
            coupon_used=n % 3 == 0,
            lines=1 + n % 4,
            refunds=Decimal(n % 6),
        )
        for n in range(211)
    ]
    people = [
        {
            "customer_id": f"C{n:03}",
            "country": ("Germany", "France", None)[n % 5 % 3],
            "top_category": ("Books", "Toys")[n % 3 % 2],
            "gender": ("female", "male", "unknown")[n % 4 % 3],
            "age": 16.0 + n % 60,
            "age_imputed": n % 11 == 0,
            "income": Decimal(9_000 + 450 * n + 60_000 * (n % 50 == 1)),
            "income_imputed": n % 13 == 0,
            "orders": 1 + n % 3,
            "revenue": Decimal(f"{90 + 3 * n}.25"),
            "discount_rate": (0.0, 0.05, 0.07, 0.2, 0.31)[n % 5],
            "coupon_rate": 0.5 if n % 4 == 1 else 0.0,
        }
        for n in range(200)
    ]
    return {
        **shop(),
        "segment_metrics": [row for row in shop()["segment_metrics"] if row["is_current"]],
        "sales_daily": lines,
        "customer_features": people,
        "customer_value": [
            {
                "customer_id": f"C{n:03}",
                "historic_clv": Decimal(f"{70 + 2 * n}.11"),
                "is_churned": n % 7 < 3,
            }
            for n in range(200)
        ],
        "customer_segments": [
            {"customer_id": f"C{n:03}", "segment_id": 1 + n % 2} for n in range(200)
        ],
        "first_category": [
            began("Books", 120, 0.25),
            began("Toys", 70, 0.4),
            began("unknown", 9, 0.9),
            began("Home & Garden", 3, None),
        ],
        "category_pairs": [
            {
                **{"category_a": "Books", "category_b": "Toys", "orders": 60, "orders_all": 300},
                **{"support": 0.2, "confidence_ab": 0.5, "confidence_ba": 0.6, "lift": 1.66},
            },
            {
                **{"category_a": "Books", "category_b": "Home & Garden", "orders": 6},
                **{"support": 0.02, "confidence_ab": 0.05, "confidence_ba": 0.1, "lift": 0.7},
            },
        ],
    }


Visit = Callable[..., Markup]
Tables = Callable[[str, str], list[list[str]]]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_catalogue(tmp_path_factory.mktemp("explore") / "c.duckdb", explored())


@pytest.fixture(scope="module")
def site(path: Path) -> TestClient:
    return browse(path)


@pytest.fixture(scope="module")
def visit(site: TestClient) -> Visit:
    pages: dict[str, Markup] = {}

    def opened(query: str = "") -> Markup:
        if query not in pages:
            response = site.get(f"/explore{query}")
            assert response.status_code == 200
            assert len(response.content) < 150_000
            pages[query] = Markup(response.text)
        return pages[query]

    return opened


@pytest.fixture(scope="module")
def ask(path: Path) -> Iterable[Ask]:
    with duckdb.connect(str(path), read_only=True) as connection:
        yield lambda sql, *parameters: connection.execute(sql, parameters).fetchall()


@pytest.fixture(scope="module")
def sheets(path: Path) -> Tables:
    views: dict[str, dict[str, list[list[str]]]] = {}

    def read(name: str, query: str) -> list[list[str]]:
        if query not in views:
            with open_catalogue(path) as catalogue:
                asked = read_address(parse_qsl(query[1:]), choices_of(catalogue))
                view = EXPLORE.read(catalogue, asked)
            assert view
            assert not asked.warnings
            views[query] = {
                sheet.name: rows_of("".join(sheet.csv_lines())) for sheet in view.sheets
            }
        return views[query][name]

    return read


def other(tmp_path: Path, gold: Gold, query: str = "", **more: Any) -> Markup:
    response = browse(write_catalogue(tmp_path / "c.duckdb", gold, **more)).get(f"/explore{query}")
    assert response.status_code == 200
    return Markup(response.text)


def csv_of(site: TestClient, name: str, query: str = "") -> list[list[str]]:
    response = site.get(f"/export/explore/{name}.csv{query}")
    assert response.status_code == 200
    return rows_of(response.text)


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def numbers(cells: Iterable[object]) -> list[object]:
    return [None if cell in (None, "") else pytest.approx(float(str(cell))) for cell in cells]


def said(page: Markup, name: str) -> str:
    (section,) = page.all(f".//section[@aria-labelledby='{name}-title']")
    (sentence,) = section.findall("./p[@class='too-little']")
    return text(sentence)


FILTERS = {
    "": (FIRST, None, None),
    "?period=30d": (AS_OF - timedelta(days=29), None, None),
    "?period=all&country=France": (AS_OF - timedelta(days=210), "France", None),
    "?category=Toys&country=Germany": (FIRST, "Germany", "Toys"),
    "?category=Books&segment=2": (FIRST, None, "Books"),
}


@pytest.mark.parametrize("query", FILTERS)
@pytest.mark.parametrize("name", SOLD_BY)
def test_sales_are_the_sums_of_sales_daily(sheets: Tables, ask: Ask, name: str, query: str) -> None:
    first, country, category = FILTERS[query]
    column = SOLD_BY[name]
    own = {"country": country, "product_category": category}.get(column)
    of_others = (
        None if column == "country" else country,
        None if column == "product_category" else category,
    )
    rows = ask(
        f"""
        SELECT CAST({column} AS VARCHAR) AS name, sum(revenue),
               sum(revenue) / sum(sum(revenue)) OVER (), sum(lines), sum(revenue) / sum(lines),
               sum(discounts) / sum(purchase_amount),
               coalesce(sum(lines) FILTER (coupon_used), 0) / sum(lines), sum(refunds)
        FROM gold.sales_daily WHERE day BETWEEN $1 AND $2
          AND coalesce(country = $3, true) AND coalesce(product_category = $4, true)
        GROUP BY 1 ORDER BY 2 DESC
        """,
        *(first, AS_OF, *of_others),
    )
    expected = [row for row in rows if own in (None, row[0])]
    assert expected
    _, *found = sheets(name, query)
    names = [row[0] for row in found]
    if name == "coupons":
        names = [{"With a coupon": "true", "Without": "false"}.get(n, n) for n in names]
    assert names == [row[0] for row in expected]
    assert [numbers(row[1:]) for row in found] == [numbers(row[1:]) for row in expected]


PEOPLE = {
    "": "true",
    "?period=30d": "true",
    "?segment=2&country=France": "segment_id = 2 AND country = 'France'",
    "?category=Toys": "top_category = 'Toys'",
}


@pytest.mark.parametrize("query", PEOPLE)
@pytest.mark.parametrize("name", PEOPLE_BY)
def test_customers_are_those_of_the_gold_tables(
    sheets: Tables, ask: Ask, name: str, query: str
) -> None:
    known = {"ages": "NOT age_imputed", "incomes": "NOT income_imputed"}.get(name, "true")
    rows = ask(
        f"""
        SELECT {PEOPLE_BY[name]} AS name, count(*), sum(revenue), sum(revenue) / sum(orders),
               avg(CAST(orders >= 2 AS INTEGER)), avg(historic_clv),
               avg(CAST(is_churned AS INTEGER))
        FROM gold.customer_features
        JOIN gold.customer_value USING (customer_id) JOIN gold.customer_segments USING (customer_id)
        WHERE {known} AND {PEOPLE[query]} GROUP BY 1
        """
    )
    _, *found = sheets(name, query)
    assert {row[0]: numbers(row[1:]) for row in found} == {row[0]: numbers(row[1:]) for row in rows}
    assert len(found) == len(rows) > 0


def test_bands_stand_in_order_and_names_with_most_customers_first(visit: Visit) -> None:
    def names(name: str) -> list[str]:
        return [text(first_of(row, "th")) for row in visit()[f"{name}-table"].findall("tbody/tr")]

    assert names("ages")[:3] == ["Under 18", "18–24", "25–34"]
    assert (names("incomes")[0], names("incomes")[-1]) == ("Under 20k", "100k and more")
    assert (names("discounts")[0], names("discounts")[-1]) == ("No discount", "Over 20%")
    assert names("genders") == ["Female", "Male", "Not known"]


def test_the_page_says_whose_age_is_not_known(visit: Visit, ask: Ask) -> None:
    ((missing,),) = ask("SELECT count(*) FROM gold.customer_features WHERE age_imputed")
    (section,) = visit().all(".//section[@aria-labelledby='ages-title']")
    assert text(first_of(section, "./p[@class='sub']")) == (
        f"Customers by age; {missing} without an age are left out; "
        "segment, country and top category apply"
    )


def test_months_are_whole_and_stacked_by_category(visit: Visit, ask: Ask) -> None:
    table = visit("?period=90d")["months-table"]
    heads = [text(th) for th in table.findall("thead/tr/th")]
    assert [heads[0], heads[-1]] == ["Month from", "Together"]
    assert set(heads[1:-1]) == {"Books", "Home & Garden", "Toys", "Not known"}
    rows = table.findall("tbody/tr")
    assert [text(first_of(row, "th")) for row in rows] == [f"2024-0{m}-01" for m in (7, 6, 5, 4)]
    raw = {"Not known": "unknown"}
    for row in rows:
        month = text(first_of(row, "th"))
        sums: dict[str, Decimal] = dict(
            ask(
                "SELECT product_category, sum(revenue) FROM gold.sales_daily "
                "WHERE date_trunc('month', day) = CAST($1 AS DATE) GROUP BY 1",
                month,
            )
        )
        expected = [sums[raw.get(name, name)] for name in heads[1:-1]]
        assert values(row) == [str(value) for value in [*expected, sum(sums.values())]]


def test_the_sixth_category_and_those_after_it_are_all_others(tmp_path: Path) -> None:
    gold = explored()
    gold["sales_daily"] = [
        sold(AS_OF - timedelta(days=31 * back), f"{100 - n}.00", f"K{n}")
        for n in range(8)
        for back in range(3)
    ]
    page = other(tmp_path, gold)
    figures = json.loads(page["months-figures"].text or "")
    assert [s["name"] for s in figures["series"]] == [*(f"K{n}" for n in range(5)), "All others"]
    assert figures["series"][-1]["values"][-4:] == [0.0, *[95.0 + 94 + 93] * 3]
    assert figures["days"][-3:] == ["2024-05-01", "2024-06-01", "2024-07-01"]
    assert text(page["months-title"]) == "Revenue by month"


@pytest.mark.parametrize("name", [*SOLD_BY, "ages", "incomes", "genders", "discounts"])
def test_a_chart_draws_what_its_table_says(visit: Visit, name: str) -> None:
    page = visit()
    figures = json.loads(page[f"{name}-figures"].text or "")
    rows = page[f"{name}-table"].findall("tbody/tr")
    assert figures["names"] == [text(first_of(row, "th")) for row in rows]
    place = {"payments": 1, "coupons": 1, "discounts": 2}.get(name, 0)
    assert figures["series"][0]["values"] == [float(values(row)[place] or 0) for row in rows]


def test_countries_after_the_first_are_one_row_and_one_bar(tmp_path: Path) -> None:
    gold = explored()
    gold["sales_daily"] = [sold(AS_OF, f"{900 - n}.00", country=f"L{n:02}") for n in range(60)]
    gold["customer_features"] = [
        {**row, "country": f"L{n % 60:02}"} for n, row in enumerate(gold["customer_features"])
    ]
    page = other(tmp_path, gold)
    figures = json.loads(page["countries-figures"].text or "")
    assert figures["names"][-2:] == ["L10", "49 other countries"]
    assert figures["series"][0]["values"][-1] == sum(900.0 - n for n in range(11, 60))
    rows = page["countries-table"].findall("tbody/tr")
    assert len(rows) == 41
    assert text(first_of(rows[-1], "th")) == "20 other countries"
    assert values(rows[-1])[0] == f"{sum(900 - n for n in range(40, 60))}.00"
    people = page["customer_countries-table"].findall("tbody/tr")
    assert text(first_of(people[0], "th")) == "All others"
    assert sum(int(values(row)[0] or 0) for row in people) == 200
    far = other(tmp_path, gold, "?country=L59")
    assert values(far["countries-table"].findall("tbody/tr")[0])[0] == "841.00"
    assert text(first_of(far["customer_countries-table"], "tbody/tr/th")) == "L59"


def test_a_filter_on_a_dimension_picks_a_row_and_keeps_its_share(visit: Visit) -> None:
    def share(query: str) -> str | None:
        rows = visit(query)["categories-table"].findall("tbody/tr")
        (row,) = [row for row in rows if text(first_of(row, "th")) == "Toys"]
        return values(row)[1]

    assert share("?category=Toys") == share("")
    assert said(visit("?category=Toys"), "categories") == (
        "The filter leaves Toys alone; the share is that of the whole."
    )
    percent = f"{100 * float(share('') or 0):.1f}%"
    assert (
        text(visit("?category=Toys")["categories-title"]) == f"{percent} of revenue comes from Toys"
    )


# Headings


def headed(*revenues: str) -> str:
    everything = sum(map(float, revenues))
    parts = [
        SalesPart(f"K{n}", 1, Decimal(r), float(r) / everything, 1, 1.0, 0.0, 0.0, Decimal(0))
        for n, r in enumerate(revenues)
    ]
    return sales_chart(CATEGORIES, parts, is_known=True).title


@pytest.mark.parametrize(
    ("revenues", "heading"),
    [
        (
            ("60", "20", "15", "5"),
            "60.0% of revenue comes from K0, more than the next two together",
        ),
        (("40", "30", "20", "10"), "40.0% of revenue comes from K0"),
        (("70", "20", "10"), "70.0% of revenue comes from K0"),
        (("40", "40", "20"), "Revenue by category"),
        (("34", "33", "33"), "Every category brings about as much: 33.0% to 34.0% of revenue"),
        (("10",), "Revenue by category"),
    ],
)
def test_a_heading_says_only_what_is_true(revenues: tuple[str, ...], heading: str) -> None:
    assert headed(*revenues) == heading


def test_headings_compare_customers_where_there_are_enough(tmp_path: Path) -> None:
    gold = explored()
    people = gold["customer_features"]
    for n, row in enumerate(people):
        row |= {"age": 30.0 if n < 100 else 60.0, "age_imputed": False}
        row |= {"coupon_rate": 0.5 if n < 100 else 0.0, "country": "IN" if n < 100 else "US"}
        row |= {"discount_rate": 0.0 if n < 100 else 0.3, "orders": 1}
        row |= {"revenue": Decimal(80) if n < 100 else Decimal(50)}
    for n, row in enumerate(gold["customer_value"]):
        row |= {"historic_clv": Decimal(200) if n < 100 else Decimal(100), "is_churned": n < 40}
    page = other(tmp_path, gold)
    assert {name: text(page[f"{name}-title"]) for name in PEOPLE_BY if name != "incomes"} == {
        "ages": "Customers aged 25–34 are worth most so far: 200 each, 100 aged 55–64",
        "genders": "Customers by gender",
        "customer_countries": "Churn is 40.0% in IN and 0.0% in US",
        "discounts": "An average order is 80 without discounts, 50 with over 20% off",
        "coupon_users": "Coupon users churn more: 40.0% against 0.0%",
    }
    gold["customer_features"] = people[90:110]
    few = other(tmp_path, gold)
    assert text(few["ages-title"]) == "Customers by age"
    assert text(few["coupon_users-title"]) == "Coupon users and others"
    assert text(few["customer_countries-title"]) == "Customers by country"


# What is not there


def bare() -> Gold:
    """A shop whose data has neither categories, payments, countries, coupons nor profiles."""
    gold = explored()
    blank = {"country": "unknown", "product_category": "unknown", "payment_method": "unknown"}
    for row in gold["sales_daily"]:
        row |= {**blank, "coupon_used": False}
    gold["sales_daily"] = gold["sales_daily"][:1]
    for row in gold["customer_features"]:
        row |= {"age": None, "age_imputed": False, "income": None, "income_imputed": False}
        row |= {"gender": "unknown", "country": None, "discount_rate": 0.0, "coupon_rate": 0.0}
    return gold


def test_attributes_without_any_value_are_said_to_be_missing(tmp_path: Path) -> None:
    page = other(tmp_path, bare())
    names = [name for name in SHEETS if name != "months"]
    assert {name: said(page, name) for name in names} == {
        "categories": "No categories in this shop’s data.",
        "payments": "No payment methods in this shop’s data.",
        "countries": "No countries in this shop’s data.",
        "coupons": "No coupons in this shop’s data.",
        "ages": "No ages in this shop’s data.",
        "incomes": "No incomes in this shop’s data.",
        "genders": "No genders in this shop’s data.",
        "customer_countries": "No countries in this shop’s data.",
        "discounts": "No discounts in this shop’s data.",
        "coupon_users": "No coupons in this shop’s data.",
    }
    assert [chart.get("id") for chart in page.all(".//div[@class='chart']")] == ["months-chart"]
    heads = [text(th) for th in page["months-table"].findall("thead/tr/th")]
    assert heads == ["Month from", "Revenue", "Together"]


def test_a_filter_with_nothing_in_it_says_so(tmp_path: Path) -> None:
    gold = explored()
    gold["sales_daily"] = [sold(AS_OF - timedelta(days=200), "9.00")]
    gold["customer_segments"] = []
    page = other(tmp_path, gold, "?period=30d&segment=1")
    for name in ("categories", "payments", "countries", "months"):
        assert said(page, name) == "Nothing was sold in this period and filter."
    for name in ("ages", "incomes", "genders", "customer_countries", "discounts"):
        assert said(page, name) == "No customers are in this filter."
    assert values(page["sold"]) == ["0.00", "0"]
    assert values(page["people"]) == ["0"]
    # Filters do not apply to product groups.
    links = [link.get("href", "").partition("?")[0] for link in page.all(".//a[@class='csv']")]
    assert links == ["/export/explore/first_categories.csv", "/export/explore/category_pairs.csv"]


def test_a_filter_with_customers_of_no_known_age_says_so(tmp_path: Path) -> None:
    gold = explored()
    for n, row in enumerate(gold["customer_features"]):
        row |= {"age_imputed": n % 2 == 1}
    page = other(tmp_path, gold, "?segment=2")
    assert said(page, "ages") == "Everybody in this filter is without an age."


def test_one_category_has_nothing_to_be_compared_with(tmp_path: Path) -> None:
    gold = explored()
    gold["kpis_daily"] = gold["kpis_daily"][-20:]
    gold["sales_daily"] = [sold(AS_OF, "9.00"), sold(AS_OF, "1.00", coupon_used=True)]
    page = other(tmp_path, gold)
    assert said(page, "categories") == "Only Books is there: nothing to compare it with."
    assert values(first_of(page["categories-table"], "tbody/tr"))[:2] == ["10.00", "1.0"]
    assert said(page, "months") == "Bars need two months of the period to compare."
    assert text(page["coupons-title"]) == (
        "10.0% of revenue comes with a coupon: 0.5 a line, 4.5 without"
    )


def test_what_was_only_given_back_has_no_rates(tmp_path: Path) -> None:
    gold = explored()
    back = {"lines": 0, "purchase_amount": Decimal(0), "discounts": Decimal(0)}
    gold["sales_daily"] = [
        sold(AS_OF, "9.00"),
        sold(AS_OF, "0.00", "Toys", refunds=Decimal("4.00"), **back),
    ]
    rows = other(tmp_path, gold)["categories-table"].findall("tbody/tr")
    assert values(rows[1]) == ["0.00", "0.0", "0", None, None, None, "4.00"]


def test_a_catalogue_of_an_earlier_version_asks_for_a_run(tmp_path: Path) -> None:
    tables = [table for table in TABLES if table is not SALES_DAILY]
    page = other(tmp_path, explored(), tables=tables)
    assert text(page.all(".//h1")[0]) == "Run once"
    assert "lacks sales_daily" in text(page.root)
    assert page.all(".//table") == []


def test_without_sales_there_is_nothing_to_explore(tmp_path: Path) -> None:
    assert text(other(tmp_path, {}).all(".//h1")[0]) == "No sales yet"
    assert text(other(tmp_path, {}, tables=(), run=None).all(".//h1")[0]) == "No sales yet"


# Hostile values, CSV, form


def test_names_from_the_data_are_text_and_never_markup(tmp_path: Path) -> None:
    gold = explored()
    gold["sales_daily"] = [
        sold(AS_OF, "9.00", EVIL, country="=1+1", payment_method="x" * 5_000),
        sold(AS_OF - timedelta(days=40), "3.00", "'; DROP TABLE gold.sales_daily; --"),
    ]
    for row in gold["customer_features"]:
        row |= {"country": EVIL, "gender": '" onload="'}
    site = browse(write_catalogue(tmp_path / "c.duckdb", gold))
    html = site.get("/explore").text
    assert "<img" not in html
    page = Markup(html)
    assert EVIL in json.loads(page["categories-figures"].text or "")["names"]
    assert max(map(len, json.loads(page["payments-figures"].text or "")["names"])) == 48
    assert csv_of(site, "countries")[1][0] in ("Germany", "'=1+1")
    assert "'=1+1" in {row[0] for row in csv_of(site, "countries")}
    assert csv_of(site, "customer_countries")[1][0] == EVIL
    head, *_ = csv_of(site, "months")
    assert head[0] == "month"
    assert head[-1] == "revenue"


def test_filters_that_do_not_exist_change_nothing(site: TestClient, visit: Visit) -> None:
    page = Markup(site.get("/explore", params={"country": EVIL, "category": "' OR 1=1"}).text)
    assert len(page.all(".//p[@class='warning']")) == 2
    assert values(page["sold"]) == values(visit()["sold"])
    assert site.get("/export/explore/ages.csv?country=nowhere").status_code == 400


@pytest.mark.parametrize("name", SHEETS)
def test_every_table_comes_as_csv_with_the_same_figures(
    site: TestClient, visit: Visit, name: str
) -> None:
    query = "?period=90d&country=Germany"
    _, *rows = csv_of(site, name, query)
    shown = visit(query)[f"{name}-table"].findall("tbody/tr")
    assert [row[1:] for row in rows] == [[value or "" for value in values(tr)] for tr in shown]


def test_the_totals_are_those_of_the_filter(visit: Visit, ask: Ask) -> None:
    ((revenue, lines),) = ask(
        "SELECT sum(revenue), sum(lines) FROM gold.sales_daily "
        "WHERE day >= $1 AND country = 'France'",
        FIRST,
    )
    page = visit("?country=France&segment=1")
    assert values(page["sold"]) == [str(revenue), str(lines)]
    ((people,),) = ask(
        "SELECT count(*) FROM gold.customer_features JOIN gold.customer_segments "
        "USING (customer_id) WHERE country = 'France' AND segment_id = 1"
    )
    assert values(page["people"]) == [str(people)]


def test_ids_are_unique_and_headings_leave_no_level_out(visit: Visit) -> None:
    page = visit()
    ids = [e.get("id") for e in page.root.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    levels = [int(e.tag[1]) for e in page.root.iter() if e.tag in ("h1", "h2", "h3")]
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in zip([0, *levels], levels, strict=False))


def test_the_examples_in_the_docstrings_hold() -> None:
    assert [doctest.testmod(module).failed for module in (bands, sales)] == [0, 0]


def test_first_categories_and_pairs_are_those_of_gold_whatever_the_filter(
    sheets: Tables, ask: Ask, visit: Visit
) -> None:
    names = {
        "first_categories": "first_category, customers, repeat_rate_90d",
        "category_pairs": "category_a, category_b, orders, support, lift",
    }
    tables = {
        "first_categories": "gold.first_category ORDER BY customers DESC",
        "category_pairs": "gold.category_pairs ORDER BY orders DESC",
    }
    for query in ("", "?country=France&category=Toys"):
        for name, columns in names.items():
            header, *rows = sheets(name, query)
            places = [header.index(column) for column in columns.split(", ")]
            found = [[row[place] for place in places] for row in rows]
            wanted = ask(f"SELECT {columns} FROM {tables[name]}")
            assert found == [["" if v is None else str(v) for v in row] for row in wanted]
        page = visit(query)
        assert text(page["first_categories-title"]) == (
            "40.0% of those who began with Toys came again within 90 days, 25.0% with Books"
        )
        assert text(page["category_pairs-title"]) == (
            "Books and Toys are bought together 1.7 times as often as by chance"
        )
