"""What the figures say in words: pure functions from figures to sentences.

Belongs here: which change is worth a sentence, and its wording; every number in a sentence is
computed. Does not belong here: queries, or HTML.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from bridge_cart_assets.reports.formatting import compact, customers, exact, grouped, rounded
from bridge_cart_assets.reports.overview.queries import KpiDay, RevenueWeek, SegmentGrowth
from bridge_cart_assets.reports.segments.queries import Week
from bridge_cart_assets.transforms.comparisons import is_full

CHURN_BY_SEGMENT = "Churn by segment"
_LEAST_WEEKS = 4


def what_changed(
    days: Sequence[KpiDay],
    weeks: Sequence[RevenueWeek],
    segments: Sequence[SegmentGrowth],
    first: date,
) -> list[str]:
    """At most three sentences on the last seven days; none without anything to compare with.

    Args:
        days: the latest days, oldest first.
        weeks: the latest full weeks, oldest first.
        segments: the living segments now and seven days before.
        first: the first day of the shop.
    """
    if not days or kpis_before(days, 7) is None:
        return []
    candidates = (_revenue(weeks), _churn(days, first), _segments(segments), _new_customers(weeks))
    return [sentence for sentence in candidates if sentence][:3]


def kpis_before(days: Sequence[KpiDay], count: int) -> KpiDay | None:
    """The KPIs of the day that lies `count` days before the latest one, if it is there."""
    wanted = days[-1].day - timedelta(days=count)
    return next((day for day in days if day.day == wanted), None)


def churn_headline(points: Sequence[Week], last: date) -> str:
    """What churn did in the living segments over the weeks shown; a plain title if unclear.

    A segment counts when its line reaches `last` and spans four weeks; less than 0.05 points
    from first to last is neither a rise nor a fall.
    """
    spans = [_span(points, segment) for segment in sorted({p.segment_id for p in points})]
    moves = {
        end.segment_name: _points(end.churn_rate) - _points(start.churn_rate)
        for start, end in (span for span in spans if span)
        if end.day == last and end.day - start.day >= timedelta(weeks=_LEAST_WEEKS)
    }
    if len(moves) < 2 or len(moves) < len({p.segment_id for p in points if p.day == last}):
        return CHURN_BY_SEGMENT
    risen = [name for name, move in moves.items() if _tenth(move) > 0]
    fallen = [name for name, move in moves.items() if _tenth(move) < 0]
    for verb, those in (("fell", fallen), ("rose", risen)):
        others = [name for name in moves if name not in those]
        if not others:
            return f"Churn {verb} in every segment"
        if len(others) == 1 and len(moves) > 2:
            return f"Churn {verb} in every segment but {others[0]}"
    if len(moves) == 2 and risen and fallen:
        return f"Churn rose in {risen[0]} and fell in {fallen[0]}"
    if len(risen) == len(fallen):
        return CHURN_BY_SEGMENT
    verb, those = ("rose", risen) if len(risen) > len(fallen) else ("fell", fallen)
    return f"Churn {verb} in {len(those)} of {len(moves)} segments"


def _span(points: Sequence[Week], segment_id: int) -> tuple[Week, Week] | None:
    known = [p for p in points if p.segment_id == segment_id and p.churn_rate is not None]
    return (known[0], known[-1]) if known else None


def _revenue(weeks: Sequence[RevenueWeek]) -> str | None:
    pair = _last_two(weeks)
    if pair is None or not pair[0].revenue:
        return None
    before, now = pair[0].revenue, pair[1].revenue
    change = 100 * (now - before) / before
    if not _tenth(change):
        return None
    return (
        f"The last seven days brought {compact(now)} in revenue, {grouped(abs(change), 1)}% "
        f"{'more' if change > 0 else 'less'} than the seven before ({compact(before)})."
    )


def _churn(days: Sequence[KpiDay], first: date) -> str | None:
    before, now = kpis_before(days, 7), days[-1]
    if before is None or before.churn_rate_90d is None or now.churn_rate_90d is None:
        return None
    if not is_full("churn_rate_90d", before.day, first):
        return None
    change = _points(now.churn_rate_90d) - _points(before.churn_rate_90d)
    if not _tenth(change):
        return None
    return (
        f"Churn {'rose' if change > 0 else 'fell'} by {grouped(abs(change), 1)} points to "
        f"{grouped(_points(now.churn_rate_90d), 1)}%."
    )


def _segments(segments: Sequence[SegmentGrowth]) -> str | None:
    moved = [
        (segment.customers - segment.customers_before, segment)
        for segment in segments
        if segment.customers_before is not None and segment.customers != segment.customers_before
    ]
    if len(segments) < 2 or not moved:
        return None
    change, most = max(moved, key=lambda pair: (abs(pair[0]), -pair[1].segment_id))
    return (
        f"{most.segment_name} {'gained' if change > 0 else 'lost'} most: "
        f"{customers(abs(change))}, now {grouped(most.customers)}."
    )


def _new_customers(weeks: Sequence[RevenueWeek]) -> str | None:
    pair = _last_two(weeks)
    if pair is None:
        return None
    before, now = pair[0].new_customers, pair[1].new_customers
    if now == before:
        return None
    return (
        f"{customers(now)} bought for the first time, "
        f"{grouped(abs(now - before))} {'more' if now > before else 'fewer'} than the week before."
    )


def _last_two(weeks: Sequence[RevenueWeek]) -> tuple[RevenueWeek, RevenueWeek] | None:
    return (weeks[-2], weeks[-1]) if len(weeks) >= 2 else None


def _points(rate: float | None) -> Decimal:
    return 100 * (exact(rate) or Decimal(0))


def _tenth(change: Decimal) -> Decimal:
    return rounded(change, 1)
