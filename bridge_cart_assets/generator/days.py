"""A shop's days: everything that happens, as files for the landing zone and as the truth.

The way of a record: an order (`behaviour`) gets its lines (`carts`), which are written down
(`transactions`, `profiles`), arrive (`deliveries`), and are spoilt (`defect_injection`) on the way
into a day's file. Memory holds the customers, what is still under way, and one block of days.

Belongs here: the order of the work. Does not belong here: the work.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from bridge_cart_assets.generator import (
    behaviour,
    carts,
    name_pools,
    people,
    profiles,
    transactions,
)
from bridge_cart_assets.generator.arguments import Shop
from bridge_cart_assets.generator.clock import in_utc, seconds_ahead_of
from bridge_cart_assets.generator.defect_injection import MANIFEST, spoil
from bridge_cart_assets.generator.defects import (
    CORRECTED,
    Defect,
    Share,
    defects_of,
    shares,
)
from bridge_cart_assets.generator.deliveries import LATE_WITHIN, Deliveries
from bridge_cart_assets.generator.duplicate_files import AGAIN_WITHIN, File, Repeat, repeats
from bridge_cart_assets.generator.file_forms import form_rows, heads_of_days, with_forms
from bridge_cart_assets.generator.landing import (
    CUSTOMERS,
    PURCHASES,
    SOURCES,
    as_text,
    files_of_day,
    header_line,
    suffix,
)
from bridge_cart_assets.generator.rng import Stream
from bridge_cart_assets.generator.seasons import Calendar

# Days are worked on together until they have so many orders; the bytes do not depend on it.
ORDERS_TOGETHER = 60_000
_RECORDS = {CUSTOMERS: Stream.CUSTOMER_RECORDS, PURCHASES: Stream.PURCHASE_RECORDS}
_KEYS = {CUSTOMERS: ("customer",), PURCHASES: transactions.KEY}


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


def blocks(shop: Shop, first: int) -> Iterator[Block]:
    """The days of a shop from day `first` on.

    The days before it pass quickly: only who orders and who moves is followed from the beginning,
    and records only from the day on which something can have been written down that is still to
    arrive.
    """
    if first >= shop.days:
        return
    pool = name_pools.fill(shop.seed)
    calendar = Calendar(shop.start, shop.days, shop.seed)
    arrivals = people.arrivals(shop.customers, shop.newcomers, shop.days, shop.seed)
    crowd = people.draw(pool, arrivals, shop.seed, shop.second_accounts)
    habits = behaviour.habits(crowd, shop.seed)
    book, profile = (
        transactions.Ledger(shop.seed, shop.guests),
        profiles.Profiles(pool, crowd, shop.seed),
    )
    sources = [_source(name, shop) for name in SOURCES]
    to_come: list[Repeat] = []
    read_from = max(0, first - AGAIN_WITHIN)
    write_from = max(0, read_from - LATE_WITHIN - transactions.RETURNED_WITHIN_DAYS)
    for orders in behaviour.placed_orders(
        crowd, habits, calendar, first=write_from, size=ORDERS_TOGETHER, breaks=(read_from, first)
    ):
        lines = carts.cart_lines(orders, crowd, habits, calendar)
        written = {CUSTOMERS: profile.write(orders), PURCHASES: book.write(orders, lines)}
        arrived = {
            source.name: source.way.deliver(
                written[source.name], _KEYS[source.name], orders.first, orders.end
            )
            for source in sources
        }
        if orders.end <= read_from:
            continue
        on_the_clock = {
            CUSTOMERS: profiles.table(arrived[CUSTOMERS], crowd, pool, shop.start),
            PURCHASES: transactions.table(
                arrived[PURCHASES], shop.start, _addresses(shop, arrived[PURCHASES], crowd, pool)
            ),
        }
        tidy = {name: in_utc(records, shop.zone) for name, records in on_the_clock.items()}
        days = [
            _spoilt(source, shop, arrived[source.name], tidy[source.name]) for source in sources
        ]
        to_come += [repeat for day in days for repeat in day.repeats]
        come = [repeat for repeat in to_come if repeat.day < orders.end]
        to_come = [repeat for repeat in to_come if repeat.day >= orders.end]
        if orders.end <= first:
            continue
        came = slice(*np.searchsorted(crowd.arrival, [orders.first, orders.end]).tolist())
        yield Block(
            first=orders.first,
            end=orders.end,
            files=[file for day in days for file in day.files] + [again.file for again in come],
            truth={
                **{source.name: day.truth for source, day in zip(sources, days, strict=True)},
                "personas": behaviour.table(habits, came),
                "accounts": people.accounts_table(crowd, came),
                "manifest": pl.concat(
                    [day.manifest for day in days] + [again.manifest for again in come]
                ),
            },
            customers=came.stop - came.start,
            lines=days[SOURCES.index(PURCHASES)].records,
        )


@dataclass(frozen=True)
class _Delivered:
    """A source's days of a block: the files, what comes of them twice, and the truth about them."""

    files: list[File]
    repeats: list[Repeat]
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
        *as_text(tidy, source.name, shop.zone),
        *seconds_ahead_of(tidy, shop.zone),
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
    text = with_forms(text, source.name, shop.form, shop.shares_of_forms, shop.seed)
    spoilt = spoil(
        text,
        source=source.name,
        form=shop.form,
        defects=source.defects,
        shares=source.shares,
        start=shop.start,
        to=shop.to,
    )
    wrong = [n for n, defect in enumerate(source.defects) if defect.how in CORRECTED]
    truth = tidy.select(
        pl.exclude("^mobile_.*$"),
        batch_day=_date(arrived["lands"], shop),
        file=_file(arrived["lands"], source, shop),
        record=pl.lit(pl.Series(spoilt.places)),
    ).filter(~arrived["defect"].is_in(wrong))
    manifest = pl.concat([spoilt.manifest, form_rows(text, shop.start)], how="diagonal")
    manifest = manifest.with_columns(file=_file(manifest["_day"], source, shop))
    heads = heads_of_days(text, source.name)
    header = header_line(source.name, with_addresses="email" in text.columns)
    contents = dict(files_of_day(spoilt.records, header, shop.form, heads))
    return _Delivered(
        files=[File(source.name, str(shop.day(day)), text) for day, text in contents.items()],
        repeats=[
            repeat
            for day, text in contents.items()
            for repeat in repeats(source.name, shop, day, text, manifest)
        ],
        truth=truth,
        manifest=manifest.select(*MANIFEST),
        records=spoilt.records.height,
    )


def _addresses(
    shop: Shop, records: pl.DataFrame, crowd: people.People, pool: name_pools.Pools
) -> pl.Series | None:
    """The addresses that orders have, of a shop where guests can buy."""
    if not shop.guests:
        return None
    return profiles.addresses(records["customer"].to_numpy(), crowd, pool)


def _date(days: pl.Series, shop: Shop) -> pl.Expr:
    return pl.lit(shop.start) + pl.duration(days=pl.lit(days))


def _file(days: pl.Series, source: _Source, shop: Shop) -> pl.Series:
    """Name of the file of each of the days, below landing."""
    ending = suffix(shop.form, gz=shop.gz)
    named = {day: f"{source.name}/{shop.day(day)}.{ending}" for day in days.unique()}
    # An empty mapping would leave numbers.
    return days.replace_strict(named, return_dtype=pl.String) if named else days.cast(pl.String)
