"""What the files brought that a shop should look at: figures, money and what to do.

Belongs here: warnings about records that were refused, replaced or read by a guess, and about
orders, currencies and customers that do not belong together. Does not belong here: which tables
have them (`raw_and_silver`), their bounds (`thresholds`), or the counting (`transforms`).
"""

from collections.abc import Sequence
from decimal import Decimal

import polars as pl

from bridge_cart_assets.checks.check import CheckContext, CheckResult
from bridge_cart_assets.ingestion.erased_records import CODE as ERASED
from bridge_cart_assets.pipeline.findings import FileFinding, by_file
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.silver import ACCOUNTING, PURCHASES
from bridge_cart_assets.tables.table import Table
from bridge_cart_assets.thresholds import THRESHOLDS
from bridge_cart_assets.transforms.intake_findings import KINDS

_MOST_FILES = 3
_REST = "bridge-cart status"
_COUNTED = ("sale", "refund")


def few_refused(context: CheckContext) -> CheckResult:
    """No file, and no batch day of a topic's partition, has too large a share of refused records.

    Records of erased persons say nothing about a file. A batch day has no larger share than the
    worst of its files.
    """
    is_refused = (pl.col("kind") == "refused") & (pl.col("subject") != ERASED)
    refused = by_file(context.findings().filter(is_refused))
    bound = THRESHOLDS.refused_share
    over = [file for file in refused if file.records > bound * file.of_records]
    worst = max((file.records / file.of_records for file in refused), default=0.0)
    figures = {"value": worst, "bound": bound, "refused": sum(file.records for file in refused)}
    if over:
        return CheckResult(
            False, f"more than {bound * 100:.0f} % refused: {_in_one_sentence(over)}", figures
        )
    return CheckResult(
        True, f"{figures['refused']:,} records refused, at most {worst:.1%} of one file", figures
    )


def few_of_kind(context: CheckContext, table: Table, kind: str, bound: int) -> CheckResult:
    """At most so many records of a table have a finding of a kind."""
    feeding = [source.name for source in SOURCES if source.feeds is table]
    found = context.findings().filter(pl.col("kind") == kind, pl.col("source").is_in(feeding))
    files = by_file(found)
    records = sum(file.records for file in files)
    figures = {"value": records, "bound": bound}
    if records > bound:
        return CheckResult(False, _in_one_sentence(files), figures)
    return CheckResult(True, f"{records:,} records {KINDS[kind]}", figures)


def ids_of_one_source(context: CheckContext) -> CheckResult:
    """No order id occurs in two sources: the same orders would count twice.

    In a run, only the orders of its batch days are looked for among the others, and only when
    there is a second source of orders.
    """
    counted = context.rows(ACCOUNTING).filter(pl.col("accepted") > 0).select("source").unique()
    selling = {source.name for source in SOURCES if source.feeds is PURCHASES}
    with_orders = selling & set(counted.collect()["source"])
    if len(with_orders) < 2:
        return CheckResult(True, "orders come from one source", {"value": 0, "bound": 0})
    lines = context.rows(PURCHASES)
    if context.days is not None:
        mine = context.of_days(PURCHASES).select("order_id").unique().collect()
        low, high = mine["order_id"].min(), mine["order_id"].max()
        # The range lets Parquet statistics skip what cannot match.
        in_range = pl.col("order_id").is_between(pl.lit(low), pl.lit(high))
        lines = lines.filter(in_range).join(mine.lazy(), on="order_id", how="semi")
    orders = lines.group_by("order_id", "source").agg(pl.sum("net_amount"))
    shared = (
        orders.filter(pl.len().over("order_id") > 1)
        .group_by("source")
        .agg(orders=pl.len(), amount=pl.sum("net_amount"), example=pl.min("order_id"))
        .sort("source")
        .collect()
    )
    if shared.is_empty():
        return CheckResult(True, "no order id is in two sources", {"value": 0, "bound": 0})
    each = ", ".join(
        f"{source} {orders:,} ({_money(amount)})"
        for source, orders, amount in shared.select("source", "orders", "amount").iter_rows()
    )
    number = int(shared["orders"].max() or 0)  # type: ignore[arg-type]
    return CheckResult(
        False,
        f"order ids in more than one source, the same orders may count twice: {each}, for "
        f"instance {shared['example'][0]}; land the orders of a shop for one source only",
        {"value": number, "bound": 0},
    )


