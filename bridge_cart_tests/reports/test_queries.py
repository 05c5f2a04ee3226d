"""Each answer has the grain it promises, also on days on which versions change."""

from datetime import timedelta
from pathlib import Path

from bridge_cart_assets.reports.overview import queries
from bridge_cart_assets.reports.segments.queries import weeks as segment_weeks
from bridge_cart_tests.reports.catalogues import AS_OF, open_catalogue


def test_a_day_belongs_to_the_version_that_begins_on_it_alone(catalogue: Path) -> None:
    with open_catalogue(catalogue) as opened:
        weeks = segment_weeks(opened, None, AS_OF, 26, 7)
        growth = queries.segment_growth(opened, AS_OF)
        days = queries.clv_days(opened, AS_OF, 91)
    assert len({(point.day, point.segment_id) for point in weeks}) == len(weeks) == 27 * 4
    assert [segment.segment_id for segment in growth] == [1, 2, 3, 4]
    grown = zip(growth, (7, 5, 3, 1), strict=True)
    assert all(segment.customers_before == segment.customers - more for segment, more in grown)
    assert [day.day for day in days] == [AS_OF - timedelta(days=back) for back in range(90, -1, -1)]


def test_weeks_that_are_not_full_are_left_out(catalogue: Path) -> None:
    eight_weeks_in = AS_OF - timedelta(days=210 - 8 * 7 + 1)
    with open_catalogue(catalogue) as opened:
        weeks = queries.revenue_weeks(opened, eight_weeks_in, 26, 7)
    assert len(weeks) == 8
    assert weeks[-1].week_to == eight_weeks_in
