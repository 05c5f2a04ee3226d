"""A catalogue of a shop with 211 days of history, and the page that is made of it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import httpx2
import pytest
from starlette.testclient import TestClient

from bridge_cart_assets.reports import create_app
from bridge_cart_tests.reports import browser
from bridge_cart_tests.reports.catalogues import shop, write_catalogue
from bridge_cart_tests.reports.markup import Markup
from bridge_cart_tests.reports.pages_for_tests import PAGES, customers

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Ask = Callable[..., list[tuple[Any, ...]]]


def browse(catalogue: Path) -> TestClient:
    """A client of the page over a catalogue."""
    return TestClient(create_app(catalogue), base_url="http://localhost:5010")


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_catalogue(tmp_path_factory.mktemp("shop") / "bridge_cart.duckdb", shop())


@pytest.fixture(scope="session")
def client(catalogue: Path) -> TestClient:
    return browse(catalogue)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """A client of a site with several pages, over a shop with customers."""
    folder = tmp_path_factory.mktemp("site")
    path = write_catalogue(
        folder / "bridge_cart.duckdb", {**shop(), "customer_features": customers()}
    )
    app = create_app(path, pages=PAGES, currency="EUR")
    return TestClient(app, base_url="http://localhost:5010")


@pytest.fixture(scope="session")
def html(client: TestClient) -> str:
    response: httpx2.Response = client.get("/")
    assert response.status_code == 200
    return response.text


@pytest.fixture(scope="session")
def page(html: str) -> Markup:
    return Markup(html)


@pytest.fixture(scope="session")
def ask(catalogue: Path) -> Iterator[Ask]:
    with duckdb.connect(str(catalogue), read_only=True) as connection:
        yield lambda sql, *parameters: connection.execute(sql, parameters).fetchall()


@pytest.fixture(scope="module", name="chromium")
def a_browser() -> Iterator["Browser"]:
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with browser.chromium() as started:
        if started is None:
            pytest.skip("no Chromium: the pages are not looked at in a browser")
        yield started
