"""Landed files by the name under which they were taken: finding one, and what it has brought.

Belongs here: the answer to "what would leave if this file were taken back". Does not belong here:
taking it back (`retraction`).
"""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from bridge_cart_assets.ingestion.files import FileRefusedError, read_file
from bridge_cart_assets.ingestion.landing import LandedFile, list_landing
from bridge_cart_assets.ingestion.ledger import IN_RAW, RETRACTED, in_landing
from bridge_cart_assets.ingestion.retracted_files import free_place
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.object_store import ObjectStore
from bridge_cart_assets.pipeline.open_retraction import TakenObject
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.sources import SOURCES, Source
from bridge_cart_assets.tables.ops import FILES
from bridge_cart_assets.tables.raw import is_of_file
from bridge_cart_assets.tables.silver import CUSTOMERS, PURCHASES, QUARANTINE
from bridge_cart_assets.transforms.masking import masked_path

_NEAR = 5
# Comparing names letter by letter takes seconds beyond.
_MOST_COMPARED = 10_000
# Files that were not taken, and of which nothing can leave.
_KNOWN = (*IN_RAW, "partial")


class UnknownObjectError(RuntimeError):
    """Nothing was taken under a name; the message says what is there instead."""


class AlreadyRetractedError(RuntimeError):
    """A file was taken back before, and has not been taken since."""


@dataclass(frozen=True)
class Effects:
    """What a landed file has brought that would leave.

    Attributes:
        lines: order lines that stand in silver.
        net_revenue: their money, refunds taken off.
        profiles: versions of profiles that stand in silver.
        refused: records in quarantine.
        same: names of other files with the same content. Those that lie in the landing zone are
            taken in its place.
    """

    lines: int
    net_revenue: Decimal
    profiles: int
    refused: int
    same: Sequence[str]


def find_object(lake: Lake, settings: Settings, name: str) -> TakenObject:
    """The landed file of a name, `source/path`, as `status` and the ledger have it.

    Raises:
        UnknownObjectError: nothing was taken under this name.
        AlreadyRetractedError: it was taken back.
    """
    name = _spelt(lake, name)
    source_name, _, object_ = name.partition("/")
    source = next((source for source in SOURCES if source.name == source_name), None)
    _refuse_topics(name, object_, source)
    if source is None or not object_:
        raise _unknown(lake, name)
    row = _ledger_row(lake, source, object_)
    of_file = (
        lake.snapshot(source.raw)
        .scan()
        .filter(pl.col("_object") == object_, is_of_file(pl.col("_fingerprint")))
        .group_by("_fingerprint", "_batch_day")
        .agg(pl.len().cast(pl.Int64))
        .collect()
    )
    records = dict(of_file.group_by("_batch_day").agg(pl.sum("len")).sort("_batch_day").iter_rows())
    fingerprints = set(of_file["_fingerprint"])
    if row and row["state"] == "taken" and row["fingerprint"]:
        # A file without records, or one that an erasure has written: raw's rows do not name it.
        fingerprints.add(row["fingerprint"])
    landing = settings.landing_zone
    listed = list_landing(landing, source.name, settings.timezone)
    file = next((one for one in listed if one.object == object_), None)
    if file is not None and not _is_the_one(file, row, fingerprints):
        file = None
        lies_there = True
    else:
        lies_there = file is not None
    is_known = bool(records) or (row is not None and row["state"] in _KNOWN)
    if not is_known and not (file is not None and row is not None and row["state"] == "refused"):
        raise _nothing_taken(lake, name, row, lies_there)
    return TakenObject(
        source=source.name,
        object=object_,
        fingerprints=frozenset(fingerprints),
        records=records,
        entry=None if file is None else file.signature[2:],
        place=None if file is None else free_place(landing, file),
    )


def effects_of(lake: Lake, settings: Settings, taken: TakenObject) -> Effects:
    """What a landed file has brought."""
    of_file = (
        (pl.col("source") == taken.source)
        & pl.col("batch_day").is_in(list(taken.records))
        & (pl.col("object") == taken.object)
        & pl.col("fingerprint").is_in(list(taken.fingerprints))
    )
    lines = lake.snapshot(PURCHASES).scan().filter(of_file)
    is_money = pl.col("kind").is_in(["sale", "refund"])
    money = pl.col("net_amount").filter(is_money).sum()
    count, net_revenue = lines.select(pl.len(), money=money).collect().row(0)
    landing = settings.landing_zone
    return Effects(
        lines=count,
        net_revenue=net_revenue or Decimal(0),
        profiles=_count(lake.snapshot(CUSTOMERS).scan().filter(of_file)),
        refused=_count(lake.snapshot(QUARANTINE).scan().filter(of_file)),
        same=_same_content(lake, landing, settings.timezone, taken),
    )


