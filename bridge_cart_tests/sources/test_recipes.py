"""The recipe that lands orders of shops' APIs, as it stands in the docs, against a stand-in."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlparse

import polars as pl
import pytest

from bridge_cart_assets.ingestion.landing import list_landing
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.chain import refresh_silver
from bridge_cart_assets.tables.silver import ACCOUNTING, PURCHASES, QUARANTINE

PAGE = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text()
[SCRIPT] = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
PYTHON = os.environ.get("DLT_PYTHON", sys.executable)
SHOPIFY, WOOCOMMERCE = "shopify_api_orders", "woocommerce_orders"
PAGE_SIZE = 2


def shopify_order(number: int, at: str, **more: Any) -> dict[str, Any]:
    item = {"quantity": 1, "price": "10.00"}
    return {
        **{"id": 5000 + number, "name": f"#{number}", "financial_status": "paid"},
        **{"created_at": "2024-11-01T10:00:00-04:00", "updated_at": at, "currency": "USD"},
        **{"subtotal_price": "10.00", "line_items": [item], "refunds": []},
        **more,
    }


def woocommerce_order(number: int, at: str, **more: Any) -> dict[str, Any]:
    item = {"quantity": 1, "subtotal": "7.50", "total": "7.50"}
    return {
        **{"id": number, "number": f"{number}", "status": "processing", "customer_id": 0},
        **{"date_created": "2024-11-01T10:00:00", "date_created_gmt": "2024-11-01T14:00:00"},
        **{"date_modified_gmt": at, "currency": "USD", "line_items": [item], "refunds": []},
        **more,
    }


class Shop(BaseHTTPRequestHandler):
    """Both APIs: a key, the changes since a moment, pages with a link to the next."""

    orders: dict[str, list[dict[str, Any]]]
    asked: list[str]
    broken_page: int | None

    def do_GET(self) -> None:
        url = urlparse(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        is_shopify = url.path.endswith(".json")
        self.asked.append(self.path)
        if not self.is_known(is_shopify):
            self.send_error(401)
            return
        source = SHOPIFY if is_shopify else WOOCOMMERCE
        changed = "updated_at" if is_shopify else "date_modified_gmt"
        since = query["updated_at_min" if is_shopify else "modified_after"]
        page = int(query.get("page", "1"))
        if page == self.broken_page:
            self.send_error(403)
            return
        # Shopify includes the moment itself, WooCommerce does not.
        found = [
            order
            for order in self.orders[source]
            if utc(order[changed]) > utc(since)
            or (is_shopify and utc(order[changed]) == utc(since))
        ]
        rows = found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
        self.send_response(200)
        if len(found) > page * PAGE_SIZE:
            more = urlencode({**query, "page": page + 1})
            host = f"http://127.0.0.1:{self.server.server_port}"  # type: ignore[attr-defined]
            self.send_header("Link", f'<{host}{url.path}?{more}>; rel="next"')
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps({"orders": rows} if is_shopify else rows).encode())

    def is_known(self, is_shopify: bool) -> bool:
        if is_shopify:
            return self.headers["X-Shopify-Access-Token"] == "token"
        return self.headers["Authorization"] == f"Basic {b64encode(b'key:secret').decode()}"

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def utc(moment: str) -> datetime:
    read = datetime.fromisoformat(moment)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


@pytest.fixture
def shop() -> Iterator[ThreadingHTTPServer]:
    Shop.orders = {
        # Each later than the one before.
        SHOPIFY: [
            shopify_order(1, "2024-11-03T01:10:00-04:00"),
            shopify_order(2, "2024-11-03T01:50:00-04:00"),
            shopify_order(3, "2024-11-03T01:20:00-05:00"),
        ],
        WOOCOMMERCE: [
            woocommerce_order(701, "2024-11-03T05:00:00"),
            woocommerce_order(702, "2024-11-03T06:00:00"),
        ],
    }
    Shop.asked, Shop.broken_page = [], None
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class Fetch:
    """Runs the recipe's script on a data folder."""

    def __init__(self, shop: ThreadingHTTPServer, data: Path) -> None:
        if "DLT_PYTHON" not in os.environ and importlib.util.find_spec("dlt") is None:
            pytest.skip("dlt is not installed: DLT_PYTHON names the Python of an environment of it")
        self.data = data
        self.landing = data / "landing"
        self._shop = f"http://127.0.0.1:{shop.server_port}"
        (data / "shop_orders.py").write_text(SCRIPT)

    def __call__(self, access: str = "token") -> "subprocess.CompletedProcess[str]":
        env = {
            **{n: v for n, v in os.environ.items() if not n.startswith(("PYTHON", "BRIDGE"))},
            **{"BRIDGE_CART_DATA": str(self.data), "RUNTIME__DLTHUB_TELEMETRY": "false"},
            **{"SHOPIFY_URL": f"{self._shop}/admin/api/2024-10/", "SHOPIFY_TOKEN": access},
            **{"WOOCOMMERCE_URL": f"{self._shop}/wp-json/wc/v3/"},
            **{"WOOCOMMERCE_KEY": "key", "WOOCOMMERCE_SECRET": "secret"},
        }
        return subprocess.run(
            [PYTHON, "shop_orders.py"],
            cwd=self.data,
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )

    def files(self, source: str) -> list[Path]:
        return [file.path for file in list_landing(self.landing, source)]


