"""Silver: clean the raw records of some batch days and fold them into what is already there.

A fold writes several tables, one commit each, in an order that makes a crash harmless:

1. `silver/identities`: who is one person;
2. `silver/*_repeats`: the records that are superseded now;
3. `silver/purchases` and `silver/customers`: the records that are current now, with their person;
4. `silver/*_repeats` again: the records that became current are removed;
5. `silver/quarantine`;
6. `silver/accounting`: the counts. A batch day is done once accounting has it. Until then the next
   run folds the day again, which changes nothing in tables that were already written.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import partial

import polars as pl

from bridge_cart_assets.batch_days import DayRange
from bridge_cart_assets.engine.engine import Engine
from bridge_cart_assets.lake.changes import diff
from bridge_cart_assets.lake.commits import Commit, CommitConflictError, retry_on_conflict
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.doctor import refuse_torn
from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.pipeline.cleaned_records import batches, clean_in_parts
from bridge_cart_assets.pipeline.fold import FoldResult, RecordSet, fold_records, without
from bridge_cart_assets.pipeline.gone_tables import refuse_gone_silver
from bridge_cart_assets.pipeline.hash_key import hash_key_in
from bridge_cart_assets.pipeline.lake_format import (
    CURRENT,
    refuse_other_format,
    remember_format,
)
from bridge_cart_assets.pipeline.losses import missing_records
from bridge_cart_assets.pipeline.pending import arrived_days, latest_day, pending_days
from bridge_cart_assets.pipeline.persons import FOLLOWED, Following, as_received
from bridge_cart_assets.pipeline.progress import ProgressCallback, silent
from bridge_cart_assets.pipeline.remembered_settings import remember_settings
from bridge_cart_assets.pipeline.spread_silver import (
    FirstLines,
    NotFirstError,
    clean_by,
    fold_first,
    is_first,
    records_on,
)
from bridge_cart_assets.settings import SilverSettings
from bridge_cart_assets.sources import SOURCES, Source
from bridge_cart_assets.tables.silver import (
    ACCOUNTING,
    CUSTOMER_REPEATS,
    CUSTOMERS,
    IDENTITIES,
    INTERNAL,
    PURCHASE_REPEATS,
    PURCHASES,
    QUARANTINE,
    TABLES,
)
from bridge_cart_assets.tables.table import Table
from bridge_cart_assets.transforms.accounting import account
from bridge_cart_assets.transforms.folding import RECORD
from bridge_cart_assets.transforms.local_time import start_of_day

_ATTEMPTS = 8
_REPEATS = {PURCHASES.path: PURCHASE_REPEATS, CUSTOMERS.path: CUSTOMER_REPEATS}


def fold_due_days(
    lake: Lake,
    sources: Sequence[Source],
    due: Mapping[str, Iterable[date]],
    run_id: str,
    progress: ProgressCallback = silent,
    settings: SilverSettings | None = None,
    engine: Engine | None = None,
    *,
    is_raw_rewritten: bool = False,
    is_resumed: bool = False,
) -> None:
    """Fold the due batch days of each source, then record as_of in every silver table.

    Args:
        lake: the tables.
        sources: the sources to fold.
        due: per source name the batch days.
        run_id: written down with each commit.
        progress: gets a line for every batch of days.
        settings: what the rows are made with; a lake keeps those of its first rows.
        engine: where records are cleaned and folded; in this process without.
        is_raw_rewritten: whether silver may have records of these days that raw has no more, or
            has otherwise. They are looked for, and taken out.
        is_resumed: whether that was begun before, and cut off.

    Raises:
        EngineError: the engine failed.
        OtherFormatError: the rows that are there were made by another version.
        SettingsError: the rows that are there were made with other settings.
        HashKeyError: the key of the addresses' hashes cannot be read, or is another one.
    """
    settings = settings or SilverSettings()
    refuse_torn(lake, (*TABLES, *INTERNAL))
    following = None
    refuse_other_format(lake)
    refuse_gone_silver(lake)
    if any(due.values()):
        remember_format(lake, CURRENT, run_id)
        remember_settings(lake, settings, run_id)
        following = Following.of(lake.snapshot(IDENTITIES), hash_key_in(settings.identity_key))
    for source in sources:
        records = arrived_days(lake, source)
        for batch in _batches(lake, source, records, due[source.name], engine):
            fold_days(
                *(lake, source, batch, run_id, settings, following, engine),
                is_raw_rewritten=is_raw_rewritten,
            )
            progress(f"silver: {source.name} up to {max(batch)}")
    if is_resumed and following is not None:
        progress("silver: looking at what was cut off")
        _fold_left_behind(lake, sources, run_id, following)
    record_as_of(lake, run_id, following)


def _batches(
    lake: Lake,
    source: Source,
    records: dict[date, int],
    due: Iterable[date],
    engine: Engine | None,
) -> Iterable[list[date]]:
    """The due days as they are folded together: all of them where the lines stay with an engine."""
    days = sorted(due)
    stay = engine is not None and _stay_there(lake, source, records, days, engine)
    return [days] if stay else batches(records, days)


def _stay_there(
    lake: Lake,
    source: Source,
    records: Mapping[date, int],
    days: Sequence[date],
    engine: Engine,
) -> bool:
    """Whether the lines of some days are folded and written by an engine."""
    if source.feeds is not PURCHASES or not engine.is_used_for(records_on(records, days)):
        return False
    return is_first(source, lake.snapshot(PURCHASES), lake.snapshot(PURCHASE_REPEATS))


def due_days(
    lake: Lake, days: DayRange | None, pending_in: DayRange | None
) -> dict[str, set[date]]:
    """The batch days to fold, per source name.

    Args:
        lake: the tables.
        days: the batch days of the run; None for all that have arrived.
        pending_in: take only pending days, and only of this range, in the place of `days`.
    """
    if pending_in is not None:
        candidates: dict[str, set[date]] = pending_days(lake, SOURCES)
    else:
        candidates = {source.name: set(arrived_days(lake, source)) for source in SOURCES}
    allowed = pending_in or days
    # Raw has lost records of these days. Folding them would lower the counts and hide the loss.
    incomplete = {(missing.source, missing.batch_day) for missing in missing_records(lake)}
    return {
        source: {
            day
            for day in arrived
            if (allowed is None or day in allowed) and (source, day) not in incomplete
        }
        for source, arrived in candidates.items()
    }


def fold_days(
    lake: Lake,
    source: Source,
    days: Sequence[date],
    run_id: str,
    settings: SilverSettings | None = None,
    following: Following | None = None,
    engine: Engine | None = None,
    *,
    is_raw_rewritten: bool = False,
) -> None:
    """Clean the raw records of some days and fold them into silver; idempotent.

    Args:
        lake: the tables.
        source: whose records they are.
        days: their batch days.
        run_id: written down with each commit.
        settings: what the rows are made with.
        following: what the run knows of persons, when it folds more than these days.
        engine: where records are cleaned and folded; in this process without.
        is_raw_rewritten: as `fold_due_days` has it.

    When another run brings more records of these days meanwhile, they are folded again: what is
    counted must be what was folded.

    Raises:
        CommitConflictError: others kept bringing records of these days.
    """
    settings = settings or SilverSettings()
    known = following or Following.of(lake.snapshot(IDENTITIES), hash_key_in(settings.identity_key))
    fold = partial(
        _fold_arrived, lake, source, days, run_id, settings, known, engine, is_raw_rewritten
    )
    if not any(fold() for _ in range(_ATTEMPTS)):
        raise CommitConflictError(
            f"{source.raw.path} kept getting records of {min(days)} to {max(days)}"
        )


def _fold_arrived(
    lake: Lake,
    source: Source,
    days: Sequence[date],
    run_id: str,
    settings: SilverSettings,
    following: Following,
    engine: Engine | None,
    is_raw_rewritten: bool,
) -> bool:
    """Fold what raw has now of some days; whether it still had the same when all was counted."""
    arrived = lake.snapshot(source.raw)
    records = arrived_days(lake, source)
    counts = {day: records.get(day, 0) for day in days}
    purchases: pl.DataFrame | None = None
    customers: pl.DataFrame | None
    first_lines: FirstLines | None = None
    if engine is not None and engine.is_used_for(sum(counts.values())):
        cleaned = clean_by(engine, arrived, days, source, settings, following.hash_key)
        customers, refused = cleaned.profiles.collect(), cleaned.refused.collect()
        lines = cleaned.counted.collect() if source.whole_order_in is not None else None
        if _stay_there(lake, source, records, days, engine):
            first_lines = fold_first(engine, cleaned, source)
        else:
            purchases = cleaned.lines.collect()
    else:
        purchases, customers, refused, lines = clean_in_parts(
            arrived, counts, source, settings, following.hash_key
        )
    commit = Commit(run_id)
    accepted = RecordSet(
        _accepted(purchases, PURCHASE_REPEATS), _accepted(customers, CUSTOMER_REPEATS)
    )

    def fold() -> FoldResult:
        came, gone = accepted, None
        if is_raw_rewritten:
            came, gone = _unlike_raw(lake, source, days, accepted)
        whole = source.whole_order_in
        return fold_records(
            lake, came.lines, came.profiles, following, commit, whole, first_lines, gone
        )

    try:
        result = retry_on_conflict(fold)
    except NotFirstError:
        return False
    touched = {(source.name, day) for day in days} | result.touched
    refused = refused.with_columns(
        quarantined_at=start_of_day(pl.col("batch_day"), settings.timezone)
    )
    retry_on_conflict(partial(update_quarantine, lake, source, arrived, days, refused, commit))
    # A profile of one source can displace one of another: that source's days are counted again.
    is_settled = True
    for other in SOURCES:
        changed = {day for name, day in touched if name == other.name}
        if other.name == source.name:
            is_settled = retry_on_conflict(
                partial(update_accounting, lake, source, arrived, days, changed, commit, lines)
            )
        elif changed:
            seen = lake.snapshot(other.raw)
            retry_on_conflict(partial(update_accounting, lake, other, seen, (), changed, commit))
    # Only now: until the days are counted, a run that comes after a crash looks again.
    following.followed = result.followed
    return is_settled


def _accepted(cleaned: pl.DataFrame | None, repeats: Table) -> pl.DataFrame:
    nothing = repeats.empty().drop("fate")
    return nothing if cleaned is None else cleaned.select(nothing.columns)


def _unlike_raw(
    lake: Lake, source: Source, days: Sequence[date], accepted: RecordSet
) -> tuple[RecordSet, RecordSet]:
    """The records of some days that silver lacks, and those that it has and should not have."""
    both = ((PURCHASES, accepted.lines), (CUSTOMERS, accepted.profiles))
    came, gone = [], []
    for table, records in both:
        of_days = (pl.col("source") == source.name) & pl.col("batch_day").is_in(list(days))
        current = lake.snapshot(table).scan().filter(of_days).collect()
        repeats = lake.snapshot(_REPEATS[table.path]).scan().filter(of_days).collect()
        stored = pl.concat([as_received(current).select(records.columns), repeats.drop("fate")])
        came.append(without(records, stored))
        gone.append(without(stored, records))
    return RecordSet(*came), RecordSet(*gone)


def _fold_left_behind(
    lake: Lake, sources: Sequence[Source], run_id: str, following: Following
) -> None:
    """Complete folds that took records out of silver and were cut off.

    Such a fold is known by the records that it takes out. Once these are gone it is not met again:
    records that stand in their place may be left among the superseded ones too, and the days of
    these records are not counted yet.
    """
    commit = Commit(run_id)
    for source in sources:
        lines, profiles = (_found_twice(lake, source, table) for table in (PURCHASES, CUSTOMERS))
        if lines.height or profiles.height:
            whole = source.whole_order_in
            fold = partial(fold_records, lake, lines, profiles, following, commit, whole)
            followed = retry_on_conflict(fold).followed
        else:
            followed = following.followed
        following.followed = followed
    accounted = lake.snapshot(ACCOUNTING).scan().select("source", "batch_day").collect()
    for source in sources:
        days = set(accounted.filter(source=source.name)["batch_day"])
        seen = lake.snapshot(source.raw)
        count = partial(update_accounting, lake, source, seen, (), days, commit)
        if days:
            retry_on_conflict(count)


def _found_twice(lake: Lake, source: Source, table: Table) -> pl.DataFrame:
    """A source's records that stand and are among the superseded ones, as these have them."""
    of_source = pl.col("source") == source.name
    current = lake.snapshot(table).scan().filter(of_source).select(RECORD)
    repeats = lake.snapshot(_REPEATS[table.path]).scan().filter(of_source)
    return repeats.join(current, on=RECORD, how="semi").drop("fate").collect()


