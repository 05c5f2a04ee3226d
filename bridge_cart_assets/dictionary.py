"""The data dictionary: every table with every column, as Markdown, from the declarations.

`make dictionary` writes it to docs/data_dictionary.md; a test says whether it is current.
"""

from collections.abc import Iterable, Iterator

from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables import gold, meta, ops, silver
from bridge_cart_assets.tables.table import Table


def all_tables() -> tuple[Table, ...]:
    """Every declared table, from raw to gold, then what the lakehouse keeps for itself."""
    raw = tuple(source.raw for source in SOURCES)
    kept = (*silver.INTERNAL, silver.SETTINGS, *ops.TABLES, *meta.TABLES)
    return (*raw, *silver.TABLES, *gold.TABLES, *kept)


def dictionary(tables: Iterable[Table]) -> str:
    """The dictionary of some tables as Markdown."""
    return "\n".join(_lines(tables)) + "\n"


def _lines(tables: Iterable[Table]) -> Iterator[str]:
    yield "# Data dictionary"
    yield ""
    yield "Generated from `bridge_cart_assets/tables/` by `make dictionary`; do not edit."
    for table in tables:
        yield ""
        yield f"## {table.path}"
        yield ""
        yield table.description
        yield ""
        yield f"Key: {', '.join(table.key)}."
        if table.partition_by:
            yield f"Partitioned by {', '.join(table.partition_by)}."
        yield ""
        yield "| column | type | null | meaning |"
        yield "|---|---|---|---|"
        for name, column in table.columns.items():
            nullable = "yes" if column.nullable else ""
            meaning = table.meaning(name) + (" *(personal)*" if name in table.pii else "")
            yield f"| {name} | {_type(str(table.dtypes[name]))} | {nullable} | {meaning} |"


def _type(dtype: str) -> str:
    return dtype.replace("precision=", "").replace("scale=", "").replace("time_unit=", "")


if __name__ == "__main__":
    print(dictionary(all_tables()), end="")
