"""The catalogue's tables about the lakehouse itself, small ones for the page of the pipeline.

Belongs here: the tables of the schema `meta` that a run hands to the catalogue. Does not belong
here: tables of the lake (these are none: they are made with each catalogue and have no
history), nor `meta.tables` and `meta.run`, which the catalogue writes by itself.
Nothing in them names a person: values are masked before they get here.
"""

from bridge_cart_assets.tables.columns import (
    Schema,
    day,
    flag,
    integer,
    money,
    number,
    text,
    texts,
    timestamp,
)
from bridge_cart_assets.tables.table import Table


class Times(Schema):
    """One row: how long the run has taken that built the catalogue."""

    run_id = text("Dagster run that built this catalogue", key=True)
    started_at = timestamp("When it began")
    seconds = number("Seconds from then until the catalogue was built")


class ShopCurrency(Schema):
    """One row: what all amounts have in common."""

    currency = text(
        "The one currency that order lines name, ISO 4217; empty when none does, or several",
        key=True,
    )


class Checks(Schema):
    """One row per asset check: its latest verdict when the catalogue was built."""

    layer = text("Layer of the table that is checked", key=True)
    name = text("The table", key=True)
    check_name = text("The check", key=True)
    meaning = text("What it asks")
    severity = text("blocking (stops what is downstream when it fails) or warning")
    passed = flag("Whether it passed; null when it was never evaluated", nullable=True)
    says = text("The verdict in a sentence with its figures", nullable=True)
    value = number("What was held against the bound: a figure, or its score", nullable=True)
    bound = number("What it was compared with", nullable=True)
    lower_bound = number("The least that is allowed", nullable=True)
    upper_bound = number("The most that is allowed", nullable=True)
    first_day = day("First day that was looked at", nullable=True)
    last_day = day("Last day that was looked at", nullable=True)
    covers = text(
        "whole tables, the batch days that the run touched, or what changed since the last run",
        nullable=True,
    )
    version = integer("Version of the table that it was evaluated on", nullable=True)
    evaluated_at = timestamp("When it was evaluated", nullable=True)
    run_id = text("Dagster run that evaluated it", nullable=True)


class GoldBuilds(Schema):
    """One row per table of gold: how it was built when its rows last changed."""

    name = text("The table", key=True)
    mode = text("incremental (it followed the change) or full")
    why = text(
        "Why it could not follow; null when it did, or is made whole each time", nullable=True
    )
    rows_changed = integer("Rows that were written")
    seconds = number("Seconds from its beginning to its commit, internal tables included")
    built_at = timestamp("When it was committed")
    run_id = text("Dagster run that did it; an earlier one when no row has changed since")


class Fates(Schema):
    """Counts of records by outcome."""

    records = integer("Records in raw; the sum of the other counts")
    blank = integer("Empty lines")
    quarantined = integer("Refused, each with a reason")
    accepted = integer("Standing in silver")
    duplicate = integer("Same content as the record that stands")
    superseded = integer("Other content, older version")


class Accounting(Fates):
    """One row per source: all its records by outcome."""

    source = text("The source", key=True)
    days = integer("Batch days with records")
    first_day = day("First of them")
    last_day = day("Last of them")
    brings_orders = flag("Whether it brings orders: the last day of such a source is as_of")


class AccountingDays(Fates):
    """One row per source and day: its records by outcome on the latest batch days."""

    source = text("The source", key=True)
    batch_day = day("One of the latest thirty batch days of the shop", key=True)


class IntakeFindings(Schema):
    """One row per file, kind and reason or column: what silver has otherwise than the file."""

    source = text("The source", key=True)
    batch_day = day("One of the latest thirty batch days of the shop", key=True)
    object = text("The file or topic-partition", key=True)
    fingerprint = text("SHA-256 of the file's bytes, or topic-partition", key=True)
    kind = text("refused, superseded_in_file, guessed or unreadable", key=True)
    subject = text("Reason code, or column; empty when superseded", key=True)
    records = integer("How many records it concerns")
    of_records = integer("Records of the file on that batch day, without blank ones")
    amount = money(
        "Their net amount, of refused ones the amount before discount; null when none is known",
        nullable=True,
    )


class Quarantine(Schema):
    """One row per source, reason and column: refused records, with the forms of their values."""

    source = text("The source", key=True)
    reason = text("Reason code, for instance BAD_DATE", key=True)
    column = text("Column that is to blame; empty when it is the whole record", key=True)
    records = integer("Refused records")
    first_seen = day("First batch day that has one")
    last_seen = day("Last batch day that has one")
    examples = texts(
        "Up to three frequent values, letters as a and digits as 9; none of columns about persons"
    )


TIMES = Table("meta/times", Times, "How long the run has taken that built this catalogue.")
SHOP = Table("meta/shop", ShopCurrency, "The currency that the order lines of the shop name.")
CHECKS = Table("meta/checks", Checks, "The latest verdict of every asset check.")
GOLD_BUILDS = Table(
    "meta/gold_builds", GoldBuilds, "How each table of gold was built when its rows last changed."
)
ACCOUNTING = Table("meta/accounting", Accounting, "What became of each source's records.")
ACCOUNTING_DAYS = Table(
    "meta/accounting_days",
    AccountingDays,
    "What became of each source's records on the latest thirty batch days.",
)
INTAKE_FINDINGS = Table(
    "meta/intake_findings",
    IntakeFindings,
    "What of each file was refused, replaced within the file, guessed or unreadable, on the latest "
    "thirty batch days.",
)
QUARANTINE = Table(
    "meta/quarantine", Quarantine, "Refused records by reason, with masked examples."
)

TABLES = (
    *(TIMES, SHOP, CHECKS, GOLD_BUILDS, ACCOUNTING, ACCOUNTING_DAYS, INTAKE_FINDINGS),
    QUARANTINE,
)
