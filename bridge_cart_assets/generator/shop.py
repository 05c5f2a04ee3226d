"""A synthetic shop: `generate(Shop(customers=2_000, days=90), Path("data"))`.

Belongs here: what a shop is made from and the order of the work. Does not belong here: the work.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from bridge_cart_assets.generator import behaviour, carts, people, pools, profiles, truth
from bridge_cart_assets.generator.chance import Ints, Stream, stream
from bridge_cart_assets.generator.dirt import CUSTOMER_DEFECTS, MANIFEST, PURCHASE_DEFECTS, spoil
from bridge_cart_assets.generator.landing import COLUMNS, CUSTOMERS, PURCHASES, as_text, land

EARLIEST, LATEST = date(1970, 1, 1), date(2100, 12, 31)
# Days are turned into text and spoilt in blocks of about so many records.
BLOCK = 250_000
# Part of the arguments in truth/shop.json: raise it when the same arguments give other bytes.
EDITION = 1
SOURCES = (CUSTOMERS, PURCHASES)
DEFECTS = {CUSTOMERS: CUSTOMER_DEFECTS, PURCHASES: PURCHASE_DEFECTS}
DIRT = {CUSTOMERS: Stream.DIRT_CUSTOMERS, PURCHASES: Stream.DIRT_PURCHASES}


@dataclass(frozen=True)
class Shop:
    """What a shop is made from; the same arguments give the same bytes.

    Attributes:
        customers: how many people sign up.
        days: how many days the shop is watched.
        start: the first of them.
        seed: another seed, another shop.
        dirt: share of the records with a defect.

    Raises:
        ValueError: an argument is not accepted; the message says what is.
    """

    customers: int
    days: int
    start: date = date(2024, 1, 1)
    seed: int = 7
    dirt: float = 0.02

    def __post_init__(self) -> None:
        """Refuse what cannot be a shop."""
        if self.customers < 1:
            raise ValueError(f"customers={self.customers} is not accepted: at least 1")
        if self.days < 1:
            raise ValueError(f"days={self.days} is not accepted: at least 1")
        if self.seed < 0:
            raise ValueError(f"seed={self.seed} is not accepted: 0 or more")
        if not 0 <= self.dirt <= 1:
            raise ValueError(f"dirt={self.dirt} is not accepted: a share from 0 to 1")
        if self.start < EARLIEST:
            raise ValueError(f"start={self.start} is not accepted: {EARLIEST} or later")
        if self.start.toordinal() + self.days - 1 > LATEST.toordinal():
            raise ValueError(
                f"days={self.days} from start={self.start} is not accepted: "
                f"the last day must be {LATEST} or before"
            )

    @property
    def arguments(self) -> dict[str, object]:
        """The arguments as they stand in truth/shop.json."""
        return {
            "edition": EDITION,
            "customers": self.customers,
            "days": self.days,
            "start": self.start.isoformat(),
            "seed": self.seed,
            "dirt": float(self.dirt),
        }


@dataclass(frozen=True)
class Landed:
    """What was written.

    Attributes:
        files: files in the landing zone.
        customers: people who signed up.
        lines: order-line records in the files, copies and corrections included.
    """

    files: int
    customers: int
    lines: int


def generate(shop: Shop, data: Path, progress: Callable[[int, int], None] | None = None) -> Landed:
    """Land a shop's customers and purchases as daily files, and write the truth beside them.

    A day without records has no file.

    Args:
        shop: what to make.
        data: working folder; gets `landing/customers/`, `landing/purchases/` and `truth/`.
        progress: called after each day with the days done and the days in all.

    Raises:
        truth.AnotherShop: landing holds the files of another shop.
    """
    truth.claim(data, shop.arguments, SOURCES)
    tidy = _draw(shop)
    ends = {source: _ends_of_days(records, shop) for source, records in tidy.items()}
    chance = {source: stream(shop.seed, DIRT[source]) for source in SOURCES}
    places: dict[str, list[pl.Series]] = {source: [] for source in SOURCES}
    manifests = [pl.DataFrame(schema=MANIFEST)]
    files = lines = 0
    for first, last in _blocks(sum(ends.values())):
        landing = {}
        for source in SOURCES:
            begin, end = int(ends[source][first]), int(ends[source][last])
            spoilt = spoil(
                as_text(tidy[source][begin:end], source),
                source=source,
                defects=DEFECTS[source],
                rate=shop.dirt,
                rng=chance[source],
            )
            manifests.append(spoilt.manifest)
            originals = spoilt.records.filter(~pl.col("_copy")).sort("_row")
            places[source].append(originals["_record"])
            landing[source] = spoilt.records
        ...
