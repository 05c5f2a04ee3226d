"""Moments: every accepted spelling, and the order of day and month, decided by each file alone."""

from datetime import UTC, date, datetime, time, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge_cart_assets.transforms.dates import Order, read_moments

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
ORDERS: tuple[Order, ...] = ("day_first", "month_first")
Rows = list[tuple[str | None, str | None]]


def read(rows: Rows, default: Order | None = None) -> list[tuple[datetime | None, bool]]:
    """The moment and whether it was guessed, for each text and file."""
    schema = {"text": pl.String, "file": pl.String}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    moments = read_moments(pl.col("text"), pl.col("file"), default)
    return frame.select(moment=moments).unnest("moment").rows()


def of_file(*texts: str | None, default: Order | None = None) -> list[str | None]:
    """What a file with these texts gives, a guess with a question mark."""
    return [
        None if moment is None else f"{moment:%Y-%m-%d %H:%M}".removesuffix(" 00:00") + "?" * guess
        for moment, guess in read([(text, "f") for text in texts], default)
    ]


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024/01/05", utc(2024, 1, 5)),
        ("2024.01.05", utc(2024, 1, 5)),
        ("2024/1/5 10:00:00", utc(2024, 1, 5, 10)),
        ("2024-01-05 10:00 PM", utc(2024, 1, 5, 22)),
        ("2024-01-05 10:20:30 -0500", utc(2024, 1, 5, 15, 20, 30)),
        ("2024-01-05T10:20:30\u221205:00", utc(2024, 1, 5, 15, 20, 30)),
        ("20240105 10:20", utc(2024, 1, 5, 10, 20)),
        ("Jan 5, 2024", utc(2024, 1, 5)),
        ("January 5, 2024", utc(2024, 1, 5)),
        ("Sept. 5, 2024 at 3 PM", utc(2024, 9, 5, 15)),
        ("January 5th, 2024, 3:15:30 p.m.", utc(2024, 1, 5, 15, 15, 30)),
        ("5 Jan 2024", utc(2024, 1, 5)),
        ("5th of January 2024", utc(2024, 1, 5)),
        ("05JAN2024", utc(2024, 1, 5)),
        ("05-Jan-24", utc(2024, 1, 5)),
        ("05-Jan-98", utc(1998, 1, 5)),
        ("2024-Jan-05", utc(2024, 1, 5)),
        ("5-Jan-2024 10:00\u202fPM", utc(2024, 1, 5, 22)),
        ("13.01.2024", utc(2024, 1, 13)),
        ("13. 1. 2024", utc(2024, 1, 13)),
        ("13-01-2024 10:20", utc(2024, 1, 13, 10, 20)),
        ("1/13/24, 12:30:00\u202fAM", utc(2024, 1, 13, 0, 30)),
        ("1/13/24 12:30 PM", utc(2024, 1, 13, 12, 30)),
        ("13/01/68", utc(2068, 1, 13)),
        ("13/01/69", utc(1969, 1, 13)),
        ("13/01/2024 10:20:30Z", utc(2024, 1, 13, 10, 20, 30)),
        ("13/01/2024 10:20 +02:00", utc(2024, 1, 13, 8, 20)),
        ("Fri, 05 Jan 2024 10:00:00 GMT", utc(2024, 1, 5, 10)),
        ("Fri Jan 05 2024 10:00:00 GMT+0100 (Central European Time)", utc(2024, 1, 5, 9)),
        ("1704450030.25", utc(2024, 1, 5, 10, 20, 30, 250_000)),
        ("1704450030123456", utc(2024, 1, 5, 10, 20, 30, 123_456)),
    ],
)
def test_a_moment_is_read_in_every_accepted_spelling(text: str, expected: datetime) -> None:
    assert read([(text, "f")]) == [(expected, False)]


