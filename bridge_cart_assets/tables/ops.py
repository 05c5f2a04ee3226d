"""Tables that the lakehouse keeps about its own work."""

import dataframely as dy

from bridge_cart_assets.tables.columns import day, integer, text, timestamp
from bridge_cart_assets.tables.table import Table


class Files(dy.Schema):
    """One row per landed file as it was last seen: the ledger behind `status` and the sensor.

    A hint, not the truth: what has been taken in stands in the raw tables' own commits, and this
    table can be lost without losing or doubling a record.
    """

    source = text("Source that the file was landed for", key=True)
    object = text("Path of the file below the source's landing folder", key=True)
    size = integer("Bytes")
    modified_ns = integer("Time of the last change of the content, nanoseconds since 1970")
    changed_ns = integer("Time of the last change of the file's entry, nanoseconds since 1970")
    batch_day = day("Batch day of the file")
    state = text("taken, repeated (its bytes had been taken before) or refused")
    reason = text("Why it was refused: a reason code", nullable=True)
    detail = text("The same for people", nullable=True)
    fingerprint = text("SHA-256 of the bytes; null when they could not be read", nullable=True)
    records = integer("Records in the file; null when refused", nullable=True)
    seen_at = timestamp("When this was found (the clock)")
    run_id = text("Dagster run that found it")


FILES = Table(
    path="ops/files",
    schema=Files,
    description="Every landed file as last seen, with what became of it.",
)

TABLES = (FILES,)
