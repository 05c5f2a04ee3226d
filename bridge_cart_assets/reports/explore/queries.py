"""What the explore page asks the catalogue.

Belongs here: SQL with bound parameters, and the shape of each answer. Does not belong here:
wording, rounding or layout. Sales come from gold.sales_daily and follow the days; customers are
those of gold.customer_features, as they stand at as_of.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from bridge_cart_assets.reports.catalogue import Catalogue
from bridge_cart_assets.reports.explore.bands import AGE_BOUNDS, DISCOUNT_BOUNDS, INCOME_BANDS
from bridge_cart_assets.reports.filters import Filters

UNKNOWN = "unknown"
MOST_PARTS = 40

Dimension = Literal["product_category", "payment_method", "country", "coupon_used"]
Trait = Literal["age", "gender", "income", "discount", "coupon", "country", "all"]
_TRAITS: tuple[Trait, ...] = ("age", "gender", "income", "discount", "coupon", "country")


@dataclass(frozen=True)
class Known:
    """What the shop's data says at all, whatever the filters.

    Attributes:
        high_income: an income that one in twenty exceeds; None when no income is known.
    """

    categories: bool
    payments: bool
    countries: bool
    coupons: bool
    ages: bool
    genders: bool
    profile_countries: bool
    discounts: bool
    high_income: float | None


def known_trait(catalogue: Catalogue) -> Known:
    """Which attributes anybody, or any line, has."""
    sql = """
        WITH sold AS (
            SELECT bool_or(product_category <> $unknown) AS categories,
                   bool_or(payment_method <> $unknown) AS payments,
                   bool_or(country <> $unknown) AS countries,
                   bool_or(coupon_used) AS coupons
            FROM gold.sales_daily
        ), people AS (
            SELECT bool_or(age IS NOT NULL AND NOT age_imputed) AS ages,
                   bool_or(gender <> $unknown) AS genders,
                   bool_or(country <> $unknown) AS profile_countries,
                   bool_or(discount_rate > 0) AS discounts,
                   CAST(quantile_cont(income, 0.95) FILTER (NOT income_imputed) AS DOUBLE) AS high
            FROM gold.customer_features
        )
        SELECT coalesce(categories, false), coalesce(payments, false), coalesce(countries, false),
               coalesce(coupons, false), coalesce(ages, false), coalesce(genders, false),
               coalesce(profile_countries, false), coalesce(discounts, false), high
        FROM sold, people
    """
    return next(iter(catalogue.ask(Known, sql, {"unknown": UNKNOWN})))


@dataclass(frozen=True)
class Scope:
    """Which sales count: days from first to last, and what the filters ask for."""

    first: date
    last: date
    country: str | None = None
    category: str | None = None

    @property
    def parameters(self) -> Mapping[str, object]:
        """As the queries bind them."""
        return vars(self)


@dataclass(frozen=True)
class SalesPart:
    """A part of the sales.

    Attributes:
        name: the category, country or method, 'true' or 'false' for coupons; None for all that
            are not among the first.
        members: how many the part stands for: 1 unless it has no name.
        share: of the revenue of all parts, those left out by a filter on this dimension too.
        coupon_share: lines with a coupon / lines.
    """

    name: str | None
    members: int
    revenue: Decimal
    share: float | None
    lines: int
    average_line: float | None
    discount_rate: float | None
    coupon_share: float | None
    refunds: Decimal


def parts(catalogue: Catalogue, dimension: Dimension, scope: Scope) -> list[SalesPart]:
    """The sales by one dimension, the part with most revenue first.

    A filter on the dimension itself picks a row; its share is that of all rows nevertheless.
    """
    chosen = {"product_category": "category", "country": "country"}.get(dimension)
    values = {**scope.parameters, "most": MOST_PARTS, "only": None}
    if chosen:
        values |= {"only": values[chosen], chosen: None}
    sql = f"""
        WITH parts AS (
            SELECT CAST({dimension} AS VARCHAR) AS name, sum(lines) AS lines,
                   sum(purchase_amount) AS amount, sum(discounts) AS discounts,
                   sum(revenue) AS revenue, sum(refunds) AS refunds,
                   coalesce(sum(lines) FILTER (coupon_used), 0) AS coupon_lines
            FROM gold.sales_daily
            WHERE day BETWEEN $first AND $last
              AND ($country IS NULL OR country = $country)
              AND ($category IS NULL OR product_category = $category)
            GROUP BY ALL
        ), placed AS (
            SELECT *, sum(revenue) OVER () AS everything,
                   row_number() OVER (ORDER BY revenue DESC, name) AS place
            FROM parts
        ), kept AS (
            SELECT * EXCLUDE (name, place),
                   CASE WHEN place <= $most OR $only IS NOT NULL THEN name END AS name,
                   least(place, $most + 1) AS place
            FROM placed WHERE $only IS NULL OR name = $only
        )
        SELECT name, count(*), sum(revenue), sum(revenue) / nullif(any_value(everything), 0),
               CAST(sum(lines) AS BIGINT), sum(revenue) / nullif(sum(lines), 0),
               sum(discounts) / nullif(sum(amount), 0),
               sum(coupon_lines) / nullif(sum(lines), 0), sum(refunds)
        FROM kept GROUP BY place, name ORDER BY place
    """  # noqa: S608 - the dimension is one of ours, never of an address
    return catalogue.ask(SalesPart, sql, values)


@dataclass(frozen=True)
class MonthPart:
    """Revenue of a category in the month that begins on `month`; None: all other categories."""

    month: date
    category: str | None
    revenue: Decimal


def month_parts(catalogue: Catalogue, scope: Scope, named: Sequence[str]) -> list[MonthPart]:
    """Revenue by month, from the beginning of the first day's month, and category."""
    sql = """
        SELECT CAST(date_trunc('month', day) AS DATE) AS month,
               CASE WHEN list_contains($named, product_category) THEN product_category END AS name,
               sum(revenue)
        FROM gold.sales_daily
        WHERE day BETWEEN date_trunc('month', CAST($first AS DATE)) AND $last
          AND ($country IS NULL OR country = $country)
          AND ($category IS NULL OR product_category = $category)
        GROUP BY ALL ORDER BY ALL
    """
    return catalogue.ask(MonthPart, sql, {**scope.parameters, "named": list(named)})


