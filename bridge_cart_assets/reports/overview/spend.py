"""What the customers will spend in the next 90 days, and how earlier forecasts did.

Belongs here: the table of the forecasts, and its sentences. Does not belong here: SQL (see
`queries`), or the forecast itself (`models.spend_forecast`).
"""

from collections.abc import Sequence

from bridge_cart_assets.reports.formatting import Cell, compact, day, money, nothing, words
from bridge_cart_assets.reports.overview.queries import ShopForecast
from bridge_cart_assets.reports.tables import Column, Sheet, column
from bridge_cart_assets.tables.gold import SPEND_FORECAST

TITLE = "The next 90 days"
_NO_INTERVAL = "there was no earlier forecast to learn an interval from"
_AHEAD = "these days are still to come"


def spend_sheet(forecasts: Sequence[ShopForecast]) -> Sheet:
    """One row per forecast of 90 days, the current one first."""
    return Sheet(
        "spend",
        TITLE,
        (
            column("forecast_from", "Known up to", day, SPEND_FORECAST),
            column("expected", "Expected", money, SPEND_FORECAST),
            column("low", "At least", money, SPEND_FORECAST, _NO_INTERVAL),
            column("high", "At most", money, SPEND_FORECAST, _NO_INTERVAL),
            column("spent", "Spent", money, SPEND_FORECAST, _AHEAD),
            Column[ShopForecast](
                "is_within", "Between both", _verdict, "text", SPEND_FORECAST.meaning("is_within")
            ),
        ),
        forecasts,
        empty="No value model has been fitted yet: it needs half a year of orders.",
    )


def spend_sentence(forecasts: Sequence[ShopForecast]) -> str:
    """What is expected, between what it will lie, and how many earlier forecasts held."""
    if not forecasts:
        return ""
    now = forecasts[0]
    said = [
        "Those who have bought so far are expected to spend "
        f"{compact(now.expected)} up to {now.until}."
    ]
    if now.low is None or now.high is None:
        return f"{said[0]} How far that may be off is not known: {now.interval.split(': ')[-1]}."
    said.append(
        f"Four of five such forecasts come true between {compact(now.low)} and {compact(now.high)}."
    )
    judged = [one.is_within for one in forecasts[1:] if one.is_within is not None]
    if judged:
        said.append(f"So did {sum(judged)} of the {len(judged)} earlier ones that can be judged.")
    return " ".join(said)


def _verdict(forecast: ShopForecast) -> Cell:
    if forecast.is_within is None:
        return nothing(_AHEAD if forecast.spent is None else _NO_INTERVAL)
    return words("yes" if forecast.is_within else "no")
