"""Files as shops write them, each standing for its kind, through the whole chain."""

import shutil
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from bridge_cart_assets import pipeline
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.tables.gold import CUSTOMER_FEATURES, KPIS_DAILY
from bridge_cart_assets.tables.silver import ACCOUNTING, CUSTOMERS, PURCHASES, QUARANTINE
from bridge_cart_assets.tables.table import Table
from bridge_cart_tests.conftest import Command
from bridge_cart_tests.lakehouse.tables import stale_tables

CASES = Path(__file__).parent


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Lake]:
    return {}


@pytest.fixture
def taken(
    request: pytest.FixtureRequest,
    lakes: dict[str, Lake],
    tmp_path_factory: pytest.TempPathFactory,
) -> Lake:
    """The lake with the files of the kind that a test names."""
    kind: str = request.param
    if kind not in lakes:
        lakes[kind] = Lake(str(tmp_path_factory.mktemp(kind)))
        pipeline.run(lakes[kind], CASES / kind)
    return lakes[kind]


def of_kind(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("taken", [kind], indirect=True)


def rows(lake: Lake, table: Table, *columns: str) -> list[tuple[Any, ...]]:
    return lake.snapshot(table).read().sort(list(table.key)).select(columns).rows()


def by_order(lake: Lake, *columns: str, orders: Iterable[str] | None = None) -> dict[str, Any]:
    """Columns of the accepted lines, by order."""
    lines = lake.snapshot(PURCHASES).read()
    if orders is not None:
        lines = lines.filter(pl.col("order_id").is_in(list(orders)))
    values = lines.select(columns).rows()
    only = [value[0] if len(columns) == 1 else value for value in values]
    return dict(zip(lines["order_id"], only, strict=True))


def refusals(lake: Lake) -> list[tuple[str, int, str]]:
    return sorted(rows(lake, QUARANTINE, "object", "pos", "reason"))


@of_kind("ids-and-words-for-nothing")
def test_an_id_is_what_the_shop_gave(taken: Lake) -> None:
    wanted = dict.fromkeys(("A1", "A2"), "77120") | dict.fromkeys(("A3", "A4", "A5"), "00771")
    wanted |= {"A6": "771", "A7": "K42", "A8": "k42", "A9": "K42", "ctl-7": "K9"}
    wanted |= dict.fromkeys(("A10", "A11"), "J\u00fcrgen")
    wanted |= {"J4": "55501", "12345678901234567890123": "K1"}
    assert by_order(taken, "customer_id", orders=wanted) == wanted


@of_kind("ids-and-words-for-nothing")
def test_what_cannot_be_an_id_is_refused(taken: Lake) -> None:
    first, third = "2024-03-01.csv", "2024-03-03.ndjson"
    assert refusals(taken) == [
        (first, 12, "BAD_CUSTOMER_ID"),
        (first, 14, "BAD_ORDER_ID"),
        (first, 15, "BAD_ORDER_ID"),
        (third, 1, "BAD_CUSTOMER_ID"),
        (third, 2, "BAD_ORDER_ID"),
        (third, 3, "BAD_CUSTOMER_ID"),
        (third, 5, "BAD_CUSTOMER_ID"),
        (third, 6, "BAD_CUSTOMER_ID"),
    ]


@of_kind("ids-and-words-for-nothing")
def test_a_word_for_nothing_is_nobodys_name(taken: Lake) -> None:
    nobodys = by_order(taken, "customer_id", "kind", orders=[f"N{n}" for n in range(10)])
    assert set(nobodys.values()) == {(None, "sale")}
    assert len(nobodys) == 10
    kpis = taken.snapshot(KPIS_DAILY).read()
    assert kpis["anonymous_revenue"].sum() == Decimal("40.00")
    names = taken.snapshot(CUSTOMER_FEATURES).read()["customer_id"].to_list()
    assert sorted(names) == sorted(
        ["77120", "00771", "771", "K42", "k42", "K9", "J\u00fcrgen", "55501", "K1", "P7"]
    )


@of_kind("ids-and-words-for-nothing")
def test_an_order_number_that_became_a_float_is_the_same_order(taken: Lake) -> None:
    assert by_order(taken, "net_amount", "object", orders=["2002"]) == {
        "2002": (Decimal("40.00"), "2024-03-05-floats.csv")
    }
    days = (date(2024, 3, 4), date(2024, 3, 5))
    counts = taken.snapshot(ACCOUNTING).read().filter(pl.col("batch_day").is_in(days))
    assert counts.sort("batch_day").select("accepted", "duplicate").rows() == [(0, 1), (1, 0)]


@of_kind("statuses")
def test_a_status_is_one_of_four_or_refused(taken: Lake) -> None:
    kinds = by_order(taken, "kind")
    assert {order: order.rpartition("-")[0] for order in kinds} == kinds
    assert {kind: list(kinds.values()).count(kind) for kind in set(kinds.values())} == {
        "sale": 11,
        "pending": 8,
        "cancelled": 14,
    }
    assert [reason for _, _, reason in refusals(taken)] == ["BAD_STATUS"] * 5
    assert taken.snapshot(KPIS_DAILY).read()["revenue"].sum() == Decimal("550.00")


@of_kind("discounts-and-refunds")
def test_signs_and_discounts_decide_the_kind(taken: Lake) -> None:
    lines = by_order(taken, "kind", "discount_amount", "net_amount")
    assert lines == {
        order: (kind, Decimal(discount), Decimal(net))
        for order, kind, discount, net in (
            ("D1", "sale", "8.00", "72.00"),
            ("D4", "sale", "0.00", "80.00"),
            ("D5", "sale", "8.50", "71.50"),
            ("D7", "refund", "-16.00", "-64.00"),
            ("D8", "refund", "-16.00", "-64.00"),
            ("D9", "refund", "0.00", "-35.00"),
            ("D10", "refund", "0.00", "-35.00"),
            ("D12", "sale", "0.00", "18.00"),
            ("D13", "free", "0.00", "0.00"),
            ("D14", "free", "25.00", "0.00"),
            ("D15", "sale", "0.00", "7.00"),
        )
    }
    assert [(pos, reason) for _, pos, reason in refusals(taken)] == [
        (2, "BAD_DISCOUNT"),
        (3, "BAD_DISCOUNT"),
        (6, "BAD_DISCOUNT"),
        (11, "NON_POSITIVE_AMOUNT"),
        (16, "BAD_QUANTITY"),
        (17, "BAD_QUANTITY"),
    ]
    quantities = by_order(taken, "quantity", orders=["D9", "D12", "D15"])
    assert quantities == {"D9": Decimal(-1), "D12": Decimal("0.75"), "D15": Decimal(1)}
    kpis = taken.snapshot(KPIS_DAILY).read()
    sums = kpis.select(pl.sum("revenue", "refunds", "anonymous_revenue")).row(0)
    assert sums == (Decimal("248.50"), Decimal("198.00"), Decimal("0.00"))


@of_kind("corrections")
def test_without_an_update_the_batch_decides_and_from_the_future_nothing_counts(
    taken: Lake,
) -> None:
    assert by_order(taken, "kind", "net_amount", "purchase_day", "unreadable") == {
        "K1": ("sale", Decimal("7.00"), date(2024, 3, 1), None),
        "K2": ("cancelled", Decimal("71.00"), date(2024, 3, 10), None),
        "K3": ("cancelled", Decimal("72.00"), date(2024, 3, 10), None),
        "K4": ("sale", Decimal("73.00"), date(2024, 3, 10), None),
        "K5": ("sale", Decimal("6.00"), date(2024, 4, 18), "updated_at"),
    }


@of_kind("corrections")
def test_corrections_come_out_alike_in_any_order(taken: Lake, tmp_path: Path) -> None:
    lake, landing = Lake(str(tmp_path / "lake")), tmp_path / "landing" / "purchases"
    landing.mkdir(parents=True)
    for name in ("2024-04-20.csv", "2024-03-10.csv"):
        (landing / name).write_bytes((CASES / "corrections" / "purchases" / name).read_bytes())
        pipeline.run(lake, tmp_path / "landing")
    assert (
        lake.snapshot(PURCHASES)
        .read()
        .sort("order_id")
        .equals(taken.snapshot(PURCHASES).read().sort("order_id"))
    )


@of_kind("profiles")
def test_profiles_come_out_in_one_spelling(taken: Lake) -> None:
    profiles = taken.snapshot(CUSTOMERS).read().sort("customer_id", "valid_from")
    found = profiles.filter(pl.col("customer_id").str.starts_with("p"))
    assert found.select("customer_id", "mobile", "country", "city", "unreadable").rows() == [
        ("p1", "+491705550104", "Germany", "Kiel", None),
        ("p2", None, "United States", "Oslo", "updated_at"),
        ("p2", None, "Norway", "Bergen", None),
        ("p3", None, "United States", None, None),
        ("p4", "+491705550105", "Germany", None, None),
        ("p5", None, "Germany", "ulm", "mobile"),
        ("p6", None, "Atlantis", "S\u00e3o Tom\u00e9", None),
    ]
    assert found["signup_date"][0] == date(1999, 2, 7)
    assert [f"{at:%Y-%m-%d}" for at in found["valid_from"][1:3]] == ["2024-03-01", "2024-03-05"]
    assert [reason for _, _, reason in refusals(taken)] == ["MISSING_CUSTOMER_ID"]


@of_kind("profiles")
def test_na_is_namibia_among_codes_of_two_letters_only(taken: Lake) -> None:
    countries = dict(rows(taken, CUSTOMERS, "customer_id", "country"))
    assert [countries[name] for name in ("q1", "q2", "q3")] == ["Namibia", "Germany", "France"]
    assert [countries[name] for name in ("r1", "r2")] == [None, "Germany"]


@of_kind("profiles")
def test_a_category_in_one_case_gets_initials(taken: Lake) -> None:
    assert by_order(taken, "product_category") == {
        **dict.fromkeys(("o1", "o2"), "Garden"),
        **{"o3": "Bed & Bath", "o4": "eBooks", "o5": "TVs"},
    }


@of_kind("anonymous-lines")
def test_anonymous_sales_have_columns_of_their_own(taken: Lake) -> None:
    kpis = {row["day"]: row for row in taken.snapshot(KPIS_DAILY).read().iter_rows(named=True)}
    names = ("orders", "revenue", "anonymous_orders", "anonymous_revenue", "anonymous_refunds")
    assert [kpis[date(2024, 2, 6)][name] for name in names] == [
        *(1, Decimal("40.00"), 1, Decimal("15.00"), Decimal("2.50")),
    ]
    assert kpis[date(2024, 2, 6)]["revenue_all"] == Decimal("55.00")
    assert min(kpis) == date(2024, 2, 3)
    assert kpis[date(2024, 2, 3)]["revenue_all"] == Decimal("9.00")
    assert rows(taken, CUSTOMER_FEATURES, "customer_id", "revenue") == [("C1", Decimal("40.00"))]
    assert refusals(taken) == []
    assert stale_tables(taken) == []


@of_kind("currencies")
def test_a_line_says_its_currency(taken: Lake) -> None:
    assert by_order(taken, "currency", "net_amount", "unreadable") == {
        order: (currency, Decimal(amount), unreadable)
        for order, currency, amount, unreadable in (
            ("Q1", "USD", "10.00", None),
            ("Q2", "EUR", "10.00", None),
            ("Q3", "KRW", "25000.00", None),
            ("Q4", "CHF", "9.00", None),
            ("Q5", "GBP", "8.00", None),
            ("Q6", None, "7.00", None),
            ("Q7", None, "6.00", None),
            ("Q8", None, "5.00", "currency"),
        )
    }


def test_a_line_of_another_currency_than_the_shops_is_refused(
    tmp_path: Path, command: Command
) -> None:
    shutil.copytree(CASES / "currencies", tmp_path / "landing")
    done = command("run", BRIDGE_CART_CURRENCY="EUR")
    assert done.returncode == 0, done.stderr
    lake = Lake(str(tmp_path / "lake"))
    assert by_order(lake, "kind", "net_amount", "currency") == {
        "Q2": ("sale", Decimal("10.00"), "EUR"),
        "Q6": ("sale", Decimal("7.00"), None),
        "Q7": ("sale", Decimal("6.00"), None),
        "Q8": ("sale", Decimal("5.00"), None),
    }
    assert [(pos, reason) for _, pos, reason in refusals(lake)] == [
        (pos, "OTHER_CURRENCY") for pos in (1, 3, 4, 5)
    ]
    assert "25,027.00 (OTHER_CURRENCY)" in done.stdout
    assert lake.snapshot(KPIS_DAILY).read()["revenue_all"].sum() == Decimal("28.00")


@pytest.mark.slow
def test_lines_taken_before_the_currency_was_set_are_named_until_a_rebuild(
    tmp_path: Path, command: Command
) -> None:
    shutil.copytree(CASES / "currencies", tmp_path / "landing")
    warnings = [line for line in command("run").stderr.splitlines() if "one_currency" in line]
    assert all(f"{code} " in warnings[0] for code in ("USD", "EUR", "KRW", "CHF", "GBP"))
    checked = command("check", BRIDGE_CART_CURRENCY="EUR").stdout
    assert "another one: CHF 9.00, GBP 8.00, KRW 25000.00, USD 10.00" in checked
    command("rebuild", BRIDGE_CART_CURRENCY="EUR")
    checked = command("check", BRIDGE_CART_CURRENCY="EUR").stdout
    assert "one_currency: the shop's currency is set: EUR" in checked
