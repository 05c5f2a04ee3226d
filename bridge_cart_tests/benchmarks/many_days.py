"""Days on which little happens, ten thousand of them: what grows, and what stays as it is.

    python -m bridge_cart_tests.benchmarks.many_days FOLDER [--days 10000] [--table raw/purchases]

A small shop is taken in on the first day. On each later one the five ways in which tables are
written make one commit each, through the same snapshots as a run: a file into raw, an order line
and a count into silver, a table of gold replaced, one of them a row longer each day. Every four
weeks all tables are maintained. With `--table` only that table has commits and maintenance. The
clock follows (libfaketime, Debian's package `faketime`), and files get the time of their day, so
that logs and removed files expire as they would.

Belongs here: sizes and times of the lake over days. Does not belong here: what a whole run costs
(`side_by_side`), or Dagster's history, which is bounded by a number of runs (docs/operations.md).
"""

import argparse
import hashlib
import os
import select
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from bridge_cart_assets.lake.delta import Lake
    from bridge_cart_assets.lake.snapshot import Snapshot
    from bridge_cart_assets.tables.table import Table

_FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
_FIRST = date(2000, 1, 1)
_CUSTOMERS = 200
# libfaketime looks at its file once a second at most; so the clock stands still for four weeks.
_MAINTAINED, _CLOCK_SECONDS = 28, 1
_MARKS = {30, 100, 300, 1_000, 3_000, 10_000}
_SHOWN = ("day", "table", "ms", "live files", "log files", "checkpoint, kB", "MB")


def main(arguments: Sequence[str] | None = None) -> None:
    """Live through the days and print what is kept."""
    parser = argparse.ArgumentParser(description="thousands of days with little in each")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--days", type=int, default=10_000)
    parser.add_argument("--table", action="append", default=[], metavar="PATH")
    asked = parser.parse_args(arguments)
    _under_a_clock_of_our_own(asked.folder)
    print("| " + " | ".join(_SHOWN) + " |", "| --: | --- |" + " --: |" * 5, sep="\n", flush=True)
    for day, table, *figures in _days(asked.folder, asked.days, asked.table):
        texts = [f"{day:,}", str(table), *(f"{figure:,.4g}" for figure in figures)]
        texts += ["–"] * (len(_SHOWN) - len(texts))
        print("| " + " | ".join(texts) + " |", flush=True)


@dataclass
class Written:
    """A table, and the commit that a day makes to it."""

    table: "Table"
    template: "pl.DataFrame"
    commit: Callable[["Snapshot", "pl.DataFrame", date, int], object]

    def live_through(self, lake: "Lake", day: date, number: int) -> float:
        """Make a day's commit; its CPU seconds, opening the table included."""
        began = time.process_time()
        self.commit(lake.snapshot(self.table), self.template, day, number)
        return time.process_time() - began

    def sizes(self, lake: "Lake") -> tuple[float, ...]:
        """Live files, files of the log, kB of its checkpoint and MB of the folder."""
        folder = Path(lake.uri(self.table))
        files = [path for path in folder.rglob("*") if path.is_file()]
        logged = [path for path in files if path.parent.name == "_delta_log"]
        checkpoints = [path for path in logged if path.name.endswith(".checkpoint.parquet")]
        return (
            lake.snapshot(self.table).files.height,
            len(logged),
            max(path.stat().st_size for path in checkpoints) / 1e3 if checkpoints else 0,
            sum(path.stat().st_size for path in files) / 1e6,
        )


def _written(lake: "Lake") -> list[Written]:
    import polars as pl

    from bridge_cart_assets.lake.changes import Change
    from bridge_cart_assets.lake.commits import Commit
    from bridge_cart_assets.sources.purchases import PURCHASES as SOURCE
    from bridge_cart_assets.tables.gold import CUSTOMER_FEATURES, KPIS_DAILY
    from bridge_cart_assets.tables.silver import ACCOUNTING, PURCHASES

    def taken_in(raw: "Snapshot", row: pl.DataFrame, day: date, number: int) -> None:
        content = hashlib.sha256(str(number).encode()).hexdigest()
        values = [pl.lit(day).alias("_batch_day"), pl.lit(content).alias("_fingerprint")]
        raw.append(row.with_columns(values), Commit("days", day, {f"file:{content}": 1}))

    def inserted(silver: "Snapshot", row: pl.DataFrame, day: date, number: int) -> None:
        values = {
            "order_id": pl.lit(f"O{number}"),
            "purchase_day": pl.lit(day),
            "purchase_month": pl.lit(f"{day:%Y-%m}"),
            "batch_day": pl.lit(day),
        }
        rows = row.with_columns(**{n: v for n, v in values.items() if n in row.columns})
        silver.apply(Change(rows, rows.clear(), rows.clear()), Commit("days", day))

    def replaced(gold: "Snapshot", rows: pl.DataFrame, day: date, number: int) -> None:
        gold.replace(rows.with_columns(recency_days=pl.lit(number, pl.Int64)), Commit("days", day))

    def longer(gold: "Snapshot", row: pl.DataFrame, day: date, number: int) -> None:
        days = pl.date_range(_FIRST, day, eager=True).alias("day")
        rows = days.to_frame().join(row.drop("day"), how="cross")
        gold.replace(rows, Commit("days", day))

    def template(table: "Table") -> pl.DataFrame:
        return lake.snapshot(table).read().head(1)

    return [
        Written(SOURCE.raw, template(SOURCE.raw), taken_in),
        Written(PURCHASES, template(PURCHASES), inserted),
        Written(ACCOUNTING, template(ACCOUNTING), inserted),
        Written(CUSTOMER_FEATURES, lake.snapshot(CUSTOMER_FEATURES).read(), replaced),
        Written(KPIS_DAILY, template(KPIS_DAILY), longer),
    ]


