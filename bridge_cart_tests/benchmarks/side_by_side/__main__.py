"""`make bench`: the product beside its peers, on the same files, with their answers compared.

Each program takes in a history of a synthetic shop, then one more day, then the correction of an
order from the history's first day. Each step is a process of its own. The programs take turns:
with two repetitions the order is A, B, C, A, B, C. After each step the answers of all programs must
be equal to the cent; a wrong answer makes its row red and the exit code 1.

Belongs here: the options and the order of the runs. Does not belong here: anything that they do.
"""

import argparse
import os
import platform
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from rich.console import Console

from bridge_cart_tests.benchmarks.side_by_side import raw_intake
from bridge_cart_tests.benchmarks.side_by_side.answers import Answers, verdicts
from bridge_cart_tests.benchmarks.side_by_side.measuring import CommandError, Measured
from bridge_cart_tests.benchmarks.side_by_side.programs import (
    PROGRAMS,
    REPOSITORY,
    Product,
    Program,
    generate,
    product,
)
from bridge_cart_tests.benchmarks.side_by_side.report import (
    STEPS,
    Row,
    Sheet,
    exit_code,
    growth,
    product_alone,
    side_by_side,
    write_between_marks,
)
from bridge_cart_tests.benchmarks.side_by_side.shop import DEFECTS, Shop, read

PAGE = REPOSITORY / "docs" / "performance.md"
LARGE = {
    "customers": 1_000_000,
    "newcomers": 700.0,
    "days": 999,
    "growth": [],
    "repeats": 1,
    "peers": ["dbt", "polars"],
}
DEFAULTS = {
    "customers": 20_000,
    "newcomers": None,
    "days": 90,
    "growth": [30, 365],
    "repeats": 2,
    "peers": ["dbt", "pandas", "polars"],
}
SMALL_CUSTOMERS, SMALL_DAYS = 500, 30
INTAKE_LINES = 1_000_000
REPEATS_OF_SHORT_RUNS = 2

Makers = Mapping[str, Callable[[Path], Program]]
Alone = dict[str, list[Measured]]


def main() -> int:
    """Run everything; 1 when an answer is wrong."""
    given = options()
    console = Console(width=None if sys.stdout.isatty() else 220)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=given.folder) as name:
        top = Path(name)
        load = os.getloadavg()[0]
        makers = {name: PROGRAMS[name] for name in ["product", *given.peers]}
        alone: Alone = defaultdict(list)
        small_shop(top / "small", makers, alone)
        shop = generated_shop(top / "shop", given, max([given.days, *given.growth]) + 1)
        rows: list[Row] = []
        sheets: list[Sheet] = []
        for days in sorted({given.days, *given.growth}):
            is_main = days == given.days
            of_history = history(
                top / "runs",
                makers,
                shop,
                days,
                given.repeats if is_main else 1,
                alone if is_main else None,
            )
            rows += of_history
            sheets.append(side_by_side(of_history, shop.lines_of(shop.history(days))))
        if given.growth:
            sheets.append(growth(rows))
        alone["raw intake of CSV"] = [intake(top / "intake", shop, given.days)]
        sheets.append(product_alone(alone))
        rate = f"Raw intake: {alone['raw intake of CSV'][0].output}."
        header = machine(given, load)
    for sheet in sheets:
        console.print()
        sheet.show(console)
    console.print(f"\n{rate}\n{header}")
    text = "\n\n".join([header, *(sheet.markdown() for sheet in sheets), rate])
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(text + "\n")
    if given.update:
        write_between_marks(PAGE, text)
    return exit_code(rows)


def options() -> argparse.Namespace:
    """The command line; `--large` changes the defaults."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--large", action="store_true", help="1 M customers, 20 M order lines")
    parser.add_argument("--customers", type=int, help="customers on the first day")
    parser.add_argument("--newcomers", type=float, help="sign-ups a day; customers / 1000 without")
    parser.add_argument("--days", type=int, help="length of the history")
    parser.add_argument("--growth", type=_whole_numbers, help="other lengths: 30,365,730")
    parser.add_argument("--repeats", type=int, help="repetitions over --days")
    parser.add_argument("--peers", type=_names_of_peers, help="of dbt,pandas,polars")
    parser.add_argument("--format", choices=["csv", "parquet"], default="csv")
    parser.add_argument("--folder", type=Path, help="where the files are made; /tmp without")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "build" / "bench.md")
    parser.add_argument("--update", action="store_true", help=f"write them into {PAGE.name} too")
    given = parser.parse_args()
    for name, value in (LARGE if given.large else DEFAULTS).items():
        if getattr(given, name) is None:
            setattr(given, name, value)
    given.newcomers = given.newcomers or given.customers / 1000
    return given


def _whole_numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part.strip()]


def _names_of_peers(text: str) -> list[str]:
    names = [part.strip() for part in text.split(",") if part.strip()]
    unknown = set(names) - (PROGRAMS.keys() - {"product"})
    if unknown:
        raise argparse.ArgumentTypeError(f"no peers: {', '.join(sorted(unknown))}")
    return names


def generated_shop(folder: Path, given: argparse.Namespace, days: int) -> Shop:
    """The shop that all histories are cut from."""
    arguments = {
        "--customers": given.customers,
        "--newcomers": given.newcomers,
        "--days": days,
        "--format": given.format,
    }
    pairs = [str(part) for pair in arguments.items() for part in pair]
    generate(folder, *pairs, *defects())
    return Shop.of(folder / "landing")


def defects() -> list[str]:
    """The generator's options for what all programs know how to clean."""
    rates = [("--defect", f"{kind}={rate}") for kind, rate in DEFECTS.items()]
    return ["--dirt", "0", *(part for pair in rates for part in pair)]


