"""The endpoints: what each address answers.

Belongs here: from request to response, and which state of the catalogue gives which page. Does
not belong here: figures (see the pages' packages) and headers that every answer has (see
`security`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from threading import Lock

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

from bridge_cart_assets.reports.assets import Assets
from bridge_cart_assets.reports.cache import CachedPage, PageCache, kept
from bridge_cart_assets.reports.catalogue import (
    Catalogue,
    CatalogueFile,
    Identity,
    NoCatalogueError,
    UnreadableCatalogueError,
)
from bridge_cart_assets.reports.currency import amounts_in, only_currency
from bridge_cart_assets.reports.export import csv_lines
from bridge_cart_assets.reports.filters import FILTERS, Choices, PageQuery, choices_of, read_address
from bridge_cart_assets.reports.freshness import freshness
from bridge_cart_assets.reports.page import Page, View
from bridge_cart_assets.reports.templating import environment
from bridge_cart_assets.tables.gold import TABLES

_A_YEAR = "public, max-age=31536000, immutable"
_LONGEST_QUERY = 2_000


class Site:
    """The endpoints over one catalogue file."""

    def __init__(
        self, catalogue: Path, pages: Sequence[Page], currency: str = "", dagster: str = ""
    ) -> None:
        """Take the path of the catalogue; the file may come later."""
        self.catalogue = CatalogueFile(catalogue)
        self.pages = tuple(pages)
        self.currency = currency
        self.assets = Assets()
        self.cache = PageCache()
        self._choices: tuple[Identity, Choices] | None = None
        # Views are made one after the other: each uses all threads and most of the memory that the
        # catalogue may take; two at once over a million customers fail for want of it.
        self._making = Lock()
        self.templates = environment()
        self.templates.globals |= {
            "asset": self.assets.url,
            "navigation": tuple(page for page in self.pages if page.in_navigation),
            "filters": FILTERS,
            "dagster": dagster.rstrip("/"),
        }

    def page(self, page: Page, request: Request) -> Response:
        """One of the pages; before there are figures, what to do about it."""
        try:
            identity = self.catalogue.identity()
            asked = self._asked(page, request, self._choices_in(identity))
            if asked.warnings:  # a page about somebody's typing is not worth keeping
                return _html(request, kept(self._render_page(page, request)[1]))
            key = page.address(asked.path) + asked.query()
            made = self.cache.find_or_make(identity, key, lambda: self._render_page(page, request))
        except NoCatalogueError:
            return self._message("no-catalogue.html", 200)
        return _html(request, made)

    def sheet(self, request: Request) -> Response:
        """A table of a page as CSV, under the filters that the address has."""
        page = next((p for p in self.pages if p.name == request.path_params["page"]), None)
        if page is None:
            raise HTTPException(404)
        with self.catalogue.opened() as catalogue:
            asked = self._asked(page, request, self._choices_of(catalogue))
            if asked.warnings:
                return PlainTextResponse("\n".join(asked.warnings) + "\n", 400)
            missing = page.missing(catalogue)
            if missing:
                return self._message("behind.html", 503, missing=missing)
            view = self._view(page, catalogue, replace(asked, in_full=True))
        if view is None:
            return self._message("no-sales.html", 503)
        name = request.path_params["sheet"]
        sheet = next((sheet for sheet in view.sheets if sheet.name == name), None)
        if sheet is None:
            raise HTTPException(404)
        return _csv(sheet.csv_lines(), f"{page.name}-{sheet.name}")

    def export(self, request: Request) -> Response:
        """A gold table as CSV."""
        name = request.path_params["table"]
        table = next((table for table in TABLES if table.name == name), None)
        if table is None:
            raise HTTPException(404)
        with self.catalogue.opened() as catalogue:
            if table not in catalogue.gold_tables():
                return self._message("behind.html", 503, missing=(table.name,))
        lines = csv_lines(self.catalogue, table)
        # the first piece opens the catalogue: an error still has a page of its own
        return _csv(chain([next(lines)], lines), table.name)

    def healthz(self, request: Request) -> Response:
        """Whether there is something to show, and up to which day."""
        try:
            with self.catalogue.opened() as catalogue:
                as_of = freshness(catalogue).as_of
        except NoCatalogueError:
            return JSONResponse({"status": "no catalogue", "as_of": None}, 503)
        except UnreadableCatalogueError as error:
            return JSONResponse({"status": f"unreadable: {error}", "as_of": None}, 503)
        return JSONResponse({"status": "ok", "as_of": as_of.isoformat() if as_of else None})

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
        return self._message("not-found.html", 404, reason="")

    def not_there(self, request: Request, error: Exception) -> Response:
        """An address of a page about something that does not exist."""
        return self._message("not-found.html", 404, reason=str(error))

    def no_catalogue(self, request: Request, error: Exception) -> Response:
        """An export before the first run."""
        return self._message("no-catalogue.html", 503)

    def unreadable(self, request: Request, error: Exception) -> Response:
        """A catalogue that is there but cannot be read."""
        return self._message("unreadable.html", 503, reason=str(error))

    def _asked(self, page: Page, request: Request, choices: Choices) -> PageQuery:
        if len(request.url.query) > _LONGEST_QUERY:
            return replace(
                read_address((), choices, page.parameters, _path(page, request)),
                warnings=(
                    f"The address is longer than {_LONGEST_QUERY} characters after the "
                    "question mark: nothing of that was read.",
                ),
            )
        return read_address(
            request.query_params.multi_items(), choices, page.parameters, _path(page, request)
        )

    def _choices_in(self, identity: Identity) -> Choices:
        known = self._choices
        if known and known[0] == identity:
            return known[1]
        with self.catalogue.opened() as catalogue:
            return self._choices_of(catalogue)

    def _choices_of(self, catalogue: Catalogue) -> Choices:
        known = self._choices
        if known and known[0] == catalogue.identity:
            return known[1]
        choices = choices_of(catalogue)
        self._choices = (catalogue.identity, choices)
        return choices

    def _render_page(self, page: Page, request: Request) -> tuple[Identity, bytes]:
        """The page, from the catalogue that is there when it is opened."""
        with self.catalogue.opened() as catalogue:
            choices = self._choices_of(catalogue)
            asked = self._asked(page, request, choices)
            fresh = freshness(catalogue)
            identity = catalogue.identity
            currency = self.currency or only_currency(catalogue)
            missing = page.missing(catalogue)
            view = None if missing else self._view(page, catalogue, asked)
        if missing:
            found = {"fresh": fresh, "here": page, "asked": asked, "missing": missing}
            return identity, self._rendered("behind.html", **found)
        if view is None:
            return identity, self._rendered("no-sales.html", fresh=fresh, here=page, asked=asked)
        with amounts_in(currency):
            html = self._rendered(
                page.template, fresh=fresh, here=page, asked=asked, choices=choices, page=view
            )
        return identity, html

    def _view(self, page: Page, catalogue: Catalogue, asked: PageQuery) -> View | None:
        """What the page shows; None before the first sale, when gold may have no table yet."""
        if page.needs and not catalogue.gold_tables():
            return None
        with self._making:
            return page.read(catalogue, asked)

    def _message(self, template: str, status: int, **values: object) -> Response:
        return HTMLResponse(self._rendered(template, **values), status)

    def _rendered(self, template: str, **values: object) -> bytes:
        context = {"fresh": None, "here": None, "asked": PageQuery(), "choices": None, **values}
        return self.templates.get_template(template).render(context).encode()


def _path(page: Page, request: Request) -> dict[str, str]:
    """The variable parts of a page's address; an export has them among its parameters."""
    if "sheet" not in request.path_params:
        return {name: str(value) for name, value in request.path_params.items()}
    return {name: request.query_params.get(name, "") for name in page.path_names}


def _html(request: Request, page: CachedPage) -> Response:
    headers = {"ETag": page.etag, "Cache-Control": "no-cache"}
    tags = {tag.strip().removeprefix("W/") for tag in _if_none_match(request).split(",")}
    if page.etag in tags or "*" in tags:
        return Response(status_code=304, headers=headers)
    return HTMLResponse(page.body, headers=headers)


def _if_none_match(request: Request) -> str:
    return request.headers.get("if-none-match", "")


def _csv(lines: Iterator[str], name: str) -> Response:
    return StreamingResponse(
        lines,
        media_type="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )
