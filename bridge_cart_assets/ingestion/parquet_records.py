"""Rows of Parquet as records: every value as the text that is read later.

Belongs here: the spelling of typed values, and reading rows from somewhere on. Does not belong
here: what the values mean (`transforms.cleaning`).
"""

import io
from collections.abc import Callable
from functools import partial

import polars as pl
from polars.exceptions import PanicException, PolarsError

from bridge_cart_assets.ingestion.files import FileRefusedError, is_shortage
from bridge_cart_assets.ingestion.raw_rows import (
    CODE,
    POS,
    TEXT,
    ParsedRecords,
    as_raw,
    match_column_names,
    missing_of,
    require,
    unknown_of,
)
from bridge_cart_assets.sources import Source

_MAGIC = b"PAR1"


def refuse_cut_off(beginning: bytes, end: bytes) -> None:
    """Refuse a file that lacks its end.

    Raises:
        FileRefusedError: TRUNCATED.
    """
    if beginning.startswith(_MAGIC) and not end.endswith(_MAGIC):
        raise FileRefusedError("TRUNCATED", "the Parquet file has no footer: land it again")


def count_rows(parquet: str | bytes) -> int:
    """How many rows a file has, by its footer.

    Raises:
        FileRefusedError: UNREADABLE.
    """
    opened = io.BytesIO(parquet) if isinstance(parquet, bytes) else parquet
    scan = partial(pl.scan_parquet, opened, glob=False, hive_partitioning=False)
    return int(_reading(lambda: scan().select(pl.len()).collect()).item())


def read_parquet(data: bytes, source: Source) -> ParsedRecords:
    """Read all rows of a file.

    Raises:
        FileRefusedError: TRUNCATED, UNREADABLE or HEADER_MISMATCH.
    """
    refuse_cut_off(data, data)
    return _records(_reading(lambda: pl.read_parquet(io.BytesIO(data))), source)


def read_rows(path: str, start: int, rows: int, source: Source) -> ParsedRecords:
    """Read some rows of a file.

    Raises:
        FileRefusedError: UNREADABLE or HEADER_MISMATCH.
    """
    scan = partial(pl.scan_parquet, path, glob=False, hive_partitioning=False)
    return _records(_reading(lambda: scan().slice(start, rows).collect()), source)


def _reading(read: Callable[[], pl.DataFrame]) -> pl.DataFrame:
    try:
        return read()
    except (PolarsError, PanicException, OSError) as error:
        if is_shortage(error):
            raise
        raise FileRefusedError("UNREADABLE", f"not a Parquet file: {error}"[:200]) from error


def _records(frame: pl.DataFrame, source: Source) -> ParsedRecords:
    header = match_column_names(frame.columns, source)
    frame = frame.rename(dict(zip(frame.columns, header, strict=True)))
    require(header, source)
    try:
        texts = frame.select(
            _text(pl.col(name), name, dtype).alias(name) for name, dtype in frame.schema.items()
        )
    except (PolarsError, PanicException) as error:
        raise FileRefusedError("UNREADABLE", f"a column has no text: {error}"[:200]) from error
    judged = texts.with_row_index(POS, offset=1).with_columns(
        pl.lit(None, dtype=pl.String).alias(CODE), pl.lit(None, dtype=pl.String).alias(TEXT)
    )
    records = as_raw(judged, source, [n for n in header if n not in source.columns])
    return ParsedRecords(records, unknown_of(header, source), missing_of(header, source))


def _text(column: pl.Expr, name: str, dtype: pl.DataType) -> pl.Expr:
    if dtype.is_nested():
        spelt = pl.struct(_spelt(column, dtype).alias(name)).struct.json_encode()
        return pl.when(column.is_not_null()).then(spelt)
    if dtype == pl.Binary or isinstance(dtype, pl.Duration):
        return _spelt(column, dtype)
    return column.cast(pl.String)


def _spelt(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """A value as JSON can have it: what it has no spelling for as text."""
    if dtype == pl.Binary:
        return column.bin.encode("base64")
    if isinstance(dtype, pl.Duration):
        return column.dt.to_string("iso")
    if isinstance(dtype, pl.List):
        return column.list.eval(_spelt(pl.element(), dtype.inner))  # type: ignore[arg-type]
    if isinstance(dtype, pl.Array):
        return _spelt(column.arr.to_list(), pl.List(dtype.inner))
    if isinstance(dtype, pl.Struct):
        fields = [
            _spelt(column.struct.field(f.name), f.dtype).alias(f.name)  # type: ignore[arg-type]
            for f in dtype.fields
        ]
        return pl.when(column.is_not_null()).then(pl.struct(fields))
    return column
