"""Orders as shop programs export them, and lines of one order, through the whole chain.

The inputs lie beside this file, `<kind>/<source>/<file>`, as they are landed: values of our own in
the columns that the programs document.
"""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge_cart_assets import pipeline
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.chain import refresh_silver
from bridge_cart_assets.pipeline.dry_run import dry_run
from bridge_cart_assets.sources.online_retail import ONLINE_RETAIL
from bridge_cart_assets.tables.gold import KPIS_DAILY
from bridge_cart_assets.tables.silver import (
    ACCOUNTING,
    CUSTOMERS,
    PURCHASE_REPEATS,
    PURCHASES,
    QUARANTINE,
)
from bridge_cart_assets.tables.silver import TABLES as SILVER
from bridge_cart_tests.ingestion.workbook_files import Cell, workbook
from bridge_cart_tests.lakehouse.tables import contents, stale_tables

CASES = Path(__file__).parent
KINDS = ("shopify-export", "shopify-api", "woocommerce", "online-retail", "lines-of-one-order")
ALL_KINDS = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Lake]:
    """One lake for each kind, with all of its files."""
    made = {}
    for kind in KINDS:
        made[kind] = Lake(str(tmp_path_factory.mktemp(kind)))
        pipeline.run(made[kind], CASES / kind)
    return made


def order(lake: Lake, name: str, *columns: str) -> list[tuple[Any, ...]]:
    """Columns of an order's lines."""
    lines = lake.snapshot(PURCHASES).read().filter(pl.col("order_id") == name)
    return lines.sort("line_number").select(columns).rows()


def kinds(lake: Lake, name: str) -> list[tuple[str, str]]:
    """Kind and net amount of an order's lines."""
    return [(kind, f"{net}") for kind, net in order(lake, name, "kind", "net_amount")]


def once(lake: Lake, name: str, *columns: str) -> tuple[Any, ...]:
    """Columns that all lines of an order have in common."""
    [values] = set(order(lake, name, *columns))
    return values


def counts(lake: Lake, source: str) -> list[tuple[int, ...]]:
    """raw_records, records, blank, quarantined, accepted, duplicate, superseded, by batch day."""
    rows = lake.snapshot(ACCOUNTING).read().filter(pl.col("source") == source).sort("batch_day")
    columns = ("records", "blank", "quarantined", "accepted", "duplicate", "superseded")
    return rows.select("raw_records", *columns).rows()


def at(lake: Lake, name: str) -> str:
    """The moment of an order whose lines have one."""
    [moment] = once(lake, name, "purchase_date")
    return f"{moment:%Y-%m-%d %H:%M:%S}"


# Order, kind and net amount of each of its lines.
ORDERS = {
    "shopify-export": {
        "#1001": [("sale", "54.00"), ("sale", "36.00")],
        "#1002": [("sale", "60.00"), ("refund", "-15.00")],
        "#1003": [("cancelled", "20.00")],
        "#1004": [("cancelled", "25.00")],
        "#1005": [("sale", "12.00")],
        "#1006": [("pending", "50.00"), ("pending", "30.00")],
        "#1008": [("sale", "17.15"), ("sale", "22.85"), ("free", "0.00")],
    },
    "shopify-api": {
        "#A101": [("sale", "18.00"), ("sale", "5.00"), ("sale", "90.00"), ("refund", "-5.00")],
        "#A102": [("sale", "21.00"), ("refund", "-7.00")],
        "#A103": [("cancelled", "9.00")],
        "#A104": [("sale", "8.00")],
        "#A105": [("cancelled", "200.00")],
    },
    "woocommerce": {
        "701": [("sale", "27.00"), ("sale", "4.50")],
        "702": [("sale", "15.00")],
        "703": [("sale", "5.00")],
        "704": [("sale", "6.00")],
        "705": [("sale", "7.00")],
        "706": [("pending", "8.00")],
        "707": [("cancelled", "9.00")],
        "708": [("sale", "40.00"), ("refund", "-15.00")],
        "709": [("cancelled", "20.00")],
    },
    "online-retail": {
        "900001": [("sale", "15.30")],
        "900002": [("sale", "6.78")],
        "900003": [("sale", "4.25")],
        "C900004": [("refund", "-2.55")],
        "900005": [("sale", "4.25")],
        "900006": [("free", "0.00")],
        "900101": [("sale", "15.30"), ("sale", "3.39")],
        "900201": [("sale", "5.10")],
        "C900202": [("refund", "-2.55")],
    },
    "lines-of-one-order": {
        "X1": [("sale", "10.00"), ("sale", "20.00"), ("sale", "30.00")],
        "X2": [("sale", "5.00")],
        "Y5": [("sale", "2.00")],
        "Y6": [("sale", "3.00")],
        "Z1": [("cancelled", "21.00"), ("cancelled", "22.00"), ("cancelled", "23.00")],
        "Z2": [("sale", "31.00"), ("sale", "32.00")],
        "Z3": [("sale", "41.00"), ("sale", "42.00"), ("sale", "43.00")],
        "V1": [("sale", "12.00")],
    },
}


