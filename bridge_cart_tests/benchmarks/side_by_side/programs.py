"""The programs that do the job: the product and its peers.

Belongs here: how each is started, where it keeps its data and where its answers are. Does not
belong here: in which order they run (`__main__`).
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bridge_cart_tests.benchmarks.side_by_side import answers
from bridge_cart_tests.benchmarks.side_by_side.measuring import Measured, measure
from bridge_cart_tests.benchmarks.side_by_side.shop import land

PRODUCT = "Bridge-Cart"
REPOSITORY = Path(__file__).parents[3]
PEERS = Path(__file__).with_name("peers")
_ENVIRONMENT = Path(".venv-bench") / "bin"


@dataclass(frozen=True)
class Program:
    """One program with a folder of its own.

    Attributes:
        name: as the table calls it.
        folder: its files; its landing zone lies in it.
        command: what a run starts.
        variables: its environment, beside this process's.
        reader: reads its answers.
        store: what its reader is given.
    """

    name: str
    folder: Path
    command: list[str]
    variables: dict[str, str]
    reader: answers.Reader
    store: Path

    def take(self, files: list[Path]) -> Measured:
        """Land files and run."""
        land(files, self.folder / "landing")
        return self.measured(self.command)

    def measured(self, command: list[str]) -> Measured:
        """Run a command in the program's environment."""
        return measure(command, environment() | self.variables, self.folder)

    def job_seconds(self) -> float | None:
        """What the last run took without the start of its process; None: it does not say."""
        return None

    def answer(self) -> answers.Answers:
        """What it says now."""
        return self.reader(self.store)

    def megabytes(self) -> float:
        """What it keeps on disk, without the landing zone."""
        kept = (path for path in self.folder.rglob("*") if "landing" not in path.parts)
        return sum(path.stat().st_size for path in kept if path.is_file()) / 1e6


@dataclass(frozen=True)
class Product(Program):
    """The product, which also says how long the job took within its process."""

    def job_seconds(self) -> float | None:
        """What the last run took within its process."""
        status = json.loads(self.verb("status", "--json").output)
        return float(status["last_run"]["seconds"])

    def verb(self, *arguments: str) -> Measured:
        """Run a verb of the command."""
        return self.measured([*_COMMAND, *arguments])


_COMMAND = [sys.executable, "-m", "bridge_cart_assets"]


def product(folder: Path) -> Product:
    """The product with a data folder."""
    return Product(
        name=PRODUCT,
        folder=folder,
        command=[*_COMMAND, "run"],
        variables={"BRIDGE_CART_DATA": str(folder), "PYTHONPATH": str(REPOSITORY)},
        reader=answers.from_lake,
        store=folder / "lake",
    )


def dbt(folder: Path) -> Program:
    """A dbt project on DuckDB."""
    return Program(
        name="dbt-duckdb",
        folder=folder,
        command=[
            *(str(REPOSITORY / _ENVIRONMENT / "dbt"), "--quiet", "run"),
            *("--project-dir", str(PEERS / "dbt_shop"), "--profiles-dir", str(PEERS / "dbt_shop")),
        ],
        variables={
            "SHOP_LANDING": str(folder / "landing"),
            "SHOP_STORE": str(folder),
            "DBT_TARGET_PATH": str(folder / "target"),
            "DBT_LOG_PATH": str(folder / "logs"),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "False",
            "DO_NOT_TRACK": "1",
        },
        reader=answers.from_duckdb,
        store=folder,
    )


def script(name: str, file: str, folder: Path, python: Path | None = None) -> Program:
    """A peer that is one Python file."""
    python = python or REPOSITORY / _ENVIRONMENT / "python"
    store = folder / "store"
    return Program(
        name=name,
        folder=folder,
        command=[str(python), str(PEERS / file), str(folder / "landing"), str(store)],
        variables={},
        reader=answers.from_parquet,
        store=store,
    )


PROGRAMS: dict[str, Callable[[Path], Program]] = {
    "product": product,
    "dbt": dbt,
    "pandas": lambda folder: script("pandas", "pandas_shop.py", folder),
    "polars": lambda folder: script("Polars script", "polars_shop.py", folder),
}


def environment() -> dict[str, str]:
    """What a user has who has set nothing; one OpenMP thread, as two wait for each other."""
    ours = ("BRIDGE_CART_", "DAGSTER_", "DBT_", "MAKE", "MFLAGS")
    others = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    others.pop("PYTHONDONTWRITEBYTECODE", None)
    return others | {"OMP_NUM_THREADS": "1"}


def generate(data: Path, *arguments: str) -> None:
    """Make a synthetic shop in a data folder."""
    subprocess.run(
        [*_COMMAND, "generate", *arguments],
        env=environment() | {"BRIDGE_CART_DATA": str(data), "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
