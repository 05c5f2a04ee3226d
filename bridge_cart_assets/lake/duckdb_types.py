"""Types and texts as DuckDB's SQL writes them."""

import polars as pl

_TYPES: dict[type[pl.DataType], str] = {
    pl.String: "VARCHAR",
    pl.Int64: "BIGINT",
    pl.Float64: "DOUBLE",
    pl.Boolean: "BOOLEAN",
    pl.Date: "DATE",
    pl.Datetime: "TIMESTAMP WITH TIME ZONE",
}


def sql_type(dtype: pl.DataType) -> str:
    """DuckDB's name of the type of a declared column.

    >>> sql_type(pl.Decimal(18, 2)), sql_type(pl.List(pl.String()))
    ('DECIMAL(18,2)', 'VARCHAR[]')
    """
    if isinstance(dtype, pl.Decimal):
        return f"DECIMAL({dtype.precision},{dtype.scale})"
    if isinstance(dtype, pl.List):
        return f"{sql_type(dtype.inner)}[]"  # type: ignore[arg-type]
    return _TYPES[type(dtype)]


def escaped(text: str) -> str:
    """A text as it stands between single quotes.

    >>> escaped("Anna's lake")
    "Anna''s lake"
    """
    return text.replace("'", "''")
