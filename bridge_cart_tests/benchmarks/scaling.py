"""What a shop of any size would take: unit costs that were measured, times what it brings.

    python -m bridge_cart_tests.benchmarks.scaling

prints the table of docs/scaling.md. Belongs here: arithmetic, with each unit cost once. Does not
belong here: measuring (`side_by_side`, `many_days`, the engines' tests), whose figures stand in
docs/performance.md.
"""

from dataclasses import dataclass

_GB, _TB = 1e9, 1e12
_MONTH = 30.4  # days

# Bytes of live files of a generated shop (400,000 customers, 365 days) after one run.
LANDED_LINE, RAW_LINE, SILVER_LINE = 73.0, 13.4, 21.0
RAW_PROFILE, SILVER_PROFILE, IDENTITY = 46.7, 53.0, 25.6
# Per customer: features, value and segment are written anew with each as_of; history is not.
REPLACED_ROWS, HISTORY_ROWS, CATALOGUE_ROWS = 79.0, 19.5, 170.0
# Landed bytes of one commit to raw, and of its checkpoint for each file with its transaction.
RAW_COMMIT, CHECKPOINT_FILE, COMMITS_OF_A_CHECKPOINT = 64 * 2**20, 840.0, 20
# CPU seconds: a line taken in and folded; a run as such; a customer in a run, whatever it brings.
CPU_LINE, CPU_RUN, CPU_CUSTOMER = 7.0e-6, 3.0, 25e-6
# Bytes of memory in a run: as such, and per customer.
MEMORY_RUN, MEMORY_CUSTOMER = 0.45e9, 1.2e3
# CPU seconds on Spark for one here.
SPARK_FACTOR = 2.0
# Days for which replaced files stay.
KEPT = 7
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
    commits = max(shop.runs_a_day, shop.lines_a_day * LANDED_LINE / shop.raw_commit)
    # A file of a commit is of one batch day; each landed file is a transaction that stays.
    entries = shop.days * (commits + shop.files_a_day)
    checkpoint = entries / 2 * CHECKPOINT_FILE
    written = checkpoint * commits / COMMITS_OF_A_CHECKPOINT
    folding = shop.lines_a_day * CPU_LINE
    passes = shop.runs_a_day * (CPU_RUN + shop.customers * CPU_CUSTOMER)
    here, spark = folding + passes, SPARK_FACTOR * (folding + passes)
    memory = MEMORY_RUN + shop.customers * MEMORY_CUSTOMER
    puts = _MONTH * shop.runs_a_day * 100 + _MONTH * commits * 4
    money = (
        (raw + silver + gold + catalogue) / _GB * GB_MONTH
        + puts / 1_000 * THOUSAND_PUTS
        + spark * _MONTH / 3_600 * CORE_HOUR
    )
    return {
        "raw, live": f"{raw / _TB:,.2f} TB",
        "silver, live": f"{silver / _TB:,.2f} TB",
        "gold, with the versions of a week": f"{gold / _GB:,.0f} GB",
        "catalogue": f"{catalogue / _GB:,.1f} GB",
        "commits to raw a day": f"{commits:,.0f}",
        "files and transactions of raw": f"{entries:,.0f}",
        "raw's checkpoint": f"{checkpoint / 1e6:,.0f} MB",
        "checkpoints written a day": f"{written / _GB:,.2f} GB",
        "CPU a day, taking in and folding": f"{folding / 3_600:,.2f} h",
        "CPU a day, passes over the customers": f"{passes / 3_600:,.2f} h",
        "CPU a day on one machine": f"{here / 3_600:,.1f} h",
        "cores that are busy for two hours a day, on Spark": f"{spark / 7_200:,.1f}",
        "memory of a run on one machine": f"{memory / _GB:,.0f} GB",
        "storage, requests and cores a month": f"{money:,.0f} USD",
    }


def main() -> None:
    """Print what each shop takes, as a table."""
    columns = [figures(shop) for shop in SHOPS]
    print("| | " + " | ".join(shop.name for shop in SHOPS) + " |")
    print("| --- |" + " --: |" * len(SHOPS))
    for name in columns[0]:
        print(f"| {name} | " + " | ".join(column[name] for column in columns) + " |")


if __name__ == "__main__":
    main()
