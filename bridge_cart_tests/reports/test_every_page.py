"""Every page of a real shop in Chromium: no error, nothing from outside, no jump, readable by all.

Belongs here: what holds for any page. What a page says is in the tests of that page.
"""

import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from starlette.applications import Starlette

from bridge_cart_assets.assets.run_metadata import run_metadata
from bridge_cart_assets.checks.check import CheckContext
from bridge_cart_assets.checks.registry import checks_of
from bridge_cart_assets.generator.shop import Shop, generate
from bridge_cart_assets.lake.catalogue import build_catalogue
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.chain import refresh_gold, refresh_silver
from bridge_cart_assets.pipeline.gold import GOLD_TABLES
from bridge_cart_assets.reports import create_app
from bridge_cart_assets.reports.pages import PAGES
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables import meta
from bridge_cart_assets.tables.gold import CUSTOMER_FEATURES, SALES_DAILY, TABLES
from bridge_cart_assets.tables.ops import TABLES as OPS
from bridge_cart_assets.tables.silver import TABLES as SILVER
from bridge_cart_assets.tables.table import Table
from bridge_cart_tests.reports.browser import serving
from bridge_cart_tests.reports.catalogues import shop as small_shop
from bridge_cart_tests.reports.catalogues import write_catalogue

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

# Whether all charts are drawn; brings the first one that is not into view.
DRAWN = """
() => {
  const left = [...document.querySelectorAll('[data-figures]')]
    .filter((chart) => chart.checkVisibility() && !chart.classList.contains('drawn'));
  left[0]?.scrollIntoView();
  return left.length === 0;
}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The catalogue of a generated shop, large enough for a value model, and a customer of it."""
    root = tmp_path_factory.mktemp("every-page")
    generate(Shop(customers=700, days=200, dirt=0.05), root)
    lake = Lake(str(root / "lake"))
    refresh_silver(lake, root / "landing")
    refresh_gold(lake)
    catalogue = root / "bridge_cart.duckdb"
    raw = [source.raw for source in SOURCES]
    now = datetime.now(UTC)
    tables = (*raw, *SILVER, *GOLD_TABLES)
    metadata = [
        (table, judged(lake, tables, now) if table is meta.CHECKS else rows)
        for table, rows in run_metadata(
            lake, dg.DagsterInstance.ephemeral(), "every-page", now, tables
        )
    ]
    build_catalogue(
        catalogue, lake, (*GOLD_TABLES, *OPS), SILVER, raw, "every-page", now, run_metadata=metadata
    )
    best = lake.snapshot(CUSTOMER_FEATURES).read().sort("revenue", descending=True)
    return catalogue, best["customer_id"][0]


def judged(lake: Lake, tables: Sequence[Table], now: datetime) -> pl.DataFrame:
    """The verdicts of all checks on these tables, as a run leaves them in meta.checks."""
    rows = []
    for table in tables:
        for check in checks_of(table):
            found = check.compute(CheckContext(lake))
            days = {
                name: date.fromisoformat(str(found.metadata[name]))
                for name in ("first_day", "last_day")
                if name in found.metadata
            }
            bounds = ("value", "bound", "lower_bound", "upper_bound")
            rows.append(
                {
                    **{"layer": table.layer, "name": table.name, "check_name": check.name},
                    "meaning": check.meaning,
                    "severity": "blocking" if check.blocking else "warning",
                    **{"evaluated_at": now, "run_id": "every-page", "covers": "whole tables"},
                    **{"passed": found.passed, "says": found.message},
                    **{n: float(found.metadata[n]) for n in bounds if n in found.metadata},
                    **days,
                }
            )
    return pl.DataFrame(rows, schema=meta.CHECKS.dtypes)


@pytest.fixture(scope="module")
def address(shop: tuple[Path, str]) -> Iterator[str]:
    with serving(served(shop[0])) as address:
        yield address


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


def served(catalogue: Path) -> Starlette:
    return create_app(catalogue, currency="EUR", dagster="http://127.0.0.1:3000")


class Visit:
    """A visit to one page: what it asked for, what went wrong, and how far it jumped."""

    def __init__(self, chromium: Any, url: str, width: int = 1280, theme: str = "light") -> None:
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=theme)
        self.page.add_init_script(SHIFTS)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on(
            "console",
            lambda message: self.errors.append(message.text) if message.type == "error" else None,
        )
        self.response = self.page.goto(url)
        self.page.evaluate(SCROLL)
        # On a busy machine the scrolling passes a chart before it is seen to be in view.
        self.page.wait_for_function(DRAWN)
        self.page.evaluate("window.scrollTo(0, 0)")


