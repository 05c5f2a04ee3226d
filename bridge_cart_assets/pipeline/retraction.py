"""Taking back a landed file: it leaves landing, raw and silver as if it had never landed.

What is to be done is written down first, in a file of the data folder, and removed last. All steps
can be done again: a retraction that was cut off goes on from the beginning, by what is written.

1. The file is moved out of its source's folder, so that no run takes it in again.
2. Its records leave raw. The same commit says that its content is not taken: landed again, under
   this name or another one, it is a new file.
3. The ledger calls it retracted. Files that were repetitions of it are none any more.
4. Silver folds the days concerned again, without what raw has no more: records that its records had
   superseded stand again, and who is one person is decided without them.

Then silver and raw agree, and gold and the catalogue follow in a run as after a correction.

Belongs here: these steps. Does not belong here: which file is meant (`taken_objects`), or the run
(`terminal.retracting`).
"""

from functools import partial

import polars as pl

from bridge_cart_assets.ingestion.file_transactions import taken_back
from bridge_cart_assets.ingestion.landing import list_landing
from bridge_cart_assets.ingestion.ledger import mark_retracted
from bridge_cart_assets.ingestion.retracted_files import move_out
from bridge_cart_assets.lake.commits import Commit, retry_on_conflict
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.object_store import StoreError
from bridge_cart_assets.pipeline.losses import in_words, missing_records
from bridge_cart_assets.pipeline.open_retraction import Retraction, TakenObject
from bridge_cart_assets.pipeline.pending import arrived_days
from bridge_cart_assets.pipeline.progress import ProgressCallback, silent
from bridge_cart_assets.pipeline.rebuild import clear
from bridge_cart_assets.pipeline.silver import fold_due_days
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.sources import SOURCES, Source
from bridge_cart_assets.transforms.masking import masked_path

RUN = "retract"


class RetractionRefusedError(RuntimeError):
    """A file cannot be taken back now; nothing was done."""


def refuse_losses(lake: Lake, taken: TakenObject) -> None:
    """Refuse to fold days of which raw has lost records: what silver has of them would go too.

    Raises:
        RetractionRefusedError: there are such days.
    """
    missing = [m for m in missing_records(lake) if m.source == taken.source]
    concerned = [m for m in missing if m.batch_day in taken.records]
    if concerned:
        raise RetractionRefusedError(
            f"{in_words(concerned)}, and the retraction would make silver follow\n"
            "bridge-cart doctor tells which can be taken again; nothing was taken back"
        )


def take_back(
    lake: Lake,
    settings: Settings,
    retraction: Retraction,
    progress: ProgressCallback = silent,
    *,
    is_resumed: bool = False,
) -> None:
    """Take a file out of landing, raw and silver; done again it changes nothing.

    Args:
        lake: the tables.
        settings: where things lie, and what silver is made with.
        retraction: which file, and when it began.
        progress: gets a line now and then.
        is_resumed: whether it was begun before, and cut off.

    Raises:
        RetractionRefusedError: the file cannot be moved.
    """
    taken = retraction.taken
    assert taken is not None  # noqa: S101 - it is known before anything is done
    source = next(source for source in SOURCES if source.name == taken.source)
    progress("landing: moving the file")
    move_file(settings, taken)
    progress(f"{source.raw.path}: taking out its records")
    retry_on_conflict(partial(take_out_records, lake, source, taken))
    mark_retracted(
        lake,
        source.name,
        taken.fingerprints,
        {taken.object: taken.place},
        list_landing(settings.landing_zone, source.name, settings.timezone),
        RUN,
        retraction.began,
    )
    due = {one.name: set(taken.records) if one is source else set() for one in SOURCES}
    fold_due_days(
        *(lake, SOURCES, due, RUN, progress, settings.silver),
        is_raw_rewritten=True,
        is_resumed=is_resumed,
    )
    if not any(lake.snapshot(one.raw).rows for one in SOURCES):
        # Nothing else has landed: gold has no day to follow to.
        clear(lake)


def move_file(settings: Settings, taken: TakenObject) -> None:
    """Move the file out of its source's folder, if it still is the one that was taken.

    Raises:
        RetractionRefusedError: it cannot be moved. It is the first step, so nothing is done then.
    """
    if taken.place is None:
        return
    landing = settings.landing_zone
    listed = list_landing(landing, taken.source, settings.timezone)
    for file in listed:
        if file.object == taken.object and file.signature[2:] == taken.entry:
            try:
                move_out(landing, file, taken.place)
            except (OSError, StoreError) as error:
                why = getattr(error, "strerror", None) or str(error).splitlines()[0]
                place = f"{masked_path(taken.place)} of the landing zone"
                raise RetractionRefusedError(
                    f"{masked_path(taken.name)} cannot be moved to {place}: {why}\n"
                    "nothing was taken back"
                ) from error


def take_out_records(lake: Lake, source: Source, taken: TakenObject) -> int:
    """Take a file's records out of raw, which has not taken it then; how many files it rewrote."""
    if not taken.fingerprints:
        # Refused, or a repetition of another file: raw has nothing of it.
        return 0
    raw = lake.snapshot(source.raw)
    is_its = (pl.col("_object") == taken.object) & pl.col("_fingerprint").is_in(
        list(taken.fingerprints)
    )

    def others(rows: pl.DataFrame) -> pl.DataFrame | None:
        left = rows.filter(~is_its)
        return left if left.height < rows.height else None

    days = set(taken.records)
    of_days = raw.scan().filter(pl.col("_batch_day").is_in(list(days)), ~is_its)
    left = {*of_days.select(pl.col("_batch_day").unique()).collect()["_batch_day"]}
    as_of = max(left | (arrived_days(lake, source).keys() - days), default=None)
    transactions = taken_back(raw, taken.fingerprints)
    return raw.rewrite(others, days, Commit(RUN, as_of, transactions))
