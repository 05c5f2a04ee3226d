"""`make demo`: the shop ends on the day before, and goes on from where it was."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from bridge_cart_assets.demo import deliveries, yesterday
from bridge_cart_assets.generator.shop import Shop, generate


def test_a_new_shop_is_270_days_old_on_its_last_day(tmp_path: Path) -> None:
    start, ends = deliveries(tmp_path, date(2024, 9, 26))
    assert start == date(2024, 1, 1)
    assert ends == [date(2024, 6, 28), date(2024, 8, 12), date(2024, 9, 26)]


def test_a_shop_that_is_there_goes_on(tmp_path: Path) -> None:
    generate(Shop(customers=5, days=2, start=date(2024, 3, 1)), tmp_path)
    assert deliveries(tmp_path, date(2024, 3, 9)) == (date(2024, 3, 1), [date(2024, 3, 9)])


def test_it_ends_yesterday_so_that_the_next_day_is_today() -> None:
    assert yesterday() + timedelta(days=1) == datetime.now(UTC).date()
