"""A declared table as Delta stores it: schema, properties, creation, and whether it still fits.

Belongs here: what follows from a table's declaration. Does not belong here: rows and commits.
"""

from collections.abc import Collection, Mapping

import polars as pl
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import TableNotFoundError
from deltalake.schema import ArrayType, Field, PrimitiveType, Schema

from bridge_cart_assets.object_store import is_uri
from bridge_cart_assets.tables.table import SchemaMismatchError, Table

_CHECKPOINT_EVERY = 20
# Each entry behind the last checkpoint is a request or two whenever a table is opened.
_CHECKPOINT_EVERY_IN_A_STORE = 5
# In a column's metadata: the table had rows before it had the column.
_ADDED = "bridge_cart.added"
_PRIMITIVES: Mapping[type[pl.DataType], str] = {
    pl.String: "string",
    pl.Int64: "long",
    pl.Float64: "double",
    pl.Boolean: "boolean",
    pl.Date: "date",
    pl.Datetime: "timestamp",
}


def delta_schema(table: Table) -> Schema:
    """The Delta schema of a declared table; meanings become column comments."""
    return Schema(
        [
            Field(
                name,
                _delta_type(table.dtypes[name]),
                nullable=column.nullable,
                metadata={"comment": table.meaning(name)},
            )
            for name, column in table.columns.items()
        ]
    )


def create_table(table: Table, uri: str, options: dict[str, str] | None) -> DeltaTable:
    """Create a table without rows, or open the one that is there."""
    return DeltaTable.create(
        uri,
        schema=delta_schema(table),
        mode="ignore",
        partition_by=list(table.partition_by) or None,
        name=table.path,
        description=table.description,
        configuration=_properties(table, uri),
        storage_options=options,
        raise_if_key_not_exists=False,
    )


def absent_columns(table: Table, handle: DeltaTable, uri: str) -> tuple[str, ...]:
    """The declared columns that a stored table of an earlier version lacks; they are null there.

    Columns that can be null may be lacking. Gold may lack any, because it is made again.

    Raises:
        SchemaMismatchError: it differs in another way.
    """
    differences = _differences(table, handle)
    lacking = [name for name, stored in differences.items() if stored is None]
    may_lack = table.layer == "gold" or all(table.columns[n].nullable for n in lacking)
    if not differences or (may_lack and len(lacking) == len(differences)):
        return tuple(lacking)
    declared = _type_names(delta_schema(table))
    remedies = {"raw": "move it away", "ops": "move it away: it is written again"}
    remedy = remedies.get(table.layer, "bridge-cart rebuild makes it again from raw")
    words = "; ".join(
        f"{name} is {stored or 'missing'}, declared {declared.get(name, 'nowhere')}"
        for name, stored in sorted(differences.items())
    )
    raise SchemaMismatchError(f"{table.path} at {uri} differs: {words}. {remedy}")


def add_columns(table: Table, handle: DeltaTable, names: Collection[str]) -> None:
    """Add declared columns to a stored table, in one commit; its rows have null there."""
    fields = [
        Field(field.name, field.type, nullable=True, metadata={**field.metadata, _ADDED: "true"})
        for field in delta_schema(table).fields
        if field.name in names
    ]
    handle.alter.add_columns(fields)


def has_added_columns(handle: DeltaTable) -> bool:
    """Whether there may be files that lack columns of the table.

    Delta's own overwrite that merges schemas leaves no mark, and no such files either.
    """
    return any(_ADDED in field.metadata for field in handle.schema().fields)


def stored_columns(table: Table, uri: str, options: dict[str, str] | None) -> frozenset[str]:
    """The columns of a stored table, whatever is declared; none when there is no such table."""
    try:
        handle = DeltaTable(uri, storage_options=options)
    except TableNotFoundError:
        return frozenset()
    return frozenset(field.name for field in handle.schema().fields)


def renew_table(table: Table, uri: str, options: dict[str, str] | None) -> bool:
    """Empty a stored table that differs from its declaration, and give it the declared columns.

    Returns:
        Whether it differed.
    """
    try:
        handle = DeltaTable(uri, storage_options=options)
    except TableNotFoundError:
        return False
    if not _differences(table, handle):
        return False
    write_deltalake(handle, table.empty(), mode="overwrite", schema_mode="overwrite")
    handle.alter.set_table_properties(
        {name: value for name, value in _properties(table, uri).items() if value is not None}
    )
    return True


def _differences(table: Table, handle: DeltaTable) -> dict[str, str | None]:
    """The stored type of each column that is stored otherwise than declared; None where missing."""
    stored, declared = _type_names(handle.schema()), _type_names(delta_schema(table))
    return {
        name: stored.get(name)
        for name in sorted(stored.keys() | declared.keys())
        if stored.get(name) != declared.get(name)
    }


def _type_names(schema: Schema) -> dict[str, str]:
    """The type of each column, as Delta writes it: `string`, `decimal(18,3)`, `list of double`.

    Whether a list may hold null is left out: a write that adds columns says that all lists may.
    """
    return {field.name: _type_name(field.type) for field in schema.fields}


def _type_name(stored: object) -> str:
    if isinstance(stored, ArrayType):
        return f"list of {_type_name(stored.element_type)}"
    return stored.type if isinstance(stored, PrimitiveType) else str(stored)


def _delta_type(dtype: pl.DataType) -> PrimitiveType | ArrayType:
    if isinstance(dtype, pl.Decimal):
        return PrimitiveType(f"decimal({dtype.precision},{dtype.scale})")
    if isinstance(dtype, pl.List):
        return ArrayType(_delta_type(dtype.inner), contains_null=False)  # type: ignore[arg-type]
    return PrimitiveType(_PRIMITIVES[type(dtype)])


def _properties(table: Table, uri: str) -> dict[str, str | None]:
    # Statistics stay in the log after a row is gone: none on what tells a person. Raw is read by
    # batch day, which is its partition, and keeps a file for each day for ever: statistics of its
    # columns were three quarters of each checkpoint, and no reader asked for them.
    measured = [
        name
        for name, dtype in table.dtypes.items()
        if table.layer != "raw"
        and name not in table.without_statistics
        and name not in table.partition_by
        and not dtype.is_nested()
    ]
    every = _CHECKPOINT_EVERY_IN_A_STORE if is_uri(uri) else _CHECKPOINT_EVERY
    properties: dict[str, str | None] = {
        "delta.checkpointInterval": str(every),
        "delta.dataSkippingStatsColumns": ",".join(measured),
    }
    if table.layer in ("silver", "gold"):
        properties["delta.enableChangeDataFeed"] = "true"
    return properties
