"""Tables that the lakehouse keeps about its own work."""

from bridge_cart_assets.tables.columns import Schema, day, integer, text, timestamp
from bridge_cart_assets.tables.table import Table


class Files(Schema):
    """One row per landed file as it was last seen: the ledger behind `status` and the sensor.

    A hint, not the truth: the files in raw stand in the raw tables' own commits, and this
    table can be lost without losing or doubling a record.
    """

    source = text("Source that the file was landed for", key=True)
    object = text("Path of the file below the source's landing folder", key=True)
    size = integer("Bytes")
    modified_ns = integer("Time of the last change of the content, nanoseconds since 1970")
    changed_ns = integer("Time of the last change of the file's entry, nanoseconds since 1970")
    batch_day = day("Batch day of the file")
    state = text(
        "taken, repeated (its bytes had been taken under another name), refused, or retracted (its "
        "records have left raw again); partial when version 0.1 took some of its records: the next "
        "run takes the others"
    )
    reason = text("Why it was refused: a reason code", nullable=True)
    detail = text("The same for people; where a retracted file lies", nullable=True)
    fingerprint = text("SHA-256 of the bytes; null when they could not be read", nullable=True)
    records = integer("Records in the file; null when refused", nullable=True)
    quarantined = integer("Of these, what could not be read as a record", nullable=True)
    version = integer("Commit of the raw table that has its records", nullable=True)
    unknown_columns = text(
        "Columns beyond the source's, comma-separated, 100 at most; their values are in _rescued",
        nullable=True,
    )
    missing_columns = text("Columns of the source that it lacks, comma-separated", nullable=True)
    seen_at = timestamp("When this was found (the clock)")
    run_id = text("Dagster run that found it")


FILES = Table(
    path="ops/files",
    schema=Files,
    description="Every landed file as last seen, with what became of it.",
)


class Offsets(Schema):
    """One row per partition of a Kafka topic: how far it has been taken.

    Derived, like the ledger of files: the offsets that count stand in the raw tables' own commits.
    """

    topic = text("Topic", key=True)
    partition = integer("Number of the partition", key=True)
    source = text("Source whose records the messages are")
    next_offset = integer("The offset with which the next run goes on")
    records = integer("Messages in raw")
    quarantined = integer("Of these, messages that could not be read as records")
    latest_day = day("Latest batch day among them", nullable=True)
    version = integer("Commit of the raw table that has the last of them", nullable=True)
    seen_at = timestamp("When this was written (the clock)")
    run_id = text("Dagster run that took the last of them")


OFFSETS = Table(
    path="ops/offsets",
    schema=Offsets,
    description="How far the partitions of the Kafka topics have been taken.",
)


class Rebuilds(Schema):
    """One row per rebuild of silver and gold: when it began, and when it was whole again."""

    started_at = timestamp("When silver and gold were emptied (the clock)", key=True)
    raw_records = integer("Records in raw at that moment, of all sources")
    finished_at = timestamp("When silver and gold were whole again; null until then", nullable=True)
    run_id = text("Dagster run that completed it; null until then", nullable=True)


REBUILDS = Table(
    path="ops/rebuilds",
    schema=Rebuilds,
    description="Rebuilds of silver and gold, with those that have not been completed yet.",
)


class Erased(Schema):
    """One row per id or address of an erased person, as a keyed hash.

    No row says whose it is, nor which rows are of one person. A rebuild keeps it.
    """

    kind = text("account (a customer_id), address (of e-mail) or order (source and id)", key=True)
    name_key = text("Keyed hash of it; the key lies in the data folder", key=True, pii=True)
    erased_at = timestamp("When the erasure began (the clock)")


ERASED = Table(
    path="ops/erased",
    schema=Erased,
    description="What is never taken in again, because its person was erased; as keyed hashes.",
)


class Formats(Schema):
    """One row per format that the lake has had; the highest one is that of its rows."""

    number = integer("The format; see `pipeline.lake_format`", key=True)
    change = text("The change that came with it")
    since = timestamp("When the lake had it first, as far as it was written down (the clock)")
    run_id = text("Run that wrote this down")


FORMATS = Table(
    path="ops/formats",
    schema=Formats,
    description="By which version's rules the tables are made: a later or earlier one is refused.",
)

TABLES = (FILES, OFFSETS, REBUILDS, ERASED, FORMATS)
