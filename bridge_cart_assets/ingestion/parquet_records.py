"""Rows of Parquet as records: every value as the text that is read later.

Belongs here: the spelling of typed values, and reading rows from somewhere on. Does not belong
here: what the values mean (`transforms.cleaning`).
"""

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial

import polars as pl
from polars.exceptions import ComputeError, PanicException, PolarsError

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
from bridge_cart_assets.transforms.masking import masked_name

_MAGIC = b"PAR1"
_MOST_DIGITS = 38
_IN_A_GROUP = 3
_LONGEST_NUMBER = 24
# Up to here each whole number has a float of its own; above, several ids become one.
_EXACT = 2.0**53
# Stands before bytes that are no text. It is in no id.
NO_TEXT = "\ufffd"


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
    schema = partial(pl.read_parquet_schema, io.BytesIO(data))
    return _records(_reading(lambda: pl.read_parquet(io.BytesIO(data)), schema), source)


def text_bytes_of(data: bytes) -> int:
    """How many bytes the values of a small file are as texts.

    Raises:
        FileRefusedError: UNREADABLE.
    """
    return _text_bytes(_reading(lambda: pl.read_parquet(io.BytesIO(data))))


def read_rows(
    path: str, start: int, rows: int, source: Source, most: int
) -> Iterator[tuple[ParsedRecords, int]]:
    """Read some rows of a file.

    A value of a dictionary is in memory once, however many rows have it, until it becomes a text
    of each. So the rows are cut before that.

    Args:
        path: the file.
        start: rows that are left out.
        rows: how many are read.
        source: whose records they are.
        most: so many bytes of text at a time, unless one row has more.

    Yields:
        Records, and how many bytes their texts are.

    Raises:
        FileRefusedError: UNREADABLE or HEADER_MISMATCH.
    """
    scan = partial(pl.scan_parquet, path, glob=False, hive_partitioning=False)
    frame = _reading(lambda: scan().slice(start, rows).collect(), lambda: scan().collect_schema())
    for piece, size in _pieces(frame, most):
        yield _records(piece, source), size


def _pieces(frame: pl.DataFrame, most: int) -> Iterator[tuple[pl.DataFrame, int]]:
    """The rows in pieces whose values are at most so many bytes as texts, or one row."""
    size = _text_bytes(frame)
    if size <= most or frame.height <= 1:
        yield frame, size
        return
    half = frame.height // 2
    yield from _pieces(frame.head(half), most)
    yield from _pieces(frame.tail(frame.height - half), most)


def _text_bytes(frame: pl.DataFrame) -> int:
    return sum(_size_as_text(column) for column in frame.get_columns())


def _size_as_text(column: pl.Series) -> int:
    dtype = column.dtype
    if isinstance(dtype, pl.Struct):
        return _text_bytes(column.struct.unnest())
    if isinstance(dtype, (pl.Array, pl.List)):
        return _size_as_text(column.cast(pl.List(dtype.inner)).drop_nulls().explode())
    if isinstance(dtype, (pl.Categorical, pl.Enum)):
        counts = column.rename("value").value_counts(name="rows")
        sizes = counts["value"].cast(pl.String).str.len_bytes().cast(pl.Int64)
        return int((sizes * counts["rows"]).sum())
    if dtype == pl.String:
        return int(column.str.len_bytes().cast(pl.Int64).sum())
    if dtype == pl.Binary:
        # In hexadecimal where they are no text.
        return 2 * int(column.bin.size().cast(pl.Int64).sum())
    return _LONGEST_NUMBER * column.len()


def _reading(
    read: Callable[[], pl.DataFrame], schema: Callable[[], Mapping[str, pl.DataType]] | None = None
) -> pl.DataFrame:
    try:
        return read()
    except (PolarsError, PanicException, OSError) as error:
        if is_shortage(error):
            raise
        refusal = FileRefusedError("UNREADABLE", f"not a Parquet file: {error}"[:200])
        raise (schema and _too_precise(schema)) or refusal from error


