"""How each table of gold was last built: read from the notes of its commits.

Belongs here: what a table and the internal ones that it is made from say together. Does not belong
here: building (`gold`). That a table is made from internal ones is of no interest to its readers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from bridge_cart_assets.lake.commit_notes import latest_notes
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.gold import Built, recipes
from bridge_cart_assets.tables.gold import INTERNAL
from bridge_cart_assets.tables.meta import GOLD_BUILDS
from bridge_cart_assets.tables.table import Table


@dataclass(frozen=True)
class LastBuild:
    """The build that a table was last changed by.

    Attributes:
        run_id: the run that did it.
        built_at: when it was committed.
        built: how.
    """

    run_id: str
    built_at: datetime
    built: Built


def recorded_builds(lake: Lake) -> pl.DataFrame:
    """The rows of meta/gold_builds, in the order in which the tables are built.

    A table whose rows stayed as they were has no commit of that run: its row is of an earlier one.
    One that an earlier version of the project wrote has no row.
    """
    of_all: dict[str, LastBuild] = {}
    rows = []
    for recipe in recipes(0.0):
        last = _last_build(lake, recipe.table)
        if last is None:
            continue
        of_all[recipe.table.path] = last
        if recipe.is_internal:
            continue
        of_run = [of_all[t.path] for t in recipe.inputs if t in INTERNAL and t.path in of_all]
        built = last.built.after([i.built for i in of_run if i.run_id == last.run_id])
        rows.append(
            {
                "name": recipe.table.name,
                "mode": built.mode,
                "why": built.why,
                "rows_changed": built.changed,
                "seconds": round(built.seconds, 3),
                "built_at": last.built_at,
                "run_id": last.run_id,
            }
        )
    return pl.DataFrame(rows, schema=GOLD_BUILDS.dtypes)


def _last_build(lake: Lake, table: Table) -> LastBuild | None:
    commit = latest_notes(lake, table, "mode")
    if commit is None:
        return None
    return LastBuild(commit.run_id, commit.committed_at, _built(commit.notes, commit.committed_at))


def _built(notes: Mapping[str, str], at: datetime) -> Built:
    began = datetime.fromtimestamp(int(notes["began"]) / 1000, tz=at.tzinfo)
    seconds = max(at - began, timedelta()).total_seconds()
    return Built(None, notes["mode"], notes.get("why"), int(notes["rows_changed"]), seconds)
