"""The small lines beside the figures."""

from bridge_cart_assets.reports.sparklines import Sparkline, sparkline


def test_values_go_from_left_to_right_and_low_to_high() -> None:
    assert sparkline([1.0, 3.0, 2.0]) == Sparkline(
        line="M0.0,25.0L50.0,3.0L100.0,14.0",
        area="M0.0,25.0L50.0,3.0L100.0,14.0L100.0,28L0.0,28Z",
        dot="M100.0,14.0h0",
    )


def test_equal_values_are_a_level_line() -> None:
    level = sparkline([5.0, 5.0])
    assert level is not None
    assert level.line == "M0.0,14.0L100.0,14.0"


def test_a_missing_value_is_a_gap() -> None:
    broken = sparkline([None, 1.0, 2.0, None, 2.0])
    assert broken is not None
    assert broken.line == "M25.0,25.0L50.0,3.0 M100.0,3.0"


def test_one_value_makes_no_line() -> None:
    assert sparkline([]) is None
    assert sparkline([None, 4.0, None]) is None
