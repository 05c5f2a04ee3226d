"""A folder in which files land and are taken back, without Dagster."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.chain import refresh_gold, refresh_silver
from bridge_cart_assets.pipeline.open_retraction import (
    Retraction,
    TakenObject,
    begin_retraction,
    open_retraction,
)
from bridge_cart_assets.pipeline.retraction import take_back
from bridge_cart_assets.pipeline.taken_objects import find_object
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.silver import INTERNAL
from bridge_cart_assets.tables.silver import TABLES as SILVER_TABLES
from bridge_cart_assets.tables.table import Table
from bridge_cart_tests.lakehouse.tables import ALL, WITHOUT_MODEL, contents, differences

KEY = "0b" * 32
SILVER = (*SILVER_TABLES, *INTERNAL)
WITH_GOLD = (*WITHOUT_MODEL, *INTERNAL)
WITH_MODELS = (*ALL, *INTERNAL)


@dataclass(frozen=True)
class Folder:
    """A data folder: its landing zone and its lake."""

    root: Path

    def __post_init__(self) -> None:
        """Addresses have the same hashes in two folders under the same key only."""
        for source in SOURCES:
            (self.root / "landing" / source.name).mkdir(parents=True, exist_ok=True)
        key = self.root / "identity.key"
        if not key.exists():
            key.write_text(KEY)
            key.chmod(0o600)

    @property
    def settings(self) -> Settings:
        return Settings(data=self.root, lake=str(self.root / "lake"), start_date=date(2024, 1, 1))

    @property
    def lake(self) -> Lake:
        return Lake(str(self.root / "lake"))

    def land(self, name: str, text: str | bytes) -> Path:
        """Land a file; its time is one of long ago, whatever the clock says."""
        path = self.root / "landing" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        os.utime(path, (1_700_000_000, 1_700_000_000))
        return path

    def run(self, *, gold: bool = False) -> None:
        """Take in what is new; gold follows if it is looked at."""
        refresh_silver(self.lake, self.root / "landing", settings=self.settings.silver)
        if gold:
            refresh_gold(self.lake)

    def find(self, name: str) -> TakenObject:
        return find_object(self.lake, self.settings, name)

    def take_back(self, name: str) -> Retraction:
        """As the command does it up to silver; goes on with what was cut off."""
        retraction = open_retraction(self.settings) or begin_retraction(self.settings, name)
        is_resumed = retraction.taken is not None
        if retraction.taken is None:
            retraction.taken = self.find(retraction.name)
            retraction.save(self.settings)
        take_back(self.lake, self.settings, retraction, is_resumed=is_resumed)
        retraction.close(self.settings)
        return retraction

    def unlike(self, other: "Folder", tables: Iterable[Table] = SILVER) -> list[str]:
        """The tables whose rows differ from another folder's."""
        return differences(contents(other.lake, tables), contents(self.lake, tables))


def folder_with(
    root: Path, files: Iterable[tuple[str, str | bytes]], *, gold: bool = False
) -> Folder:
    """A folder in which some files have landed and nothing else ever has."""
    folder = Folder(root)
    for name, text in files:
        folder.land(name, text)
    folder.run(gold=gold)
    return folder
