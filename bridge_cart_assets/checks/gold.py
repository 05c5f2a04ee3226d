"""The checks of gold: sums that must agree with silver, ranges, usual figures, trustworthy models.

Belongs here: which checks these tables have, and what each looks at. Does not belong here: how a
result is computed (`integrity`, `anomalies`, `model_quality`), or its bounds (`thresholds`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import polars as pl

from bridge_cart_assets.checks import anomalies, intake_warnings, integrity, model_quality
from bridge_cart_assets.checks.check import Check, CheckContext, CheckResult
from bridge_cart_assets.models.metrics import MOST_MOVED, MOVED, SEGMENTS
from bridge_cart_assets.models.value_judgement import DECISIVE
from bridge_cart_assets.pipeline.pending import latest_day
from bridge_cart_assets.pipeline.persons import with_keys
from bridge_cart_assets.tables.gold import (
    CATEGORY_BASKETS,
    CATEGORY_PAIRS,
    COHORT_RETENTION,
    CUSTOMER_FEATURES,
    CUSTOMER_RFM,
    CUSTOMER_VALUE,
    FIRST_CATEGORY,
    KPIS_DAILY,
    MODEL_DRIFT,
    MODEL_METRICS,
    RFM_MIGRATION,
    RFM_MODEL,
    SALES_DAILY,
    SEGMENT_METRICS,
    SEGMENT_MIGRATION,
)
from bridge_cart_assets.tables.silver import PURCHASES
from bridge_cart_assets.tables.table import Table
from bridge_cart_assets.thresholds import THRESHOLDS
from bridge_cart_assets.transforms.features import (
    anonymous_lines,
    of_customers,
    refunds,
    sales,
    up_to,
)
from bridge_cart_assets.transforms.rfm_groups import TRIPLES
from bridge_cart_assets.transforms.sales import UNKNOWN

_SHARES = (
    *("repeat_purchase_rate", "churn_rate_90d", "retention_rate_90d", "coupon_rate_90d"),
    *("discount_rate_90d", "top_decile_share", "gini"),
)
_KINDS = (sales, refunds)
_REVENUE_AGREES = (
    "Its revenue is the net amount of the sales to customers in silver up to as_of, to the cent."
)


@dataclass(frozen=True)
class LineSums:
    """Sums of net_amount over the lines of silver up to as_of; refunds are negative.

    Attributes:
        sales, refunds: of lines with a customer.
        anonymous_sales, anonymous_refunds: of the others.
    """

    sales: Decimal
    refunds: Decimal
    anonymous_sales: Decimal
    anonymous_refunds: Decimal


def _line_sums(context: CheckContext, as_of: date) -> LineSums:
    """The sums of all lines, added up once for all checks of a run."""

    def add_up() -> LineSums:
        # The few sums by kind are told apart as lines are, which are read once.
        somebody = (
            pl.when(pl.col("customer_id").is_not_null()).then(pl.lit("")).alias("customer_id")
        )
        sums = (
            up_to(context.rows(PURCHASES), as_of)
            .group_by("kind", somebody)
            .agg(pl.sum("net_amount"))
            .collect(engine="streaming")
            .lazy()
        )
        kinds = [kind(lines(sums)) for lines in (of_customers, anonymous_lines) for kind in _KINDS]
        return LineSums(*(_sum_of(kind.collect()["net_amount"].sum()) for kind in kinds))

    if PURCHASES.path in context.frames:
        return add_up()
    return context.once(("sums", context.lake.snapshot(PURCHASES).version, as_of), add_up)


def _revenue_from(
    place: Table, column: str = "revenue", *, is_anonymous: bool = False
) -> Callable[[CheckContext], CheckResult]:
    def look(context: CheckContext) -> CheckResult:
        as_of = latest_day(context.lake)
        if as_of is None:
            return CheckResult(True, "no batch day yet")
        lines = _line_sums(context, as_of)
        sold = lines.anonymous_sales if is_anonymous else lines.sales
        here = context.rows(place).select(pl.sum(column)).collect().item()
        return integrity.sums_agree({"silver/purchases": sold, place.path: _sum_of(here)})

    return look


def _net_revenue(context: CheckContext) -> CheckResult:
    """Net revenue of the days, of the customers and of silver, with what stands in two only."""
    as_of = latest_day(context.lake)
    if as_of is None:
        return CheckResult(True, "no batch day yet")
    sums = (pl.sum("net_revenue"), pl.sum("refunds_without_sale"), pl.min("day"))
    net, without_sale, first = context.rows(KPIS_DAILY).select(sums).collect().row(0)
    sums_of_silver = _line_sums(context, as_of)
    customers = context.rows(CUSTOMER_FEATURES)
    of_features = customers.select(pl.sum("net_revenue")).collect(engine="streaming").item()
    # The days begin with the first sale.
    lines = of_customers(up_to(context.rows(PURCHASES), as_of))
    early = refunds(lines)
    if first:
        early = early.filter(pl.col("purchase_day") < pl.lit(first))
    early_refunds = early.select("customer_id", "net_amount").collect(engine="streaming")
    with_sale = early_refunds.filter(pl.lit(value=False))
    if early_refunds.height:
        names = early_refunds.select("customer_id").unique()
        known = with_keys(customers.select("customer_id"), names).collect(engine="streaming")
        with_sale = early_refunds.join(known, on="customer_id", how="semi")
    return integrity.net_revenue_agrees(
        silver=sums_of_silver.sales + sums_of_silver.refunds,
        days=_sum_of(net),
        customers=_sum_of(of_features),
        without_sale=_sum_of(without_sale),
        early=-_sum_of(early_refunds["net_amount"].sum()),
        early_with_sale=-_sum_of(with_sale["net_amount"].sum()),
    )


def _anonymous_refunds(context: CheckContext) -> CheckResult:
    as_of = latest_day(context.lake)
    if as_of is None:
        return CheckResult(True, "no batch day yet")
    given_back, first = (
        context.rows(KPIS_DAILY).select(pl.sum("anonymous_refunds"), pl.min("day")).collect().row(0)
    )
    of_silver = _line_sums(context, as_of).anonymous_refunds
    lines = refunds(anonymous_lines(up_to(context.rows(PURCHASES), as_of)))
    early_lines = lines.filter(pl.col("purchase_day") < pl.lit(first)) if first else lines
    early = -_sum_of(early_lines.select(pl.sum("net_amount")).collect(engine="streaming").item())
    return integrity.sums_agree(
        {
            "silver/purchases": -of_silver,
            f"{KPIS_DAILY.path} + {early} before the first sale": _sum_of(given_back) + early,
        }
    )


def _sum_of(value: object) -> Decimal:
    return Decimal(str(value or 0))


def _historic_clv(context: CheckContext) -> CheckResult:
    places = ((CUSTOMER_FEATURES, "net_revenue"), (CUSTOMER_VALUE, "historic_clv"))
    sums = {
        table.path: Decimal(context.rows(table).select(pl.sum(name)).collect().item() or 0)
        for table, name in places
    }
    return integrity.sums_agree(sums)


def _rfm_groups(context: CheckContext) -> CheckResult:
    names = ("recency_days", "orders", "net_revenue")
    return integrity.one_group_each(
        context.rows(CUSTOMER_RFM).drop("as_of", "model_version"),
        context.rows(CUSTOMER_FEATURES).select("customer_id", *names),
        TRIPLES,
    )


def _customers_add_up(migration: Table) -> Callable[[CheckContext], CheckResult]:
    return lambda context: integrity.customers_add_up(
        context.rows(migration).collect(),
        context.rows(CUSTOMER_FEATURES).select("first_purchase_day").collect(),
    )


def _totals(context: CheckContext, table: Table, customers: pl.Expr) -> dict[str, Decimal]:
    """What gold/first_category and gold/customer_features have in common, summed up."""
    names = ("orders", "revenue", "net_revenue")
    sums = context.rows(table).select(customers=customers, **{n: pl.sum(n) for n in names})
    values = sums.collect(engine="streaming").row(0, named=True)
    return {name: _sum_of(value) for name, value in values.items()}


def _orders_of_pairs(context: CheckContext) -> CheckResult:
    pairs = context.rows(CATEGORY_PAIRS).select(pl.max("orders_all")).collect().item()
    firsts = context.rows(CATEGORY_BASKETS).select("category_a", "firsts").collect()
    known = int(firsts.filter(pl.col("category_a") != UNKNOWN)["firsts"].sum())
    orders = context.rows(CUSTOMER_FEATURES).select(pl.sum("orders")).collect().item()
    return integrity.totals_agree(
        {"orders": _sum_of(firsts["firsts"].sum()), "with a category": _sum_of(pairs or known)},
        {"orders": _sum_of(orders), "with a category": _sum_of(known)},
    )


def _in_range(
    table: Table, *columns: str, high: float | None = 1.0
) -> Callable[[CheckContext], CheckResult]:
    return lambda context: integrity.within(
        context.rows(table).select(columns).collect(), columns, 0.0, high
    )


def _kpi(column: str, low: float | None, high: float) -> Callable[[CheckContext], CheckResult]:
    return lambda context: anomalies.against_trailing(
        context.rows(KPIS_DAILY).collect(), column, low, high, THRESHOLDS
    )


def _weekday(column: str, counts: str) -> Callable[[CheckContext], CheckResult]:
    def look(context: CheckContext) -> CheckResult:
        # A batch day that is still going on is half a day, and would be low every time.
        over = context.today - timedelta(days=1)
        kpis = context.rows(KPIS_DAILY).collect()
        return anomalies.against_weekday(kpis, column, counts, over, THRESHOLDS)

    return look


def _usual_for_the_weekday(column: str, counts: str) -> Check:
    return Check(
        f"{column}_usual_for_the_weekday",
        f"{column} of the latest day that is over is like that of the same weekday of the "
        f"{THRESHOLDS.weekdays} weeks before: within {THRESHOLDS.anomaly} robust standard "
        "deviations of their median. A sale, a holiday or a file that is missing may be why.",
        _weekday(column, counts),
        blocking=False,
    )


def _metrics(context: CheckContext) -> pl.DataFrame:
    rows = context.rows(MODEL_METRICS).collect()
    return model_quality.latest_metrics(rows, one_version=[SEGMENTS])


# By the path of the table.
GOLD_CHECKS: Mapping[str, tuple[Check, ...]] = {
    CUSTOMER_FEATURES.path: (
        Check("revenue_agrees", _REVENUE_AGREES, _revenue_from(CUSTOMER_FEATURES)),
        Check(
            "rates_in_range",
            "coupon_rate and discount_rate lie in [0, 1].",
            _in_range(CUSTOMER_FEATURES, "coupon_rate", "discount_rate"),
        ),
        Check(
            "refund_rate_not_negative",
            "refund_rate is not below 0; above 1 more was given back than was ever paid.",
            _in_range(CUSTOMER_FEATURES, "refund_rate", high=None),
        ),
        Check(
            "no_customer_of_many",
            f"No customer has more than {THRESHOLDS.customer_share:.0%} of the orders, once there "
            f"are {THRESHOLDS.customer_orders}: one that does stands for many people, or for none.",
            lambda context: intake_warnings.no_customer_of_many(
                context.rows(CUSTOMER_FEATURES)
                .select("customer_id", "orders", "net_revenue")
                .collect()
            ),
            blocking=False,
        ),
    ),
    CUSTOMER_VALUE.path: (
        Check(
            "probabilities_in_range",
            "p_alive and churn_probability_90d lie in [0, 1] where there are any.",
            _in_range(CUSTOMER_VALUE, "p_alive", "churn_probability_90d"),
        ),
        Check(
            "predictions_not_negative",
            "Expected orders, what one is worth and predicted_clv_365d are not below 0: no "
            "customer is expected to take money out of the shop.",
            _in_range(
                CUSTOMER_VALUE,
                *("expected_orders_90d", "expected_orders_365d"),
                *("expected_order_value", "predicted_clv_365d"),
                high=None,
            ),
        ),
        Check(
            "clv_adds_up",
            "clv = historic_clv + predicted_clv_365d, to the cent, for every customer with a "
            "prediction.",
            lambda context: integrity.clv_adds_up(
                context.rows(CUSTOMER_VALUE)
                .select("historic_clv", "predicted_clv_365d", "clv")
                .collect()
            ),
        ),
        Check(
            "historic_clv_agrees",
            "Its historic_clv is the net_revenue of gold/customer_features, to the cent.",
            _historic_clv,
        ),
        Check(
            "value_is_predicted",
            "A fitted model predicts the value of every customer. Otherwise model_status says why: "
            "a simpler model stands in, or there is too little history for any.",
            lambda context: model_quality.predicted(
                context.rows(CUSTOMER_VALUE).select("model_status").collect()
            ),
            blocking=False,
        ),
    ),
    COHORT_RETENTION.path: (
        Check(
            "rates_in_range",
            "retention lies in [0, 1]: only customers of the cohort are active.",
            _in_range(COHORT_RETENTION, "retention"),
        ),
    ),
    FIRST_CATEGORY.path: (
        Check(
            "customers_agree",
            "Its customers, orders, revenue and net revenue are those of gold/customer_features: "
            "each customer has one first category.",
            lambda context: integrity.totals_agree(
                _totals(context, FIRST_CATEGORY, pl.sum("customers")),
                _totals(context, CUSTOMER_FEATURES, pl.len()),
            ),
        ),
        Check(
            "rates_in_range",
            "repeat_rate and repeat_rate_90d lie in [0, 1].",
            _in_range(FIRST_CATEGORY, "repeat_rate", "repeat_rate_90d"),
        ),
    ),
    CATEGORY_PAIRS.path: (
        Check(
            "orders_agree",
            "The orders that its pairs are counted in, and those without a known category, are "
            "the orders of gold/customer_features.",
            _orders_of_pairs,
        ),
        Check(
            "rates_in_range",
            "support and both confidences lie in [0, 1].",
            _in_range(CATEGORY_PAIRS, "support", "confidence_ab", "confidence_ba"),
        ),
    ),
    SALES_DAILY.path: (Check("revenue_agrees", _REVENUE_AGREES, _revenue_from(SALES_DAILY)),),
    KPIS_DAILY.path: (
        Check("revenue_agrees", _REVENUE_AGREES, _revenue_from(KPIS_DAILY)),
        Check(
            "anonymous_revenue_agrees",
            "Its anonymous_revenue is the net amount of the sales in silver that have no customer, "
            "up to as_of, to the cent.",
            _revenue_from(KPIS_DAILY, "anonymous_revenue", is_anonymous=True),
        ),
        Check(
            "anonymous_refunds_agree",
            "Its anonymous_refunds, and what was given back before the first sale, are the refunds "
            "in silver that have no customer, up to as_of, to the cent.",
            _anonymous_refunds,
        ),
        Check(
            "net_revenue_agrees",
            "Net revenue of customers is the same by day, by customer and by line, to the cent. "
            "Refunds of people without a sale are in no customer: refunds_without_sale has them.",
            _net_revenue,
        ),
        Check(
            "revenue_parts_add_up",
            "revenue_new + revenue_returning = revenue on every day: an order is a customer's "
            "first or it is not.",
            lambda context: integrity.parts_add_up(context.rows(KPIS_DAILY).collect()),
        ),
        Check(
            "rates_in_range",
            f"Shares lie in [0, 1]: {', '.join(_SHARES)}.",
            _in_range(KPIS_DAILY, *_SHARES),
        ),
        Check(
            "ratios_not_negative",
            "refund_rate_90d and nrr_90d are not below 0; both may be above 1.",
            _in_range(KPIS_DAILY, "refund_rate_90d", "nrr_90d", high=None),
        ),
        Check(
            "churn_rate_90d_as_usual",
            f"churn_rate_90d is at most {THRESHOLDS.churn_rate_rise:.0%} above the mean of the "
            f"{THRESHOLDS.trailing_days} days before. Cohorts and segments show who stays "
            "away, and since when.",
            _kpi("churn_rate_90d", None, THRESHOLDS.churn_rate_rise),
            blocking=False,
        ),
        Check(
            "aov_90d_as_usual",
            f"aov_90d is within {THRESHOLDS.aov_change:.0%} of the mean of the "
            f"{THRESHOLDS.trailing_days} days before. It moves when prices do, and when other "
            "customers or other goods make up the orders.",
            _kpi("aov_90d", THRESHOLDS.aov_change, THRESHOLDS.aov_change),
            blocking=False,
        ),
        _usual_for_the_weekday("revenue", counts="orders"),
        _usual_for_the_weekday("orders", counts="orders"),
        _usual_for_the_weekday("new_customers", counts="new_customers"),
        Check(
            "as_of_is_fresh",
            f"as_of is at most {THRESHOLDS.as_of_age.days} days behind the clock: else land "
            "files, or look why none arrive.",
            lambda context: anomalies.fresh(
                latest_day(context.lake), context.today, THRESHOLDS.as_of_age
            ),
            blocking=False,
        ),
    ),
    SEGMENT_METRICS.path: (
        Check(
            "contributions_add_up",
            "The segments' shares of all revenue add up to 1, on every day of their history.",
            lambda context: integrity.shares_add_up(
                context.rows(SEGMENT_METRICS).collect(), THRESHOLDS
            ),
        ),
        Check(
            "rates_in_range",
            "churn_rate and segment_contribution lie in [0, 1].",
            _in_range(SEGMENT_METRICS, "churn_rate", "segment_contribution"),
        ),
    ),
    SEGMENT_MIGRATION.path: (
        Check(
            "customers_add_up",
            "The customers of the latest month's end are those with a sale by then: everybody "
            "moved or stayed, each once.",
            _customers_add_up(SEGMENT_MIGRATION),
        ),
    ),
    CUSTOMER_RFM.path: (
        Check(
            "one_group_each",
            "Its customers are those of gold/customer_features, with the same figures, and each "
            "is in the one group that the three scores belong to.",
            _rfm_groups,
        ),
    ),
    RFM_MODEL.path: (
        Check(
            "scores_without_gap",
            "The five scores of each measure follow each other without a gap or an overlap, in "
            "every version: each value has exactly one score.",
            lambda context: integrity.scores_without_gap(context.rows(RFM_MODEL).collect()),
        ),
    ),
    RFM_MIGRATION.path: (
        Check(
            "customers_add_up",
            "The customers of the latest month's end are those with a sale by then: everybody "
            "moved or stayed, each once.",
            _customers_add_up(RFM_MIGRATION),
        ),
    ),
    MODEL_DRIFT.path: (
        Check(
            "no_drift",
            f"No distribution has a population stability index above {THRESHOLDS.drift} against "
            "the training of the segment model. The model is trained again by itself once it is "
            f"{THRESHOLDS.model_rest.days} days old; bridge-cart retrain does it now.",
            lambda context: model_quality.not_drifted(context.rows(MODEL_DRIFT).collect()),
            blocking=False,
        ),
    ),
    MODEL_METRICS.path: (
        Check(
            "gates_passed",
            "Each metric of the models in effect is as good as asked. One that is not says how "
            "far to trust the model: segments may change names, forecasts may be off.",
            lambda context: model_quality.gates_passed(model_quality.in_use(_metrics(context))),
            blocking=False,
        ),
        Check(
            "retraining_moves_few",
            f"The latest training of the segment model moved at most {MOST_MOVED:.0%} of the "
            "customers into another segment, by the same figures: the model and not the customers "
            "has changed. Above it compare segments only from that training on.",
            lambda context: model_quality.few_moved(_metrics(context), MOVED, MOST_MOVED),
            blocking=False,
        ),
        Check(
            "value_model_beats_naive",
            "Forecasts of the last 90 days, made without them, are no worse than the guess that "
            "each customer goes on as before, by the Brier score, which decides what is used.",
            lambda context: model_quality.beats_naive(
                _metrics(context), models=["bg_nbd", "nbd"], of=[DECISIVE]
            ),
            blocking=False,
        ),
    ),
}
