"""How fast the report page is, over the catalogue of BRIDGE_CART_DATA.

    python -m bridge_cart_tests.benchmarks.pages server    answers: first, cached, eight readers
    python -m bridge_cart_tests.benchmarks.pages browser   text painted, charts drawn (Chromium)

The server runs as a process of its own, on a free port of this machine.
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from bridge_cart_assets.reports.pages import PAGES
from bridge_cart_assets.settings import Settings

READERS, VISITS, SECONDS = 8, 5, 30
# Whatever a page asks for, each of these is a question of its own, which no cache has answered.
PERIODS = ("30d", "90d", "180d", "365d", "all")


@contextmanager
def server() -> Iterator[tuple[str, int]]:
    """The report page as users start it: its address and process id."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "bridge_cart_assets", "report", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(10 * SECONDS):
            try:
                get(f"{address}/healthz")
                break
            except OSError:
                time.sleep(0.1)
        yield address, process.pid
    finally:
        process.terminate()
        process.wait(SECONDS)


def get(url: str) -> tuple[float, int]:
    """Seconds and bytes of an answer."""
    began = time.perf_counter()
    with urllib.request.urlopen(url, timeout=SECONDS) as answer:  # noqa: S310 (our own server)
        size = len(answer.read())
    return time.perf_counter() - began, size


def paths() -> list[str]:
    """An address of each page; of the customers', the one who bought most often."""
    catalogue = Settings.from_environment().catalogue
    with duckdb.connect(str(catalogue), read_only=True) as connection:
        best = "SELECT arg_max(customer_id, orders) FROM gold.customer_features"
        [(customer,)] = connection.execute(best).fetchall()
    return [p.path.split("{")[0] + (customer if "{" in p.path else "") for p in PAGES]


def memory(process: int) -> float:
    """Peak resident memory of a process, in MB."""
    status = Path(f"/proc/{process}/status").read_text().splitlines()
    [peak] = [line for line in status if line.startswith("VmHWM")]
    return int(peak.split()[1]) / 1024


def measure_server() -> None:
    """Every page: the first answer, others uncached, cached; then eight readers at once."""
    print("| page | first | uncached | cached | kB |")
    print("|---|--:|--:|--:|--:|")
    with server() as (address, process):
        for path in paths():
            first, size = get(address + path)
            uncached = [get(f"{address}{path}?period={period}")[0] for period in PERIODS]
            cached = [get(address + path)[0] for _ in range(VISITS)]
            print(
                f"| {path} | {1000 * first:.0f} ms | {1000 * statistics.median(uncached):.0f} ms "
                f"| {1000 * statistics.median(cached):.1f} ms | {size / 1000:.0f} |"
            )
        quiet = memory(process)
        # Each reader has filters of its own, so that none gets a page that another has asked for.
        asked = [
            f"{address}{path}?period={period}&unknown={reader}"
            for reader in range(READERS)
            for path in paths()
            for period in PERIODS[:2]
        ]
        with ThreadPoolExecutor(READERS) as readers:
            times = sorted(seconds for seconds, _ in readers.map(get, asked))
        print(
            f"\n{len(asked)} answers to {READERS} readers at once, no error: median "
            f"{1000 * statistics.median(times):.0f} ms, slowest {1000 * times[-1]:.0f} ms; "
            f"peak memory of the server {quiet:.0f} MB alone, {memory(process):.0f} MB with them"
        )


def measure_browser() -> None:
    """Every page in a window as large as a screen: when its text is there, and all its charts."""
    from playwright.sync_api import sync_playwright

    print("| page | text painted | charts in view drawn | all charts drawn, scrolling |")
    print("|---|--:|--:|--:|")
    with server() as (address, _), sync_playwright() as playwright:
        path = shutil.which("chromium") or playwright.chromium.executable_path
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        for page in paths():
            get(address + page)
            seen = [visit(browser, address + page) for _ in range(3)]
            cells = [f"{statistics.median(times):.2f} s" for times in zip(*seen, strict=True)]
            print(f"| {page} | {' | '.join(cells)} |")
        browser.close()


def visit(browser: Any, url: str) -> tuple[float, float, float]:
    """Seconds until the text is painted, the charts in view are drawn, and all of them."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    began = time.perf_counter()
    page.goto(url)
    # The browser writes the moment down a little after it.
    first = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
    page.wait_for_function(f"() => {first} !== undefined")
    charts = page.locator("[data-figures]:visible").all()
    for chart in charts:
        box = chart.bounding_box()
        if box and box["y"] < 900:
            chart.and_(page.locator(".drawn")).wait_for()
    in_view = time.perf_counter() - began
    for chart in charts:
        chart.scroll_into_view_if_needed()
        chart.and_(page.locator(".drawn")).wait_for()
    everything = time.perf_counter() - began
    painted = page.evaluate(first)
    context.close()
    return painted / 1000, in_view, everything


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", choices=["server", "browser"])
    asked = parser.parse_args(sys.argv[1:])
    if not os.environ.get("BRIDGE_CART_DATA"):
        parser.error("BRIDGE_CART_DATA has to name a folder with a catalogue")
    {"server": measure_server, "browser": measure_browser}[asked.what]()


if __name__ == "__main__":
    main()
