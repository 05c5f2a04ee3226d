"""When customers have moved since the training, and when a model is trained again."""

from datetime import date, timedelta
from decimal import Decimal
from math import log
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge_cart_assets.models.drift import (
    FLOOR,
    SEGMENT_SHARES,
    drift_between,
    population_stability,
    retraining_due,
    training_states,
)
from bridge_cart_assets.models.segments import FEATURES
from bridge_cart_assets.tables.gold import MODEL_DRIFT, SEGMENT_MODEL
from bridge_cart_assets.tables.silver import CUSTOMERS
from bridge_cart_assets.thresholds import Thresholds
from bridge_cart_assets.transforms.features import customer_features
from bridge_cart_tests.transforms.shops import START, Line, line, purchases

Row = dict[str, Any]


def on(day: int) -> date:
    return START + timedelta(days=day)


# Segment 1 is for those who bought lately, segment 2 for the others: 19 days are nearer to 1.
def model(trained: int, version: int = 1) -> pl.DataFrame:
    rows = [
        {
            "model_version": version,
            "segment_id": segment,
            "segment_name": name,
            "trained_as_of": on(trained),
            "effective_from": on(trained),
            "trained_on": 1,
            "features": list(FEATURES),
            "means": [3.0] + [1.0] * (len(FEATURES) - 1),
            "scales": [1.0] + [1e6] * (len(FEATURES) - 1),
            "centroid": [centre] + [0.0] * (len(FEATURES) - 1),
            "description": "",
            "action": "",
            "trained_because": "first",
        }
        for segment, name, centre in ((1, "Recent", -1.0), (2, "Dormant", 1.0))
    ]
    return SEGMENT_MODEL.conform(pl.DataFrame(rows, schema=SEGMENT_MODEL.dtypes))


def drift(lines: list[Line], models: pl.DataFrame, as_of: int) -> dict[str, Row]:
    sold, nobody = purchases(lines), CUSTOMERS.empty().lazy()
    training = training_states(sold, models.lazy()).lazy()
    now = customer_features(sold, nobody, on(as_of)).lazy()
    rows = MODEL_DRIFT.conform(drift_between(training, now, models.lazy(), on(as_of)))
    return {row["subject"]: row for row in rows.iter_rows(named=True)}


def test_the_index_is_the_symmetric_divergence_of_the_shares() -> None:
    # 0.1 ln(0.6 / 0.5) - 0.1 ln(0.4 / 0.5), by hand.
    wanted = 0.1 * log(1.2) - 0.1 * log(0.8)
    assert population_stability([50, 50], [60, 40]) == pytest.approx(wanted)
    assert population_stability([60, 40], [50, 50]) == pytest.approx(wanted)


def test_an_empty_bin_counts_as_one_in_ten_thousand() -> None:
    lost_a_tenth = population_stability([90, 10], [100, 0])
    wanted = 0.1 * log(1 / 0.9) + (FLOOR - 0.1) * log(FLOOR / 0.1)
    assert lost_a_tenth == pytest.approx(wanted)
    assert population_stability([1, 0], [5, 0]) == 0