LOADED = ((1280, "light"), (360, "dark"))


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((path, *how), marks=marks, id=f"{path}-{how[0]}-{how[1]}")
        for path in PATHS
        for how, marks in ((LOADED[0], ()), (LOADED[1], pytest.mark.slow))
    ],
)
def visit(
    request: pytest.FixtureRequest, chromium: Any, address: str, shop: tuple[Path, str]
) -> Iterator[Visit]:
    path, width, theme = request.param
    path = path.split("{")[0] + (shop[1] if "{" in path else "")
    made = Visit(chromium, address + path, width, theme)
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


def test_a_page_fits_every_width(visit: Visit) -> None:
    """In both themes, the dark one by `make test-slow`."""
    for width in WIDTHS:
        visit.page.set_viewport_size({"width": width, "height": 900})
        # Charts are drawn again for the width.
        visit.page.wait_for_function(
            f"() => document.documentElement.scrollWidth <= {width}", timeout=10_000
        )
    assert visit.errors == []


def faults(page: Any, axe: str) -> dict[str, list[str]]:
    """What axe-core finds, with all that can be unfolded unfolded."""
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    page.evaluate(axe)
    page.wait_for_timeout(300)
    found = page.evaluate("async () => (await axe.run()).violations")
    return {v["id"]: [node["html"][:120] for node in v["nodes"]][:3] for v in found}


@pytest.mark.slow
def test_axe_finds_nothing(visit: Visit, axe: str, request: pytest.FixtureRequest) -> None:
    _, width, theme = request.node.callspec.params["visit"]
    visit.page.emulate_media(color_scheme=theme)
    visit.page.set_viewport_size({"width": width, "height": 900})
    assert faults(visit.page, axe) == {}


@pytest.mark.slow
def test_the_pipeline_page_shows_the_metadata_of_a_run(chromium: Any, address: str) -> None:
    made = Visit(chromium, f"{address}/pipeline")
    assert "built by an older version" not in made.page.content()
    assert made.page.locator("#checks-table tbody tr").count() > 60
    assert made.page.locator("[data-kind=bars].drawn").count() == 1
    assert made.page.locator("#refusals-table tbody tr").count() > 3
    made.page.close()


@pytest.mark.parametrize("state", ["no catalogue", "no sale", "behind", "not there"])
def test_a_page_without_figures_says_what_to_do_and_is_a_page_like_the_others(
    state: str, tmp_path: Path, chromium: Any, axe: str
) -> None:
    catalogue = tmp_path / "bridge_cart.duckdb"
    if state == "no sale":
        write_catalogue(catalogue, {})
    elif state != "no catalogue":
        write_catalogue(catalogue, small_shop(), tables=[t for t in TABLES if t is not SALES_DAILY])
    path = {"behind": "/explore", "not there": "/customers/unknown"}.get(state, "/")
    with serving(served(catalogue)) as address:
        # Two of the four states wide, two narrow.
        width, theme = LOADED[state in ("no sale", "not there")]
        made = Visit(chromium, address + path, width, theme)
        assert made.response.status == (404 if state == "not there" else 200)
        # A browser tells of a page that is not there as of an error.
        assert [e for e in made.errors if "404" not in e] == []
        assert made.page.evaluate("document.documentElement.scrollWidth") <= width
        assert made.page.locator("main h1").count() == 1
        assert faults(made.page, axe) == {}
        made.page.close()


@pytest.mark.slow
def test_the_keyboard_reaches_the_content_at_once_and_every_control(
    chromium: Any, address: str
) -> None:
    made = Visit(chromium, f"{address}/segments")
    made.page.keyboard.press("Tab")
    focused = "document.activeElement"
    assert made.page.evaluate(f"{focused}.getAttribute('href')") == "#main"
    made.page.keyboard.press("Enter")
    reached = set()
    for _ in range(60):
        made.page.keyboard.press("Tab")
        reached.add(made.page.evaluate(f"[{focused}.localName, {focused}.className].join('.')"))
    assert {"select.", "a.csv", "button.save", "summary."} <= reached
    made.page.close()


def test_no_name_or_address_of_a_person_is_on_a_page(visit: Visit, shop: tuple[Path, str]) -> None:
    people = pl.read_parquet(shop[0].parent / "truth" / "customers")
    text = visit.page.content()
    for column in ("email", "mobile", "name"):
        assert [v for v in people[column].drop_nulls().unique() if v in text] == []
