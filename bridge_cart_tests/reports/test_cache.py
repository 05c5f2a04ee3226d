"""Pages are made once per catalogue and filters, and kept within bounds."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from bridge_cart_assets.reports import create_app
from bridge_cart_assets.reports.cache import LIMIT, PageCache
from bridge_cart_assets.reports.catalogue import Catalogue, CatalogueFile, Identity
from bridge_cart_assets.reports.filters import PageQuery
from bridge_cart_assets.reports.overview.page import OVERVIEW, Overview, overview
from bridge_cart_assets.reports.page import Page
from bridge_cart_tests.reports.catalogues import AS_OF, FINISHED, shop, write_catalogue

ONE, OTHER = Identity(1, 1, 1), Identity(2, 1, 1)


class Counted:
    """The overview, and how often it was made."""

    def __init__(self) -> None:
        self.asked: list[PageQuery] = []

    def read(self, catalogue: Catalogue, asked: PageQuery) -> Overview | None:
        self.asked.append(asked)
        return overview(catalogue, asked)

    def client(self, catalogue: Path) -> TestClient:
        page = Page(
            "overview", "/", "Overview", "overview.html", self.read, OVERVIEW.supported_filters
        )
        return TestClient(create_app(catalogue, pages=(page,)), base_url="http://localhost")


@pytest.fixture
def counted() -> Counted:
    return Counted()


def test_a_page_is_made_once_for_equal_filters(catalogue: Path, counted: Counted) -> None:
    client = counted.client(catalogue)
    pages = {client.get(f"/{q}").text for q in ("", "?period=180d", "?period=", "?country=")}
    assert (len(pages), len(counted.asked)) == (1, 1)
    client.get("/?period=30d")
    assert len(counted.asked) == 2


def test_a_new_catalogue_makes_new_pages(tmp_path: Path, counted: Counted) -> None:
    path = write_catalogue(tmp_path / "c.duckdb", shop(days=3))
    client = counted.client(path)
    before = client.get("/")
    day = AS_OF - timedelta(days=1)
    write_catalogue(path, shop(days=3), run=("another", FINISHED, day))
    after = client.get("/", headers={"If-None-Match": before.headers["etag"]})
    assert after.status_code == 200
    assert f'Data up to <time datetime="{day}"' in after.text
    assert len(counted.asked) == 2


def test_a_browser_that_has_the_page_gets_not_modified(client: TestClient) -> None:
    first = client.get("/")
    assert first.headers["cache-control"] == "no-cache"
    tag = first.headers["etag"]
    for header in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        again = client.get("/", headers={"If-None-Match": header})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
        assert "content-security-policy" in again.headers
    assert client.get("/", headers={"If-None-Match": '"x"'}).status_code == 200


def test_a_page_with_warnings_is_not_kept(catalogue: Path, counted: Counted) -> None:
    client = counted.client(catalogue)
    texts = {client.get("/?country=nowhere").text for _ in range(2)}
    assert (len(texts), len(counted.asked)) == (1, 2)
    assert "nowhere" not in client.get("/").text


def test_many_who_ask_at_once_wait_for_one_page() -> None:
    cache, made, got = PageCache(), [], []

    def make() -> tuple[Identity, bytes]:
        made.append(1)
        time.sleep(0.05)
        return ONE, b"page"

    threads = [
        threading.Thread(target=lambda: got.append(cache.find_or_make(ONE, "/", make).body))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), got) == (1, [b"page"] * 8)


def test_an_error_is_not_kept() -> None:
    cache = PageCache()

    def fail() -> tuple[Identity, bytes]:
        raise LookupError

    with pytest.raises(LookupError):
        cache.find_or_make(ONE, "/", fail)
    assert cache.find_or_make(ONE, "/", lambda: (ONE, b"page")).body == b"page"


def test_the_pages_used_longest_ago_are_forgotten_first() -> None:
    cache = PageCache(limit=10_000)
    for key in "abc":
        cache.find_or_make(ONE, key, lambda: (ONE, bytes(2_500)))
    assert cache.find(ONE, "a")
    cache.find_or_make(ONE, "d", lambda: (ONE, bytes(2_500)))
    assert [key for key in "abcd" if cache.find(ONE, key)] == ["a", "c", "d"]
    cache.find_or_make(ONE, "e", lambda: (ONE, bytes(20_000)))
    assert cache.find(ONE, "e") is None
    assert LIMIT == 32 * 1024 * 1024


def test_pages_of_a_replaced_catalogue_are_forgotten() -> None:
    cache = PageCache()
    cache.find_or_make(ONE, "/", lambda: (ONE, b"one"))
    assert cache.find(OTHER, "/") is None
    cache.find_or_make(OTHER, "/", lambda: (OTHER, b"other"))
    assert cache.find(ONE, "/") is None


def test_readers_at_the_same_time_share_one_file_until_it_is_replaced(tmp_path: Path) -> None:
    path = write_catalogue(tmp_path / "c.duckdb", shop(days=2))
    file = CatalogueFile(path)
    with file.opened() as one, file.opened() as two:
        assert one.identity == two.identity
        assert one.connection is not two.connection
        write_catalogue(path, shop(days=3))
        with file.opened() as three:
            assert three.identity != one.identity
            counts = [c.ask(int, "SELECT count(*) FROM gold.kpis_daily") for c in (one, two, three)]
    assert counts == [[2], [2], [3]]
    file.close()


def is_held(path: Path) -> bool:
    """Whether another process cannot open the file to write it, since DuckDB has locked it."""
    program = "import sys, duckdb; duckdb.connect(sys.argv[1]).close()"
    writer = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, text=True, check=False
    )
    assert writer.returncode == 0 or "lock" in writer.stderr, writer.stderr
    return writer.returncode != 0


def test_an_idle_file_is_released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge_cart_assets.reports.catalogue.IDLE_SECONDS", 0.05)
    path = write_catalogue(tmp_path / "c.duckdb", shop(days=2))
    file = CatalogueFile(path)
    with file.opened():
        time.sleep(0.1)
        assert is_held(path)
    deadline = time.monotonic() + 5
    while (held := is_held(path)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not held
    with file.opened() as again:
        assert again.ask(int, "SELECT count(*) FROM gold.kpis_daily") == [2]
    file.close()


def test_views_are_made_one_after_the_other(catalogue: Path) -> None:
    """Two at once over a million customers need more memory than there is."""
    at_once, most = 0, 0

    def read(opened: Catalogue, asked: PageQuery) -> Overview | None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        time.sleep(0.02)
        at_once -= 1
        return overview(opened, asked)

    pages = [replace(OVERVIEW, name=f"p{n}", path=f"/p{n}", read=read) for n in range(6)]
    client = TestClient(create_app(catalogue, pages=pages), base_url="http://localhost:5010")
    with ThreadPoolExecutor(6) as readers:
        answers = list(readers.map(lambda page: client.get(page.path).status_code, pages))
    assert (answers, most) == ([200] * 6, 1)
