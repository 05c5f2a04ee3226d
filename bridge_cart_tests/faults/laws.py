"""What has to hold in a lake at any moment, and what when a run has come to its end.

Stated without the product's own checks: records are counted and compared in plain Python.
"""

from collections import Counter, defaultdict
from datetime import date

import polars as pl

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.pending import pending_days
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.silver import (
    ACCOUNTING,
    CUSTOMER_REPEATS,
    CUSTOMERS,
    INTERNAL,
    PURCHASE_REPEATS,
    PURCHASES,
    QUARANTINE,
    TABLES,
)
from bridge_cart_tests.faults.landed_files import VALUES, RawRecord

NATIVE = [source for source in SOURCES if source.name in VALUES]
# A record's source, fingerprint and position.
Identity = tuple[str, str, int]
# An object's name and the records that raw has of it.
Held = tuple[str, list[RawRecord]]
_STANDING, _BEATEN = (PURCHASES, CUSTOMERS), (PURCHASE_REPEATS, CUSTOMER_REPEATS)
_PARTS = ("blank", "quarantined", "accepted", "duplicate", "superseded")


def held(lake: Lake) -> dict[tuple[str, str], Held]:
    """What raw has of each file, by source and fingerprint; records in order of position."""
    found: dict[tuple[str, str], Held] = {}
    for source in NATIVE:
        columns = ["_fingerprint", "_object", "_pos", "_status", *VALUES[source.name]]
        rows = (
            lake.snapshot(source.raw).scan().select(columns).collect().sort("_fingerprint", "_pos")
        )
        positions = defaultdict(list)
        for fingerprint, name, pos, status, *values in rows.iter_rows():
            said = found.setdefault((source.name, fingerprint), (name, []))
            assert said[0] == name, f"one file's records under two names: {said[0]}, {name}"
            said[1].append((status, tuple(values)))
            positions[fingerprint].append(pos)
        for fingerprint, got in positions.items():
            wanted = list(range(1, len(got) + 1))
            assert got == wanted, f"raw/{source.name} {fingerprint[:8]} has positions {got}"
    return found


def hold_at_any_moment(lake: Lake) -> None:
    """Keys are unique; of a day that counts as done nothing is missing, and its counts add up."""
    for table in (*TABLES, *INTERNAL):
        keys = lake.snapshot(table).scan().select(table.key).collect()
        assert not keys.is_duplicated().any(), f"{table.path} has a key twice"
    pending = pending_days(lake, NATIVE)
    places = _places(lake)
    for identity, day in _arrived(lake).items():
        if day not in pending[identity[0]]:
            assert identity in places, f"{identity} of {day}, which is done, is nowhere in silver"
    for row in lake.snapshot(ACCOUNTING).read().iter_rows(named=True):
        assert row["records"] == sum(row[part] for part in _PARTS), f"out of balance: {row}"


def hold_after_a_run(lake: Lake) -> None:
    """Nothing is pending, each record is in one place, and accounting counts what is there."""
    assert not any(pending_days(lake, NATIVE).values())
    places = _places(lake)
    assert places.keys() == _arrived(lake).keys(), "silver has other records than raw"
    twice = [identity for identity, count in places.items() if count > 1]
    assert not twice, f"in two places of silver: {twice}"
    sums = lake.snapshot(ACCOUNTING).read().sum().row(0, named=True)
    assert (sums["accepted"] or 0) == sum(lake.snapshot(table).rows for table in _STANDING)
    assert (sums["quarantined"] or 0) == lake.snapshot(QUARANTINE).rows
    beaten = sum(lake.snapshot(table).rows for table in _BEATEN)
    assert (sums["duplicate"] or 0) + (sums["superseded"] or 0) == beaten
    assert (sums["records"] or 0) == sum(lake.snapshot(source.raw).rows for source in NATIVE)


def _arrived(lake: Lake) -> dict[Identity, date]:
    """Raw's records but for blank lines, with their day."""
    columns = ("_source", "_fingerprint", "_pos", "_batch_day")
    rows = pl.concat(
        lake.snapshot(source.raw).scan().filter(pl.col("_status") != "blank").select(columns)
        for source in NATIVE
    ).collect()
    return {(source, fingerprint, pos): day for source, fingerprint, pos, day in rows.iter_rows()}


def _places(lake: Lake) -> Counter[Identity]:
    """How often each record is in silver: standing, beaten or in quarantine."""
    tables = (*_STANDING, *_BEATEN, QUARANTINE)
    rows = pl.concat(
        lake.snapshot(table).scan().select("source", "fingerprint", "pos") for table in tables
    ).collect()
    return Counter(rows.iter_rows())
