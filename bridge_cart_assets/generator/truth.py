"""What the landed files should have said, and what was done to them.

`truth/` lies beside `landing/`: the shop's arguments, the tidy records with the place where each
of them landed, and the manifest of all defects.

Belongs here: these files. Does not belong here: anything that the pipeline may read; they are for
those who want to know how well the pipeline did.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from bridge_cart_assets.generator.chance import Ints

SHOP = "shop.json"
TABLES = ("customers", "purchases", "manifest")


class AnotherShopError(ValueError):
    """The folder holds the files of a shop with other arguments."""


def claim(data: Path, arguments: Mapping[str, object], sources: tuple[str, ...]) -> None:
    """Make the folder this shop's, unless it is another one's.

    The tables of an earlier run go first: where they are, they belong to the files in landing.

    Raises:
        AnotherShopError: landing has files of these sources, and not from the same arguments.
    """
    truth, landing = data / "truth", data / "landing"
    # As for every reader of landing, a name with a dot in front is not there (.gitkeep).
    occupied = any(any((landing / source).glob("[!.]*")) for source in sources)
    if occupied and _arguments(truth / SHOP) != dict(arguments):
        raise AnotherShopError(
            f"{landing} holds files of another shop: "
            f"choose another folder, or remove {landing} and {truth} first"
        )
    for folder in (truth, *(landing / source for source in sources)):
        folder.mkdir(parents=True, exist_ok=True)
    for table in TABLES:
        (truth / f"{table}.parquet").unlink(missing_ok=True)
    unfinished = truth / f"{SHOP}.tmp"
    unfinished.write_text(json.dumps(dict(arguments), indent=2) + "\n", encoding="utf-8")
    os.replace(unfinished, truth / SHOP)


def write(data: Path, tables: Mapping[str, pl.DataFrame]) -> None:
    """Write the tables, each under another name first."""
    for name, table in tables.items():
        file = data / "truth" / f"{name}.parquet"
        unfinished = file.with_name(f"{file.name}.tmp")
        table.write_parquet(unfinished)
        os.replace(unfinished, file)


def with_places(tidy: pl.DataFrame, source: str, places: Ints) -> pl.DataFrame:
    """The tidy records and where each of them landed: `file` below landing and `record` in it."""
    return tidy.with_columns(
        file=pl.lit(f"{source}/") + pl.col("batch_day").cast(pl.String) + ".csv",
        record=pl.lit(pl.Series(places)),
    )


def _arguments(file: Path) -> object:
    """What the folder's last shop was made from; None when that is not known."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
