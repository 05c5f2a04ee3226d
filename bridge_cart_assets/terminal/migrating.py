"""Bringing a lake and Dagster's state of an earlier version up to date, at the terminal.

Belongs here: what is due, in words, and the order of the steps. Does not belong here: what a step
does (`pipeline.rebuild`, `pipeline.raw_migration`, `automation.instance`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.lake_format import (
    CURRENT,
    LakeFormat,
    due_changes,
    refuse_later_format,
    remember_format,
    stored_format,
)
from bridge_cart_assets.settings import Settings

if TYPE_CHECKING:
    from bridge_cart_assets.automation.run_in_process import Outcome


@dataclass(frozen=True)
class Migration:
    """What is due.

    Attributes:
        stored: the format of the lake; None while there is no lake.
        changes: the changes for which silver and gold are made again.
        revisions: of Dagster's state and of Dagster, where they differ.
    """

    stored: int | None
    changes: list[LakeFormat]
    revisions: tuple[str | None, str] | None

    @property
    def is_due(self) -> bool:
        """Whether there is anything to do."""
        return self.stored not in (None, CURRENT) or self.revisions is not None

    def in_lines(self) -> Iterator[str]:
        """What will be done, for people."""
        if self.revisions is not None:
            older, newer = self.revisions
            yield f"Dagster's state: its databases go from revision {older} to {newer}"
        if self.stored is None or self.stored == CURRENT:
            return
        yield f"the lake: from format {self.stored} to {CURRENT}"
        if not self.changes:
            yield "  columns are added when rows are written next; nothing is made again"
            return
        for change in self.changes:
            yield f"  {change.change}"
        yield "  raw: values of columns that sources have since, batch days of files of a period"
        yield "  silver and gold: made again from raw, models too"
        yield "  landing: files that were refused are looked at again, and new ones taken"


def due_migration(settings: Settings) -> Migration:
    """What is due, by looking.

    Raises:
        OtherFormatError: the lake is of a later version.
        DagsterStateError: Dagster's state cannot be used.
    """
    from bridge_cart_assets.automation.instance import other_revisions_in

    lake = Lake(settings.lake, settings.storage_options)
    stored = stored_format(lake)
    refuse_later_format(lake, stored)
    changes = [] if stored is None else due_changes(stored)
    return Migration(stored, changes, other_revisions_in(settings))


def migrate_all(settings: Settings, wait_seconds: float) -> "Outcome | None":
    """Do what is due; None when no run was needed for it.

    No other run or operation is beside it, and none is let in until silver and gold are empty. When
    it is cut off before, runs are refused and the next call begins again; after that, a run goes on
    as with a rebuild.

    Raises:
        OperationOpenError: an operation of the version before is not complete.
    """
    from bridge_cart_assets.automation.instance import upgrade_state
    from bridge_cart_assets.pipeline.open_operations import (
        OperationOpenError,
        lake_alone,
        open_operation,
    )
    from bridge_cart_assets.terminal.alone import complete_operations
    from bridge_cart_assets.terminal.running import say_on_console

    with lake_alone(settings, wait_seconds, say_on_console):
        # First: what was cut off is completed by a run, which Dagster's state has to fit.
        upgrade_state(settings)
        lake = Lake(settings.lake, settings.storage_options)
        stored = stored_format(lake)
        if stored is not None and due_changes(stored) and (found := open_operation(settings)):
            raise OperationOpenError(
                f"{found.words} is not complete, and the lake is of an earlier version\n"
                "finish it with the version that began it (bridge-cart run), then migrate"
            )
        complete_operations(settings, wait_seconds)
        if stored is None or stored == CURRENT:
            return None
        if not due_changes(stored):
            remember_format(lake, CURRENT, "migrate")
            return None
        return _make_again(settings, lake, wait_seconds)


def _make_again(settings: Settings, lake: Lake, wait_seconds: float) -> "Outcome":
    from bridge_cart_assets.assets.run_scope import RunScope
    from bridge_cart_assets.automation.interruption import on_signal
    from bridge_cart_assets.batch_days import DayRange, last_batch_day
    from bridge_cart_assets.lake.doctor import refuse_torn
    from bridge_cart_assets.pipeline.plan import plan
    from bridge_cart_assets.pipeline.rebuild import begin_rebuild, refuse_to_lose
    from bridge_cart_assets.pipeline.remembered_settings import refuse_to_adopt
    from bridge_cart_assets.pipeline.stored_tables import STORED_TABLES
    from bridge_cart_assets.terminal.running import refuse_without_engine, say_on_console, turn
    from bridge_cart_assets.terminal.warnings import (
        warn_interrupted_rebuild,
        warn_refused,
        warn_unfinished_rebuild,
    )

    with turn(settings, wait_seconds, is_alone=True) as this_turn:
        refuse_torn(lake, STORED_TABLES)
        refuse_to_adopt(lake, settings.silver)
        refuse_to_lose(lake, DayRange(settings.start_date, last_batch_day(settings.timezone)))
        refuse_without_engine(settings)
        begin_rebuild(lake, datetime.now(UTC), settings.silver, say_on_console)
        with on_signal(warn_interrupted_rebuild):
            # What was refused may be taken by now, and models are trained on all of it.
            due = plan(settings, lake)
            outcome = this_turn.refresh(RunScope.of_plan(due), due.sources)
        warn_refused(settings, lake)
        warn_unfinished_rebuild(lake)
    return outcome
