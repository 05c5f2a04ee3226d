"""Figures, changes, ages and marks: the same words with and without colours."""

from decimal import Decimal

import pytest
from rich.console import Console
from rich.text import Text

from bridge_cart_assets.terminal import style
from bridge_cart_assets.terminal.style import Good


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (style.format_count(1_234_567), "1,234,567"),
        (style.format_count(None), "–"),
        (style.format_money(Decimal("1234.5")), "1,234.50"),
        (style.format_money(0.125), "0.13"),
        (style.format_money(-0.001), "0.00"),
        (style.format_money(None), "–"),
        (style.format_percent(0.4391), "43.9 %"),
        (style.format_percent(None), "–"),
    ],
)
def test_figures_have_thousands_separators_and_a_dash_where_there_are_none(
    shown: str, expected: str
) -> None:
    assert shown == expected


@pytest.mark.parametrize(
    ("now", "before", "good", "says", "rich_style"),
    [
        (Decimal(110), Decimal(100), "up", "↑ up 10.0 %, better", style.GOOD),
        (90, 100, "up", "↓ down 10.0 %, worse", style.WARN),
        (1_100, 100, "neither", "↑ up 1,000.0 %", ""),
        (100, 100, "up", "→ unchanged", style.QUIET),
        (0, 0, "up", "unchanged", style.QUIET),
        (5, 0, "up", "there was nothing before", style.QUIET),
        (5, None, "up", "no figure to compare with", style.QUIET),
    ],
)
def test_a_change_says_in_words_which_way_and_whether_that_is_good(
    now: Decimal | int, before: Decimal | int | None, good: Good, says: str, rich_style: str
) -> None:
    change = style.relative_change(now, before, good)
    assert (change.plain, str(change.style)) == (says, rich_style)


def test_a_share_moves_by_points() -> None:
    assert style.change_in_points(0.543, 0.535, "down").plain == "↑ up 0.8 points, worse"
    assert style.change_in_points(0.5, None, "down").plain == "no figure to compare with"


@pytest.mark.parametrize(
    ("days", "says"),
    [
        (-1, "today"),
        (0, "today"),
        (1, "yesterday"),
        (59, "59 days old"),
        (60, "2 months old"),
        (789, "2 years old"),
        (None, "–"),
    ],
)
def test_an_age_is_said_in_words(days: int | None, says: str) -> None:
    assert style.age(days).plain == says


def test_an_age_is_green_as_long_as_the_check_of_freshness_passes() -> None:
    assert [str(style.age(days).style) for days in (0, 3, 4)] == [
        style.GOOD,
        style.GOOD,
        style.WARN,
    ]


@pytest.mark.parametrize(
    ("counts", "says", "rich_style"),
    [
        ((5, 0, 0), "ok 5", style.GOOD),
        ((11, 1, 0), "warn 1 of 12", style.WARN),
        ((3, 1, 1), "FAIL 1 of 5", style.BAD),
        ((0, 0, 0), "not checked", style.QUIET),
    ],
)
def test_a_mark_has_a_word_for_its_colour(
    counts: tuple[int, int, int], says: str, rich_style: str
) -> None:
    mark: Text = style.mark(*counts)
    assert (mark.plain, str(mark.style)) == (says, rich_style)


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    piped = style.console()
    assert not piped.is_terminal
    assert piped.width >= 1_000

    def said(**environment: str) -> str:
        on = Console(
            force_terminal=True, width=80, record=True, _environ={"TERM": "xterm", **environment}
        )
        with on.capture() as captured:
            on.print(style.mark(0, 1, 0))
        return captured.get()

    assert "\x1b[33m" in said()
    assert "\x1b[33m" not in said(NO_COLOR="1")
