"""An order that comes again with fewer lines, or without any; and one that two files hold."""

import itertools
import json
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from bridge_cart_assets import pipeline
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.chain import refresh_silver
from bridge_cart_assets.pipeline.dry_run import dry_run
from bridge_cart_assets.sources.shopify_api_orders import SHOPIFY_API_ORDERS
from bridge_cart_assets.tables.gold import KPIS_DAILY
from bridge_cart_assets.tables.silver import (
    ACCOUNTING,
    INTERNAL,
    PURCHASE_REPEATS,
    PURCHASES,
    QUARANTINE,
)
from bridge_cart_assets.tables.silver import TABLES as SILVER
from bridge_cart_tests.lakehouse.tables import contents, stale_tables


def of_shopify(updated: str, prices: Iterable[str], name: str = "#1") -> dict[str, Any]:
    return {
        "name": name,
        "created_at": "2024-02-01T10:00:00Z",
        "updated_at": f"{updated}T10:00:00Z",
        "financial_status": "paid",
        "customer": {"id": 7},
        "line_items": [{"quantity": 1, "price": price} for price in prices],
    }


def of_woocommerce(updated: str, prices: Iterable[str], name: str = "1") -> dict[str, Any]:
    return {
        "id": 1,
        "number": name,
        "status": "completed",
        "customer_id": 7,
        "date_created": "2024-02-01T10:00:00",
        "date_created_gmt": "2024-02-01T10:00:00",
        "date_modified_gmt": f"{updated}T10:00:00",
        "line_items": [{"quantity": 1, "subtotal": price, "total": price} for price in prices],
    }


EXPORT = "Name,Email,Financial Status,Subtotal,Created at,Lineitem quantity,Lineitem price\n"


def exported(*rows: str) -> str:
    return EXPORT + "".join(f"{row}\n" for row in rows)


def land(landing: Path, source: str, day: str, content: str | list[dict[str, Any]]) -> None:
    """Land a file of a day: a CSV, or objects."""
    folder = landing / source
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        (folder / f"{day}.csv").write_text(content)
    else:
        lines = "".join(f"{json.dumps(one)}\n" for one in content)
        (folder / f"{day}.ndjson").write_text(lines)


def standing(lake: Lake) -> list[tuple[str, Decimal]]:
    lines = lake.snapshot(PURCHASES).read().sort("order_id", "line_number")
    return lines.select("order_id", "net_amount").rows()


def counts(lake: Lake) -> list[tuple[int, ...]]:
    """records, blank, accepted, duplicate, superseded, by batch day."""
    columns = ("records", "blank", "accepted", "duplicate", "superseded")
    return lake.snapshot(ACCOUNTING).read().sort("batch_day").select(columns).rows()


ORDERS = {"shopify_api_orders": of_shopify, "woocommerce_orders": of_woocommerce}
DELIVERIES = [
    ("2024-02-02", ["10.00", "20.00"]),
    ("2024-02-03", ["10.00"]),
    ("2024-02-04", []),
]


@pytest.mark.slow
@pytest.mark.parametrize("source", ORDERS)
@pytest.mark.parametrize("batches", [(1, 1, 1), (1, 2), (2, 1)])
def test_an_order_that_comes_again_without_lines_has_none_in_any_order_of_arrival(
    tmp_path: Path, source: str, batches: tuple[int, ...]
) -> None:
    tables = []
    for number, arrived in enumerate(itertools.permutations(DELIVERIES)):
        landing, lake = tmp_path / f"{number}", Lake(str(tmp_path / f"lake-{number}"))
        files = iter(arrived)
        for size in batches:
            for day, prices in itertools.islice(files, size):
                land(landing, source, day, [ORDERS[source](day, prices)])
            refresh_silver(lake, landing)
        assert standing(lake) == []
        assert counts(lake) == [(2, 0, 0, 0, 2), (1, 0, 0, 0, 1), (1, 1, 0, 0, 0)]
        tables.append(contents(lake, (*SILVER, *INTERNAL)))
    first = tables[0]
    assert [n for other in tables for n in first if not first[n].equals(other[n])] == []


def test_lines_that_come_after_an_order_was_empty_stand_again(tmp_path: Path) -> None:
    landing, lake = tmp_path / "landing", Lake(str(tmp_path / "lake"))
    for day, prices in [("2024-02-02", ["10.00"]), ("2024-02-03", []), ("2024-02-04", ["7.00"])]:
        other = of_shopify(day, ["5.00"], name=f"#{day}")
        land(landing, "shopify_api_orders", day, [of_shopify(day, prices), other])
        pipeline.run(lake, landing)
        revenue = lake.snapshot(KPIS_DAILY).read()["revenue"].sum()
        assert revenue == sum(net for _, net in standing(lake))
        assert stale_tables(lake) == []
    assert ("#1", Decimal("7.00")) in standing(lake)
    assert counts(lake) == [(2, 0, 1, 0, 1), (2, 1, 1, 0, 0), (2, 0, 2, 0, 0)]


