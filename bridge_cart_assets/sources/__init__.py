"""The sources that the lakehouse takes in. A new source is one file here and one line below."""

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from bridge_cart_assets.settings import SettingsError
from bridge_cart_assets.sources.customers import CUSTOMERS
from bridge_cart_assets.sources.online_retail import ONLINE_RETAIL
from bridge_cart_assets.sources.purchases import PURCHASES
from bridge_cart_assets.sources.shopify_api_orders import SHOPIFY_API_ORDERS
from bridge_cart_assets.sources.shopify_customers import SHOPIFY_CUSTOMERS
from bridge_cart_assets.sources.shopify_orders import SHOPIFY_ORDERS
from bridge_cart_assets.sources.source import Conformed, Source
from bridge_cart_assets.sources.woocommerce_orders import WOOCOMMERCE_ORDERS
from bridge_cart_assets.transforms.dates import Order

SOURCES: tuple[Source, ...] = (
    CUSTOMERS,
    PURCHASES,
    ONLINE_RETAIL,
    SHOPIFY_ORDERS,
    SHOPIFY_CUSTOMERS,
    SHOPIFY_API_ORDERS,
    WOOCOMMERCE_ORDERS,
)


def sources_read_as(
    encodings: Mapping[str, str],
    dates: Mapping[str, str] | None = None,
    currency: str = "",
) -> tuple[Source, ...]:
    """The sources, read as the environment says.

    Args:
        encodings: of lines that are not UTF-8, by source.
        dates: day_first or month_first where a file leaves it open, by source.
        currency: the shop's currency.

    Raises:
        SettingsError: an encoding or an order was set for a source that there is not.
    """
    dates = dates or {}
    known = [source.name for source in SOURCES]
    for variable, values in (("BRIDGE_CART_ENCODINGS", encodings), ("BRIDGE_CART_DATES", dates)):
        for name in sorted(values.keys() - set(known)):
            raise SettingsError(variable, name, f"the sources are {', '.join(known)}")
    return tuple(
        replace(
            source,
            encoding=encodings.get(source.name, source.encoding),
            dates=cast(Order | None, dates.get(source.name, source.dates)),
            currency=currency or source.currency,
        )
        for source in SOURCES
    )


__all__ = ["SOURCES", "Conformed", "Source", "sources_read_as"]
