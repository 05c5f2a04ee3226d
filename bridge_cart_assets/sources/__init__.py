"""The sources that the lakehouse takes in. A new source is one file here and one line below."""

from bridge_cart_assets.sources.customers import CUSTOMERS
from bridge_cart_assets.sources.online_retail import ONLINE_RETAIL
from bridge_cart_assets.sources.purchases import PURCHASES
from bridge_cart_assets.sources.source import Conformed, Source

SOURCES: tuple[Source, ...] = (CUSTOMERS, PURCHASES, ONLINE_RETAIL)

__all__ = ["SOURCES", "Conformed", "Source"]
