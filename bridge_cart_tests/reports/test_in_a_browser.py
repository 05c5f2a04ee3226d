"""The page in Chromium: charts under the strict policy, themes, a phone, no scripts."""

import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from bridge_cart_assets.reports import create_app

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


@pytest.fixture(scope="module")
def address(catalogue: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(create_app(catalogue), log_level="warning", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def chromium():
    with playwright.sync_playwright() as started:
        path = shutil.which("chromium") or started.chromium.executable_path
        if not Path(path).exists():
            pytest.skip("no Chromium: the report page is not looked at in a browser")
        browser = started.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


class Visit:
    """A visit that scrolls down to both charts, and what it asked for on the way."""

    def __init__(self, browser, address: str) -> None:
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
def visit(chromium, address: str) -> Visit:
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
    assert drawing["width"] < 360


def test_without_scripts_the_tables_have_the_figures(chromium, address: str) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    assert not page.locator("#churn-chart").is_visible()
    page.locator("summary").first.click()
    assert page.locator("#churn-table tbody tr").first.is_visible()
    context.close()
