"""The site: which address leads where."""

from collections.abc import Iterable
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from bridge_cart_assets.reports.catalogue import NoCatalogueError, UnreadableCatalogueError
from bridge_cart_assets.reports.guard import Guard
from bridge_cart_assets.reports.pages import Pages


def create_app(catalogue: Path, hosts: Iterable[str] = ()) -> Starlette:
    """The report page over a catalogue file, which may be replaced, or come later.

    Args:
        catalogue: path of the DuckDB file.
        hosts: names in the Host header that are answered besides localhost, 127.0.0.1 and ::1.
    """
    pages = Pages(catalogue)
    return Starlette(
        routes=[
            Route("/", pages.overview),
            Route("/healthz", pages.healthz),
            Route("/export/{table}.csv", pages.export),
            Route("/static/{name}", pages.static),
        ],
        middleware=[Middleware(Guard, hosts=tuple(hosts))],
        exception_handlers={
            HTTPException: pages.http_error,
            NoCatalogueError: pages.no_catalogue,
            UnreadableCatalogueError: pages.unreadable,
        },
    )
