"""The gold layer: customers, segments and KPIs. Formulas are in docs/gold.md and the transforms."""

from bridge_cart_assets.tables.columns import (
    Schema,
    day,
    flag,
    integer,
    money,
    number,
    numbers,
    quantity,
    text,
    texts,
)
from bridge_cart_assets.tables.table import Table


class CustomerFeatures(Schema):
    """One row per customer with a sale."""

    customer_id = text("The customer", key=True)
    as_of = day("Latest batch day of the orders; everything is seen from the end of this day")
    first_purchase_day = day("Day of the first sale")
    last_purchase_day = day("Day of the latest sale")
    orders = integer("Orders with a sale")
    lines = integer("Lines sold")
    recency_days = integer("Days from the latest sale to as_of")
    tenure_days = integer("Days from the first sale to as_of")
    frequency = integer("Distinct purchase days - 1: repeat purchases as BG/NBD counts them")
    t_x = integer("Days from the first to the latest sale")
    revenue = money("Net amount of sales, before refunds")
    refunds = money("What was given back, as a positive amount")
    net_revenue = money("revenue - refunds")
    aov = number("Average order value: revenue / orders")
    median_gap_days = number("Median days between consecutive purchase days", nullable=True)
    coupon_rate = number("Orders with a coupon / orders")
    discount_rate = number("Discounts / purchase amounts of sales")
    refund_rate = number("refunds / revenue; null without revenue", nullable=True)
    top_category = text("Category with the highest net amount, then by name")
    top_payment_method = text("Payment method with the most orders, then by name")
    active_months = integer("Calendar months with a sale")
    country = text("Country of the current profile", nullable=True)
    gender = text("Gender of the current profile; unknown without a profile")
    age = number("Age; a missing one is the median of the others", nullable=True)
    age_imputed = flag("Whether age was filled in")
    income = money("Yearly income; a missing one is the median of the others", nullable=True)
    income_imputed = flag("Whether income was filled in")


class CustomerValue(Schema):
    """One row per customer with a sale."""

    customer_id = text("The customer", key=True)
    as_of = day("Latest batch day of the orders")
    historic_clv = money("Value so far: net revenue")
    p_alive = number("Probability that the customer is still one (BG/NBD)", nullable=True)
    expected_orders_90d = number("Orders expected in the next 90 days", nullable=True)
    expected_orders_365d = number("Orders expected in the next 365 days", nullable=True)
    expected_order_value = money("Expected value of an order (Gamma-Gamma)", nullable=True)
    predicted_clv_365d = money("Discounted value of the next 365 days", nullable=True)
    clv = money("historic_clv + predicted_clv_365d", nullable=True)
    predicted_spend_90d = money(
        "expected_orders_90d * expected_order_value: expected net spend of the next 90 days, "
        "not discounted",
        nullable=True,
    )
    predicted_spend_90d_low = money(
        "Low end of its 80 % interval: four of five comparable customers spend between both ends; "
        "null without a past window to learn it from",
        nullable=True,
    )
    predicted_spend_90d_high = money(
        "High end of its 80 % interval; 0 where four of five comparable customers spend nothing",
        nullable=True,
    )
    churn_probability_90d = number("1 - P(at least one order in 90 days)", nullable=True)
    churn_band = text("low < 1/3 <= medium <= 2/3 < high", nullable=True)
    is_churned = flag("No sale in the 90 days up to as_of")
    model_version = integer("Version of the value model", nullable=True)
    model_status = text("fitted, 'fallback: why' or 'not_fitted: why'")
    calibration = text("What the shop's past corrects in the forecasts, and why", nullable=True)


class CustomerSegments(Schema):
    """One row per customer with a sale."""

    customer_id = text("The customer", key=True)
    as_of = day("Latest batch day of the orders")
    segment_id = integer("Segment; the id stays through retrainings")
    segment_name = text("Name of the segment")
    distance = number("Distance to the segment's centroid, in standard deviations")
    margin = number("Distance to the next centroid minus distance; null with one", nullable=True)
    model_version = integer("Version of the segment model")


