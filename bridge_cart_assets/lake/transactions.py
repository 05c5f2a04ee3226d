"""All application transactions of a version of a table, read from its log at once.

delta-rs answers for one name at a time and looks through all of them for it: with ten thousand
files taken in, a millisecond and more for each file that is asked for. Reading the last checkpoint
and the entries behind it costs the same as one such answer.

`bridge_cart_tests/architecture/test_workarounds.py` notices when delta-rs can do it.

Belongs here: reading transactions. Does not belong here: writing them (`commits`).
"""

import json
from collections.abc import Mapping

import polars as pl

from bridge_cart_assets.lake.table_files import TableFiles, checkpoint_of, read_entry

_BEGIN = '{"txn"'


def all_transactions(
    files: TableFiles, uri: str, version: int, options: Mapping[str, str] | None = None
) -> dict[str, int]:
    """Every application transaction of a version, by name.

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
    return found
