"""What follows a change has the rows of the whole: of any shop, corrected in any way.

Without tables and runs: those are in lakehouse/test_gold_follows.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from bridge_cart_assets.models.rfm_migration import rfm_migration, updated_rfm_migration
from bridge_cart_assets.models.segment_history import customer_history, updated_history
from bridge_cart_assets.models.segments import FEATURES
from bridge_cart_assets.tables.gold import (
    CUSTOMER_FEATURES,
    CUSTOMER_HISTORY,
    SALES_DAILY,
    SEGMENT_MODEL,
)
from bridge_cart_assets.transforms.category_pairs import (
    category_baskets,
    updated_category_baskets,
)
from bridge_cart_assets.transforms.changes import LINE, Changes, Rows
from bridge_cart_assets.transforms.concentration import concentration_daily, updated_concentration
from bridge_cart_assets.transforms.features import customer_features, updated_features
from bridge_cart_assets.transforms.first_category import (
    first_category_days,
    updated_first_category_days,
)
from bridge_cart_assets.transforms.history import segment_events, updated_events
from bridge_cart_assets.transforms.migration import segment_migration, updated_migration
from bridge_cart_assets.transforms.sales import sales_daily, updated_sales
from bridge_cart_tests.faults.extent import EXAMPLES
from bridge_cart_tests.models.test_rfm import rfm_rows
from bridge_cart_tests.transforms.shops import START, Line, customers, line, purchases, shops


@dataclass(frozen=True)
class Corrected:
    """A shop before and after some lines were changed, came late or were taken back.

    Attributes:
        lines_before, lines: rows of silver/purchases then and now.
        profiles_before, profiles: rows of silver/customers then and now.
        seen_as_of, as_of: latest batch day then and now.
    """

    lines_before: pl.LazyFrame
    lines: pl.LazyFrame
    profiles_before: pl.LazyFrame
    profiles: pl.LazyFrame
    seen_as_of: date
    as_of: date

    @cached_property
    def changes(self) -> Changes:
        assert not self.lines.select(LINE).collect().is_duplicated().any()
        lines = difference(self.lines_before.collect(), self.lines.collect())
        profiles = difference(self.profiles_before.collect(), self.profiles.collect())
        days = self.seen_as_of, self.as_of
        return Changes(self.lines, self.profiles, lines, profiles, *days)

    @cached_property
    def features(self) -> pl.LazyFrame:
        return customer_features(self.lines, self.profiles, self.as_of).lazy()


def difference(before: pl.DataFrame, now: pl.DataFrame) -> Rows:
    came = now.join(before, on=now.columns, how="anti", nulls_equal=True)
    gone = before.join(now, on=now.columns, how="anti", nulls_equal=True)
    return Rows(came, gone)


# What becomes of a line: most stay.
FATES = ("stays",) * 8 + ("taken back", "late", "free", "moved", "earlier", "dearer", "refunded")
PEOPLE = st.lists(
    st.fixed_dictionaries(
        {
            "country": st.sampled_from(["France", "India", None]),
            "age": st.sampled_from([20, 40, None]),
            "income": st.sampled_from([Decimal(100), None]),
            "gender": st.sampled_from(["female", "unknown"]),
        }
    ),
    min_size=4,
    max_size=4,
)


@st.composite
def corrected_shops(draw: st.DrawFn) -> Corrected:
    lines, as_of = draw(shops(20))
    lines_before, lines_now = [], []
    for one in lines:
        fate = draw(st.sampled_from(FATES))
        # Round amounts are often equal, of one customer and of several.
        amount = Decimal(draw(st.sampled_from([1, 2, 5, 10])))
        old = one | {"net_amount": -amount if one["kind"] == "refund" else amount}
        lines_before += [] if fate == "late" else [old]
        lines_now += [] if fate == "taken back" else [corrected(old, fate)]
    people_before = draw(PEOPLE)
    pairs = zip(people_before, draw(PEOPLE), strict=True)
    people = [draw(st.sampled_from([old, old, new])) for old, new in pairs]
    days = timedelta(days=draw(st.sampled_from([0, 0, 1, 2, 29, 31])))
    then, now = draw(st.sampled_from([(as_of - days, as_of), (as_of, as_of + days)]))
    return Corrected(
        purchases(lines_before),
        purchases(lines_now),
        customers(*named(people_before[: draw(st.integers(2, 4))])),
        customers(*named(people)),
        then,
        now,
    )


def named(people: list[Line]) -> list[Line]:
    return [{"customer_id": f"C{n}", **person} for n, person in enumerate(people, 1)]


def corrected(old: Line, fate: str) -> Line:
    changes: dict[str, Line] = {
        # A sale without money is none of the shop's, and is followed all the same.
        "free": {} if old["kind"] == "refund" else {"net_amount": Decimal(0)},
        "moved": {"customer_id": "C2"},
        "earlier": {"purchase_day": old["purchase_day"] - timedelta(days=40)},
        "dearer": {"net_amount": old["net_amount"] + 1} if old["kind"] != "refund" else {},
        "refunded": {"kind": "refund", "net_amount": -abs(old["net_amount"])},
    }
    return old | changes.get(fate, {})


@settings(deadline=None, max_examples=EXAMPLES or 15)
@given(corrected_shops())
def test_concentration_that_follows_is_that_of_the_whole(shop: Corrected) -> None:
    earlier = concentration_daily(shop.lines_before, shop.seen_as_of)
    whole = concentration_daily(shop.lines, shop.as_of)
    followed = updated_concentration(earlier.lazy(), shop.changes, shop.features)
    # To the last bit: a Gini coefficient that went another way is the same number.
    assert_frame_equal(followed, whole, check_exact=True)


@settings(deadline=None, max_examples=EXAMPLES or 15)
@given(corrected_shops())
def test_sales_that_follow_are_those_of_the_whole(shop: Corrected) -> None:
    earlier = sales_daily(shop.lines_before, shop.profiles_before, shop.seen_as_of)
    whole = sales_daily(shop.lines, shop.profiles, shop.as_of)
    followed = updated_sales(SALES_DAILY.conform(earlier).lazy(), shop.changes)
    assert_frame_equal(followed, SALES_DAILY.conform(whole), check_exact=True)


@settings(deadline=None, max_examples=EXAMPLES or 15)
@given(corrected_shops())
def test_features_that_follow_are_those_of_the_whole(shop: Corrected) -> None:
    earlier = customer_features(shop.lines_before, shop.profiles_before, shop.seen_as_of)
    followed = updated_features(CUSTOMER_FEATURES.conform(earlier).lazy(), shop.changes)
    whole = CUSTOMER_FEATURES.conform(shop.features.collect())
    assert_frame_equal(CUSTOMER_FEATURES.conform(followed), whole, check_exact=True)


CUTS = {"recency_days": (3, 20, 50, 90), "orders": (1, 1, 2, 3), "net_revenue": (0, 5, 9, 15)}


def cut_points(effective_from: date) -> pl.LazyFrame:
    """Two versions of the cut points of RFM scores, the second in effect from a day on."""
    other = {**CUTS, "recency_days": (10, 30, 31, 120), "orders": (1, 2, 3, 4)}
    return rfm_rows({1: (START, CUTS), 2: (effective_from, other)})


@settings(deadline=None, max_examples=EXAMPLES or 15)
@given(corrected_shops(), st.integers(0, 400))
def test_moves_between_rfm_groups_that_follow_are_those_of_the_whole(
    shop: Corrected, retrained_on: int
) -> None:
    assert_rfm_moves_follow(shop, cut_points(START + timedelta(days=retrained_on)))


@pytest.mark.parametrize("days", [1, 18, 19, 20, 50, 80, 200])
def test_when_a_month_has_ended_an_order_since_the_end_before_counts_for_the_later_one(
    days: int,
) -> None:
    """C1 orders again after the month's end and before the last look; C2 waits, C3 is new."""
    lines = [line(9, "C1"), line(35, "C1", amount="90.00"), line(20, "C2"), line(38, "C3")]
    seen_as_of, nobody, bought = START + timedelta(days=40), customers(), purchases(lines)
    as_of = seen_as_of + timedelta(days=days)
    shop = Corrected(bought, bought, nobody, nobody, seen_as_of, as_of)
    assert not shop.changes.buyers.height
    assert_rfm_moves_follow(shop, cut_points(START + timedelta(days=100)))


