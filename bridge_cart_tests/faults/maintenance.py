"""A process that keeps compacting and vacuuming until it is ended.

    python -m bridge_cart_tests.faults.maintenance DATA

maintains all tables again and again, as the nightly job does once, and writes down in
DATA/upkeep how many tables it put together and in DATA/lost-to-others each compaction that another
process was faster than. It ends when DATA/enough is there.
"""

import sys
from pathlib import Path

from bridge_cart_assets.lake import commits
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.maintenance import Done, maintain, versions_served
from bridge_cart_assets.pipeline.stored_tables import STORED_TABLES


def main() -> None:
    data = Path(sys.argv[1])
    raised = commits.CommitConflictError.__init__

    def count(self: commits.CommitConflictError, *args: object) -> None:
        raised(self, *args)
        with (data / "lost-to-others").open("a") as lost:
            lost.write("x")

    commits.CommitConflictError.__init__ = count  # type: ignore[method-assign, assignment]
    print("ready", flush=True)
    while not (data / "enough").exists():
        done = maintain_once(data)
        with (data / "upkeep").open("a") as log:
            log.write("x" * sum(table.files_after < table.files_before for table in done))


def maintain_once(data: Path) -> list[Done]:
    """What the nightly job does."""
    served = versions_served(data / "bridge_cart.duckdb")
    return maintain(Lake(str(data / "lake")), STORED_TABLES, "upkeep", served=served)


if __name__ == "__main__":
    main()
