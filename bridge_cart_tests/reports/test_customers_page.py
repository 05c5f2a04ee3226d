"""The page of all customers: its figures are those of SQL, and each list is whom it says."""

import csv
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import duckdb
import pytest
from starlette.testclient import TestClient

from bridge_cart_assets.reports.customer.page import address_of
from bridge_cart_tests.reports.catalogues import write_catalogue
from bridge_cart_tests.reports.conftest import Ask, browse
from bridge_cart_tests.reports.markup import Markup, first_of, text, values
from bridge_cart_tests.reports.shop_customers import (
    NOT_FITTED,
    people,
    person,
    unpredicted,
    write_customers,
)

LISTS = {
    "leaving": ["C002", "C001"],
    "returning": ["C004", "C003"],
    "promising": ["C005", "C006"],
    "lost": ["C007", "C008"],
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_customers(tmp_path_factory.mktemp("customers"))


@pytest.fixture(scope="module")
def client(shop: Path) -> TestClient:
    return browse(shop)


@pytest.fixture
def ask(shop: Path) -> Iterator[Ask]:
    with duckdb.connect(str(shop), read_only=True) as connection:
        yield lambda sql, *parameters: connection.execute(sql, parameters).fetchall()


def seen(client: TestClient, query: str = "") -> Markup:
    response = client.get(f"/customers{query}")
    assert response.status_code == 200
    return Markup(response.text)


def rows(page: Markup, sheet: str) -> list[list[str | None]]:
    return [values(row) for row in page[f"{sheet}-table"].findall("tbody/tr")]


def names(page: Markup, sheet: str) -> list[str]:
    return [text(th) for th in page[f"{sheet}-table"].findall("tbody/tr/th")]


def exported(client: TestClient, address: str) -> list[dict[str, str]]:
    response = client.get(address)
    assert response.status_code == 200
    return list(csv.DictReader(io.StringIO(response.text)))


@pytest.mark.parametrize(("name", "expected"), LISTS.items())
def test_a_list_has_those_it_speaks_of_the_worthiest_first(
    client: TestClient, name: str, expected: list[str]
) -> None:
    page = seen(client, f"?list={name}")
    assert names(page, name) == expected
    assert values(page[f"list-{name}"])[0] == "2"
    chosen = [li.get("id") for li in page.all(".//li[a]") if first_of(li, "a").get("aria-current")]
    assert f"list-{name}" in chosen


def test_value_at_risk_is_the_expected_value_times_the_chance_of_staying_away(
    client: TestClient, ask: Ask
) -> None:
    page = seen(client)
    expected = ask(
        "SELECT CAST(predicted_clv_365d * churn_probability_90d AS DECIMAL(18, 2)), orders, aov, "
        "historic_clv, predicted_clv_365d, expected_orders_90d, churn_probability_90d "
        "FROM gold.customer_value JOIN gold.customer_features USING (customer_id) "
        "WHERE customer_id IN ('C001', 'C002') ORDER BY 1 DESC"
    )
    assert rows(page, "leaving") == [[str(value) for value in row] for row in expected]
    assert values(page["list-leaving"]) == ["2", "540.00"]
    assert "2 customers are on the list; 540 at risk" in text(page["summary"])


def test_the_best_fifth_is_that_of_the_whole_shop_whatever_the_filters(
    client: TestClient, ask: Ask
) -> None:
    [(bound,)] = ask("SELECT clv FROM gold.customer_value ORDER BY clv DESC LIMIT 1 OFFSET 3")
    assert f"(at least {bound:.0f})" in text(seen(client)["summary"])
    assert f"(at least {bound:.0f})" in text(seen(client, "?country=FR")["summary"])


@pytest.mark.parametrize("query", ["?country=FR", "?segment=1", "?category=Toys"])
def test_filters_narrow_lists_bars_and_bands(client: TestClient, ask: Ask, query: str) -> None:
    name, value = query[1:].split("=")
    column = {"country": "country", "segment": "segment_id", "category": "top_category"}[name]
    expected = ask(
        "SELECT churn_band, count(*), CAST(sum(clv) AS VARCHAR) FROM gold.customer_value "
        "JOIN gold.customer_features USING (customer_id) "
        f"JOIN gold.customer_segments USING (customer_id) WHERE CAST({column} AS VARCHAR) = $1 "
        "GROUP BY churn_band ORDER BY list_position(['low', 'medium', 'high'], churn_band)",
        value,
    )
    page = seen(client, query)
    shown = [
        (name, *(figures[i] for i in (0, 4)))
        for name, figures in zip(names(page, "bands"), rows(page, "bands"), strict=True)
    ]
    assert shown == [(band, str(n), worth) for band, n, worth in expected]
    everybody = sum(n for _, n, _ in expected)
    for sheet in ("churn-probability", "value"):
        assert sum(int(row[0] or 0) for row in rows(page, sheet)) == everybody
    listed = [name for one in LISTS for name in exported_ids(client, one, query)]
    assert 0 < len(listed) < 8


def exported_ids(client: TestClient, name: str, query: str) -> list[str]:
    address = f"/export/customers/{name}.csv{query}&list={name}"
    return [row["customer_id"] for row in exported(client, address)]


def test_the_period_changes_nothing_and_the_page_says_so(client: TestClient) -> None:
    page = seen(client, "?period=30d")
    assert "Period does not apply here" in text(page.all(".//div[@class='notes']")[0])


def test_bars_are_the_tenths_of_the_churn_probability(client: TestClient, ask: Ask) -> None:
    expected: dict[int, int] = dict(
        ask(
            "SELECT least(floor(churn_probability_90d * 10), 9)::INTEGER, count(*) "
            "FROM gold.customer_value GROUP BY 1"
        )
    )
    page = seen(client)
    counts = [int(row[0] or 0) for row in rows(page, "churn-probability")]
    assert counts == [expected.get(tenth, 0) for tenth in range(10)]
    drawn = json.loads(text(page["churn-probability-figures"]))
    assert drawn["series"][0]["values"] == counts


def test_bars_of_value_hold_every_customer_between_their_edges(
    client: TestClient, ask: Ask
) -> None:
    page = seen(client)
    steps = names(page, "value")
    assert steps == ["20–50", "50–100", "100–200", "200–500", "500–1k", "1k or more"]
    edges = [20, 50, 100, 200, 500, 1000, 10**9]
    for (low, high), row in zip(pairwise(edges), rows(page, "value"), strict=True):
        [expected] = ask(
            "SELECT count(*), coalesce(sum(clv), 0) FROM gold.customer_value "
            "WHERE clv >= $1 AND clv < $2",
            low,
            high,
        )
        assert [row[0], Decimal(row[2] or 0)] == [str(expected[0]), expected[1]]


def test_only_fifty_are_shown_and_the_csv_has_all(tmp_path: Path) -> None:
    many = [person(n, historic_clv=100, recency_days=95) for n in range(700)]
    client = browse(write_customers(tmp_path, many))
    page = seen(client, "?list=lost")
    assert len(rows(page, "lost")) == 50
    assert "The first 50 of 700; the CSV has all of them." in page_text(page)
    listed = exported(client, "/export/customers/lost.csv?list=lost")
    assert [row["customer_id"] for row in listed] == [f"C{n:03}" for n in range(700)]
    assert {row["worth_so_far"] for row in listed} == {"100.00"}


def page_text(page: Markup) -> str:
    return text(page["main"])


def test_the_page_says_that_there_are_no_names(client: TestClient) -> None:
    assert "no names or e-mail addresses" in page_text(seen(client))


def test_without_predictions_lists_go_by_recency_and_say_why(tmp_path: Path) -> None:
    crowd = people()
    crowd[0] = person(1, historic_clv=900, recency_days=60)
    crowd[2] = person(3, historic_clv=600, recency_days=20)
    client = browse(write_customers(tmp_path, unpredicted(crowd)))
    page = seen(client)
    assert names(page, "leaving") == ["C001"]
    assert NOT_FITTED in text(page["status"])
    assert "45 to 89 days ago" in text(page["summary"])
    assert f"Nothing is predicted yet: {NOT_FITTED}." in page_text(page)
    assert names(seen(client, "?list=returning"), "returning") == ["C003"]
    assert names(seen(client, "?list=promising"), "promising") == ["C005", "C006"]
    assert names(page, "bands") == ["not predicted"]


def test_a_simpler_model_is_named(tmp_path: Path) -> None:
    crowd = [{**row, "model_status": "fallback: no drop-out"} for row in people()]
    page = seen(browse(write_customers(tmp_path, crowd)))
    assert "fallback: no drop-out" in text(page["status"])
    assert names(page, "leaving") == LISTS["leaving"]


def test_a_filter_without_customers_is_explained_in_sentences(client: TestClient) -> None:
    page = seen(client, "?country=FR&category=Books&segment=2&list=promising")
    said = page_text(page)
    assert "No customer is on the list now." in said
    assert said.count("No customer is in these filters") == 3
    assert not page.all(".//table")


def test_customers_without_a_segment_are_listed(tmp_path: Path) -> None:
    page = seen(browse(write_customers(tmp_path, segmented=False)))
    assert names(page, "leaving") == LISTS["leaving"]
    assert rows(page, "leaving")[0][0] is None


def test_without_a_sale_there_is_nothing_to_list(tmp_path: Path) -> None:
    client = browse(write_catalogue(tmp_path / "c.duckdb", {}))
    assert "No sales yet" in client.get("/customers").text
    client = browse(write_catalogue(tmp_path / "d.duckdb", {}, tables=()))
    assert "No sales yet" in client.get("/customers").text


def test_an_exact_id_leads_to_the_page_of_the_customer(client: TestClient) -> None:
    page = seen(client, "?id=c007&country=DE")
    link = first_of(page["found-table"], ".//th/a")
    assert (text(link), link.get("href")) == ("C007", "/customers/C007")
    assert text(page["search-answer"]).startswith("One customer’s id begins with “c007”")
    assert "One customer’s id is “C007”" in text(seen(client, "?id=C007")["search-answer"])


def test_a_beginning_lists_twenty_at_most(tmp_path: Path) -> None:
    client = browse(write_customers(tmp_path, [person(n) for n in range(1, 31)]))
    page = seen(client, "?id=C0")
    assert names(page, "found") == [f"C{n:03}" for n in range(1, 21)]
    assert "30 customers have an id that begins with “C0”; the first 20 are listed." in text(
        page["search-answer"]
    )
    (link,) = [a for a in page["search-answer"].iter("a") if "found.csv" in a.get("href", "")]
    assert len(exported(client, link.get("href", ""))) == 30


def test_a_search_without_a_match_is_a_sentence(client: TestClient) -> None:
    page = seen(client, "?id=unknown")
    assert text(page["search-answer"]) == (
        "No customer who has bought has the id “unknown”, or one that begins with it."
    )


@pytest.mark.parametrize(
    "hostile",
    ["<script>alert(1)</script>", "' OR 1=1 --", '"><img src=x>', "%", "_", "{{ 7 * 7 }}"],
)
def test_hostile_searches_are_texts(client: TestClient, hostile: str) -> None:
    html = client.get("/customers", params={"id": hostile}).text
    assert "<script>alert" not in html
    assert "<img" not in html
    answer = text(Markup(html)["search-answer"])
    assert answer.startswith(f"No customer who has bought has the id “{hostile}”")


@pytest.mark.parametrize("query", ["id=" + "x" * 81, "list=nonsense", "id=a%00b"])
def test_what_cannot_be_is_complained_about_and_changes_nothing(
    client: TestClient, query: str
) -> None:
    page = seen(client, f"?{query}")
    assert len(page.all(".//p[@class='warning']")) == 1
    assert names(page, "leaving") == LISTS["leaving"]
    assert client.get(f"/export/customers/leaving.csv?{query}").status_code == 400


def test_a_list_is_kept_by_the_search_and_the_search_by_no_list(client: TestClient) -> None:
    page = seen(client, "?list=lost&country=DE&id=C0")
    form = page.all(".//form[@class='search']")[0]
    assert {i.get("name"): i.get("value") for i in form.iter("input")} == {
        "country": "DE",
        "list": "lost",
        "id": "C0",
    }
    addresses = [a.get("href") for a in page.all(".//li/a[@class='card']")]
    assert addresses[0] == "/customers?country=DE"
    assert addresses[1] == "/customers?country=DE&list=returning"


@pytest.mark.parametrize("odd", ["a/b", "a b?c#50%", 'x"><b>', "ü€", "..", "=1+1"])
def test_odd_ids_lead_to_their_pages(tmp_path: Path, odd: str) -> None:
    client = browse(write_customers(tmp_path, [person(1, customer_id=odd)]))
    page = seen(client, "?id=" + quote(odd))
    assert names(page, "found") == [odd]
    link = page["found-table"].find(".//th/a")
    assert (link is None) == (odd == "..")
    if link is not None:
        opened = client.get(link.get("href", ""))
        assert opened.status_code == 200
        assert text(Markup(opened.text)["customer-title"]) == odd


def test_an_address_of_a_customer_has_no_sign_that_means_something_in_addresses() -> None:
    assert address_of("a/../b?c#d") == "/customers/a%2F..%2Fb%3Fc%23d"


def test_every_figure_of_the_bands_is_sql(client: TestClient, ask: Ask) -> None:
    everybody = ask("SELECT count(*) FROM gold.customer_value")[0][0]
    expected = ask(
        "SELECT churn_band, count(*), sum(historic_clv), sum(predicted_clv_365d), sum(clv), "
        "CAST(sum(predicted_clv_365d * churn_probability_90d) AS DECIMAL(18, 2)) "
        "FROM gold.customer_value GROUP BY churn_band "
        "ORDER BY list_position(['low', 'medium', 'high'], churn_band)"
    )
    page = seen(client)
    assert names(page, "bands") == [band for band, *_ in expected]
    # The first column behind the name is words: the chance.
    shown = [[value for value in row if value is not None] for row in rows(page, "bands")]
    assert shown == [
        [str(n), str(n / everybody), *(str(figure) for figure in money)]
        for _, n, *money in expected
    ]


def test_every_figure_of_the_tenths_is_sql(client: TestClient, ask: Ask) -> None:
    everybody = ask("SELECT count(*) FROM gold.customer_value")[0][0]
    found = {
        tenth: (n, worth)
        for tenth, n, worth in ask(
            "SELECT least(floor(churn_probability_90d * 10), 9)::INTEGER, count(*), sum(clv) "
            "FROM gold.customer_value GROUP BY 1"
        )
    }
    expected = [
        [str(n), str(n / everybody), str(worth)]
        for n, worth in (found.get(tenth, (0, Decimal("0.00"))) for tenth in range(10))
    ]
    assert rows(seen(client), "churn-probability") == expected


WORTH = {
    "leaving": "predicted_clv_365d * churn_probability_90d",
    "returning": "expected_orders_90d * expected_order_value",
    "promising": "historic_clv",
    "lost": "historic_clv",
}


@pytest.mark.parametrize("name", LISTS)
def test_the_worth_of_a_list_is_that_of_those_who_are_on_it(
    client: TestClient, ask: Ask, name: str
) -> None:
    [(worth,)] = ask(
        f"SELECT CAST(sum({WORTH[name]}) AS DECIMAL(18, 2)) FROM gold.customer_value "
        "WHERE list_contains($1, customer_id)",
        LISTS[name],
    )
    assert values(seen(client)[f"list-{name}"]) == ["2", str(worth)]


def test_the_figures_of_those_who_were_found_are_theirs(client: TestClient, ask: Ask) -> None:
    expected = ask(
        "SELECT orders, net_revenue FROM gold.customer_features "
        "WHERE customer_id LIKE 'C00%' ORDER BY customer_id LIMIT 20"
    )
    shown = rows(seen(client, "?id=C00"), "found")
    assert [[v for v in row if v is not None] for row in shown] == [
        [str(orders), str(revenue)] for orders, revenue in expected
    ]
