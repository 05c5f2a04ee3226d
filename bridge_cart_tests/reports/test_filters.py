"""What an address asks for, and what is said about the rest of it."""

from datetime import date

import pytest
from starlette.testclient import TestClient

from bridge_cart_assets.reports.filters import (
    Choices,
    Filters,
    Option,
    PageQuery,
    Parameter,
    points_and_step,
    read_address,
    weeks_per_point,
)
from bridge_cart_tests.reports.markup import Markup, first_of, text

CHOICES = Choices(
    segment=(Option("1", "High-Value"), Option("3", "Regular")),
    country=(Option("DE", "DE"), Option("FR", "FR")),
    category=(Option("Books", "Books"),),
)
HOSTILE = [
    "country=<script>alert(1)</script>",
    "country=' OR 1=1 --",
    "country=" + "x" * 1500,
    "country=" + "x" * 50_000,
    "segment=99",
    "segment=-1",
    "segment=１",
    "segment=1e0",
    "period=7d",
    "period=180D",
    "category=%00%0a%0dSet-Cookie:x",
    "country=DE&country=FR",
    "wat=1",
    "<script>=1",
    "&".join(f"a{n}=1" for n in range(200)),
]


def read(query: str, *own: Parameter) -> PageQuery:
    parts = [part.partition("=") for part in query.split("&") if part]
    return read_address([(name, value) for name, _, value in parts], CHOICES, own)


def test_an_address_without_parameters_asks_for_the_usual() -> None:
    assert read("") == PageQuery()
    assert Filters().period == "180d"


def test_each_filter_takes_a_value_that_exists() -> None:
    asked = read("period=30d&segment=3&country=FR&category=Books")
    assert asked.filters == Filters("30d", 3, "FR", "Books")
    assert asked.warnings == ()


def test_an_empty_value_is_no_value() -> None:
    assert read("period=&segment=&country=&category=") == PageQuery()


def test_an_unknown_value_changes_nothing_and_is_named_beside_what_there_is() -> None:
    asked = read("segment=2&country=XX&period=30d")
    assert asked.filters == Filters(period="30d")
    assert asked.warnings == (
        "Segment “2” is not known and changes nothing. There are: 1 (High-Value), 3 (Regular).",
        "Country “XX” is not known and changes nothing. There are: DE, FR.",
    )


def test_of_a_repeated_parameter_the_first_value_counts() -> None:
    asked = read("country=DE&country=FR&country=FR")
    assert asked.filters.country == "DE"
    assert asked.warnings == ("Country is given more than once: the first one counts.",)
    assert read("country=DE&country=DE").warnings == ()


def test_a_long_value_is_cut_off_in_the_sentence() -> None:
    (warning,) = read("country=" + "x" * 500).warnings
    assert f"“{'x' * 40}…”" in warning


def test_there_are_four_sentences_at_the_most() -> None:
    assert len(read("&".join(f"a{n}=1" for n in range(50))).warnings) == 4


def test_equal_filters_make_one_address_whatever_their_order() -> None:
    one, other = read("country=DE&period=30d"), read("period=30d&segment=&country=DE")
    assert one.query() == other.query() == "?period=30d&country=DE"
    assert read("period=180d").query() == ""


def test_a_page_may_have_parameters_of_its_own() -> None:
    sort = Parameter("sort", "Sort by", (Option("clv", "CLV"), Option("name", "Name")))
    search = Parameter("q", "Search")
    assert read("", sort, search).own == {"sort": "clv", "q": ""}
    asked = read("sort=name&q=a b&country=DE", sort, search)
    assert asked.own == {"sort": "name", "q": "a b"}
    assert asked.query() == "?country=DE&sort=name&q=a+b"
    assert asked.query(sort="clv", q=None) == "?country=DE&sort=clv"
    assert asked.filter_query == "?country=DE"
    assert read("sort=nope&q=" + "y" * 81, sort, search).own == {"sort": "clv", "q": ""}
    assert len(read("sort=nope&q=" + "y" * 81, sort, search).warnings) == 2


@pytest.mark.parametrize(
    ("period", "first"),
    [("30d", date(2024, 6, 29)), ("365d", date(2024, 1, 1)), ("all", date(2024, 1, 1))],
)
def test_a_period_ends_with_the_latest_day_and_begins_with_the_data(
    period: str, first: date
) -> None:
    assert Filters(period=period).first_day(date(2024, 1, 1), date(2024, 7, 28)) == first