class CustomerHistory(Schema):
    """One row per customer and version of the customer's state (SCD2)."""

    customer_id = text("The customer", key=True)
    segment_id = integer("Segment at the end of each of these days")
    segment_name = text("Name of the segment")
    lifecycle = text("new (first sale in the last 30 days), lapsed (none in 90) or active")
    valid_from = day("First day of the state", key=True)
    valid_to = day("Day of the next state; null for the current one", nullable=True)
    is_current = flag("Whether this is the current state")
    change_reason = text("first_seen, segment_changed, lifecycle_changed or model_retrained")


class SegmentMetrics(Schema):
    """One row per segment and version of its figures (SCD2)."""

    segment_id = integer("The segment", key=True)
    segment_name = text("Name of the segment")
    customers = integer("Customers in the segment")
    avg_clv = money("Historic value: net revenue per customer", nullable=True)
    churn_rate = number("Share without a sale in the 90 days up to the day", nullable=True)
    aov = money("Revenue / orders up to the day", nullable=True)
    segment_contribution = number("Share of all revenue up to the day", nullable=True)
    valid_from = day("First day of these figures", key=True)
    valid_to = day("Day of the next figures; null for the current ones", nullable=True)
    is_current = flag("Whether these are the current figures")


class SegmentMigration(Schema):
    """One row per month's end and pair of segments between which customers moved."""

    period_end = day(
        "Last day of the month; compared with the last day of the month before", key=True
    )
    from_segment_id = integer(
        "Segment a month before; 0 for customers without a sale then", key=True
    )
    to_segment_id = integer("Segment at period_end", key=True)
    customers = integer("Customers who moved, or stayed")
    lost = integer("Of them, lapsed at period_end and not a month before")
    won_back = integer("Of them, lapsed a month before and not at period_end")


class CustomerRfm(Schema):
    """One row per customer with a sale."""

    customer_id = text("The customer", key=True)
    as_of = day("Latest batch day of the orders")
    recency_days = integer("Days from the latest sale to as_of")
    orders = integer("Orders with a sale")
    net_revenue = money("Revenue minus refunds; below 0 when more was given back than paid")
    r_score = integer("1 to 5 by recency_days; 5 for the fifth who bought last")
    f_score = integer("1 to 5 by orders; 5 for the fifth with most")
    m_score = integer("1 to 5 by net_revenue; 5 for the fifth with most")
    rfm_group = text(
        "CHAMPIONS, LOYAL, ACTIVE, NEW, PROMISING, NEEDS_ATTENTION, AT_RISK, ALMOST_LOST, "
        "PREVIOUSLY_LOYAL or DORMANT: the one that the three scores belong to"
    )
    model_version = integer("Version of the cut points in gold/rfm_model")


class RfmMigration(Schema):
    """One row per month's end and pair of RFM groups between which customers moved."""

    period_end = day(
        "Last day of the month; compared with the last day of the month before", key=True
    )
    from_group = text("Group a month before; NO_SALE for customers without a sale then", key=True)
    to_group = text("Group at period_end", key=True)
    customers = integer("Customers who moved, or stayed")


class RfmModel(Schema):
    """One row per version, measure and score: the cut points that customers are scored by."""

    model_version = integer("Version: that of the segment model trained with it", key=True)
    measure = text("recency_days, orders or net_revenue", key=True)
    score = integer("Score from 1 to 5, 5 best", key=True)
    above = number("Values with this score are above it; null where no bound is", nullable=True)
    up_to = number("and at most this; null where no bound is", nullable=True)
    customers = integer("Customers of the training with this score")
    trained_as_of = day("as_of of the training")
    effective_from = day("First day that it is applied to; the first version to every day")
    trained_on = integer("Customers that it was trained on")
    trained_because = text("first, or why the segment model was trained: asked, age or drift")


