"""The pictures in docs/images, and README's figures of the demo; `make screenshots`.

Belongs here: serving the report and Dagster's UI over the demo's shop (`demo_shop`) for as long as
the pictures take, and which pictures there are. Does not belong here: the plots of statistics and
models, which their tests draw.

Both listen on free ports of this machine, and nothing is asked of another one. What was started
here is ended here.
"""

import io
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Error, Route
from starlette.applications import Starlette

from bridge_cart_assets.automation.instance import dagster_home
from bridge_cart_assets.lake.query import query
from bridge_cart_assets.reports import create_app
from bridge_cart_assets.reports.pages import PAGES
from bridge_cart_assets.settings import Settings
from bridge_cart_tests.conftest import environment_of
from bridge_cart_tests.demo_shop import LAST_DAY, README, make_demo_shop, summary, with_quote
from bridge_cart_tests.reports.browser import chromium, serving

IMAGES = Path(__file__).parents[1] / "docs" / "images"
MOST_BYTES = 300_000
_PATIENCE_SECONDS = 120
_GRACE_SECONDS = 15
_WIDTH, _TALLEST = 1280, 2000
# Whose picture stands for the page of a customer: who has moved most.
_CUSTOMER = """
SELECT customer_id FROM gold.customer_history GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1
"""
_SETTLED_MILLISECONDS = 10_000
# Path, a text that is there when the page is, height, and keys: Alt+E unfolds all groups.
_DAGSTER: dict[str, tuple[str, str, int, str]] = {
    "assets": ("/asset-groups", "silver", 1500, "Alt+e"),
    "asset": ("/assets/gold/kpis_daily", "Latest materialization", 900, ""),
}


def main() -> int:
    """Make the demo's shop, then write README's block and all pictures; one line each."""
    os.environ.pop("DAGSTER_HOME", None)
    with chromium() as browser, tempfile.TemporaryDirectory() as folder:
        if browser is None:
            print("error: there is no Chromium: install it and try again", file=sys.stderr)
            return 1
        settings = Settings(data=Path(folder), lake=str(Path(folder) / "lake"))
        print(f"the demo's shop up to {LAST_DAY}", flush=True)
        readme = with_quote(README.read_text(), summary(make_demo_shop(settings.data)))
        README.write_text(readme)
        print(f"README.md: the demo's figures on {LAST_DAY}", flush=True)
        with serving(report(settings)) as address:
            for name, path, theme in _report_pictures(settings):
                _keep(name, _page(browser, address + path, theme))
        with dagster(settings) as address:
            for name, (path, ready, height, keys) in _DAGSTER.items():
                _keep(name, _dagster_page(browser, address + path, ready, height, keys))
    return 0


def _report_pictures(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Name, path and theme of each picture: every page once, the overview in the dark too."""
    [[customer]] = query(settings.catalogue, _CUSTOMER).rows
    for page in PAGES:
        path = page.address({"customer_id": str(customer)})
        yield page.name, path, "light"
        if page.name == "overview":
            yield f"{page.name}-dark", path, "dark"


def report(settings: Settings) -> Starlette:
    """The report page as users get it."""
    return create_app(
        settings.catalogue,
        currency=settings.currency,
        dagster=f"http://127.0.0.1:{settings.dagster_port}",
    )


@contextmanager
def dagster(settings: Settings) -> Iterator[str]:
    """Dagster's webserver on a free port, with its code server; a session of their own."""
    home = dagster_home(settings)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [
            *(str(Path(sys.executable).with_name("dagster-webserver")), "--host", "127.0.0.1"),
            *("--port", str(port), "--module-name", "bridge_cart_assets.definitions"),
            *("--log-level", "error", "--code-server-log-level", "error"),
        ],
        env=environment_of(settings.data, DAGSTER_HOME=str(home), DAGSTER_DISABLE_TELEMETRY="yes"),
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait_for(f"{address}/server_info", process)
        yield address
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"Dagster's webserver has ended with {process.returncode}")
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 (loopback)
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.5)
        else:
            return
    raise RuntimeError(f"{url} did not answer within {_PATIENCE_SECONDS} s")


def _visit(browser: Browser, url: str, theme: Any, height: int) -> Any:
    page = browser.new_page(viewport={"width": _WIDTH, "height": height}, color_scheme=theme)
    home = url.split("/", 3)[2]

    def only_home(route: Route) -> None:
        """Whatever another machine would answer stays away."""
        if route.request.url.split("/", 3)[2:3] in ([home], [""]) or "://" not in route.request.url:
            route.continue_()
        else:
            route.abort()

    page.route("**/*", only_home)
    page.goto(url, timeout=_PATIENCE_SECONDS * 1000)
    return page


def _page(browser: Browser, url: str, theme: str) -> bytes:
    page = _visit(browser, url, theme, 900)
    charts = page.locator(".chart")
    for index in range(charts.count()):
        # Charts are drawn when they come into view.
        try:
            charts.nth(index).scroll_into_view_if_needed(timeout=2_000)
        except Error:
            continue  # folded away: not in the picture
        page.wait_for_timeout(400)
    page.evaluate("window.scrollTo(0, 0)")
    page.wait_for_timeout(400)
    tall = min(page.evaluate("document.documentElement.scrollHeight"), _TALLEST)
    picture: bytes = page.screenshot(
        full_page=True, clip={"x": 0, "y": 0, "width": _WIDTH, "height": tall}
    )
    page.close()
    return picture


def _dagster_page(browser: Browser, url: str, ready: str, height: int, keys: str) -> bytes:
    page = _visit(browser, url, "light", height)
    page.get_by_text(ready, exact=True).first.wait_for(timeout=_PATIENCE_SECONDS * 1000)
    page.get_by_text("Hide navigation").click()
    for key in keys.split():
        page.keyboard.press(key)
    # Dagster asks for the states of its assets in several rounds, and lays graphs out after them.
    page.wait_for_timeout(_SETTLED_MILLISECONDS)
    picture: bytes = page.screenshot()
    page.close()
    return picture


def _keep(name: str, picture: bytes) -> None:
    """Write a picture with 256 colours, which is plenty for pages, and a third of the bytes.

    The colours are those that are there, not the most frequent ones: a dot of few pixels says which
    segment it is.
    """
    file = IMAGES / f"{name}.png"
    with Image.open(io.BytesIO(picture)) as image:
        few = image.convert("RGB").quantize(
            256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
        )
        few.save(file, optimize=True)
    size = file.stat().st_size
    remark = f", more than {MOST_BYTES // 1000} kB" if size > MOST_BYTES else ""
    print(f"docs/images/{file.name}: {size / 1000:,.0f} kB{remark}")


if __name__ == "__main__":
    sys.exit(main())
