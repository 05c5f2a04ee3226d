"""The routes' endpoints: what each address answers.

Belongs here: from request to response, and which state of the catalogue gives which page. Does
not belong here: figures (see `overview`) and headers (see `guard`).
"""

from itertools import chain
from pathlib import Path

import jinja2
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
    StreamingResponse,
)

from bridge_cart_assets.reports import queries
from bridge_cart_assets.reports.assets import Assets
from bridge_cart_assets.reports.catalogue import (
    NoCatalogueError,
    UnreadableCatalogueError,
    open_catalogue,
)
from bridge_cart_assets.reports.export import csv_lines
from bridge_cart_assets.reports.formatting import grouped, moment
from bridge_cart_assets.reports.overview import overview
from bridge_cart_assets.tables.gold import TABLES

_A_YEAR = "public, max-age=31536000, immutable"


class Pages:
    """The endpoints over one catalogue file."""

    def __init__(self, catalogue: Path) -> None:
        """Take the path of the catalogue; the file may come later."""
        self.catalogue = catalogue
        self.assets = Assets()
        self.templates = jinja2.Environment(
            loader=jinja2.PackageLoader("bridge_cart_assets.reports"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.templates.filters |= {"grouped": grouped, "moment": moment}
        self.templates.globals |= {"asset": self.assets.url}

    def overview(self, request: Request) -> Response:
        """The figures of the shop; before there are any, what to do about it."""
        try:
            with open_catalogue(self.catalogue) as catalogue:
                fresh = queries.freshness(catalogue)
                page = overview(catalogue)
        except NoCatalogueError:
            return self._page("no-catalogue.html", 200)
        if page is None:
            return self._page("no-sales.html", 200, fresh=fresh)
        return self._page("overview.html", 200, fresh=fresh, page=page)

    def healthz(self, request: Request) -> Response:
        """Whether there is something to show, and up to which day."""
        try:
            with open_catalogue(self.catalogue) as catalogue:
                as_of = queries.freshness(catalogue).as_of
        except NoCatalogueError:
            return JSONResponse({"status": "no catalogue", "as_of": None}, 503)
        except UnreadableCatalogueError as error:
            return JSONResponse({"status": f"unreadable: {error}", "as_of": None}, 503)
        return JSONResponse({"status": "ok", "as_of": as_of.isoformat() if as_of else None})

    def export(self, request: Request) -> Response:
        """A gold table as CSV."""
        name = request.path_params["table"]
        table = next((table for table in TABLES if table.name == name), None)
        if table is None:
            raise HTTPException(404)
        lines = csv_lines(self.catalogue, table)
        # the first piece opens the catalogue: an error still has a page of its own
        return StreamingResponse(
            chain([next(lines)], lines),
            media_type="text/csv",
            headers={"Content-Disposition": f'attachment; filename="{table.name}.csv"'},
        )

    def static(self, request: Request) -> Response:
        """A file of the allow-list."""
        asset = self.assets.by_name.get(request.path_params["name"])
        if asset is None:
            raise HTTPException(404)
        is_this_version = request.query_params.get("v") == asset.version
        return FileResponse(
            asset.path,
            media_type=asset.media_type,
            headers={"Cache-Control": _A_YEAR if is_this_version else "no-cache"},
        )

    def http_error(self, request: Request, error: Exception) -> Response:
        """An address or a method that is not served."""
        if isinstance(error, HTTPException) and error.status_code != 404:
            return PlainTextResponse(
                f"{error.detail}\n", error.status_code, headers=dict(error.headers or {})
            )
        return self._page("not-found.html", 404)

    def no_catalogue(self, request: Request, error: Exception) -> Response:
        """An export before the first run."""
        return self._page("no-catalogue.html", 503)

    def unreadable(self, request: Request, error: Exception) -> Response:
        """A catalogue that is there but cannot be read."""
        return self._page("unreadable.html", 503, reason=str(error))

    def _page(self, template: str, status: int, **values: object) -> Response:
        context = {"fresh": None, **values}
        return HTMLResponse(self.templates.get_template(template).render(context), status)
