"""The weekly report: one HTML file without scripts, to be kept, printed or sent by mail.

Belongs here: which parts it has. Does not belong here: figures and sentences, which are those of
the overview and of the pipeline page, or HTML (see templates/weekly.html).
"""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from bridge_cart_assets.reports.catalogue import Catalogue, CatalogueFile
from bridge_cart_assets.reports.currency import amounts_in, only_currency
from bridge_cart_assets.reports.filters import PageQuery
from bridge_cart_assets.reports.formatting import Cell, compact_money, count, money
from bridge_cart_assets.reports.freshness import Freshness, freshness
from bridge_cart_assets.reports.overview.page import NEEDED, Overview, overview
from bridge_cart_assets.reports.overview.queries import RevenueWeek, revenue_weeks
from bridge_cart_assets.reports.pipeline.page import pipeline
from bridge_cart_assets.reports.tables import Sheet
from bridge_cart_assets.reports.templating import environment

_WEEKS = 8


class NoReportError(RuntimeError):
    """There are no figures to report; the message says what to do."""


@dataclass(frozen=True)
class WeekBar:
    """A week of the chart.

    Attributes:
        week_to: its last day.
        revenue, new_customers: of its seven days.
        share: of the best week's revenue, from 0 to 100, for the length of the bar.
    """

    week_to: date
    revenue: Cell
    new_customers: Cell
    share: int


@dataclass(frozen=True)
class WeeklyReport:
    """All that the report shows.

    Attributes:
        shop: names the lakehouse; may be empty.
        first, last: the days of the week.
        revenue: of the week.
        overview: the figures, sentences and segments of the overview.
        weeks: the latest full weeks, oldest first.
        checked: whether the figures can be trusted, in sentences.
        failed: the checks that failed or warned.
        fresh: the run that made the figures.
    """

    shop: str
    first: date
    last: date
    revenue: Cell
    overview: Overview
    weeks: tuple[WeekBar, ...]
    checked: tuple[str, ...]
    failed: Sheet
    fresh: Freshness


def weekly_report(catalogue: Path, currency: str = "", shop: str = "") -> tuple[date, bytes]:
    """The report of the week that ends with the latest day of the catalogue.

    Args:
        catalogue: the DuckDB file.
        currency: the code of the amounts; the only one that order lines name without it.
        shop: names the lakehouse in the title.

    Returns:
        The last day of the week, and the HTML.

    Raises:
        NoReportError: nothing was sold yet, or an older version built the catalogue.
        NoCatalogueError: nothing has been run yet.
        UnreadableCatalogueError: the catalogue cannot be read.
    """
    with CatalogueFile(catalogue).opened() as opened:
        missing = sorted(table.name for table in NEEDED - {*opened.gold_tables()})
        if missing:
            names = ", ".join(missing)
            raise NoReportError(f"the catalogue has no {names}: bridge-cart run builds it")
        report = _report(opened, shop)
        with amounts_in(currency or only_currency(opened)):
            html = environment().get_template("weekly.html").render(report=report)
    return report.last, html.encode()


def _report(catalogue: Catalogue, shop: str) -> WeeklyReport:
    figures = overview(catalogue, PageQuery())
    if figures is None:
        raise NoReportError("nothing was sold yet: land files, then bridge-cart run")
    weeks = revenue_weeks(catalogue, figures.last, _WEEKS, 7)
    behind_it = pipeline(catalogue, PageQuery())
    return WeeklyReport(
        shop=shop,
        first=figures.last - timedelta(days=6),
        last=figures.last,
        revenue=money(weeks[-1].revenue if weeks else None, "the shop is younger than a week"),
        overview=figures,
        weeks=_bars(weeks),
        checked=behind_it.state,
        failed=behind_it.alerts,
        fresh=freshness(catalogue),
    )


def _bars(weeks: list[RevenueWeek]) -> tuple[WeekBar, ...]:
    best = max((week.revenue for week in weeks), default=Decimal(0))
    return tuple(
        WeekBar(
            week.week_to,
            compact_money(week.revenue),
            count(week.new_customers),
            round(100 * week.revenue / best) if best > 0 else 0,
        )
        for week in weeks
    )
