"""How current the catalogue is: its latest run, and the latest day that has figures.

Belongs here: what every page says or needs about the catalogue as a whole. Does not belong here:
figures (see the `queries` of each page).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime

from bridge_cart_assets.batch_days import local_day
from bridge_cart_assets.reports.catalogue import Catalogue
from bridge_cart_assets.thresholds import THRESHOLDS
from bridge_cart_assets.transforms.source_days import SourceDay, orders_stopped

_SAYS_ITS_ZONE = """
    SELECT true FROM duckdb_columns()
    WHERE schema_name = 'meta' AND table_name = 'run' AND column_name = 'timezone'
      AND database_name = current_database()
"""


@dataclass(frozen=True)
class Freshness:
    """How current the catalogue is.

    Attributes:
        as_of: the latest day that has figures.
        finished_at: when the run finished; UTC, without a zone.
        run_id: the run.
        timezone: the zone whose days these are.
    """

    as_of: date | None
    finished_at: datetime | None
    run_id: str | None
    timezone: str = "UTC"

    @property
    def run_day(self) -> date | None:
        """The day on which the run finished."""
        at = self.finished_at
        return None if at is None else local_day(at.replace(tzinfo=UTC), self.timezone)


def freshness(catalogue: Catalogue) -> Freshness:
    """The latest run; all None when there has been none."""
    # Catalogues of earlier versions do not say it: their days are UTC's.
    zone = "timezone" if catalogue.ask(bool, _SAYS_ITS_ZONE) else "'UTC'"
    sql = f"""
        SELECT as_of, CAST(finished_at AS TIMESTAMP), run_id, {zone}
        FROM meta.run ORDER BY finished_at DESC NULLS LAST LIMIT 1
    """  # noqa: S608 (own names)
    return next(iter(catalogue.ask(Freshness, sql)), Freshness(None, None, None))


def days_by_source(catalogue: Catalogue) -> list[SourceDay]:
    """The latest batch day of each source; none when an older version built the catalogue."""
    has_column = """
        SELECT count(*) FROM duckdb_columns()
        WHERE schema_name = 'meta' AND table_name = 'accounting' AND column_name = 'brings_orders'
    """
    if not catalogue.value(has_column):
        return []
    sql = "SELECT source, last_day, brings_orders FROM meta.accounting ORDER BY source"
    return catalogue.ask(SourceDay, sql)


def orders_stopped_sentence(days: Collection[SourceDay]) -> str:
    """That orders stopped while other records go on; '' when they did not."""
    stopped = orders_stopped(days, THRESHOLDS.as_of_age)
    return f"{stopped[0].upper()}{stopped[1:]}." if stopped else ""


@dataclass(frozen=True)
class Days:
    """The first and the latest day that have KPIs; the latest one is as_of."""

    first: date
    last: date


def days_of_figures(catalogue: Catalogue) -> Days | None:
    """From when to when there are figures; None before the first sale."""
    sql = "SELECT min(day), max(day) FROM gold.kpis_daily HAVING max(day) IS NOT NULL"
    return next(iter(catalogue.ask(Days, sql)), None)
