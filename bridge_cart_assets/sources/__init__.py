"""The sources that the lakehouse takes in. A new source is one file here and one line below."""

from collections.abc import Mapping
from dataclasses import replace

from bridge_cart_assets.settings import SettingsError
from bridge_cart_assets.sources.customers import CUSTOMERS
from bridge_cart_assets.sources.online_retail import ONLINE_RETAIL
from bridge_cart_assets.sources.purchases import PURCHASES
from bridge_cart_assets.sources.shopify_api_orders import SHOPIFY_API_ORDERS
from bridge_cart_assets.sources.shopify_customers import SHOPIFY_CUSTOMERS
from bridge_cart_assets.sources.shopify_orders import SHOPIFY_ORDERS
from bridge_cart_assets.sources.source import Conformed, Source
from bridge_cart_assets.sources.woocommerce_orders import WOOCOMMERCE_ORDERS

SOURCES: tuple[Source, ...] = (
    CUSTOMERS,
    PURCHASES,
    ONLINE_RETAIL,
    SHOPIFY_ORDERS,
    SHOPIFY_CUSTOMERS,
    SHOPIFY_API_ORDERS,
    WOOCOMMERCE_ORDERS,
)


def sources_read_as(encodings: Mapping[str, str]) -> tuple[Source, ...]:
    """The sources with other encodings for lines that are not UTF-8, by name.

    Raises:
        SettingsError: an encoding was set for a source that there is not.
    """
    known = [source.name for source in SOURCES]
    for name in sorted(encodings.keys() - set(known)):
        raise SettingsError("BRIDGE_CART_ENCODINGS", name, f"the sources are {', '.join(known)}")
    return tuple(replace(s, encoding=encodings.get(s.name, s.encoding)) for s in SOURCES)


__all__ = ["SOURCES", "Conformed", "Source", "sources_read_as"]
