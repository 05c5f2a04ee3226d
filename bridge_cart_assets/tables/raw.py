"""The raw layer: one table per source, every record as it was received."""

from collections.abc import Mapping

import polars as pl

from bridge_cart_assets.tables.columns import Schema, day, integer, text, timestamp
from bridge_cart_assets.tables.table import Table


class Provenance(Schema):
    """Where a record came from and whether it could be read; part of every raw table."""

    _source = text("Source that the record was landed for")
    _object = text("Path of the file below landing/<source>, or topic-partition of the message")
    _pos = integer("Position of the record in the file, from 1, or the message's offset", key=True)
    _fingerprint = text("SHA-256 of the file's bytes, or topic-partition", key=True)
    _ingested_at = timestamp("When the record was taken in (the clock; no table depends on it)")
    _batch_day = day(
        "Latest ISO date in the path, else the shop's day of the file's or the message's time"
    )
    _batch_id = text("Dagster run that took the record in")
    _status = text("ok, quarantined (could not be read as a record) or blank (an empty line)")
    _error_code = text("Why it is quarantined: a reason code", nullable=True)
    _error = text("The same for people", nullable=True)
    _raw = text("The record's own text, kept when it is quarantined", nullable=True, pii=True)
    _rescued = text("Values of unknown columns, as a JSON object", nullable=True, pii=True)


def is_of_file(fingerprint: pl.Expr) -> pl.Expr:
    """Whether a fingerprint is that of a file, a SHA-256; a message has its topic and partition.

    >>> names = pl.DataFrame({"fingerprint": ["0" * 64, "bridge-cart.purchases-0"]})
    >>> names.select(is_of_file(pl.col("fingerprint"))).to_series().to_list()
    [True, False]
    """
    return fingerprint.str.contains(r"^[0-9a-f]{64}$")


def raw_table(source: str, columns: Mapping[str, str]) -> Table:
    """The raw table of a source.

    Args:
        source: the source's name, also the table's.
        columns: the source's own columns with their meaning; all are kept as strings.

    >>> table = raw_table("purchases", {"order_id": "Order's id"})
    >>> table.path, table.key
    ('raw/purchases', ('_pos', '_fingerprint'))
    >>> list(table.columns)[:3]
    ['order_id', '_source', '_object']
    """
    own = {name: text(meaning, nullable=True, pii=True) for name, meaning in columns.items()}
    schema = type(f"Raw_{source}", (Provenance,), {"__annotations__": {}, **own})
    return Table(
        path=f"raw/{source}",
        schema=schema,
        description=f"Every record of the source {source} as received; only `erase` and `retract` "
        "rewrite it.",
        partition_by=("_batch_day",),
    )