@ALL_KINDS
def test_every_order_is_there_with_its_lines_and_no_other(
    lakes: dict[str, Lake], kind: str
) -> None:
    names = lakes[kind].snapshot(PURCHASES).read()["order_id"].unique()
    assert {name: kinds(lakes[kind], name) for name in names} == ORDERS[kind]


@ALL_KINDS
def test_nothing_is_refused_but_what_is_no_line_number(lakes: dict[str, Lake], kind: str) -> None:
    refused = lakes[kind].snapshot(QUARANTINE).read().sort("pos").select("value", "reason").rows()
    values = ("L1", "L2", "13579246801357924", "1.1") if kind == "lines-of-one-order" else ()
    assert refused == [(value, "BAD_LINE_NUMBER") for value in values]


@ALL_KINDS
def test_gold_has_the_revenue_of_the_sales(lakes: dict[str, Lake], kind: str) -> None:
    sales = [net for lines in ORDERS[kind].values() for what, net in lines if what == "sale"]
    kpis = lakes[kind].snapshot(KPIS_DAILY).read()
    assert kpis["revenue_all"].sum() == sum(map(Decimal, sales))
    assert stale_tables(lakes[kind]) == []


@pytest.mark.parametrize(
    ("kind", "source", "counted"),
    [
        ("shopify-export", "shopify_orders", [(11, 12, 0, 0, 12, 0, 0)]),
        ("shopify-export", "shopify_customers", [(1, 1, 0, 0, 1, 0, 0)]),
        # The second file brings order 5101 again: its three lines of the first are repeated.
        (
            *("shopify-api", "shopify_api_orders"),
            [(6, 9, 1, 0, 5, 3, 0), (1, 4, 0, 0, 4, 0, 0)],
        ),
        ("woocommerce", "woocommerce_orders", [(9, 11, 0, 0, 11, 0, 0)]),
        (
            *("online-retail", "online_retail"),
            [(6, 6, 0, 0, 6, 0, 0), (2, 2, 0, 0, 2, 0, 0), (3, 3, 0, 0, 2, 1, 0)],
        ),
        (
            *("lines-of-one-order", "purchases"),
            [
                *((5, 5, 0, 0, 4, 1, 0), (6, 6, 0, 4, 2, 0, 0)),
                *((8, 8, 0, 0, 8, 0, 0), (2, 2, 0, 0, 1, 0, 1)),
            ],
        ),
    ],
)
def test_lines_are_counted_and_records_beside_them(
    lakes: dict[str, Lake], kind: str, source: str, counted: list[tuple[int, ...]]
) -> None:
    assert counts(lakes[kind], source) == counted