class KpisDaily(Schema):
    """One row per calendar day from the first sale to as_of.

    All columns but the four anonymous ones speak of customers.
    """

    day = day("The day", key=True)
    orders = integer("Orders with a sale on the day")
    lines = integer("Lines sold on the day")
    active_customers = integer("Customers with a sale on the day")
    new_customers = integer("Customers whose first sale is on the day")
    revenue = money("Net amount of the day's sales")
    discounts = money("Discounts on the day's sales")
    refunds = money("Given back on the day, as a positive amount")
    net_revenue = money("revenue - refunds")
    aov = number("revenue / orders; null without orders", nullable=True)
    revenue_new = money("Revenue of customers' first orders")
    revenue_returning = money("The rest of the revenue")
    customers_total = integer("Customers with a sale up to the day")
    repeat_customers = integer("Of those, with at least two orders up to the day")
    repeat_purchase_rate = number("repeat_customers / customers_total", nullable=True)
    churn_base_90d = integer("Customers active in (day-180, day-90]")
    churned_90d = integer("Of those, without a sale in (day-90, day]")
    churn_rate_90d = number("churned_90d / churn_base_90d", nullable=True)
    retained_90d = integer("churn_base_90d - churned_90d, counted")
    retention_rate_90d = number("retained_90d / churn_base_90d", nullable=True)
    base_revenue_90d = money("Revenue in (day-180, day-90]: the denominator of nrr_90d")
    retained_revenue_90d = money("Revenue in (day-90, day] of customers active in the 90 before")
    nrr_90d = number("Net revenue retention: retained / base revenue", nullable=True)
    revenue_90d = money("Revenue in (day-90, day]")
    orders_90d = integer("Orders in (day-90, day]")
    active_90d = integer("Customers with a sale in (day-90, day]")
    aov_90d = number("revenue_90d / orders_90d", nullable=True)
    purchase_frequency_90d = number("orders_90d / active_90d", nullable=True)
    arpc_90d = number(
        "Revenue per active customer: aov_90d x purchase_frequency_90d", nullable=True
    )
    coupon_orders_90d = integer("Orders in (day-90, day] with a coupon")
    coupon_rate_90d = number("coupon_orders_90d / orders_90d", nullable=True)
    discounts_90d = money("Discounts in (day-90, day]")
    purchase_amount_90d = money("Amount before discount in (day-90, day]")
    discount_rate_90d = number("discounts_90d / purchase_amount_90d", nullable=True)
    refunds_90d = money("Given back in (day-90, day]")
    refund_rate_90d = number("refunds_90d / revenue_90d", nullable=True)
    revenue_total = money("Revenue up to the day: the denominator of top_decile_share")
    top_decile_revenue = money("Revenue up to the day of the best tenth of the customers")
    top_decile_share = number("top_decile_revenue / revenue_total", nullable=True)
    gini = number("Gini coefficient of revenue per customer up to the day", nullable=True)
    anonymous_orders = integer("Orders without a customer with a sale on the day")
    anonymous_revenue = money("Net amount of the day's sales without a customer")
    anonymous_refunds = money("Refunds of anonymous orders on the day, a positive amount")
    revenue_all = money("revenue + anonymous_revenue")
    refunds_without_sale = money("Of refunds, those to people who have no sale at all up to as_of")


