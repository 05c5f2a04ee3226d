"""BG/NBD on the synthetic shop: whether the fit finds what the generator draws from.

Belongs here: the bands in which the estimates have to lie (`RECOVERY`). Does not belong here:
figures that need no model (`figures`), nor the model itself
(`bridge_cart_assets.models.buy_till_you_die`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import polars as pl

from bridge_cart_assets.generator import behaviour
from bridge_cart_assets.generator.arguments import Shop
from bridge_cart_assets.generator.rng import Floats
from bridge_cart_assets.generator.shop import generate
from bridge_cart_assets.models.buy_till_you_die import Histories, fit_bg_nbd
from bridge_cart_tests.generator.statistics.shops import CUSTOMERS, LONG, YEAR, Clean, clean


class Estimate(NamedTuple):
    """A fitted figure and its standard error."""

    value: float
    error: float


@dataclass(frozen=True)
class Fit:
    """What a maximum-likelihood fit gives.

    Attributes:
        estimates: by the names in `TRUTH`.
        log_likelihood: of all customers, at the estimates.
    """

    estimates: Mapping[str, Estimate]
    log_likelihood: float


# What the generator draws from.
TRUTH = {
    "r": behaviour.R,
    "alpha": behaviour.ALPHA,
    "a": behaviour.A,
    "b": behaviour.B,
    "r / alpha": behaviour.R / behaviour.ALPHA,
    "a / (a + b)": behaviour.A / (behaviour.A + behaviour.B),
}
# How far from it the fit of 20,000 customers and 540 days may be, as a share of it.
RECOVERY = {"r": 0.1, "alpha": 0.1, "a": 0.2, "b": 0.2, "r / alpha": 0.1, "a / (a + b)": 0.1}
# Fader, Hardie and Lee (2005), the estimates for CDNOW; weeks.
PUBLISHED = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
PUBLISHED_LOG_LIKELIHOOD = -9582.4


def repeat_purchases(shop: Clean) -> pl.DataFrame:
    """What BG/NBD is fitted on, in days; grain (customer_id).

    Returns:
        customer_id, x (days with an order behind the first one), t_x (the last one since the
        first), T (the end since the first).
    """
    day = pl.col("day")
    return (
        shop.orders.group_by("customer_id")
        .agg(
            x=(day.n_unique() - 1).cast(pl.Float64),
            t_x=(day.max() - day.min()).dt.total_days().cast(pl.Float64),
            T=(pl.lit(shop.last) - day.min()).dt.total_days().cast(pl.Float64),
        )
        .sort("customer_id")
    )


def fit(customers: pl.DataFrame) -> Fit:
    """Fit BG/NBD by maximum likelihood.

    Args:
        customers: x, t_x, T.
    """
    named = customers.select(frequency="x", t_x="t_x", tenure_days="T")
    found = fit_bg_nbd(Histories.of(named))
    model, covariance = found.model, found.covariance
    assert covariance is not None, f"{model} is at a bound"
    rate, drop_out = model.r / model.alpha, model.drop_out
    values = np.array([model.r, model.alpha, model.a, model.b, rate, drop_out])
    # Delta method: what a step in each logarithm does to each of the values.
    stays = drop_out * (1 - drop_out)
    slopes = np.vstack([np.diag(values[:4]), [rate, -rate, 0, 0], [0, 0, stays, -stays]])
    errors = np.sqrt(np.diag(slopes @ covariance @ slopes.T))
    estimates = map(Estimate, values.tolist(), errors.tolist())
    return Fit(dict(zip(TRUTH, estimates, strict=True)), found.log_likelihood or 0.0)


@dataclass(frozen=True)
class Fitted:
    """A seed's shop, and what BG/NBD makes of it."""

    seed: int
    year: Clean
    year_fit: Fit
    long_fit: Fit


def fitted(seed: int) -> Fitted:
    """Make the shop of a seed and fit it, after its first year and after all its days."""
    shop = Shop(customers=CUSTOMERS, days=LONG, dirt=0, seed=seed)
    with TemporaryDirectory() as folder:
        generate(shop, Path(folder))
        year, long = (clean(Path(folder), shop, days) for days in (YEAR, LONG))
    return Fitted(seed, year, fit(repeat_purchases(year)), fit(repeat_purchases(long)))


def deviations(fits: list[Fit], name: str) -> Floats:
    """How far the estimates are from what the generator draws from, as shares of it."""
    return np.array([found.estimates[name].value for found in fits]) / TRUTH[name] - 1
