"""What segments are called: unique, true of their customers, and in words with figures."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge_cart_assets.models.archetypes import ARCHETYPES, Archetype
from bridge_cart_assets.models.segment_contrasts import contrasts
from bridge_cart_assets.models.segment_names import figures, name_segments
from bridge_cart_assets.models.segments import SegmentModel, assign, fit
from bridge_cart_assets.thresholds import THRESHOLDS

NAMES = [one.name for one in ARCHETYPES]
DAY = date(2024, 6, 30)
RECENCY = pl.col("recency_days").cast(pl.Float64)
PURCHASES = pl.col("frequency").cast(pl.Float64) + 1
SPENDING = pl.col("revenue").cast(pl.Float64)
BASKET = SPENDING / PURCHASES
# What the words of a name or a description say of the customers, as a reader takes them: which
# mean, and whether it is above (1) or below that of all. Longer words go first.
WORDS = [
    ("less often than", PURCHASES, -1),
    ("more lately than", RECENCY, -1),
    ("longer ago than", RECENCY, 1),
    ("longer than most", RECENCY, 1),
    ("long quiet", RECENCY, 1),
    ("slipping away", RECENCY, 1),
    ("lapsed", RECENCY, 1),
    ("recent", RECENCY, -1),
    ("little at a time", BASKET, -1),
    ("small baskets", BASKET, -1),
    ("large purchases", BASKET, 1),
    ("but large ones", BASKET, 1),
    ("few purchases", PURCHASES, -1),
    ("a few", PURCHASES, -1),
    ("occasional", PURCHASES, -1),
    ("frequent", PURCHASES, 1),
    ("regulars", PURCHASES, 1),
    ("small spenders", SPENDING, -1),
    ("spenders", SPENDING, 1),
    ("spent more than", SPENDING, 1),
    ("spent less than", SPENDING, -1),
    ("for much", SPENDING, 1),
    ("little", SPENDING, -1),
    ("seldom", PURCHASES, -1),
    ("often", PURCHASES, 1),
    ("lately", RECENCY, -1),
    ("coupon", pl.col("coupon_rate"), 1),
]


def said(name: str, description: str) -> list[tuple[pl.Expr, int]]:
    """The claims in a name and the sentence about it, without the typical figures."""
    text = f"{name}. {description.split('Typically', maxsplit=1)[0]}".lower()
    found = []
    for words, measure, sign in WORDS:
        if words in text:
            found.append((measure, sign))
            text = text.replace(words, "")
    return found


def false_claims(model: SegmentModel, customers: pl.DataFrame, ratio: float) -> list[str]:
    """The claims of a model's names that do not hold of its customers."""
    placed = customers.with_columns(assign(model, customers)["segment_id"])
    named = zip(model.ids, model.names, model.descriptions, strict=True)
    return false_of(placed, list(named), ratio)


def false_of(placed: pl.DataFrame, named: list[tuple[int, str, str]], ratio: float) -> list[str]:
    """The claims that do not hold, by the mean of a segment against that of all customers."""
    wrong = []
    for segment, name, text in named:
        mine = placed.filter(segment_id=segment)
        for measure, sign in said(name, text):
            here, everywhere = (rows.select(measure.mean()).item() for rows in (mine, placed))
            low, high = (everywhere, here) if sign > 0 else (here, everywhere)
            if here is None or not (high > low and high >= ratio * low * (1 - 1e-9)):
                wrong.append(f"{name}: {measure} is {here} of {everywhere}")
        if name == "Middle ground":
            wrong += outermost(placed, segment)
    return wrong


