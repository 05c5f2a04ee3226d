"""A small shop whose files land in three deliveries, and its lake without Dagster."""

import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.chain import refresh_gold, refresh_silver
from bridge_cart_assets.pipeline.open_restore import begin_restore
from bridge_cart_assets.pipeline.restoring import restore_tables, targets_of
from bridge_cart_assets.pipeline.stored_tables import RAW_TABLES
from bridge_cart_assets.settings import Settings
from bridge_cart_tests.lakehouse.tables import WITHOUT_MODEL, contents

LINE = "order_id,customer_id,purchase_date,purchase_amount,updated_at\n"
PROFILE = "customer_id,name,email,updated_at\n"
# A line, its correction under another date, and a customer who gets the address of another one.
DELIVERIES = (
    {
        "purchases/2024-01-02.csv": f"{LINE}O1,C1,2024-01-02,10,\nO2,C2,2024-01-02,20,\n",
        "customers/2024-01-02.csv": f"{PROFILE}C1,Anna,a@example.org,\nC2,Bo,b@example.org,\n",
    },
    {
        "purchases/2024-01-03.csv": f"{LINE}O1,C1,2024-02-03,11,2024-01-03\nO3,C3,nonsense,1,\n",
        "customers/2024-01-03.csv": f"{PROFILE}C2,Bo,a@example.org,2024-01-03\n",
    },
    {
        "purchases/2024-02-05.csv": f"{LINE}O4,C2,2024-02-05,5,\nO2,C2,2024-01-02,20,\n",
    },
)
# What it is about beside the tables that people read.
COMPARED = WITHOUT_MODEL


@dataclass(frozen=True)
class SmallShop:
    """A data folder.

    Attributes:
        data: the folder.
    """

    data: Path

    @property
    def settings(self) -> Settings:
        return Settings(data=self.data, lake=str(self.data / "lake"))

    @property
    def lake(self) -> Lake:
        return Lake(str(self.data / "lake"))

    def land(self, number: int) -> None:
        for name, text in DELIVERIES[number].items():
            self.put(name, text)

    def put(self, name: str, text: str) -> None:
        path = self.data / "landing" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def fold(self) -> None:
        """A run as far as silver."""
        refresh_silver(self.lake, self.data / "landing", settings=self.settings.silver)

    def run(self) -> None:
        self.fold()
        refresh_gold(self.lake)

    def restore(self, moment: datetime) -> int:
        """As the command does it, without Dagster; goes on with nothing that was cut off."""
        begun = begin_restore(self.settings, moment)
        try:
            begun.targets = targets_of(self.lake, moment)
        except BaseException:
            begun.close(self.settings)
            raise
        begun.save(self.settings)
        written = restore_tables(self.lake, begun)
        begun.close(self.settings)
        return written

    def contents(self) -> dict[str, pl.DataFrame]:
        return contents(self.lake, COMPARED)

    def taken(self) -> list[tuple[str, int]]:
        """Fingerprint and position of each record of raw."""
        rows = [self.lake.snapshot(t).read().select("_fingerprint", "_pos") for t in RAW_TABLES]
        return sorted(pl.concat(rows).iter_rows())

    def copy(self, data: Path) -> "SmallShop":
        shutil.copytree(self.data, data, copy_function=shutil.copy2)
        return SmallShop(data)

    def like_new(self, data: Path) -> "SmallShop":
        """Another shop in which the files of this one are taken in by one run."""
        data.mkdir(parents=True)
        shutil.copytree(self.data / "landing", data / "landing", copy_function=shutil.copy2)
        # Addresses have the same hashes under the same key only.
        shutil.copy2(self.data / "identity.key", data / "identity.key")
        other = SmallShop(data)
        other.run()
        return other


def now() -> datetime:
    """A moment between two commits."""
    time.sleep(0.005)
    moment = datetime.now(UTC)
    time.sleep(0.005)
    return moment
