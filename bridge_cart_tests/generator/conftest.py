"""Two shops that the tests look at, made once: a dirty one and one that lasts for a year."""

import csv
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from bridge_cart_assets.generator.shop import Landed, Shop, generate


@dataclass(frozen=True)
class Made:
    """A generated shop and its folder."""

    shop: Shop
    data: Path
    landed: Landed

    def truth(self, table: str) -> pl.DataFrame:
        return pl.read_parquet(self.data / "truth" / f"{table}.parquet")

    def records(self) -> dict[tuple[str, int], dict[str, str]]:
        """Every landed record by file and position, read by Python's own CSV reader."""
        landing = self.data / "landing"
        return {
            (file.relative_to(landing).as_posix(), position): record
            for file in sorted(landing.rglob("*.csv"))
            for position, record in enumerate(_read(file), start=1)
        }


def make(shop: Shop, data: Path) -> Made:
    return Made(shop, data, generate(shop, data))


def _read(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


@pytest.fixture(scope="session")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(Shop(customers=3_000, days=45, dirt=0.4), tmp_path_factory.mktemp("dirty"))


@pytest.fixture(scope="session")
def year(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(Shop(customers=4_000, days=365), tmp_path_factory.mktemp("year"))
