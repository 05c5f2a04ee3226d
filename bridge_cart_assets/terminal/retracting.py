"""Retractions at the terminal: finding the file, the steps, and the run by which gold follows.

Belongs here: the order of the steps that need the lake, Dagster and the data folder. Does not
belong here: what a step does (`pipeline.retraction`), or keeping others out (`terminal.alone`).
"""

from dataclasses import dataclass

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.gone_tables import refuse_gone_silver
from bridge_cart_assets.pipeline.open_operations import RETRACTION, closed_unless_begun
from bridge_cart_assets.pipeline.open_retraction import (
    Retraction,
    TakenObject,
    begin_retraction,
    open_retraction,
)
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.terminal.escaping import EscapingConsole
from bridge_cart_assets.terminal.running import Turn
from bridge_cart_assets.transforms.masking import masked_path


class RetractionFailedError(RuntimeError):
    """A step of a retraction failed; the message says which, and how to go on."""


@dataclass(frozen=True)
class Retracted:
    """What was taken back.

    Attributes:
        taken: the file.
        same: names of files with the same content, which the next run takes in its place.
    """

    taken: TakenObject
    same: tuple[str, ...]

    def __str__(self) -> str:
        """For people: the name, what has left raw, and where the file lies now."""
        records = sum(self.taken.records.values())
        lies_in = f"; the file lies in {masked_path(self.taken.place)}" if self.taken.place else ""
        return f"{masked_path(self.taken.name)}, {records:,} records{lies_in}"


def retract_object(settings: Settings, name: str, wait_seconds: float) -> Retracted:
    """Take a landed file back. This process has the lake for itself (`terminal.alone`).

    Raises:
        UnknownObjectError: nothing was taken under this name.
        AlreadyRetractedError: it was taken back.
        RetractionRefusedError: it cannot be taken back now.
        RetractionFailedError: gold could not follow; the next run goes on.
    """
    return _complete(settings, begin_retraction(settings, name), wait_seconds)


def complete_retraction(settings: Settings, wait_seconds: float) -> Retracted | None:
    """Complete a retraction that was cut off; None when there is none, or it had done nothing."""
    from bridge_cart_assets.pipeline.taken_objects import AlreadyRetractedError, UnknownObjectError

    retraction = open_retraction(settings)
    if retraction is None:
        return None
    try:
        return _complete(settings, retraction, wait_seconds)
    except (AlreadyRetractedError, UnknownObjectError):
        # It was asked for a name, and cut off before it had found that nothing is to be done.
        return None


def _complete(settings: Settings, retraction: Retraction, wait_seconds: float) -> Retracted:
    from bridge_cart_assets.lake.doctor import refuse_torn
    from bridge_cart_assets.pipeline.lake_format import refuse_other_format
    from bridge_cart_assets.pipeline.remembered_settings import refuse_other_settings
    from bridge_cart_assets.pipeline.retraction import (
        RetractionRefusedError,
        refuse_losses,
        take_back,
    )
    from bridge_cart_assets.pipeline.stored_tables import STORED_TABLES
    from bridge_cart_assets.pipeline.taken_objects import effects_of, find_object
    from bridge_cart_assets.terminal.running import turn

    lake = Lake(settings.lake, settings.storage_options)
    console = EscapingConsole(stderr=True)
    with (
        closed_unless_begun(RETRACTION, settings, lambda: retraction.taken is not None),
        turn(settings, wait_seconds, is_alone=True) as this_turn,
    ):
        with console.status("retracting") as spinner:
            is_resumed = retraction.taken is not None
            refuse_other_format(lake)
            refuse_torn(lake, STORED_TABLES)
            refuse_other_settings(lake, settings.silver)
            refuse_gone_silver(lake)
            taken = retraction.taken or find_object(lake, settings, retraction.name)
            if not is_resumed:
                refuse_losses(lake, taken)
            same = effects_of(lake, settings, taken).same
            retraction.taken = taken
            retraction.save(settings)
            try:
                take_back(lake, settings, retraction, spinner.update, is_resumed=is_resumed)
            except RetractionRefusedError:
                retraction.close(settings)
                raise
        # Silver and raw agree: what is left to do is what any run does.
        retraction.close(settings)
        _let_gold_follow(this_turn, lake, taken)
    return Retracted(taken, tuple(same))


def _let_gold_follow(this_turn: Turn, lake: Lake, taken: TakenObject) -> None:
    from bridge_cart_assets.assets.run_scope import RunScope
    from bridge_cart_assets.batch_days import DayRange
    from bridge_cart_assets.pipeline.pending import latest_day
    from bridge_cart_assets.pipeline.plan import plan

    # Without a day of silver any will do: gold is empty, and the catalogue is made again.
    day = latest_day(lake) or max(taken.records, default=None)
    if day is None or plan(this_turn.settings, lake, arrivals=()).days is None:
        return
    today = DayRange(day, day)
    outcome = this_turn.refresh(RunScope(today, pending_in=today))
    if not outcome.success:
        raise RetractionFailedError(
            f"{masked_path(taken.name)} has left raw and silver; gold could not follow: "
            f"{outcome.cause}\nmend the cause, then bridge-cart run"
        )