@pytest.mark.parametrize("day", [29, 30, 31])
@pytest.mark.parametrize("is_late", [True, False])
def test_a_line_of_a_months_last_day_that_comes_late_or_goes_is_of_that_month(
    day: int, is_late: bool
) -> None:
    without = [line(9, "C1"), line(20, "C2")]
    both = [*without, line(day, "C1", amount="90.00"), line(day, "C4")]
    before, now = (without, both) if is_late else (both, without)
    as_of, nobody = START + timedelta(days=40), customers()
    shop = Corrected(purchases(before), purchases(now), nobody, nobody, as_of, as_of)
    assert_rfm_moves_follow(shop, cut_points(START))


def assert_rfm_moves_follow(shop: Corrected, trained: pl.LazyFrame) -> None:
    earlier = rfm_migration(shop.lines_before, trained, shop.seen_as_of).lazy()
    assert_frame_equal(
        updated_rfm_migration(earlier, shop.changes, shop.features, trained),
        rfm_migration(shop.lines, trained, shop.as_of),
    )


@settings(deadline=None, max_examples=25)
@given(corrected_shops())
def test_categories_that_follow_are_those_of_the_whole(shop: Corrected) -> None:
    for whole, follow in (
        (first_category_days, updated_first_category_days),
        (category_baskets, updated_category_baskets),
    ):
        earlier = whole(shop.lines_before, shop.seen_as_of)
        followed = follow(earlier.lazy(), shop.changes)
        assert_frame_equal(followed, whole(shop.lines, shop.as_of), check_exact=True)