class KpiMoves(Schema):
    """One row per day on which a part of a KPI changes; amounts in cents.

    Figures over windows of days are what enters the window on the day minus what leaves it.
    """

    day = day("The day", key=True)
    orders = integer("Orders with a sale on the day")
    lines = integer("Lines sold on the day")
    active_customers = integer("Customers with a sale on the day")
    new_customers = integer("Customers whose first sale is on the day")
    revenue = integer("Net amount of the day's sales")
    discounts = integer("Discounts on the day's sales")
    refunds = integer("Given back on the day, as a positive amount")
    revenue_new = integer("Revenue of customers' first orders")
    revenue_returning = integer("The rest of the revenue")
    customers_total = integer("Customers whose first sale is on the day")
    repeat_customers = integer("Customers whose second order is on the day")
    churn_base_90d = integer("Customers who become active in (day-180, day-90], or cease to be")
    churned_90d = integer("Of those, without a sale in (day-90, day]")
    retained_90d = integer("Of those, with a sale in (day-90, day]")
    base_revenue_90d = integer("Revenue in (day-180, day-90]")
    retained_revenue_90d = integer("Revenue in (day-90, day] of customers active in the 90 before")
    revenue_90d = integer("Revenue in (day-90, day]")
    orders_90d = integer("Orders in (day-90, day]")
    active_90d = integer("Customers with a sale in (day-90, day]")
    coupon_orders_90d = integer("Orders in (day-90, day] with a coupon")
    discounts_90d = integer("Discounts in (day-90, day]")
    purchase_amount_90d = integer("Amount before discount in (day-90, day]")
    refunds_90d = integer("Given back in (day-90, day]")
    anonymous_orders = integer("Orders without a customer with a sale on the day")
    anonymous_revenue = integer("Net amount of the day's sales without a customer")
    anonymous_refunds = integer("Refunds of anonymous orders on the day")
    refunds_without_sale = integer("Of refunds, those to people who have no sale at all")


class ConcentrationDaily(Schema):
    """One row per calendar day from the first sale to as_of; amounts in cents."""

    day = day("The day", key=True)
    revenue_total = integer("Revenue up to the day")
    top_decile_revenue = integer("Revenue up to the day of the best tenth of the customers")
    gini = number("Gini coefficient of revenue per customer up to the day", nullable=True)


class CohortRetention(Schema):
    """One row per month of the first sale and months since."""

    cohort_month = text("Month of the first sale, YYYY-MM", key=True)
    month_index = integer("Months since: 0 is the cohort's own month", key=True)
    cohort_size = integer("Customers of the cohort")
    active_customers = integer("Of those, with a sale in that month")
    retention = number("active_customers / cohort_size")
    revenue = money("Their revenue in that month")
    is_complete = flag("Whether the month had ended by as_of")


class SalesDaily(Schema):
    """One row per day, country, category, payment method and coupon use."""

    day = day("Day of the sales and refunds", key=True)
    country = text("Country of the customer's current profile; unknown without", key=True)
    product_category = text("Category of the goods", key=True)
    payment_method = text("How they were paid", key=True)
    coupon_used = flag("Whether a coupon was used", key=True)
    lines = integer("Lines sold")
    quantity = quantity("Pieces sold")
    purchase_amount = money("Amount of the sales before discount")
    discounts = money("Discounts on the sales")
    revenue = money("Net amount of the sales")
    refunds = money("Given back on the day, as a positive amount")


class FirstCategory(Schema):
    """One row per category that customers' first orders were of."""

    first_category = text("Category of the first order, by net amount, then name", key=True)
    customers = integer("Customers whose first order was of it")
    repeat_customers = integer("Of those, with at least two orders up to as_of")
    repeat_rate = number("repeat_customers / customers")
    customers_90d = integer("Customers whose first order is at least 90 days old")
    repeat_customers_90d = integer("Of those, with a second order within 90 days of the first")
    repeat_rate_90d = number("repeat_customers_90d / customers_90d; null without", nullable=True)
    orders = integer("Orders of these customers so far, of any category")
    orders_per_customer = number("orders / customers")
    revenue = money("Their revenue so far")
    revenue_per_customer = number("revenue / customers")
    net_revenue = money("Their revenue minus their refunds")
    net_revenue_per_customer = number("net_revenue / customers")


