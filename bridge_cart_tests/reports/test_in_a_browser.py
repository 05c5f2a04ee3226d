"""The page in Chromium: charts under the strict policy, themes, a phone, no scripts."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bridge_cart_assets.reports import create_app
from bridge_cart_assets.reports.formatting import compact
from bridge_cart_tests.reports.browser import serving
from bridge_cart_tests.reports.catalogues import shop, write_catalogue
from bridge_cart_tests.reports.pages_for_tests import AMOUNTS, PAGES, customers

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("browser") / "bridge_cart.duckdb"
    write_catalogue(path, {**shop(), "customer_features": customers()})
    with serving(create_app(path, pages=PAGES)) as served:
        yield f"{served}/"


class Visit:
    """A visit that scrolls down to both charts, and what it asked for on the way."""

    def __init__(self, browser: "Browser", address: str) -> None:
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.page = browser.new_page(viewport={"width": 1280, "height": 400}, color_scheme="light")
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(address)
        self.page.wait_for_timeout(200)
        self.requests_before_scrolling = list(self.requests)
        for chart in ("#churn-chart", "#revenue-chart"):
            self.page.locator(chart).scroll_into_view_if_needed()
            self.page.locator(f"{chart}.drawn").wait_for()


@pytest.fixture(scope="module")
def visit(chromium: "Browser", address: str) -> Visit:
    return Visit(chromium, address)


def test_plotly_is_loaded_when_a_chart_comes_into_view(visit: Visit) -> None:
    assert not [url for url in visit.requests_before_scrolling if "plotly" in url]
    assert len([url for url in visit.requests if "plotly" in url]) == 1


def test_nothing_comes_from_outside_and_nothing_fails(visit: Visit, address: str) -> None:
    assert all(url.startswith(address) for url in visit.requests)
    assert visit.errors == []


def test_charts_are_drawn_under_the_strict_policy(visit: Visit) -> None:
    page = visit.page
    assert page.locator("#churn-chart .scatterlayer path.js-line").count() == 4
    assert page.locator("#revenue-chart .bars .point").count() == 2 * 26
    labels = page.locator("#churn-chart .annotation").all_text_contents()
    assert labels == ["Occasional", "Regular", "Growth", "High-Value"]
    # Plotly's layers lie upon each other by a rule that our own style sheet has
    layer = page.locator("#churn-chart .main-svg").first
    assert layer.evaluate("e => getComputedStyle(e).position") == "absolute"


def test_a_change_of_theme_reaches_the_charts(visit: Visit) -> None:
    card, line = (visit.page.locator(s).first for s in (".card", "#churn-chart path.js-line"))
    ground, stroke = "e => getComputedStyle(e).backgroundColor", "e => getComputedStyle(e).stroke"
    light = (card.evaluate(ground), line.evaluate(stroke))
    visit.page.emulate_media(color_scheme="dark")
    visit.page.wait_for_timeout(300)
    dark = (card.evaluate(ground), line.evaluate(stroke))
    visit.page.emulate_media(color_scheme="light")
    assert light == ("rgb(255, 255, 255)", "rgb(134, 56, 168)")
    assert dark == ("rgb(23, 30, 40)", "rgb(208, 148, 234)")


def test_a_phone_shows_it_all_without_scrolling_sideways(visit: Visit) -> None:
    visit.page.set_viewport_size({"width": 360, "height": 800})
    visit.page.wait_for_timeout(500)
    assert visit.page.evaluate("document.documentElement.scrollWidth") == 360
    drawing = visit.page.locator("#churn-chart .main-svg").first.bounding_box()
    assert drawing is not None
    assert drawing["width"] < 360


def test_without_scripts_the_tables_have_the_figures(chromium: "Browser", address: str) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    assert not page.locator("#churn-chart").is_visible()
    page.locator("summary").first.click()
    assert page.locator("#churn-table tbody tr").first.is_visible()
    context.close()


def test_every_kind_of_chart_is_drawn_in_the_colours_of_the_theme(
    chromium: "Browser", address: str
) -> None:
    page = chromium.new_page(color_scheme="dark")
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    for path, kinds in (("countries", ["hbars", "heatmap"]), ("flows", ["sankey", "curve"])):
        page.goto(f"{address}{path}")
        for kind in kinds:
            page.locator(f"[data-kind={kind}]").scroll_into_view_if_needed()
            page.locator(f"[data-kind={kind}].drawn").wait_for()
            ground = page.locator(f"[data-kind={kind}] .main-svg").first
            assert ground.evaluate("e => e.style.background") == "rgb(23, 30, 40)"
    labels = page.locator("[data-kind=sankey] .node-label").all_text_contents()
    assert labels == ["A <b>", "B", "A"]
    curve = page.locator("[data-kind=curve]")
    assert curve.locator(".scatterlayer path.point").count() == 3
    assert curve.locator(".xtitle").text_content() == "Months <i>"
    assert errors == []
    page.close()


def test_charts_write_figures_as_the_page_does(chromium: "Browser", address: str) -> None:
    """Plotly's own short forms say 400m for 0.4, and G for billions."""
    page = chromium.new_page()
    page.goto(f"{address}sizes")
    for kind in ("hbars", "heatmap"):
        page.locator(f"[data-kind={kind}]").scroll_into_view_if_needed()
        page.locator(f"[data-kind={kind}].drawn").wait_for()
    bars = page.locator("[data-kind=hbars]")
    assert bars.locator(".bartext").all_text_contents() == [compact(n) for n in AMOUNTS]
    assert bars.locator(".xtick text").all_text_contents() == [
        "0",
        "500M",
        "1bn",
        "1.5bn",
        "2bn",
        "2.5bn",
    ]
    assert page.locator("[data-kind=heatmap] .textpoint").all_text_contents() == ["0.4", "1"]
    page.goto(f"{address}sizes?q=few")
    few = page.locator("[data-kind=hbars]")
    few.scroll_into_view_if_needed()
    few.and_(page.locator(".drawn")).wait_for()
    assert few.locator(".xtick text").all_text_contents() == ["0", "1", "2"]
    months = page.locator("[data-kind=bars]")
    months.scroll_into_view_if_needed()
    months.and_(page.locator(".drawn")).wait_for()
    ticks = months.locator(".xtick text").all_text_contents()
    assert ticks == ["2024-01", "2024-02", "2024-03"]
    page.close()


