"""The files of one synthetic shop, held back and landed step by step.

Belongs here: which files a step lands, and the correction of an old order. Does not belong here:
making a shop (the product's generator).

Histories of every length end on the same days, so that the steps that are compared bring the same
records: a history of n days is the last n days before the last one.
"""

import re
import shutil
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import polars as pl

ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
SOURCES = ("customers", "purchases")
# What a shop has of everything that all programs know how to clean.
DEFECTS = {
    "date_day_first": 0.05,
    "date_month_name": 0.05,
    "duplicate_record": 0.01,
    "late_arrival": 0.01,
    "corrected_later": 0.01,
    "corrected_first": 0.01,
    "redelivered_file": 0.01,
}


@dataclass(frozen=True)
class Shop:
    """A shop whose files lie in a folder that no program reads.

    Attributes:
        held: the folder, with one folder per source.
        days: the batch days on which orders landed, in order.
    """

    held: Path
    days: tuple[str, ...]

    @classmethod
    def of(cls, held: Path) -> "Shop":
        """The shop whose files lie in a folder."""
        return cls(held, tuple(sorted(_by_day(held / "purchases"))))

    def history(self, days: int) -> list[Path]:
        """The files of the last `days` days before the last one.

        What is known of the customers on the day before comes as one more file.
        """
        window = self.days[-1 - days : -1]
        if len(window) < days:
            raise ValueError(f"the shop has {len(self.days) - 1} days before its last, not {days}")
        by_day = _by_day(self.held / "customers")
        earlier = [path for day in sorted(by_day) if day < window[0] for path in by_day[day]]
        later = [path for day in window for path in by_day[day]]
        orders = _by_day(self.held / "purchases")
        known = [self._known_customers(earlier, window[0])] if earlier else []
        return [*known, *later, *(path for day in window for path in orders[day])]

    def one_more_day(self) -> list[Path]:
        """The files of the last day."""
        return [p for source in SOURCES for p in _by_day(self.held / source)[self.days[-1]]]

    def correction(self, days: int) -> list[Path]:
        """One file that arrives on the last day and corrects an order of `days` days ago.

        Each of its lines costs 1.00 more than the shop had said.
        """
        first, last = self.days[-1 - days], self.days[-1]
        path = min(_by_day(self.held / "purchases")[first])
        records = read(path).with_row_index("n")
        order = records.filter(pl.col("status") == "completed")["order_id"][0]
        lines = records.filter(pl.col("order_id") == order).unique("line_number", keep="last")
        amount = pl.col("purchase_amount").cast(pl.Decimal(18, 2)) + pl.lit(1, pl.Decimal(18, 2))
        corrected = (
            lines.sort("n")
            .drop("n")
            .with_columns(
                purchase_amount=amount.cast(pl.String), updated_at=pl.lit(f"{last}T23:59:59")
            )
        )
        made = self.held / "made" / str(days) / "purchases" / f"{last}.correction{path.suffix}"
        return [_write(corrected, made)]

    def _known_customers(self, files: list[Path], before: str) -> Path:
        """All profiles that came before a day, in one file of that day."""
        made = self.held / "made" / before / "customers" / f"{before}.before{files[0].suffix}"
        return _write(pl.concat(map(read, files)), made)

    def lines_of(self, files: list[Path]) -> int:
        """How many order lines files have."""
        return sum(read(path).height for path in files if path.parent.name == "purchases")


def land(files: list[Path], landing: Path) -> None:
    """Put copies of files into a landing zone.

    A link would change the time of the file that all of its names share, and a program that has
    taken it in already would look at it once more.
    """
    for source in SOURCES:
        (landing / source).mkdir(parents=True, exist_ok=True)
    for path in files:
        shutil.copyfile(path, landing / path.parent.name / path.name)


def _by_day(folder: Path) -> dict[str, list[Path]]:
    """Files by their batch day: the latest day in their name."""
    files: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.iterdir()):
        files[max(ISO_DAY.findall(path.name))].append(path)
    return files


def read(path: Path) -> pl.DataFrame:
    """All columns as text."""
    if path.suffix == ".parquet":
        return pl.read_parquet(path)
    return pl.read_csv(path, infer_schema=False)


def _write(table: pl.DataFrame, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        table.write_parquet(path)
    else:
        table.write_csv(path)
    return path
