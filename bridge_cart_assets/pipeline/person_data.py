"""All that is stored about persons, table by table.

Belongs here: which rows of a table are theirs. Does not belong here: finding out who they are
(`person_index`), or taking the rows away (`erasure`).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from bridge_cart_assets.ingestion.landing import is_there
from bridge_cart_assets.ingestion.ledger import IN_RAW
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.object_store import ObjectStore
from bridge_cart_assets.pipeline.person_index import PersonIndex, records_of
from bridge_cart_assets.pipeline.retracted_persons import records_in_retracted
from bridge_cart_assets.pipeline.stored_tables import PERSONAL_TABLES
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.ops import ERASED, FILES
from bridge_cart_assets.tables.silver import CUSTOMER_REPEATS, PURCHASE_REPEATS, QUARANTINE
from bridge_cart_assets.tables.table import Table
from bridge_cart_assets.transforms.identities import identity_of_line

_AS_RECEIVED = (CUSTOMER_REPEATS, PURCHASE_REPEATS)


def rows_about(lake: Lake, index: PersonIndex) -> Iterator[tuple[Table, pl.DataFrame]]:
    """The rows of silver and gold that are about some persons, of every table that has rows."""
    for table in PERSONAL_TABLES:
        snapshot = lake.snapshot(table)
        if table.layer == "raw" or table is ERASED or snapshot.version is None:
            continue
        rows = snapshot.scan()
        if table is QUARANTINE:
            places = index.places.lazy()
            theirs = rows.join(places, on=index.places.columns, how="semi")
        elif table in _AS_RECEIVED:
            is_line = "order_id" in table.columns
            identity = identity_of_line() if is_line else pl.col("customer_id")
            theirs = rows.filter(identity.is_in(sorted(index.identities)))
        else:
            name = "identity" if "identity" in table.columns else "customer_id"
            ids = index.identities if name == "identity" else index.persons
            theirs = rows.filter(pl.col(name).is_in(sorted(ids)))
        found = theirs.collect()
        if found.height:
            yield table, found.sort(list(table.key))


def counts_about(lake: Lake, index: PersonIndex) -> dict[str, int]:
    """How many rows of every table are about some persons, raw included."""
    of_raw = {f"raw/{source}": count for source, count in sorted(index.records.items())}
    return of_raw | {table.path: rows.height for table, rows in rows_about(lake, index)}


def data_of(
    lake: Lake, landing: Path | ObjectStore, index: PersonIndex, hash_key: bytes
) -> dict[str, Any]:
    """All that is stored about some persons, as it can be written down in JSON.

    Args:
        lake: the tables.
        landing: the landing zone.
        index: who they are.
        hash_key: the key of the hashes.

    Returns:
        person_ids, identities, addresses; `tables`: by path the rows of raw, silver and gold;
        `landing`: the files that brought the records and still lie there, and those with such
        records that were taken back; `retracted`: by path the records in the latter.
    """
    tables: dict[str, list[dict[str, Any]]] = {}
    for source in SOURCES:
        days = index.days.get(source.name)
        if days:
            found = records_of(lake, source, index.names(hash_key), days)
            tables[source.raw.path] = [row for _, rows in found for row in rows.to_dicts()]
    tables |= {table.path: rows.to_dicts() for table, rows in rows_about(lake, index)}
    retracted = records_in_retracted(landing, index.names(hash_key))
    return {
        "person_ids": sorted(index.persons),
        "identities": sorted(index.identities),
        "addresses": sorted(index.addresses),
        "landing": [*files_of(lake, landing, index), *retracted],
        "retracted": retracted,
        "tables": tables,
    }


def files_of(lake: Lake, landing: Path | ObjectStore, index: PersonIndex) -> list[str]:
    """The files that brought records and still lie there, as paths below the landing zone."""
    rows = (
        lake.snapshot(FILES)
        .scan()
        .filter(
            pl.col("fingerprint").is_in(sorted(index.fingerprints)), pl.col("state").is_in(IN_RAW)
        )
        .select("source", "object")
        .sort("source", "object")
        .collect()
    )
    paths = (f"{source}/{name}" for source, name in rows.iter_rows())
    return [path for path in paths if is_there(landing, path)]
