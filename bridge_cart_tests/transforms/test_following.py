"""What follows a change has the rows of the whole: of any shop, corrected in any way.

Without tables and runs: those are in lakehouse/test_gold_follows.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from bridge_cart_assets.tables.silver import CUSTOMERS
from bridge_cart_assets.transforms.changes import LINE, Changes, Rows
from bridge_cart_assets.transforms.concentration import concentration_daily, updated_concentration
from bridge_cart_assets.transforms.features import customer_features
from bridge_cart_tests.transforms.shops import Line, purchases, shops

NOBODY = CUSTOMERS.empty().lazy()


@dataclass(frozen=True)
class Corrected:
    """A shop before and after some lines were changed, came late or were taken back."""

    before: pl.LazyFrame
    now: pl.LazyFrame
    seen_as_of: date
    as_of: date

    @property
    def changes(self) -> Changes:
        before, now = self.before.collect(), self.now.collect()
        columns = now.columns
        came = now.join(before, on=columns, how="anti", nulls_equal=True)
        gone = before.join(now, on=columns, how="anti", nulls_equal=True)
        assert not now.select(LINE).is_duplicated().any()
        unmoved = Rows(CUSTOMERS.empty(), CUSTOMERS.empty())
        return Changes(self.now, NOBODY, Rows(came, gone), unmoved, self.seen_as_of, self.as_of)

    def features(self) -> pl.LazyFrame:
        return customer_features(self.now, NOBODY, self.as_of).lazy()


# What becomes of a line: most stay.
FATES = ("stays",) * 8 + ("taken back", "late", "free", "moved", "earlier", "dearer", "refunded")


@st.composite
def corrected_shops(draw: st.DrawFn) -> Corrected:
    lines, as_of = draw(shops(20))
    before, now = [], []
    for one in lines:
        fate = draw(st.sampled_from(FATES))
        # Round amounts are often equal, of one customer and of several.
        old = one | {"net_amount": Decimal(draw(st.sampled_from([1, 2, 5, 10])))}
        new = corrected(old, fate)
        before += [] if fate == "late" else [old]
        now += [] if fate == "taken back" else [new]
    seen_as_of = as_of - timedelta(days=draw(st.sampled_from([0, 0, 1, 2, 29, 31])))
    return Corrected(purchases(before), purchases(now), seen_as_of, as_of)


def corrected(old: Line, fate: str) -> Line:
    changes: dict[str, Line] = {
        # A sale without money is none of the shop's, and is followed all the same.
        "free": {"net_amount": Decimal(0)},
        "moved": {"customer_id": "C2"},
        "earlier": {"purchase_day": old["purchase_day"] - timedelta(days=40)},
        "dearer": {"net_amount": old["net_amount"] + 1},
        "refunded": {"kind": "refund", "net_amount": -old["net_amount"]},
    }
    return old | changes.get(fate, {})


@settings(deadline=None, max_examples=40)
@given(corrected_shops())
def test_concentration_that_follows_is_that_of_the_whole(shop: Corrected) -> None:
    earlier = concentration_daily(shop.before, shop.seen_as_of)
    whole = concentration_daily(shop.now, shop.as_of)
    followed = updated_concentration(earlier.lazy(), shop.changes, shop.features())
    # To the last bit: a Gini coefficient that went another way is the same number.
    assert_frame_equal(followed, whole, check_exact=True)
