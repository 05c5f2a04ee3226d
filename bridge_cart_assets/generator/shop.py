"""A synthetic shop: `generate(Shop(customers=2_000, days=90), Path("data"))`.

Belongs here: what a shop is made from and the order of the work. Does not belong here: the work.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from bridge_cart_assets.generator import behaviour, carts, people, pools, profiles, truth
from bridge_cart_assets.generator.chance import Ints, Stream, stream
from bridge_cart_assets.generator.dirt import CUSTOMER_DEFECTS, MANIFEST, PURCHASE_DEFECTS, spoil
from bridge_cart_assets.generator.landing import CUSTOMERS, PURCHASES, as_text, by_day, land

EARLIEST, LATEST = date(1970, 1, 1), date(2100, 12, 31)
# Days are turned into text and spoilt in blocks of about so many records. Chance is drawn block by
# block, so another size gives other bytes.
BLOCK = 500_000
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
        truth.AnotherShopError: landing holds the files of another shop.
    """
    truth.claim(data, shop.arguments, SOURCES)
    tidy = _draw(shop)
    chance = {source: stream(shop.seed, DIRT[source]) for source in SOURCES}
    places: dict[str, list[Ints]] = {source: [] for source in SOURCES}
    manifests = [pl.DataFrame(schema=MANIFEST)]
    files = lines = 0
    for block in _blocks(shop, tidy):
        landing = {}
        for source, records in tidy.items():
            spoilt = spoil(
                as_text(_within(records, block), source),
                source=source,
                defects=DEFECTS[source],
                rate=shop.dirt,
                rng=chance[source],
            )
            places[source].append(spoilt.places)
            manifests.append(spoilt.manifest)
            landing[source] = by_day(spoilt.records)
            lines += spoilt.records.height if source == PURCHASES else 0
        for day in block:
            for source in SOURCES:
                if day in landing[source]:
                    file = data / "landing" / source / f"{day}.csv"
                    land(file, source, landing[source][day])
                    files += 1
            if progress:
                progress((day - shop.start).days + 1, shop.days)
    placed = {
        source: truth.with_places(records, source, np.concatenate(places[source]))
        for source, records in tidy.items()
    }
    truth.write(data, {**placed, "manifest": pl.concat(manifests)})
    return Landed(files=files, customers=shop.customers, lines=lines)


def _draw(shop: Shop) -> dict[str, pl.DataFrame]:
    """The tidy records of each source, by time."""
    days, start, seed = shop.days, shop.start, shop.seed
    pool = pools.fill(seed)
    person = people.draw(pool, customers=shop.customers, days=days, start=start, seed=seed)
    habits = behaviour.habits(person, seed)
    orders = behaviour.orders(person, habits, days=days, start=start, seed=seed)
    lines = carts.lines(orders, habits, seed)
    records = carts.records(orders, lines, days=days, seed=seed)
    return {
        CUSTOMERS: profiles.versions(pool, person, orders, days=days, start=start, seed=seed),
        PURCHASES: carts.table(person, orders, lines, records, start),
    }


def _blocks(shop: Shop, tidy: Mapping[str, pl.DataFrame]) -> list[list[date]]:
    """All days of the shop, in runs of days with about `BLOCK` records together."""
    records = np.zeros(shop.days, dtype=np.int64)
    for table in tidy.values():
        day = (table["batch_day"] - shop.start).dt.total_days().to_numpy()
        records += np.bincount(day, minlength=shop.days)
    block = (np.cumsum(records) - records) // BLOCK
    cuts = np.flatnonzero(np.diff(block)) + 1
    days = [shop.start + timedelta(days=offset) for offset in range(shop.days)]
    return [days[a:b] for a, b in itertools.pairwise([0, *cuts.tolist(), shop.days])]


def _within(records: pl.DataFrame, days: Sequence[date]) -> pl.DataFrame:
    """The records of a run of days; `batch_day` ascends."""
    first = records["batch_day"].search_sorted(days[0], side="left")
    end = records["batch_day"].search_sorted(days[-1], side="right")
    return records.slice(first, end - first)
