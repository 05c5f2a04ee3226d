"""How the tables' Parquet files are written.

Belongs here: compression and statistics. Does not belong here: commits (`commits`).
"""

from deltalake import ColumnProperties, WriterProperties

from bridge_cart_assets.tables.table import Table


def writing(table: Table) -> WriterProperties:
    """How a table's files are written: the smallest and largest name in a file tells who is in it.

    So personal columns have no statistics, neither here in the files nor in the log.
    """
    without = ColumnProperties(statistics_enabled="NONE")
    return WriterProperties(
        compression="ZSTD",
        column_properties={name: without for name in table.dtypes if name in table.pii},
    )