def _count(rows: pl.LazyFrame) -> int:
    return int(rows.select(pl.len()).collect().item())


def _same_content(
    lake: Lake, landing: Path | ObjectStore, zone: str, taken: TakenObject
) -> list[str]:
    """Files in the landing zone that were not taken because this one had been."""
    rows = (
        lake.snapshot(FILES)
        .scan()
        .filter(
            pl.col("source") == taken.source,
            pl.col("fingerprint").is_in(list(taken.fingerprints)),
            pl.col("object") != taken.object,
            pl.col("state") == "repeated",
        )
        .sort("object")
        .collect()
    )
    if not rows.height:
        return []
    there = rows.filter(in_landing(rows, list_landing(landing, taken.source, zone)))
    return [f"{taken.source}/{name}" for name in there["object"]]


def _ledger_row(lake: Lake, source: Source, object_: str) -> dict[str, Any] | None:
    rows = (
        lake.snapshot(FILES)
        .scan()
        .filter(pl.col("source") == source.name, pl.col("object") == object_)
        .collect()
    )
    return next(rows.iter_rows(named=True), None)


def _is_the_one(file: LandedFile, row: dict[str, Any] | None, fingerprints: set[str]) -> bool:
    """Whether the file that lies there is what was taken, or refused, under its name."""
    if row is not None and row["state"] != RETRACTED:
        seen = tuple(row[name] for name in ("size", "modified_ns", "changed_ns"))
        if seen == file.signature[2:]:
            return True
        fingerprints = fingerprints | ({row["fingerprint"]} - {None})
    try:
        return read_file(file).fingerprint in fingerprints
    except FileRefusedError:
        return False


def _spelt(lake: Lake, name: str) -> str:
    """The name as the ledger has it, for one that people have seen masked."""
    if masked_path(name) != name or "…" not in name:
        return name
    meant = [known for known in _known_names(lake) if masked_path(known) == name]
    return meant[0] if len(meant) == 1 else name


def _known_names(lake: Lake) -> list[str]:
    """The names of the ledger, those of the latest days first."""
    ledger = lake.snapshot(FILES).scan().sort("batch_day", descending=True)
    return ledger.select(pl.format("{}/{}", "source", "object")).collect().to_series().to_list()


def _refuse_topics(name: str, object_: str, source: Source | None) -> None:
    topics = [one.topic for one in SOURCES if one.topic]
    named = object_ if source is not None else name
    if any(re.fullmatch(rf"{re.escape(topic)}(-\d+)?", named) for topic in topics):
        raise UnknownObjectError(
            f"{name} is a topic and no landed file: messages cannot be taken back\n"
            "send a correction of their records"
        )


def _nothing_taken(
    lake: Lake, name: str, row: dict[str, Any] | None, lies_there: bool
) -> RuntimeError:
    shown = masked_path(name)
    if lies_there:
        return UnknownObjectError(
            f"{shown} has not been taken in yet: there is nothing to take back\n"
            "remove it from the landing zone if it is not meant"
        )
    if row is not None and row["state"] == RETRACTED:
        lies_in = f"; it lies in {masked_path(row['detail'])} of the landing zone"
        return AlreadyRetractedError(
            f"{shown} was taken back on {row['seen_at']:%Y-%m-%d %H:%M} UTC"
            f"{lies_in if row['detail'] else ''}"
        )
    if row is not None:
        return UnknownObjectError(
            f"{shown} was refused, and is not in the landing zone any more: nothing of it was taken"
        )
    return _unknown(lake, name)


def _unknown(lake: Lake, name: str) -> UnknownObjectError:
    near = [masked_path(one) for one in _near(name, _known_names(lake))]
    remedy = (
        f"near it are {', '.join(near)}"
        if near
        else "the files that were taken: bridge-cart sql \"SELECT source || '/' || object "
        'FROM ops.files"'
    )
    return UnknownObjectError(f"no file was taken under the name {masked_path(name)}\n{remedy}")


def _near(name: str, known: Sequence[str]) -> list[str]:
    """Names that may be meant: those that it ends or begins, then those with similar letters."""
    ends = [one for one in known if one.endswith(f"/{name.rpartition('/')[2]}")]
    begins = [one for one in known if one.startswith(name)]
    similar = difflib.get_close_matches(name, known[:_MOST_COMPARED], n=_NEAR)
    return list(dict.fromkeys([*ends, *begins, *similar]))[:_NEAR]