def one_currency(context: CheckContext) -> CheckResult:
    """The lines that name a currency name the same: sums over two say nothing.

    In a run, the whole table is read only when the run brought another currency than it has.
    """
    if context.currency:
        return _no_other_currency(context, context.currency)
    named = pl.col("currency").is_not_null() & pl.col("kind").is_in(_COUNTED)
    touched = _currencies(context.of_days(PURCHASES).filter(named))
    lines = context.rows(PURCHASES).filter(named)
    if len(touched) == 1 and context.days is not None:
        other = lines.filter(pl.col("currency") != touched[0]).select("currency").head(1)
        touched += _currencies(other)
    if len(touched) < 2:
        said = f"all lines that name a currency name {touched[0]}" if touched else "none is named"
        return CheckResult(True, said, {"value": len(touched), "bound": 1})
    amounts = (
        lines.group_by("currency")
        .agg(amount=pl.sum("net_amount"), lines=pl.len())
        .sort("lines", "currency", descending=[True, False])
        .collect()
    )
    # As a figure is written beside its code, without separators that differ between currencies.
    each = ", ".join(
        f"{code} {amount:.2f}" for code, amount in amounts["currency", "amount"].iter_rows()
    )
    return CheckResult(
        False,
        f"{amounts.height} currencies are added up as if they were one: {each}; "
        f"BRIDGE_CART_CURRENCY={amounts['currency'][0]} says which one is the shop's",
        {"value": amounts.height, "bound": 1},
    )


def _no_other_currency(context: CheckContext, currency: str) -> CheckResult:
    """Lines that name another currency than the shop's are refused: older ones stay.

    A run looks at its own batch days, `check` at all.
    """
    is_other = pl.col("currency") != currency
    others = (
        context.of_days(PURCHASES)
        .filter(is_other & pl.col("kind").is_in(_COUNTED))
        .group_by("currency")
        .agg(amount=pl.sum("net_amount"))
        .sort("currency")
        .collect()
    )
    if others.is_empty():
        said = f"the shop's currency is set: {currency}"
        return CheckResult(True, said, {"value": 0, "bound": 0})
    each = ", ".join(
        f"{code} {amount:.2f}" for code, amount in others["currency", "amount"].iter_rows()
    )
    return CheckResult(
        False,
        f"BRIDGE_CART_CURRENCY is {currency}, and lines that were taken before it was set name "
        f"another one: {each}; bridge-cart rebuild refuses them",
        {"value": others.height, "bound": 0},
    )


def no_customer_of_many(features: pl.DataFrame) -> CheckResult:
    """No customer has so many of the orders that it cannot be one person.

    Args:
        features: customer_id, orders and net_revenue of all customers.
    """
    total = int(features["orders"].sum())
    bound = THRESHOLDS.customer_share
    if total < THRESHOLDS.customer_orders:
        least = THRESHOLDS.customer_orders
        figures = {"value": 0.0, "bound": bound}
        return CheckResult(True, f"{total:,} orders, {least:,} are needed", figures)
    by_orders = features.filter(pl.col("orders") == pl.max("orders")).sort("customer_id")
    customer, orders, revenue = by_orders.select("customer_id", "orders", "net_revenue").row(0)
    figures = {"value": orders / total, "bound": bound}
    # An address is a person's; it is not needed to know which one it is.
    name = "one customer" if "@" in customer else f"customer {customer}"
    has = f"{orders:,} of {total:,} orders ({orders / total:.1%}, {_money(revenue)})"
    if orders <= bound * total:
        return CheckResult(True, f"the most has {name}: {has}", figures)
    return CheckResult(
        False,
        f"{name} has {has}: most often it stands for guests; leave the id empty where there "
        "is no customer",
        figures,
    )


def _in_one_sentence(files: Sequence[FileFinding]) -> str:
    """The files in one sentence, and what each source's would need, once."""
    shown = files[:_MOST_FILES]
    rest = len(files) - len(shown)
    more = [f"and {rest:,} more: {_REST}"] if rest else []
    remedies = dict.fromkeys(file.remedy for file in shown if file.remedy)
    return "; ".join([*map(str, shown), *more, *remedies])


def _currencies(lines: pl.LazyFrame) -> list[str]:
    return lines.select(pl.col("currency").unique().sort()).collect()["currency"].to_list()


def _money(amount: Decimal) -> str:
    return f"{amount:,.2f}"
