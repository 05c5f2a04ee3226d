"""`make demo`: the shop ends on the day before, and goes on from where it was; README quotes it."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from bridge_cart_assets.demo import deliveries, yesterday
from bridge_cart_assets.generator.shop import Shop, generate
from bridge_cart_tests.demo_shop import (
    LAST_DAY,
    README,
    make_demo_shop,
    quoted,
    summary,
    with_quote,
)
from bridge_cart_tests.shifted_clock import shifted_datetime


def test_a_new_shop_is_270_days_old_on_its_last_day(tmp_path: Path) -> None:
    start, ends = deliveries(tmp_path, date(2024, 9, 26))
    assert start == date(2024, 1, 1)
    assert ends == [date(2024, 6, 28), date(2024, 8, 12), date(2024, 9, 26)]


def test_a_shop_that_is_there_goes_on(tmp_path: Path) -> None:
    generate(Shop(customers=5, days=2, start=date(2024, 3, 1)), tmp_path)
    assert deliveries(tmp_path, date(2024, 3, 9)) == (date(2024, 3, 1), [date(2024, 3, 9)])


def test_it_ends_yesterday_so_that_the_next_day_is_today() -> None:
    assert yesterday("UTC") + timedelta(days=1) == datetime.now(UTC).date()


@pytest.mark.slow
def test_the_readme_quotes_what_the_demo_prints(tmp_path: Path) -> None:
    """`make screenshots` writes it again."""
    assert quoted(README.read_text()) == summary(make_demo_shop(tmp_path))


def test_the_readme_quotes_the_demo_on_its_last_day() -> None:
    readme = README.read_text()
    assert quoted(readme).startswith(f"KPIs  on {LAST_DAY}, ")
    assert quoted(with_quote(readme, "other figures\n")) == "other figures\n"
    assert with_quote(readme, quoted(readme)) == readme


def test_the_quote_is_the_summary_without_spaces_at_the_ends_of_lines() -> None:
    printed = (
        "landed\nNext: bridge-cart run\n\nKPIs  on a day\ncustomers   7   \n\nall\nNext: more\n"
    )
    assert summary(printed.partition("\n\n")[2]) == "KPIs  on a day\ncustomers   7\n\nall\n"


def test_the_clock_of_the_demo_shop_is_shifted_and_its_times_are_plain() -> None:
    by = timedelta(days=-800)
    shifted = shifted_datetime(by)
    now = shifted.now(UTC)  # type: ignore[attr-defined] # a datetime to its users
    assert abs(now - by - datetime.now(UTC)) < timedelta(seconds=5)
    assert type(now) is type(shifted(2024, 1, 1)) is datetime
    assert isinstance(datetime(2024, 1, 1, tzinfo=UTC), shifted)
    assert shifted.fromtimestamp(0, UTC) == datetime(1970, 1, 1, tzinfo=UTC) + by  # type: ignore[attr-defined] # as above
