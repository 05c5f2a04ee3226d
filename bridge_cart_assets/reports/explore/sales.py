"""The cards on what was sold: categories, months, payment methods, countries, coupons.

Belongs here: each as a chart and the table that says the same. Does not belong here: SQL (see
`queries`), wording of headings (see `sentences`), or cards on customers (see `customers`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from bridge_cart_assets.reports.charts import Chart, Figures, Series, Unit, bars, hbars
from bridge_cart_assets.reports.explore.queries import UNKNOWN, MonthPart, SalesPart
from bridge_cart_assets.reports.explore.sentences import (
    coupon_heading,
    month_heading,
    share_heading,
)
from bridge_cart_assets.reports.formatting import (
    Cell,
    compact_money,
    count,
    day,
    money,
    percent,
)
from bridge_cart_assets.reports.tables import Column, Sheet, column
from bridge_cart_assets.tables.gold import SALES_DAILY

MOST_STACKED = 5
NOTHING_SOLD = "Nothing was sold in this period and filter."
_MOST_DRAWN = 12
_LONGEST_NAME = 48
_PROPER_NAMES = {"paypal": "PayPal", "upi": "UPI"}
_COUPON_NAMES = {"true": "With a coupon", "false": "Without"}


@dataclass(frozen=True)
class Kind:
    """A dimension of the sales, as its card speaks of it.

    Attributes:
        name: of the sheet.
        column, label: name and title of the column of the names.
        plain: the heading when nothing stands out.
        subtitle: what is drawn, and which filters apply.
        missing: the sentence when nothing in the shop's data has it.
        comes, each, others: for the heading and for the parts that are not named.
        unit: whether revenue or its share is drawn.
    """

    name: str
    column: str
    label: str
    plain: str
    subtitle: str
    missing: str
    comes: str
    each: str
    others: str
    unit: Unit = "money"


CATEGORIES = Kind(
    name="categories",
    column="product_category",
    label="Category",
    plain="Revenue by category",
    subtitle="Revenue by category; period and country apply, category picks one",
    missing="No categories in this shop’s data.",
    comes="comes from",
    each="category",
    others="other categories",
)
PAYMENTS = Kind(
    name="payments",
    column="payment_method",
    label="Payment",
    plain="How it was paid",
    subtitle="Share of revenue by payment method; period, country and category apply",
    missing="No payment methods in this shop’s data.",
    comes="was paid by",
    each="payment method",
    others="other methods",
    unit="percent",
)
COUNTRIES = Kind(
    name="countries",
    column="country",
    label="Country",
    plain="Revenue by country",
    subtitle="Revenue by country; period and category apply, country picks one",
    missing="No countries in this shop’s data.",
    comes="comes from",
    each="country",
    others="other countries",
)
COUPONS = Kind(
    name="coupons",
    column="coupon_used",
    label="Coupon",
    plain="Sales with and without a coupon",
    subtitle="Share of revenue; period, country and category apply",
    missing="No coupons in this shop’s data.",
    comes="came",
    each="of the two",
    others="",
    unit="percent",
)


def sales_chart(kind: Kind, parts: Sequence[SalesPart], is_known: bool) -> Chart:
    """Revenue of each part as a bar, or its share, and all its figures as a table.

    Args:
        kind: what the parts are.
        parts: the most revenue first.
        is_known: whether anything in the shop's data has the attribute.
    """
    shown = parts if is_known else ()

    def name_cell(part: SalesPart) -> Cell:
        text = _part_name(kind, part)
        return Cell(text, part.name or text, part.name or text)

    names = [_part_name(kind, part) for part in shown]
    if kind is COUPONS:
        title = coupon_heading(shown, kind.plain)
    else:
        spoken_names = [_in_a_sentence(kind, name) for name in names]
        title = share_heading(shown, kind.plain, kind.comes, kind.each, spoken_names)
    return Chart(
        title=title,
        subtitle=kind.subtitle,
        figures=_drawn(kind, names, shown) if len(shown) > 1 else None,
        too_little=_too_little(kind, parts, is_known),
        sheet=Sheet(
            kind.name,
            title,
            (Column[SalesPart](kind.column, kind.label, name_cell, "text"), *SALES_COLUMNS),
            shown,
            empty=kind.missing,
        ),
    )


def months_chart(
    months: Sequence[MonthPart], named: Sequence[str], first: date, last: date
) -> Chart:
    """Revenue by month, the named categories upon each other, the first at the bottom.

    Args:
        months: revenue by month and category; None stands for categories that are not named.
        named: the categories that are named, most revenue first.
        first: the first day of the period; its month is shown whole.
        last: the latest day.
    """
    begins = _months(first, last) if months else []
    revenue = {(part.month, part.category): part.revenue for part in months}
    has_others = any(part.category is None for part in months)
    keys: list[str | None] = [*named, *([None] if has_others else [])]
    labels = ["All others" if key is None and named else _label(key) for key in keys]
    sums = {m: sum((revenue.get((m, k), Decimal(0)) for k in keys), Decimal(0)) for m in begins}
    full = [(month, together) for month, together in sums.items() if _end(month) <= last]
    title = month_heading(full, "Revenue by month")
    series = [
        Series(
            label,
            [float(revenue.get((month, key), 0)) for month in begins],
            "quiet" if key is None and named else f"seg-{place + 1}",
        )
        for place, (key, label) in enumerate(zip(keys, labels, strict=True))
    ]

    def category_column(key: str | None, label: str) -> Column[date]:
        return Column(
            "other_categories" if key is None else key,
            label,
            lambda month: money(revenue.get((month, key), Decimal("0.00"))),
        )

    return Chart(
        title=title,
        subtitle="Revenue of whole months"
        + (f", the last one up to {last}" if begins and _end(begins[-1]) > last else "")
        + "; period, country and category apply",
        figures=bars(begins, series, "money", 30) if len(begins) > 1 else None,
        too_little="Bars need two months of the period to compare." if begins else NOTHING_SOLD,
        sheet=Sheet(
            "months",
            title,
            (
                Column("month", "Month from", day, "day"),
                *map(category_column, keys, labels),
                Column("revenue", "Together", lambda month: money(sums[month])),
            ),
            begins[::-1],
            empty=NOTHING_SOLD,
        ),
    )


def spoken(name: str) -> str:
    """A value of the data as people write it, not too long.

    >>> [spoken(name) for name in ("credit_card", "paypal", "Home & Garden", "unknown")]
    ['Credit card', 'PayPal', 'Home & Garden', 'Not known']
    """
    if name == UNKNOWN:
        return "Not known"
    if name in _PROPER_NAMES:
        return _PROPER_NAMES[name]
    text = name.replace("_", " ").capitalize() if name.islower() else name
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"


_NO_LINE = "nothing was sold, only given back"
SALES_COLUMNS = (
    column("revenue", "Revenue", compact_money, SALES_DAILY),
    column(
        "share",
        "Share",
        percent,
        "Share of the revenue of all rows, also of those that a filter leaves out",
        "there is no revenue",
    ),
    column("lines", "Lines", count, SALES_DAILY),
    column("average_line", "A line", compact_money, "Average line: revenue / lines", _NO_LINE),
    column(
        "discount_rate",
        "Discount",
        percent,
        "discounts / amount of the sales before them",
        _NO_LINE,
    ),
    column("coupon_share", "Coupons", percent, "Lines with a coupon / lines", _NO_LINE),
    column("refunds", "Refunds", compact_money, SALES_DAILY),
)


def _drawn(kind: Kind, names: Sequence[str], parts: Sequence[SalesPart]) -> Figures:
    """The first parts as bars, the others as one."""
    values = [part.share if kind.unit == "percent" else float(part.revenue) for part in parts]
    kept = len(parts) if len(parts) <= _MOST_DRAWN else _MOST_DRAWN - 1
    rest, colours = parts[kept:], ["accent"] * kept
    if rest:
        more = sum(part.members for part in rest)
        names = [*names[:kept], f"{more} {kind.others}"]
        values = [*values[:kept], sum(value or 0.0 for value in values[kept:])]
        colours.append("quiet")
    label = "Share of revenue" if kind.unit == "percent" else "Revenue"
    return hbars(names, [Series(label, values)], kind.unit, colours)


def _too_little(kind: Kind, parts: Sequence[SalesPart], is_known: bool) -> str:
    if not parts:
        return NOTHING_SOLD
    if not is_known:
        return kind.missing
    if kind is COUPONS:
        used = "with" if parts[0].name == "true" else "without"
        return f"All sales of this period and filter are {used} a coupon."
    only = _part_name(kind, parts[0])
    if parts[0].share is not None and parts[0].share < 1:
        return f"The filter leaves {only} alone; the share is that of the whole."
    return f"Only {only} is there: nothing to compare it with."


def _part_name(kind: Kind, part: SalesPart) -> str:
    if part.name is None:
        return f"{part.members} {kind.others}"
    return _COUPON_NAMES[part.name] if kind is COUPONS else spoken(part.name)


def _in_a_sentence(kind: Kind, name: str) -> str:
    return name[0].lower() + name[1:] if kind is PAYMENTS and name[1:].islower() else name


def _label(category: str | None) -> str:
    return "Revenue" if category is None else spoken(category)


def _months(first: date, last: date) -> list[date]:
    begins = [first.replace(day=1)]
    while (following := _end(begins[-1]) + timedelta(days=1)) <= last:
        begins.append(following)
    return begins


def _end(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)
