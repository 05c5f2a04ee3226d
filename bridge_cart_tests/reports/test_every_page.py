"""Every page of a real shop in Chromium: no error, nothing from outside, no jump, readable by all.

Belongs here: what holds for any page. What a page says is in the tests of that page.
"""

import shutil
import socket
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import uvicorn

from bridge_cart_assets.assets.gold import BUILT
from bridge_cart_assets.generator.shop import Shop, generate
from bridge_cart_assets.lake.catalogue import build_catalogue
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.reports import create_app
from bridge_cart_assets.reports.pages import PAGES
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.gold import CUSTOMER_FEATURES
from bridge_cart_assets.tables.ops import TABLES as OPS
from bridge_cart_assets.tables.silver import TABLES as SILVER
from bridge_cart_tests.lakehouse.chain import ingest, refine

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

AXE = "axe-core@4.14.1"
WIDTHS = (1280, 768, 360)
PATHS = [page.path for page in PAGES]
# Adds up how far things jump while the page is loaded and drawn (Cumulative Layout Shift).
SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""
# Everybody scrolls: charts are drawn when they come into view.
SCROLL = """
async () => {
  for (let y = 0; y < document.body.scrollHeight; y += 500) {
    window.scrollTo(0, y);
    await new Promise((done) => setTimeout(done, 60));
  }
  window.scrollTo(0, 0);
}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The catalogue of a generated shop, large enough for a value model, and a customer of it."""
    root = tmp_path_factory.mktemp("every-page")
    generate(Shop(customers=700, days=200, dirt=0.05), root)
    lake = Lake(str(root / "lake"))
    ingest(lake, root / "landing")
    refine(lake)
    catalogue = root / "bridge_cart.duckdb"
    raw = [source.raw for source in SOURCES]
    build_catalogue(catalogue, lake, (*BUILT, *OPS), SILVER, raw, "every-page", datetime.now(UTC))
    best = lake.look(CUSTOMER_FEATURES).read().sort("revenue", descending=True)
    return catalogue, best["customer_id"][0]


@pytest.fixture(scope="module")
def address(shop: tuple[Path, str]) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(create_app(shop[0]), log_level="warning", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        path = shutil.which("chromium") or started.chromium.executable_path
        if not Path(path).exists():
            pytest.skip("no Chromium: the pages are not looked at in a browser")
        browser = started.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script of axe-core, which judges what assistive technology makes of a page."""
    folder = tmp_path_factory.mktemp("axe")
    npm = shutil.which("npm")
    command = [str(npm), "pack", AXE, "--silent", "--pack-destination", str(folder)]
    if npm is None or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip(f"npm does not give {AXE}: accessibility is not judged")
    [package] = folder.glob("*.tgz")
    with tarfile.open(package) as opened:
        script = opened.extractfile("package/axe.min.js")
        assert script is not None
        return script.read().decode()


class Visit:
    """A visit to one page: what it asked for, what went wrong, and how far it jumped."""

    def __init__(self, chromium: Any, url: str) -> None:
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.page = chromium.new_page(viewport={"width": 1280, "height": 900})
        self.page.add_init_script(SHIFTS)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on(
            "console",
            lambda message: self.errors.append(message.text) if message.type == "error" else None,
        )
        self.response = self.page.goto(url)
        self.page.evaluate(SCROLL)
        self.page.wait_for_function(
            "() => [...document.querySelectorAll('[data-figures]')]"
            ".filter((chart) => chart.checkVisibility())"
            ".every((chart) => chart.classList.contains('drawn'))"
        )


@pytest.fixture(scope="module", params=PATHS)
def visit(
    request: pytest.FixtureRequest, chromium: Any, address: str, shop: tuple[Path, str]
) -> Iterator[Visit]:
    path = request.param.split("{")[0] + (shop[1] if "{" in request.param else "")
    made = Visit(chromium, address + path)
    yield made
    made.page.close()


def test_a_page_loads_without_an_error_and_from_this_machine_alone(
    visit: Visit, address: str
) -> None:
    assert visit.response.status == 200
    assert visit.errors == []
    local = (address, "data:", "blob:")
    assert [url for url in visit.requests if not url.startswith(local)] == []


def test_nothing_jumps_while_a_page_is_drawn(visit: Visit) -> None:
    # Below 0.1 is good: https://web.dev/articles/cls
    assert visit.page.evaluate("window.shifted") < 0.1


def test_a_page_is_at_most_150_kilobytes(visit: Visit) -> None:
    assert len(visit.response.body()) <= 150_000


def test_a_page_fits_every_width_in_both_themes(visit: Visit) -> None:
    for theme in ("light", "dark"):
        visit.page.emulate_media(color_scheme=theme)
        for width in WIDTHS:
            visit.page.set_viewport_size({"width": width, "height": 900})
            visit.page.wait_for_timeout(150)
            assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    assert visit.errors == []


def test_axe_finds_nothing_in_either_theme(visit: Visit, axe: str) -> None:
    visit.page.set_viewport_size({"width": 1280, "height": 900})
    visit.page.evaluate(axe)
    for theme in ("light", "dark"):
        visit.page.emulate_media(color_scheme=theme)
        visit.page.wait_for_timeout(300)
        found = visit.page.evaluate("async () => (await axe.run()).violations")
        told = {v["id"]: [node["html"][:120] for node in v["nodes"]][:3] for v in found}
        assert told == {}


def test_no_name_or_address_of_a_person_is_on_a_page(visit: Visit, shop: tuple[Path, str]) -> None:
    people = pl.read_parquet(shop[0].parent / "truth" / "customers")
    text = visit.page.content()
    for column in ("email", "mobile", "name"):
        assert [v for v in people[column].drop_nulls().unique() if v in text] == []
