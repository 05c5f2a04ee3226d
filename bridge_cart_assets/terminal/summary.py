"""The end of a run: the KPIs against four weeks before, the segments, and what to look at next.

Belongs here: which figures, and which of them is worth a look. Does not belong here: how a figure
looks (`style`), or how it is counted (`transforms`, `models`).
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.text import Text

from bridge_cart_assets.lake.query import Answer, asking
from bridge_cart_assets.pipeline.findings import FileFinding, sums_in_words
from bridge_cart_assets.pipeline.phases import phase
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.terminal.intake_summary import show_findings
from bridge_cart_assets.terminal.style import (
    WARN,
    Good,
    change_in_points,
    format_count,
    format_money,
    format_percent,
    grid,
    heading,
    relative_change,
)
from bridge_cart_assets.thresholds import THRESHOLDS
from bridge_cart_assets.transforms.comparisons import is_full
from bridge_cart_assets.transforms.source_days import SourceDay, orders_stopped

# Answers a question to the catalogue.
_Ask = Callable[[str], Answer]
_DAYS = THRESHOLDS.trailing_days
# Words, column, and which way is better.
_KPIS: tuple[tuple[str, str, Good], ...] = (
    ("customers", "customers_total", "up"),
    ("revenue, 90 days", "revenue_90d", "up"),
    ("orders, 90 days", "orders_90d", "up"),
    ("average order, 90 days", "aov_90d", "up"),
    ("repeat purchase rate", "repeat_purchase_rate", "up"),
    ("churn rate, 90 days", "churn_rate_90d", "down"),
    ("net revenue retention", "nrr_90d", "up"),
)
_SHARES = {"repeat_purchase_rate", "churn_rate_90d", "nrr_90d"}
_SEGMENTS = """
SELECT segment_name, m.customers, segment_contribution, avg_clv, churn_rate,
  v.risk, v.predicted
FROM gold.segment_metrics AS m
LEFT JOIN (
  SELECT segment_id, avg(churn_probability_90d) AS risk, sum(predicted_clv_365d) AS predicted
  FROM gold.customer_segments JOIN gold.customer_value USING (customer_id)
  GROUP BY segment_id
) AS v USING (segment_id)
WHERE is_current
ORDER BY segment_contribution DESC NULLS LAST, segment_name
"""
_TOTAL = """
SELECT count(*) AS customers, sum(historic_clv) / count(*) AS avg_clv,
  avg(is_churned::INT) AS churn_rate, avg(churn_probability_90d) AS risk,
  sum(predicted_clv_365d) AS predicted
FROM gold.customer_value
"""
# The best tenth as in top_decile_share, by net revenue so far; who ties with the last is one too.
_BEST = """
WITH bar AS (
  SELECT historic_clv AS least FROM gold.customer_value
  QUALIFY row_number() OVER (ORDER BY historic_clv DESC) = ceil(count(*) OVER () / 10)
)
SELECT least, count(*) AS best, count(*) FILTER (churn_band = 'high') AS leaving
FROM gold.customer_value, bar WHERE historic_clv >= least GROUP BY least
"""
_IS_THERE = (
    "SELECT 1 FROM duckdb_tables() WHERE schema_name = 'meta' AND table_name = 'gold_builds'"
)
_BUILDS = """
SELECT name, mode, why FROM meta.gold_builds JOIN meta.run USING (run_id) ORDER BY why, name
"""
_LEAVING = (
    "SELECT customer_id, historic_clv, churn_probability_90d FROM gold.customer_value"
    " WHERE churn_band = 'high' AND historic_clv >= {least} ORDER BY 2 DESC"
)
_INTAKE = "SELECT * FROM meta.intake_findings ORDER BY abs(amount) DESC NULLS LAST"
_SOLD = """
SELECT sum(revenue) AS revenue, sum(anonymous_revenue) AS anonymous, sum(orders) AS orders,
  sum(anonymous_orders) AS anonymous_orders
