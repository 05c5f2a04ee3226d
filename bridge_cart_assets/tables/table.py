"""A table: a schema with its place, meaning and storage.

Belongs here: the one class from which the Delta schema, the strict cast, the checks, the Dagster
column table, the DuckDB comments and the data dictionary are derived. Does not belong here: a
particular table (see `raw`, `silver`, `gold`, `ops`), nor anything that reads or writes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from bridge_cart_assets.tables.columns import Column, Schema


class SchemaMismatchError(ValueError):
    """A frame or a stored table does not have the columns that were declared."""


@dataclass(frozen=True)
class Table:
    """One table of the lakehouse: a Delta table, or (of meta) one of the catalogue only.

    Attributes:
        path: layer and name, `gold/kpis_daily`; also the asset key.
        schema: columns, types and keys.
        description: the meaning of a row.
        partition_by: columns that become folders.
        interval_of: for SCD2 tables the columns that name the thing whose versions are kept.

    >>> from bridge_cart_assets.tables.columns import text
    >>> class Visitors(Schema):
    ...     visitor = text("Number of the visitor", key=True)
    ...     email = text("E-mail address", nullable=True, pii=True)
    >>> table = Table("silver/visitors", Visitors, "One row per visitor.")
    >>> table.layer, table.name
    ('silver', 'visitors')
    >>> table.dtypes
    {'visitor': String, 'email': String}
    >>> table.key, table.not_null, table.pii
    (('visitor',), ('visitor',), ('email',))
    >>> table.meaning("email"), table.columns["email"].nullable, table.empty().height
    ('E-mail address', True, 0)
    """

    path: str
    schema: type[Schema]
    description: str
    partition_by: tuple[str, ...] = ()
    interval_of: tuple[str, ...] = ()

    @property
    def layer(self) -> str:
        """raw, silver, gold, ops or meta."""
        return self.path.split("/")[0]

    @property
    def name(self) -> str:
        """The table's name within its layer."""
        return self.path.split("/")[1]

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        """The declared columns: a schema's own first, then those of the schema it builds on."""
        return self.schema.columns()

    @cached_property
    def dtypes(self) -> dict[str, pl.DataType]:
        """Column name to Polars type."""
        return {name: column.dtype for name, column in self.columns.items()}

    @cached_property
    def key(self) -> tuple[str, ...]:
        """The columns of the primary key."""
        return tuple(name for name, column in self.columns.items() if column.key)

    @cached_property
    def not_null(self) -> tuple[str, ...]:
        """Columns that always have a value."""
        return tuple(n for n, c in self.columns.items() if not c.nullable)

    @cached_property
    def without_statistics(self) -> tuple[str, ...]:
        """Columns whose smallest and largest value tell who is in a file; files too have names.

        >>> from bridge_cart_assets.tables.silver import QUARANTINE
        >>> QUARANTINE.without_statistics
        ('object', 'value', 'raw')
        """
        return tuple(n for n, c in self.columns.items() if c.pii or n == "object")

    @cached_property
    def pii(self) -> tuple[str, ...]:
        """Columns by which a person could be recognised."""
        return tuple(n for n, c in self.columns.items() if c.pii)

    @cached_property
    def masked(self) -> tuple[str, ...]:
        """Columns whose values are shown to those only who ask for them.

        A keyed hash stands in the place of a value already, and tables are joined by it.

        >>> from bridge_cart_assets.tables.silver import CUSTOMERS, PURCHASES
        >>> CUSTOMERS.masked, PURCHASES.pii, PURCHASES.masked
        (('name', 'email', 'mobile', 'city'), ('email_key',), ())
        """
        return tuple(name for name in self.pii if not name.endswith("_key"))

    def meaning(self, column: str) -> str:
        """The one-line meaning of a column."""
        return self.columns[column].meaning

    def empty(self) -> pl.DataFrame:
        """A frame of this table without rows."""
        return pl.DataFrame(schema=self.dtypes)

    def conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Bring a frame into exactly the declared columns and types, or refuse it.

        Only casts that cannot change a value are made (narrower integers, categories, times of
        a coarser unit): delta-rs itself truncates floats and reads digits out of strings.

        Raises:
            SchemaMismatchError: says which column is missing, unknown, of another type, or null.

        >>> from bridge_cart_assets.tables.columns import integer
        >>> class Visits(Schema):
        ...     visits = integer("Visits of the day")
        >>> table = Table("silver/visits", Visits, "One row per day.")
        >>> table.conform(pl.DataFrame({"visits": [3]}, schema={"visits": pl.Int8}))["visits"].dtype
        Int64
        >>> table.conform(pl.DataFrame({"visits": [2.5]}))  # doctest: +NORMALIZE_WHITESPACE
        Traceback (most recent call last):
        bridge_cart_assets.tables.table.SchemaMismatchError: frame does not fit silver/visits:
        visits is Float64, declared Int64
        """
        differences = _name_differences(self.dtypes.keys(), frame.columns)
        for name in self.dtypes.keys() & set(frame.columns):
            if not _is_lossless(frame.schema[name], self.dtypes[name]):
                differences.append(f"{name} is {frame.schema[name]}, declared {self.dtypes[name]}")
        if differences:
            raise SchemaMismatchError(
                f"frame does not fit {self.path}: {'; '.join(sorted(differences))}"
            )
        typed = frame.select(pl.col(name).cast(dtype) for name, dtype in self.dtypes.items())
        nulls = typed.select(pl.col(self.not_null).null_count()).row(0) if typed.height else ()
        empty = [f"{n} has {c:,} nulls" for n, c in zip(self.not_null, nulls, strict=False) if c]
        if empty:
            raise SchemaMismatchError(f"frame does not fit {self.path}: {'; '.join(empty)}")
        return typed


def _name_differences(declared: object, actual: object) -> list[str]:
    want, have = set(declared), set(actual)  # type: ignore[call-overload]
    return [f"{n} is missing" for n in want - have] + [f"{n} is unknown" for n in have - want]


def _is_lossless(  # noqa: PLR0911 (one line per kind of type)
    have: pl.DataType, want: pl.DataType
) -> bool:
    if have in (want, pl.Null()):
        return True
    if isinstance(want, pl.String):
        return isinstance(have, (pl.Categorical, pl.Enum))
    if isinstance(want, pl.Int64):
        return have.is_integer() and have != pl.UInt64
    if isinstance(want, pl.Float64):
        return have == pl.Float32
    if isinstance(want, pl.Decimal) and isinstance(have, pl.Decimal):
        wider = want.precision - want.scale >= have.precision - have.scale
        return want.scale >= have.scale and wider
    if isinstance(want, pl.Datetime) and isinstance(have, pl.Datetime):
        return have.time_zone == want.time_zone and have.time_unit == "ms"
    if isinstance(want, pl.List) and isinstance(have, pl.List):
        return _is_lossless(have.inner, want.inner)  # type: ignore[arg-type]
    return False
