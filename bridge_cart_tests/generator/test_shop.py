"""A shop: its arguments, its bytes, its folder, and how it goes on."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from bridge_cart_assets.generator import days
from bridge_cart_assets.generator.arguments import Shop
from bridge_cart_assets.generator.ground_truth import TABLES, AnotherShopError, NoShopError
from bridge_cart_assets.generator.landing import Form
from bridge_cart_assets.generator.shop import generate

SMALL = Shop(customers=60, days=12, dirt=0.2)
# Of edition 3, with the locked packages.
BYTES = "3ed3916a90c78b3c"
LIVELY = Shop(customers=250, days=260, newcomers=1.5, dirt=0.3)


def contents(data: Path, folder: str = "") -> dict[str, bytes]:
    root = data / folder
    files = (file for file in sorted(root.rglob("*")) if file.is_file())
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in files}


def truth(data: Path) -> dict[str, list[tuple[object, ...]]]:
    tables = {name: pl.read_parquet(data / "truth" / name) for name in TABLES}
    return {name: table.sort(table.columns).rows() for name, table in tables.items()}


def until(landed: Mapping[str, bytes], day: date) -> dict[str, bytes]:
    """The files up to a batch day."""
    return {
        name: content
        for name, content in landed.items()
        if date.fromisoformat(name.partition("/")[2][:10]) <= day
    }


def test_the_same_arguments_give_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    generate(SMALL, tmp_path / "here")
    script = (
        "from pathlib import Path; from bridge_cart_assets.generator.shop import Shop, generate;"
        f"generate(Shop(customers=60, days=12, dirt=0.2), Path({str(tmp_path / 'there')!r}))"
    )
    environment = {
        **os.environ,
        "PYTHONHASHSEED": "1",
        "POLARS_MAX_THREADS": "1",
        "TZ": "Asia/Tokyo",
    }
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)
    assert contents(tmp_path / "here") == contents(tmp_path / "there")


@pytest.fixture(scope="module")
def lively(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("lively")
    generate(LIVELY, data)
    return data


@pytest.mark.parametrize("fewer", [1, 20, 259])
def test_a_longer_run_begins_with_the_days_of_a_shorter_one(
    lively: Path, tmp_path: Path, fewer: int
) -> None:
    generate(replace(LIVELY, days=fewer), tmp_path)
    last = LIVELY.start + timedelta(days=fewer - 1)
    shorter = contents(tmp_path, "landing")
    assert shorter
    assert shorter == until(contents(lively, "landing"), last)


@pytest.mark.slow
def test_a_shop_that_goes_on_is_the_shop_that_was_made_at_once(
    lively: Path, tmp_path: Path
) -> None:
    # Of the last stretch not all days before it are written again on the way: 115 are.
    for until_day in (80, 81, 82, 200, 260):
        generate(replace(LIVELY, days=until_day), tmp_path)
    assert contents(tmp_path, "landing") == contents(lively, "landing")
    assert truth(tmp_path) == truth(lively)


@pytest.mark.slow
def test_the_bytes_do_not_depend_on_how_many_days_are_worked_on_together(
    lively: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(days, "ORDERS_TOGETHER", 40)
    generate(LIVELY, tmp_path)
    assert len(list((tmp_path / "truth/purchases").iterdir())) > 10
    assert contents(tmp_path, "landing") == contents(lively, "landing")
    assert truth(tmp_path) == truth(lively)


def test_days_that_have_landed_are_left_alone(tmp_path: Path) -> None:
    generate(SMALL, tmp_path)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")}
    assert generate(SMALL, tmp_path).days == 0
    assert generate(replace(SMALL, days=3), tmp_path).files == 0
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")} == before


def test_a_run_that_was_interrupted_is_made_good_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(days, "ORDERS_TOGETHER", 40)
    shop = replace(LIVELY, days=60)
    generate(shop, tmp_path / "at once")

    def interrupt(done: int, _: int) -> None:
        if done > 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(shop, tmp_path / "twice", interrupt)
    (tmp_path / "twice/landing/purchases/2024-02-29.csv").write_text("torn")
    generate(shop, tmp_path / "twice")
    for name in ("landing", "truth"):
        assert contents(tmp_path / "twice", name) == contents(tmp_path / "at once", name)


def test_files_that_were_removed_are_made_again(tmp_path: Path) -> None:
    generate(SMALL, tmp_path)
    before = contents(tmp_path)
    for file in tmp_path.glob("landing/*/*"):
        file.unlink()
    assert generate(SMALL, tmp_path).days == 12
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    "other",
    [
        replace(SMALL, customers=61),
        replace(SMALL, dirt=0.3),
        replace(SMALL, seed=8),
        replace(SMALL, start=date(2024, 1, 2)),
        replace(SMALL, newcomers=1),
        replace(SMALL, rates={"orphan": 0.1}),
        replace(SMALL, form=Form.NDJSON),
        replace(SMALL, gz=True),
    ],
)
def test_another_shop_is_refused_and_what_is_there_stays(tmp_path: Path, other: Shop) -> None:
    generate(SMALL, tmp_path)
    before = contents(tmp_path)
    with pytest.raises(AnotherShopError, match="choose another folder"):
        generate(other, tmp_path)
    assert contents(tmp_path) == before


def test_another_shop_is_refused_where_the_files_were_taken_away(tmp_path: Path) -> None:
    """The lake beside them may have taken them in."""
    generate(SMALL, tmp_path)
    for file in tmp_path.glob("landing/*/*"):
        file.unlink()
    with pytest.raises(AnotherShopError):
        generate(replace(SMALL, seed=8), tmp_path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"edition": 1}, "edition 1 of the generator"),
        ({"start": 7}, "shop.json is damaged"),
        ({"rates": 5}, "shop.json is damaged"),
        ({"customers": "many"}, "shop.json is damaged"),
        ({"until": "soon"}, "shop.json is damaged"),
    ],
)
def test_a_shop_that_cannot_go_on_is_named(
    tmp_path: Path, change: dict[str, object], says: str
) -> None:
    generate(SMALL, tmp_path)
    file = tmp_path / "truth/shop.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(ValueError, match=says):
        generate(Shop.asked_for(tmp_path, date(2024, 2, 1)), tmp_path)


def test_shares_that_add_up_to_one_are_accepted() -> None:
    assert Shop(5, 5, dirt=0.11, rates={"orphan": 0.55, "late_arrival": 0.34})


def test_the_bytes_are_those_of_this_edition(tmp_path: Path) -> None:
    generate(replace(LIVELY, days=60), tmp_path)
    found = hashlib.sha256(b"".join(contents(tmp_path, "landing").values())).hexdigest()
    assert found[:16] == BYTES, "the same arguments give other bytes: raise EDITION, then this"


def test_files_that_no_shop_accounts_for_are_refused(tmp_path: Path) -> None:
    (tmp_path / "landing/purchases").mkdir(parents=True)
    (tmp_path / "landing/purchases/export.csv").write_text("order_id\n")
    with pytest.raises(AnotherShopError):
        generate(SMALL, tmp_path)


def test_foreign_sources_and_hidden_files_are_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "landing/online_retail").mkdir(parents=True)
    (tmp_path / "landing/online_retail/2010-12-01.csv").write_text("InvoiceNo\n")
    (tmp_path / "landing/customers").mkdir()
    for name in (".gitkeep", "_SUCCESS", "2024-01-01.csv.tmp", "2024-01-01.csv.partial"):
        (tmp_path / "landing/customers" / name).touch()
    assert generate(SMALL, tmp_path).customers == 60


@pytest.mark.parametrize(
    ("wrong", "accepted"),
    [
        ({"customers": 0}, "at least 1"),
        ({"customers": 10**30}, "at most 100,000,000"),
        ({"newcomers": 1e300}, "at most 100,000,000"),
        ({"rates": {"malformed_line": 0.1}, "form": Form.PARQUET}, "form=parquet"),
        ({"days": 0}, "at least 1"),
        ({"seed": -1}, "0 or more"),
        ({"newcomers": -1.0}, "0 or more"),
        ({"newcomers": float("inf")}, "0 or more"),
        ({"dirt": 1.01}, "a share from 0 to 1"),
        ({"dirt": -0.01}, "a share from 0 to 1"),
        ({"dirt": float("nan")}, "a share from 0 to 1"),
        ({"rates": {"orphan": 1.01}}, "a share from 0 to 1"),
        ({"rates": {"dust": 0.1}}, "orphan"),
        ({"rates": {"orphan": 0.6, "late_arrival": 0.4}}, "at most 1"),
        ({"gz": True, "form": Form.PARQUET}, "Parquet"),
        ({"start": date(1979, 12, 31)}, "1980-01-01 or later"),
        ({"start": date(2100, 12, 30), "days": 3}, "2100-12-31 or before"),
        ({"days": 10**9}, "2100-12-31 or before"),
        ({"zone": "Mars/Olympus"}, "IANA"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(wrong: dict[str, object], accepted: str) -> None:
    with pytest.raises(ValueError, match=accepted) as refusal:
        Shop(**{"customers": 10, "days": 10, **wrong})  # type: ignore[arg-type]
    assert "\n" not in str(refusal.value)


def test_a_shop_goes_on_by_its_own_arguments(tmp_path: Path) -> None:
    generate(LIVELY, tmp_path)
    assert Shop.asked_for(tmp_path, date(2024, 12, 31)) == replace(LIVELY, days=366)


@pytest.mark.parametrize(
    ("until_day", "given", "says"),
    [
        (None, {}, "--customers and --days, or --until"),
        (None, {"customers": 5}, "--customers and --days, or --until"),
        (date(2024, 1, 5), {"customers": 5, "days": 5}, "together"),
        (date(2023, 12, 31), {"customers": 5}, "begins on 2024-01-01"),
    ],
)
def test_what_is_missing_or_contradicts_itself_is_said(
    tmp_path: Path, until_day: date | None, given: dict[str, object], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        Shop.asked_for(tmp_path, until_day, **given)


def test_where_no_shop_is_none_goes_on(tmp_path: Path) -> None:
    with pytest.raises(NoShopError, match="--customers and --days"):
        Shop.asked_for(tmp_path, date(2024, 2, 1))


@pytest.mark.parametrize("dirt", [0.0, 1.0])
@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize(
    "shop", [Shop(1, 1), Shop(1, 40), Shop(40, 1), Shop(5, 2, start=date(2100, 12, 30))]
)
def test_the_smallest_shops_land_too(tmp_path: Path, shop: Shop, form: Form, dirt: float) -> None:
    landed = generate(replace(shop, dirt=dirt, form=form), tmp_path)
    assert landed.customers == shop.customers
    assert landed.files == len(list(tmp_path.glob(f"landing/*/*.{form}")))
    assert not list(tmp_path.rglob("*.tmp"))


def test_every_customer_of_the_first_day_lands_on_it(tmp_path: Path) -> None:
    generate(replace(SMALL, dirt=0), tmp_path)
    customers = pl.read_csv(tmp_path / "landing/customers/2024-01-01.csv")
    assert customers["customer_id"].n_unique() == 60


def test_progress_is_reported_up_to_the_last_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(days, "ORDERS_TOGETHER", 3)
    steps: list[tuple[int, int]] = []
    generate(Shop(customers=30, days=30), tmp_path, lambda done, all_: steps.append((done, all_)))
    assert len(steps) > 3
    assert steps == sorted(set(steps))
    assert steps[-1] == (30, 30)
