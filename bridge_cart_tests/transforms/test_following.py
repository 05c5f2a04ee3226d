"""What follows a change has the rows of the whole: of any shop, corrected in any way.

Without tables and runs: those are in lakehouse/test_gold_follows.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from bridge_cart_assets.tables.gold import CUSTOMER_FEATURES, SALES_DAILY
from bridge_cart_assets.transforms.changes import LINE, Changes, Rows
from bridge_cart_assets.transforms.concentration import concentration_daily, updated_concentration
from bridge_cart_assets.transforms.features import customer_features, updated_features
from bridge_cart_assets.transforms.sales import sales_daily, updated_sales
from bridge_cart_tests.transforms.shops import Line, customers, purchases, shops


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
    before, now = [], []
    for one in lines:
        fate = draw(st.sampled_from(FATES))
        # Round amounts are often equal, of one customer and of several.
        amount = Decimal(draw(st.sampled_from([1, 2, 5, 10])))
        old = one | {"net_amount": -amount if one["kind"] == "refund" else amount}
        before += [] if fate == "late" else [old]
        now += [] if fate == "taken back" else [corrected(old, fate)]
    then, later = draw(PEOPLE), draw(PEOPLE)
    changed = [draw(st.sampled_from([False, False, True])) for _ in then]
    people = [new if is_new else old for old, new, is_new in zip(then, later, changed, strict=True)]
    return Corrected(
        purchases(before),
        purchases(now),
        *(customers(*named(them)) for them in (then[: draw(st.integers(2, 4))], people)),
        as_of - timedelta(days=draw(st.sampled_from([0, 0, 1, 2, 29, 31]))),
        as_of,
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


@settings(deadline=None, max_examples=40)
@given(corrected_shops())
def test_concentration_that_follows_is_that_of_the_whole(shop: Corrected) -> None:
    earlier = concentration_daily(shop.lines_before, shop.seen_as_of)
    whole = concentration_daily(shop.lines, shop.as_of)
    followed = updated_concentration(earlier.lazy(), shop.changes, shop.features)
    # To the last bit: a Gini coefficient that went another way is the same number.
    assert_frame_equal(followed, whole, check_exact=True)


@settings(deadline=None, max_examples=40)
@given(corrected_shops())
def test_sales_that_follow_are_those_of_the_whole(shop: Corrected) -> None:
    earlier = sales_daily(shop.lines_before, shop.profiles_before, shop.seen_as_of)
    whole = sales_daily(shop.lines, shop.profiles, shop.as_of)
    followed = updated_sales(SALES_DAILY.conform(earlier).lazy(), shop.changes)
    assert_frame_equal(followed, SALES_DAILY.conform(whole), check_exact=True)


@settings(deadline=None, max_examples=40)
@given(corrected_shops())
def test_features_that_follow_are_those_of_the_whole(shop: Corrected) -> None:
    earlier = customer_features(shop.lines_before, shop.profiles_before, shop.seen_as_of)
    followed = updated_features(CUSTOMER_FEATURES.conform(earlier).lazy(), shop.changes)
    whole = CUSTOMER_FEATURES.conform(shop.features.collect())
    assert_frame_equal(CUSTOMER_FEATURES.conform(followed), whole, check_exact=True)
