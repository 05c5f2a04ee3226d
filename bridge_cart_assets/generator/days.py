"""A shop's days: everything that happens, as files for the landing zone and as the truth.

The way of a record: an order (`behaviour`) gets its lines (`carts`), which are written down
(`ledger`, `profiles`), arrive (`deliveries`), and are spoilt (`dirt`) on the way into a day's file.
Memory holds the customers, what is still under way, and one block of days.

Belongs here: the order of the work, and whole files that come twice. Does not belong here: the
work.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from bridge_cart_assets.generator import behaviour, carts, ledger, people, personas, pools, profiles
from bridge_cart_assets.generator.arguments import Shop
from bridge_cart_assets.generator.assortment import CATEGORIES, PAYMENT_METHODS
from bridge_cart_assets.generator.chance import Stream, stream
from bridge_cart_assets.generator.defects import (
    CORRECTED,
    REDELIVERED,
    RENAMED,
    Defect,
    Share,
    defects_of,
    shares,
)
from bridge_cart_assets.generator.deliveries import LATE_WITHIN, Deliveries
from bridge_cart_assets.generator.dirt import MANIFEST, spoil
from bridge_cart_assets.generator.landing import (
    CUSTOMERS,
    PURCHASES,
    SOURCES,
    as_text,
    files,
    sent_again,
    suffix,
)
from bridge_cart_assets.generator.seasons import Calendar

# Days are worked on together until they have so many orders; the bytes do not depend on it.
ORDERS_TOGETHER = 60_000
# A file that is sent again is so within these days.
AGAIN_WITHIN = 10
_RECORDS = {CUSTOMERS: Stream.CUSTOMER_RECORDS, PURCHASES: Stream.PURCHASE_RECORDS}
_KEYS = {CUSTOMERS: ("customer",), PURCHASES: ledger.KEY}


@dataclass(frozen=True)
class File:
    """A file for the landing zone.

    Attributes:
        source: folder.
        name: its name there, without the ending that its format gives it.
        content: its bytes, before any compression.
    """

    source: str
    name: str
    content: bytes


@dataclass(frozen=True)
class Block:
    """Some consecutive days of a shop.

    Attributes:
        first, end: the days, from `first` to before `end`, since the start.
        files: what lands.
        truth: rows of the truth's tables, by table.
        customers: people who are first heard of.
        lines: order-line records in the files.
    """

    first: int
    end: int
    files: list[File]
    truth: dict[str, pl.DataFrame]
    customers: int
    lines: int


@dataclass(frozen=True)
class _Source:
    """What records of a source go through, and what they may meet."""

    name: str
    way: Deliveries
    defects: tuple[Defect, ...]
    shares: list[Share]


@dataclass(frozen=True)
class _Again:
    """A file that will be sent once more."""

    day: int
    file: File
    manifest: pl.DataFrame


def blocks(shop: Shop, first: int) -> Iterator[Block]:
    """The days of a shop from day `first` on.

    The days before it pass quickly: only who orders and who moves is followed from the beginning,
    and records only from the day on which something can have been written down that is still to
    arrive.
    """
    if first >= shop.days:
        return
    pool = pools.fill(shop.seed)
    calendar = Calendar(shop.start, shop.days, shop.seed)
    arrivals = people.arrivals(shop.customers, shop.newcomers, shop.days, shop.seed)
    crowd = people.draw(pool, arrivals, shop.seed)
    habits = behaviour.habits(crowd, shop.seed)
    book, profile = ledger.Ledger(shop.seed), profiles.Profiles(pool, crowd, shop.seed)
    sources = [_source(name, shop) for name in SOURCES]
    again: list[_Again] = []
    read_from = max(0, first - AGAIN_WITHIN)
    write_from = max(0, read_from - LATE_WITHIN - ledger.RETURNED_WITHIN_DAYS)
    for orders in behaviour.orders(
        crowd, habits, calendar, first=write_from, size=ORDERS_TOGETHER, breaks=(read_from, first)
    ):
        lines = carts.lines(orders, crowd, habits, calendar)
        written = {CUSTOMERS: profile.write(orders), PURCHASES: book.write(orders, lines)}
        arrived = {
            source.name: source.way.deliver(
                written[source.name], _KEYS[source.name], orders.first, orders.end
            )
            for source in sources
        }
        if orders.end <= read_from:
            continue
        tidy = {
            CUSTOMERS: profiles.table(arrived[CUSTOMERS], crowd, pool, shop.start),
            PURCHASES: ledger.table(arrived[PURCHASES], shop.start),
        }
        days = [
            _spoilt(source, shop, arrived[source.name], tidy[source.name]) for source in sources
        ]
        landed = [file for day in days for file in day.files]
        again += [file for day in days for file in day.again]
        manifests = [day.manifest for day in days]
        for repeat in [file for file in again if file.day < orders.end]:
            again.remove(repeat)
            landed.append(repeat.file)
            manifests.append(repeat.manifest)
        if orders.end <= first:
            continue
        came = slice(*np.searchsorted(crowd.arrival, [orders.first, orders.end]).tolist())
        yield Block(
            first=orders.first,
            end=orders.end,
            files=landed,
            truth={
                **{source.name: day.truth for source, day in zip(sources, days, strict=True)},
                "personas": _personas(habits, came),
                "manifest": pl.concat(manifests),
            },
            customers=came.stop - came.start,
            lines=days[SOURCES.index(PURCHASES)].records,
        )


@dataclass(frozen=True)
class _Delivered:
    """A source's days of a block: its files, what is sent again later, and the truth about them."""

    files: list[File]
    again: list[_Again]
    truth: pl.DataFrame
    manifest: pl.DataFrame
    records: int


