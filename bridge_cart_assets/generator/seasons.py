"""How busy each day is: weekdays, months and a few flash sales.

Belongs here: the calendar of a shop. Does not belong here: who orders on a day (`behaviour`).
"""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np

from bridge_cart_assets.generator.rng import Flags, Floats, Stream, stream

WEEKDAYS = (0.96, 0.92, 0.93, 0.97, 1.05, 1.14, 1.03)
MONTHS = (0.95, 0.90, 0.96, 0.97, 1.00, 0.99, 0.96, 0.94, 0.99, 1.02, 1.18, 1.14)
FLASH_SALES_A_YEAR = 4
# A day with a flash sale is so many times as busy as it would be.
FLASH_SALE = 2.4


@dataclass(frozen=True)
class Calendar:
    """The days of a shop from its first one on.

    Attributes:
        start: the first day.
        days: how many.
        seed: seed of the shop.
    """

    start: date
    days: int
    seed: int

    def day(self, number: int) -> date:
        """The day that is so many days after the first."""
        return self.start + timedelta(days=number)

    @cached_property
    def flash_sales(self) -> Flags:
        """Whether each day is a flash sale."""
        years = {self.day(number).year for number in range(self.days)}
        sales = {day for year in years for day in _flash_sales(self.seed, year)}
        return np.array([self.day(number) in sales for number in range(self.days)])

    @cached_property
    def busyness(self) -> Floats:
        """How busy each day is; about 1 on average over a year."""
        calendar = [self.day(number) for number in range(self.days)]
        usual = np.array([WEEKDAYS[day.weekday()] * MONTHS[day.month - 1] for day in calendar])
        return np.where(self.flash_sales, FLASH_SALE * usual, usual)

    @cached_property
    def ends(self) -> Floats:
        """Busy time that has passed at the end of each day."""
        return np.cumsum(self.busyness)


def _flash_sales(seed: int, year: int) -> list[date]:
    """The flash sales of a year; the same whichever days of it a shop has."""
    first = date(year, 1, 1)
    drawn = stream(seed, Stream.FLASH_SALES, year).choice(365, FLASH_SALES_A_YEAR, replace=False)
    return [first + timedelta(days=day) for day in drawn.tolist()]
