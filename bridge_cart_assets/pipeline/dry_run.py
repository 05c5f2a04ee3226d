"""One file read as a source would take it, from its bytes to silver, without writing anything.

Belongs here: the steps of intake and of silver for a single file, and the sums that a person asks
of them. Does not belong here: how they are shown (`terminal.dry_run`).

The steps are those functions that a run calls: what this shows is what a run would do with the file
in an empty lake.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl

from bridge_cart_assets.ingestion.files import Content, FileRefusedError, open_file, read_file
from bridge_cart_assets.ingestion.landing import LandedFile, landed_file
from bridge_cart_assets.ingestion.raw_rows import FileProvenance, ParsedRecords
from bridge_cart_assets.ingestion.readers import (
    is_large,
    read_parts,
    read_records,
    refuse_on_unexpected_error,
)
from bridge_cart_assets.ingestion.repeated import RepeatedFile, taken_before
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.object_store import ObjectStore
from bridge_cart_assets.pipeline.cleaned_records import CleanedRecords, clean_records
from bridge_cart_assets.settings import SilverSettings
from bridge_cart_assets.sources import Source
from bridge_cart_assets.tables.columns import MONEY
from bridge_cart_assets.tables.silver import PURCHASES
from bridge_cart_assets.transforms.accounting import account
from bridge_cart_assets.transforms.folding import EMPTY, Folded, fold_customers, fold_purchases


@dataclass(frozen=True)
class DryRun:
    """What would become of a file.

    Attributes:
        file: the file; `object` is the name that it would be landed under.
        raw: its records, as rows of the raw table.
        unknown: columns that the source does not have; their values are in `_rescued`.
        missing: columns of the source that the file lacks.
        conformed: what the records are in the contract's columns, as text: order lines or
            profiles, with their provenance.
        accepted: the rows that silver would have, and those that they supersede.
        refused: the refused records and lines, as in silver/quarantine, with `amount`: what could
            be read of the line's amount.
        counts: records, raw_records, blank, quarantined, accepted, duplicate and superseded.
        profiles: profiles that a source of order lines brings beside them.
        taken: under which name and batch day raw has this content already.
    """

    file: LandedFile
    raw: pl.DataFrame
    unknown: Sequence[str]
    missing: Sequence[str]
    conformed: pl.DataFrame
    accepted: pl.DataFrame
    refused: pl.DataFrame
    counts: dict[str, int]
    profiles: int
    taken: RepeatedFile | None

    @property
    def batch_day(self) -> date:
        """The day that the file would arrive on."""
        return self.file.batch_day

    def refusals(self) -> pl.DataFrame:
        """reason, column, count, amount and up to three values, the most frequent reason first."""
        return (
            self.refused.group_by("reason", "column")
            .agg(
                count=pl.len(),
                amount=_sum("amount"),
                values=pl.col("value").drop_nulls().unique(maintain_order=True).head(3),
                first=pl.min("pos"),
            )
            .sort("count", "first", "reason", descending=[True, False, False])
            .drop("first")
        )

    def named_in(self, remark: str) -> pl.DataFrame:
        """column, count and amount of the columns that `guessed` or `unreadable` names."""
        has_money = "net_amount" in self.accepted.columns
        money = pl.col("net_amount").abs() if has_money else pl.lit(None, MONEY)
        return (
            self.accepted.filter(pl.col(remark).is_not_null())
            .select(column=pl.col(remark).str.split(","), amount=money)
            .explode("column")
            .group_by("column")
            .agg(count=pl.len(), amount=_sum("amount"))
            .sort("column")
        )


def dry_run(
    path: Path,
    source: Source,
    lake: Lake,
    landing: Path | ObjectStore,
    settings: SilverSettings | None = None,
) -> DryRun:
    """Read a file as a source's, and follow its records as far as silver.

    Args:
        path: the file; one below the source's landing folder has the name that it has there.
        source: whose file it is taken for.
        lake: is asked whether it has the content already; it may be empty or not be there.
        landing: the landing zone.
        settings: what silver is made with.

    Raises:
        FileRefusedError: the file cannot be taken.
        ValueError: the source's `conform` does not return what it feeds.
    """
    settings = settings or SilverSettings()
    path = path.absolute()
    folder = path.parent
    if isinstance(landing, Path) and path.is_relative_to(root := landing.absolute() / source.name):
        folder = root
    file = landed_file(source.name, folder, path, settings.timezone)
    if file is None:
        raise FileRefusedError("UNREADABLE", "there is no such file")
    content = read_file(file)
    with refuse_on_unexpected_error():
        parts = list(_parts(file, content, source))
    now = datetime.now(UTC)
    provenance = FileProvenance(source.name, file.object, content.fingerprint, file.batch_day)
    rows: list[pl.DataFrame] = []
    for part in parts:
        rows.append(provenance.put(part, sum(one.height for one in rows), "", now))
    raw = pl.concat(rows)
    cleaned = clean_records(raw.lazy(), source, settings)
    is_of_lines = source.feeds is PURCHASES
    folded = _folded(cleaned, source)
    conformed = cleaned.lines if is_of_lines else _collected(cleaned.profiles)
    return DryRun(
        file=file,
        raw=raw,
        unknown=sorted({name for part in parts for name in part.unknown}),
        missing=[n for n in source.columns if all(n in part.missing for part in parts)],
        conformed=_collected(None) if conformed is None else conformed,
        accepted=pl.concat(
            [folded.current, folded.superseded.filter(pl.col("fate") != EMPTY).drop("fate")],
            how="diagonal",
        ),
        refused=cleaned.refused,
        counts=_counts(raw, cleaned, folded, source),
        profiles=cleaned.customers.accepted.height if is_of_lines and cleaned.customers else 0,
        taken=taken_before(lake, source, file, content.fingerprint),
    )


def _parts(file: LandedFile, content: Content, source: Source) -> Iterator[ParsedRecords]:
    if not is_large(content):
        yield read_records(content, source)
        return
    with open_file(file) as opened:
        for part in read_parts(content, opened, source):
            yield part.read


def _sum(column: str) -> pl.Expr:
    """The sum of a column; null when it has no value at all."""
    return pl.when(pl.count(column) > 0).then(pl.sum(column))


def _collected(frame: pl.LazyFrame | None) -> pl.DataFrame:
    return pl.DataFrame() if frame is None else frame.collect()


def _folded(cleaned: CleanedRecords, source: Source) -> Folded:
    """The file's own records folded: which of them stand, and which are repeated or corrected."""
    if source.feeds is PURCHASES and cleaned.purchases is not None:
        return fold_purchases(cleaned.purchases.accepted, source.whole_order_in)
    if source.feeds is not PURCHASES and cleaned.customers is not None:
        return fold_customers(cleaned.customers.accepted)
    raise ValueError(f"conform of {source.name} returns nothing for {source.feeds.path}")


def _counts(
    raw: pl.DataFrame, cleaned: CleanedRecords, folded: Folded, source: Source
) -> dict[str, int]:
    counted = account(
        source.name,
        raw.lazy(),
        cleaned.refused.lazy(),
        folded.current.lazy(),
        folded.superseded.lazy(),
        cleaned.counted_lines(source),
    )
    names = [name for name, dtype in counted.schema.items() if dtype == pl.Int64]
    return dict(zip(names, counted.select(pl.sum(*names)).row(0), strict=True))