class FirstCategoryDays(Schema):
    """One row per category and day of customers' first orders; amounts in cents."""

    first_category = text("Category of the first order", key=True)
    first_day = day("Day of the first order", key=True)
    customers = integer("Customers with such a first order")
    repeat_customers = integer("Of those, with at least two orders")
    repeat_customers_90d = integer("Of those, with a second order within 90 days of the first")
    orders = integer("Their orders so far")
    revenue = integer("Their revenue so far")
    refunds = integer("Given back to them, as a positive amount")


class CategoryPairs(Schema):
    """One row per pair of categories that are bought together, the first by name as a."""

    category_a = text("The first of the two by name", key=True)
    category_b = text("The other one", key=True)
    orders = integer("Orders with both")
    orders_a = integer("Orders with category_a")
    orders_b = integer("Orders with category_b")
    orders_all = integer("Orders with any known category")
    support = number("orders / orders_all")
    confidence_ab = number("Of the orders with category_a, the share with category_b too")
    confidence_ba = number("Of the orders with category_b, the share with category_a too")
    lift = number("How many times as often as if one had nothing to do with the other")


class CategoryBaskets(Schema):
    """One row per category, named twice, and per pair of categories in one order."""

    category_a = text("The first of the two by name", key=True)
    category_b = text("The other one, or the same", key=True)
    orders = integer("Orders with both")
    firsts = integer("Of those of one category, orders of which it is the first by name")


class SegmentModel(Schema):
    """One row per model version and segment: all that is needed to score a customer."""

    model_version = integer("Version, counted from 1", key=True)
    segment_id = integer("Segment, from 1", key=True)
    segment_name = text("Name of the segment")
    trained_as_of = day("as_of of the training")
    effective_from = day("First day that the model is applied to; the first model to every day")
    trained_on = integer("Customers that the model was trained on")
    features = texts("Names of the features, in order")
    means = numbers("Mean of log1p of each feature")
    scales = numbers("Standard deviation of log1p of each feature")
    centroid = numbers("Centre of the segment in scaled space")
    description = text("Who the customers of the segment are, in words and typical figures")
    action = text("What to do with them")
    stability = number(
        "Mean adjusted Rand index over resamples: 1 when every one gives the same segments",
        nullable=True,
    )
    silhouette = number("Mean silhouette of the training customers", nullable=True)
    trained_because = text("first, asked, age or drift")
    segment_stability = number(
        "Mean Jaccard index of the segment over resamples: 1 when it always comes out the same",
        nullable=True,
    )
    moved_share = number(
        "Share of the customers whom this version alone put into another segment", nullable=True
    )


class TrainingStates(Schema):
    """One row per customer with a sale up to the training of the latest segment model."""

    customer_id = text("The customer", key=True)
    model_version = integer("Version of the segment model")
    recency_days = integer("Days from the latest sale to the training")
    frequency = integer("Distinct purchase days up to it, minus 1")
    revenue = money("Net amount of sales up to it")
    orders = integer("Orders up to it")
    coupon_rate = number("Those with a coupon / orders")


class SegmentEvents(Schema):
    """One row per segment and day on which something in it changes; amounts in cents.

    What customers who come have bought so far counts as coming, and of those who go as going.
    """

    segment_id = integer("The segment", key=True)
    day = day("The day", key=True)
    customers = integer("Customers who come minus those who go")
    lapsed = integer("Of those, without a sale in the 90 days up to the day")
    orders = integer("Orders")
    revenue = integer("Net amount of sales")
    net = integer("revenue minus refunds")


class ModelDrift(Schema):
    """One row per distribution that the segment model in effect was trained on."""

    subject = text("A feature of the model, or segment_shares", key=True)
    as_of = day("Latest batch day of the orders")
    model_version = integer("Version of the segment model in effect")
    trained_as_of = day("as_of of its training")
    psi = number("Population stability index of now against the training", nullable=True)
    bound = number("Above it the distribution has moved, and the model is trained again")
    has_drifted = flag("psi > bound")
    bins = texts("Ranges of the feature (tenths of the training), or names of the segments")
    shares_then = numbers("Share of the customers in each of them at the training")
    shares_now = numbers("Share of the customers in each of them at as_of")


