"""The settings that silver was made with: asked before any work, remembered, adopted by a rebuild.

Belongs here: `silver/settings`. Does not belong here: what a setting means, or which values it may
have (`settings`).

A setting is remembered before the first rows that depend on it, so that a crash leaves no row
whose settings are unknown. A rebuild that changes one forgets it, empties silver and remembers the
new value, in this order: until silver is empty, no value is the right one.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import polars as pl

from bridge_cart_assets.lake.commits import Commit, retry_on_conflict
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.settings import SettingsError, SilverSettings
from bridge_cart_assets.tables.silver import INTERNAL, SETTINGS, TABLES

# What silver was made with before there was a choice; such a lake does not remember it.
_BEFORE_THE_CHOICE = {"BRIDGE_CART_TIMEZONE": "UTC", "BRIDGE_CART_IDENTITY": "off"}


def refuse_other_settings(lake: Lake, wanted: SilverSettings) -> None:
    """Refuse settings that differ from those that silver was made with.

    Raises:
        SettingsError: one does; the message names both values and the remedy.
    """
    _refuse(lake, remembered_settings(lake), wanted)


def refuse_to_adopt(lake: Lake, wanted: SilverSettings) -> None:
    """Refuse settings that differ from remembered ones, for a silver that is made again.

    A lake that remembers none adopts them, and so does one whose rebuild was to change them.

    Raises:
        SettingsError: one differs.
    """
    for variable, value in wanted.by_variable.items():
        made_with = remembered_settings(lake).get(variable)
        if made_with not in (None, value):
            raise SettingsError(
                variable, value, f"the tables were made with {made_with!r}; set that to migrate"
            )


def remembered_settings(lake: Lake) -> dict[str, str | None]:
    """The values that silver was made with, by variable; null while a rebuild changes one."""
    return _remembered(lake.snapshot(SETTINGS))


def remember_settings(lake: Lake, wanted: SilverSettings, run_id: str) -> None:
    """Write down the settings, before the first rows are made with them.

    Raises:
        SettingsError: silver was made with another one.
    """

    def write() -> None:
        snapshot = lake.snapshot(SETTINGS)
        known = _remembered(snapshot)
        _refuse(lake, known, wanted)
        if wanted.by_variable.keys() - known.keys():
            _write(snapshot, {**known, **wanted.by_variable}, run_id)

    retry_on_conflict(write)


@contextmanager
def adopted_settings(lake: Lake, wanted: SilverSettings, run_id: str) -> Iterator[None]:
    """Settings for a silver that is emptied meanwhile; nothing is written where none changes."""

    def write(values: Mapping[str, str | None]) -> None:
        snapshot = lake.snapshot(SETTINGS)
        _write(snapshot, {**_remembered(snapshot), **values}, run_id)

    known = remembered_settings(lake)
    changed = {
        name: value for name, value in wanted.by_variable.items() if known.get(name) != value
    }
    if not changed:
        yield
        return
    retry_on_conflict(lambda: write(dict.fromkeys(changed)))
    yield
    retry_on_conflict(lambda: write(changed))


def adopt_settings_of_nothing(lake: Lake, wanted: SilverSettings, run_id: str) -> None:
    """Settings for a silver that has no rows, and of which there are no records to make any."""
    if not _has_rows(lake):
        with adopted_settings(lake, wanted, run_id):
            pass


def _refuse(lake: Lake, known: Mapping[str, str | None], wanted: SilverSettings) -> None:
    for variable, value in wanted.by_variable.items():
        made_with = known.get(variable, _BEFORE_THE_CHOICE[variable])
        if made_with == value or (variable not in known and not _has_rows(lake)):
            continue
        if made_with is None:
            raise SettingsError(
                variable,
                value,
                "a rebuild that was to change it has been cut off; begin it again with: "
                "bridge-cart rebuild",
            )
        raise SettingsError(
            variable,
            value,
            f"the tables were made with {made_with!r}; set that, or make them again with this "
            "one: bridge-cart rebuild",
        )


def _has_rows(lake: Lake) -> bool:
    return any(lake.snapshot(table).rows for table in (*TABLES, *INTERNAL))


def _remembered(snapshot: Snapshot) -> dict[str, str | None]:
    return dict(snapshot.read().select("variable", "value").iter_rows())


def _write(snapshot: Snapshot, values: Mapping[str, str | None], run_id: str) -> None:
    rows = [{"variable": name, "value": value} for name, value in sorted(values.items())]
    snapshot.replace(pl.DataFrame(rows, schema=SETTINGS.dtypes), Commit(run_id))