def outermost(placed: pl.DataFrame, segment: int) -> list[str]:
    """Where a segment that is called between the others is the first or the last of those."""
    wrong = []
    for measure in (RECENCY, PURCHASES, SPENDING):
        log = measure.log1p()
        mean, typical, deviation = placed.select(measure.mean(), t=log.mean(), d=log.std()).row(0)
        each = placed.group_by("segment_id").agg(mean=measure.mean(), typical=log.mean())
        is_far = (pl.col("mean") > 1.5 * mean) | (pl.col("mean") < mean / 1.5)
        is_typical = (pl.col("typical") - typical).abs() > 0.5 * deviation
        differs = each.filter(is_far & is_typical & ((pl.col("mean") - mean).abs() > 1))
        own = each.filter(segment_id=segment)["typical"].item()
        ends = each.select(low=pl.min("typical"), high=pl.max("typical")).row(0)
        if differs.height and own in ends:
            wrong.append(f"between the others: {measure} is {own} of {ends}")
    return wrong


def people(**columns: list[float]) -> pl.DataFrame:
    """Customers as rows of gold/customer_features; equal in what is not given."""
    equal = {"recency_days": 30, "frequency": 1, "revenue": 100.0, "coupon_rate": 0.0}
    others = {name: pl.lit(value) for name, value in equal.items() if name not in columns}
    return (
        pl.DataFrame(columns)
        .with_columns(**others)
        .with_columns(
            pl.col("recency_days", "frequency").cast(pl.Int64),
            pl.col("revenue").cast(pl.Decimal(18, 2)),
            customer_id=pl.format("C{}", pl.int_range(pl.len()) + 1000),
            first_purchase_day=pl.lit(date(2023, 1, 1)),
        )
        .with_columns(orders=pl.col("frequency") + 1)
    )


def test_there_are_names_for_as_many_segments_as_a_model_may_have() -> None:
    assert len(ARCHETYPES) > THRESHOLDS.segments_most
    assert len(set(NAMES)) == len(NAMES)
    assert len({one.place for one in ARCHETYPES}) == len(ARCHETYPES)


@pytest.mark.parametrize("one", ARCHETYPES, ids=NAMES)
def test_each_says_who_they_are_and_what_to_do_and_claims_what_it_says(one: Archetype) -> None:
    assert one.description.endswith(".")
    assert one.action.endswith(".")
    measures = {
        "recency": RECENCY,
        "purchases": PURCHASES,
        "spending": SPENDING,
        "basket": BASKET,
        "coupons": pl.col("coupon_rate"),
    }
    words = {(str(measure), sign) for measure, sign in said(one.name, one.description)}
    claims = {(str(measures[c.measure]), 1 if c.is_high else -1) for c in one.claims}
    assert words <= claims
    assert one.claims or one.is_between


def test_customers_who_differ_in_recency_only_are_called_after_that_alone() -> None:
    """They were called lapsed big spenders, with a few large purchases."""
    alike = people(recency_days=[float(1 + n % 180) for n in range(200)])
    model = fit(alike, DAY)
    assert set(model.names) <= {
        *("Lately active", "Long quiet", "Middle ground"),
        *(f"Group {segment}" for segment in model.ids),
    }
    assert false_claims(model, alike, THRESHOLDS.name_ratio) == []


def test_where_no_customer_differs_no_name_says_that_one_does() -> None:
    model = fit(people(recency_days=[30.0] * 50), DAY)
    assert model.names == ("Group 1",)
    assert model.descriptions[0].startswith("No name says more of them than their figures do.")


def test_prices_that_differ_by_cents_make_no_big_spenders() -> None:
    cents = people(revenue=[100 + 0.01 * (n % 7) for n in range(120)])
    model = fit(cents, DAY)
    assert model.names == tuple(f"Group {segment}" for segment in model.ids)


def test_one_buyer_of_a_million_makes_nobody_else_a_small_spender() -> None:
    """The mean of all is far above every other customer, and says nothing of them."""
    rich = people(revenue=[*(90.0 + n % 21 for n in range(300)), 1_000_000.0])
    model = fit(rich, DAY)
    placed = rich.with_columns(assign(model, rich)["segment_id"])
    plain = placed.filter(pl.col("revenue") < 1000)["segment_id"].mode().to_list()
    names = dict(zip(model.ids, model.names, strict=True))
    assert not {names[segment] for segment in plain} & {"Small spenders", "Big spenders"}


