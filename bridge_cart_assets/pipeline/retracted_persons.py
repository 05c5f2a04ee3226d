"""Persons of whom only files know that were taken back: nothing in the tables names them.

Belongs here: finding their records in these files, and what names them there. Does not belong here:
persons whom the tables know (`person_index`), or taking records out (`erasure`).
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from bridge_cart_assets.ingestion.erased_records import ErasedNames
from bridge_cart_assets.ingestion.retracted_files import retracted_files
from bridge_cart_assets.ingestion.rewriting import rows_of_persons
from bridge_cart_assets.object_store import ObjectStore
from bridge_cart_assets.sources import SOURCES, Source
from bridge_cart_assets.transforms.addresses import read_email
from bridge_cart_assets.transforms.erased_names import ACCOUNT, name_key
from bridge_cart_assets.transforms.ids import tidy_id

# Columns of raw that say something about the record, beside those of its source.
_CONTENT = ("_pos", "_raw", "_rescued")


@dataclass
class RetractedPersons:
    """What files that were taken back say of some accounts.

    Attributes:
        accounts: those of the customer_ids that were asked for of which they know.
        addresses: addresses on records of these; others may have them too.
        orders: their orders, as (source, order_id).
        texts: full names and telephone numbers, as they are written.
    """

    accounts: set[str] = field(default_factory=set)
    addresses: set[str] = field(default_factory=set)
    orders: set[tuple[str, str]] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)


def find_in_retracted(
    landing: Path | ObjectStore, ids: Collection[str], hash_key: bytes
) -> RetractedPersons:
    """Look for some customer_ids in the files that were taken back."""
    keys = {ACCOUNT: {name_key(ACCOUNT, one, hash_key) for one in ids}}
    found = RetractedPersons()
    for _, source, rows in _rows(landing, ErasedNames(keys, hash_key)):
        _note(found, source, rows.filter(pl.col("_status") == "ok"), ids)
    return found


def records_in_retracted(
    landing: Path | ObjectStore, names: ErasedNames
) -> dict[str, list[dict[str, Any]]]:
    """The records of some persons in files that were taken back, by path below landing."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path, source, rows in _rows(landing, names):
        found.setdefault(path, []).extend(rows.select(*_CONTENT, *source.columns).to_dicts())
    return found


def _rows(
    landing: Path | ObjectStore, names: ErasedNames
) -> Iterator[tuple[str, Source, pl.DataFrame]]:
    for source in SOURCES:
        for path, file in retracted_files(landing, source.name):
            for rows in rows_of_persons(file, source, names):
                yield path, source, rows


def _note(
    found: RetractedPersons, source: Source, rows: pl.DataFrame, ids: Collection[str]
) -> None:
    conformed = source.conform(rows.lazy())
    account = tidy_id(pl.col("customer_id"))
    if conformed.purchases is not None:
        lines = conformed.purchases.filter(account.is_in(list(ids))).select(
            account=account, address=read_email(pl.col("email")), order=tidy_id(pl.col("order_id"))
        )
        own = lines.collect()
        found.accounts |= {*own["account"]}
        found.addresses |= {*own["address"].drop_nulls()}
        found.orders |= {(source.name, order) for order in own["order"].drop_nulls()}
    if conformed.customers is not None:
        profiles = conformed.customers.filter(account.is_in(list(ids))).select(
            account=account,
            address=read_email(pl.col("email")),
            name=pl.col("name").str.strip_chars(),
            mobile=pl.col("mobile").str.strip_chars(),
        )
        own = profiles.collect()
        found.accounts |= {*own["account"]}
        found.addresses |= {*own["address"].drop_nulls()}
        found.texts |= {*own["name"].drop_nulls(), *own["mobile"].drop_nulls()}