@pytest.mark.parametrize(
    "text",
    [
        *("5 janvier 2024", "45296", "45296.5", "202401", "31/02/2024", "2024年1月5日", "Jan 2024"),
        *("13/13/2024", "0/1/2024", "1/0/2024", "13/01/2024 13:00 PM", "13/01/2024 25:00"),
        *("13/01/2024 10", "13/01/2024 10:60", "12:00", "13/01/202", "13/01/20245", "1/13"),
        *("05-Foo-2024", "31 April 2024", "2024-01-05T10:20:30+19:00", "13/01/2024 EST", "1899"),
    ],
)
def test_what_is_no_moment_for_sure_is_null_and_no_guess(text: str) -> None:
    assert read([(text, "f")]) == [(None, False)]


def test_a_file_with_a_day_above_twelve_in_the_second_place_has_the_month_first() -> None:
    texts = ("03/01/2024", "03/12/2024", "03/31/2024", "04/02/2024 3:15 PM", "4/7/24")
    expected = ["2024-03-01", "2024-03-12", "2024-03-31", "2024-04-02 15:15", "2024-04-07"]
    assert of_file(*texts) == expected
    assert of_file(*texts, default="day_first") == expected, "the file comes before the setting"


def test_a_file_with_a_day_above_twelve_in_the_first_place_has_the_day_first() -> None:
    texts = ("02/04/2024", "31/03/2024", "05.01.2024", "05.01.2024 10:00", "05-01-2024", "5/1/24")
    days = ["2024-04-02", "2024-03-31", "2024-01-05", "2024-01-05 10:00", *["2024-01-05"] * 2]
    assert of_file(*texts) == days
    assert of_file(*texts, default="month_first") == days


def test_where_nothing_decides_the_setting_does_or_else_the_day_comes_first_as_a_guess() -> None:
    texts = ("01/02/2024", "10/03/2024", "07/07/2024", "2024-01-31", None)
    clear = ["2024-07-07", "2024-01-31", None]
    assert of_file(*texts) == ["2024-02-01?", "2024-03-10?", *clear]
    assert of_file(*texts, default="day_first") == ["2024-02-01", "2024-03-10", *clear]
    assert of_file(*texts, default="month_first") == ["2024-01-02", "2024-10-03", *clear]


@pytest.mark.parametrize("default", [None, "day_first", "month_first"])
def test_in_a_file_that_contradicts_itself_only_what_is_clear_is_read(
    default: Order | None,
) -> None:
    texts = ("25/03/2024", "03/25/2024", "05/05/2024", "04/05/2024", "2024-04-05")
    expected = ["2024-03-25", "2024-03-25", "2024-05-05", None, "2024-04-05"]
    assert of_file(*texts, default=default) == expected


def test_each_file_decides_for_itself_and_a_message_for_nothing() -> None:
    rows: Rows = [
        ("03/04/2024", "a"),
        ("03/31/2024", "a"),
        ("03/04/2024", "b"),
        ("31/03/2024", "b"),
        ("03/31/2024", None),
        ("03/04/2024", None),
        ("03/31/2024", ""),
        ("03/04/2024", ""),
    ]
    march, april = utc(2024, 3, 4), utc(2024, 4, 3)
    last = utc(2024, 3, 31)
    files = [(march, False), (last, False), (april, False), (last, False)]
    assert read(rows) == [*files, *[(last, False), (april, True)] * 2]
    assert read(rows, "month_first") == [*files, *[(last, False), (march, False)] * 2]


DAYS = st.dates(date(1969, 1, 1), date(2068, 12, 31))
TIMES = st.times().map(lambda t: t.replace(microsecond=0))


def numeric(day: date, order: Order, mark: str, short: bool) -> str:
    first, second = (day.day, day.month) if order == "day_first" else (day.month, day.day)
    year = f"{day.year % 100:02}" if short else str(day.year)
    return mark.join((str(first) if short else f"{first:02}", f"{second:02}", year))