@pytest.mark.parametrize(
    ("then", "now", "says"),
    [
        ([1, 2], [1], "2 bins then and 1 now"),
        ([1, 2], [0, 0], "without customers"),
        ([], [], "without customers"),
    ],
)
def test_what_cannot_be_compared_is_refused(then: list[int], now: list[int], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        population_stability(then, now)


counts = st.lists(st.integers(0, 500), min_size=2, max_size=8).filter(any)


@given(counts, st.randoms(use_true_random=False))
def test_the_index_is_symmetric_never_negative_and_zero_for_equal_shares(
    then: list[int], chance: Any
) -> None:
    now = then[:]
    chance.shuffle(now)
    assert population_stability(then, now) == pytest.approx(population_stability(now, then))
    assert population_stability(then, now) >= 0
    assert population_stability(then, [3 * n for n in then]) == pytest.approx(0)


def shop(customers: int = 20, day: int = 0) -> list[Line]:
    """Customers who buy once, on days one after the other, for 1, 2, 3 and so on."""
    return [
        line(day + n, f"C{day + n:03}", amount=Decimal(n + 1), order=f"O{day + n}")
        for n in range(customers)
    ]


def test_on_the_day_of_the_training_nothing_has_drifted() -> None:
    rows = drift(shop(), model(trained=19), 19)
    assert list(rows) == [*FEATURES, SEGMENT_SHARES]
    for row in rows.values():
        assert (row["psi"], row["has_drifted"]) == (0, False)
        assert row["shares_then"] == row["shares_now"]
        assert sum(row["shares_then"]) == pytest.approx(1)
        assert len(row["bins"]) == len(row["shares_then"])
        assert (row["as_of"], row["trained_as_of"], row["model_version"]) == (on(19), on(19), 1)


def test_tenths_of_the_training_are_equal_and_those_of_now_are_by_the_same_bounds() -> None:
    row = drift(shop(), model(trained=19), 29)["recency_days"]
    # At the training recency is 0..19, two customers a tenth; ten days later it is 10..29.
    assert row["bins"][:2] + row["bins"][-1:] == ["up to 1", "over 1 to 3", "over 17"]
    assert row["shares_then"] == pytest.approx([0.1] * 10)
    assert row["shares_now"] == pytest.approx([0] * 5 + [0.1] * 4 + [0.6])
    assert row["has_drifted"]


def test_many_equal_values_are_one_bin_and_others_are_seen_to_come() -> None:
    again = [line(25, f"C{n:03}", order="again") for n in range(5)]
    row = drift([*shop(), *again], model(trained=19), 25)["frequency"]
    assert row["bins"] == ["up to 0", "over 0"]
    assert row["shares_then"] == [1, 0]
    assert row["shares_now"] == [0.75, 0.25]
    assert row["has_drifted"]


def test_segments_shares_are_by_the_model_in_effect_on_both_days() -> None:
    models = pl.concat([model(trained=5), model(trained=19, version=2)])
    row = drift(shop(), models, 29)[SEGMENT_SHARES]
    assert (row["model_version"], row["bins"]) == (2, ["Recent", "Dormant"])
    assert row["shares_then"] == [1, 0]
    # Recency is 10..29 on day 29: ten of them are 19 days or less.
    assert row["shares_now"] == [0.5, 0.5]
    assert row["has_drifted"]


def test_the_state_at_the_training_is_that_of_its_day_and_not_of_now() -> None:
    later = [line(20, f"C{n:03}", order="again", amount="500.00") for n in range(20)]
    then = drift([*shop(), *later], model(trained=19), 19)
    rows = drift([*shop(), *later], model(trained=19), 20)
    assert rows["recency_days"]["shares_then"] == then["recency_days"]["shares_now"]
    assert rows["frequency"]["shares_then"] == [1, 0]
    assert rows["frequency"]["shares_now"] == [0, 1]


def test_few_customers_may_move_further_by_chance() -> None:
    few, many = (drift(shop(n), model(trained=n - 1), n)["recency_days"] for n in (20, 400))
    # Ten bins; 20 customers then and now, or 400.
    assert few["bound"] == pytest.approx(0.25 + 9 * 2 / 20)
    assert many["bound"] == pytest.approx(0.25 + 9 * 2 / 400)


def test_without_a_model_or_a_customer_there_is_nothing_to_compare() -> None:
    assert drift(shop(), SEGMENT_MODEL.empty(), 19) == {}
    assert drift([], model(trained=19), 19) == {}
    assert drift(shop(day=30), model(trained=19), 60) == {}


BOUNDS = Thresholds(model_age=timedelta(30), model_rest=timedelta(7), drift=0.25)


def drifted(psi: float | None, version: int = 1) -> pl.DataFrame:
    moved = None if psi is None else psi > 0.25
    row = {"subject": "frequency", "model_version": version, "psi": psi, "has_drifted": moved}
    return pl.DataFrame([row], schema={name: MODEL_DRIFT.dtypes[name] for name in row})


def due(age: int, psi: float | None = 0.0, version: int = 1) -> str | None:
    return retraining_due(model(trained=0), drifted(psi, version), on(age), BOUNDS)


def test_without_a_model_the_first_is_due() -> None:
    assert retraining_due(SEGMENT_MODEL.empty(), MODEL_DRIFT.empty(), on(0), BOUNDS) == "first"


@pytest.mark.parametrize(("age", "why"), [(0, None), (29, None), (30, "age"), (31, "age")])
def test_a_model_is_trained_again_when_it_is_old(age: int, why: str | None) -> None:
    assert due(age) == why


@pytest.mark.parametrize(
    ("age", "psi", "why"),
    [
        (7, 0.251, "drift"),
        (7, 0.25, None),
        (6, 9.0, None),
        (29, 0.251, "drift"),
        (30, 9.0, "age"),
        (29, None, None),
    ],
)
def test_a_model_is_trained_again_when_customers_moved_but_not_too_soon(
    age: int, psi: float | None, why: str | None
) -> None:
    assert due(age, psi) == why


def test_drift_from_an_earlier_model_says_nothing_about_this_one() -> None:
    models = pl.concat([model(trained=0), model(trained=10, version=2)])
    assert retraining_due(models, drifted(9.0, version=1), on(20), BOUNDS) is None
    assert retraining_due(models, drifted(9.0, version=2), on(20), BOUNDS) == "drift"
    assert retraining_due(models, drifted(0.0, version=2), on(39), BOUNDS) is None
    assert retraining_due(models, drifted(0.0, version=2), on(40), BOUNDS) == "age"


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), min_size=1, max_size=25),
    st.integers(0, 30),
)
def test_shares_are_of_everybody_and_the_index_is_theirs(
    bought: list[tuple[int, int]], later: int
) -> None:
    lines = [
        line(day, f"C{who}", order=f"O{n}", amount=Decimal(who * day + 1))
        for n, (day, who) in enumerate(bought)
    ]
    for subject, row in drift(lines, model(trained=30), 30 + later).items():
        has_empty_bin = min(row["shares_then"]) == 0
        assert not has_empty_bin or row["shares_then"] == [1, 0] or subject == SEGMENT_SHARES
        assert sum(row["shares_then"]) == pytest.approx(1)
        assert sum(row["shares_now"]) == pytest.approx(1)
        index = population_stability(row["shares_then"], row["shares_now"])
        assert row["psi"] == pytest.approx(index, abs=1e-9)
        assert row["has_drifted"] == (row["psi"] > row["bound"])
