"""Every customer is in exactly one RFM group, and every value has exactly one score."""

from decimal import Decimal

import polars as pl
import pytest

from bridge_cart_assets.checks.integrity import one_group_each, scores_without_gap
from bridge_cart_assets.tables.gold import CUSTOMER_FEATURES, CUSTOMER_RFM, RFM_MODEL
from bridge_cart_assets.transforms.rfm_groups import TRIPLES

FIGURES = ("recency_days", "orders", "net_revenue")


def groups() -> pl.DataFrame:
    rows = [
        {
            "customer_id": f"C{n}",
            **dict(zip(FIGURES, (n, 1, Decimal(n)), strict=True)),
            **dict(zip(("r_score", "f_score", "m_score"), triple, strict=True)),
            "rfm_group": group,
        }
        for n, (triple, group) in enumerate(TRIPLES.items())
    ]
    return pl.DataFrame(rows, schema=CUSTOMER_RFM.dtypes).drop("as_of", "model_version")


FEATURES = (
    groups()
    .select("customer_id", *FIGURES)
    .cast({name: CUSTOMER_FEATURES.dtypes[name] for name in FIGURES})
)


def off(rows: pl.DataFrame, features: pl.DataFrame = FEATURES) -> tuple[bool, str]:
    found = one_group_each(rows.lazy(), features.lazy(), TRIPLES)
    return found.passed, found.message


def test_each_customer_in_the_group_of_the_scores_passes() -> None:
    assert off(groups()) == (True, "125 customers, each in the one group of the scores")
    assert off(groups().clear(), FEATURES.clear())[0]


def test_what_is_wrong_is_counted_and_named() -> None:
    is_first = pl.col("customer_id") == "C0"
    other_group = pl.when(is_first).then(pl.lit("LOYAL")).otherwise("rfm_group")
    no_score = pl.when(is_first).then(6).otherwise("m_score").cast(pl.Int64)
    assert off(groups().with_columns(rfm_group=other_group)) == (
        False,
        "rows with another group than that of their scores: 1",
    )
    assert not off(groups().with_columns(m_score=no_score))[0]
    assert off(groups().filter(~is_first)) == (False, "customers without a row: 1")
    assert off(groups(), FEATURES.filter(~is_first)) == (
        False,
        "customers without the figures of gold/customer_features: 1",
    )
    other_figure = groups().with_columns(orders=pl.when(is_first).then(2).otherwise("orders"))
    assert "customers without the figures of gold/customer_features: 1" in off(other_figure)[1]
    twice = pl.concat([groups(), groups().filter(is_first)])
    assert off(twice) == (False, "rows beside the only one of a customer: 1")


def model(*bounds: tuple[float | None, float | None]) -> pl.DataFrame:
    rows = [
        {"model_version": 1, "measure": "orders", "score": n, "above": above, "up_to": up_to}
        for n, (above, up_to) in enumerate(bounds, 1)
    ]
    return pl.DataFrame(rows, schema=RFM_MODEL.dtypes)


WHOLE = ((None, 1.0), (1.0, 1.0), (1.0, 1.0), (1.0, 4.0), (4.0, None))


def test_scores_that_follow_each_other_pass_empty_ones_too() -> None:
    assert scores_without_gap(model(*WHOLE)).passed
    assert scores_without_gap(model(*WHOLE[::-1])).passed, "of recency they go down"
    both = pl.concat([model(*WHOLE), model(*WHOLE).with_columns(measure=pl.lit("net_revenue"))])
    assert scores_without_gap(both).passed
    assert scores_without_gap(RFM_MODEL.empty()).passed


@pytest.mark.parametrize(
    "bounds",
    [
        ((None, 1.0), (2.0, 3.0), (3.0, 3.0), (3.0, 4.0), (4.0, None)),  # a gap
        ((None, 1.0), (0.5, 2.0), (2.0, 3.0), (3.0, 4.0), (4.0, None)),  # an overlap
        ((0.0, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 4.0), (4.0, None)),  # nothing at the bottom
        ((None, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 4.0), (4.0, 9.0)),  # nothing at the top
        WHOLE[:4],
        (*WHOLE, (4.0, None)),
    ],
)
def test_a_gap_an_overlap_or_a_score_too_few_or_many_fails(
    bounds: tuple[tuple[float | None, float | None], ...],
) -> None:
    assert not scores_without_gap(model(*bounds)).passed
