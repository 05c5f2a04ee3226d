"""The checks of raw and silver: the columns that arrive, and that every record is accounted for.

Belongs here: which checks these tables have, and what each looks at. Does not belong here: how a
result is computed (`integrity`).
"""

from collections.abc import Callable, Mapping

import polars as pl

from bridge_cart_assets.batch_days import DayRange
from bridge_cart_assets.checks import anomalies, identities, intake_warnings, integrity
from bridge_cart_assets.checks.check import Check, CheckContext, CheckResult
from bridge_cart_assets.ingestion.offsets import latest_of_topic
from bridge_cart_assets.ingestion.schema_drift import drift_of_files, drift_of_messages
from bridge_cart_assets.pipeline.pending import source_days
from bridge_cart_assets.sources import SOURCES, Source
from bridge_cart_assets.tables.ops import FILES
from bridge_cart_assets.tables.silver import (
    ACCOUNTING,
    CUSTOMERS,
    IDENTITIES,
    PURCHASES,
    QUARANTINE,
)
from bridge_cart_assets.tables.table import Table
from bridge_cart_assets.thresholds import THRESHOLDS


def _columns(source: Source) -> Callable[[CheckContext], CheckResult]:
    def look(context: CheckContext) -> CheckResult:
        files = context.rows(FILES).filter(
            (pl.col("source") == source.name) & (pl.col("state") == "taken")
        )
        first, of_files = (
            files.select(pl.min("batch_day"), latest=pl.max("batch_day")).collect().row(0)
        )
        of_messages = latest_of_topic(context.lake, source)
        latest = max(filter(None, (of_files, of_messages)), default=None)
        if latest is None:
            return CheckResult(True, "nothing was taken")
        days = context.days or DayRange(latest, latest)
        mine = drift_of_files(context.lake).filter(pl.col("source") == source.name)
        return integrity.columns_as_before(
            mine, drift_of_messages(context.lake, source, days.first, days.last), first, days
        )

    return look


def _accepted_stand(table: Table, context: CheckContext) -> CheckResult:
    feeding = [source.name for source in SOURCES if source.feeds is table]
    accounting = context.rows(ACCOUNTING).filter(pl.col("source").is_in(feeding))
    standing = context.rows(table).filter(pl.col("source").is_in(feeding))
    if context.days is not None:
        of_days = pl.col("batch_day").is_between(context.days.first, context.days.last)
        accounting, standing = accounting.filter(of_days), standing.filter(of_days)
    accepted = accounting.select(pl.sum("accepted")).collect().item()
    return integrity.counts_agree(
        table.path, accepted or 0, standing.select(pl.len()).collect().item()
    )


def _balance(context: CheckContext) -> CheckResult:
    return integrity.balance(context.touched(ACCOUNTING).collect())


def _raw_is_accounted(context: CheckContext) -> CheckResult:
    """Every record of raw is in accounting, counted from both sides."""
    accounting = context.touched(ACCOUNTING).select(pl.sum("raw_records")).collect().item() or 0
    arrived = sum(
        context.touched(source.raw).select(pl.len()).collect().item() for source in SOURCES
    )
    return CheckResult(
        accounting == arrived,
        f"{arrived:,} records in raw, {accounting:,} accounted for",
        {"value": accounting, "bound": arrived, "raw": arrived, "accounted": accounting},
    )


def _rows_have_their_person(table: Table) -> Check:
    return Check(
        "rows_have_their_person",
        "The customer_id of each row is the person of the identity that its record names: a "
        "customer_id as received, or a guest.",
        lambda context: identities.rows_have_their_person(context, table),
    )


def _told_by_file(table: Table) -> tuple[Check, ...]:
    """The checks of what a file says and silver does not have so."""

    def check(name: str, meaning: str, kind: str, bound: int) -> Check:
        return Check(
            name,
            meaning,
            lambda context: intake_warnings.few_of_kind(context, table, kind, bound),
            blocking=False,
            remembered=False,
        )

    return (
        check(
            "values_readable",
            "No record has a value that is there and cannot be read; the column is null then, or "
            "has its default.",
            "unreadable",
            THRESHOLDS.unreadable,
        ),
        check(
            "nothing_guessed",
            "No file leaves open how its days or amounts are meant. Of days, BRIDGE_CART_DATES "
            "says it.",
            "guessed",
            THRESHOLDS.guessed,
        ),
    )


