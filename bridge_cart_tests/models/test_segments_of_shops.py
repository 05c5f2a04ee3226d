"""Segments of whole shops: they find the kinds of customers that there are, and they last."""

from pathlib import Path

import pytest

from bridge_cart_assets.thresholds import THRESHOLDS
from bridge_cart_tests.benchmarks.segments import real_purchases, recovery, refits


@pytest.mark.slow
def test_segments_find_the_personas_of_the_synthetic_shop() -> None:
    found = recovery(seed=7, trees=60)
    assert found.ours >= 0.6 * found.ceiling
    assert found.ours >= 2 * found.raw


@pytest.mark.slow
def test_six_monthly_refits_keep_the_customers_of_online_retail_in_their_segments(
    online_retail: Path,
) -> None:
    months = list(refits(real_purchases(online_retail.parent)))
    first, *refitted = months
    assert (first.kept, len(refitted)) == (None, 6)
    for month in months:
        assert month.stability >= THRESHOLDS.segment_stability
        assert min(month.shares) >= THRESHOLDS.segment_smallest
        assert max(month.shares) <= THRESHOLDS.segment_largest
        assert month.kept is None or month.kept >= 0.6
