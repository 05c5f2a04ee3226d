"""Files of a table in an object store, copied beside the catalogue so that DuckDB reads them.

DuckDB's own readers of object stores are extensions, which are not at hand offline and would need
the store's credentials in whatever opens the catalogue. A file of a Delta table never changes, so
a copy is fetched once, and a run fetches what it and others have written since the last one.

Belongs here: fetching and removing copies. Does not belong here: what is made of them
(`catalogue`).
"""

import os
import time
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.snapshot import Snapshot

# At once: most of the time of a small file is spent waiting.
_FETCHES = 8
# Seconds for which a copy stays that the catalogue no longer names: somebody may still read an
# earlier catalogue.
SPARED_SECONDS = 3600.0


def copy_files(lake: Lake, snapshot: Snapshot, folder: Path) -> list[Path]:
    """Copies of a table's live files, in a folder that has one for each table.

    Args:
        lake: where the table lies.
        snapshot: the version of the table.
        folder: gets the files that it does not have yet, under their paths in the lake.
    """
    files = lake.files(snapshot.table)
    live = [
        (unquote(path), size) for path, size in snapshot.files.select("path", "size_bytes").rows()
    ]
    copies = [folder / snapshot.table.path / path for path, _ in live]

    def fetch(one: tuple[tuple[str, int], Path]) -> None:
        (path, size), copy = one
        if copy.exists() and copy.stat().st_size == size:
            # From now on it counts as used.
            os.utime(copy)
            return
        copy.parent.mkdir(parents=True, exist_ok=True)
        # Of two that fetch the same file, or of one that is killed, none leaves half of it.
        beside = copy.with_name(f".{copy.name}.{uuid.uuid4().hex}.tmp")
        try:
            with beside.open("xb") as opened:
                files.download(path, opened)
            beside.replace(copy)
        finally:
            beside.unlink(missing_ok=True)

    with ThreadPoolExecutor(_FETCHES) as pool:
        list(pool.map(fetch, zip(live, copies, strict=True)))
    return copies


def remove_unused(folder: Path, used: Iterable[Path]) -> None:
    """Remove the copies that no catalogue of the last hour has named."""
    used = set(used)
    before = time.time() - SPARED_SECONDS
    for path in folder.rglob("*"):
        if path.is_file() and path not in used and path.stat().st_mtime < before:
            path.unlink(missing_ok=True)
