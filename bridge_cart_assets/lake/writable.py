"""Whether this process may write to a lake's folders.

Belongs here: asking before a run begins. Without it the first write fails after a part of the run,
in words of a library that panics while it cleans up. Does not belong here: stores, which say
themselves what they do not allow (`object_store`).
"""

import os
from collections.abc import Iterable
from pathlib import Path

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.fsync import LOG
from bridge_cart_assets.tables.table import Table


class ReadOnlyLakeError(RuntimeError):
    """A folder of the lake cannot be written; the message says which."""


def refuse_read_only(lake: Lake, tables: Iterable[Table]) -> None:
    """Refuse a lake of which a folder is there and cannot be written.

    Raises:
        ReadOnlyLakeError: there is one; nothing was done.
    """
    if not lake.is_local:
        return
    of_tables = [Path(lake.uri(table)) for table in tables]
    for folder in (Path(lake.root), *of_tables, *(table / LOG for table in of_tables)):
        if folder.is_dir() and not os.access(folder, os.W_OK | os.X_OK):
            if os.statvfs(folder).f_flag & os.ST_RDONLY:
                raise ReadOnlyLakeError(
                    f"{folder} lies on a read-only file system: nothing was done\n"
                    "mount it for writing, or set BRIDGE_CART_LAKE to another place"
                )
            raise ReadOnlyLakeError(
                f"{folder} cannot be written by this user: nothing was done\n"
                "run as the owner of the lake, or let this user write there"
            )