@pytest.fixture
def fetch(shop: ThreadingHTTPServer, tmp_path: Path) -> Fetch:
    return Fetch(shop, tmp_path)


def landed(paths: list[Path]) -> list[dict[str, Any]]:
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def net(lake: Lake) -> dict[str, Decimal]:
    lines = lake.snapshot(PURCHASES).read().filter(pl.col("kind").is_in(["sale", "refund"]))
    sums = lines.group_by("order_id").agg(pl.sum("net_amount"))
    return dict(sums.sort("order_id").iter_rows())


def test_orders_are_landed_as_the_shop_wrote_them_and_once(fetch: Fetch) -> None:
    done = fetch()
    assert done.returncode == 0, done.stderr
    for source in (SHOPIFY, WOOCOMMERCE):
        [path] = fetch.files(source)
        assert landed([path]) == Shop.orders[source]
        assert path.name.startswith(f"{datetime.now(UTC):%Y-}")
        assert list(path.parent.iterdir()) == [path]
    assert fetch().returncode == 0
    assert [len(fetch.files(source)) for source in (SHOPIFY, WOOCOMMERCE)] == [1, 1]


def test_what_has_changed_since_is_landed_and_stands(fetch: Fetch, tmp_path: Path) -> None:
    assert fetch().returncode == 0
    first = {source: fetch.files(source) for source in (SHOPIFY, WOOCOMMERCE)}
    refund = {
        "processed_at": "2024-11-20T10:00:00Z",
        "refund_line_items": [{"quantity": 1, "subtotal": 4.0}],
    }
    changed = {
        SHOPIFY: shopify_order(1, "2024-11-20T09:00:00-05:00", refunds=[refund]),
        WOOCOMMERCE: woocommerce_order(702, "2024-11-20T10:00:00", status="cancelled"),
    }
    # Another order of the very second of the last one, too; as text it is before the second one.
    same_second = {
        SHOPIFY: shopify_order(4, "2024-11-03T01:20:00-05:00"),
        WOOCOMMERCE: woocommerce_order(703, "2024-11-03T06:00:00"),
    }
    Shop.orders[SHOPIFY] = [*Shop.orders[SHOPIFY][1:], same_second[SHOPIFY], changed[SHOPIFY]]
    Shop.orders[WOOCOMMERCE] = [
        *(Shop.orders[WOOCOMMERCE][0], same_second[WOOCOMMERCE], changed[WOOCOMMERCE])
    ]
    assert fetch().returncode == 0
    for source, order in changed.items():
        [new] = set(fetch.files(source)) - set(first[source])
        assert landed([new]) == [same_second[source], order]
    lake = Lake(str(tmp_path / "lake"))
    refresh_silver(lake, fetch.landing)
    ten = Decimal("10.00")
    assert net(lake) == {
        **{"#1": Decimal("6.00"), "#2": ten, "#3": ten, "#4": ten},
        **{"701": Decimal("7.50"), "703": Decimal("7.50")},
    }
    assert lake.snapshot(QUARANTINE).read().is_empty()


def test_an_order_that_changes_during_a_fetch_is_asked_for_again_and_counts_once(
    fetch: Fetch, tmp_path: Path
) -> None:
    just_now = f"{datetime.now(UTC) + timedelta(seconds=30):%Y-%m-%dT%H:%M:%SZ}"
    Shop.orders[SHOPIFY].append(shopify_order(4, just_now))
    assert fetch().returncode == 0
    # This one changed a moment earlier, on a page that had passed.
    earlier = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    Shop.orders[SHOPIFY][0] = shopify_order(1, earlier, subtotal_price="8.00")
    assert fetch().returncode == 0
    lake = Lake(str(tmp_path / "lake"))
    refresh_silver(lake, fetch.landing)
    ten = Decimal("10.00")
    found = {name: amount for name, amount in net(lake).items() if name.startswith("#")}
    assert found == {"#1": Decimal("8.00"), "#2": ten, "#3": ten, "#4": ten}
    counts = lake.snapshot(ACCOUNTING).read().filter(pl.col("source") == SHOPIFY)
    sums = counts.select(pl.sum("raw_records", "accepted", "duplicate", "superseded")).row(0)
    assert sums == (6, 4, 1, 1)


def test_a_fetch_that_fails_lands_nothing_and_the_next_one_goes_on(fetch: Fetch) -> None:
    assert fetch(access="another").returncode != 0
    assert fetch.files(SHOPIFY) == []
    Shop.broken_page = 2
    assert fetch().returncode != 0
    assert fetch.files(SHOPIFY) == []
    Shop.broken_page = None
    assert fetch().returncode == 0
    assert landed(fetch.files(SHOPIFY)) == Shop.orders[SHOPIFY]


def test_without_its_memory_the_recipe_lands_again_and_nothing_counts_twice(
    fetch: Fetch, tmp_path: Path
) -> None:
    assert fetch().returncode == 0
    lake = Lake(str(tmp_path / "lake"))
    refresh_silver(lake, fetch.landing)
    before = net(lake)
    (fetch.data / "dlt").rename(fetch.data / "lost")
    Shop.orders[SHOPIFY].append(shopify_order(4, "2024-11-04T10:00:00Z"))
    assert fetch().returncode == 0
    refresh_silver(lake, fetch.landing)
    assert net(lake) == {**before, "#4": Decimal("10.00")}