FROM gold.kpis_daily
"""
_KNOWS_SOURCES = """
SELECT 1 FROM duckdb_columns() WHERE schema_name = 'meta' AND table_name = 'accounting'
AND column_name = 'brings_orders'
"""
_SOURCES = "SELECT source, last_day, brings_orders FROM meta.accounting ORDER BY last_day"
_FALLING = (
    "SELECT segment_name, customers, churn_rate FROM gold.segment_metrics"
    " WHERE is_current ORDER BY churn_rate DESC"
)


@phase("printing the summary")
def summarise(
    settings: Settings, console: Console, file_findings: Sequence[FileFinding] = ()
) -> None:
    """Print what the catalogue says now.

    Args:
        settings: where the catalogue lies.
        console: where to.
        file_findings: what of the files of the run is not in silver as they say. It comes first.
    """
    if file_findings:
        show_findings(file_findings, console, "bridge-cart status")
    with asking(settings.catalogue) as ask:
        _show_figures(ask, console, file_findings)
    console.print("Next: bridge-cart status · make dev", markup=False, soft_wrap=True)


def _show_figures(ask: _Ask, console: Console, file_findings: Sequence[FileFinding]) -> None:
    days = _rows(
        ask,
        f"SELECT * FROM gold.kpis_daily ORDER BY day DESC LIMIT {_DAYS + 1}",  # noqa: S608
    )
    if not days:
        heading(console, "KPIs and segments")
        console.print("there are none: no sale has been taken in yet")
    else:
        now, before = days[0], days[_DAYS] if len(days) > _DAYS else {}
        [first] = _rows(ask, "SELECT min(day) AS day FROM gold.kpis_daily")
        before = {k: v for k, v in before.items() if is_full(k, before["day"], first["day"])}
        _show_kpis(now, before, console)
        [sold] = _rows(ask, _SOLD)
        console.print(who_bought(**sold), markup=False, soft_wrap=True)
        _show_segments(ask, console)
        console.print()
        console.print(_to_look_at(ask, now, before, file_findings), soft_wrap=True)
    builds = _rows(ask, _BUILDS) if _rows(ask, _IS_THERE) else []
    if builds:
        console.print(how_gold_was_built(builds), markup=False, soft_wrap=True)


def who_bought(revenue: Decimal, anonymous: Decimal, orders: int, anonymous_orders: int) -> str:
    """Revenue so far of customers and of anonymous orders, and the shares of the second.

    Args:
        revenue: of customers.
        anonymous: revenue of lines without a customer.
        orders: of customers, each on the days of its lines.
        anonymous_orders: of lines without a customer.

    >>> print(who_bought(Decimal(75), Decimal(25), 9, 1))
    revenue so far: 100.00, of it 75.00 of customers
      and 25.00 of anonymous orders: 25.0 % of revenue, 10.0 % of orders
    >>> who_bought(Decimal(75), Decimal(0), 9, 0)
    'revenue so far: 75.00, all of it of customers'
    """
    if not anonymous_orders:
        return f"revenue so far: {format_money(revenue)}, all of it of customers"
    together = revenue + anonymous
    of_revenue = format_percent(anonymous / together)
    of_orders = format_percent(anonymous_orders / (orders + anonymous_orders))
    return (
        f"revenue so far: {format_money(together)}, of it {format_money(revenue)} of customers\n"
        f"  and {format_money(anonymous)} of anonymous orders: "
        f"{of_revenue} of revenue, {of_orders} of orders"
    )


def how_gold_was_built(builds: Sequence[Mapping[str, Any]]) -> str:
    """What the last run did to gold, with the tables that could not follow, by reason.

    Args:
        builds: name, mode and why of the tables that it wrote.

    >>> new = "another segment model has come"
    >>> rows = [("sales_daily", "incremental", None), ("customer_history", "full", new)]
    >>> rows += [("segment_metrics", "full", new), ("customer_value", "full", None)]
    >>> print(how_gold_was_built([dict(zip(("name", "mode", "why"), r)) for r in rows]))
    gold: 4 tables written, 1 followed the change, 1 in one pass as always, 2 whole
      customer_history, segment_metrics: another segment model has come
    """
    by_reason: dict[str, list[str]] = {}
    for build in builds:
        if build["why"] is not None:
            by_reason.setdefault(build["why"], []).append(build["name"])
    whole = sum(len(names) for names in by_reason.values())
    followed = sum(build["mode"] == "incremental" for build in builds)
    parts = (
        (followed, "followed the change"),
        (len(builds) - followed - whole, "in one pass as always"),
        (whole, "whole"),
    )
    counted = ", ".join(f"{number} {words}" for number, words in parts if number)
    noun = "table" if len(builds) == 1 else "tables"
    reasons = [f"\n  {', '.join(names)}: {why}" for why, names in by_reason.items()]
    return f"gold: {len(builds)} {noun} written, {counted}{''.join(reasons)}"


def _show_kpis(now: dict[str, Any], before: dict[str, Any], console: Console) -> None:
    remark = f"on {now['day']}, beside {_DAYS} days before"
    if "churn_rate_90d" not in before:
        remark += " where all days of a figure are there"
    heading(console, "KPIs", remark)
    shown = grid("", "now", "before", "change", words=("change",))
    for words, column, good in _KPIS:
        current, earlier = now[column], before.get(column)
        is_share = column in _SHARES
        write = (
            format_percent
            if is_share
            else format_count
            if isinstance(current, int)
            else format_money
        )
        change = change_in_points if is_share else relative_change
        shown.add_row(words, write(current), write(earlier), change(current, earlier, good))
    console.print(shown)


def _show_segments(ask: _Ask, console: Console) -> None:
    heading(console, "segments", "so far; and the next days as the value model expects them")
    shown = grid(
        *("segment", "customers", "of\nrevenue", "CLV\nso far", "churn\nrate"),
        *("churn, next\n90 days", "spend, next\n365 days"),
    )
    for row in _rows(ask, _SEGMENTS):
        shown.add_row(
            row["segment_name"],
            format_count(row["customers"]),
            format_percent(row["segment_contribution"]),
            *_expected(row),
        )
    [total] = _rows(ask, _TOTAL)
    shown.add_section()
    shown.add_row(
        "all", format_count(total["customers"]), format_percent(1), *_expected(total), style="bold"
    )
    console.print(shown)


def _expected(row: dict[str, Any]) -> tuple[str, str, str, str]:
    return (
        format_money(row["avg_clv"]),
        format_percent(row["churn_rate"]),
        format_percent(row["risk"]),
        format_money(row["predicted"]),
    )


def _to_look_at(
    ask: _Ask,
    now: dict[str, Any],
    before: dict[str, Any],
    file_findings: Sequence[FileFinding],
) -> Text:
    """The most urgent of what the files and the figures say, with the questions that show more."""
    stopped = _orders_stopped(ask)
    lines = [
        _line(stopped, _SOURCES, WARN) if stopped else None,
        _line(sums_in_words(file_findings), _INTAKE, WARN) if file_findings else None,
        _urgent_figure(ask, now, before),
    ]
    urgent = [line for line in lines if line is not None]
    if urgent:
        return Text("\n").join(urgent)
    return _line("nothing stands out", "SELECT * FROM gold.kpis_daily ORDER BY day DESC LIMIT 28")


def _urgent_figure(ask: _Ask, now: dict[str, Any], before: dict[str, Any]) -> Text | None:
    best = _rows(ask, _BEST)
    if best and best[0]["leaving"]:
        [row] = best
        said = (
            f"{row['leaving']:,} of the {row['best']:,} best customers are likely to leave"
            " (churn probability above 2/3)"
        )
        return _line(said, _LEAVING.format(least=row["least"]), WARN)
    churn, usual = now["churn_rate_90d"], before.get("churn_rate_90d")
    if churn is not None and usual is not None and churn > usual:
        points = Decimal(str(churn - usual)) * 100
        if points >= 1:
            said = f"the churn rate is {points:.1f} points higher than {_DAYS} days before"
            return _line(said, _FALLING, WARN)
    return None


def _orders_stopped(ask: _Ask) -> str:
    """That orders stopped while other records go on; '' when they did not."""
    if not _rows(ask, _KNOWS_SOURCES):
        return ""
    rows = _rows(ask, "SELECT source, last_day, brings_orders FROM meta.accounting")
    return orders_stopped([SourceDay(**row) for row in rows], THRESHOLDS.as_of_age)


def _line(said: str, question: str, style: str = "") -> Text:
    return Text.assemble((f"{said}:", style), f'\n  bridge-cart sql "{question}"')


def _rows(ask: _Ask, statement: str) -> list[dict[str, Any]]:
    answer = ask(statement)
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