def record_as_of(lake: Lake, run_id: str, following: Following | None = None) -> None:
    """Commit as_of to every silver table, also to those without new rows.

    Args:
        lake: the tables.
        run_id: written down with each commit.
        following: what the run knows of persons.
    """
    commit = Commit(run_id, as_of=latest_day(lake))
    for table in (*TABLES, *INTERNAL):
        retry_on_conflict(partial(_commit_nothing, lake, table, commit, following))


def _commit_nothing(lake: Lake, table: Table, commit: Commit, following: Following | None) -> int:
    """Commit without a change of rows, if the table does not have yet what is recorded."""
    snapshot = lake.snapshot(table)
    followed = following.followed if following and table is IDENTITIES else None
    is_known = snapshot.transaction(FOLLOWED) == followed and snapshot.as_of == commit.as_of
    if followed is not None and not is_known:
        # This commit changes no row: who follows the version before follows it too.
        version = followed + 1 if snapshot.version == followed else followed
        commit = replace(commit, transactions={FOLLOWED: version})
    return snapshot.apply(diff(table, table.empty(), table.empty()), commit)


def update_quarantine(
    lake: Lake,
    source: Source,
    arrived: Snapshot,
    days: Sequence[date],
    refused: pl.DataFrame,
    commit: Commit,
) -> None:
    """Make quarantine agree with the version of raw that was folded, and leave later records be."""
    snapshot = lake.snapshot(QUARANTINE)
    before = (
        snapshot.scan()
        .filter((pl.col("source") == source.name) & pl.col("batch_day").is_in(days))
        .collect()
    )
    # Looked at after quarantine: records get into raw first, so it has all that quarantine has.
    now = lake.snapshot(source.raw)
    if now.version != arrived.version:
        name = ["fingerprint", "pos"]
        later = _records(now, days).join(_records(arrived, days), on=name, how="anti")
        before = before.join(later.collect(), on=name, how="anti")
    snapshot.apply(diff(QUARANTINE, before, refused), commit)


