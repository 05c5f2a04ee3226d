"""What a Parquet file declares that reading it takes, before anything of it is unpacked.

Belongs here: the footer, and the bounds on what it may declare. Does not belong here: the rows
(`parquet_records`).

A column of one value a million times, or a page of zeros, is a few bytes in Parquet. A footer that
says less than there is gets past these bounds; the run that dies of it is noticed (`attempts`).
"""

import tempfile
from dataclasses import dataclass

import duckdb

from bridge_cart_assets.ingestion.files import (
    FileRefusedError,
    refuse_too_many_columns,
    refuse_too_many_records,
    refuse_unpacked,
)

# A list is decoded as a whole, however few rows it has.
MAX_NESTED_BYTES = 512 * 1024**2
# Bytes of a value in memory; a text is a view of that size.
_WIDTH = "CASE type WHEN 'BOOLEAN' THEN 1 WHEN 'INT32' THEN 4 WHEN 'FLOAT' THEN 4 ELSE 16 END"
_LONGEST_FIXED = (
    "SELECT coalesce(max(try_cast(type_length AS BIGINT)), 0) FROM parquet_schema($path)"
)
_QUESTION = f"""
    WITH chunks AS (
        SELECT row_group_id, row_group_num_rows AS rows, column_id, num_values,
            greatest(total_uncompressed_size, 0)::HUGEINT AS unpacked,
            num_values::HUGEINT * greatest({_WIDTH}, $fixed) AS decoded,
            CASE WHEN type NOT LIKE '%BYTE_ARRAY' THEN num_values::HUGEINT * 24
                WHEN encodings LIKE '%DICTIONARY%' THEN num_values::HUGEINT * unpacked
                ELSE unpacked END AS texts
        FROM parquet_metadata($path)
    )
    SELECT
        (SELECT coalesce(sum(rows), 0) FROM (SELECT DISTINCT row_group_id, rows FROM chunks)),
        coalesce(max(column_id) + 1, 0),
        coalesce(sum(unpacked), 0),
        coalesce(max(decoded) FILTER (num_values > rows), 0),
        coalesce(sum(texts), 0)
    FROM chunks
"""  # noqa: S608 (a constant)


@dataclass(frozen=True)
class DeclaredSize:
    """What reading a file takes, as its footer says.

    Attributes:
        rows: how many records it has.
        columns: how many columns, those of nested values by themselves.
        unpacked: bytes of all its pages.
        nested: bytes of the largest column of nested values in memory.
        texts: bytes that all values can be as texts at most. One value of a dictionary may be the
            value of all rows.
    """

    rows: int
    columns: int
    unpacked: int
    nested: int
    texts: int


def declared_size(parquet: str | bytes) -> DeclaredSize:
    """Read what a file declares.

    Args:
        parquet: its path or its bytes.

    Raises:
        FileRefusedError: UNREADABLE.
    """
    if isinstance(parquet, bytes):
        # DuckDB reads no bytes in memory.
        with tempfile.TemporaryFile() as copy:
            copy.write(parquet)
            copy.flush()
            return declared_size(f"/dev/fd/{copy.fileno()}")
    try:
        with duckdb.connect(config={"threads": 1}) as connection:
            fixed = connection.execute(_LONGEST_FIXED, {"path": parquet}).fetchall()[0][0]
            row = connection.execute(_QUESTION, {"path": parquet, "fixed": fixed}).fetchall()[0]
    except duckdb.Error as error:
        words = " ".join(str(error).split())
        raise FileRefusedError("UNREADABLE", f"not a Parquet file: {words}"[:200]) from error
    return DeclaredSize(*map(int, row))


def refuse_costly(declared: DeclaredSize, stored: int) -> None:
    """Refuse a file that declares more than a shop's records take.

    Args:
        declared: what its footer says.
        stored: how many bytes it has.

    Raises:
        FileRefusedError: TOO_LARGE.
    """
    refuse_too_many_records(declared.rows, stored)
    refuse_too_many_columns(declared.columns)
    refuse_unpacked(declared.unpacked, stored)
    if declared.nested > MAX_NESTED_BYTES:
        raise FileRefusedError(
            "TOO_LARGE",
            f"a column of nested values takes {declared.nested / 1024**2:,.0f} MiB in memory, and "
            f"{MAX_NESTED_BYTES // 1024**2} are allowed: land it with smaller row groups",
        )