def _too_precise(schema: Callable[[], Mapping[str, pl.DataType]]) -> FileRefusedError | None:
    """What to say of decimals that no reader at hand takes exactly; as floats they were rounded."""
    with suppress(PolarsError, PanicException, OSError):
        for name, dtype in schema().items():
            if isinstance(dtype, pl.Decimal) and dtype.precision > _MOST_DIGITS:
                return FileRefusedError(
                    "UNREADABLE",
                    f"{masked_name(name)} has a precision of {dtype.precision} digits, and Parquet "
                    f"is read up to {_MOST_DIGITS}: "
                    f"export it as decimal({_MOST_DIGITS}, {dtype.scale})",
                )
    return None


def _records(frame: pl.DataFrame, source: Source) -> ParsedRecords:
    header = match_column_names(frame.columns, source)
    frame = frame.rename(dict(zip(frame.columns, header, strict=True)))
    require(header, source)
    try:
        texts = frame.select(
            _text(pl.col(name), dtype).alias(name) for name, dtype in frame.schema.items()
        )
    except (PolarsError, PanicException) as error:
        raise FileRefusedError("UNREADABLE", f"a column has no text: {error}"[:200]) from error
    judged = texts.with_row_index(POS, offset=1).with_columns(
        pl.lit(None, dtype=pl.String).alias(CODE), pl.lit(None, dtype=pl.String).alias(TEXT)
    )
    records = as_raw(judged, source, [n for n in header if n not in source.columns])
    return ParsedRecords(records, unknown_of(header, source), missing_of(header, source))


def _text(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if dtype.is_nested():
        # Polars writes structs only, so the value is put into one and taken out of its text.
        spelt = pl.struct(_spelt(column, dtype).alias("x")).struct.json_encode()
        value = spelt.str.strip_prefix('{"x":').str.strip_suffix("}")
        return pl.when(column.is_not_null()).then(value)
    if dtype == pl.Binary or isinstance(dtype, pl.Duration):
        return _spelt(column, dtype)
    if dtype.is_float():
        return _decided(_number(column))
    if isinstance(dtype, pl.Decimal) and dtype.scale == _IN_A_GROUP:
        return _decided(column.cast(pl.String))
    return column.cast(pl.String)


def _number(column: pl.Expr) -> pl.Expr:
    """A float as people write it: without a point or an exponent when it is whole.

    One that is too large to be exact is in scientific notation, which is no id.
    """
    is_whole = (column == column.round()) & (column.abs() <= _EXACT)
    whole = pl.when(is_whole).then(column).cast(pl.Int64).cast(pl.String)
    spelt = column.cast(pl.String)
    # Below 1e16 a large number is written out: its point goes behind the first digit.
    rounded = pl.when(column.abs() > _EXACT).then(
        spelt.str.replace(r"^(-?\d)(\d{15})\.0$", "${1}.${2}e+15")
    )
    return pl.coalesce(whole, rounded, spelt)


def _decided(number: pl.Expr) -> pl.Expr:
    """The number with a fourth decimal behind three: the point before three may part thousands."""
    return number.str.replace(rf"^(-?[0-9]{{1,3}}\.[0-9]{{{_IN_A_GROUP}}})$", "${1}0")


def _spelt(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """A value as JSON can have it: what JSON has no spelling for as text."""
    if dtype == pl.Binary:
        return column.map_batches(_texts, return_dtype=pl.String)
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


def _texts(values: pl.Series) -> pl.Series:
    """Bytes as the UTF-8 text that they mostly are; others in hexadecimal, marked as no text."""
    try:
        return values.cast(pl.String)
    except ComputeError:
        texts = [None if value is None else _decoded(value) for value in values]
        return pl.Series(values.name, texts, dtype=pl.String)


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return NO_TEXT + value.hex()
