"""Restores at the terminal: the order of the steps, and the run that builds the catalogue.

Belongs here: the steps that need the lake, Dagster and the data folder. Does not belong here: which
versions a moment means and how tables go back (`pipeline.restoring`), or words for states
(`states`).

The catalogue goes before the restore counts as complete. It is of the state that was undone, and
without it the next run has something to do whatever else is due: so a kill between the two leaves
what a kill within a run leaves. What raw had and silver had not yet at the moment is folded in the
same run.
"""

from datetime import datetime

from bridge_cart_assets.lake.catalogue_base import write_ahead_of
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.lake_format import refuse_other_format
from bridge_cart_assets.pipeline.open_operations import RESTORE, closed_unless_begun
from bridge_cart_assets.pipeline.open_restore import Restore, begin_restore, open_restore
from bridge_cart_assets.settings import Settings, SettingsError
from bridge_cart_assets.terminal.escaping import EscapingConsole
from bridge_cart_assets.terminal.running import Turn, refuse_without_engine, turn
from bridge_cart_assets.terminal.states import shop_time


class RestoreFailedError(RuntimeError):
    """The tables are back, and the run that follows failed; the message says how to go on."""


def restore_lake(settings: Settings, moment: datetime, wait_seconds: float) -> int:
    """Bring the lake back; how many tables were written.

    This process has the lake for itself (`terminal.alone`).

    Raises:
        RestoreRefusedError: that state cannot be restored; nothing was changed.
        RestoreFailedError: the tables are back, and the catalogue could not be built.
    """
    refuse_without_engine(settings)
    return _complete(settings, begin_restore(settings, moment), wait_seconds)


def complete_restore(settings: Settings, wait_seconds: float) -> str | None:
    """Complete a restore that was cut off; the moment of it, or None without one."""
    restore = open_restore(settings)
    if restore is None:
        return None
    _complete(settings, restore, wait_seconds)
    return shop_time(restore.moment, settings.timezone)


def _complete(settings: Settings, restore: Restore, wait_seconds: float) -> int:
    from bridge_cart_assets.lake.doctor import refuse_torn
    from bridge_cart_assets.pipeline.restoring import restore_tables, targets_of
    from bridge_cart_assets.pipeline.stored_tables import STORED_TABLES

    lake = Lake(settings.lake, settings.storage_options)
    with (
        closed_unless_begun(RESTORE, settings, lambda: restore.targets is not None),
        turn(settings, wait_seconds, is_alone=True) as this_turn,
    ):
        with EscapingConsole(stderr=True).status("restoring") as spinner:
            refuse_torn(lake, STORED_TABLES)
            if restore.targets is None:
                refuse_other_format(lake)
                restore.targets = targets_of(lake, restore.moment)
                restore.save(settings)
            written = restore_tables(lake, restore, spinner.update)
            for file in (write_ahead_of(settings.catalogue), settings.catalogue):
                file.unlink(missing_ok=True)
        restore.close(settings)
        _follow(settings, lake, this_turn, restore)
    return written


def _follow(settings: Settings, lake: Lake, this_turn: Turn, restore: Restore) -> None:
    """Fold what raw had and silver had not yet, and build the catalogue."""
    from bridge_cart_assets.assets.run_scope import RunScope
    from bridge_cart_assets.pipeline.plan import plan

    are_back = f"the tables are what they were at {shop_time(restore.moment, settings.timezone)}"
    try:
        due = plan(settings, lake, arrivals=())
    except SettingsError as other:
        # The settings that a lake remembers went back with it.
        raise RestoreFailedError(f"{are_back}, without a catalogue yet\n{other}") from other
    if due.days is None:
        return
    outcome = this_turn.refresh(RunScope.of_plan(due))
    if not outcome.success:
        raise RestoreFailedError(
            f"{are_back}, and the catalogue could not be built: {outcome.cause}\n"
            "mend the cause, then bridge-cart run"
        )