# By the path of the table.
RAW_AND_SILVER_CHECKS: Mapping[str, tuple[Check, ...]] = {
    **{
        source.raw.path: (
            Check(
                "columns_as_before",
                "Files and messages have no column that the source does not know, and lack none "
                "that those before them had (of messages, in the 30 days before). On its own it "
                "looks at the latest batch day.",
                _columns(source),
                blocking=False,
            ),
        )
        for source in SOURCES
    },
    PURCHASES.path: (
        Check(
            "rows_are_accepted_records",
            "As many rows as records that accounting calls accepted.",
            lambda context: _accepted_stand(PURCHASES, context),
        ),
        _rows_have_their_person(PURCHASES),
        *_told_by_file(PURCHASES),
        Check(
            "lines_of_one_key_agree",
            "No file has two lines of one order and line number with different content and no "
            "later updated_at: one stands, and the money of the other is counted nowhere.",
            lambda context: intake_warnings.few_of_kind(
                context, PURCHASES, "superseded_in_file", THRESHOLDS.superseded_in_file
            ),
            blocking=False,
            remembered=False,
        ),
        Check(
            "ids_of_one_source",
            "No order id is in two sources: both would count the same orders.",
            intake_warnings.ids_of_one_source,
            blocking=False,
            remembered=False,
        ),
        Check(
            "one_currency",
            "All lines that name a currency name the same; with BRIDGE_CART_CURRENCY, that one.",
            intake_warnings.one_currency,
            blocking=False,
            remembered=False,
        ),
    ),
    CUSTOMERS.path: (
        Check(
            "rows_are_accepted_records",
            "As many versions of native profiles as records that accounting calls accepted.",
            lambda context: _accepted_stand(CUSTOMERS, context),
        ),
        _rows_have_their_person(CUSTOMERS),
        *_told_by_file(CUSTOMERS),
    ),
    IDENTITIES.path: (
        Check(
            "persons_are_identities",
            "Each person_id is an identity that is its own person, for the reason own.",
            lambda context: identities.persons_are_identities(
                identities.looked_at(context).of_persons
            ),
        ),
        Check(
            "no_address_in_identities",
            "Of an e-mail address there is its keyed hash only.",
            lambda context: identities.no_address(identities.looked_at(context).of_persons),
        ),
        Check(
            "few_share_an_address",
            "No e-mail address belongs to more than five accounts: they cannot be one person, so "
            "each of them is a customer of its own.",
            lambda context: identities.few_share_an_address(
                identities.looked_at(context).of_addresses
            ),
            blocking=False,
        ),
    ),
    QUARANTINE.path: (
        Check(
            "few_refused",
            f"At most {THRESHOLDS.refused_share:.0%} of a file's records, and of a batch day's, "
            "are refused.",
            intake_warnings.few_refused,
            blocking=False,
            remembered=False,
        ),
    ),
    ACCOUNTING.path: (
        Check(
            "every_record_accounted",
            "records = blank + quarantined + accepted + duplicate + superseded, every day.",
            _balance,
        ),
        Check(
            "records_are_raw_records",
            "As many records as raw has.",
            _raw_is_accounted,
        ),
        Check(
            "sources_are_fresh",
            f"No source is more than {THRESHOLDS.as_of_age.days} days behind the clock: else land "
            "its files, or look why none arrive.",
            lambda context: anomalies.sources_fresh(
                source_days(context.rows(ACCOUNTING)),
                context.today,
                THRESHOLDS.as_of_age,
            ),
            blocking=False,
        ),
        Check(
            "orders_keep_up",
            f"Orders are at most {THRESHOLDS.as_of_age.days} days behind the records of other "
            "sources: as_of stands where they stopped.",
            lambda context: anomalies.orders_keep_up(
                source_days(context.rows(ACCOUNTING)), THRESHOLDS.as_of_age
            ),
            blocking=False,
        ),
    ),
}
