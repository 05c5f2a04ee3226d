"""The site: which address leads where."""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from bridge_cart_assets.reports.catalogue import NoCatalogueError, UnreadableCatalogueError
from bridge_cart_assets.reports.endpoints import Site
from bridge_cart_assets.reports.page import NotThereError, Page
from bridge_cart_assets.reports.pages import PAGES
from bridge_cart_assets.reports.security import Guard


def create_app(
    catalogue: Path,
    hosts: Iterable[str] = (),
    *,
    currency: str = "",
    dagster: str = "",
    pages: Sequence[Page] = PAGES,
) -> Starlette:
    """The report page over a catalogue file, which may be replaced, or come later.

    Args:
        catalogue: path of the DuckDB file.
        hosts: names in the Host header that are answered besides localhost, 127.0.0.1 and ::1.
        currency: ISO code of what amounts are in (EUR); '' when it is not known.
        dagster: address of Dagster's pages (http://127.0.0.1:3000); '' links to none.
        pages: the pages, in the order of the navigation.
    """
    site = Site(catalogue, pages, currency, dagster)
    return Starlette(
        routes=[
            *(Route(page.path, partial(site.page, page), name=page.name) for page in pages),
            Route("/healthz", site.healthz),
            Route("/export/{table}.csv", site.export),
            Route("/export/{page}/{sheet}.csv", site.sheet),
            Route("/static/{name}", site.static),
        ],
        middleware=[Middleware(Guard, hosts=tuple(hosts))],
        exception_handlers={
            HTTPException: site.http_error,
            NotThereError: site.not_there,
            NoCatalogueError: site.no_catalogue,
            UnreadableCatalogueError: site.unreadable,
        },
    )
