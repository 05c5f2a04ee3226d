"""Rebuilding silver and gold from raw: never less than before, and remembered until it is done."""

from datetime import datetime

import polars as pl

from bridge_cart_assets.batch_days import DayRange
from bridge_cart_assets.lake.changes import diff
from bridge_cart_assets.lake.commits import Commit, retry_on_conflict
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.gold import GOLD_TABLES
from bridge_cart_assets.pipeline.lake_format import (
    CURRENT,
    due_changes,
    refuse_later_format,
    remember_format,
    stored_format,
)
from bridge_cart_assets.pipeline.losses import (
    counted_records,
    in_words,
    lost_files,
    missing_records,
)
from bridge_cart_assets.pipeline.open_rebuild import unfinished_rebuild
from bridge_cart_assets.pipeline.pending import pending_days
from bridge_cart_assets.pipeline.persons import ANY_KEY, HASH_KEY
from bridge_cart_assets.pipeline.progress import ProgressCallback, silent
from bridge_cart_assets.pipeline.raw_migration import migrate_raw
from bridge_cart_assets.pipeline.remembered_settings import adopted_settings
from bridge_cart_assets.settings import SilverSettings
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.gold import INTERNAL as GOLD_INTERNAL
from bridge_cart_assets.tables.ops import REBUILDS
from bridge_cart_assets.tables.silver import ACCOUNTING, IDENTITIES, INTERNAL, TABLES
from bridge_cart_assets.tables.table import Table

_RUN = "rebuild"
# A day counts as done when accounting has it, so accounting is emptied first.
_REBUILT = tuple(
    dict.fromkeys((ACCOUNTING, IDENTITIES, *TABLES, *INTERNAL, *GOLD_TABLES, *GOLD_INTERNAL))
)


class RebuildRefusedError(RuntimeError):
    """Raw has less than silver and gold were made from."""


def refuse_to_lose(lake: Lake, partitions: DayRange, accept_loss: bool = False) -> None:
    """Refuse a rebuild after which silver and gold would have less than now.

    Args:
        lake: the tables.
        partitions: the batch days that a run can fold.
        accept_loss: whether what raw has lost may be missing afterwards.

    Raises:
        RebuildRefusedError: raw lacks records that silver has counted, or files that were taken;
            or silver has days that are no partitions any more.
    """
    counted = counted_records(lake)["batch_day"].unique()
    outside = [day for day in counted if day not in partitions]
    if outside:
        raise RebuildRefusedError(
            f"not rebuilt: {len(outside):,} batch days of silver ({min(outside)} to "
            f"{max(outside)}) are no partitions, which begin on {partitions.first}\n"
            f"set BRIDGE_CART_START_DATE={min(*outside, partitions.first)} and rebuild"
        )
    if accept_loss:
        return
    missing = missing_records(lake)
    lost = lost_files(lake, ())
    if missing:
        problem = in_words(missing)
    elif lost.height:
        first = lost.row(0, named=True)
        problem = (
            f"{lost.height:,} files that were taken are not in raw "
            f"({first['source']}/{first['object']}, {first['records'] or 0:,} records)"
        )
    else:
        return
    raise RebuildRefusedError(
        f"not rebuilt: {problem}\n"
        "silver and gold still have them: bridge-cart doctor tells which can be taken again; to "
        "rebuild without them: bridge-cart rebuild --accept-loss"
    )


def begin_rebuild(
    lake: Lake,
    now: datetime,
    settings: SilverSettings | None = None,
    progress: ProgressCallback = silent,
) -> None:
    """Write down that a rebuild has begun, empty silver and gold, and adopt the settings.

    A lake of an earlier format gets this version's, raw too. It says that it is of the earlier one
    until silver and gold are empty: when this is cut off, no run goes on with half of it.

    Args:
        lake: the tables.
        now: when that is.
        settings: what silver is made with from now on.
        progress: gets a line now and then.

    Raises:
        OtherFormatError: the lake is of a later version.
    """
    before = stored_format(lake)
    refuse_later_format(lake, before)
    is_earlier = before is not None and bool(due_changes(before))
    if before is not None and is_earlier:
        remember_format(lake, before, _RUN)
    records = sum(lake.snapshot(source.raw).rows for source in SOURCES)
    row = pl.DataFrame(
        [{"started_at": now, "raw_records": records, "finished_at": None, "run_id": None}],
        schema=REBUILDS.dtypes,
    )
    retry_on_conflict(lambda: lake.snapshot(REBUILDS).append(row, Commit(_RUN)))
    with adopted_settings(lake, settings or SilverSettings(), _RUN):
        clear(lake)
    if is_earlier:
        migrate_raw(lake, progress)
    remember_format(lake, CURRENT, _RUN)


def clear(lake: Lake) -> None:
    """Empty all tables of silver and gold, accounting first; those of an earlier version too.

    A day counts as done when accounting has it: once that is empty every day is pending, so a
    crash after it loses nothing that the next run does not make again.
    """
    for table in _REBUILT:
        # One that an earlier version wrote gets its new columns, and is empty then.
        if not lake.renew(table) and lake.snapshot(table).version is not None:
            retry_on_conflict(lambda table=table: _empty(lake, table))  # type: ignore[misc]


def finish_rebuild(lake: Lake, run_id: str, now: datetime, partitions: DayRange) -> bool:
    """Write down that silver has all of raw again, if a rebuild is open and it has.

    Called when gold has been made: it is made of what silver has. Records of days that are no
    partitions wait in raw, before a rebuild and after it.
    """
    if unfinished_rebuild(lake) is None:
        return False
    pending = (day for days in pending_days(lake, SOURCES).values() for day in days)
    if any(day in partitions for day in pending):
        return False

    def write() -> int:
        snapshot = lake.snapshot(REBUILDS)
        before = snapshot.read()
        is_open = pl.col("finished_at").is_null()
        after = before.with_columns(
            finished_at=pl.when(is_open).then(pl.lit(now)).otherwise("finished_at"),
            run_id=pl.when(is_open).then(pl.lit(run_id)).otherwise("run_id"),
        )
        return snapshot.apply(diff(REBUILDS, before, REBUILDS.conform(after)), Commit(run_id))

    retry_on_conflict(write)
    return True


def _empty(lake: Lake, table: Table) -> int:
    snapshot = lake.snapshot(table)
    # Another key, or none, may come now.
    forgotten = {HASH_KEY: ANY_KEY} if table is IDENTITIES else {}
    return snapshot.replace(table.empty(), Commit(_RUN, snapshot.as_of, forgotten))
