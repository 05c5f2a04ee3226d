"""The report page: what the gold tables say, for people who do not write SQL.

Belongs here: pages, figures and exports that are read from the DuckDB catalogue. Does not belong
here: Dagster, Delta, or any computation that gold should have made.

`catalogue` opens the file; `formatting`, `tables`, `charts` and `sparklines` are the forms that
answers have, `filters` what may be asked, `export` CSV. Each page is a package with `page` (what
it has) and `queries` (SQL); `pages` lists them. `endpoints`, `cache`, `security`, `assets` and
`app` are the site, `serving` puts it on a port.
"""

from bridge_cart_assets.reports.app import create_app
from bridge_cart_assets.reports.serving import ServeError, serve

__all__ = ["ServeError", "create_app", "serve"]
