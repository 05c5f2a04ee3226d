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


def writing(table: Table, rows: pl.DataFrame) -> WriterProperties:
    """How rows of a table are written.

    Personal columns have no statistics, neither in the files nor in the log: the smallest and the
    largest name in a file tells who is in it.

    A dictionary of values that hardly repeat is built and thrown away: that was a third of the time
    of a write, and the files were larger.

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
    return WriterProperties(compression="ZSTD", column_properties=properties)


def _varied(sample: pl.DataFrame) -> set[str]:
    """The columns whose values hardly repeat."""
    return {
        name
        for name, dtype in sample.schema.items()
        if not dtype.is_nested() and _REPEATED * sample[name].n_unique() > sample.height
    }
