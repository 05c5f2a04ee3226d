"""What Dagster's history costs on SQLite and on Postgres; needs Debian's postgresql.

    python -m bridge_cart_tests.benchmarks.dagster_storages ROUNDS

runs a small shop (300 customers; 89 days in one run, then one more day) with the history in SQLite,
on Postgres, and on Postgres by Dagster's own classes, in turn, and prints the medians: wall time,
CPU time of the command, and of the server.
"""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from bridge_cart_assets.generator.shop import Shop, generate
from bridge_cart_tests.conftest import environment_of
from bridge_cart_tests.deploy.postgres_server import Server, postgres_server

INSTANCE = Path(__file__).parents[2] / "deploy" / "dagster.yaml"
RUNS = {"89 days": ("--to", "2024-03-29"), "one more day": ()}
KINDS = ("SQLite", "Postgres", "Postgres, Dagster's own classes")
TICKS = os.sysconf("SC_CLK_TCK")


def server_seconds(server: Server) -> float:
    """CPU seconds of the server, with those of its processes that have ended."""
    assert server.process is not None
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        fields = text.rpartition(")")[2].split()
        if int(stat.parent.name) == server.process.pid:
            total += sum(map(int, fields[11:15]))
        elif int(fields[1]) == server.process.pid:
            total += sum(map(int, fields[11:13]))
    return total / TICKS


def homes(folder: Path) -> dict[str, Path]:
    """DAGSTER_HOME of the two kinds of Postgres."""
    described = yaml.safe_load(INSTANCE.read_text())
    own = {**described, "storage": {"postgres": described["storage"]["custom"]["config"]}}
    found = {}
    for name, text in (("Postgres", described), ("Postgres, Dagster's own classes", own)):
        found[name] = folder / name[-3:].strip()
        found[name].mkdir()
        (found[name] / "dagster.yaml").write_text(yaml.safe_dump(text))
    return found


def measure(
    shop: Path, server: Server, home: Path | None, folder: Path
) -> dict[str, tuple[float, float, float]]:
    """Wall, CPU of the command and of the server, of each run."""
    data = folder / "data"
    shutil.copytree(shop, data)
    server.empty()
    given = {} if home is None else {"DAGSTER_HOME": str(home), "DAGSTER_STORAGE": str(data)}
    env = environment_of(data, **given, **(server.environment if home else {}))
    found = {}
    for name, arguments in RUNS.items():
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        of_server = server_seconds(server)
        subprocess.run(
            [sys.executable, "-m", "bridge_cart_assets", "run", *arguments],
            env=env,
            check=True,
            capture_output=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        wall = time.perf_counter() - began
        found[name] = (wall, cpu, server_seconds(server) - of_server)
    shutil.rmtree(data)
    return found


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as name, postgres_server() as server:
        folder = Path(name)
        generate(Shop(customers=300, days=90), folder / "shop")
        of_kind = homes(folder)
        taken: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
        for _ in range(rounds):
            for kind in KINDS:
                made = measure(folder / "shop", server, of_kind.get(kind), folder)
                for run, figures in made.items():
                    taken.setdefault((run, kind), []).append(figures)
                    print(f"{run}, {kind}: {figures}", file=sys.stderr)
    print("| run | history | wall s | CPU s | server's CPU s |\n|---|---|--:|--:|--:|")
    for run in RUNS:
        for kind in KINDS:
            wall, cpu, of_server = map(statistics.median, zip(*taken[run, kind], strict=True))
            print(f"| {run} | {kind} | {wall:.1f} | {cpu:.1f} | {of_server:.1f} |")


if __name__ == "__main__":
    main()
