"""Five kinds of customers, and who is one of them.

How often people order, when they drop out and how much they spend are drawn first, each from one
distribution for the whole shop and independently of each other, as BG/NBD and Gamma-Gamma suppose.
A customer then belongs to a kind with a chance that depends on the three, so the kinds differ in
them, and the distributions over all customers stay what they are. What else a customer is like
follows from the kind.

Belongs here: the kinds, as data, and the choice of one. Does not belong here: drawing habits
(`behaviour`). A persona is never landed; it stands in `truth/personas` only.
"""

from dataclasses import dataclass

import numpy as np

from bridge_cart_assets.generator.rng import Floats, Ints, choose_each

# How far from its centre (in quantiles) a kind's customers lie: the smaller, the easier to tell.
SPREAD = 0.24


@dataclass(frozen=True)
class Persona:
    """A kind of customer.

    Attributes:
        name: what the truth calls it.
        share: how often, before the three quantiles are looked at.
        rate, drop_out, spending: quantiles (0 to 1) about which its customers lie.
        coupon: mean share of orders with a coupon.
        category_loyalty: share of lines from the favourite category, other choices aside.
        payment_loyalty: share of orders paid in the favourite way.
        tastes: factors on how often each of `assortment.CATEGORIES` is the favourite.
    """

    name: str
    share: float
    rate: float
    drop_out: float
    spending: float
    coupon: float
    category_loyalty: float
    payment_loyalty: float
    tastes: tuple[float, ...]


#                Books  Groc.  Cloth. Elec.  Home   Beauty Sports Toys
PERSONAS = (
    Persona(
        name="regular",
        share=0.24,
        rate=0.82,
        drop_out=0.20,
        spending=0.45,
        coupon=0.12,
        category_loyalty=0.62,
        payment_loyalty=0.94,
        tastes=(1.0, 2.6, 0.7, 0.3, 0.8, 1.6, 0.7, 0.8),
    ),
    Persona(
        name="big_spender",
        share=0.14,
        rate=0.65,
        drop_out=0.45,
        spending=0.92,
        coupon=0.05,
        category_loyalty=0.55,
        payment_loyalty=0.90,
        tastes=(0.5, 0.3, 1.0, 2.6, 2.2, 0.7, 1.1, 0.5),
    ),
    Persona(
        name="bargain_hunter",
        share=0.22,
        rate=0.60,
        drop_out=0.55,
        spending=0.15,
        coupon=0.55,
        category_loyalty=0.30,
        payment_loyalty=0.70,
        tastes=(1.0, 1.2, 1.8, 0.6, 0.9, 1.2, 0.9, 1.2),
    ),
    Persona(
        name="gift_giver",
        share=0.18,
        rate=0.25,
        drop_out=0.30,
        spending=0.65,
        coupon=0.15,
        category_loyalty=0.45,
        payment_loyalty=0.80,
        tastes=(1.6, 0.2, 0.7, 0.9, 0.9, 1.2, 0.8, 3.0),
    ),
    Persona(
        name="passer_by",
        share=0.22,
        rate=0.30,
        drop_out=0.85,
        spending=0.40,
        coupon=0.22,
        category_loyalty=0.75,
        payment_loyalty=0.60,
        tastes=(0.9, 0.5, 1.2, 1.7, 1.0, 0.8, 1.4, 0.8),
    ),
)
NAMES = tuple(persona.name for persona in PERSONAS)


def assign_personas(rate: Floats, drop_out: Floats, spending: Floats, level: Floats) -> Ints:
    """An index into `PERSONAS` for every customer.

    Args:
        rate, drop_out, spending: the customers' quantiles, 0 to 1.
        level: chance, 0 to 1.
    """
    weights = [
        persona.share
        * np.exp(
            -(
                (rate - persona.rate) ** 2
                + (drop_out - persona.drop_out) ** 2
                + (spending - persona.spending) ** 2
            )
            / (2 * SPREAD**2)
        )
        for persona in PERSONAS
    ]
    return choose_each(np.column_stack(weights), level)