class ValueModel(Schema):
    """One row per version of the value model, part and parameter."""

    model_version = integer("Version: its as_of as a number, YYYYMMDD", key=True)
    part = text(
        "bg_nbd, nbd or own_rate (days with an order), orders_per_day, gamma_gamma (order value); "
        "signal_mean, signal_scale, calibrated_chance, calibrated_orders (correction); "
        "order_value_limit; spend_band_*, spend_total_*, past_expected_*, past_spent_* (intervals)",
        key=True,
    )
    parameter = text("Name of the parameter", key=True)
    value = number("Its estimate; days are the unit of time")
    standard_error = number("Its standard error; null where a bound was reached", nullable=True)
    trained_as_of = day("as_of of the training")
    trained_on = integer("Customers that the part was fitted to")
    log_likelihood = number("Log-likelihood of the part at its estimates", nullable=True)
    status = text("fitted, or 'fallback: why', as in gold/customer_value")
    calibration = text("What is corrected and why, as in gold/customer_value", nullable=True)


class SpendForecast(Schema):
    """One row per forecast of the shop: the current ones, and those of past windows."""

    forecast_from = day("Last day that the forecast knows; as_of in the current one", key=True)
    horizon_days = integer("Days that are forecast: 90 or 365", key=True)
    until = day("The last of them")
    expected = money(
        "Expected net spend, not discounted, of the customers who had bought by forecast_from"
    )
    low = money("Low end of its 80 % interval; null where interval says why", nullable=True)
    high = money("High end of its 80 % interval", nullable=True)
    spent = money("What these customers spent, net; null in the current forecast", nullable=True)
    is_within = flag("Whether spent lies within low and high; null without both", nullable=True)
    past_windows = integer("Windows that were over by then, and make the interval")
    interval = text("What makes the interval, or 'none: why'")
    model_version = integer("Version of the value model")


class ModelMetrics(Schema):
    """One row per model version and metric."""

    model = text(
        "The model: segments, bg_nbd, nbd, own_rate, calibrated, gamma_gamma, spend, value_data; "
        "with @ and a day: on the 90 days after this day",
        key=True,
    )
    model_version = integer("Its version", key=True)
    metric = text("Name of the metric", key=True)
    value = number("Its value", nullable=True)
    gate = text("What is asked of it, if anything", nullable=True)
    passed = flag("Whether the gate was passed; null without one", nullable=True)
    trained_as_of = day("as_of of the training")


