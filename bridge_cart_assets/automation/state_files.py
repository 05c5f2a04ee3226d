"""Dagster's SQLite files, looked at without loading Dagster, which takes longer than most commands.

Belongs here: whether Dagster has to be asked at all, whether a file is damaged, and what `status`
tells of the latest run and the checks. Does not belong here: which run is under way, and whether
its process lives (`liveness`).
"""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from bridge_cart_assets.automation.instance_file import INSTANCE_FILE
from bridge_cart_assets.automation.latest_state import CheckState, LastRun, LatestState
from bridge_cart_assets.settings import Settings

ENDED = ("SUCCESS", "FAILURE", "CANCELED")
# The revision of the databases whose columns are read here; others are left to Dagster.
REVISION = "29b539ebc72a"
_DATABASES = ("index", "runs", "schedules")
_LAST_RUN = """
SELECT run_id, start_time, end_time, status = 'SUCCESS' FROM runs
WHERE pipeline_name = ? AND status IN ('SUCCESS', 'FAILURE') ORDER BY id DESC LIMIT 1
"""
_CHECKS = """
SELECT asset_key, check_name, evaluation_event FROM asset_check_executions WHERE id IN (
  SELECT max(id) FROM asset_check_executions
  WHERE execution_status IN ('SUCCEEDED', 'FAILED') GROUP BY asset_key, check_name
)
"""


def may_be_unfinished(settings: Settings) -> bool:
    """Whether a run may be under way, or may have died; True where only Dagster can tell.

    Only Dagster can tell on Postgres, and what is wrong with files that are damaged.
    """
    named = os.environ.get("DAGSTER_HOME")
    home = (Path(named) if named else settings.dagster_home).resolve()
    runs = home / "runs.db"
    # Files that Dagster wrote before it was given a server are there still.
    if not runs.is_file() or _is_on_a_server(home):
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


def _is_on_a_server(home: Path) -> bool:
    """Whether Dagster's state is in a database elsewhere, as far as its dagster.yaml tells."""
    try:
        text = (home / "dagster.yaml").read_text()
    except OSError:
        return False
    return text != INSTANCE_FILE and any(name in text for name in ("postgres", "mysql"))


def latest_state(settings: Settings, job: str) -> LatestState | None:
    """The latest run of a job and what the checks said; None where only Dagster can tell.

    Only Dagster can tell where its state is not kept as `instance_file` says (on Postgres, for
    instance), has another revision, or is damaged.
    """
    named = os.environ.get("DAGSTER_HOME")
    home = (Path(named) if named else settings.dagster_home).resolve()
    if not named and not home.exists():
        # To ask Dagster would make its folder, in a place that may be mistyped.
        return LatestState(None, {})
    try:
        if (home / "dagster.yaml").read_text() != INSTANCE_FILE or any(damaged_files(home)):
            return None
        with _opened(home / "runs.db") as runs, _opened(home / "index.db") as index:
            last = runs.execute(_LAST_RUN, (job,)).fetchone()
            rows = index.execute(_CHECKS).fetchall()
        checks = dict(_check_state(*row) for row in rows)
        return LatestState(None if last is None else _last_run(*last), checks)
    except (OSError, sqlite3.Error, ValueError, KeyError, TypeError):
        return None


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    """A database of the known revision, read-only.

    Raises:
        ValueError: it has another one.
    """
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=1)) as opened:
        revisions = opened.execute("SELECT version_num FROM alembic_version").fetchall()
        if revisions != [(REVISION,)]:
            raise ValueError(f"{file.name} has revision {revisions}")
        yield opened


def _last_run(
    run_id: str, began: float | None, ended: float | None, success: int
) -> LastRun | None:
    if began is None or ended is None:
        # Dagster says so of a run that failed before it began.
        return None
    finished = datetime.fromtimestamp(ended, tz=UTC)
    return LastRun(run_id, finished, ended - began, bool(success))


def _check_state(key: str, name: str, event: str) -> tuple[tuple[str, str], CheckState]:
    path = "/".join(json.loads(key))
    said = json.loads(event)["dagster_event"]["event_specific_data"]
    severity = said["severity"]["__enum__"].partition(".")[2]
    state = CheckState(said["success"], severity, said["blocking"], said["description"])
    return (path, name), state


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
    pages = int.from_bytes(header[28:32], "big")
    size = file.stat().st_size
    missing = set(range(size // page_size + 1, pages + 1))
    # A checkpoint that was interrupted leaves the pages in the write-ahead log.
    if not missing or missing <= _pages_in_wal(file.with_name(f"{file.name}-wal"), page_size):
        return None
    return f"is cut off: it has {size:,} of {page_size * pages:,} bytes"


def _pages_in_wal(file: Path, page_size: int) -> set[int]:
    """The numbers of the pages in a write-ahead log (sqlite.org/fileformat.html#walformat)."""
    if not file.exists():
        return set()
    with file.open("rb") as opened:
        salt = opened.read(32)[16:24]
        frames = iter(lambda: opened.read(24 + page_size), b"")
        # Frames of an earlier use of the file have another salt.
        return {
            int.from_bytes(frame[:4], "big")
            for frame in frames
            if len(frame) == 24 + page_size and frame[8:16] == salt
        }