def test_a_chart_of_many_years_has_no_more_than_105_points() -> None:
    assert [weeks_per_point(days) for days in (1, 180, 735, 736, 3650)] == [1, 1, 1, 2, 5]
    assert [points_and_step(days) for days in (1, 179, 3650)] == [(1, 7), (26, 7), (104, 35)]


@pytest.mark.parametrize("query", HOSTILE)
@pytest.mark.parametrize("path", ["/", "/countries", "/customers/C1"])
def test_a_hostile_address_gives_the_page_and_a_sentence(
    site: TestClient, path: str, query: str
) -> None:
    response = site.get(f"{path}?{query}")
    assert response.status_code == 200
    assert "<script>alert" not in response.text
    assert len(response.text) < 150_000
    page = Markup(response.text)
    warnings = page.all(".//p[@class='warning']")
    assert 1 <= len(warnings) <= 4
    assert all(text(warning).endswith(".") for warning in warnings)


def test_only_what_applies_can_be_chosen_and_the_rest_is_kept_and_named(site: TestClient) -> None:
    page = Markup(site.get("/?country=DE&segment=1&period=30d").text)
    (form,) = page.all(".//form")
    assert (form.get("action"), form.get("method")) == ("/", "get")
    assert [select.get("name") for select in form.iter("select")] == ["period"]
    (chosen,) = [option for option in form.iter("option") if option.get("selected") is not None]
    assert chosen.get("value") == "30d"
    hidden = {i.get("name"): i.get("value") for i in form.iter("input")}
    assert hidden == {"segment": "1", "country": "DE"}
    (notes,) = page.all(".//div[@class='notes']")
    assert text(notes) == (
        "Segment and Country do not apply here: the daily figures are those of the whole shop."
    )


def test_every_field_has_a_label_and_a_way_back(site: TestClient) -> None:
    page = Markup(site.get("/countries?country=DE&sort=name").text)
    (form,) = page.all(".//form")
    names = ["country", "category", "sort", "q"]
    assert [label.get("for") for label in form.iter("label")] == [f"filter-{n}" for n in names]
    fields = [e for e in form.iter() if e.tag in {"select", "input"}]
    assert [e.get("id") for e in fields] == [f"filter-{n}" for n in names]
    (reset,) = page.all(".//a[@class='reset']")
    assert reset.get("href") == "/countries"


def test_a_page_without_filters_has_no_form(site: TestClient) -> None:
    page = Markup(site.get("/customers/C1?country=DE").text)
    assert page.all(".//form") == []
    (notes,) = page.all(".//div[@class='notes']")
    assert text(notes) == "Country does not apply here: this page is about one customer."


def test_on_paper_the_filters_are_said_in_words(site: TestClient) -> None:
    said = Markup(site.get("/flows?segment=1&country=DE").text).all(".//p[@class='on-paper']")
    assert [text(p) for p in said] == ["Period: 180 days. Segment: High-Value. Country: DE."]


def test_a_filter_changes_the_figures_and_an_empty_one_says_what_to_do(site: TestClient) -> None:
    def rows(query: str) -> list[str]:
        table = Markup(site.get(f"/countries{query}").text)["countries-table"]
        return [text(row) for row in table.findall("tbody/tr")]

    assert rows("") == ["=US4", "DE4", "FR4"]
    assert rows("?country=DE") == ["DE4"]
    assert rows("?country=DE&category=Toys") == ["DE2"]
    empty = site.get("/countries?country=%3DUS&category=Toys")
    assert empty.status_code == 200
    assert "No customer is in this filter: take one of its parts away." in empty.text
    assert "countries-table" not in empty.text


def test_the_period_is_the_length_of_lines_and_charts(site: TestClient) -> None:
    bars = {}
    for period in ("30d", "90d", "180d", "all"):
        page = Markup(site.get(f"/?period={period}").text)
        bars[period] = len(page["revenue-table"].findall("tbody/tr"))
        assert len(page["churn-table"].findall("tbody/tr")) == bars[period] + 1
    assert bars == {"30d": 4, "90d": 13, "180d": 26, "all": 30}
    kpi = Markup(site.get("/?period=30d").text)["kpi-revenue_90d"]
    assert "over the last 30 days" in first_of(kpi, "svg").get("aria-label", "")
