"""Forgetting what a table has been: its earlier versions, and all that they alone refer to.

A row that was deleted lives on: in the files of earlier versions, in change data, in the smallest
and largest values that log entries have of each file, and in files that a killed writer has left.
What must not live on is taken away here, and the version stays what it is, so that whatever has
followed the table up to it goes on from there.

The order makes a crash harmless: first a checkpoint says all that the entries have said, then the
last entry loses what it says of files that are gone, then earlier entries go, then files. It may
not run beside another writer of the table: files that are about to be committed look like those
that a killed writer has left.

Belongs here: one table. Does not belong here: which tables, and keeping others out (`pipeline`).
"""

import json
from urllib.parse import unquote

from deltalake import DeltaTable

from bridge_cart_assets.lake.fsync import LOG
from bridge_cart_assets.lake.table_files import TableFiles, read_entry

_OF_FILES_THAT_ARE_GONE = {"cdc", "remove"}


def forget_history(handle: DeltaTable, files: TableFiles) -> int:
    """Forget all but the current version of a table.

    Args:
        handle: the table, open at its latest version.
        files: its files.

    Returns:
        How many files were removed, log entries included.
    """
    version = handle.version()
    handle.create_checkpoint()
    files.force_log()
    shorten_entry(files, version)
    live = {unquote(str(path)) for path in handle.get_add_actions(flatten=True)["path"].to_pylist()}
    current = (f"{LOG}/{version:020}", f"{LOG}/_last_checkpoint")
    superfluous = [
        path
        for path in files.paths()
        if unquote(path) not in live and path not in live and not path.startswith(current)
    ]
    # The entries first, the earliest before the others: what is left can be read on the way.
    superfluous.sort(key=lambda path: (not path.startswith(LOG), path))
    files.remove(superfluous)
    files.remove_empty_folders()
    files.force_log()
    return len(superfluous)


def shorten_entry(files: TableFiles, version: int) -> None:
    """Take out of a log entry what it says of files that are gone; the checkpoint has the rest.

    It is another file then in any case, so whoever has the table open opens it again
    (`open_tables`): what was opened goes on reading entries that are about to go.
    """
    lines = read_entry(files, version).splitlines()
    left = [ln for ln in lines if not json.loads(ln).keys() & _OF_FILES_THAT_ARE_GONE]
    files.replace_entry(version, "\n".join(left))