def _days(folder: Path, days: int, paths: Sequence[str]) -> Iterator[tuple[float | str, ...]]:
    from bridge_cart_assets.lake.catalogue import build_catalogue
    from bridge_cart_assets.lake.delta import Lake
    from bridge_cart_assets.lake.maintenance import maintain, versions_served
    from bridge_cart_assets.pipeline import chain
    from bridge_cart_assets.pipeline.gold import GOLD_TABLES
    from bridge_cart_assets.pipeline.stored_tables import RAW_TABLES, STORED_TABLES
    from bridge_cart_assets.tables.silver import TABLES as SILVER_TABLES

    lake, catalogue = Lake(str(folder / "lake")), folder / "bridge_cart.duckdb"
    _land(folder / "landing" / "purchases" / f"{_FIRST}.csv")
    chain.run(lake, folder / "landing", catalogue=catalogue)
    seen: set[Path] = set()
    _date(lake, _FIRST, seen)
    tables = [table for table in _written(lake) if not paths or table.table.path in paths]
    kept_up = [table.table for table in tables] if paths else STORED_TABLES
    maintained = 0.0
    for number in range(1, days):
        day = _FIRST + timedelta(days=number)
        spent = [table.live_through(lake, day, number) for table in tables]
        if number % _MAINTAINED == 0:
            _date(lake, day, seen)
            _set_clock(folder, day)
            began = time.process_time()
            maintain(lake, kept_up, str(number), served=versions_served(catalogue))
            maintained = time.process_time() - began
            _date(lake, day, seen)
        if number + 1 in {*_MARKS, days}:
            began = time.process_time()
            now = datetime.combine(day, clock(12), UTC)
            build_catalogue(catalogue, lake, GOLD_TABLES, SILVER_TABLES, RAW_TABLES, "", now)
            built = time.process_time() - began
            for table, seconds in zip(tables, spent, strict=True):
                yield (number + 1, table.table.path, seconds * 1e3, *table.sizes(lake))
            megabytes = catalogue.stat().st_size / 1e6
            yield (number + 1, f"the catalogue, {megabytes:.1f} MB, built", built * 1e3)
            yield (number + 1, "maintenance of all of them", maintained * 1e3)


def _land(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"O{n},C{n},{_FIRST},{10 + n % 7}.00" for n in range(_CUSTOMERS)]
    header = "order_id,customer_id,purchase_date,purchase_amount"
    file.write_text("\n".join([header, *lines, ""]), encoding="utf-8")


def _under_a_clock_of_our_own(folder: Path) -> None:
    """Start again with a clock that a file sets, or say what is missing."""
    if "FAKETIME_TIMESTAMP_FILE" in os.environ:
        return
    if not Path(_FAKETIME).exists():
        sys.exit(f"error: {_FAKETIME} is missing; it comes with Debian's package faketime")
    folder.mkdir(parents=True)
    _write_clock(folder, _FIRST)
    environment = {
        "LD_PRELOAD": _FAKETIME,
        "FAKETIME_TIMESTAMP_FILE": str(folder / "clock"),
        "FAKETIME_CACHE_DURATION": str(_CLOCK_SECONDS),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    program = [sys.executable, *sys.orig_argv[1:]]
    os.execve(program[0], program, os.environ | environment)  # noqa: S606 (this program)


def _write_clock(folder: Path, day: date) -> None:
    (folder / "clock").write_text(f"@{day} 12:00:00\n", encoding="utf-8")


def _set_clock(folder: Path, day: date) -> None:
    """Set the clock, and wait until it is seen."""
    _write_clock(folder, day)
    until = time.monotonic() + 10 * _CLOCK_SECONDS
    while datetime.now(UTC).date() != day:
        if time.monotonic() > until:
            sys.exit(f"error: the clock does not follow {folder / 'clock'}")
        select.select((), (), (), _CLOCK_SECONDS / 10)  # time.sleep asks the clock that is set


def _date(lake: "Lake", day: date, seen: set[Path]) -> None:
    """Give new files the time of their day: the kernel's clock is not ours."""
    noon = datetime.combine(day, clock(12), UTC).timestamp()
    for folder, _, names in os.walk(lake.root):
        for path in (Path(folder) / name for name in names):
            if path not in seen:
                seen.add(path)
                os.utime(path, (noon, noon))


if __name__ == "__main__":
    main()
