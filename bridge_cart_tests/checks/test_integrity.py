"""What is wrong with rows is seen, on any day and in any row."""

from datetime import date

import polars as pl

from bridge_cart_assets.checks.integrity import shares_add_up
from bridge_cart_assets.thresholds import THRESHOLDS


def versions(*rows: tuple[int, int, int | None, float | None]) -> pl.DataFrame:
    """Segment, first day, day after the last (of January 2024), share of revenue."""
    return pl.DataFrame(
        [
            (segment, date(2024, 1, first), date(2024, 1, end) if end else None, share)
            for segment, first, end, share in rows
        ],
        schema={
            "segment_id": pl.Int64,
            "valid_from": pl.Date,
            "valid_to": pl.Date,
            "segment_contribution": pl.Float64,
        },
        orient="row",
    )


def test_shares_add_up_on_every_day_of_their_history() -> None:
    found = shares_add_up(
        versions((1, 1, 3, 1.0), (1, 3, 9, 0.25), (2, 3, 9, 0.75), (2, 9, None, 1.0)), THRESHOLDS
    )
    assert (found.passed, found.metadata["value"]) == (True, 1.0)
    assert found.message == "the shares of the segments add up to 1 on each of 3 days of change"


def test_a_day_of_the_past_on_which_they_do_not_is_named() -> None:
    found = shares_add_up(
        versions((1, 1, 3, 1.0), (1, 3, 9, 0.25), (2, 3, 9, 0.70), (2, 9, None, 1.0)), THRESHOLDS
    )
    assert not found.passed
    assert "on 1 of 3 days of change; on 2024-01-03 to 0.950000" in found.message


def test_a_share_that_does_not_exist_yet_is_none() -> None:
    found = shares_add_up(versions((1, 1, 3, None), (1, 3, None, 1.0)), THRESHOLDS)
    assert found.passed
    assert shares_add_up(versions((1, 1, None, None)), THRESHOLDS).passed
