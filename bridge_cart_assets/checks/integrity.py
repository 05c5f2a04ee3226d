"""What is wrong with a table's rows, as pure functions of frames.

Belongs here: keys, intervals, sums and ranges. Does not belong here: figures against those of other
days (`anomalies`), models (`model_quality`), Dagster, or where the rows come from.

The metadata of a result names what was compared: `value` with `bound` (or `lower_bound` and
`upper_bound`), and `first_day` and `last_day` where it matters which days were looked at.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

import polars as pl

from bridge_cart_assets.batch_days import DayRange
from bridge_cart_assets.checks.check import CheckResult, MetadataValue, day_span, nothing_off
from bridge_cart_assets.tables.table import Table
from bridge_cart_assets.thresholds import Thresholds


def schema(table: Table, stored: Mapping[str, pl.DataType]) -> CheckResult:
    """The stored columns and types are the declared ones."""
    differ = {n for n, _ in stored.items() ^ table.dtypes.items()}
    message = f"{len(stored)} columns, as declared"
    if differ:
        message = f"other columns or types than declared: {', '.join(sorted(differ))}"
    return nothing_off(len(differ), message, columns=len(stored))


def keys(table: Table, rows: pl.LazyFrame) -> CheckResult:
    """Keys are unique and not null."""
    key = list(table.key)
    has_null = pl.any_horizontal(pl.col(key).is_null())
    wrong = (
        rows.group_by(key).len().filter(has_null | (pl.col("len") > 1)).collect(engine="streaming")
    )
    nulls = int(wrong.filter(has_null)["len"].sum())
    repeated = wrong.filter(pl.col("len") > 1)
    message = f"{nulls:,} rows with a null in the key, {repeated.height:,} keys more than once"
    if repeated.height:
        message += f", for instance {repeated.select(key).row(0, named=True)}"
    return nothing_off(
        nulls + repeated.height, message, null_keys=nulls, repeated_keys=repeated.height
    )


def columns_as_before(
    files: pl.DataFrame, messages: pl.DataFrame, since: date | None, days: DayRange
) -> CheckResult:
    """Files and messages of these days have the columns that were expected.

    Args:
        files: of one source: column, kind (unknown or missing), first_day on which a file was so.
        messages: columns and kinds that are news among the messages of these days.
        since: batch day of the source's first file; what it never had is not missed. None: none.
        days: the days that are looked at.
    """
    is_missed = pl.col("first_day") > (since or days.last)
    new = files.filter(
        pl.col("first_day").is_between(days.first, days.last)
        & ((pl.col("kind") == "unknown") | is_missed)
    )
    both = pl.concat([new.select("column", "kind"), messages.select("column", "kind")]).unique()
    names = {
        kind: sorted(both.filter(pl.col("kind") == kind)["column"])
        for kind in ("unknown", "missing")
    }
    message = [
        f"unknown, kept in _rescued: {', '.join(names['unknown'])}" if names["unknown"] else "",
        f"missing, null from now on: {', '.join(names['missing'])}" if names["missing"] else "",
    ]
    return nothing_off(
        both.height,
        "; ".join(filter(None, message)) or "as before",
        unknown=len(names["unknown"]),
        missing=len(names["missing"]),
        **day_span(days.first, days.last),
    )


def intervals(table: Table, rows: pl.LazyFrame) -> CheckResult:
    """SCD2 intervals touch, do not overlap, and one row per living key is current.

    Only a segment may have no current row: one that was retired.
    """
    owner = list(table.interval_of)
    rows = rows.select(*owner, "valid_from", "valid_to", "is_current").collect().lazy()
    ordered = rows.sort(*owner, "valid_from").with_columns(
        _next=pl.col("valid_from").shift(-1).over(owner)
    )
    torn = pl.col("_next").is_not_null() & pl.col("valid_to").ne_missing(pl.col("_next"))
    empty = pl.col("valid_to") <= pl.col("valid_from")
    marked = pl.col("is_current") != pl.col("valid_to").is_null()
    currents = rows.group_by(owner).agg(n=pl.col("is_current").sum())
    allowed = [0, 1] if table.path == "gold/segment_metrics" else [1]
    counted = (
        ordered.select(torn=torn.sum(), empty=empty.sum(), mismarked=marked.sum())
        .collect()
        .row(0, named=True)
    )
    wrong = currents.filter(~pl.col("n").is_in(allowed)).select(pl.len()).collect().item()
    found: dict[str, int] = {**counted, "keys_without_one_current_row": wrong}
    message = ", ".join(f"{name.replace('_', ' ')}: {count}" for name, count in found.items())
    return nothing_off(sum(found.values()), message, **found)


def balance(accounting: pl.DataFrame) -> CheckResult:
    """records = blank + quarantined + accepted + duplicate + superseded, in every row."""
    parts = ("blank", "quarantined", "accepted", "duplicate", "superseded")
    off = accounting.filter(pl.col("records") != pl.sum_horizontal(parts))
    message = f"{accounting.height:,} source days, {off.height:,} of them out of balance"
    if off.height:
        message += f", for instance {off.row(0, named=True)}"
    return nothing_off(off.height, message, days=accounting.height, out_of_balance=off.height)


def counts_agree(what: str, accepted: int, rows: int) -> CheckResult:
    """The accepted records are the rows of the silver table."""
    return CheckResult(
        accepted == rows,
        f"{accepted:,} records accepted, {rows:,} rows in {what}",
        {"value": rows, "bound": accepted, "accepted": accepted, "rows": rows},
    )


def sums_agree(sums: Mapping[str, Decimal]) -> CheckResult:
    """The same sum of money from every place, to the cent."""
    message = ", ".join(f"{place}: {amount}" for place, amount in sums.items())
    apart = max(sums.values(), default=Decimal()) - min(sums.values(), default=Decimal())
    metadata = {place: str(amount) for place, amount in sums.items()}
    return CheckResult(not apart, message, {"value": float(apart), "bound": 0.0, **metadata})


def totals_agree(ours: Mapping[str, Decimal], theirs: Mapping[str, Decimal]) -> CheckResult:
    """Each of several totals is the same in two places.

    Args:
        ours, theirs: the totals by name.
    """
    off = {name: theirs[name] - total for name, total in ours.items() if theirs[name] != total}
    message = ", ".join(f"{name}: {total}" for name, total in ours.items())
    if off:
        missing = ", ".join(f"{name} by {apart}" for name, apart in off.items())
        message += f"; differ: {missing}"
    return nothing_off(len(off), message)


def net_revenue_agrees(
    silver: Decimal,
    days: Decimal,
    customers: Decimal,
    without_sale: Decimal,
    early: Decimal,
    early_with_sale: Decimal,
) -> CheckResult:
    """Net revenue of customers is the same by line, by day and by customer, to the cent.

    Args:
        silver: sales and refunds of all lines with a customer.
        days: of all days, which begin with the first sale.
        customers: of all customers with a sale.
        without_sale: given back on these days to people without a sale, whom no row is about.
        early: given back before these days.
        early_with_sale: of this, to customers with a sale.
    """
    message = (
        f"silver/purchases: {silver}, gold/kpis_daily: {days}, gold/customer_features: {customers};"
        f" given back to people without a sale: {without_sale}, before the first sale: {early}"
    )
    off = abs(silver + early - days) + abs(customers - days - without_sale + early_with_sale)
    figures: dict[str, MetadataValue] = {
        "value": float(off),
        "bound": 0.0,
        "refunds_without_sale": str(without_sale),
    }
    return CheckResult(not off, message, figures)


def within(
    rows: pl.DataFrame, columns: Sequence[str], low: float, high: float | None
) -> CheckResult:
    """All values of some columns lie in a range; nulls are no values."""
    values = rows.select(pl.col(columns).cast(pl.Float64))
    outside = (pl.all() < low) | (pl.all() > (high if high is not None else float("inf")))
    counts = values.select(outside.sum()).row(0)
    off = {name: count for name, count in zip(columns, counts, strict=True) if count}
    limit = f"[{low}, {high}]" if high is not None else f"[{low}, …)"
    message = f"{', '.join(columns)} in {limit}; outside: {off or 'none'}"
    metadata: dict[str, MetadataValue] = {"outside": sum(off.values()), "lower_bound": low}
    if high is not None:
        metadata["upper_bound"] = high
    extremes = values.select(
        lowest=pl.min_horizontal(pl.all().min()), highest=pl.max_horizontal(pl.all().max())
    ).row(0, named=True)
    metadata |= {name: value for name, value in extremes.items() if value is not None}
    return CheckResult(not off, message, metadata)


def parts_add_up(kpis: pl.DataFrame) -> CheckResult:
    """revenue_new + revenue_returning = revenue on every day."""
    off = kpis.filter(pl.col("revenue_new") + pl.col("revenue_returning") != pl.col("revenue"))
    message = f"{kpis.height:,} days, on each of them the parts are the whole"
    if off.height:
        message = (
            f"on {off.height:,} of {kpis.height:,} days the parts are not the whole, first on "
            f"{off['day'].sort()[0]}"
        )
    return nothing_off(off.height, message, days=kpis.height)


def clv_adds_up(values: pl.DataFrame) -> CheckResult:
    """clv = historic_clv + predicted_clv_365d for every customer with a prediction."""
    predicted = values.drop_nulls("predicted_clv_365d")
    total = pl.col("historic_clv") + pl.col("predicted_clv_365d")
    off = predicted.filter(pl.col("clv").ne_missing(total))
    message = f"{predicted.height:,} customers with a prediction, the sum is right for all"
    if off.height:
        message = f"{off.height:,} of {predicted.height:,} customers with another clv than the sum"
    elif not predicted.height:
        message = "no customer has a prediction: nothing to add up"
    return nothing_off(off.height, message, customers=predicted.height)


def customers_add_up(migration: pl.DataFrame, features: pl.DataFrame) -> CheckResult:
    """Everybody with a sale by the latest month's end has moved or stayed, once.

    Args:
        migration: rows of gold/segment_migration or gold/rfm_migration.
        features: rows of gold/customer_features.
    """
    if not migration.height:
        return CheckResult(True, "no month has ended yet")
    latest = migration.filter(pl.col("period_end") == pl.max("period_end"))
    end: date = latest["period_end"][0]
    counted = int(latest["customers"].sum())
    total = features.filter(pl.col("first_purchase_day") <= end).height
    return CheckResult(
        counted == total,
        f"{counted:,} customers moved or stayed up to {end}; {total:,} had a sale by then",
        {"value": counted, "bound": total, **day_span(end, end)},
    )


def one_group_each(
    groups: pl.LazyFrame, features: pl.LazyFrame, triples: Mapping[tuple[int, int, int], str]
) -> CheckResult:
    """Every customer is in exactly one RFM group, the one of the scores, with the right figures.

    Args:
        groups: rows of gold/customer_rfm.
        features: of gold/customer_features the customer and the figures that are scored.
        triples: the group by r_score, f_score and m_score.
    """
    scores = ("r_score", "f_score", "m_score")
    rows = [(*triple, group) for triple, group in triples.items()]
    schema = {**dict.fromkeys(scores, pl.Int64), "rfm_group": pl.String}
    of_scores = pl.LazyFrame(rows, schema=schema, orient="row")
    same = list(features.collect_schema())
    wrong = {
        "customers without the figures of gold/customer_features": groups.join(
            features, on=same, how="anti"
        ),
        "customers without a row": features.join(groups, on="customer_id", how="anti"),
        "rows with another group than that of their scores": groups.join(
            of_scores, on=list(schema), how="anti"
        ),
    }
    lengths = pl.collect_all(
        [
            rows.select(pl.len())
            for rows in (groups, groups.select(pl.col("customer_id").unique()), *wrong.values())
        ],
        engine="streaming",
    )
    total, distinct, *counts = (length.item() for length in lengths)
    off = {"rows beside the only one of a customer": total - distinct}
    off |= dict(zip(wrong, counts, strict=True))
    listed = ", ".join(f"{what}: {count:,}" for what, count in off.items() if count)
    message = listed or f"{total:,} customers, each in the one group of the scores"
    return nothing_off(sum(off.values()), message, customers=total)


def scores_without_gap(model: pl.DataFrame) -> CheckResult:
    """Each measure has five scores in every version, which follow each other without a gap.

    Args:
        model: rows of gold/rfm_model.
    """
    measure = ["model_version", "measure"]
    ordered = model.sort(
        *measure, "above", "up_to", descending=[False] * 4, nulls_last=[False, False, False, True]
    )
    is_first = pl.struct(measure) != pl.struct(measure).shift(1)
    is_last = pl.struct(measure) != pl.struct(measure).shift(-1)
    before = pl.when(~is_first.fill_null(value=True)).then(pl.col("up_to").shift(1))
    begins = pl.col("above").ne_missing(before)
    ends = is_last.fill_null(value=True) & pl.col("up_to").is_not_null()
    torn = ordered.filter(begins | ends).height
    scores = model.group_by(measure).agg(pl.n_unique("score"), rows=pl.len())
    counts = scores.filter((pl.col("score") != 5) | (pl.col("rows") != 5)).height
    versions = model["model_version"].n_unique()
    message = f"{versions:,} versions of cut points; gaps or overlaps: {torn}, incomplete: {counts}"
    return nothing_off(torn + counts, message, versions=versions)


def shares_add_up(metrics: pl.DataFrame, thresholds: Thresholds) -> CheckResult:
    """The segments' shares of revenue add up to one on every day.

    Between two changes nothing moves, so the days on which a version begins or ends are looked at.
    """
    shares = metrics.drop_nulls("segment_contribution")
    begin = shares.select(day="valid_from", share="segment_contribution", versions=pl.lit(1))
    end = shares.drop_nulls("valid_to").select(
        day="valid_to", share=-pl.col("segment_contribution"), versions=pl.lit(-1)
    )
    days = (
        pl.concat([begin, end])
        .group_by("day")
        .agg(pl.sum("share", "versions"))
        .sort("day")
        .with_columns(pl.col("share", "versions").cum_sum())
        .filter(pl.col("versions") > 0)
    )
    if days.is_empty():
        return CheckResult(True, "no segment with a share of revenue yet")
    allowed = thresholds.contribution_tolerance
    worst = days.sort((pl.col("share") - 1).abs(), "day").row(-1, named=True)
    off = days.filter((pl.col("share") - 1).abs() > allowed)
    message = f"the shares of the segments add up to 1 on each of {days.height:,} days of change"
    if off.height:
        message = (
            f"the shares of the segments do not add up to 1 on {off.height:,} of {days.height:,} "
            f"days of change; on {worst['day']} to {worst['share']:.6f}"
        )
    return CheckResult(
        not off.height,
        message,
        {"value": worst["share"], "lower_bound": 1 - allowed, "upper_bound": 1 + allowed},
    )
