"""The latest batch day of each source: what day it is in the shop, and who is behind.

Belongs here: `as_of` and what follows for sources that stopped. Does not belong here: where the
days are read from (`pipeline.pending`), or the clock.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True)
class SourceDay:
    """The latest batch day of a source, and whether it brings orders."""

    source: str
    last_day: date
    brings_orders: bool


def latest_of_orders(days: Collection[SourceDay]) -> date | None:
    """as_of: the latest batch day of a source of orders; of the others while there is none.

    Profiles that arrive after the last orders do not move as_of: otherwise every customer would
    count as lost when order files stop.

    >>> profiles = SourceDay("customers", date(2024, 11, 28), brings_orders=False)
    >>> orders = SourceDay("purchases", date(2024, 6, 30), brings_orders=True)
    >>> [f"{latest_of_orders(days)}" for days in ([profiles, orders], [profiles], [])]
    ['2024-06-30', '2024-11-28', 'None']
    """
    of_orders = [day.last_day for day in days if day.brings_orders]
    return max(of_orders or [day.last_day for day in days], default=None)


def days_without_orders(days: Collection[SourceDay]) -> int:
    """How many days later than the latest order records of other sources have come, at least 0.

    >>> profiles = SourceDay("customers", date(2024, 7, 3), brings_orders=False)
    >>> orders = SourceDay("purchases", date(2024, 6, 30), brings_orders=True)
    >>> [days_without_orders(days) for days in ([profiles, orders], [profiles], [orders], [])]
    [3, 0, 0, 0]
    """
    as_of = latest_of_orders(days)
    latest = max((day.last_day for day in days), default=None)
    return 0 if as_of is None or latest is None else (latest - as_of).days


def orders_stopped(days: Collection[SourceDay], allowed: timedelta) -> str:
    """In a sentence, that orders stopped while other records go on; '' when they did not.

    Args:
        days: of each source.
        allowed: how far orders may be behind.

    >>> profiles = SourceDay("customers", date(2024, 7, 9), brings_orders=False)
    >>> orders = SourceDay("purchases", date(2024, 6, 30), brings_orders=True)
    >>> orders_stopped([profiles, orders], timedelta(days=3))
    'no orders since 2024-06-30, while customers go on to 2024-07-09: all figures are of 2024-06-30'
    """
    as_of = latest_of_orders(days)
    if as_of is None or days_without_orders(days) <= allowed.days:
        return ""
    latest = max(days, key=lambda day: (day.last_day, day.source))
    return (
        f"no orders since {as_of}, while {latest.source} go on to {latest.last_day}: "
        f"all figures are of {as_of}"
    )


def last_days_in_words(days: Collection[SourceDay]) -> str:
    """Each source and its latest day, those of orders first.

    >>> profiles = SourceDay("customers", date(2024, 7, 9), brings_orders=False)
    >>> orders = SourceDay("purchases", date(2024, 6, 30), brings_orders=True)
    >>> last_days_in_words([profiles, orders])
    'purchases up to 2024-06-30, customers up to 2024-07-09'
    """
    ordered = sorted(days, key=lambda day: (not day.brings_orders, day.source))
    return ", ".join(f"{day.source} up to {day.last_day}" for day in ordered)
