"""Guests, two accounts of one person and an address of a whole desk, as a shop lands them."""

import json
import shutil
from pathlib import Path

import duckdb
import polars as pl
import pytest

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline import run
from bridge_cart_assets.pipeline.stored_tables import STORED_TABLES
from bridge_cart_assets.settings import SilverSettings
from bridge_cart_assets.tables.silver import CUSTOMERS, PURCHASES
from bridge_cart_tests.conftest import Command

CASE = Path(__file__).parent / "guests-and-identities"


def land(root: Path, *sources: str) -> None:
    for source in sources or ("customers", "purchases"):
        shutil.copytree(CASE / source, root / "landing" / source)


def buyers(root: Path) -> dict[str, tuple[str | None, str | None]]:
    """Customer and received customer of each order."""
    rows = Lake(str(root / "lake")).snapshot(PURCHASES).read()
    columns = rows.select("order_id", "customer_id", "received_customer_id")
    return {order: (customer, received) for order, customer, received in columns.iter_rows()}


def expect_persons(root: Path) -> str:
    """Hold the orders against what the shop's owner would say; gives the guest."""
    found = buyers(root)
    guest = str(found["G3"][0])
    assert guest.startswith("guest-")
    assert found == {
        "G1": ("a1", None),
        "G2": ("a1", "a1"),
        "G3": (guest, None),
        "G4": (guest, None),
        "G5": ("a2", "b7"),
        "G6": ("m3", "m3"),
        "G7": (None, None),
    }
    return guest


def test_the_command_makes_one_person_of_an_address(tmp_path: Path, command: Command) -> None:
    land(tmp_path)
    done = command("run")
    assert done.returncode == 0, done.stderr
    guest = expect_persons(tmp_path)
    assert "1 address of more than 5 accounts" in done.stderr
    with duckdb.connect(str(tmp_path / "bridge_cart.duckdb"), read_only=True) as connection:
        sold = connection.execute(
            "SELECT customer_id, net_revenue FROM gold.customer_features ORDER BY net_revenue"
        ).fetchall()
    assert [(one, float(amount)) for one, amount in sold] == [
        ("a1", 3),
        (guest, 12),
        ("a2", 16),
        ("m3", 32),
    ]
    key = tmp_path / "identity.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(bytes.fromhex(key.read_text())) == 32
    refused = command("run", BRIDGE_CART_IDENTITY="off")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "bridge-cart rebuild" in refused.stderr
    rebuilt = command("rebuild", BRIDGE_CART_IDENTITY="off")
    assert rebuilt.returncode == 0, rebuilt.stderr
    anonymous = {
        order: customer for order, (customer, _) in buyers(tmp_path).items() if not customer
    }
    assert anonymous.keys() == {"G1", "G3", "G4", "G7"}
    assert buyers(tmp_path)["G5"] == ("b7", "b7")


def with_key(root: Path) -> SilverSettings:
    return SilverSettings(identity_key=root / "identity.key")


@pytest.mark.parametrize("first", ["customers", "purchases"])
def test_the_order_of_the_files_does_not_matter(tmp_path: Path, first: str) -> None:
    land(tmp_path, first)
    lake = Lake(str(tmp_path / "lake"))
    run(lake, tmp_path / "landing", settings=with_key(tmp_path))
    land(tmp_path, *{"customers", "purchases"} - {first})
    run(lake, tmp_path / "landing", settings=with_key(tmp_path))
    expect_persons(tmp_path)


def test_an_address_stands_where_it_may_and_nowhere_else(tmp_path: Path) -> None:
    land(tmp_path)
    lake = Lake(str(tmp_path / "lake"))
    run(lake, tmp_path / "landing", settings=with_key(tmp_path))
    found = set()
    for table in STORED_TABLES:
        rows = lake.snapshot(table).read()
        texts = rows.select(pl.selectors.string())
        log = Path(lake.uri(table), "_delta_log").glob("*.json")
        in_log = any("example.org" in entry.read_text() for entry in log)
        if in_log or "example.org" in json.dumps(texts.rows()):
            found.add(table.path)
    assert found == {"raw/customers", "raw/purchases", CUSTOMERS.path}


@pytest.mark.slow
def test_another_key_is_refused_until_a_rebuild(tmp_path: Path, command: Command) -> None:
    land(tmp_path)
    assert command("run").returncode == 0
    (tmp_path / "identity.key").unlink()
    landed = tmp_path / "landing" / "purchases" / "2024-02-21.csv"
    landed.write_text(
        "order_id,email,purchase_date,purchase_amount\nG8,x@example.org,2024-02-21,1\n"
    )
    refused = command("run")
    assert refused.returncode == 1
    assert "identity.key" in refused.stderr
    assert "rebuild" in refused.stderr
    assert command("rebuild").returncode == 0
    assert len({customer for customer, _ in buyers(tmp_path).values()}) == 6


@pytest.mark.parametrize(
    ("kind", "accounts", "guests", "anonymous"),
    [
        (
            "woocommerce",
            {"701": "12", "704": "12", "706": "13", "707": "13", "708": "13", "709": "13"},
            [{"702", "703"}],
            {"705"},
        ),
        (
            "shopify-export",
            {"#1001": "7000000000001", "#1008": "7000000000001"},
            [{"#1002", "#1003", "#1004"}, {"#1006"}],
            {"#1005"},
        ),
    ],
)
def test_guests_of_shop_programs_are_accounts_by_their_address(
    tmp_path: Path,
    kind: str,
    accounts: dict[str, str],
    guests: list[set[str]],
    anonymous: set[str],
) -> None:
    """WooCommerce's customer 0 is no customer; Shopify's export has addresses only."""
    lake = Lake(str(tmp_path / "lake"))
    run(lake, CASE.parent / kind, settings=with_key(tmp_path))
    found = {order: customer for order, (customer, _) in buyers(tmp_path).items()}
    orders_of: dict[str, set[str]] = {}
    for order, customer in found.items():
        if str(customer).startswith("guest-"):
            orders_of.setdefault(str(customer), set()).add(order)
    assert sorted(orders_of.values(), key=min) == guests
    assert {order for order, customer in found.items() if customer is None} == anonymous
    others = {order: found[order] for order in found.keys() - anonymous - set().union(*guests)}
    assert others == accounts
