"""Who moved where in a month.

Belongs here: the diagram, its table and its sentences. Does not belong here: SQL (see `queries`).
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta

from bridge_cart_assets.reports.charts import Chart, Node, sankey, segment_colour
from bridge_cart_assets.reports.filters import Option, PageQuery, Parameter
from bridge_cart_assets.reports.formatting import count, customers, day, grouped, percent, words
from bridge_cart_assets.reports.segments.queries import Flicker, Flow
from bridge_cart_assets.reports.tables import Sheet, column
from bridge_cart_assets.tables.gold import SEGMENT_MIGRATION

# which months there are depends on the catalogue: the page looks it up, and says what it took
MONTH = Parameter(name="month", label="Month", in_form=False)
NEWCOMERS = "New customers"
_NO_MONTH = "No month has ended since the first segment: who moved where comes with the next one."


def asked_month(asked: PageQuery, months: Sequence[date]) -> tuple[date | None, str]:
    """The month to show, the latest unless another was asked for, and what is to be said on it."""
    wanted = asked.own[MONTH.name]
    latest = months[0] if months else None
    found = next((month for month in months if iso_month(month) == wanted), latest)
    if not wanted or (found and iso_month(found) == wanted):
        return found, ""
    there = f"from {iso_month(months[-1])} to {iso_month(months[0])}" if months else "none so far"
    return found, f"There are no moves for the month “{wanted}”. There are: {there}."


def month_options(months: Sequence[date]) -> tuple[Option, ...]:
    """The months to choose from."""
    return tuple(Option(iso_month(month), iso_month(month)) for month in months)


def iso_month(period_end: date) -> str:
    """The month that ends with a day: 2024-07."""
    return f"{period_end:%Y-%m}"


def flicker_sentence(flicker: Flicker | None) -> str:
    """How many customers left a segment and were back soon; '' where it was not counted."""
    if flicker is None:
        return ""
    verb = "was" if flicker.customers == 1 else "were"
    return (
        f"Of all customers {grouped(flicker.customers)} ({percent(flicker.share).text}) {verb} "
        "back in a segment within 30 days of leaving it, in the last 90 days. "
        "Filters do not apply."
    )


def migration_chart(flows: Sequence[Flow], period_end: date | None, segment: int | None) -> Chart:
    """From the segments of the month before (left) to those at the month's end (right)."""
    title = _headline(flows, period_end, segment)
    left = _nodes([(f.from_segment_id, f.from_name) for f in flows], 0)
    right = _nodes([(f.to_segment_id, f.to_name) for f in flows], 1)
    places = {key: place for place, key in enumerate([*left, *right])}
    drawn = [
        (places[f.from_segment_id, 0], places[f.to_segment_id, 1], f.customers)
        for f in flows
        if f.customers
    ]
    sizes: Counter[int] = Counter()
    for flow in flows:
        sizes[flow.from_segment_id] += flow.customers
    return Chart(
        title=title,
        subtitle=_subtitle(period_end),
        figures=sankey([*left.values(), *right.values()], drawn) if drawn else None,
        too_little=_NO_MONTH
        if period_end is None
        else f"No customer was in this segment at the end of {iso_month(period_end)} or before.",
        sheet=Sheet(
            "migration",
            title,
            (
                column(
                    "from_segment",
                    "From",
                    words,
                    of=lambda f: _name(f.from_segment_id, f.from_name),
                ),
                column("to_segment", "To", words, of=lambda f: _name(f.to_segment_id, f.to_name)),
                column("customers", "Customers", count, SEGMENT_MIGRATION),
                column(
                    "share_of_from",
                    "Of those from there" + ("" if segment is None else " shown here"),
                    percent,
                    "customers / all from there" if segment is None else "",
                    of=lambda f: _share(f.customers, sizes[f.from_segment_id]),
                ),
                column("lost", "Lapsed", count, SEGMENT_MIGRATION),
                column("won_back", "Won back", count, SEGMENT_MIGRATION),
                column("period_end", "Month to", day, of=lambda f: period_end),
            ),
            flows,
            colour=lambda f: segment_colour(f.from_segment_id),
        ),
    )


def _nodes(segments: Sequence[tuple[int, str | None]], side: int) -> dict[tuple[int, int], Node]:
    """One end of the flows per segment, in the order of their ids, newcomers last."""
    ids = dict(sorted(segments, key=lambda pair: (pair[0] == 0, pair[0])))
    return {
        (i, side): Node(_name(i, name), segment_colour(i) or "quiet", 0 if side == 0 else 1)
        for i, name in ids.items()
    }


def _name(segment_id: int, name: str | None) -> str:
    return NEWCOMERS if segment_id == 0 else name or f"Segment {segment_id}"


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _subtitle(period_end: date | None) -> str:
    if period_end is None:
        return "Customers by segment, from one month’s end to the next"
    before = period_end.replace(day=1) - timedelta(days=1)
    return f"Customers by segment on {before} (left) and on {period_end} (right)"


def _headline(flows: Sequence[Flow], period_end: date | None, segment: int | None) -> str:
    if period_end is None or not flows:
        return "Who moved where"
    if segment is not None:
        came = sum(f.customers for f in flows if f.from_segment_id not in {0, segment})
        left = sum(f.customers for f in flows if f.to_segment_id != segment)
        name = next(
            _name(segment, f.from_name if f.from_segment_id == segment else f.to_name)
            for f in flows
        )
        return (
            f"{iso_month(period_end)}: {grouped(came)} came to {name} from other segments, "
            f"{grouped(left)} went to others"
        )
    there = sum(f.customers for f in flows if f.from_segment_id)
    moved = sum(f.customers for f in flows if f.from_segment_id not in {0, f.to_segment_id})
    if not there:
        return f"{iso_month(period_end)}: all customers are new"
    return f"{iso_month(period_end)}: {grouped(moved)} of {customers(there)} changed their segment"


def sentences(flows: Sequence[Flow]) -> tuple[str, ...]:
    """The greatest move, the newcomers, and who lapsed or came back, as far as there are any."""
    moves = [f for f in flows if f.from_segment_id not in {0, f.to_segment_id} and f.customers]
    said = []
    if moves:
        most = max(moves, key=lambda f: (f.customers, -f.from_segment_id, -f.to_segment_id))
        said.append(
            f"The greatest move: {grouped(most.customers)} from "
            f"{_name(most.from_segment_id, most.from_name)} to "
            f"{_name(most.to_segment_id, most.to_name)}."
        )
    new = sum(f.customers for f in flows if f.from_segment_id == 0)
    if new:
        said.append(f"{customers(new)} bought for the first time.")
    lost, won_back = sum(f.lost for f in flows), sum(f.won_back for f in flows)
    if lost or won_back:
        said.append(
            f"{grouped(lost)} lapsed (90 days without a sale), "
            f"{grouped(won_back)} who had lapsed were won back."
        )
    return tuple(said)
