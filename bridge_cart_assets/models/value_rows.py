"""The value model as rows of gold/value_model, and back.

Belongs here: what is applied, and how its parts are written down. Does not belong here: fitting
them, or applying them (`models.customer_value`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import polars as pl

from bridge_cart_assets.models.buy_till_you_die import BgNbd, NaiveRate, Nbd, Orders
from bridge_cart_assets.models.calibration import Calibration
from bridge_cart_assets.models.likelihood import Fitted, parameters
from bridge_cart_assets.models.order_values import OrderValues
from bridge_cart_assets.models.spend_intervals import CustomerBands, total_part
from bridge_cart_assets.models.value_judgement import NAIVE
from bridge_cart_assets.transforms.windows import WINDOW

ORDERS_PER_DAY = "orders_per_day"
_KINDS: Mapping[str, type[BgNbd] | type[Nbd] | type[NaiveRate]] = {
    "bg_nbd": BgNbd,
    "nbd": Nbd,
    NAIVE: NaiveRate,
}


@dataclass(frozen=True)
class ValueModel:
    """A value model as it is applied.

    Attributes:
        version: the as_of of the training as YYYYMMDD.
        orders: on which days customers order.
        orders_per_day: orders that the shop has on a customer's day with an order.
        calibration: how its forecasts are corrected by the shop's past; None to leave them.
        values: the value of an order.
        intervals: of what a customer spends; None without a past window.
        status: fitted, or fallback and why.
        why: why the forecasts are corrected, or are not.
    """

    version: int
    orders: Orders
    orders_per_day: float
    calibration: Calibration | None
    values: OrderValues
    intervals: CustomerBands | None
    status: str
    why: str

    @classmethod
    def of_rows(cls, rows: pl.DataFrame) -> Self | None:
        """The model of one version's rows; None without any.

        >>> rows = {"part": ["own_rate", "gamma_gamma"], "parameter": "none", "value": 0.0}
        >>> more = {"status": "fitted", "calibration": None, "model_version": 20240131}
        >>> ValueModel.of_rows(pl.DataFrame({**rows, **more})).why
        'none: the model is of an earlier version'
        """
        if not rows.height:
            return None
        found = parts_of(rows)
        name = next(name for name in _KINDS if name in found)
        width = found.get(total_part(WINDOW), {}).get("half_width", 0.0)
        return cls(
            version=rows["model_version"][0],
            orders=_KINDS[name](**({} if name == NAIVE else found[name])),
            # Models of earlier versions knew days only, and were not corrected.
            orders_per_day=found.get(ORDERS_PER_DAY, {"mean": 1.0})["mean"],
            calibration=Calibration.of_rows(found),
            values=OrderValues.of_rows(found),
            intervals=CustomerBands.of_rows(found, width),
            status=rows["status"][0],
            why=rows["calibration"][0] or "none: the model is of an earlier version",
        )


def parts_of(rows: pl.DataFrame) -> dict[str, dict[str, float]]:
    """The values of one version by part and parameter.

    >>> parts_of(pl.DataFrame({"part": ["nbd"], "parameter": ["r"], "value": [0.5]}))
    {'nbd': {'r': 0.5}}
    """
    found: dict[str, dict[str, float]] = {}
    for part, parameter, value in rows.select("part", "parameter", "value").iter_rows():
        found.setdefault(part, {})[parameter] = value
    return found


def fitted_rows(part: str, fitted: Fitted[Any] | None, customers: int) -> list[dict[str, object]]:
    """A fit with its standard errors. What has no parameters is a row all the same.

    >>> [row["parameter"] for row in fitted_rows("gamma_gamma", None, 500)]
    ['none']
    """
    found = parameters(fitted.model) if fitted else {}
    if fitted is None or not found:
        return given_rows(part, {"none": 0.0}, fitted.customers if fitted else customers)
    likely = {"log_likelihood": fitted.log_likelihood}
    return [
        {**row, **likely, "standard_error": fitted.errors.get(str(row["parameter"]))}
        for row in given_rows(part, found, fitted.customers)
    ]


def given_rows(part: str, values: Mapping[str, float], customers: int) -> list[dict[str, object]]:
    """Values that have no standard error.

    >>> [row["value"] for row in given_rows("orders_per_day", {"mean": 1.1}, 500)]
    [1.1]
    """
    return [
        {
            "part": part,
            "parameter": name,
            "value": value,
            "standard_error": None,
            "log_likelihood": None,
            "trained_on": customers,
        }
        for name, value in values.items()
    ]
