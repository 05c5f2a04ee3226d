"""By which rules the tables of a lake were made, and whether these are the ones of this version.

Belongs here: the formats that there were, and what is said of a lake of another one. Does not
belong here: bringing a lake up to date (`raw_migration`, `terminal.migrating`), columns that are
only added (`lake.snapshot` adds them with the next commit), or formulas of gold (`gold`, which
builds a table whole then).

A format is counted up when tables change: when they get columns or others go, and when the rules
change by which raw records become rows of silver. `remakes` says whether the rows that are there
would be others by the new rules.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from bridge_cart_assets.lake.changes import Change
from bridge_cart_assets.lake.commits import Commit, retry_on_conflict
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.ops import FORMATS
from bridge_cart_assets.tables.silver import ACCOUNTING, PURCHASES


@dataclass(frozen=True)
class LakeFormat:
    """A format that lakes had, or have.

    Attributes:
        number: counted up from 1.
        change: what it brought.
        remakes: whether silver and gold of the formats before are to be made again from raw.
    """

    number: int
    change: str
    remakes: bool


LAKE_FORMATS = (
    LakeFormat(1, "version 0.1.0", remakes=False),
    LakeFormat(2, "orders as shops export them: numbered lines, currencies, anonymous sales", True),
    LakeFormat(3, "accounts and guests with one e-mail address are one person", True),
    LakeFormat(4, "the lake says its format", remakes=False),
)
CURRENT = LAKE_FORMATS[-1].number


class NoLakeError(RuntimeError):
    """No table lies where the lake should be; the message says where that is."""


class OtherFormatError(RuntimeError):
    """The lake was written by another version; the message says what to do."""


def stored_format(lake: Lake) -> int | None:
    """The format of the tables that are there; None when there are none.

    A lake that does not say it is of the latest format that could not.
    """
    numbers = lake.snapshot(FORMATS).scan().select(pl.max("number")).collect()
    if (number := numbers.item()) is not None:
        return int(number)
    accounting = lake.stored_columns(ACCOUNTING)
    if not accounting:
        return (
            3 if any(lake.snapshot(source.raw).version is not None for source in SOURCES) else None
        )
    if "raw_records" not in accounting:
        return 1
    purchases = lake.stored_columns(PURCHASES)
    return 2 if purchases and "received_customer_id" not in purchases else 3


def refuse_without_lake(lake: Lake) -> None:
    """Refuse what only looks at a lake, where there is none: a path may be mistyped.

    Raises:
        NoLakeError: no table has been written there.
    """
    if stored_format(lake) is None:
        raise NoLakeError(
            f"there is no lakehouse in {lake.root}\n"
            "bridge-cart run begins one; BRIDGE_CART_DATA or BRIDGE_CART_LAKE names another place"
        )


def due_changes(stored: int) -> list[LakeFormat]:
    """The changes after a format for which silver and gold are made again.

    >>> [format.number for format in due_changes(1)], due_changes(3)
    ([2, 3], [])
    """
    return [change for change in LAKE_FORMATS if change.number > stored and change.remakes]


def refuse_other_format(lake: Lake) -> None:
    """Refuse a lake that another version wrote, unless it only lacks columns.

    Raises:
        OtherFormatError: it is of a later version, or of an earlier one whose silver and gold are
            to be made again.
    """
    stored = stored_format(lake)
    if stored is None or stored == CURRENT:
        return
    refuse_later_format(lake, stored)
    if changes := due_changes(stored):
        raise OtherFormatError(
            f"the lake at {lake.root} is of an earlier version (format {stored}, now {CURRENT}): "
            f"since then {'; '.join(change.change for change in changes)}\n"
            "nothing was changed; bridge-cart migrate makes silver and gold again from raw"
        )


def refuse_later_format(lake: Lake, stored: int | None) -> None:
    """Refuse a lake of a later version.

    Raises:
        OtherFormatError: it is one.
    """
    if stored is not None and stored > CURRENT:
        raise OtherFormatError(
            f"the lake at {lake.root} is of a later version (format {stored}, this one knows "
            f"{CURRENT})\nnothing was changed; install that version again"
        )


def remember_format(lake: Lake, number: int, run_id: str) -> None:
    """Write down which format the lake has; nothing is written when it says so already."""

    def write() -> None:
        snapshot = lake.snapshot(FORMATS)
        known = set(snapshot.read()["number"].to_list())
        if number in known:
            return
        row = {
            "number": number,
            "change": LAKE_FORMATS[number - 1].change,
            "since": datetime.now(UTC),
            "run_id": run_id,
        }
        new = pl.DataFrame([row], schema=FORMATS.dtypes)
        snapshot.apply(Change(new, FORMATS.empty(), FORMATS.empty()), Commit(run_id))

    retry_on_conflict(write)
