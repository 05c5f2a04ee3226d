"""Guests and second accounts of the synthetic shop, and persons found against the truth."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from bridge_cart_assets.generator.shop import Shop, generate
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.chain import refresh_silver
from bridge_cart_assets.settings import SilverSettings
from bridge_cart_assets.tables.silver import PURCHASES
from bridge_cart_tests.benchmarks.persons import Agreement, agreement, truth_of

SHOP = Shop(customers=300, days=60, dirt=0, newcomers=2, guests=0.3, second_accounts=0.1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("guests")
    generate(SHOP, folder)
    return folder


def landed(folder: Path) -> dict[str, bytes]:
    files = sorted((folder / "landing").rglob("*.*"))
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def test_the_same_arguments_give_the_same_bytes_day_by_day_too(data: Path, tmp_path: Path) -> None:
    for days in (20, 41, 60):
        generate(replace(SHOP, days=days), tmp_path)
    assert landed(tmp_path) == landed(data)


def test_guests_have_no_account_and_a_fifth_of_them_no_address(data: Path) -> None:
    orders = pl.read_parquet(data / "truth" / "purchases").unique("order_id")
    guests = orders.filter(pl.col("customer_id").is_null())
    assert guests.height / orders.height == pytest.approx(0.3, abs=0.05)
    assert guests["email"].null_count() / guests.height == pytest.approx(0.2, abs=0.07)
    accounts = orders.filter(pl.col("customer_id").is_not_null())
    assert accounts["email"].null_count() == 0
    assert (accounts["customer_id"] == accounts["buyer"]).all()


def test_all_lines_of_an_order_are_bought_alike(data: Path) -> None:
    lines = pl.read_parquet(data / "truth" / "purchases")
    alike = lines.group_by("order_id").agg(pl.struct("customer_id", "email").n_unique())
    assert alike["customer_id"].max() == 1


def test_two_accounts_of_one_person_have_one_address_and_no_others_do(data: Path) -> None:
    accounts = pl.read_parquet(data / "truth" / "accounts")
    second = accounts.filter(pl.col("customer_id") != pl.col("person_id"))
    assert second.height / accounts.height == pytest.approx(0.1, abs=0.04)
    profiles = pl.read_parquet(data / "truth" / "customers").unique("customer_id")
    persons = profiles.join(accounts, on="customer_id").group_by("email").agg("person_id")
    assert persons["person_id"].list.n_unique().max() == 1
    assert persons.height == accounts["person_id"].n_unique()


def test_without_guests_the_files_have_no_column_for_them(tmp_path: Path) -> None:
    generate(replace(SHOP, guests=0.0, days=2), tmp_path)
    header = (tmp_path / "landing/purchases/2024-01-01.csv").read_text().splitlines()[0]
    assert "email" not in header


@pytest.mark.parametrize("given", [{"guests": 1.1}, {"second_accounts": 0.6}, {"guests": -0.1}])
def test_a_share_that_is_none_is_refused(given: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="is not accepted"):
        Shop(customers=1, days=1, **given)  # type: ignore[arg-type]


def test_guests_and_other_forms_of_files_are_refused_together() -> None:
    with pytest.raises(ValueError, match="guests"):
        Shop(customers=1, days=1, guests=0.1, rates={"exports": 0.1})


def found(lines: pl.DataFrame, column: str, data: Path) -> Agreement:
    orders = lines.group_by("order_id").agg(customer_id=pl.col(column).first())
    return agreement(orders, truth_of(data))


def test_all_with_an_address_are_found_and_no_others(data: Path, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    settings = SilverSettings(identity_key=tmp_path / "identity.key")
    refresh_silver(lake, data / "landing", settings=settings)
    lines = lake.snapshot(PURCHASES).read()
    persons, received = (found(lines, c, data) for c in ("customer_id", "received_customer_id"))
    assert persons.precision == received.precision == 1
    # All pairs but those with an order without an account and an address.
    truth = truth_of(data).join(
        pl.read_parquet(data / "truth" / "purchases").unique("order_id"), on="order_id"
    )
    sizes = truth.group_by("person_id").agg(all=pl.len(), known=pl.col("email").count())
    pairs = [int((sizes[n].cast(int) * (sizes[n].cast(int) - 1)).sum()) for n in ("known", "all")]
    assert persons.recall == pytest.approx(pairs[0] / pairs[1])
    assert persons.recall > received.recall + 0.2


def test_precision_and_recall_count_pairs_of_orders() -> None:
    truth = pl.DataFrame({"order_id": ["1", "2", "3", "4"], "person_id": ["a", "a", "a", "b"]})
    made = pl.DataFrame({"order_id": ["1", "2", "3", "4"], "customer_id": ["x", "x", None, "x"]})
    assert agreement(made, truth) == Agreement(4, 1 / 3, 1 / 3)