def test_an_older_copy_without_lines_undoes_nothing(tmp_path: Path) -> None:
    landing, lake = tmp_path / "landing", Lake(str(tmp_path / "lake"))
    land(landing, "shopify_api_orders", "2024-02-02", [of_shopify("2024-02-02", ["10.00"])])
    land(landing, "shopify_api_orders", "2024-02-03", [of_shopify("2024-02-01", [])])
    refresh_silver(lake, landing)
    assert standing(lake) == [("#1", Decimal("10.00"))]


@pytest.mark.parametrize("items", [None, "[{", {"a": 1}, ["x"]])
def test_what_is_no_empty_array_of_items_undoes_nothing(tmp_path: Path, items: object) -> None:
    landing, lake = tmp_path / "landing", Lake(str(tmp_path / "lake"))
    land(landing, "shopify_api_orders", "2024-02-02", [of_shopify("2024-02-02", ["10.00"])])
    later = of_shopify("2024-02-03", []) | {"line_items": items}
    land(landing, "shopify_api_orders", "2024-02-03", [later])
    refresh_silver(lake, landing)
    assert standing(lake) == [("#1", Decimal("10.00"))]
    assert counts(lake) == [(1, 0, 1, 0, 0), (1, 1, 0, 0, 0)]


def test_an_order_without_lines_is_tried_as_a_blank_record(tmp_path: Path) -> None:
    land(tmp_path, "shopify_api_orders", "2024-02-03", [of_shopify("2024-02-03", [])])
    path = tmp_path / "shopify_api_orders" / "2024-02-03.ndjson"
    tried = dry_run(path, SHOPIFY_API_ORDERS, Lake(str(tmp_path / "lake")), tmp_path)
    assert (tried.counts["blank"], tried.counts["accepted"]) == (1, 0)
    assert tried.accepted.is_empty()
    assert tried.refused.is_empty()


def test_an_exported_order_without_line_items_replaces_its_former_lines(tmp_path: Path) -> None:
    landing, lake = tmp_path / "landing", Lake(str(tmp_path / "lake"))
    full = exported("#1,a@example.org,paid,30.00,2024-02-01,1,10.00", "#1,a@example.org,,,,2,10.00")
    land(landing, "shopify_orders", "2024-02-02", full)
    refresh_silver(lake, landing)
    assert len(standing(lake)) == 2
    land(
        landing, "shopify_orders", "2024-02-03", exported("#1,a@example.org,paid,0.00,2024-02-01,,")
    )
    refresh_silver(lake, landing)
    assert standing(lake) == []
    assert counts(lake) == [(2, 0, 0, 0, 2), (1, 1, 0, 0, 0)]
    repeats = lake.snapshot(PURCHASE_REPEATS).read().sort("batch_day", "pos")
    assert repeats["fate"].to_list() == ["superseded", "superseded", "empty"]


@pytest.mark.parametrize("parts", [("1", "2"), ("2", "1")])
def test_rows_of_an_order_that_began_in_another_file_are_refused_and_replace_nothing(
    tmp_path: Path, parts: tuple[str, str]
) -> None:
    """Their status and the order's discount stand on its first row only."""
    landing, lake = tmp_path / "landing", Lake(str(tmp_path / "lake"))
    rows = {
        "1": exported("#1,a@example.org,paid,30.00,2024-02-01,1,10.00"),
        "2": exported(
            "#1,a@example.org,,,2024-02-01,2,10.00",
            "#2,b@example.org,pending,5.00,2024-02-01,1,5.00",
        ),
    }
    for part in parts:
        land(landing, "shopify_orders", f"2024-02-02-{part}", rows[part])
        refresh_silver(lake, landing)
    assert standing(lake) == [("#1", Decimal("10.00")), ("#2", Decimal("5.00"))]
    refused = lake.snapshot(QUARANTINE).read()
    assert refused.select("object", "pos", "reason", "amount").rows() == [
        ("2024-02-02-2.csv", 1, "BAD_STATUS", Decimal("20.00"))
    ]
    land(landing, "shopify_orders", "2024-02-03", rows["1"] + rows["2"].removeprefix(EXPORT))
    refresh_silver(lake, landing)
    assert [f"{net}" for _, net in standing(lake)] == ["10.00", "20.00", "5.00"]
    assert lake.snapshot(PURCHASES).read().filter(pl.col("kind") == "sale").height == 2