_MATRIX = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 2, 10, 30, 31, 90, 200, 400]),
        st.sampled_from([0, 0, 0, 1, 2, 8, 30]),
        st.sampled_from([0.0, 0.01, 10.0, 10.01, 50.0, 51.0, 400.0, 90_000.0]),
        st.sampled_from([0.0, 0.0, 0.5, 1.0]),
    ),
    min_size=1,
    max_size=24,
)


def matrix(rows: list[tuple[int, int, float, float]]) -> pl.DataFrame:
    names = ("recency_days", "frequency", "revenue", "coupon_rate")
    return people(**dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


@settings(max_examples=200, deadline=None)
@given(_MATRIX, st.lists(st.integers(0, 5), min_size=24, max_size=24))
def test_every_claim_of_every_name_holds_however_customers_are_grouped(
    rows: list[tuple[int, int, float, float]], groups: list[int]
) -> None:
    customers, placed = matrix(rows), np.array(groups[: len(rows)])
    found = contrasts(customers, placed, 6)
    places = np.nan_to_num(found.distances[:, [0, 1, 2, 4]])
    named = name_segments(range(1, 7), places, found)
    said_of = [(n, one.name, one.description) for n, one in enumerate(named, 1)]
    in_groups = customers.with_columns(segment_id=pl.Series(placed) + 1)
    assert false_of(in_groups, said_of, THRESHOLDS.name_ratio) == []
    assert len({one.name for one in named}) == 6


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(_MATRIX)
def test_every_claim_of_every_name_holds_in_any_data(
    rows: list[tuple[int, int, float, float]],
) -> None:
    customers = matrix(rows)
    model = fit(customers, DAY)
    assert false_claims(model, customers, THRESHOLDS.name_ratio) == []
    assert len(set(model.names)) == len(model.names)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(_MATRIX, _MATRIX)
def test_names_that_are_kept_through_a_retraining_are_as_true(
    before: list[tuple[int, int, float, float]], now: list[tuple[int, int, float, float]]
) -> None:
    first = fit(matrix(before), DAY)
    customers = matrix(now)
    second = fit(customers, DAY, [first], "age")
    enough = 1 + (THRESHOLDS.name_ratio - 1) * THRESHOLDS.name_kept
    assert false_claims(second, customers, enough) == []
    assert len(set(second.names)) == len(second.names)
    again = fit(customers, DAY, [first, second], "asked")
    assert dict(zip(again.ids, again.names, strict=True)) == dict(
        zip(second.ids, second.names, strict=True)
    )


def test_a_name_that_is_not_true_any_more_is_given_up_and_the_id_stays() -> None:
    spread = people(recency_days=[3.0] * 40 + [90.0] * 40, revenue=[900.0] * 40 + [40.0] * 40)
    first = fit(spread, DAY)
    assert "Big spenders" not in first.names
    lately = fit(people(recency_days=[3.0] * 40 + [90.0] * 40), DAY, [first], "age")
    assert set(lately.names) == {"Lately active", "Long quiet"}


@pytest.mark.parametrize(
    ("typical", "sentence"),
    [
        (
            (12.4, 5.0, 271.2, 0.0),
            "Typically last bought 12 days ago, 6 purchase days, 45.20 a purchase day.",
        ),
        (
            (1.0, 0.0, 19.99, 0.0),
            "Typically last bought 1 day ago, 1 purchase day, 19.99 a purchase day.",
        ),
        # 2 orders with a coupon of 4: a habit of 2 / 5.
        (
            (0.2, 3.0, 100.0, 0.4),
            "Typically last bought today, 4 purchase days, 25.00 a purchase day, "
            "a coupon in 50% of the orders.",
        ),
        # A mean of logarithms may come out a little below zero, or above a whole.
        (
            (-0.01, -0.01, -0.01, 0.9),
            "Typically last bought today, 1 purchase day, 0.00 a purchase day, "
            "a coupon in 100% of the orders.",
        ),
    ],
)
def test_the_figures_are_in_days_purchases_and_money(
    typical: tuple[float, float, float, float], sentence: str
) -> None:
    assert figures(*typical) == sentence
