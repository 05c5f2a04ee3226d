"""What a page of the report is, to the site that serves it.

Belongs here: the form that every page has. Does not belong here: a particular page (each has a
package of its own), or which pages there are (see `pages`).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from bridge_cart_assets.reports.catalogue import Catalogue
from bridge_cart_assets.reports.filters import FILTERS, Filters, PageQuery, Parameter
from bridge_cart_assets.reports.formatting import listed
from bridge_cart_assets.reports.tables import Sheet
from bridge_cart_assets.tables.table import Table

_VARIABLE = re.compile(r"{(\w+)(?::\w+)?}")


class NotThereError(LookupError):
    """The address names something that does not exist; the message is a sentence about it."""


class View(Protocol):
    """What a template shows; its tables are there as CSV too."""

    @property
    def sheets(self) -> tuple[Sheet, ...]:
        """Every table of the page, those under charts too; names are unique in a page."""


@dataclass(frozen=True)
class Page:
    """One page.

    Attributes:
        name: its package, and its part in the addresses of exports.
        path: its address; may have variable parts, as in /customers/{customer_id}.
        title: in the navigation and in the window's title.
        template: which file shows its view, as `page`.
        read: the view; None while there is no sale. May raise NotThereError.
        supported_filters: the filters that change something here.
        filters_note: why the others do not, as the end of a sentence.
        parameters: GET parameters that only this page has.
        in_navigation: whether it can be gone to from everywhere.
        within: the name of the page in the navigation that it belongs to.
        needs: the gold tables without which it is not read.
    """

    name: str
    path: str
    title: str
    template: str
    read: Callable[[Catalogue, PageQuery], View | None]
    supported_filters: frozenset[str] = frozenset(FILTERS)
    filters_note: str = "this page shows the whole shop"
    parameters: tuple[Parameter, ...] = ()
    in_navigation: bool = True
    within: str = ""
    needs: frozenset[Table] = frozenset()

    def not_applied(self, filters: Filters) -> str:
        """The sentence on filters that are set but change nothing here; '' if there are none."""
        names = [
            label
            for name, label in FILTERS.items()
            if filters.is_set(name) and name not in self.supported_filters
        ]
        if not names:
            return ""
        verb = "does" if len(names) == 1 else "do"
        return f"{listed(names)} {verb} not apply here: {self.filters_note}."

    def missing(self, catalogue: Catalogue) -> tuple[str, ...]:
        """The gold tables that it needs and an earlier version's catalogue does not have.

        A catalogue without any is one before the first sale: that lacks nothing.
        """
        there = set(catalogue.gold_tables())
        return tuple(sorted(table.name for table in self.needs - there)) if there else ()

    @property
    def path_names(self) -> tuple[str, ...]:
        """The variable parts of the path."""
        return tuple(_VARIABLE.findall(self.path))

    def address(self, path: Mapping[str, str]) -> str:
        """The page's own path, with its variable parts filled in."""
        return _VARIABLE.sub(lambda part: quote(path[part[1]], safe=""), self.path)
