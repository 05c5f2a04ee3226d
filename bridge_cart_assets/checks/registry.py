"""The asset checks of every table, most of them derived from its declaration.

Belongs here: putting together a table's checks. Does not belong here: those that only some tables
have (`raw_and_silver`, `gold`).

A blocking check that fails stops everything downstream. The checks know no Dagster:
`assets.asset_checks` runs them.
"""

from collections.abc import Callable
from dataclasses import replace

from bridge_cart_assets.checks import integrity
from bridge_cart_assets.checks.check import Check, CheckContext, CheckResult
from bridge_cart_assets.checks.gold import GOLD_CHECKS
from bridge_cart_assets.checks.raw_and_silver import RAW_AND_SILVER_CHECKS
from bridge_cart_assets.tables.table import Table


def checks_of(table: Table) -> tuple[Check, ...]:
    """The checks of a table: schema, keys and intervals by its declaration, then its own."""
    derived = [
        Check(
            "schema_as_declared",
            "The stored table has the declared columns and types; a table that somebody else "
            "wrote to may not.",
            lambda context: _schema(table, context),
        ),
        Check(
            "keys_unique",
            f"({', '.join(table.key)}) is unique and never null: joins on it multiply no row.",
            lambda context: integrity.keys(table, context.touched(table)),
        ),
    ]
    if table.interval_of:
        derived.append(
            Check(
                "intervals_touch",
                "Versions touch, do not overlap, and one is current: each day has one answer.",
                lambda context: integrity.intervals(table, context.touched(table)),
            )
        )
    if table.layer != "gold":
        return (*derived, *RAW_AND_SILVER_CHECKS.get(table.path, ()))
    checks = (*derived, *GOLD_CHECKS.get(table.path, ()))
    return tuple(replace(check, compute=_with_days(table, check.compute)) for check in checks)


def _with_days(
    table: Table, look: Callable[[CheckContext], CheckResult]
) -> Callable[[CheckContext], CheckResult]:
    """The check, which names the days that the table is about where it names no others."""

    def looked(context: CheckContext) -> CheckResult:
        result = look(context)
        if {"first_day", "last_day"} & result.metadata.keys():
            return result
        return replace(result, metadata={**result.metadata, **context.days_of(table)})

    return looked


def _schema(table: Table, context: CheckContext) -> CheckResult:
    # A table whose stored schema differs is refused when it is opened, with the differences.
    return integrity.schema(table, context.lake.snapshot(table).scan().collect_schema())