def _source(name: str, shop: Shop) -> _Source:
    defects = defects_of(name, shop.form)
    moving, others = shares(defects, shop.dirt, shop.rates)
    way = Deliveries(shop.seed, _RECORDS[name], defects, moving)
    return _Source(name, way, defects, others)


def _spoilt(source: _Source, shop: Shop, arrived: pl.DataFrame, tidy: pl.DataFrame) -> _Delivered:
    text = tidy.select(
        *as_text(tidy, source.name),
        pl.col("^mobile_otherwise$").name.prefix("_"),
        _day=arrived["lands"],
        _due=arrived["day"],
        _settled=arrived["settled"],
        _defect=arrived["defect"],
        _level=arrived["level"],
        _choice=arrived["choice"],
        _place=arrived["place"],
        _chance=arrived["chance"],
        _stands=arrived["stands"] if "stands" in arrived.columns else pl.lit(True),
    )
    spoilt = spoil(
        text,
        source=source.name,
        form=shop.form,
        defects=source.defects,
        shares=source.shares,
        start=shop.start,
    )
    wrong = [n for n, defect in enumerate(source.defects) if defect.how in CORRECTED]
    truth = tidy.select(
        pl.exclude("^mobile_.*$"),
        batch_day=_date(arrived["lands"], shop),
        file=_file(arrived["lands"], source, shop),
        record=pl.lit(pl.Series(spoilt.places)),
    ).filter(~arrived["defect"].is_in(wrong))
    manifest = spoilt.manifest.with_columns(file=_file(spoilt.manifest["_day"], source, shop))
    contents = dict(files(spoilt.records, source.name, shop.form))
    landed = [File(source.name, str(shop.day(day)), content) for day, content in contents.items()]
    again, whole = [], [manifest.select(*MANIFEST)]
    for day, content in contents.items():
        renamed, repeated = _twice(source, shop, day, content, manifest)
        if renamed:
            landed.append(renamed.file)
            whole.append(renamed.manifest)
        if repeated:
            again.append(repeated)
    return _Delivered(landed, again, truth, pl.concat(whole), spoilt.records.height)


def _twice(
    source: _Source, shop: Shop, day: int, content: bytes, manifest: pl.DataFrame
) -> tuple[_Again | None, _Again | None]:
    """The file of a day under a second name, and the one in which its records come again."""
    chance = stream(shop.seed, Stream.FILES, day).random((len(SOURCES), 3))
    is_renamed, is_repeated, delay = chance[SOURCES.index(source.name)].tolist()
    original, ending = f"{source.name}/{shop.day(day)}", suffix(shop.form, gz=shop.gz)

    def file_row(kind: str, name: str, expected: str, settled: int) -> pl.DataFrame:
        told = (f"{source.name}/{name}.{ending}", None, None, kind, f"{original}.{ending}")
        row = (*told, f"{source.name}/{name}.{ending}", expected, shop.day(settled))
        return pl.DataFrame([row], schema=MANIFEST, orient="row")

    renamed = repeated = None
    if is_renamed < shop.rate_of_files(RENAMED):
        # Behind the original by name, so that it is this one that is read second.
        file = File(source.name, f"{shop.day(day)}.twice", content)
        renamed = _Again(day, file, file_row(RENAMED, file.name, "repeated", day))
    if is_repeated < shop.rate_of_files(REDELIVERED):
        later = day + 1 + int(delay * AGAIN_WITHIN)
        file = File(
            source.name, f"{shop.day(later)}.again-{shop.day(day)}", sent_again(content, shop.form)
        )
        copies = manifest.filter(pl.col("_day") == day).with_columns(
            file=pl.lit(f"{source.name}/{file.name}.{ending}"),
            # What was refused is refused again; all else has been seen before.
            expected=pl.when(pl.col("expected").str.contains("^[A-Z_]+$|^superseded$"))
            .then("expected")
            .otherwise(pl.lit("duplicate")),
            settled_on=pl.max_horizontal("settled_on", pl.lit(shop.day(later))),
        )
        told = file_row(REDELIVERED, file.name, "duplicate", later)
        repeated = _Again(later, file, pl.concat([told, copies.select(*MANIFEST)]))
    return renamed, repeated


def _personas(habits: behaviour.Habits, came: slice) -> pl.DataFrame:
    """Who the customers are that came in a block; grain (customer_id)."""
    names = pl.Series(personas.NAMES)
    return (
        pl.DataFrame(
            {
                "customer": np.arange(came.start, came.stop),
                "persona": names.gather(habits.persona[came]),
                "orders_per_day": habits.rate[came],
                "drop_out": habits.drop_out[came],
                "spending_level": habits.spending[came],
                "coupon_inclination": habits.coupon[came],
                "favourite_category": pl.Series(CATEGORIES).gather(habits.category[came]),
                "favourite_payment_method": pl.Series(PAYMENT_METHODS).gather(habits.payment[came]),
            }
        )
        .select(
            ledger.customer_id("customer").alias("customer_id"),
            pl.exclude("customer"),
        )
        .with_columns(pl.selectors.float().round(6))
    )  # the last bits may differ between machines


def _date(days: pl.Series, shop: Shop) -> pl.Expr:
    return pl.lit(shop.start) + pl.duration(days=pl.lit(days))


def _file(days: pl.Series, source: _Source, shop: Shop) -> pl.Series:
    """Name of the file of each of the days, below landing."""
    ending = suffix(shop.form, gz=shop.gz)
    named = {day: f"{source.name}/{shop.day(day)}.{ending}" for day in days.unique()}
    # An empty mapping would leave numbers.
    return days.replace_strict(named, return_dtype=pl.String) if named else days.cast(pl.String)
