"""All application transactions of a version of a table, read from its log at once.

delta-rs answers for one name at a time and looks through all of them for it: with ten thousand
files taken in, a millisecond and more for each file that is asked for. Reading the last checkpoint
and the entries behind it costs the same as one such answer.

`bridge_cart_tests/architecture/test_workarounds.py` notices when delta-rs can do it.

Delta can set a transaction again and remove none. One that holds no more, because what it stood
for was taken back (`pipeline.restoring`, `pipeline.retraction`), is set to a value that none has
otherwise, and counts as never written.

Belongs here: reading transactions. Does not belong here: writing them (`commits`).
"""

import json
from collections.abc import Mapping

import polars as pl

from bridge_cart_assets.lake.table_files import TableFiles, checkpoint_of, read_entry

# The version of a transaction that holds no more. JSON in any language can write it.
TAKEN_BACK = -(2**53 - 1)
_BEGIN = '{"txn"'


def recorded(transactions: Mapping[str, int]) -> dict[str, int]:
    """The transactions that hold, of all that were ever written."""
    return {name: version for name, version in transactions.items() if version != TAKEN_BACK}


def all_transactions(
    files: TableFiles, uri: str, version: int, options: Mapping[str, str] | None = None
) -> dict[str, int]:
    """Every application transaction that holds in a version, by name.

    Args:
        files: of the table.
        uri: where the table lies.
        version: the version.
        options: of the store, when the table lies in one.
    """
    found: dict[str, int] = {}
    first = 0
    numbers = (name[:20] for name in files.checkpoints() if name.count(".") == 2)
    done = max((n for c in numbers if (n := int(c)) <= version), default=None)
    if done is not None:
        kept = pl.scan_parquet(
            f"{uri}/{checkpoint_of(done)}",
            glob=False,
            storage_options=dict(options) if options else None,
        )
        rows = kept.select(pl.col("txn").struct.unnest()).drop_nulls("appId").collect()
        found |= dict(rows.select("appId", "version").iter_rows())
        first = done + 1
    for number in range(first, version + 1):
        lines = read_entry(files, number).splitlines()
        said = [json.loads(line)["txn"] for line in lines if line.startswith(_BEGIN)]
        found |= {txn["appId"]: txn["version"] for txn in said}
    return recorded(found)
