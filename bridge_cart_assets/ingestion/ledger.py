"""What became of each landed file, remembered so that unchanged files are not opened again.

Belongs here: the ledger `ops/files` and the question "what is new?". It is a hint: whether a
file's records have been taken in stands in the raw table's own commits.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from bridge_cart_assets.ingestion.landing import LandedFile
from bridge_cart_assets.lake.delta import Change, Commit, Lake, retrying
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.ops import FILES

_SIGNATURE = ["source", "object", "size", "modified_ns", "changed_ns"]


@dataclass(frozen=True)
class Seen:
    """What a look at one file came to; `state` is taken, repeated or refused."""

    file: LandedFile
    state: str
    fingerprint: str | None = None
    records: int | None = None
    reason: str | None = None
    detail: str | None = None


def not_seen(lake: Lake, listed: Iterable[LandedFile]) -> list[LandedFile]:
    """The files that are new or have changed since they were last looked at."""
    files = list(listed)
    if not files:
        return []
    ledger = lake.look(FILES).scan().select(*_SIGNATURE, "state").collect()
    # Without its raw table nothing of a source has been taken, whatever the ledger remembers.
    gone = {s.name for s in SOURCES if lake.look(s.raw).version is None}
    known = {
        tuple(signature)
        for *signature, state in ledger.iter_rows()
        if state == "refused" or signature[0] not in gone
    }
    return [file for file in files if file.signature not in known]


def remember(lake: Lake, seen: Sequence[Seen], run_id: str, now: datetime) -> None:
    """Write down what became of the files that were looked at, one row per file."""
    if not seen:
        return
    rows = pl.DataFrame(
        [
            {
                "source": s.file.source,
                "object": s.file.object,
                "size": s.file.size,
                "modified_ns": s.file.modified_ns,
                "changed_ns": s.file.changed_ns,
                "batch_day": s.file.batch_day,
                "state": s.state,
                "reason": s.reason,
                "detail": s.detail,
                "fingerprint": s.fingerprint,
                "records": s.records,
                "seen_at": now,
                "run_id": run_id,
            }
            for s in seen
        ],
        schema=FILES.dtypes,
    )

    def write() -> int:
        snapshot = lake.look(FILES)
        key = list(FILES.key)
        old = snapshot.scan().select(key).join(rows.lazy(), on=key, how="semi").collect()
        change = Change(
            inserts=rows.join(old, on=key, how="anti"),
            updates=rows.join(old, on=key, how="semi"),
            deletes=FILES.empty(),
        )
        return snapshot.apply(change, Commit(run_id))

    retrying(write)


def forget_untaken(lake: Lake, run_id: str) -> int:
    """Forget files that count as taken and whose records raw does not have; how many.

    That is so after a raw table was put back to an earlier state. The files are looked at again.
    """
    raw = {source.name: lake.look(source.raw) for source in SOURCES}

    def write() -> int:
        snapshot = lake.look(FILES)
        rows = snapshot.read()
        is_lost = [
            state != "refused" and raw[source].transaction(transaction_of(fingerprint)) is None
            for source, state, fingerprint in rows["source", "state", "fingerprint"].iter_rows()
        ]
        lost = rows.filter(is_lost)
        if lost.height:
            change = Change(FILES.empty(), FILES.empty(), lost.select(FILES.key))
            snapshot.apply(change, Commit(run_id))
        return lost.height

    return retrying(write)


def transaction_of(fingerprint: str) -> str:
    """The transaction of a raw table by which a file's bytes are known to have been taken."""
    return f"file:{fingerprint}"


def refused(lake: Lake, listed: Iterable[LandedFile]) -> pl.DataFrame:
    """The refused files that still lie there unchanged, with their reasons."""
    present = pl.DataFrame(
        [file.signature for file in listed],
        schema={name: FILES.dtypes[name] for name in _SIGNATURE},
        orient="row",
    )
    return (
        lake.look(FILES)
        .scan()
        .filter(pl.col("state") == "refused")
        .join(present.lazy(), on=_SIGNATURE, how="semi")
        .sort("source", "object")
        .collect()
    )


def outside(files: Iterable[LandedFile], first: date, last: date) -> list[LandedFile]:
    """The files whose batch day is not among the partitions."""
    return [file for file in files if not first <= file.batch_day <= last]