def clock(moment: time, style: int) -> str:
    hour = moment.hour % 12 or 12
    half = "PM" if moment.hour >= 12 else "AM"
    return (
        f" {moment:%H:%M:%S}",
        f"T{moment:%H:%M:%S}Z",
        f", {hour}:{moment:%M:%S} {half}",
        f" {hour:02}:{moment:%M:%S}{half.lower()}",
    )[style]


def worded(day: date, style: int) -> str:
    name = MONTHS[day.month - 1]
    return (
        f"{day.day} {name} {day.year}",
        f"{name} {day.day}, {day.year}",
        f"{day.day:02}-{name[:3].upper()}-{day.year}",
        f"{name[:3]}. {day.day}, {day.year}",
        f"{day.year}/{day.month:02}/{day.day:02}",
        f"{day.isoformat()}",
        f"{day:%Y%m%d}",
    )[style]


@st.composite
def spelt_day(draw: st.DrawFn, order: Order, days: st.SearchStrategy[date]) -> tuple[str, datetime]:
    """A text in any accepted form of a file with that order, and its moment."""
    day = draw(days)
    if draw(st.booleans()):
        text = numeric(day, order, draw(st.sampled_from("/.-")), draw(st.booleans()))
    else:
        text = worded(day, draw(st.integers(0, 6)))
    if draw(st.booleans()):
        moment = draw(TIMES)
        text += clock(moment, draw(st.integers(0, 3)))
    else:
        moment = time()
    return text, datetime.combine(day, moment, UTC)


@st.composite
def decidable_file(draw: st.DrawFn) -> list[tuple[str, datetime]]:
    """Texts of one file in one order, one of which decides it."""
    order = draw(st.sampled_from(ORDERS))
    decider = draw(DAYS.filter(lambda day: day.day > 12))
    texts = draw(st.lists(spelt_day(order, DAYS), max_size=8))
    deciding = (numeric(decider, order, "/", False), datetime.combine(decider, time(), UTC))
    return draw(st.permutations([deciding, *texts]))


@given(st.lists(decidable_file(), min_size=1, max_size=4), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_any_day_in_any_form_comes_back_from_a_file_that_decides(
    files: list[list[tuple[str, datetime]]], shuffled: object
) -> None:
    rows = [(text, f"f{i}", moment) for i, file in enumerate(files) for text, moment in file]
    shuffled.shuffle(rows)  # type: ignore[attr-defined]
    found = read([(text, file) for text, file, _ in rows])
    assert found == [(moment, False) for *_, moment in rows]


@given(
    st.lists(
        st.tuples(spelt_day("day_first", DAYS), spelt_day("month_first", DAYS)),
        min_size=1,
        max_size=8,
    )
)
@settings(deadline=None)
def test_a_contradiction_never_gives_another_day(
    pairs: list[tuple[tuple[str, datetime], tuple[str, datetime]]],
) -> None:
    texts = [one for pair in pairs for one in pair]
    found = of_contradiction([text for text, _ in texts])
    for (_, meant), (moment, guessed) in zip(texts, found, strict=True):
        assert moment in (None, meant)
        assert not guessed


def of_contradiction(texts: list[str]) -> list[tuple[datetime | None, bool]]:
    rows: Rows = [(text, "f") for text in (*texts, "25/03/2024", "03/25/2024")]
    return read(rows)[:-2]


def test_the_common_spellings_are_read_as_the_rare_ones_are() -> None:
    start = utc(2024, 1, 1)
    for moment in (start + timedelta(hours=7 * i, seconds=i) for i in range(200)):
        common = (f"{moment:%Y-%m-%dT%H:%M:%S}Z", f"{moment:%Y-%m-%d %H:%M:%S}")
        rare = (f"{moment:%Y/%m/%d %H:%M:%S}", f"{moment:%d %b %Y, %I:%M:%S %p}")
        assert read([(text, "f") for text in (*common, *rare)]) == [(moment, False)] * 4