@dataclass(frozen=True)
class Group:
    """Customers who have a trait in common, and what they have done so far.

    Attributes:
        trait: what they have in common; 'all' for everybody in the filter.
        band: number of the band of age, income or discount; 1 and 0 for coupons.
        name: the gender or country; None for countries that are not among the first.
        aov: revenue / orders.
        repeat_share: share with two orders or more.
        avg_clv: net revenue so far per customer.
        churn: share without a sale in the 90 days up to as_of.
    """

    trait: Trait
    band: int | None
    name: str | None
    customers: int
    revenue: Decimal
    aov: float | None
    repeat_share: float | None
    avg_clv: float | None
    churn: float | None


def groups(
    catalogue: Catalogue,
    filters: Filters,
    income_step: Decimal | None,
) -> list[Group]:
    """The customers by each of their traits: bands in order, names with most customers first.

    Ages and incomes that were filled in do not count: their customers are in no band.
    """
    of_segment = (
        "JOIN gold.customer_segments s ON s.customer_id = f.customer_id AND s.segment_id = $segment"
        if filters.segment is not None
        else ""
    )
    sql = f"""
        WITH often AS (
            SELECT country FROM gold.customer_features WHERE country IS NOT NULL
            GROUP BY country ORDER BY count(*) DESC, country LIMIT $most
        ), people AS (
            SELECT CASE WHEN NOT f.age_imputed THEN {_below("f.age", AGE_BOUNDS)} END AS age,
                   f.gender,
                   CASE WHEN NOT f.income_imputed THEN CAST(greatest(0, least(
                       floor(f.income / CAST($step AS DOUBLE)), {INCOME_BANDS - 1})) AS INTEGER)
                   END AS income,
                   {_up_to("f.discount_rate", DISCOUNT_BOUNDS)} AS discount,
                   CAST(f.coupon_rate > 0 AS INTEGER) AS coupon,
                   CASE WHEN f.country IS NULL THEN $unknown
                        WHEN $country IS NOT NULL OR f.country IN (FROM often) THEN f.country
                   END AS country,
                   f.revenue, f.orders, v.historic_clv, v.is_churned
            FROM gold.customer_features f
            JOIN gold.customer_value v ON v.customer_id = f.customer_id
            {of_segment}
            WHERE ($country IS NULL OR f.country = $country)
              AND ($category IS NULL OR f.top_category = $category)
        )
        SELECT grouping({", ".join(_TRAITS)}) AS traits,
               coalesce(age, income, discount, coupon) AS band, coalesce(gender, country) AS name,
               count(*) AS customers, sum(revenue), sum(revenue) / nullif(sum(orders), 0),
               count(*) FILTER (orders >= 2) / count(*),
               CAST(sum(historic_clv) AS DOUBLE) / count(*),
               count(*) FILTER (is_churned) / count(*)
        FROM people
        GROUP BY GROUPING SETS ({", ".join(f"({trait})" for trait in _TRAITS)}, ())
        HAVING count(*) > 0
        ORDER BY traits, band, customers DESC, name
    """  # noqa: S608 - names and bounds are ours, never of an address
    values = {
        **filters.of_customers,
        "step": None if income_step is None else float(income_step),
        "most": MOST_PARTS,
        "unknown": UNKNOWN,
    }
    if filters.segment is None:  # DuckDB refuses a value that the query does not name
        del values["segment"]
    return catalogue.ask(_group, sql, values)


def _group(traits: int, *figures: object) -> Group:
    return Group(_BY_BITS[traits], *figures)  # type: ignore[arg-type]


# grouping() has a bit for each trait, the first one highest, which is 0 where rows go by it.
_NONE = 2 ** len(_TRAITS) - 1
_BY_BITS: Mapping[int, Trait] = {
    _NONE: "all",
    **{_NONE ^ 1 << len(_TRAITS) - 1 - place: trait for place, trait in enumerate(_TRAITS)},
}


def _below(column: str, bounds: Sequence[float]) -> str:
    """Number of the band that a value is in, each ending below its bound; null stays null."""
    cases = " ".join(f"WHEN {column} < {bound} THEN {i}" for i, bound in enumerate(bounds))
    return f"CASE {cases} WHEN {column} IS NOT NULL THEN {len(bounds)} END"


def _up_to(column: str, bounds: Sequence[float]) -> str:
    """Number of the band that a value is in, each ending with its bound; null stays null."""
    cases = " ".join(f"WHEN {column} <= {bound} THEN {i}" for i, bound in enumerate(bounds))
    return f"CASE {cases} WHEN {column} IS NOT NULL THEN {len(bounds)} END"
