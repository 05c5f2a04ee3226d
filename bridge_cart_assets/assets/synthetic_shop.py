"""shop/day: one more day of the synthetic shop, to watch the lakehouse at work.

Nothing depends on this asset: raw takes what lies in the landing zone, wherever it came from, and
the landing sensor finds a new day's files as it would find an export's.
"""

from datetime import date, timedelta

import dagster as dg
from pydantic import Field

from bridge_cart_assets.assets.asset_specs import OWNERS
from bridge_cart_assets.batch_days import today
from bridge_cart_assets.settings import Settings

GROUP = "shop"
KEY = dg.AssetKey(["shop", "day"])


class ShopConfig(dg.Config):
    """How many days happen, and what a shop is made from where there is none yet."""

    days: int = Field(default=1, ge=1, le=3_660)
    customers: int = 1_000
    newcomers: float = 5.0
    seed: int = 7
    dirt: float = 0.02


@dg.asset(
    key=KEY,
    group_name=GROUP,
    kinds={"python", "faker"},
    owners=OWNERS,
    description=(
        "One more day of the synthetic shop: its files in the landing zone, where the landing "
        "sensor finds them. Begins a shop where there is none. See docs/generator.md."
    ),
)
def shop_day(
    config: ShopConfig, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult[None]:
    """Let the next days of the folder's shop happen, up to today."""
    from bridge_cart_assets.generator.ground_truth import arguments_of, last_day
    from bridge_cart_assets.generator.shop import Shop, generate

    try:
        before = last_day(settings.data)
        known = arguments_of(settings.data, must_be=False)
        start = date.fromisoformat(known.get("start", str(settings.start_date)))
        last = (before or start - timedelta(days=1)) + timedelta(days=config.days)
        if last > today(settings.timezone):
            raise ValueError(
                f"the shop has reached {before or 'no day'}: {last} is in the future, and a batch "
                "day after today is no partition yet"
            )
        begin = {"start": start, "zone": settings.timezone}
        new = {} if known else config.model_dump(exclude={"days"}) | begin
        landed = generate(
            Shop.asked_for(settings.data, last, **new), settings.data, landing=settings.landing
        )
    except ValueError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    return dg.MaterializeResult(
        metadata={
            "last_day": str(last),
            "days": landed.days,
            "order_lines": landed.lines,
            "new_customers": landed.customers,
            "files": landed.files,
            "landing": dg.MetadataValue.path(str(settings.landing)),
        }
    )
