"""The chart of the page: what became of the records of the latest batch days."""

from collections.abc import Sequence

from bridge_cart_assets.reports.charts import Chart, Series, bars
from bridge_cart_assets.reports.formatting import count, day
from bridge_cart_assets.reports.pipeline.queries import RecordOutcomesOfDay
from bridge_cart_assets.reports.pipeline.sentences import NEXT_RUN
from bridge_cart_assets.reports.tables import Sheet, column

_PARTS = (
    ("accepted", "Accepted", "accent"),
    ("duplicate", "Duplicate", "quiet"),
    ("superseded", "Superseded", "seg-5"),
    ("quarantined", "Refused", "bad"),
)


def fates_chart(days: Sequence[RecordOutcomesOfDay], is_there: bool) -> Chart:
    """One bar per batch day, its records by what became of them.

    A kind that no day has is left out of the drawing, and never out of the table.
    """
    drawn = [
        Series(title, [getattr(d, name) for d in days], colour)
        for name, title, colour in _PARTS
        if any(getattr(d, name) for d in days)
    ]
    return Chart(
        title="Records by batch day",
        subtitle="The latest thirty batch days of all sources, by what became of the records",
        figures=bars([d.batch_day for d in days], drawn, "count", 1) if drawn else None,
        too_little="No record has come in yet." if is_there else NEXT_RUN,
        sheet=Sheet(
            "fates",
            "Records by batch day",
            (
                column("batch_day", "Batch day", day),
                column("records", "Records", count),
                *(column(name, title, count) for name, title, _ in _PARTS),
                column("blank", "Blank", count),
            ),
            days[::-1],
        ),
    )
