"""Scores of recency, orders and money from 1 to 5, and the group of customers that follows.

Belongs here: the cut points, kept as rows, and scoring by them. Does not belong here: which scores
belong to which group (`transforms.rfm_groups`), or the groups at months' ends (`rfm_migration`).

A score is the fifth of the customers that a value lies in, as pandas.qcut counts: a fifth begins
above one cut point and ends with the next, and equal values are in one fifth. Where many customers
have one value, it belongs to the lowest of the fifths that it fills, and the others are empty: of
a shop in which most have ordered once, those have an f_score of 1, and no customer has a 2. A
recency of few days is good, so there the lowest fifth has the score 5.

The cut points stay as they are until the segment model is trained again. They have its versions:
one decision, when to train, for both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from bridge_cart_assets.tables.gold import CUSTOMER_RFM, RFM_MODEL
from bridge_cart_assets.transforms.rfm_groups import SCORES, rfm_group

# The measures, and the score that each gives.
MEASURES: Mapping[str, str] = {
    "recency_days": "r_score",
    "orders": "f_score",
    "net_revenue": "m_score",
}
_FIFTHS = len(SCORES)


@dataclass(frozen=True)
class CutPoints:
    """One version of the cut points.

    Attributes:
        version: the version of the segment model that they belong to.
        effective_from: first day that they are applied to; the first ones apply to every day.
        cuts: per measure, the four values that end a fifth of the customers.

    >>> model = CutPoints(1, date(2024, 1, 1), {"orders": (1.0, 1.0, 1.0, 2.0)})
    >>> orders = pl.DataFrame({"orders": [1, 2, 3]})
    >>> orders.select(model.score("orders")).to_series().to_list()
    [1, 4, 5]
    """

    version: int
    effective_from: date
    cuts: Mapping[str, tuple[float, ...]]

    def score(self, measure: str) -> pl.Expr:
        """The score of each row, in a column of its name."""
        passed = pl.sum_horizontal(
            (pl.col(measure).cast(pl.Float64) > cut).cast(pl.Int64) for cut in self.cuts[measure]
        )
        return score_of_fifth(measure, 1 + passed).alias(MEASURES[measure])


def score_of_fifth(measure: str, fifth: pl.Expr) -> pl.Expr:
    """The score of the lowest fifth (1) to the highest (5) of a measure's values.

    >>> fifths = pl.DataFrame({"fifth": [1, 5]})
    >>> [
    ...     fifths.select(score_of_fifth(name, pl.col("fifth"))).to_series().to_list()
    ...     for name in ("recency_days", "orders")
    ... ]
    [[5, 1], [1, 5]]
    """
    return 1 + _FIFTHS - fifth if measure == "recency_days" else fifth


def cut_points(values: pl.Series) -> tuple[float, ...]:
    """The values that end the first four fifths of some customers.

    Of n values in order the k-th fifth ends with the ceil(k n / 5)-th, which is one of them.

    >>> cut_points(pl.Series([30, 10, 20, 50, 40]))
    (10.0, 20.0, 30.0, 40.0)
    >>> cut_points(pl.Series([1, 1, 1, 1, 1, 1, 2, 2, 3, 9]))
    (1.0, 1.0, 1.0, 2.0)
    >>> cut_points(pl.Series([7]))
    (7.0, 7.0, 7.0, 7.0)
    """
    ordered, count = values.cast(pl.Float64).sort(), values.len()
    return tuple(ordered[-(-fifth * count // _FIFTHS) - 1] for fifth in range(1, _FIFTHS))


def rfm_models(
    earlier: pl.LazyFrame, features: pl.LazyFrame, segment_models: pl.LazyFrame, as_of: date
) -> pl.DataFrame:
    """The rows of gold/rfm_model, with one version more if there is another segment model.

    Args:
        earlier: rows of gold/rfm_model as they are; those whose segment model is gone go too.
        features: rows of gold/customer_features.
        segment_models: rows of gold/segment_model.
        as_of: latest batch day in silver; later versions apply from this day on.

    >>> from bridge_cart_assets.tables.gold import CUSTOMER_FEATURES, SEGMENT_MODEL
    >>> day = date(2024, 1, 31)
    >>> customers = [
    ...     {"recency_days": n, "orders": 1, "net_revenue": 10 * n, "first_purchase_day": day}
    ...     for n in range(5)
    ... ]
    >>> features = pl.LazyFrame(customers, schema=CUSTOMER_FEATURES.dtypes)
    >>> segments = [{"model_version": 1, "trained_as_of": day, "trained_because": "first"}]
    >>> segments = pl.LazyFrame(segments, schema=SEGMENT_MODEL.dtypes)
    >>> models = rfm_models(RFM_MODEL.empty().lazy(), features, segments, day)
    >>> scores = models.sort("score").filter(measure="net_revenue")
    >>> scores.select("score", "above", "up_to", "customers").rows()[1:4]
    [(2, 0.0, 10.0, 1), (3, 10.0, 20.0, 1), (4, 20.0, 30.0, 1)]
    >>> models.sort("score").filter(measure="orders")["customers"].to_list()
    [5, 0, 0, 0, 0]
    """
    trained = (
        segment_models.filter(pl.col("trained_as_of") <= as_of)
        .group_by("model_version")
        .agg(_segments_as_of=pl.first("trained_as_of"), _because=pl.first("trained_because"))
        .collect()
    )
    # A version number can come again, of a model that was trained later.
    is_of_model = pl.col("trained_as_of").is_between("_segments_as_of", pl.lit(as_of))
    kept = (
        earlier.collect()
        .join(trained, on="model_version")
        .filter(is_of_model)
        .select(list(RFM_MODEL.dtypes))
    )
    latest = trained.sort("model_version").tail(1)
    customers = features.select("first_purchase_day", *MEASURES).collect()
    if not customers.height or not latest.height or latest.item(0, 0) in kept["model_version"]:
        return kept
    is_first = not kept.height
    new = _rows(customers).with_columns(
        model_version=pl.lit(latest["model_version"][0], pl.Int64),
        trained_as_of=pl.lit(as_of),
        effective_from=pl.lit(customers["first_purchase_day"].min() if is_first else as_of),
        trained_on=pl.lit(customers.height, pl.Int64),
        trained_because=pl.lit("first" if is_first else latest["_because"][0]),
    )
    return pl.concat([kept, RFM_MODEL.conform(new)])


def _rows(customers: pl.DataFrame) -> pl.DataFrame:
    """A row per measure and score: where it begins and ends, and how many customers it has."""
    cuts = {measure: cut_points(customers[measure]) for measure in MEASURES}
    model = CutPoints(0, date.min, cuts)
    rows = []
    for measure in MEASURES:
        counts = dict(customers.select(model.score(measure)).to_series().value_counts().rows())
        bounds = (None, *cuts[measure], None)
        fifths = pl.DataFrame({"fifth": SCORES, "above": bounds[:-1], "up_to": bounds[1:]})
        rows.append(
            fifths.select(
                measure=pl.lit(measure),
                score=score_of_fifth(measure, pl.col("fifth")),
                above=pl.col("above").cast(pl.Float64),
                up_to=pl.col("up_to").cast(pl.Float64),
            ).with_columns(
                customers=pl.col("score").replace_strict(counts, default=0, return_dtype=pl.Int64)
            )
        )
    return pl.concat(rows)


def from_rows(rows: pl.DataFrame) -> list[CutPoints]:
    """The cut points in rows of gold/rfm_model, by version.

    >>> version = {"model_version": 1, "effective_from": date(2024, 1, 1), "measure": "orders"}
    >>> rows = pl.DataFrame({**version, "up_to": [2.0, 1.0, 3.0, 4.0, None]})
    >>> [(model.version, model.cuts) for model in from_rows(rows)]
    [(1, {'orders': (1.0, 2.0, 3.0, 4.0)})]
    """
    ordered = rows.drop_nulls("up_to").sort("model_version", "measure", "up_to")
    return [
        CutPoints(
            version=version,
            effective_from=part["effective_from"][0],
            cuts={
                measure: tuple(of_measure["up_to"])
                for (measure,), of_measure in part.group_by("measure", maintain_order=True)
            },
        )
        for (version,), part in ordered.group_by("model_version", maintain_order=True)
    ]


def customer_rfm(features: pl.LazyFrame, models: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """The scores and the group of each customer at `as_of`, by the latest cut points.

    Args:
        features: rows of gold/customer_features.
        models: rows of gold/rfm_model.
        as_of: latest batch day in silver.

    Returns:
        The columns of gold/customer_rfm; no row without cut points.

    >>> from bridge_cart_assets.tables.gold import CUSTOMER_FEATURES
    >>> cuts = [{"measure": name, "score": n, "up_to": n} for name in MEASURES for n in range(1, 5)]
    >>> models = pl.LazyFrame(cuts, schema=RFM_MODEL.dtypes).with_columns(model_version=1)
    >>> customer = {"customer_id": "C1", "recency_days": 0, "orders": 9, "net_revenue": -5}
    >>> features = pl.LazyFrame([customer], schema=CUSTOMER_FEATURES.dtypes)
    >>> groups = customer_rfm(features, models, date(2024, 1, 31))
    >>> groups.select("r_score", "f_score", "m_score", "rfm_group").rows()
    [(5, 5, 1, 'ACTIVE')]
    """
    versions = from_rows(models.collect())
    if not versions:
        return CUSTOMER_RFM.empty()
    model = versions[-1]
    return (
        features.select("customer_id", *MEASURES)
        .with_columns(model.score(measure) for measure in MEASURES)
        .with_columns(
            as_of=pl.lit(as_of),
            rfm_group=rfm_group(*(pl.col(score) for score in MEASURES.values())),
            model_version=pl.lit(model.version, pl.Int64),
        )
        .select(list(CUSTOMER_RFM.dtypes))
        .collect()
    )
