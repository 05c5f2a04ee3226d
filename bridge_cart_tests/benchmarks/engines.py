"""What a first run costs on one machine without an engine, and with executors on it.

    python -m bridge_cart_tests.benchmarks.engines FOLDER --customers 100000 --days 500
    python -m bridge_cart_tests.benchmarks.engines FOLDER --landing …/landing --start 2010-12-01

One landing zone, a data folder for each; then all tables are compared. CPU seconds are those of all
processes that the command has started, memory what they have together at the worst moment (shared
pages once). The executors are on the same cores as the run without them.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.stored_tables import PUBLISHED_TABLES
from bridge_cart_assets.tables.gold import INTERNAL as GOLD_INTERNAL
from bridge_cart_assets.tables.silver import INTERNAL as SILVER_INTERNAL
from bridge_cart_assets.tables.silver import PURCHASES
from bridge_cart_assets.tables.table import Table
from bridge_cart_tests.conftest import environment_of

TWO_EXECUTORS = "local-cluster[2,1,2048]"
_TICKS = os.sysconf("SC_CLK_TCK")
_LOOK_SECONDS, _MEMORY_EVERY = 0.3, 5
# Columns that name a run, or the moment of one.
_OF_RUN = ("run_id", "quarantined_at", "_ingested_at", "_batch_id")


@dataclass
class ProcessTree:
    """What a process and all that it has started took, as far as it was seen.

    Attributes:
        root: the process.
        cpu: CPU seconds by process and its kind.
        peak_bytes: the memory of all of them at the worst moment.
    """

    root: int
    cpu: dict[tuple[int, str], float] = field(default_factory=dict)
    peak_bytes: int = 0

    def look(self, *, at_memory: bool) -> None:
        """Add what is seen now."""
        stats = dict(_stats())
        children = defaultdict(list)
        for pid, (parent, _, _) in stats.items():
            children[parent].append(pid)
        alive, found = [self.root], list[int]()
        while alive:
            found.append(pid := alive.pop())
            alive += children[pid]
        for pid in found:
            if pid in stats:
                _, name, ticks = stats[pid]
                kind = "the run" if pid == self.root else "Java" if name == "java" else "Python"
                self.cpu[pid, kind] = ticks / _TICKS
        if at_memory:
            self.peak_bytes = max(self.peak_bytes, sum(map(_bytes, found)))

    def seconds(self, *kinds: str) -> float:
        """CPU seconds of processes of some kinds, of all without."""
        return sum(s for (_, kind), s in self.cpu.items() if not kinds or kind in kinds)


def _stats() -> Iterator[tuple[int, tuple[int, str, int]]]:
    """Of each process its parent, its name and its CPU time."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            begin, _, rest = stat.read_text().rpartition(")")
            fields = rest.split()
            name = begin.partition("(")[2]
            yield int(stat.parent.name), (int(fields[1]), name, int(fields[11]) + int(fields[12]))


def _bytes(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def measured(arguments: Sequence[str], env: dict[str, str]) -> tuple[ProcessTree, float]:
    """Run `bridge-cart`, and look at it and at what it starts until it has ended."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "bridge_cart_assets", *arguments]
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL) as process:
        tree = ProcessTree(process.pid)
        looks = 0
        while process.poll() is None:
            tree.look(at_memory=looks % _MEMORY_EVERY == 0)
            looks += 1
            time.sleep(_LOOK_SECONDS)
    if process.returncode:
        sys.exit(f"error: the run ended with {process.returncode}")
    return tree, time.perf_counter() - began


def digest(lake: Lake, table: Table) -> tuple[int, int]:
    """How many rows a table has, and a sum over all of them that does not depend on their order."""
    rows = lake.snapshot(table).scan().drop(*_OF_RUN, strict=False)
    hashes = rows.select(pl.struct(pl.all()).hash(0).alias("hash"))
    found = hashes.select(pl.len(), pl.sum("hash")).collect(engine="streaming")
    return int(found["len"][0]), int(found["hash"][0])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure both, and compare what they have made."""
    parser = argparse.ArgumentParser(description="one machine, without an engine and with one")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--days", type=int, default=500)
    parser.add_argument("--landing", type=Path)
    parser.add_argument("--start", default="2024-01-01")
    parser.add_argument("--engine", default=TWO_EXECUTORS)
    asked = parser.parse_args(arguments)
    landing = asked.landing or asked.folder / "shop" / "landing"
    if asked.landing is None:
        size = ("--customers", str(asked.customers), "--days", str(asked.days))
        measured(("generate", *size, "--start", asked.start), environment_of(asked.folder / "shop"))
    print("| | CPU s | the run | Java | Python | wall s | memory, all |", flush=True)
    print("|---|" + "--:|" * 6)
    lakes: list[Lake] = []
    for name, engine in (("without", "local"), ("with", asked.engine)):
        data = asked.folder / name
        data.mkdir()
        key = asked.folder / "without" / "identity.key"
        if lakes and key.exists():
            shutil.copy(key, data)
        env = environment_of(
            data,
            BRIDGE_CART_LANDING=str(landing),
            BRIDGE_CART_START_DATE=asked.start,
            BRIDGE_CART_ENGINE=engine,
        )
        tree, wall = measured(("run",), env)
        parts = " | ".join(f"{tree.seconds(kind):.1f}" for kind in ("the run", "Java", "Python"))
        memory = f"{tree.peak_bytes / 1e9:.1f} GB"
        print(f"| {engine} | {tree.seconds():.1f} | {parts} | {wall:.0f} | {memory} |", flush=True)
        lakes.append(Lake(str(data / "lake")))
    tables = (*PUBLISHED_TABLES, *SILVER_INTERNAL, *GOLD_INTERNAL)
    unequal = [t.path for t in tables if digest(lakes[0], t) != digest(lakes[1], t)]
    lines = lakes[0].snapshot(PURCHASES).rows
    print(f"{lines:,} order lines; tables that differ: {', '.join(unequal) or 'none'}")


if __name__ == "__main__":
    main()
