"""The explore page: what sells, and who buys, by every attribute that the shop's data has.

Belongs here: which cards the page has. Does not belong here: SQL (see `queries`), the cards
themselves (see `sales`, `customers`), their headings (see `sentences`), or HTML.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial

from bridge_cart_assets.reports.catalogue import Catalogue
from bridge_cart_assets.reports.charts import Chart
from bridge_cart_assets.reports.explore import product_groups, queries
from bridge_cart_assets.reports.explore.bands import AGES, DISCOUNTS, income_step, incomes
from bridge_cart_assets.reports.explore.customers import (
    CUSTOMER_COLUMNS,
    TraitCard,
    customer_chart,
    customer_sheet,
)
from bridge_cart_assets.reports.explore.product_groups import (
    FIRST_COLUMNS,
    PAIR_COLUMNS,
    first_chart,
    pair_sheet,
)
from bridge_cart_assets.reports.explore.sales import (
    CATEGORIES,
    COUNTRIES,
    COUPONS,
    MOST_STACKED,
    PAYMENTS,
    SALES_COLUMNS,
    months_chart,
    sales_chart,
)
from bridge_cart_assets.reports.explore.sentences import (
    country_heading,
    coupon_user_heading,
    discount_heading,
    value_heading,
)
from bridge_cart_assets.reports.filters import PageQuery
from bridge_cart_assets.reports.formatting import Cell, compact_money, count
from bridge_cart_assets.reports.freshness import days_of_figures
from bridge_cart_assets.reports.page import Page
from bridge_cart_assets.reports.tables import Sheet
from bridge_cart_assets.tables import gold

NEEDED = frozenset(
    {
        *(gold.KPIS_DAILY, gold.SALES_DAILY, gold.FIRST_CATEGORY, gold.CATEGORY_PAIRS),
        *(gold.CUSTOMER_FEATURES, gold.CUSTOMER_VALUE, gold.CUSTOMER_SEGMENTS),
    }
)


@dataclass(frozen=True)
class Explore:
    """All that the explore page shows.

    Attributes:
        first, last: the days of the sales.
        revenue, lines: all sales of the period and filter.
        customers: how many are in the filter.
        months, sales: the cards on sales.
        first_categories, category_pairs: the cards on product groups.
        ages and all that follow: the cards on customers.
    """

    first: date
    last: date
    revenue: Cell
    lines: Cell
    customers: Cell
    months: Chart
    sales: tuple[Chart, ...]
    first_categories: Chart
    category_pairs: Sheet
    ages: Chart
    incomes: Chart
    genders: Chart
    countries: Sheet
    discounts: Chart
    coupon_users: Sheet

    @property
    def sheets(self) -> tuple[Sheet, ...]:
        """The tables of the page."""
        people = (self.ages, self.incomes, self.genders, self.discounts)
        charts = (self.months, *self.sales, self.first_categories, *people)
        others = (self.category_pairs, self.countries, self.coupon_users)
        return (*(chart.sheet for chart in charts), *others)

    @property
    def meanings(self) -> tuple[tuple[str, str], ...]:
        """What each column of the tables is."""
        return (
            *((f"{column.title} (sales)", column.meaning) for column in SALES_COLUMNS),
            *((f"{column.title} (first bought)", column.meaning) for column in FIRST_COLUMNS[1:]),
            *((f"{column.title} (together)", column.meaning) for column in PAIR_COLUMNS[2:]),
            *((f"{column.title} (customers)", column.meaning) for column in CUSTOMER_COLUMNS),
        )


def explore(catalogue: Catalogue, asked: PageQuery) -> Explore | None:
    """Everything on the page; None while there is no sale."""
    days = days_of_figures(catalogue)
    if days is None:
        return None
    filters = asked.filters
    first = filters.first_day(days.first, days.last)
    scope = queries.Scope(first, days.last, filters.country, filters.category)
    known = queries.known_trait(catalogue)
    step = income_step(known.high_income)
    categories = queries.parts(catalogue, "product_category", scope)
    payments = queries.parts(catalogue, "payment_method", scope)
    coupons = queries.parts(catalogue, "coupon_used", scope)
    countries = queries.parts(catalogue, "country", scope)
    stacked = [part.name for part in categories if part.name is not None][:MOST_STACKED]
    stacked = stacked if known.categories else []
    months = queries.month_parts(catalogue, scope, stacked)
    groups = queries.groups(catalogue, filters, step)
    return Explore(
        first=scope.first,
        last=scope.last,
        revenue=compact_money(sum((part.revenue for part in coupons), Decimal("0.00"))),
        lines=count(sum(part.lines for part in coupons)),
        customers=count(sum(group.customers for group in groups if group.trait == "all")),
        months=months_chart(months, stacked, scope.first, scope.last),
        sales=(
            sales_chart(CATEGORIES, categories, known.categories),
            sales_chart(PAYMENTS, payments, known.payments),
            sales_chart(COUNTRIES, countries, known.countries),
            sales_chart(COUPONS, coupons, known.coupons),
        ),
        first_categories=first_chart(product_groups.first_groups(catalogue), known.categories),
        category_pairs=pair_sheet(product_groups.pairs(catalogue), known.categories),
        ages=customer_chart(_AGES, groups, known.ages),
        incomes=customer_chart(_incomes(step), groups, step is not None),
        genders=customer_chart(_GENDERS, groups, known.genders),
        countries=customer_sheet(_COUNTRIES, groups, known.profile_countries),
        discounts=customer_chart(_DISCOUNTS, groups, known.discounts),
        coupon_users=customer_sheet(_COUPON_USERS, groups, known.coupons),
    )


_AGES = TraitCard(
    name="ages",
    trait="age",
    column="age",
    label="Age",
    subtitle="Customers by age",
    missing="No ages in this shop’s data.",
    without="without an age",
    heading=partial(value_heading, plain="Customers by age", are="aged", every="age"),
    bands=AGES,
)
_GENDERS = TraitCard(
    name="genders",
    trait="gender",
    column="gender",
    label="Gender",
    subtitle="Customers by gender",
    missing="No genders in this shop’s data.",
    without="without a gender",
    heading=lambda groups: "Customers by gender",
)
_DISCOUNTS = TraitCard(
    name="discounts",
    trait="discount",
    column="discount_rate",
    label="Discount",
    subtitle="Average order by the discounts on all that a customer has bought",
    missing="No discounts in this shop’s data.",
    without="without a discount rate",
    heading=partial(discount_heading, plain="Customers by discount"),
    bands=DISCOUNTS,
    unit="money",
)
_COUPON_USERS = TraitCard(
    name="coupon_users",
    trait="coupon",
    column="coupon_used",
    label="Customers who",
    subtitle="Customers by coupon use",
    missing="No coupons in this shop’s data.",
    without="without orders",
    heading=partial(coupon_user_heading, plain="Coupon users and others"),
    bands=("never used a coupon", "used a coupon"),
)
_COUNTRIES = TraitCard(
    name="customer_countries",
    trait="country",
    column="country",
    label="Country",
    subtitle="Customers by country",
    missing="No countries in this shop’s data.",
    without="without a country",
    heading=partial(country_heading, plain="Customers by country"),
)


def _incomes(step: Decimal | None) -> TraitCard:
    heading = partial(
        value_heading,
        plain="Customers by yearly income",
        are="with an income of",
        every="income",
    )
    return TraitCard(
        name="incomes",
        trait="income",
        column="income",
        label="Income",
        subtitle="Customers by yearly income",
        missing="No incomes in this shop’s data.",
        without="without an income",
        heading=heading,
        bands=incomes(step) if step else (),
    )


EXPLORE = Page(
    name="explore",
    path="/explore",
    title="Explore",
    template="explore.html",
    read=explore,
    needs=NEEDED,
)