CUSTOMER_FEATURES = Table(
    path="gold/customer_features",
    schema=CustomerFeatures,
    description="What each customer with a sale has done so far, with the current profile.",
)
CUSTOMER_VALUE = Table(
    path="gold/customer_value",
    schema=CustomerValue,
    description="What each customer has been worth and, once fitted, will be worth.",
)
CUSTOMER_SEGMENTS = Table(
    path="gold/customer_segments",
    schema=CustomerSegments,
    description="The segment of each customer at as_of.",
)
CUSTOMER_HISTORY = Table(
    path="gold/customer_history",
    schema=CustomerHistory,
    description="Segment and lifecycle of each customer at the end of every day (SCD2).",
    interval_of=("customer_id",),
)
SEGMENT_METRICS = Table(
    path="gold/segment_metrics",
    schema=SegmentMetrics,
    description="Size, value, churn and contribution of each segment on every day (SCD2).",
    interval_of=("segment_id",),
)
SEGMENT_MIGRATION = Table(
    path="gold/segment_migration",
    schema=SegmentMigration,
    description="How many customers moved between segments from one month's end to the next.",
)
CUSTOMER_RFM = Table(
    path="gold/customer_rfm",
    schema=CustomerRfm,
    description="Scores of recency, orders and money of each customer, and the group they make.",
)
RFM_MIGRATION = Table(
    path="gold/rfm_migration",
    schema=RfmMigration,
    description="How many customers moved between RFM groups from one month's end to the next.",
)
RFM_MODEL = Table(
    path="gold/rfm_model",
    schema=RfmModel,
    description="The cut points of the RFM scores as rows, every version.",
)
KPIS_DAILY = Table(
    path="gold/kpis_daily",
    schema=KpisDaily,
    description="The shop's KPIs for every calendar day, each rate beside its parts.",
)
KPI_MOVES = Table(
    path="gold/kpi_moves",
    schema=KpiMoves,
    description="What each day adds to the parts of the KPIs, summed over customers and orders.",
)
CONCENTRATION_DAILY = Table(
    path="gold/concentration_daily",
    schema=ConcentrationDaily,
    description="How unequal the customers' revenue is, up to every day.",
)
COHORT_RETENTION = Table(
    path="gold/cohort_retention",
    schema=CohortRetention,
    description="How many customers of each first-purchase month came back, month by month.",
)
SALES_DAILY = Table(
    path="gold/sales_daily",
    schema=SalesDaily,
    description="What was sold on each day, by country, category, payment method and coupon.",
)
FIRST_CATEGORY = Table(
    path="gold/first_category",
    schema=FirstCategory,
    description="What customers bought first, how many came again and what they are worth.",
)
FIRST_CATEGORY_DAYS = Table(
    path="gold/first_category_days",
    schema=FirstCategoryDays,
    description="Sums over customers by the category and the day of their first order.",
)
CATEGORY_PAIRS = Table(
    path="gold/category_pairs",
    schema=CategoryPairs,
    description="Categories that are bought together in one order, and how much more than by luck.",
)
CATEGORY_BASKETS = Table(
    path="gold/category_baskets",
    schema=CategoryBaskets,
    description="How many orders have each category, and each pair of categories.",
)
SEGMENT_MODEL = Table(
    path="gold/segment_model",
    schema=SegmentModel,
    description="The K-Means segment model as rows, every version.",
)
MODEL_DRIFT = Table(
    path="gold/model_drift",
    schema=ModelDrift,
    description="How far the customers have moved since the segment model was trained.",
)
TRAINING_STATES = Table(
    path="gold/training_states",
    schema=TrainingStates,
    description="The customers whom the latest segment model was trained on, by silver as it is.",
)
SEGMENT_EVENTS = Table(
    path="gold/segment_events",
    schema=SegmentEvents,
    description="What changes in each segment day by day, summed over customers.",
)
VALUE_MODEL = Table(
    path="gold/value_model",
    schema=ValueModel,
    description="The value model as parameters with standard errors, every version.",
)
SPEND_FORECAST = Table(
    path="gold/spend_forecast",
    schema=SpendForecast,
    description="What the customers will spend in all, with an interval, and earlier forecasts.",
)
MODEL_METRICS = Table(
    path="gold/model_metrics",
    schema=ModelMetrics,
    description="How good each version of each model is.",
)

TABLES = (
    CUSTOMER_FEATURES,
    CUSTOMER_VALUE,
    CUSTOMER_SEGMENTS,
    CUSTOMER_HISTORY,
    SEGMENT_METRICS,
    SEGMENT_MIGRATION,
    CUSTOMER_RFM,
    RFM_MIGRATION,
    KPIS_DAILY,
    COHORT_RETENTION,
    SALES_DAILY,
    FIRST_CATEGORY,
    CATEGORY_PAIRS,
    SEGMENT_MODEL,
    RFM_MODEL,
    MODEL_DRIFT,
    VALUE_MODEL,
    SPEND_FORECAST,
    MODEL_METRICS,
)

# What only updates of gold need: no assets of their own.
INTERNAL = (
    *(KPI_MOVES, CONCENTRATION_DAILY, TRAINING_STATES, SEGMENT_EVENTS),
    *(FIRST_CATEGORY_DAYS, CATEGORY_BASKETS),
)