def history(
    folder: Path, makers: Makers, shop: Shop, days: int, repeats: int, alone: Alone | None
) -> list[Row]:
    """All programs over one history, in turns."""
    rows: dict[str, Row] = {}
    landed = (shop.history(days), shop.one_more_day(), shop.correction(days))
    for number in range(repeats):
        given: dict[str, dict[str, Answers]] = {step: {} for step in STEPS}
        for make in makers.values():
            folder.mkdir()
            program = make(folder)
            row = rows.setdefault(program.name, Row(program.name, days))
            try:
                for step, files in zip(STEPS, landed, strict=True):
                    run = program.take(files)
                    job = None if step == STEPS[0] else program.job_seconds()
                    row.steps[step].append(replace(run, job=job))
                    given[step][program.name] = program.answer()
                    _tell(f"{days} days, {number + 1} of {repeats}", program, step, row)
                if isinstance(program, Product) and alone is not None:
                    short_runs(program, f"{days} days", alone)
            except CommandError as error:
                row.wrong = row.wrong or str(error)
            row.megabytes = program.megabytes()
            shutil.rmtree(folder)
        blame(rows, given)
    return list(rows.values())


def blame(rows: Mapping[str, Row], given: Mapping[str, Mapping[str, Answers]]) -> None:
    """Write down whose answers are wrong, and after which step."""
    for step, answers in given.items():
        for name, wrong in verdicts(answers).items():
            if wrong and not rows[name].wrong:
                rows[name].wrong = f"{step}: {wrong}"


def short_runs(program: Product, where: str, alone: Alone) -> None:
    """Runs that find nothing to do."""
    alone[f"nothing new, {where}"].append(program.verb("run"))
    alone[f"status, {where}"].append(program.verb("status"))


def small_shop(folder: Path, makers: Makers, alone: Alone) -> None:
    """Every program once, so that none is the first to read its own code; then one landed line."""
    size = ("--customers", str(SMALL_CUSTOMERS), "--days", str(SMALL_DAYS))
    generate(folder / "shop", *size, *defects())
    shop = Shop.of(folder / "shop" / "landing")
    for name, make in makers.items():
        (folder / name).mkdir()
        program = make(folder / name)
        program.take(shop.history(len(shop.days) - 1))
        print(f"{program.name} has warmed up", file=sys.stderr, flush=True)
    small = product(folder / "product")
    for number in range(REPEATS_OF_SHORT_RUNS):
        short_runs(small, "a small shop", alone)
        line = folder / "line" / "purchases" / f"{shop.days[-1]}.{number}.csv"
        line.parent.mkdir(parents=True, exist_ok=True)
        line.write_text(
            "order_id,customer_id,purchase_date,purchase_amount\n"
            f"N{number},C000001,{shop.days[-1]},10.00\n"
        )
        alone["one landed line, a small shop"].append(
            replace(small.take([line]), job=small.job_seconds())
        )


def intake(folder: Path, shop: Shop, days: int) -> Measured:
    """The product's raw step alone."""
    folder.mkdir()
    files = [path for path in shop.history(days) if path.parent.name == "purchases"]
    raw_intake.land_copies(pl.concat(map(read, files)), folder / "landing", INTAKE_LINES)
    module = "bridge_cart_tests.benchmarks.side_by_side.raw_intake"
    run = product(folder).measured([sys.executable, "-m", module, str(folder)])
    records, seconds = run.output.split()[-2:]
    rate = int(records) / float(seconds)
    said = f"{int(records):,} lines in {float(seconds):.1f} s, {rate:,.0f} lines a second"
    return replace(run, job=float(seconds), output=said)


def machine(given: argparse.Namespace, load_before: float) -> str:
    """Where, when and on what the figures were measured."""
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.system()} {platform.machine()}, {cores} cores, "
        f"{memory:.0f} GiB, Python {platform.python_version()}; {given.customers:,} customers, "
        f"{given.newcomers:g} more a day, {given.format}; medians of {given.repeats} over "
        f"{given.days} days, other histories once; load average {load_before:.1f} before and "
        f"{os.getloadavg()[0]:.1f} after."
    )


def _tell(where: str, program: Program, step: str, row: Row) -> None:
    wall = row.steps[step][-1].wall
    print(f"{where}: {program.name}, {step}: {wall:.1f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
