"""What every record gets besides its own columns: its place, its verdict, what was rescued.

Belongs here: the last step that CSV, JSON and Parquet records share, from "these fields, this code"
to the columns of a raw table. Does not belong here: how a record is recognised (`csv_records`,
`json_records`, `parquet_records`).
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache

import numpy as np
import polars as pl

from bridge_cart_assets.ingestion.files import FileRefusedError
from bridge_cart_assets.sources import Source
from bridge_cart_assets.transforms.masking import masked_name

# Names of our own beside a file's columns, such as no header has (a header with a NUL may have
# anything: hence the length).
TEXT, CODE, DETAIL, STORED, SIZE, POS, RESCUED = (
    f"\0bridge-cart/{name}"
    for name in ("text", "code", "detail", "stored", "size", "pos", "rescued")
)
# A detail that begins so is said behind the reason's own words.
APPENDED_DETAIL = "; "
# At most so many names of unknown columns are recorded; a file may have one of its own in every
# record.
MOST_NAMES = 100
_SHOWN_NAMES = 20
_SHOWN_LENGTH = 40
_NO_LETTERS = re.compile(r"[\s_\-\ufeff]+")
VERDICT = ("_pos", "_status", "_error_code", "_error", "_raw", "_rescued")
_DETAILS = {
    "MALFORMED": "not a record of this format",
    "TOO_FEW_FIELDS": "fewer fields than the header has",
    "TOO_MANY_FIELDS": "more fields than the header has",
    "BAD_ENCODING": "not UTF-8; _raw has the bytes as Latin-1",
    "LINE_TOO_LONG": "longer than 8 MiB",
}


@dataclass(frozen=True)
class ParsedRecords:
    """Records, and how their columns differ from the source's.

    Attributes:
        records: a row per record: the source's columns as strings, `_pos`, `_status`,
            `_error_code`, `_error`, `_raw` and `_rescued` as in the raw tables.
        unknown: columns beyond the source's, sorted, 100 at most; their values are in `_rescued`.
        missing: columns of the source that are not there, in the source's order.
    """

    records: pl.DataFrame
    unknown: list[str]
    missing: list[str]

    @property
    def quarantined(self) -> int:
        """How many of them could not be read as records."""
        return int((self.records["_status"] == "quarantined").sum())


@dataclass(frozen=True)
class FileProvenance:
    """What all records of a file have in common."""

    source: str
    object: str
    fingerprint: str
    batch_day: date

    def put(self, read: ParsedRecords, before: int, run_id: str, now: datetime) -> pl.DataFrame:
        """Rows of the raw table.

        Args:
            read: the records, `_pos` from 1.
            before: records of the file that came before them.
            run_id: Dagster run that takes them.
            now: the clock.
        """
        return read.records.with_columns(
            _pos=pl.col("_pos") + before,
            _source=pl.lit(self.source),
            _object=pl.lit(self.object),
            _fingerprint=pl.lit(self.fingerprint),
            _ingested_at=pl.lit(now, dtype=pl.Datetime("us", "UTC")),
            _batch_day=pl.lit(self.batch_day),
            _batch_id=pl.lit(run_id),
        )


def add_provenance(
    files: Sequence[tuple[FileProvenance, pl.DataFrame]], run_id: str, now: datetime
) -> pl.DataFrame:
    """The rows of several files as rows of the raw table; `FileProvenance.put` for all at once."""
    provenance = pl.DataFrame(
        {
            "_source": [provenance.source for provenance, _ in files],
            "_object": [provenance.object for provenance, _ in files],
            "_fingerprint": [provenance.fingerprint for provenance, _ in files],
            "_batch_day": [provenance.batch_day for provenance, _ in files],
        }
    )
    of_row = np.repeat(np.arange(len(files)), [records.height for _, records in files])
    return pl.concat(
        [pl.concat(records for _, records in files), provenance[of_row]], how="horizontal"
    ).with_columns(
        _ingested_at=pl.lit(now, dtype=pl.Datetime("us", "UTC")), _batch_id=pl.lit(run_id)
    )


def spelling_key(name: str) -> str:
    """What all spellings of one name have in common: `Order ID`, `order-id`, `orderId`, `ORDER_ID`.

    >>> {spelling_key(name) for name in ("Order ID", "order-id", "orderId", "ORDER_ID")}
    {'orderid'}
    """
    return _NO_LETTERS.sub("", name).casefold()


def match_column_names(names: Sequence[str], source: Source) -> list[str]:
    """Names of columns, in the source's own spelling where one is meant: ` Order-ID` is order_id.

    A name that is spelt as the source has it goes before one that only means it, which then keeps
    its own.
    """
    known = _meanings(tuple(source.columns), tuple(source.aliases.items()))
    taken = set(names)
    found = []
    for name in names:
        own = name if name in source.columns else known.get(spelling_key(name), name)
        found.append(name if own != name and own in taken else own)
        taken.add(found[-1])
    return found


@cache
def _meanings(
    columns: tuple[str, ...], aliases: tuple[tuple[str, str], ...] = ()
) -> Mapping[str, str]:
    """The column that each spelling means; none for a spelling that two columns share."""
    keys = [spelling_key(name) for name in columns]
    others = {spelling_key(alias): name for alias, name in aliases}
    own = {key: name for key, name in zip(keys, columns, strict=True) if keys.count(key) == 1}
    return {**others, **own}


def unclear_names(spelt: Sequence[str], source: Source) -> str:
    """The columns that two names of a header may mean, none of them exactly; or that stand twice.

    To take one of them would be a guess.

    Returns:
        Their names, or nothing.
    """
    named = Counter(name for name in spelt if name)
    known = _meanings(tuple(source.columns), tuple(source.aliases.items()))
    meant: Counter[str] = Counter()
    for name, times in named.items():
        own = None if name in source.columns else known.get(spelling_key(name))
        if own is not None:
            meant[own] += times
    twice = {name for name, times in named.items() if times > 1}
    twice |= {name for name, times in meant.items() if times > 1 and name not in named}
    return ", ".join(shown_names(twice))


def lacking_columns(columns: Iterable[str], source: Source) -> str:
    """Which required columns names lack, in words that show the names; nothing when none."""
    there = list(columns)
    missing = [name for name in source.required if name not in there]
    if not missing:
        return ""
    lacking = f"without the required column {', '.join(missing)}"
    return f"{lacking}; it has {_shown(there)}" if any(there) else lacking


def require(columns: Iterable[str], source: Source) -> None:
    """Refuse a file that lacks a required column."""
    if lacking := lacking_columns(columns, source):
        raise FileRefusedError("HEADER_MISMATCH", lacking)


def _shown(names: Sequence[str]) -> str:
    """Names for people: not too many, not too long, and no character that a screen obeys.

    In a file without a header the names are somebody's data.
    """
    shown = [
        "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name[:_SHOWN_LENGTH])
        + ("…" if len(name) > _SHOWN_LENGTH else "")
        for name in map(masked_name, names[:_SHOWN_NAMES])
    ]
    rest = len(names) - len(shown)
    return ", ".join(shown) + (f" and {rest:,} more" if rest else "")


def shown_names(unknown: Iterable[str]) -> list[str]:
    """Names of unknown columns as they are recorded outside raw: sorted, masked, not too many."""
    return sorted({masked_name(name) for name in unknown})[:MOST_NAMES]


def unknown_of(header: Iterable[str], source: Source) -> list[str]:
    """The columns that the source does not have."""
    return shown_names(set(header) - source.columns.keys())


def missing_of(header: Iterable[str], source: Source) -> list[str]:
    """The columns that only the source has."""
    there = set(header)
    return [name for name in source.columns if name not in there]


def as_raw(frame: pl.DataFrame, source: Source, rescued: Sequence[str] = ()) -> pl.DataFrame:
    """Give judged records the columns of a raw table, in their order.

    Args:
        frame: POS, CODE (null for a readable record, BLANK, or a reason), TEXT, the record's
            columns; where it has them DETAIL (a reason in other words) and RESCUED.
        source: whose records they are.
        rescued: columns whose values are put into `_rescued`.
    """
    missing = [name for name in source.columns if name not in frame.columns]
    own = [name for name in (DETAIL, RESCUED) if name not in frame.columns]
    bad = pl.col(CODE).is_not_null() & (pl.col(CODE) != "BLANK")
    in_words = pl.col(CODE).replace_strict(_DETAILS, default=None, return_dtype=pl.String)
    return (
        frame.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in (*missing, *own))
        .with_columns(
            _pos=pl.col(POS).cast(pl.Int64),
            _status=pl.when(bad)
            .then(pl.lit("quarantined"))
            .when(pl.col(CODE) == "BLANK")
            .then(pl.lit("blank"))
            .otherwise(pl.lit("ok")),
            _error_code=pl.when(bad).then(pl.col(CODE)),
            _error=pl.when(bad).then(
                pl.when(pl.col(DETAIL).str.starts_with(APPENDED_DETAIL))
                .then(in_words + pl.col(DETAIL))
                .otherwise(pl.coalesce(pl.col(DETAIL), in_words))
            ),
            _raw=pl.when(bad).then(pl.col(TEXT)),
            _rescued=_rescued(list(rescued)) if rescued else pl.col(RESCUED),
        )
        .select(*source.columns, *VERDICT)
        .sort("_pos")
    )


def _rescued(unknown: list[str]) -> pl.Expr:
    present = pl.any_horizontal(pl.col(unknown).is_not_null())
    return pl.when(present).then(pl.struct(unknown).struct.json_encode())
