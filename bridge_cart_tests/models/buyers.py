"""A shop whose customers do what BG/NBD says, as rows of silver/purchases."""

from datetime import date, timedelta
from decimal import Decimal

import numpy as np

from bridge_cart_assets.models.buy_till_you_die import BgNbd
from bridge_cart_tests.transforms.shops import START, Line, line

TRUTH = BgNbd(r=0.5, alpha=20.0, a=0.7, b=2.5)
DAYS = 428
AS_OF = START + timedelta(days=DAYS)


def shop_of_buyers(
    seed: int, customers: int = 900, truth: BgNbd = TRUTH, *, leave: bool = True
) -> list[Line]:
    """Order lines up to `AS_OF`; half of the customers are there from the first day on.

    Args:
        seed: of the chance.
        customers: how many there are.
        truth: rates, and chances of dropping out.
        leave: whether they drop out at all.
    """
    rng = np.random.default_rng(seed)
    lines = []
    for number in range(customers):
        rate, chance = rng.gamma(truth.r, 1 / truth.alpha), rng.beta(truth.a, truth.b)
        level = 1 / rng.gamma(4.0, 1 / 15.0)
        moment, is_first = rng.uniform(0, 300) * (number % 2), True
        while moment < DAYS:
            amount = Decimal(f"{max(rng.gamma(6.0, level), 0.01):.2f}")
            lines.append(line(_day(moment), f"C{number:05}", amount=amount))
            if leave and not is_first and rng.random() < chance:
                break
            is_first = False
            moment = np.floor(moment) + 1 + rng.exponential(1 / rate)
    return lines


def _day(moment: float) -> date:
    return START + timedelta(days=int(moment))
