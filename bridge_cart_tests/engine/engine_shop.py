"""A dirty shop that is taken in twice: without an engine and with one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bridge_cart_assets.engine.engine import Engine, Frames, InProcess, Keyed, Output
from bridge_cart_assets.generator.arguments import Shop
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline import chain
from bridge_cart_assets.settings import SilverSettings
from bridge_cart_assets.tables.gold import INTERNAL as GOLD_INTERNAL
from bridge_cart_assets.tables.silver import INTERNAL as SILVER_INTERNAL
from bridge_cart_tests.generator.shop_factory import make
from bridge_cart_tests.lakehouse.tables import ALL, contents, differences

# More than 90 days, so that windows of days are full and a value model is judged.
SHOP = Shop(250, 100, newcomers=2.0, dirt=0.35, guests=0.2, second_accounts=0.05)
LATER = (101, 104)
TABLES = (*ALL, *SILVER_INTERNAL, *GOLD_INTERNAL)


class Sending(InProcess):
    """An engine in this process whose functions get there as they get to other machines."""

    def per_key(self, function: Callable[..., Frames], *inputs: Keyed) -> tuple[Output, ...]:
        cloudpickle = pytest.importorskip("pyspark.cloudpickle")
        return super().per_key(cloudpickle.loads(cloudpickle.dumps(function)), *inputs)


def land(data: Path, shop: Shop = SHOP, days: int = SHOP.days) -> None:
    """Land the shop's files of its first days."""
    make(replace(shop, days=days), data)


def take_in(data: Path, engine: Engine | None, lake: str = "lake") -> Lake:
    """Take in what has landed; two lakes of one folder have the same key of addresses."""
    taken = Lake(str(data / lake))
    settings = SilverSettings(identity_key=data / "identity.key")
    chain.run(taken, data / "landing", engine=engine, settings=settings)
    return taken


def fold_in(data: Path, lake: str) -> None:
    """Fold what has landed into silver, as another run does it meanwhile."""
    settings = SilverSettings(identity_key=data / "identity.key")
    chain.refresh_silver(Lake(str(data / lake)), data / "landing", settings=settings)


def unequal(one: Lake, other: Lake) -> list[str]:
    """The tables of silver and gold, the internal ones too, whose rows differ."""
    return differences(contents(one, TABLES), contents(other, TABLES))
