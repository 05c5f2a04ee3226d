"""What a shop of any size would take: unit costs that were measured, times what it brings.

    python -m bridge_cart_tests.benchmarks.scaling               # the table of docs/scaling.md
    python -m bridge_cart_tests.benchmarks.scaling DATA_FOLDER   # bytes of a generated shop

Belongs here: arithmetic, with each unit cost once, and the bytes of a folder. Does not belong here:
measuring time and memory (`side_by_side`, `many_days`, `engines`), whose figures stand in
docs/performance.md.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

_GB, _TB = 1e9, 1e12
_MONTH = 30.4  # days

# Bytes of a generated shop (115,000 customers, 500 days, 1 M lines) after one run. Raw is told as
# it is in the large files of a large shop (ZSTD); in this one, whose days have 2,000 lines, it has
# 33 bytes a line and 87 a profile (Snappy).
LANDED_LINE, RAW_LINE, SILVER_LINE = 116.0, 18.1, 21.1
RAW_PROFILE, SILVER_PROFILE, IDENTITY = 87.3, 47.1, 47.6
# Per customer: features, value and segment are written anew with each as_of; history is not.
REPLACED_ROWS, HISTORY_ROWS, CATALOGUE_ROWS = 83.0, 25.2, 249.0
# Landed bytes of one commit to raw.
RAW_COMMIT = 64 * 2**20
# Bytes of raw's checkpoint for a file of it, and for the transaction of a landed one.
CHECKPOINT_FILE, CHECKPOINT_TRANSACTION, COMMITS_OF_A_CHECKPOINT = 124.0, 75.0, 20
# CPU seconds: a line taken in and folded; a line of silver that a merge writes again; a run as
# such; a customer in a run, whatever it brings.
CPU_LINE, CPU_MERGED, CPU_RUN, CPU_CUSTOMER = 7.0e-6, 5.7e-6, 3.0, 39e-6
# Bytes of memory in a run: as such, and per customer.
MEMORY_RUN, MEMORY_CUSTOMER = 0.45e9, 1.33e3
# CPU seconds of a line in a full build. With an engine a share of them stays in the process of the
# run, and executors need more than the rest.
CPU_BUILT, STAYS_IN_RUN, ON_EXECUTORS = 50e-6, 0.63, 2.1
# Days for which replaced files stay.
KEPT = 7
# Months of silver whose files are written again each day, because a late line belongs to each.
LATE_MONTHS = 3
# Rows of a bucket (`engine`).
BUCKET_ROWS = 200_000
# US dollars; list prices of a large cloud, from memory: put in your own.
GB_MONTH, THOUSAND_PUTS, CORE_HOUR = 0.023, 0.005, 0.05


@dataclass(frozen=True)
class Shop:
    """What a shop brings; profiles are versions of a profile per customer."""

    name: str
    lines: float
    lines_a_day: float
    customers: float
    files_a_day: float
    profiles: float = 1.5
    runs_a_day: float = 1
    raw_commit: float = RAW_COMMIT

    @property
    def days(self) -> float:
        """Batch days of its history."""
        return self.lines / self.lines_a_day


SHOPS = (
    Shop("a shop of a billion lines", 1e9, 1e6, 30e6, files_a_day=24),
    Shop("a billion lines a day, a year", 365e9, 1e9, 300e6, files_a_day=1_000),
    Shop(
        *("the same, commits of 4 GiB", 365e9, 1e9, 300e6),
        files_a_day=1_000,
        raw_commit=4 * 2**30,
    ),
)


def figures(shop: Shop) -> dict[str, str]:
    """What it takes, by what it is."""
    raw = shop.lines * RAW_LINE + shop.customers * shop.profiles * RAW_PROFILE
    silver = shop.lines * SILVER_LINE + shop.customers * (IDENTITY + shop.profiles * SILVER_PROFILE)
    gold = shop.customers * (HISTORY_ROWS + REPLACED_ROWS * (1 + KEPT * shop.runs_a_day))
    catalogue = shop.customers * CATALOGUE_ROWS
    landed = shop.lines * LANDED_LINE
    merged = min(LATE_MONTHS * _MONTH * shop.lines_a_day, shop.lines)
    merging = merged * CPU_MERGED
    commits = max(shop.runs_a_day, shop.lines_a_day * LANDED_LINE / shop.raw_commit)
    # A file of a commit is of one batch day; each landed file is a transaction that stays.
    a_day = commits * CHECKPOINT_FILE + shop.files_a_day * CHECKPOINT_TRANSACTION
    entries = shop.days * (commits + shop.files_a_day)
    checkpoint = shop.days * a_day
    written = checkpoint * commits / COMMITS_OF_A_CHECKPOINT
    folding = shop.lines_a_day * CPU_LINE
    passes = shop.runs_a_day * (CPU_RUN + shop.customers * CPU_CUSTOMER)
    here = folding + merging + passes
    whole = shop.lines * CPU_BUILT
    memory = MEMORY_RUN + shop.customers * MEMORY_CUSTOMER
    puts = _MONTH * shop.runs_a_day * 100 + _MONTH * commits * 4
    money = (
        (landed + raw + silver + gold + catalogue) / _GB * GB_MONTH
        + puts / 1_000 * THOUSAND_PUTS
        + here * _MONTH / 3_600 * CORE_HOUR
    )
    return {
        "landed files, as they came": f"{landed / _TB:,.2f} TB",
        "raw, live": f"{raw / _TB:,.2f} TB",
        "silver, live": f"{silver / _TB:,.2f} TB",
        "gold, with the versions of a week": f"{gold / _GB:,.0f} GB",
        "catalogue": f"{catalogue / _GB:,.1f} GB",
        "commits to raw a day": f"{commits:,.0f}",
        "files and transactions of raw": f"{entries:,.0f}",
        "raw's checkpoint": f"{checkpoint / 1e6:,.1f} MB",
        "checkpoints written a day": f"{written / 1e6:,.1f} MB",
        "silver written again a day, three months of it": f"{merged * SILVER_LINE / _GB:,.0f} GB",
        "CPU a day, taking in and folding": f"{folding / 3_600:,.2f} h",
        "CPU a day, merging them": f"{merging / 3_600:,.2f} h",
        "CPU a day, passes over the customers": f"{passes / 3_600:,.2f} h",
        "CPU a day on one machine": f"{here / 3_600:,.1f} h",
        "CPU of a full build on one machine": f"{whole / 3_600:,.0f} h",
        "buckets of a full build on Spark": f"{shop.lines / BUCKET_ROWS:,.0f}",
        "CPU of it in the process of the run": f"{STAYS_IN_RUN * whole / 3_600:,.0f} h",
        "CPU of it on executors": f"{ON_EXECUTORS * whole / 3_600:,.0f} h",
        "memory of a run on one machine": f"{memory / _GB:,.0f} GB",
        "storage, requests and cores a month": f"{money:,.0f} USD",
    }


def units(data: Path) -> dict[str, float]:
    """Bytes by what they are bytes of, in the data folder of a generated shop."""
    from bridge_cart_assets.lake.delta import Lake
    from bridge_cart_assets.pipeline.stored_tables import STORED_TABLES

    lake = Lake(str(data / "lake"))
    stored = {table.path: lake.snapshot(table) for table in STORED_TABLES}
    rows = {path: snapshot.rows for path, snapshot in stored.items()}

    def size(*paths: str) -> int:
        return sum(int(stored[p].files["size_bytes"].sum()) for p in paths if rows[p])

    def landed(source: str) -> int:
        return sum(file.stat().st_size for file in (data / "landing" / source).rglob("*.csv"))

    lines, profiles = rows["raw/purchases"], rows["raw/customers"]
    customers = rows["gold/customer_features"]
    replaced = (f"gold/customer_{name}" for name in ("features", "value", "segments"))
    return {
        "a landed line": landed("purchases") / lines,
        "a line in raw": size("raw/purchases") / lines,
        "a line in silver": size("silver/purchases", "silver/purchase_repeats") / lines,
        "a profile in raw": size("raw/customers") / profiles,
        "a profile in silver": size("silver/customers", "silver/customer_repeats") / profiles,
        "an identity": size("silver/identities") / rows["silver/identities"],
        "a customer's rows that are replaced": size(*replaced) / customers,
        "a customer's history": size("gold/customer_history") / customers,
        "a customer in the catalogue": (data / "bridge_cart.duckdb").stat().st_size / customers,
    }


def main() -> None:
    """Print what each shop takes, as a table; or the bytes of a folder."""
    if len(sys.argv) > 1:
        for name, size in units(Path(sys.argv[1])).items():
            print(f"| {name} | {size:.1f} B |")
        return
    columns = [figures(shop) for shop in SHOPS]
    print("| | " + " | ".join(shop.name for shop in SHOPS) + " |")
    print("| --- |" + " --: |" * len(SHOPS))
    for name in columns[0]:
        print(f"| {name} | " + " | ".join(column[name] for column in columns) + " |")


if __name__ == "__main__":
    main()
