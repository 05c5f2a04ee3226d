"""From page to page."""

from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from bridge_cart_assets.reports.page import Page
from bridge_cart_assets.reports.pages import PAGES
from bridge_cart_assets.tables.gold import TABLES
from bridge_cart_tests.reports.catalogues import shop, write_catalogue
from bridge_cart_tests.reports.conftest import browse
from bridge_cart_tests.reports.markup import Markup, text


def links(html: str) -> list[tuple[str, str, str | None]]:
    (nav,) = Markup(html).all(".//nav")
    return [(text(a), a.get("href", ""), a.get("aria-current")) for a in nav.iter("a")]


def test_the_navigation_names_the_pages_and_the_current_one(site: TestClient) -> None:
    assert links(site.get("/countries").text) == [
        ("Overview", "/", None),
        ("Countries", "/countries", "page"),
        ("Flows", "/flows", None),
    ]


def test_filters_go_along_and_parameters_of_a_page_do_not(site: TestClient) -> None:
    html = site.get("/countries?country=DE&sort=name&q=x").text
    assert [href for _, href, _ in links(html)] == [
        "/?country=DE",
        "/countries?country=DE",
        "/flows?country=DE",
    ]


def test_every_page_that_there_is_can_be_gone_to(client: TestClient) -> None:
    found = links(client.get("/").text)
    assert [name for name, _, _ in found] == [p.title for p in PAGES if p.in_navigation]
    assert all(client.get(href).status_code == 200 for _, href, _ in found)


def test_pages_have_names_and_addresses_of_their_own() -> None:
    assert len({page.name for page in PAGES}) == len(PAGES)
    assert len({page.path for page in PAGES}) == len(PAGES)


def test_the_window_is_named_after_the_page(site: TestClient) -> None:
    (title,) = Markup(site.get("/flows").text).all(".//title")
    assert text(title) == "Flows · Bridge-Cart"


def test_what_does_not_exist_is_said_in_a_sentence(site: TestClient) -> None:
    assert site.get("/customers/C1").status_code == 200
    response = site.get("/customers/%3Cscript%3E")
    assert response.status_code == 404
    assert "There is no customer with this id." in response.text


def test_a_variable_part_of_an_address_is_escaped() -> None:
    page = replace(PAGES[0], path="/customers/{customer_id:path}")
    assert page.path_names == ("customer_id",)
    assert page.address({"customer_id": 'a/b?"'}) == "/customers/a%2Fb%3F%22"
    assert PAGES[0].address({}) == "/"


def test_before_the_first_run_one_can_still_go_elsewhere(tmp_path: Path) -> None:
    assert links(browse(tmp_path / "none.duckdb").get("/").text)


def test_amounts_are_in_the_currency_of_the_settings(site: TestClient, html: str) -> None:
    ours = site.get("/").text
    assert "each bar is the seven days up to its date; in €" in ours
    assert "amounts in €" in ours
    assert "amounts in the shop’s currency" in html
    assert "the shop’s currency" not in ours


@pytest.mark.parametrize("page", [page for page in PAGES if page.needs], ids=lambda p: p.name)
def test_a_catalogue_of_an_earlier_version_asks_each_page_that_needs_more_for_a_run(
    tmp_path: Path, page: Page
) -> None:
    lacking = min(page.needs, key=lambda table: table.name)
    tables = [table for table in TABLES if table is not lacking]
    path = tmp_path / "bridge_cart.duckdb"
    write_catalogue(path, shop(), tables=tables)
    client = browse(path)
    html = client.get(page.address({"customer_id": "C1"})).text
    assert "Run once" in html
    assert f"lacks {lacking.name}." in html
    assert "No sales yet" not in html
    export = client.get(f"/export/{lacking.name}.csv")
    assert (export.status_code, "Run once" in export.text) == (503, True)
    query = "?customer_id=C1" if page.path_names else ""
    sheet = client.get(f"/export/{page.name}/any.csv{query}")
    assert (sheet.status_code, "Run once" in sheet.text) == (503, True)
