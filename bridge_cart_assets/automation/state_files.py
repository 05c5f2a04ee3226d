"""Dagster's SQLite files, looked at without loading Dagster, which takes longer than most commands.

Belongs here: whether Dagster has to be asked at all, and whether a file is damaged. Does not belong
here: which run is under way, and whether its process lives (`liveness`).
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from bridge_cart_assets.settings import Settings

ENDED = ("SUCCESS", "FAILURE", "CANCELED")
_DATABASES = ("index", "runs", "schedules")


def may_be_unfinished(settings: Settings) -> bool:
    """Whether a run may be under way, or may have died; True where only Dagster can tell.

    Only Dagster can tell on Postgres, and what is wrong with files that are damaged.
    """
    named = os.environ.get("DAGSTER_HOME")
    home = (Path(named) if named else settings.dagster_home).resolve()
    runs = home / "runs.db"
    if not runs.is_file():
        return home.exists()
    if any(damaged_files(home)):
        return True
    marks = ", ".join("?" * len(ENDED))
    statement = f"SELECT 1 FROM runs WHERE status NOT IN ({marks}) LIMIT 1"  # noqa: S608
    try:
        with closing(sqlite3.connect(f"{runs.as_uri()}?mode=ro", uri=True, timeout=1)) as opened:
            return opened.execute(statement, ENDED).fetchone() is not None
    except sqlite3.Error:
        return True


def damaged_files(home: Path) -> Iterator[tuple[Path, str]]:
    """The files that are cut off or are no database, each with what is wrong with it."""
    for file in sorted(home.glob("*.db")):
        if file.stem in _DATABASES and (problem := _damage(file)):
            yield file, problem


def _damage(file: Path) -> str | None:
    """What is wrong with a SQLite file, as far as its header tells (sqlite.org/fileformat.html)."""
    with file.open("rb") as opened:
        header = opened.read(100)
    if not header:
        return None
    if not header.startswith(b"SQLite format 3\0") or len(header) < 100:
        return "is no SQLite database"
    page_size = int.from_bytes(header[16:18], "big")
    page_size = 65536 if page_size == 1 else page_size
    whole = page_size * int.from_bytes(header[28:32], "big")
    size = file.stat().st_size
    return f"is cut off: it has {size:,} of {whole:,} bytes" if size < whole else None
