"""Files that were not taken because their content had been: which, and as what.

Belongs here: the question and its words. Does not belong here: telling that a file is one
(`ingest_files`), or remembering it (`ledger`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from bridge_cart_assets.ingestion.file_transactions import is_taken
from bridge_cart_assets.ingestion.landing import LandedFile
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.sources import Source
from bridge_cart_assets.tables.ops import FILES
from bridge_cart_assets.transforms.masking import masked_path

MOST_LINES = 10


@dataclass(frozen=True)
class RepeatedFile:
    """A landed file whose bytes raw has under another name.

    Attributes:
        source: whose file it is.
        object: its path below the source's folder.
        taken_as: the name under which raw has its records; None when nothing remembers it.
        batch_day: the batch day of these records.
    """

    source: str
    object: str
    taken_as: str | None
    batch_day: date | None

    def __str__(self) -> str:
        """For people."""
        known = ""
        if self.taken_as is not None:
            known = f" as {masked_path(self.taken_as)} of {self.batch_day}"
        name = f"{self.source}/{masked_path(self.object)}"
        return f"{name} adds nothing: its content was taken{known}"


def repeated_files(lake: Lake, source: Source, run_id: str) -> list[RepeatedFile]:
    """The files of a source that a run has found to be repeated, by name."""
    ledger = lake.snapshot(FILES).scan().filter(pl.col("source") == source.name)
    repeated = (
        ledger.filter(pl.col("run_id") == run_id, pl.col("state") == "repeated")
        .select("object", "fingerprint")
        .sort("object")
        .collect()
    )
    if not repeated.height:
        return []
    wanted = pl.col("fingerprint").is_in(repeated["fingerprint"].unique().to_list())
    taken = (
        ledger.filter(pl.col("state") == "taken", wanted)
        .select("fingerprint", "object", "batch_day")
        .collect()
    )
    originals = {fingerprint: (name, day) for fingerprint, name, day in taken.iter_rows()}
    # Other bytes may lie under the first name by now, and the ledger knows those only.
    lacking = [f for f in repeated["fingerprint"].unique() if f not in originals]
    originals |= _named_by_raw(lake, source, lacking)
    nothing = (None, None)
    return [
        RepeatedFile(source.name, name, *originals.get(fingerprint, nothing))
        for name, fingerprint in repeated.iter_rows()
    ]


def taken_before(
    lake: Lake, source: Source, file: LandedFile, fingerprint: str
) -> RepeatedFile | None:
    """A file whose bytes raw has, under which name and batch day; None when raw has them not."""
    if not is_taken(lake.snapshot(source.raw), fingerprint):
        return None
    known = _named_by_raw(lake, source, [fingerprint])
    return RepeatedFile(source.name, file.object, *known.get(fingerprint, (None, None)))


def repeats_in_lines(repeated: Sequence[RepeatedFile]) -> list[str]:
    """A line for each file, and one for all beyond ten."""
    lines = [str(file) for file in repeated[:MOST_LINES]]
    rest = len(repeated) - len(lines)
    return lines if rest <= 0 else [*lines, f"{rest:,} more files add nothing: see ops.files"]


def _named_by_raw(
    lake: Lake, source: Source, fingerprints: Sequence[str]
) -> dict[str, tuple[str, date]]:
    if not fingerprints:
        return {}
    found = (
        lake.snapshot(source.raw)
        .scan()
        .filter(pl.col("_fingerprint").is_in(list(fingerprints)), pl.col("_pos") == 1)
        .select("_fingerprint", "_object", "_batch_day")
        .collect()
    )
    return {fingerprint: (name, day) for fingerprint, name, day in found.iter_rows()}
