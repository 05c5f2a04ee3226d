"""A shop: its arguments, its bytes, its folder."""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from bridge_cart_assets.generator.shop import Shop, generate
from bridge_cart_assets.generator.truth import AnotherShopError

SMALL = Shop(customers=60, days=12, dirt=0.2)


def contents(data: Path) -> dict[str, bytes]:
    files = (file for file in sorted(data.rglob("*")) if file.is_file())
    return {file.relative_to(data).as_posix(): file.read_bytes() for file in files}


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


def test_the_same_arguments_again_write_the_same_bytes_once_more(tmp_path: Path) -> None:
    first = generate(SMALL, tmp_path)
    before = contents(tmp_path)
    (tmp_path / "landing/customers/2024-01-01.csv").write_text("spoilt")
    assert generate(SMALL, tmp_path) == first
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    "other",
    [
        Shop(customers=61, days=12, dirt=0.2),
        Shop(customers=60, days=13, dirt=0.2),
        Shop(customers=60, days=12, dirt=0.3),
        Shop(customers=60, days=12, dirt=0.2, seed=8),
        Shop(customers=60, days=12, dirt=0.2, start=date(2024, 1, 2)),
    ],
)
def test_another_shop_is_refused_and_what_is_there_stays(tmp_path: Path, other: Shop) -> None:
    (tmp_path / "landing/customers").mkdir(parents=True)
    (tmp_path / "landing/customers/2024-01-01.csv").write_text("customer_id\n")
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth/shop.json").write_text(
        '{"edition": 1, "customers": 60, "days": 12, "start": "2024-01-01", "seed": 7, "dirt": 0.2}'
    )
    before = contents(tmp_path)
    with pytest.raises(AnotherShopError, match=r"choose another folder, or remove .*landing and"):
        generate(other, tmp_path)
    assert contents(tmp_path) == before
    generate(SMALL, tmp_path)


def test_files_that_no_shop_accounts_for_are_refused(tmp_path: Path) -> None:
    (tmp_path / "landing/purchases").mkdir(parents=True)
    (tmp_path / "landing/purchases/export.csv").write_text("order_id\n")
    with pytest.raises(AnotherShopError):
        generate(SMALL, tmp_path)


def test_foreign_sources_and_hidden_files_are_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "landing/online_retail").mkdir(parents=True)
    (tmp_path / "landing/online_retail/2010-12-01.csv").write_text("InvoiceNo\n")
    (tmp_path / "landing/customers").mkdir()
    (tmp_path / "landing/customers/.gitkeep").touch()
    assert generate(SMALL, tmp_path).customers == 60


@pytest.mark.parametrize(
    ("wrong", "accepted"),
    [
        ({"customers": 0}, "at least 1"),
        ({"days": 0}, "at least 1"),
        ({"seed": -1}, "0 or more"),
        ({"dirt": 1.01}, "a share from 0 to 1"),
        ({"dirt": -0.01}, "a share from 0 to 1"),
        ({"dirt": float("nan")}, "a share from 0 to 1"),
        ({"start": date(1969, 12, 31)}, "1970-01-01 or later"),
        ({"start": date(2100, 12, 30), "days": 3}, "2100-12-31 or before"),
        ({"days": 10**9}, "2100-12-31 or before"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(wrong: dict[str, object], accepted: str) -> None:
    with pytest.raises(ValueError, match=accepted) as refusal:
        Shop(**{"customers": 10, "days": 10, **wrong})  # type: ignore[arg-type]
    assert "\n" not in str(refusal.value)
    assert str(next(iter(wrong.values()))) in str(refusal.value)


@pytest.mark.parametrize("dirt", [0.0, 1.0])
@pytest.mark.parametrize(
    "shop", [Shop(1, 1), Shop(1, 40), Shop(40, 1), Shop(5, 2, start=date(2100, 12, 30))]
)
def test_the_smallest_shops_land_too(tmp_path: Path, shop: Shop, dirt: float) -> None:
    small = Shop(shop.customers, shop.days, start=shop.start, dirt=dirt)
    landed = generate(small, tmp_path)
    assert landed.customers == shop.customers
    assert landed.files == len(list(tmp_path.glob("landing/*/*.csv")))
    assert not list(tmp_path.rglob("*.tmp"))


def test_progress_is_told_for_every_day(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    generate(Shop(customers=3, days=9), tmp_path, lambda done, days: told.append((done, days)))
    assert told == [(day, 9) for day in range(1, 10)]
