"""What the landed files should have said, and what was done to them.

`truth/` lies beside `landing/`: the shop's arguments, who the customers are, the tidy records with
the place where each of them landed, and the manifest of all defects. The tables are folders of
Parquet files, one for each stretch of days that was written at a time, named by its first day.

Belongs here: these files. Does not belong here: anything that the pipeline may read; they are for
those who want to know how well the pipeline did.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

SHOP = "shop.json"
UNTIL = "until"
TABLES = ("customers", "purchases", "personas", "accounts", "manifest")


class AnotherShopError(ValueError):
    """The folder holds the files of a shop with other arguments."""


class NoShopError(ValueError):
    """The folder holds no shop that could go on."""


def claim(
    data: Path,
    arguments: Mapping[str, object],
    sources: Sequence[str],
    *,
    lands: bool = True,
    landing: Path | None = None,
) -> date | None:
    """Make the folder this shop's, unless it is another one's.

    Args:
        data: working folder.
        arguments: what the shop is made from.
        sources: folders in the landing zone that it writes to.
        lands: whether it writes there at all; a shop whose files have gone begins again.
        landing: the landing zone; `landing/` in the folder without.

    Returns:
        The last day that has landed; None for a shop that begins, or begins again because its
        files have gone.

    Raises:
        AnotherShopError: landing has files of these sources, and not from the same arguments.
    """
    truth, landing = data / "truth", landing or data / "landing"
    occupied = any(any(_is_there(f) for f in (landing / source).glob("*")) for source in sources)
    known = _read(truth / SHOP)
    until = known.pop(UNTIL, None)
    if (occupied or until) and known != dict(arguments):
        raise AnotherShopError(
            f"{data} holds another shop, or files of your own: choose another folder "
            "(BRIDGE_CART_DATA), since a lake that takes in two shops mixes them"
        )
    for folder in (truth, *(landing / source for source in sources if lands)):
        folder.mkdir(parents=True, exist_ok=True)
    if (lands and not occupied) or until is None:
        for table in TABLES:
            shutil.rmtree(truth / table, ignore_errors=True)
        note(data, arguments, None)
        return None
    return _day(data, until)


def note(data: Path, arguments: Mapping[str, object], until: date | None) -> None:
    """Write down what the shop is made from, and up to which day it has landed."""
    said = {**arguments, UNTIL: until and until.isoformat()}
    unfinished = data / "truth" / f"{SHOP}.tmp"
    unfinished.write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
    os.replace(unfinished, data / "truth" / SHOP)


def last_day(data: Path) -> date | None:
    """The last day that has landed of the folder's shop; None where there is none."""
    until = _read(data / "truth" / SHOP).get(UNTIL)
    return _day(data, until) if until else None


def arguments_of(data: Path, *, must_be: bool = True) -> dict[str, Any]:
    """What the folder's shop was made from, with `until`; empty when there is none.

    Raises:
        NoShopError: there is none, and one must be.
    """
    known = _read(data / "truth" / SHOP)
    if must_be and not known:
        raise NoShopError(f"there is no shop in {data}: say --customers and --days to begin one")
    return known


def write(data: Path, first: date, tables: Mapping[str, pl.DataFrame]) -> None:
    """Write the rows of a stretch of days, each file under another name first."""
    for name, rows in tables.items():
        file = data / "truth" / name / f"{first}.parquet"
        file.parent.mkdir(exist_ok=True)
        unfinished = file.with_name(f".{file.name}.tmp")
        rows.write_parquet(unfinished)
        os.replace(unfinished, file)


def _is_there(file: Path) -> bool:
    """Whether readers of landing would take the file (docs/landing.md)."""
    return not file.name.startswith((".", "_")) and not file.name.endswith((".tmp", ".partial"))


def _day(data: Path, text: object) -> date:
    try:
        return date.fromisoformat(str(text))
    except ValueError as error:
        raise ValueError(
            f"{data / 'truth' / SHOP} is damaged ({UNTIL}={text!r}): choose another folder"
        ) from error


def _read(file: Path) -> dict[str, Any]:
    """The arguments in the file; none when there are none that can be read."""
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
