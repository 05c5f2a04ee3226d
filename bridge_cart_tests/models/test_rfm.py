"""The cut points are fifths of the customers, stay until the next training, and agree with SQL."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge_cart_assets.models.rfm import (
    MEASURES,
    customer_rfm,
    cut_points,
    from_rows,
    rfm_models,
)
from bridge_cart_assets.models.rfm_migration import rfm_migration
from bridge_cart_assets.tables.columns import MONEY
from bridge_cart_assets.tables.gold import (
    CUSTOMER_FEATURES,
    CUSTOMER_RFM,
    RFM_MIGRATION,
    RFM_MODEL,
    SEGMENT_MODEL,
)
from bridge_cart_assets.tables.silver import CUSTOMERS
from bridge_cart_assets.transforms.features import customer_features
from bridge_cart_assets.transforms.rfm_groups import NO_SALE
from bridge_cart_tests.faults.extent import EXAMPLES
from bridge_cart_tests.models.rfm_in_sql import COLUMNS, groups_in_sql
from bridge_cart_tests.transforms.shops import START, Line, line, purchases, shops

AS_OF = START + timedelta(days=400)
NO_MODEL = RFM_MODEL.empty().lazy()


def customers(recency: Sequence[int], orders: Sequence[int], money: Sequence[int]) -> pl.LazyFrame:
    """Rows of gold/customer_features with these figures."""
    rows = [
        {
            "customer_id": f"C{n}",
            "first_purchase_day": START,
            "recency_days": days,
            "orders": count,
            "net_revenue": Decimal(amount),
        }
        for n, (days, count, amount) in enumerate(zip(recency, orders, money, strict=True))
    ]
    return pl.LazyFrame(rows, schema=CUSTOMER_FEATURES.dtypes)


def segment_models(*trained: tuple[int, date, str]) -> pl.LazyFrame:
    """Rows of gold/segment_model: version, day and reason of the training."""
    rows = [
        {"model_version": version, "segment_id": i, "trained_as_of": day, "trained_because": why}
        for version, day, why in trained
        for i in (1, 2)
    ]
    return pl.LazyFrame(rows, schema=SEGMENT_MODEL.dtypes)


def trained(features: pl.LazyFrame, as_of: date = AS_OF) -> pl.LazyFrame:
    return rfm_models(NO_MODEL, features, segment_models((1, as_of, "first")), as_of).lazy()


def scores(features: pl.LazyFrame, models: pl.LazyFrame | None = None) -> list[tuple[object, ...]]:
    rows = customer_rfm(features, trained(features) if models is None else models, AS_OF)
    return CUSTOMER_RFM.conform(rows).select("r_score", "f_score", "m_score", "rfm_group").rows()


VALUES = st.lists(st.integers(-3, 6), min_size=1, max_size=40)


@settings(deadline=None, max_examples=EXAMPLES or 30)
@given(VALUES)
def test_a_score_counts_the_fifths_of_the_customers_below(values: list[int]) -> None:
    cuts = cut_points(pl.Series(values))
    for value in values:
        below = sum(other < value for other in values)
        assert sum(value > cut for cut in cuts) == 5 * below // len(values)
    # And with another order of the same values it is the same.
    assert cut_points(pl.Series(values[::-1])) == cuts


def test_of_ten_different_customers_two_have_each_score() -> None:
    ten = range(10)
    found = scores(customers(ten, [1 + n for n in ten], [10 * n for n in ten]))
    assert [row[0] for row in found] == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1]
    assert [row[1] for row in found] == [row[2] for row in found] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_where_most_have_one_order_they_have_few_and_nobody_has_a_score_between() -> None:
    found = scores(customers(range(10), [1] * 7 + [2, 2, 9], [10] * 10))
    assert [row[1] for row in found] == [1] * 7 + [4, 4, 5]
    # The latest of them are new, whatever they paid; equal amounts are in the lowest fifth.
    assert {row[3] for row in found[:2]} == {"NEW"}
    assert {row[2] for row in found} == {1}


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_few_customers_have_scores_too_and_equal_ones_equal_ones(count: int) -> None:
    same = scores(customers([4] * count, [1] * count, [5] * count))
    assert same == [(5, 1, 1, "NEW")] * count, "nobody bought later, or has fewer orders"
    different = scores(customers(range(count), range(1, count + 1), range(count)))
    assert different[0][:3] == (5, 1, 1)
    assert [row[1] for row in different] == [1 + 5 * n // count for n in range(count)]


def test_more_given_back_than_paid_is_the_least_money() -> None:
    found = scores(customers([0] * 5, [1] * 5, [-30, -10, 0, 5, 9]))
    assert [row[2] for row in found] == [1, 2, 3, 4, 5]


def test_cut_points_stay_until_the_segment_model_is_trained_again() -> None:
    then = customers(range(5), range(1, 6), range(5))
    first = trained(then)
    now = customers(range(5), range(11, 16), range(100, 105))
    later = AS_OF + timedelta(days=9)
    kept = rfm_models(first, now, segment_models((1, AS_OF, "first")), later)
    assert kept.equals(first.collect())
    assert {row[1] for row in scores(now, kept.lazy())} == {5}, "by the cut points of then"
    both = rfm_models(
        kept.lazy(), now, segment_models((1, AS_OF, "first"), (2, later, "drift")), later
    )
    versions = both.select(
        *("model_version", "trained_as_of", "effective_from", "trained_on", "trained_because")
    ).unique(maintain_order=True)
    assert versions.rows() == [
        (1, AS_OF, START, 5, "first"),
        (2, later, later, 5, "drift"),
    ]
    assert [row[1] for row in scores(now, both.lazy())] == [1, 2, 3, 4, 5]
    assert RFM_MODEL.conform(both).height == 2 * 15


def test_a_version_whose_segment_model_is_gone_goes_too() -> None:
    features = customers(range(5), range(1, 6), range(5))
    later = AS_OF + timedelta(days=30)
    two = segment_models((1, AS_OF, "first"), (2, later, "age"))
    models = rfm_models(trained(features), features, two, later).lazy()
    # The file of the later day was taken back.
    before = rfm_models(models, features, segment_models((1, AS_OF, "first")), AS_OF)
    assert before["model_version"].unique().to_list() == [1]
    # Its number comes again, of another training.
    again = later + timedelta(days=1)
    two = segment_models((1, AS_OF, "first"), (2, again, "asked"))
    made = rfm_models(models, features, two, again).filter(model_version=2)
    assert set(made["trained_as_of"]) == {again}


def test_without_customers_or_models_there_are_no_groups() -> None:
    nobody, segments = CUSTOMER_FEATURES.empty().lazy(), segment_models((1, AS_OF, "first"))
    assert rfm_models(NO_MODEL, nobody, segments, AS_OF).is_empty()
    somebody = customers([1], [1], [1])
    assert rfm_models(NO_MODEL, somebody, SEGMENT_MODEL.empty().lazy(), AS_OF).is_empty()
    assert CUSTOMER_RFM.conform(customer_rfm(somebody, NO_MODEL, AS_OF)).is_empty()
    assert rfm_migration(purchases([line(0)]), NO_MODEL, AS_OF).is_empty()


@settings(deadline=None, max_examples=EXAMPLES or 15)
@given(shops(25))
def test_sql_over_silver_gives_the_same_scores_and_groups(shop: tuple[list[Line], date]) -> None:
    lines, as_of = shop
    bought = purchases(lines)
    features = customer_features(bought, CUSTOMERS.empty().lazy(), as_of).lazy()
    models = trained(features, as_of)
    rows = customer_rfm(features, models, as_of)
    found = CUSTOMER_RFM.conform(rows).sort("customer_id").select(COLUMNS).rows()
    assert found == groups_in_sql(bought.collect(), as_of)
    if found:
        assert found == groups_in_sql(bought.collect(), as_of, models.collect())


def test_the_month_ends_are_those_of_everybody_looked_up_on_each() -> None:
    """Two versions: the first decides on all days before the second is effective."""
    lines = [
        *(line(day, "C1", amount="20.00") for day in (0, 20, 45, 140)),
        *(line(3, "C2", "O2"), line(50, "C2", "O2", line_number=2)),
        line(10, "C3", amount="5.00"),
        *(line(2, "C4", amount="-7.00", kind="refund"), line(70, "C4", amount="9.00")),
        line(40, "C4", amount="-1.00", kind="refund", order="O7"),
        line(75, "C5", amount="-1.00", kind="refund"),
        line(33, None),
    ]
    bought, as_of = purchases(lines), START + timedelta(days=185)
    cuts = {
        1: {"recency_days": (5, 20, 40, 90), "orders": (1, 1, 2, 3), "net_revenue": (0, 5, 20, 50)},
        2: {"recency_days": (2, 2, 60, 61), "orders": (1, 2, 2, 4), "net_revenue": (1, 5, 30, 60)},
    }
    models = rfm_rows(
        {
            version: (START + timedelta(days=100 * (version - 1)), own)
            for version, own in cuts.items()
        }
    )
    assert RFM_MIGRATION.conform(rfm_migration(bought, models, as_of)).rows() == looked_up(
        bought, models, as_of
    )


def rfm_rows(
    versions: Mapping[int, tuple[date, Mapping[str, tuple[int, ...]]]],
) -> pl.LazyFrame:
    """Rows of gold/rfm_model with these cut points, by version and the day they are effective."""
    rows = [
        {"model_version": version, "effective_from": day, "measure": name, "up_to": cut}
        for version, (day, cuts) in versions.items()
        for name, own in cuts.items()
        for cut in own
    ]
    return pl.LazyFrame(rows, schema=RFM_MODEL.dtypes)


def looked_up(bought: pl.LazyFrame, models: pl.LazyFrame, as_of: date) -> list[tuple[object, ...]]:
    """The moves, by the groups of all customers at the end of each month."""
    versions = from_rows(models.collect())
    moves: dict[tuple[date, str, str], int] = {}
    before: dict[str, str] = {}
    day = START
    while (day := (day + timedelta(days=31)).replace(day=1)) - timedelta(days=1) <= as_of:
        end = day - timedelta(days=1)
        version = [one for one in versions if one is versions[0] or one.effective_from <= end][-1]
        features = customer_features(bought, CUSTOMERS.empty().lazy(), end).lazy()
        effective = models.filter(model_version=version.version)
        groups = customer_rfm(features.filter(pl.col("customer_id").is_not_null()), effective, end)
        now = dict(groups.select("customer_id", "rfm_group").rows())
        for customer, group in now.items():
            pair = (end, before.get(customer, NO_SALE), group)
            moves[pair] = moves.get(pair, 0) + 1
        before = now
        day = day.replace(day=1)
    return [(*pair, count) for pair, count in sorted(moves.items())]


def test_money_is_compared_exactly() -> None:
    cents = pl.Series([Decimal("0.07"), Decimal("0.29"), Decimal("1.10")], dtype=MONEY)
    assert cut_points(cents) == (0.07, 0.29, 0.29, 1.1)
    assert MEASURES["net_revenue"] == "m_score"
