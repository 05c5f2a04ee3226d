"""How the tables' Parquet files are written.

Belongs here: compression, statistics, and which columns have a dictionary. Does not belong here:
commits (`commits`).
"""

import polars as pl
from deltalake import ColumnProperties, WriterProperties

from bridge_cart_assets.tables.table import Table

# The rows by which it is judged whether the values of a column repeat; fewer say nothing.
_SAMPLE = 8_192
_FEWEST = 500
# With more distinct values than every fourth a dictionary costs more than it saves.
_REPEATED = 4
# The writer sets up ZSTD anew for every page, and a file has one page per column at least: with
# fewer rows that takes longer than all the rest of the write, and saves a few kilobytes.
_FEW_ROWS = 5_000


def writing(table: Table, rows: pl.DataFrame) -> WriterProperties:
    """How rows of a table are written.

    Personal columns have no statistics, neither in the files nor in the log: the smallest and the
    largest name in a file tells who is in it.

    A dictionary of values that hardly repeat is built and thrown away: that was a third of the time
    of a write, and the files were larger. Files with few rows are compressed by Snappy: 730 of them
    took half the time, and a tenth to a third more room. Compaction writes larger ones with ZSTD.

    Args:
        table: whose files.
        rows: what is written, or some of it.
    """
    sample = rows.head(_SAMPLE)
    varied = _varied(sample) if sample.height >= _FEWEST else set[str]()
    properties = {
        name: ColumnProperties(
            statistics_enabled="NONE" if name in table.without_statistics else None,
            dictionary_enabled=False if name in varied else None,
        )
        for name in table.dtypes
        if name in table.without_statistics or name in varied
    }
    is_small = rows.height < _FEW_ROWS * _files(table, rows)
    return WriterProperties(
        compression="SNAPPY" if is_small else "ZSTD", column_properties=properties
    )


def _files(table: Table, rows: pl.DataFrame) -> int:
    """How many files a write of the rows makes: one for each partition."""
    return rows.select(table.partition_by).n_unique() if table.partition_by else 1


def _varied(sample: pl.DataFrame) -> set[str]:
    """The columns whose values hardly repeat."""
    return {
        name
        for name, dtype in sample.schema.items()
        if not dtype.is_nested() and _REPEATED * sample[name].n_unique() > sample.height
    }
