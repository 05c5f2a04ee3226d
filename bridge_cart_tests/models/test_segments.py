"""The segment model: what it looks at, how it scores, and how its segments stay who they are."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from bridge_cart_assets.models import segments
from bridge_cart_assets.models.archetypes import ARCHETYPES
from bridge_cart_assets.models.segment_history import moved_share, with_new_model
from bridge_cart_assets.models.segments import (
    FEATURES,
    Floats,
    SegmentModel,
    assign,
    fit,
    from_rows,
    scored,
)
from bridge_cart_assets.models.stability import Clustering, cluster
from bridge_cart_assets.tables.gold import CUSTOMER_FEATURES, SEGMENT_MODEL
from bridge_cart_assets.transforms import history
from bridge_cart_assets.transforms.features import customer_features
from bridge_cart_tests.transforms.shops import START, Line, customers, line, purchases, shops

Place = tuple[float, float, float, float]


def on(day: int) -> date:
    return START + timedelta(days=day)


def people(*rows: tuple[int, int, float, int, float]) -> pl.DataFrame:
    """Customers by recency, frequency, revenue, orders and coupon rate."""
    names = ("recency_days", "frequency", "revenue", "orders", "coupon_rate")
    return pl.DataFrame(rows, schema=names, orient="row").with_columns(
        pl.col("revenue").cast(pl.Decimal(18, 2))
    )


def kinds() -> pl.DataFrame:
    """Five kinds of forty customers each, as rows of gold/customer_features."""
    random = np.random.default_rng(3)
    centres = [
        (3, 30, 2000, 0),
        (100, 20, 900, 0),
        (15, 2, 60, 0),
        (200, 1, 30, 0),
        (40, 5, 90, 0.8),
    ]
    rows = [
        {
            "recency_days": round(recency * random.uniform(0.8, 1.2)),
            "frequency": round(frequency * random.uniform(0.8, 1.2)),
            "orders": round(frequency * 1.2) + 1,
            "revenue": Decimal(round(revenue * random.uniform(0.8, 1.2))),
            "coupon_rate": float(coupon),
        }
        for recency, frequency, revenue, coupon in centres
        for _ in range(40)
    ]
    return pl.DataFrame(rows, schema_overrides={"revenue": pl.Decimal(18, 2)}).with_columns(
        customer_id=pl.format("C{}", pl.int_range(pl.len()) + 100), first_purchase_day=START
    )


KINDS = ("Champions", "Slipping away", "Coupon users", "Recent buyers", "Dormant")


def model(
    *places: Place, means: Place = (3, 1, 4, 0.2), scales: Place = (1, 0.5, 1, 0.2)
) -> SegmentModel:
    count = len(places)
    return SegmentModel(
        version=1,
        trained_as_of=START,
        effective_from=START,
        trained_on=1,
        trained_because="first",
        means=np.array(means),
        scales=np.array(scales),
        # Not in the order of their places.
        ids=tuple(range(count, 0, -1)),
        names=tuple(f"N{i}" for i in range(count, 0, -1)),
        descriptions=("",) * count,
        actions=("",) * count,
        centroids=np.array(places, dtype=np.float64),
        stability=0.9,
        silhouette=None,
    )


def test_no_feature_knows_who_a_customer_is_only_what_they_did() -> None:
    read = {name for feature in FEATURES.values() for name in feature.meta.root_names()}
    assert read == {"recency_days", "frequency", "revenue", "coupon_rate", "orders"}
    assert next(iter(FEATURES)) == "recency_days"


def test_the_coupon_habit_is_a_share_that_a_single_order_does_not_settle() -> None:
    rows = people((0, 0, 1, 1, 1.0), (0, 3, 1, 4, 1.0), (0, 3, 1, 4, 0.5), (0, 3, 1, 4, 0.0))
    assert rows.select(FEATURES["coupon_habit"]).to_series().to_list() == [0.5, 0.8, 0.4, 0.0]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(shops(size=10))
def test_what_holds_between_two_purchases_is_what_the_features_of_each_day_say(
    shop: tuple[list[Line], date],
) -> None:
    lines, as_of = shop
    states = history.purchase_states(purchases(lines), as_of)
    first = min(one["purchase_day"] for one in lines if one["kind"] == "sale")
    for day in {first, first + (as_of - first) / 2, as_of}:
        that_day = history.clip_to(states, day, day + timedelta(days=1))
        recency = (pl.col("start") - pl.col("last")).dt.total_days()
        found = that_day.with_columns(recency_days=recency).sort("customer_id")
        expected = customer_features(purchases(lines), customers(), day)
        assert_frame_equal(
            found.select("customer_id", **FEATURES),
            expected.select("customer_id", **FEATURES),
            check_exact=True,
            check_dtypes=False,
        )


def distances(model: SegmentModel, rows: pl.DataFrame) -> Floats:
    habit = rows["coupon_rate"] * rows["orders"] / (rows["orders"] + 1)
    raw = rows.select("recency_days", "frequency", pl.col("revenue").cast(pl.Float64), habit=habit)
    points = (np.log1p(np.maximum(raw.to_numpy(), 0)) - model.means) / model.scales
    result: Floats = np.linalg.norm(points[:, None] - model.centroids[None], axis=2)
    return result


_SPOT = st.floats(-3, 3).map(lambda x: round(x, 3))
_PERSON = st.tuples(
    st.integers(0, 400),
    st.integers(0, 50),
    st.integers(-100, 100_000).map(lambda cents: cents / 100),
    st.integers(1, 60),
    st.sampled_from([0.0, 0.25, 0.5, 1.0]),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(_SPOT, _SPOT, _SPOT, _SPOT), min_size=1, max_size=8),
    st.lists(_PERSON, min_size=1, max_size=20),
)
def test_scoring_finds_the_nearest_segment_and_how_far_the_next_one_is(
    places: list[Place], rows: list[tuple[int, int, float, int, float]]
) -> None:
    one, who = model(*places), people(*rows)
    away = np.sort(distances(one, who), axis=1)
    found = assign(one, who)
    assert np.allclose(found["distance"], away[:, 0])
    if len(places) == 1:
        assert found["margin"].null_count() == len(rows)
    else:
        assert np.allclose(found["margin"], away[:, 1] - away[:, 0])
    chosen = [one.ids.index(i) for i in found["segment_id"]]
    assert np.allclose(distances(one, who)[np.arange(len(rows)), chosen], away[:, 0])
    assert found["segment_name"].to_list() == [one.names[i] for i in chosen]


def test_of_segments_that_are_equally_near_the_first_in_the_model_is_taken() -> None:
    twins = model((9, 9, 9, 9), (0, 1, 0, 0), (0, 1, 0, 0), (0, 1, 0, 0))
    found = assign(twins, people((19, 1, 50, 2, 0.5)))
    assert found.select("segment_id", "segment_name", "margin").row(0) == (3, "N3", 0.0)


def test_scoring_stays_lazy_and_adds_four_columns_to_those_that_are_there() -> None:
    who = people((1, 2, 3, 4, 0.5)).lazy().with_columns(customer_id=pl.lit("C1"))
    rows = scored(model((0, 0, 0, 0), (1, 1, 1, 1)), who)
    added = ["segment_id", "segment_name", "distance", "margin"]
    assert rows.collect_schema().names() == [*who.collect_schema().names(), *added]


def test_without_customers_there_are_no_scores() -> None:
    assert assign(model((0, 0, 0, 0), (1, 1, 1, 1)), people()).height == 0


def test_a_new_model_has_stable_segments_with_names_figures_and_advice() -> None:
    found = fit(kinds(), on(9))
    assert found.names == KINDS
    assert found.ids == (1, 2, 3, 4, 5)
    assert found.stability == 1.0
    assert found.silhouette == pytest.approx(0.85, abs=0.1)
    assert found.descriptions[0].startswith(
        "Buy lately, often and for much. Typically last bought 3 days ago,"
    )
    assert all(found.actions)
    assert len(set(found.actions)) == 5
    in_orders = ["a coupon in" in text for text in found.descriptions]
    assert in_orders == [name == "Coupon users" for name in KINDS]


def test_a_model_comes_back_from_its_rows_with_every_column() -> None:
    rows = SEGMENT_MODEL.conform(fit(kinds(), on(9), because="asked").rows())
    again = from_rows(rows)[0].rows().select(rows.columns)
    assert again.equals(rows)
    assert set(rows["trained_because"]) == {"asked"}
    assert rows["features"][0].to_list() == list(FEATURES)
    single = SEGMENT_MODEL.conform(model((0, 0, 0, 0)).rows())
    assert single["silhouette"].to_list() == [None]


def test_a_model_of_other_features_is_refused_and_not_scored_wrongly() -> None:
    rows = model((0, 0, 0, 0)).rows().with_columns(features=pl.lit(["age", "income"]))
    with pytest.raises(ValueError, match=r"segment model 1 was trained on \['age', 'income'\]"):
        from_rows(rows)


def shifted(model: SegmentModel, place: int, by: float) -> SegmentModel:
    """The model with the centre of one segment elsewhere, as if its customers had been there."""
    centroids = model.centroids.copy()
    centroids[place, 2] += by
    return replace(model, centroids=centroids)


def test_a_segment_that_moved_less_than_a_standard_deviation_keeps_id_and_name() -> None:
    first = fit(kinds(), on(9))
    refitted = fit(kinds(), on(40), [shifted(first, 0, by=0.9)], because="age")
    assert (refitted.ids, refitted.names) == (first.ids, first.names)
    assert (refitted.version, refitted.effective_from) == (2, on(40))
    assert np.allclose(refitted.centroids, first.centroids)


def test_a_segment_that_moved_further_is_another_one_with_a_new_id() -> None:
    first = fit(kinds(), on(9))
    refitted = fit(kinds(), on(40), [shifted(first, 0, by=1.1)])
    assert refitted.ids == (6, 2, 3, 4, 5)
    assert refitted.names == first.names


def test_the_id_of_a_segment_that_is_gone_is_never_given_again() -> None:
    first = fit(kinds(), on(9))
    with_seven = replace(first, ids=(7, 2, 3, 4, 5))
    without_seven = replace(shifted(first, 0, by=3.0), version=2, ids=(6, 2, 3, 4, 5))
    refitted = fit(kinds(), on(40), [with_seven, without_seven])
    assert refitted.ids == (8, 2, 3, 4, 5)


def test_a_segment_keeps_its_name_where_another_would_fit_better_and_a_new_one_avoids_it() -> None:
    first = fit(kinds(), on(9))
    kept = replace(first, names=("Steady spenders", *first.names[1:]))
    assert fit(kinds(), on(40), [kept]).names == kept.names
    moved = fit(kinds(), on(40), [shifted(kept, 1, by=1.1)])
    assert moved.ids[1] == 6
    assert moved.names[0] == "Steady spenders"
    assert moved.names[1] not in kept.names[0]
    [kind] = [one for one in ARCHETYPES if one.name == "Steady spenders"]
    assert moved.descriptions[0].startswith(f"{kind.description} Typically last bought 3")
    assert moved.actions[0] == kind.action


def test_a_name_that_is_not_true_is_not_kept() -> None:
    first = fit(kinds(), on(9))
    swapped = replace(first, names=("Dormant", *first.names[1:4], "VIPs"))
    found = fit(kinds(), on(40), [swapped])
    assert (found.ids, found.names) == (first.ids, first.names)


def test_a_model_is_trained_again_on_the_same_customers_and_moves_nobody() -> None:
    random = np.random.default_rng(8)
    blurred = kinds().with_columns(
        recency_days=pl.Series(random.integers(0, 300, 200)),
        revenue=pl.Series(random.lognormal(4, 1.5, 200)).cast(pl.Decimal(18, 2)),
    )
    models = SEGMENT_MODEL.empty()
    for because in ("first", "asked", "asked"):
        models = with_new_model(models, blurred, on(40), because)
    moved = models.group_by("model_version").agg(pl.first("moved_share")).sort("model_version")
    assert moved["moved_share"].to_list() == [None, 0.0, 0.0]


def test_the_share_of_customers_whom_a_version_alone_moves_is_counted() -> None:
    one = model((0, 0, 0, 0), (3, 0, 0, 0), means=(0, 0, 0, 0), scales=(1, 1, 1, 1))
    other = replace(one, centroids=one.centroids + np.array([2, 0, 0, 0]))
    # log1p(3) = 1.4 is nearer to 0 than to 3, and to 2 than to 5; log1p(6) = 1.9 moves.
    who = people(*[(days, 0, 0, 1, 0.0) for days in (0, 0, 6, 400)])
    assert moved_share(one, other, who) == 0.25


def test_a_refit_begins_where_the_last_centres_lie_in_the_new_scaling(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = fit(kinds(), on(9))
    begun: list[Floats | None] = []

    def spying(points: Floats, current: Floats | None) -> Clustering:
        begun.append(current)
        return cluster(points, current)

    monkeypatch.setattr(segments, "cluster", spying)
    dearer = kinds().with_columns((pl.col("revenue") * 3).cast(pl.Decimal(18, 2)))
    second = fit(dearer, on(40), [first])
    [start] = begun
    assert start is not None
    assert np.allclose(
        start * second.scales + second.means, first.centroids * first.scales + first.means
    )
    assert not np.allclose(first.means, second.means)


def test_ids_follow_the_places_of_the_last_model_and_not_their_order() -> None:
    first = fit(kinds(), on(9))
    order = [2, 0, 3, 4, 1]
    mixed = replace(
        first,
        ids=tuple(first.ids[i] for i in order),
        names=tuple(first.names[i] for i in order),
        centroids=first.centroids[order],
    )
    assert fit(kinds(), on(40), [mixed]).ids == first.ids


def test_the_order_of_the_customers_does_not_matter() -> None:
    shuffled = kinds().sample(fraction=1.0, shuffle=True, seed=5)
    assert fit(shuffled, on(9)).rows().equals(fit(kinds(), on(9)).rows())


def test_where_no_customer_uses_coupons_they_decide_nothing() -> None:
    lines = [line(day, f"C{day % 9}", amount=Decimal(1 + day % 9)) for day in range(0, 90, 2)]
    known = CUSTOMER_FEATURES.conform(customer_features(purchases(lines), customers(), on(90)))
    found = fit(known, on(90))
    assert (found.means[3], found.scales[3]) == (0.0, 1.0)
    assert (found.centroids[:, 3] == 0).all()
    assert not any("coupon" in text.lower() for text in found.descriptions)
