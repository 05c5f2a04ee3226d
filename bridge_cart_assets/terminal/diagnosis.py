"""What `doctor` looks at beside the tables: the catalogue, the last checks, this machine.

Belongs here: findings that need the data folder, Dagster's history or the installed packages, and
the line of a finding. Does not belong here: the tables (`pipeline.diagnosis`, `lake.doctor`).
"""

import os
import shutil
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from bridge_cart_assets.automation.status import recorded_in_dagster
from bridge_cart_assets.lake.catalogue import COPIES
from bridge_cart_assets.lake.catalogue_base import write_ahead_of
from bridge_cart_assets.lake.catalogue_health import catalogue_problem
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.doctor import Damage
from bridge_cart_assets.pipeline.gold import GOLD_TABLES
from bridge_cart_assets.pipeline.pending import latest_day
from bridge_cart_assets.pipeline.remembered_settings import refuse_other_settings
from bridge_cart_assets.settings import Settings, SettingsError
from bridge_cart_assets.tables.silver import TABLES as SILVER_TABLES
from bridge_cart_assets.thresholds import THRESHOLDS

_PACKAGES = ("bridge-cart", "dagster", "deltalake", "polars", "duckdb")
_CATALOGUE = "catalogue"
_GIGABYTE = 2**30


def in_a_line(damage: Damage) -> str:
    """A finding for people: what it is first, and what mends it last."""
    word = "mended" if damage.mended else "due" if damage.is_due else "BROKEN"
    remedy = "" if damage.mended or not damage.remedy else f"; {damage.remedy}"
    return f"{word:8}{damage.table}: {damage.problem}{remedy}"


def around_the_tables(settings: Settings, lake: Lake) -> Iterator[Damage]:
    """What is wrong beside the tables."""
    yield from _catalogue(settings, lake)
    yield from _failed_checks(settings, lake)
    free = shutil.disk_usage(_existing(settings.data)).free
    if free < THRESHOLDS.free_bytes:
        yield Damage(
            str(settings.data),
            f"{free / _GIGABYTE:,.1f} GB are free on its disk",
            mended=False,
            remedy="make room: a run writes each table that changes before the old files go",
        )


def notes(settings: Settings, lake: Lake) -> Iterator[str]:
    """What is worth knowing and wrong with nothing."""
    try:
        refuse_other_settings(lake, settings.silver)
    except SettingsError as other:
        yield f"runs are refused: {other}"
    yield "installed: " + ", ".join(f"{name} {version(name)}" for name in _PACKAGES)


def lake_has(lake: Lake, path: str) -> bool:
    """Whether a table is there; of one that is gone the last check says nothing."""
    return any(
        table.path == path and lake.snapshot(table).version is not None
        for table in (*SILVER_TABLES, *GOLD_TABLES)
    )


def _failed_checks(settings: Settings, lake: Lake) -> Iterator[Damage]:
    """Blocking checks that failed when they were evaluated last."""
    home = Path(os.environ.get("DAGSTER_HOME") or settings.dagster_home)
    if not (home / "dagster.yaml").exists():
        return
    try:
        checks = recorded_in_dagster(settings).checks
    except RuntimeError as unusable:  # a DagsterStateError: to import it would load Dagster
        problem, _, remedy = str(unusable).partition("\n")
        yield Damage("Dagster", problem, mended=False, remedy=remedy)
        return
    for (table, check), said in checks.items():
        if said.blocking and not said.passed and lake_has(lake, table):
            yield Damage(
                table,
                f"the check {check} failed last: {said.description}",
                mended=False,
                remedy="mend the cause (docs/operations.md), then bridge-cart check",
            )


def _catalogue(settings: Settings, lake: Lake) -> Iterator[Damage]:
    """A catalogue that is not what the tables are; one of another lake is removed."""
    if latest_day(lake) is None:
        return
    path = settings.catalogue
    problem = catalogue_problem(path, lake, GOLD_TABLES, SILVER_TABLES, path.parent / COPIES)
    if problem is None:
        return
    if problem.is_of_another_lake:
        for file in (write_ahead_of(path), path):
            file.unlink(missing_ok=True)
        yield Damage(_CATALOGUE, f"{problem.words}: removed", mended=True)
        return
    remedy = "bridge-cart run builds it again"
    yield Damage(_CATALOGUE, problem.words, mended=False, remedy=remedy, is_due=True)


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())
