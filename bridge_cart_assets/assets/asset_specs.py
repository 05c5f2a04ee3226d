"""From a declared table to what Dagster shows of it.

Belongs here: specs and metadata that are the same for every table. Does not belong here: what a
particular asset does.
"""

from collections.abc import Sequence

import dagster as dg

from bridge_cart_assets.assets.lineage import lineage, origin
from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.tables.table import Table

OWNERS = ["team:data-engineering"]


def asset_key(table: Table) -> dg.AssetKey:
    """The asset key of a table: its path."""
    return dg.AssetKey(table.path.split("/"))


def asset_spec(
    table: Table,
    deps: Sequence[Table],
    *,
    days: dg.DailyPartitionsDefinition | None = None,
    condition: dg.AutomationCondition[dg.AssetKey] | None = None,
) -> dg.AssetSpec:
    """The asset spec of a table: description, columns, group and kinds come from its declaration.

    Args:
        table: the table.
        deps: tables that it is made from.
        days: the batch days when it is partitioned.
        condition: when Dagster re-materializes it on its own.
    """
    origins = lineage(table)
    return dg.AssetSpec(
        asset_key(table),
        deps=[asset_key(dep) for dep in deps],
        description=table.description,
        group_name=table.layer,
        kinds={"deltalake", "polars"},
        owners=OWNERS,
        partitions_def=days,
        automation_condition=condition,
        metadata={
            "dagster/column_schema": _column_schema(table),
            "key": ", ".join(table.key),
            # Of the table and not of each run: a run has one event per day, and it never changes.
            **({"dagster/column_lineage": origins} if origins else {}),
        },
        tags=_tags(table),
    )


def materialize_result(
    snapshot: Snapshot, **figures: int | float | str | dg.MetadataValue | None
) -> dg.MaterializeResult[None]:
    """The materialization result of a table: rows, version, as_of and figures.

    Args:
        snapshot: the table as it is now; it is created without rows if nothing was written.
        figures: further numbers, and a chart where there is one, shown by name.
    """
    snapshot.create_if_missing()
    version = snapshot.version or 0
    as_of = snapshot.as_of.isoformat() if snapshot.as_of else None
    shown: dict[str, int | float | str | dg.MetadataValue | None] = {"as_of": as_of, **figures}
    return dg.MaterializeResult(
        asset_key=asset_key(snapshot.table),
        data_version=dg.DataVersion(str(version)),
        metadata={
            "dagster/row_count": snapshot.rows,
            "delta_version": version,
            "dagster/uri": snapshot.uri,
            **{name: value for name, value in shown.items() if value is not None},
        },
    )


def _tags(table: Table) -> dict[str, str]:
    """What people filter the catalogue of assets by."""
    tags = {"layer": table.layer}
    if table.interval_of:
        tags["history"] = "scd2"
    if table.pii:
        tags["pii"] = "yes"
    return tags


def _column_schema(table: Table) -> dg.TableSchema:
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name,
                type=str(table.dtypes[name]),
                description=". ".join(filter(None, (table.meaning(name), origin(table, name)))),
                constraints=dg.TableColumnConstraints(
                    nullable=column.nullable, unique=table.key == (name,)
                ),
                tags={"pii": ""} if name in table.pii else None,
            )
            for name, column in table.columns.items()
        ]
    )
