"""All application transactions of a version of a table, read from its log at once.

delta-rs answers for one name at a time and looks through all of them for it: with ten thousand
files taken in, a millisecond and more for each file that is asked for. Reading the last checkpoint
and the entries behind it costs the same as one such answer.

`bridge_cart_tests/architecture/test_workarounds.py` notices when delta-rs can do it.

Belongs here: reading transactions. Does not belong here: writing them (`commits`).
"""

import json
from pathlib import Path

import polars as pl

from bridge_cart_assets.lake.fsync import LOG, entry_of

_BEGIN = '{"txn"'


def all_transactions(table: Path, version: int) -> dict[str, int]:
    """Every application transaction of a version, by name.

    Args:
        table: folder of the table.
        version: the version.
    """
    found: dict[str, int] = {}
    first = 0
    checkpoints = (table / LOG).glob("[0-9]*.checkpoint.parquet")
    done = max((n for c in checkpoints if (n := int(c.name[:20])) <= version), default=None)
    if done is not None:
        kept = pl.scan_parquet(table / LOG / f"{done:020}.checkpoint.parquet", glob=False)
        rows = kept.select(pl.col("txn").struct.unnest()).drop_nulls("appId").collect()
        found |= dict(rows.select("appId", "version").iter_rows())
        first = done + 1
    for entry in (entry_of(table, number) for number in range(first, version + 1)):
        lines = entry.read_text(encoding="utf-8").splitlines()
        said = [json.loads(line)["txn"] for line in lines if line.startswith(_BEGIN)]
        found |= {txn["appId"]: txn["version"] for txn in said}
    return found