def models(effective_from: date) -> pl.LazyFrame:
    """Two segment models, the second in effect from a day on; recency decides most of all."""
    scaling = {"features": list(FEATURES), "means": [0.0] * 4, "scales": [1.0] * 4}
    centres = {
        1: [(0.5, 0.2, 2.0, 0.0), (3.2, 0.6, 2.4, 0.3), (4.4, 0.3, 2.1, 0.1), (5.1, 0.3, 2.1, 0.1)],
        2: [(1.5, 0.5, 2.2, 0.1), (4.4, 0.2, 2.0, 0.2), (4.9, 0.1, 2.0, 0.1)],
    }
    rows = [
        {
            **scaling,
            "model_version": version,
            "segment_id": segment,
            "segment_name": f"{segment}",
            "effective_from": effective_from,
            "centroid": list(centre),
        }
        for version, segments in centres.items()
        for segment, centre in enumerate(segments, 1)
    ]
    return pl.LazyFrame(rows, schema=SEGMENT_MODEL.dtypes)


@settings(deadline=None, max_examples=EXAMPLES or 15)
@given(corrected_shops(), st.integers(0, 400))
def test_histories_and_their_sums_that_follow_are_those_of_the_whole(
    shop: Corrected, retrained_on: int
) -> None:
    assert_histories_follow(shop, models(START + timedelta(days=retrained_on)))


@pytest.mark.parametrize("days", [1, 29, 30, 31, 89, 90, 91, 250])
def test_who_only_waits_moves_as_in_the_whole(days: int) -> None:
    """One has lapsed before, one has two sales and a coupon, and one bought on the last day."""
    lines = [
        *(line(0, "C1"), line(10, "C2"), line(150, "C2", coupon=True), line(200, "C3")),
        line(200, "C4", "O4", amount="3.00"),
        line(200, "C4", "O4", amount="-1.00", kind="refund", line_number=2),
    ]
    nobody, seen_as_of = customers(), START + timedelta(days=200)
    as_of = seen_as_of + timedelta(days=days)
    bought = purchases(lines)
    shop = Corrected(bought, bought, nobody, nobody, seen_as_of, as_of)
    assert not shop.changes.buyers.height
    assert_histories_follow(shop, models(START + timedelta(days=60)))


def test_who_has_no_sale_any_more_is_taken_out_of_the_months_that_have_ended() -> None:
    as_of, nobody = START + timedelta(days=100), customers()
    before, now = ([line(0, "C1"), line(3, "C2")], [line(0, "C1")])
    shop = Corrected(purchases(before), purchases(now), nobody, nobody, as_of, as_of)
    assert_histories_follow(shop, models(START))


def assert_histories_follow(shop: Corrected, trained: pl.LazyFrame) -> None:
    """The history of customers, its sums by segment, and who moved from month to month."""
    key = list(CUSTOMER_HISTORY.key)
    then, now = shop.seen_as_of, shop.as_of
    before = CUSTOMER_HISTORY.conform(customer_history(shop.lines_before, trained, then))
    whole = CUSTOMER_HISTORY.conform(customer_history(shop.lines, trained, now)).sort(key)
    rows = updated_history(before.lazy(), shop.changes, shop.features, trained)
    followed = pl.concat([before.join(rows.gone, on=key, how="anti"), rows.came])
    assert_frame_equal(CUSTOMER_HISTORY.conform(followed).sort(key), whole)

    moved, states = difference(before, whole), whole.lazy()
    events = segment_events(before.lazy(), shop.lines_before, then)
    assert_frame_equal(
        updated_events(events.lazy(), shop.changes, states, shop.features, moved),
        segment_events(states, shop.lines, now),
    )
    migration = segment_migration(before.lazy(), then)
    assert_frame_equal(
        updated_migration(migration.lazy(), shop.changes, states, moved),
        segment_migration(states, now),
    )