def test_a_chart_can_be_saved_as_svg_and_png(visit: Visit) -> None:
    for kind, begin in (("SVG", b"<svg"), ("PNG", b"\x89PNG")):
        with visit.page.expect_download() as download:
            visit.page.get_by_role("button", name="Save the chart “Revenue by week”").and_(
                visit.page.get_by_text(kind, exact=True)
            ).click()
        assert download.value.suggested_filename == f"overview-revenue.{kind.lower()}"
        assert Path(download.value.path()).read_bytes().startswith(begin)


def test_filters_work_without_scripts_and_there_are_no_buttons_that_do_not(
    chromium: "Browser", address: str
) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}countries")
    assert page.locator("button.save").count() == 0
    page.locator("#filter-country").select_option("DE")
    page.get_by_role("button", name="Apply").click()
    assert "country=DE" in page.url
    assert page.locator("#countries-table tbody tr").count() == 1
    page.get_by_role("link", name="Flows").click()
    assert page.url == f"{address}flows?country=DE"
    context.close()


def test_on_paper_there_are_figures_and_no_controls(chromium: "Browser", address: str) -> None:
    page = chromium.new_page()
    page.goto(address)
    page.emulate_media(media="print")
    for control in ("nav", ".filters", ".tools", "summary"):
        assert not page.locator(control).first.is_visible()
    assert page.locator("#revenue-table tbody tr").first.is_visible()
    page.close()
