"""The environment that templates are rendered in, for pages and for the report that is a file.

Belongs here: filters, and how missing names are treated. Does not belong here: what only a page
has, as its navigation (see `endpoints`).
"""

import jinja2

from bridge_cart_assets.reports.currency import currency_name, in_currency
from bridge_cart_assets.reports.formatting import grouped, moment
from bridge_cart_assets.reports.tables import bar_width


def environment() -> jinja2.Environment:
    """An environment in which a name that is missing is an error, and text is escaped."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("bridge_cart_assets.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"grouped": grouped, "moment": moment, "bar_width": bar_width}
    made.filters["in_currency"] = in_currency
    made.globals["currency"] = currency_name
    return made