def _records(raw: Snapshot, days: Sequence[date]) -> pl.LazyFrame:
    """What names the records of some days in a version of raw."""
    mine = raw.scan().filter(pl.col("_batch_day").is_in(days))
    return mine.select(fingerprint="_fingerprint", pos="_pos")


def update_accounting(
    lake: Lake,
    source: Source,
    raw: Snapshot,
    folded: Sequence[date],
    touched: Iterable[date],
    commit: Commit,
    lines: pl.DataFrame | None = None,
) -> bool:
    """Count what became of the records of some days.

    Args:
        lake: where the tables lie.
        source: whose records are counted.
        raw: the version of its raw table that was folded.
        folded: the days that were folded now.
        touched: days on which the fate of a record may have changed. Those that were not folded
            now keep the number of records that they had when they were, if they were; and where
            records have come since, they are left to the run that folds these.
        commit: what is written down with the rows.
        lines: the lines of the folded days, of a source whose records hold several.

    Returns:
        False, and nothing is written, when raw has got more records of the folded days since.
    """
    snapshot = lake.snapshot(ACCOUNTING)
    wanted = sorted({*folded, *touched})
    of_days = (pl.col("source") == source.name) & pl.col("batch_day").is_in(wanted)
    counted = account(
        source.name,
        raw.scan().filter(pl.col("_batch_day").is_in(wanted)),
        lake.snapshot(QUARANTINE).scan().filter(of_days),
        lake.snapshot(source.feeds).scan().filter(of_days),
        lake.snapshot(_REPEATS[source.feeds.path]).scan().filter(of_days),
        lines,
    )
    earlier = snapshot.scan().filter(of_days).collect()
    # Looked at last: whatever of another run was counted in silver is in raw by now.
    now_there = arrived_days(lake, source)
    was_folded = pl.col("batch_day").is_in(list(folded))
    fresh = counted.filter(was_folded)
    if any(
        now_there.get(day) != n for day, n in fresh.select("batch_day", "raw_records").iter_rows()
    ):
        return False
    settled = [
        day
        for day, n in earlier.filter(~was_folded).select("batch_day", "raw_records").iter_rows()
        if now_there.get(day) == n
    ]
    before = earlier.filter(was_folded | pl.col("batch_day").is_in(settled))
    of_raw = ["records", "blank", "raw_records"]
    kept = counted.drop(of_raw).join(
        before.filter(~was_folded).select("batch_day", *of_raw), on="batch_day"
    )
    after = pl.concat([fresh, kept.select(counted.columns)])
    snapshot.apply(diff(ACCOUNTING, before, after), commit)
    return True
