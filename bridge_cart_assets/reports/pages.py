"""Which pages there are, in the order of the navigation. A page is one line here.

Routes, navigation and exports follow from it. Belongs here: the list. Does not belong here: what
a page has; that is a package with `page.py` (a view and a `Page`), `queries.py` (SQL) and a
template of the page's name. Every filter, parameter and table of a page is declared in its `Page`
and its view: see `page`, `filters`, `tables` and `charts` for the forms.
"""

from bridge_cart_assets.reports.customer.page import CUSTOMER
from bridge_cart_assets.reports.customers.page import CUSTOMERS
from bridge_cart_assets.reports.explore.page import EXPLORE
from bridge_cart_assets.reports.overview.page import OVERVIEW
from bridge_cart_assets.reports.page import Page
from bridge_cart_assets.reports.pipeline.page import PIPELINE
from bridge_cart_assets.reports.retention.page import RETENTION
from bridge_cart_assets.reports.segments.page import SEGMENTS

PAGES: tuple[Page, ...] = (OVERVIEW, SEGMENTS, RETENTION, CUSTOMERS, CUSTOMER, EXPLORE, PIPELINE)
