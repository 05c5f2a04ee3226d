"""Words for the earlier states of the lake, and for what going back to one of them undoes.

Belongs here: how moments and states are written and read. Does not belong here: finding states
(`pipeline.lake_states`).
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from rich.table import Table as Grid

from bridge_cart_assets.pipeline.lake_states import VERBS
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.terminal.style import NOTHING, grid

if TYPE_CHECKING:
    from bridge_cart_assets.lake.delta import Lake
    from bridge_cart_assets.pipeline.lake_states import Earliest, LakeState
    from bridge_cart_assets.pipeline.restoring import TableChange

_TIME = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOST_STATES = 20


def shop_time(moment: datetime, zone: str) -> str:
    """A moment as the shop's clock shows it, to the millisecond; `--as-of` takes it.

    With the offset from UTC where the clock shows the time twice.
    """
    local = moment.astimezone(ZoneInfo(zone))
    if local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
        return local.isoformat(timespec="milliseconds")
    return local.replace(tzinfo=None).isoformat(timespec="milliseconds")


def moment_named(text: str, zone: str, states: "Sequence[LakeState]") -> datetime:
    """The moment that VERSION_OR_TIME names.

    Args:
        text: an ISO time, the shop's where it names no zone, or the beginning of a run's id.
        zone: the shop's time zone.
        states: those that runs have left.

    Raises:
        ValueError: it looks like a time and is none.
        UnknownStateError: no run is called so.
    """
    from bridge_cart_assets.pipeline.lake_states import named_state

    if not _TIME.match(text):
        return named_state(states, text).at.astimezone(ZoneInfo(zone))
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))


def states_shown(states: "Sequence[LakeState]", zone: str) -> Grid:
    """The latest states as a table, the last one first."""
    shown = grid("version", "at", "what happened", words=("at", "what happened"))
    for state in reversed(states[-_MOST_STATES:]):
        shown.add_row(
            state.version or NOTHING, shop_time(state.at, zone), state_in_words(state, zone)
        )
    return shown


def state_in_words(state: "LakeState", zone: str) -> str:
    """What led to a state.

    >>> from bridge_cart_assets.pipeline.lake_states import LakeState
    >>> at = datetime(2024, 3, 1, tzinfo=UTC)
    >>> days = ("2024-02-28", "2024-02-29")
    >>> state_in_words(LakeState(at, "r", {"purchases": 7}, 2, days, 20, False, None), "UTC")
    '7 records of purchases (2 files), 2024-02-28 to 2024-02-29'
    """
    if state.restored_to is not None:
        return f"restored to {shop_time(state.restored_to, zone)}"
    if state.author in VERBS:
        return VERBS[state.author]
    if state.records:
        came = ", ".join(f"{n:,} records of {name}" for name, n in sorted(state.records.items()))
        files = f" ({state.files:,} files)" if state.files else ""
        first, last = state.days or ("", "")
        span = first if first == last else f"{first} to {last}"
        return f"{came}{files}, {span}"
    if state.is_upkeep:
        return "files put together"
    return f"nothing new, {state.tables:,} tables written"


def earliest_in_words(earliest: "Earliest", zone: str) -> str:
    """How far back one can go."""
    return f"the earliest moment is {shop_time(earliest.at, zone)}: {earliest.why}"


def undone_in_lines(
    settings: Settings, lake: "Lake", changes: "Sequence[TableChange]"
) -> Iterator[str]:
    """What goes, by table, and what of it does not come again."""
    from bridge_cart_assets.pipeline.stored_tables import PUBLISHED_TABLES, RAW_TABLES

    due = [change for change in changes if change.is_due]
    shown = [change for change in due if change.table in (*RAW_TABLES, *PUBLISHED_TABLES)]
    for change in shown:
        line = f"{change.table.path}: {change.now.rows:,} rows now, {change.then.rows:,} then"
        if change.files_gone:
            line += f"; {len(change.files_gone):,} landed files count as not taken"
        if change.table.layer == "raw" and change.days:
            line += f"; batch days {min(change.days)} to {max(change.days)}"
        yield line
    if internal := len(due) - len(shown):
        yield f"and {internal:,} tables that keep account of these"
    yield from _not_in_landing(settings, lake, changes)


def _not_in_landing(
    settings: Settings, lake: "Lake", changes: "Sequence[TableChange]"
) -> Iterator[str]:
    """Files whose records go for good, because they do not lie in landing any more."""
    from bridge_cart_assets.ingestion.ledger import in_landing
    from bridge_cart_assets.tables.ops import FILES
    from bridge_cart_assets.terminal.warnings import listed_files

    fingerprints = {f for change in changes for f in change.files_gone}
    if not fingerprints:
        return
    rows = lake.snapshot(FILES).read()
    rows = rows.filter(rows["fingerprint"].is_in(list(fingerprints)))
    there = set(rows.filter(in_landing(rows, listed_files(settings)))["fingerprint"])
    if gone := len(fingerprints - there):
        yield f"{gone:,} of these files do not lie in landing any more: their records are gone then"
