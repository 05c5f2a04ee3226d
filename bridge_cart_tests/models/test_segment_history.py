"""Every customer's state and every segment's figures, against rescoring everybody every day.

The oracle asks on each calendar day for each customer: which model decides today, which centroid
is nearest, when was the last sale. It knows nothing of crossings, spells or running sums.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import pairwise
from math import log1p
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bridge_cart_assets.models.segment_history import (
    customer_history,
    customer_segments,
    metrics_from,
    with_new_model,
)
from bridge_cart_assets.models.segments import SegmentModel, from_rows
from bridge_cart_assets.tables.gold import (
    CUSTOMER_FEATURES,
    CUSTOMER_HISTORY,
    CUSTOMER_SEGMENTS,
    SEGMENT_METRICS,
    SEGMENT_MODEL,
)
from bridge_cart_assets.transforms.features import customer_features
from bridge_cart_assets.transforms.history import segment_events
from bridge_cart_tests.transforms.shops import START, Line, customers, line, purchases, shops

Row = dict[str, Any]
Place = tuple[float, float, float, float]
NAMES = {1: "Loyal", 2: "Recent", 3: "Dormant", 4: "Slipping away"}


def on(day: int) -> date:
    return START + timedelta(days=day)


def model(
    centroids: dict[int, Place],
    version: int = 1,
    effective_from: date = START,
    means: Sequence[float] = (3.0, 1.0, 3.0, 0.0),
    scales: Sequence[float] = (1.0, 0.5, 1.0, 1.0),
) -> SegmentModel:
    """A model with the place of each segment: recency, frequency, revenue, coupon habit, scaled."""
    return SegmentModel(
        version=version,
        trained_as_of=effective_from,
        effective_from=effective_from,
        trained_on=1,
        trained_because="first",
        means=np.array(means),
        scales=np.array(scales),
        ids=tuple(centroids),
        names=tuple(NAMES[i] for i in centroids),
        descriptions=tuple(f"Who {NAMES[i]} are." for i in centroids),
        actions=tuple(f"What to do with {NAMES[i]}." for i in centroids),
        centroids=np.array(list(centroids.values())),
        stability=None,
        silhouette=None,
    )


def rows_of(models: Iterable[SegmentModel]) -> pl.LazyFrame:
    return pl.concat([SEGMENT_MODEL.conform(m.rows()) for m in models]).lazy()


MIDDLE: Place = (0.0, 0.0, 0.0, 0.0)
# Segment 1 is for those who bought lately, segment 2 for the others: by recency alone. The
# border lies where log1p(recency) is 3: 19 days are nearer to 1, 20 to 2.
BY_RECENCY = model({1: (-1.0, 0.0, 0.0, 0.0), 2: (1.0, 0.0, 0.0, 0.0)}, scales=(1.0, 1e6, 1e6, 1e6))
# The same segments, the border where log1p(recency) is 4: from 54 days on it is segment 2.
MORE_PATIENT = replace(BY_RECENCY, means=np.array([4.0, 1.0, 3.0, 0.0]), version=2)


def history(
    lines: list[Line], models: Sequence[SegmentModel], as_of: date
) -> list[tuple[int, int, str, str]]:
    """Per state of C1: first day, segment, lifecycle and reason."""
    rows = customer_history(purchases(lines), rows_of(models), as_of)
    return [
        ((r["valid_from"] - START).days, r["segment_id"], r["lifecycle"], r["change_reason"])
        for r in CUSTOMER_HISTORY.conform(rows).iter_rows(named=True)
        if r["customer_id"] == "C1"
    ]


def test_a_customer_is_new_then_active_then_lapsed_and_active_again() -> None:
    one_segment = model({1: MIDDLE})
    assert history([line(0), line(200)], [one_segment], on(400)) == [
        (0, 1, "new", "first_seen"),
        (30, 1, "active", "lifecycle_changed"),
        (90, 1, "lapsed", "lifecycle_changed"),
        (200, 1, "active", "lifecycle_changed"),
        (290, 1, "lapsed", "lifecycle_changed"),
    ]


def test_a_sale_on_the_day_on_which_a_customer_would_lapse_keeps_them_active() -> None:
    one_segment = model({1: MIDDLE})
    states = history([line(0), line(90)], [one_segment], on(120))
    assert [(day, lifecycle) for day, _, lifecycle, _ in states] == [(0, "new"), (30, "active")]


def test_a_customer_who_waits_drifts_into_the_segment_of_those_who_wait() -> None:
    assert history([line(0), line(25)], [BY_RECENCY], on(50)) == [
        (0, 1, "new", "first_seen"),
        (20, 2, "new", "segment_changed"),
        (25, 1, "new", "segment_changed"),
        (30, 1, "active", "lifecycle_changed"),
        (45, 2, "active", "segment_changed"),
    ]


def test_a_change_that_only_the_new_model_makes_is_named_so() -> None:
    later = replace(MORE_PATIENT, effective_from=on(40))
    assert history([line(0)], [BY_RECENCY, later], on(60)) == [
        (0, 1, "new", "first_seen"),
        (20, 2, "new", "segment_changed"),
        (30, 2, "active", "lifecycle_changed"),
        (40, 1, "active", "model_retrained"),
        (54, 2, "active", "segment_changed"),
    ]


def test_a_change_that_the_old_model_would_have_made_too_is_the_customers_own() -> None:
    later = replace(BY_RECENCY, version=2, effective_from=on(20))
    assert history([line(0)], [BY_RECENCY, later], on(25)) == [
        (0, 1, "new", "first_seen"),
        (20, 2, "new", "segment_changed"),
    ]


def test_the_first_model_holds_for_the_days_before_it_was_trained_too() -> None:
    trained_late = replace(BY_RECENCY, effective_from=on(10))
    assert history([line(0)], [trained_late], on(5)) == [(0, 1, "new", "first_seen")]


def test_of_two_models_from_one_day_the_later_version_decides() -> None:
    other = model({3: MIDDLE}, version=2, effective_from=on(5))
    final = model({4: MIDDLE}, version=3, effective_from=on(5))
    assert [s for _, s, _, _ in history([line(0)], [BY_RECENCY, other, final], on(9))] == [1, 4]


def test_a_model_that_takes_effect_after_as_of_decides_nothing_yet() -> None:
    other = model({3: MIDDLE}, version=2, effective_from=on(5))
    assert [s for _, s, _, _ in history([line(0)], [BY_RECENCY, other], on(4))] == [1]


def test_without_sales_or_without_a_model_there_is_no_history() -> None:
    assert customer_history(purchases([]), rows_of([BY_RECENCY]), on(0)).is_empty()
    nothing = SEGMENT_MODEL.empty().lazy()
    rows = customer_history(purchases([line(0)]), nothing, on(0))
    assert CUSTOMER_HISTORY.conform(rows).is_empty()
    figures = segment_metrics(rows.lazy(), purchases([line(0)]), nothing, on(0))
    assert SEGMENT_METRICS.conform(figures).is_empty()


def segment_metrics(
    states: pl.LazyFrame, lines: pl.LazyFrame, models: pl.LazyFrame, as_of: date
) -> pl.DataFrame:
    """The figures of whole histories, as they are made from nothing."""
    events = segment_events(states, lines, as_of)
    return metrics_from(states, events.lazy(), models, as_of)


def metrics(lines: list[Line], models: Sequence[SegmentModel], as_of: date) -> list[Row]:
    states = customer_history(purchases(lines), rows_of(models), as_of).lazy()
    rows = segment_metrics(states, purchases(lines), rows_of(models), as_of)
    ordered = SEGMENT_METRICS.conform(rows).sort("segment_id", "valid_from")
    return list(ordered.iter_rows(named=True))


def test_a_segment_has_a_version_from_the_first_to_the_last_day_of_its_figures() -> None:
    lines = [line(0, amount="9.00"), line(3, "C2", amount="1.00")]
    found = [
        (r["segment_id"], r["customers"], r["avg_clv"], r["segment_contribution"], r["valid_from"])
        for r in metrics(lines, [BY_RECENCY], on(21))
    ]
    assert found == [
        (1, 1, 9, 1.0, on(0)),
        (1, 2, 5, 1.0, on(3)),
        (1, 1, 1, 0.1, on(20)),
        (2, 1, 9, 0.9, on(20)),
    ]


def test_a_segment_that_all_have_left_stays_with_no_customers() -> None:
    empty = metrics([line(0)], [BY_RECENCY], on(30))[1]
    assert (empty["segment_id"], empty["customers"], empty["is_current"]) == (1, 0, True)
    assert (empty["avg_clv"], empty["churn_rate"], empty["aov"]) == (None, None, None)


def test_a_segment_that_the_new_model_no_longer_has_is_retired() -> None:
    other = model({3: MIDDLE}, version=2, effective_from=on(10))
    rows = metrics([line(0)], [BY_RECENCY, other], on(12))
    assert [(r["segment_id"], r["valid_from"], r["valid_to"], r["is_current"]) for r in rows] == [
        (1, on(0), on(10), False),
        (3, on(10), None, True),
    ]


def test_churn_is_the_share_without_a_sale_in_the_ninety_days_up_to_the_day() -> None:
    one_segment = model({1: MIDDLE})
    rows = metrics([line(0), line(50, "C2")], [one_segment], on(140))
    assert [(r["valid_from"], r["churn_rate"]) for r in rows] == [
        (on(0), 0.0),
        (on(50), 0.0),
        (on(90), 0.5),
        (on(140), 1.0),
    ]


def test_values_are_net_of_refunds_and_rounded_half_up_to_cents() -> None:
    one_segment = model({1: MIDDLE})
    lines = [
        line(0, amount="10.00"),
        line(0, order="O2", amount="10.01"),
        line(0, "C2", amount="5.00"),
        line(0, "C2", amount="-5.00", kind="refund", line_number=2),
    ]
    row = metrics(lines, [one_segment], on(0))[0]
    # 20.01 net over two customers is 10.005; 25.01 over three orders is 8.3366…
    assert (row["avg_clv"], row["aov"]) == (Decimal("10.01"), Decimal("8.34"))


@dataclass(frozen=True)
class Buyer:
    """What a customer has done up to the end of a day."""

    first: date
    last: date
    frequency: int
    revenue: Decimal
    refunds: Decimal
    orders: int
    with_coupon: int

    def lifecycle(self, day: date) -> str:
        if (day - self.first).days < 30:
            return "new"
        return "lapsed" if (day - self.last).days >= 90 else "active"


def buyers(lines: list[Line], day: date) -> dict[str, Buyer]:
    seen = [n for n in lines if n["purchase_day"] <= day]
    sold = [n for n in seen if n["kind"] == "sale"]
    found = {}
    for customer in {n["customer_id"] for n in sold}:
        own = [n for n in sold if n["customer_id"] == customer]
        days = {n["purchase_day"] for n in own}
        back = [n for n in seen if n["customer_id"] == customer and n["kind"] == "refund"]
        found[customer] = Buyer(
            first=min(days),
            last=max(days),
            frequency=len(days) - 1,
            revenue=sum((n["net_amount"] for n in own), Decimal()),
            refunds=-sum((n["net_amount"] for n in back), Decimal()),
            orders=len({(n["source"], n["order_id"]) for n in own}),
            with_coupon=len({(n["source"], n["order_id"]) for n in own if n["coupon_used"]}),
        )
    return found


def deciding(models: Sequence[SegmentModel], day: date) -> SegmentModel:
    effective = [m for m in models if m.effective_from <= day]
    return effective[-1] if effective else models[0]


def nearest(model: SegmentModel, buyer: Buyer, day: date) -> int:
    habit = buyer.with_coupon / (buyer.orders + 1)
    raw = ((day - buyer.last).days, buyer.frequency, float(buyer.revenue), habit)
    point = [
        (log1p(max(x, 0)) - mean) / scale
        for x, mean, scale in zip(raw, model.means, model.scales, strict=True)
    ]
    away = sorted(
        (sum((a - b) ** 2 for a, b in zip(point, centroid, strict=True)), segment)
        for centroid, segment in zip(model.centroids, model.ids, strict=True)
    )
    # A customer exactly between two segments belongs to either.
    assume(len(away) == 1 or away[1][0] - away[0][0] > 1e-9)
    return away[0][1]


def days_of(lines: list[Line], as_of: date) -> list[date]:
    first = min(n["purchase_day"] for n in lines if n["kind"] == "sale")
    return [first + timedelta(days=n) for n in range((as_of - first).days + 1)]


def expected_history(
    lines: list[Line], models: Sequence[SegmentModel], as_of: date
) -> list[tuple[object, ...]]:
    states: dict[str, list[tuple[date, int, str, str]]] = {}
    for day in days_of(lines, as_of):
        now, before = deciding(models, day), deciding(models, day - timedelta(days=1))
        for customer, buyer in buyers(lines, day).items():
            segment, lifecycle = nearest(now, buyer, day), buyer.lifecycle(day)
            run = states.setdefault(customer, [])
            if not run:
                run.append((day, segment, lifecycle, "first_seen"))
            elif run[-1][1] != segment:
                stays = now is not before and nearest(before, buyer, day) == run[-1][1]
                why = "model_retrained" if stays else "segment_changed"
                run.append((day, segment, lifecycle, why))
            elif run[-1][2] != lifecycle:
                run.append((day, segment, lifecycle, "lifecycle_changed"))
    return [
        (customer, segment, NAMES[segment], lifecycle, day, end, end is None, why)
        for customer, run in sorted(states.items())
        for (day, segment, lifecycle, why), end in zip(
            run, [state[0] for state in run[1:]] + [None], strict=True
        )
    ]


def expected_metrics(
    lines: list[Line], models: Sequence[SegmentModel], as_of: date
) -> dict[int, dict[date, Row]]:
    """Per segment and day the figures, without a day on which the segment is not there."""
    found: dict[int, dict[date, Row]] = {}
    for day in days_of(lines, as_of):
        everybody, now = buyers(lines, day), deciding(models, day)
        placed = {customer: nearest(now, buyer, day) for customer, buyer in everybody.items()}
        total = sum((b.revenue for b in everybody.values()), Decimal())
        for segment in NAMES:
            members = [b for customer, b in everybody.items() if placed[customer] == segment]
            if members or (segment in found and segment in now.ids):
                found.setdefault(segment, {})[day] = figures(members, day, total)
    return found


def figures(members: list[Buyer], day: date, total: Decimal) -> Row:
    revenue = sum((b.revenue for b in members), Decimal())
    net = revenue - sum((b.refunds for b in members), Decimal())
    lapsed = sum(1 for b in members if b.lifecycle(day) == "lapsed")
    return {
        "customers": len(members),
        "avg_clv": cents(net, len(members)),
        "churn_rate": share(lapsed, len(members)),
        "aov": cents(revenue, sum(b.orders for b in members)),
        "segment_contribution": share(revenue, total),
    }


def cents(amount: Decimal, count: int) -> Decimal | None:
    if not count:
        return None
    exact = Fraction(amount) / count
    return (Decimal(exact.numerator) / exact.denominator).quantize(Decimal("0.01"), ROUND_HALF_UP)


def share(part: Decimal | int, whole: Decimal | int) -> float | None:
    if not whole:
        return None
    millionths = Fraction(part) / Fraction(whole) * 1_000_000
    # Half a millionth goes up or down: which of the two is not said.
    assume(millionths % 1 != Fraction(1, 2))
    return round(float(millionths)) / 1_000_000


@st.composite
def trained(draw: st.DrawFn) -> list[SegmentModel]:
    """Up to three models that take over from each other, the segments partly others."""
    spot = st.floats(-3, 3).map(lambda x: round(x, 3))
    found: list[SegmentModel] = []
    day = 0
    for version in range(1, draw(st.integers(1, 3)) + 1):
        ids = draw(st.lists(st.sampled_from(list(NAMES)), min_size=1, max_size=4, unique=True))
        found.append(
            model(
                {i: draw(st.tuples(spot, spot, spot, spot)) for i in sorted(ids)},
                version=version,
                effective_from=on(day),
                means=draw(
                    st.tuples(st.floats(1, 5), st.floats(0, 2), st.floats(2, 5), st.floats(0, 0.7))
                ),
                scales=draw(st.tuples(*[st.floats(0.2, 2)] * 3, st.floats(0.05, 1))),
            )
        )
        day += draw(st.integers(0, 120))
    return found


@settings(max_examples=25, deadline=None)
@given(shops(size=8), trained())
def test_the_history_is_what_rescoring_everybody_every_day_gives(
    shop: tuple[list[Line], date], models: list[SegmentModel]
) -> None:
    lines, as_of = shop
    rows = customer_history(purchases(lines), rows_of(models), as_of)
    found = CUSTOMER_HISTORY.conform(rows).sort("customer_id", "valid_from").rows()
    assert found == expected_history(lines, models, as_of)
    assert_touching(rows, "customer_id")


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(shops(size=8), trained())
def test_the_figures_of_each_day_are_what_adding_up_its_customers_gives(
    shop: tuple[list[Line], date], models: list[SegmentModel]
) -> None:
    lines, as_of = shop
    wanted = expected_metrics(lines, models, as_of)
    rows = metrics(lines, models, as_of)
    found: dict[int, dict[date, Row]] = {}
    for row in rows:
        end = row["valid_to"] or as_of + timedelta(days=1)
        own = {name: row[name] for name in SEGMENT_METRICS.dtypes if name in FIGURES}
        for n in range((end - row["valid_from"]).days):
            found.setdefault(row["segment_id"], {})[row["valid_from"] + timedelta(days=n)] = own
    assert found == wanted
    for one, other in pairwise(rows):
        if one["segment_id"] == other["segment_id"] and one["valid_to"] == other["valid_from"]:
            assert any(one[name] != other[name] for name in FIGURES)
    for row in rows:
        assert row["is_current"] == (row["valid_to"] is None)
        assert row["segment_name"] == NAMES[row["segment_id"]]


FIGURES = ("customers", "avg_clv", "churn_rate", "aov", "segment_contribution")


def assert_touching(rows: pl.DataFrame, owner: str) -> None:
    """Half-open intervals that touch; the last one open and current."""
    for _, own in rows.sort("valid_from").group_by(owner):
        starts, ends = own["valid_from"].to_list(), own["valid_to"].to_list()
        assert ends == [*starts[1:], None]
        assert starts == sorted(set(starts))
        assert own["is_current"].to_list() == [end is None for end in ends]


def shop_of(count: int, days: int = 200) -> list[Line]:
    """Customers of four kinds, the same every time."""
    return [
        line(day, f"C{i:03}", amount=Decimal(50 if i % 4 < 2 else 5) + i)
        for i in range(count)
        for day in range(i % 7, days if i % 2 else days // 3, 5 if i % 4 < 2 else 60)
    ]


def features(lines: list[Line], as_of: date) -> pl.DataFrame:
    return CUSTOMER_FEATURES.conform(customer_features(purchases(lines), customers(), as_of))


def test_a_refit_on_the_same_customers_keeps_ids_names_and_places() -> None:
    known = features(shop_of(40), on(200))
    models = with_new_model(SEGMENT_MODEL.empty(), known, on(200))
    refitted = SEGMENT_MODEL.conform(with_new_model(models, known, on(200)))
    old, new = from_rows(refitted)
    assert (new.version, new.ids, new.names) == (2, old.ids, old.names)
    assert np.allclose(new.centroids, old.centroids)
    assert sorted(old.ids) == [1, 2, 3, 4]
    assert len(set(old.names)) == 4


def test_a_refit_with_more_customers_of_the_same_kinds_keeps_the_segments() -> None:
    models = with_new_model(SEGMENT_MODEL.empty(), features(shop_of(40), on(200)), on(200))
    more = with_new_model(models, features(shop_of(52), on(201)), on(201))
    old, new = from_rows(more)
    assert sorted(zip(new.ids, new.names, strict=True)) == sorted(
        zip(old.ids, old.names, strict=True)
    )
    assert (old.effective_from, new.effective_from) == (START, on(201))
    assert (old.trained_on, new.trained_on) == (40, 52)


def test_an_id_and_its_name_follow_their_place_and_not_their_rank() -> None:
    known = features(shop_of(40), on(200))
    models = with_new_model(SEGMENT_MODEL.empty(), known, on(200))
    numbered_backwards = models.with_columns(segment_id=5 - pl.col("segment_id"))
    old, new = from_rows(with_new_model(numbered_backwards, known, on(200)))
    places = {
        model.version: {
            (i, name): centroid.round(6).tolist()
            for i, name, centroid in zip(model.ids, model.names, model.centroids, strict=True)
        }
        for model in (old, new)
    }
    assert places[1] == places[2]


def test_training_does_not_depend_on_the_order_of_the_customers() -> None:
    known = features(shop_of(40), on(200))
    one = with_new_model(SEGMENT_MODEL.empty(), known, on(200))
    other = with_new_model(SEGMENT_MODEL.empty(), known.reverse(), on(200))
    assert one.equals(other)


def test_earlier_models_are_not_touched_by_a_new_one() -> None:
    known = features(shop_of(40), on(200))
    models = with_new_model(SEGMENT_MODEL.empty(), known, on(200))
    assert with_new_model(models, known, on(200)).head(models.height).equals(models)


def test_a_kind_of_customer_that_was_not_there_before_is_a_segment_with_a_new_id() -> None:
    known = features(shop_of(40), on(200))
    models = with_new_model(SEGMENT_MODEL.empty(), known, on(200))
    rich = known.with_columns(
        customer_id=pl.lit("R") + pl.col("customer_id"),
        revenue=(pl.col("revenue") * 1000).cast(pl.Decimal(18, 2)),
        frequency=pl.col("frequency") * 1000,
    )
    new = from_rows(with_new_model(models, pl.concat([known, rich]), on(201)))[-1]
    assert set(new.ids) - {1, 2, 3, 4}
    assert len(set(new.ids)) == len(set(new.names)) == len(new.ids)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_there_are_no_more_segments_than_kinds_of_customers(count: int) -> None:
    lines = [line(i, f"C{i}", amount=Decimal(10**i)) for i in range(count)]
    known = features([*lines, line(0, "twin", amount="1")], on(5))
    models = SEGMENT_MODEL.conform(with_new_model(SEGMENT_MODEL.empty(), known, on(5)))
    placed = customer_segments(known.lazy(), models.lazy(), on(5))
    assert models.height == count
    assert CUSTOMER_SEGMENTS.conform(placed)["margin"].null_count() == (
        placed.height if count == 1 else 0
    )


def test_a_model_is_kept_as_rows_and_comes_back_as_it_was() -> None:
    known = features(shop_of(40), on(200))
    [back] = from_rows(SEGMENT_MODEL.conform(with_new_model(SEGMENT_MODEL.empty(), known, on(200))))
    again = from_rows(back.rows())[0]
    assert np.array_equal(again.centroids, back.centroids)
    assert (again.ids, again.names, again.version) == (back.ids, back.names, back.version)


def test_each_customer_is_in_the_nearest_segment_and_the_history_says_the_same() -> None:
    lines, as_of = shop_of(40), on(200)
    known = features(lines, as_of)
    models = with_new_model(SEGMENT_MODEL.empty(), known, as_of).lazy()
    placed = CUSTOMER_SEGMENTS.conform(customer_segments(known.lazy(), models, as_of))
    current = customer_history(purchases(lines), models, as_of).filter("is_current")
    one = dict(placed.select("customer_id", "segment_id").iter_rows())
    assert one == dict(current.select("customer_id", "segment_id").iter_rows())
    assert one.keys() == set(known["customer_id"])
    assert (placed["margin"] >= 0).all()
    assert (placed["distance"] >= 0).all()


def test_without_customers_or_without_a_model_no_customer_is_placed() -> None:
    known = features([line(0)], on(0))
    no_model = customer_segments(known.lazy(), SEGMENT_MODEL.empty().lazy(), on(0))
    assert CUSTOMER_SEGMENTS.conform(no_model).is_empty()
    no_customers = customer_segments(CUSTOMER_FEATURES.empty().lazy(), rows_of([BY_RECENCY]), on(0))
    assert CUSTOMER_SEGMENTS.conform(no_customers).is_empty()
