"""A declared table as Delta stores it: schema, properties, creation, and whether it still fits.

Belongs here: what follows from a table's declaration. Does not belong here: rows and commits.
"""

from collections.abc import Mapping

import polars as pl
from deltalake import DeltaTable
from deltalake.schema import ArrayType, Field, PrimitiveType, Schema

from bridge_cart_assets.tables.table import SchemaMismatchError, Table

_CHECKPOINT_EVERY = 20
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
        configuration=_properties(table),
        storage_options=options,
        raise_if_key_not_exists=False,
    )


def refuse_other_schema(table: Table, handle: DeltaTable, uri: str) -> None:
    """Refuse a stored table that differs from its declaration.

    Raises:
        SchemaMismatchError: it differs.
    """
    stored = {f.name: str(f.type) for f in handle.schema().fields}
    declared = {f.name: str(f.type) for f in delta_schema(table).fields}
    differences = [
        f"{n} is {stored.get(n, 'missing')}, declared {declared.get(n, 'nowhere')}"
        for n in sorted(stored.keys() | declared.keys())
        if stored.get(n) != declared.get(n)
    ]
    if differences:
        remedies = {"raw": "move it away", "ops": "move it away: it is written again"}
        remedy = remedies.get(table.layer, "move it away, then bridge-cart rebuild")
        raise SchemaMismatchError(
            f"{table.path} at {uri} differs: {'; '.join(differences)}. {remedy}"
        )


def _delta_type(dtype: pl.DataType) -> PrimitiveType | ArrayType:
    if isinstance(dtype, pl.Decimal):
        return PrimitiveType(f"decimal({dtype.precision},{dtype.scale})")
    if isinstance(dtype, pl.List):
        return ArrayType(_delta_type(dtype.inner), contains_null=False)  # type: ignore[arg-type]
    return PrimitiveType(_PRIMITIVES[type(dtype)])


def _properties(table: Table) -> dict[str, str | None]:
    # Statistics stay in the log after a row is gone: none on what tells a person.
    measured = [
        name
        for name, dtype in table.dtypes.items()
        if name not in table.pii and name not in table.partition_by and not dtype.is_nested()
    ]
    properties: dict[str, str | None] = {
        "delta.checkpointInterval": str(_CHECKPOINT_EVERY),
        "delta.dataSkippingStatsColumns": ",".join(measured),
    }
    if table.layer in ("silver", "gold"):
        properties["delta.enableChangeDataFeed"] = "true"
    return properties