@pytest.mark.slow
@ALL_KINDS
def test_any_order_of_the_files_gives_equal_tables(
    lakes: dict[str, Lake], kind: str, tmp_path: Path
) -> None:
    files = sorted(path for path in (CASES / kind).glob("*/*") if path.is_file())
    # Backward, and beginning in the middle.
    some = [files[::-1], files[len(files) // 2 :] + files[: len(files) // 2]]
    for number, files_in_order in enumerate(some):
        landing, lake = tmp_path / f"{number}", Lake(str(tmp_path / f"lake-{number}"))
        for path in files_in_order:
            folder = landing / path.parent.name
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, folder)
            refresh_silver(lake, landing)
        wanted, found = contents(lakes[kind], SILVER), contents(lake, SILVER)
        assert [name for name in wanted if not wanted[name].equals(found[name])] == []


def test_a_discount_of_a_shopify_export_lies_on_its_lines(lakes: dict[str, Lake]) -> None:
    lake = lakes["shopify-export"]
    columns = ("purchase_amount", "discount_amount", "quantity")
    assert order(lake, "#1001", *columns) == [
        (Decimal("60.00"), Decimal("6.00"), Decimal(2)),
        (Decimal("40.00"), Decimal("4.00"), Decimal(1)),
    ]
    assert once(lake, "#1001", "coupon_used", "currency") == (True, "EUR")
    assert at(lake, "#1001") == "2024-02-01 21:50:26"
    assert sum(net for (net,) in order(lake, "#1008", "net_amount")) == Decimal("40.00")


def test_a_refund_of_a_shopify_export_is_dated_by_the_order(lakes: dict[str, Lake]) -> None:
    assert at(lakes["shopify-export"], "#1002") == "2024-02-03 04:30:00"


def test_a_customer_of_shopify_is_a_profile_without_the_guard(lakes: dict[str, Lake]) -> None:
    profiles = lakes["shopify-export"].snapshot(CUSTOMERS).read()
    columns = ("customer_id", "name", "email", "city", "country")
    assert profiles.select(columns).rows() == [
        ("7000000000001", "One Example", "one@example.org", "Ulm", "Germany")
    ]


def test_an_order_object_of_shopify_has_a_line_for_each_item(lakes: dict[str, Lake]) -> None:
    lake = lakes["shopify-api"]
    columns = ("customer_id", "currency", "payment_method")
    assert once(lake, "#A101", *columns) == ("77", "EUR", "paypal")
    moments = [f"{moment:%Y-%m-%d %H:%M}" for (moment,) in order(lake, "#A101", "purchase_date")]
    assert moments == ["2024-02-02 03:00"] * 3 + ["2024-03-04 10:00"]
    assert all(used for (used,) in order(lake, "#A101", "coupon_used")[:3])
    assert [f"{day}" for (day,) in order(lake, "#A102", "purchase_day")] == [
        *("2024-02-02", "2024-02-20")
    ]
    assert once(lake, "#A104", "customer_id") == (None,)


def test_an_order_of_woocommerce_is_worth_its_items_without_tax(lakes: dict[str, Lake]) -> None:
    lake = lakes["woocommerce"]
    columns = ("purchase_amount", "discount_amount")
    assert order(lake, "701", *columns) == [
        (Decimal("30.00"), Decimal("3.00")),
        (Decimal("5.00"), Decimal("0.50")),
    ]
    common = ("customer_id", "payment_method", "coupon_used")
    assert once(lake, "701", *common) == ("12", "bank_transfer", True)
    assert at(lake, "701") == "2024-05-08 20:15:00"


def test_customer_zero_of_woocommerce_is_no_account(lakes: dict[str, Lake]) -> None:
    lines = lakes["woocommerce"].snapshot(PURCHASES).read()
    assert "0" not in lines["customer_id"].to_list()
    assert (
        lines.filter(pl.col("order_id").is_in(["702", "703", "705"]))["customer_id"].to_list()
        == [None] * 3
    )


def test_the_layouts_of_online_retail_are_read_alike(lakes: dict[str, Lake]) -> None:
    lake = lakes["online-retail"]
    names = ("900001", "900002", "900003", "C900004", "900201")
    assert [at(lake, name) for name in names] == [
        *("2010-12-01 08:26:00", "2010-12-09 12:50:00", "2010-12-13 09:02:00"),
        *("2010-12-14 09:02:00", "2011-12-07 10:00:00"),
    ]
    owners = ("900101", "900201", "C900202", "900005")
    assert [once(lake, name, "customer_id")[0] for name in owners] == [
        *("50001", "50003", "50003", None)
    ]


def test_lines_without_a_number_are_numbered_and_repetitions_are_one(
    lakes: dict[str, Lake],
) -> None:
    lake = lakes["lines-of-one-order"]
    numbers = {name: [n for (n,) in order(lake, name, "line_number")] for name in ("X1", "X2")}
    assert numbers == {"X1": [1, 2, 3], "X2": [1]}
    assert order(lake, "Y5", "line_number") + order(lake, "Y6", "line_number") == [
        *((7,), (13579246801,))
    ]


def test_what_only_the_first_line_of_an_order_says_holds_for_all(lakes: dict[str, Lake]) -> None:
    lake = lakes["lines-of-one-order"]
    assert once(lake, "Z1", "customer_id", "purchase_day") == ("C1", date(2024, 2, 3))
    columns = ("customer_id", "payment_method", "coupon_used", "currency")
    assert once(lake, "Z2", *columns) == ("C2", "paypal", True, "EUR")
    # The lines that have a customer disagree.
    assert order(lake, "Z3", "customer_id") == [("C3",), ("C4",), (None,)]
    assert lake.snapshot(KPIS_DAILY).read()["anonymous_revenue"].sum() == Decimal("43.00")


def test_of_two_lines_under_one_key_the_later_one_stands(lakes: dict[str, Lake]) -> None:
    repeats = lakes["lines-of-one-order"].snapshot(PURCHASE_REPEATS).read()
    beaten = repeats.filter(pl.col("order_id") == "V1").select("net_amount", "fate").rows()
    assert beaten == [(Decimal("11.11"), "superseded")]


@dataclass(frozen=True)
class InvoiceLine:
    """A line of Online Retail, before it is written in one of the layouts."""

    invoice: str
    article: str
    quantity: int
    at: datetime
    price: str
    customer: int | None
    country: str


NAMES = ("Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID")
PUBLISHED = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"


def as_published(lines: Sequence[InvoiceLine]) -> bytes:
    """The CSV that is made from UCI's workbook: customers are floats."""
    rows = [
        f"{one.invoice},{one.article},A NAME,{one.quantity},{one.at:%Y-%m-%d %H:%M:%S},{one.price},"
        f"{'' if one.customer is None else f'{one.customer}.0'},{one.country}"
        for one in lines
    ]
    return "\n".join([PUBLISHED, *rows]).encode()


def month_first(lines: Sequence[InvoiceLine]) -> bytes:
    """The CSV that a spreadsheet of the United States writes."""
    rows = [
        f"{one.invoice},{one.article},A NAME,{one.quantity},"
        f"{one.at.month}/{one.at.day}/{one.at.year} {one.at.hour}:{one.at:%M},{one.price},"
        f"{'' if one.customer is None else one.customer},{one.country}"
        for one in lines
    ]
    return "\r\n".join([PUBLISHED, *rows, ""]).encode()


def second_workbook(lines: Sequence[InvoiceLine]) -> bytes:
    """Online Retail II: a workbook in which moments are numbers with a date format."""
    rows: list[list[Cell]] = [[*NAMES, "Country"]]
    rows += [
        [
            *(int(one.invoice) if one.invoice.isdigit() else one.invoice, one.article, "A NAME"),
            *(one.quantity, _serial(one.at), float(one.price), one.customer, one.country),
        ]
        for one in lines
    ]
    return workbook({"Year 2010-2011": rows})


def _serial(moment: datetime) -> tuple[float, str]:
    return (moment - datetime(1899, 12, 30)) / timedelta(days=1), "dd/mm/yyyy hh:mm"


LAYOUTS = {
    "published.csv": as_published,
    "month-first.csv": month_first,
    "second.xlsx": second_workbook,
}
WHERE_FROM = ["object", "fingerprint"]
DECIDING = InvoiceLine("900009", "A1", 1, datetime(2010, 12, 13, 9, 2), "4.25", 50001, "France")


@st.composite
def invoices(draw: st.DrawFn) -> list[InvoiceLine]:
    moments = st.datetimes(datetime(2010, 12, 1), datetime(2011, 12, 9)).map(
        lambda at: at.replace(second=0, microsecond=0)
    )
    drawn = []
    for number in range(draw(st.integers(1, 5))):
        back = draw(st.booleans())
        invoice = f"{'C' if back else ''}{900010 + number}"
        head = draw(moments), draw(st.sampled_from([50001, 50002, None])), draw(COUNTRIES)
        drawn += [
            InvoiceLine(
                invoice,
                draw(st.sampled_from(["A1", "A2", "85123A"])),
                draw(st.integers(1, 500)) * (-1 if back else 1),
                head[0],
                f"{Decimal(draw(st.integers(0, 100_000))) / 100}",
                *head[1:],
            )
            for _ in range(draw(st.integers(1, 4)))
        ]
    # A day above 12 decides for the file with the month first.
    return draw(st.permutations([DECIDING, *drawn]))


COUNTRIES = st.sampled_from(["United Kingdom", "France", "EIRE", "Unspecified"])


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(invoices())
def test_the_same_orders_in_any_layout_of_online_retail_give_equal_lines(
    lines: list[InvoiceLine],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        first, *others = (tried(Path(folder), name, lines) for name in LAYOUTS)
    assert [other.equals(first) for other in others] == [True, True]
    assert first["unreadable"].null_count() == first["guessed"].null_count() == first.height


def tried(folder: Path, name: str, lines: Sequence[InvoiceLine]) -> pl.DataFrame:
    """The lines of a file in one of the layouts, as silver would have them."""
    path = folder / f"2011-12-09-{name}"
    path.write_bytes(LAYOUTS[name](lines))
    found = dry_run(path, ONLINE_RETAIL, Lake(f"{folder}/lake"), folder)
    assert found.refused.is_empty()
    return found.accepted.drop(WHERE_FROM).sort("order_id", "pos")


def test_the_same_orders_in_any_layout_of_online_retail_give_equal_tables(tmp_path: Path) -> None:
    when = datetime(2010, 12, 1, 8, 26)
    orders = [
        InvoiceLine("900001", "A1", 6, when, "2.55", 50001, "United Kingdom"),
        InvoiceLine("900001", "A1", 6, when, "2.55", 50001, "United Kingdom"),
        InvoiceLine("900001", "A2", 1, when, "3.39", 50001, "United Kingdom"),
        DECIDING,
        InvoiceLine("C900002", "A1", -1, datetime(2010, 12, 9, 10), "2.55", 50001, "France"),
        InvoiceLine("900003", "A3", 1, datetime(2010, 12, 2, 12), "0", None, "EIRE"),
    ]
    tables = []
    for name, written in LAYOUTS.items():
        folder = tmp_path / name / "online_retail"
        folder.mkdir(parents=True)
        (folder / f"2010-12-15{Path(name).suffix}").write_bytes(written(orders))
        lake = Lake(str(tmp_path / name / "lake"))
        refresh_silver(lake, tmp_path / name)
        tables.append({path: _without_place(t) for path, t in contents(lake, SILVER).items()})
    first, *others = tables
    assert first[PURCHASES.path].height == 5
    for other in others:
        assert [path for path in first if not first[path].equals(other[path])] == []


def _without_place(table: pl.DataFrame) -> pl.DataFrame:
    return table.drop(WHERE_FROM, strict=False)
