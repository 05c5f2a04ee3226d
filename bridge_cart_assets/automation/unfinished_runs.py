"""A look at Dagster's list of runs without loading Dagster, which takes longer than most commands.

Belongs here: whether Dagster has to be asked at all. Does not belong here: which run that is, and
whether its process lives (`liveness`).
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from bridge_cart_assets.settings import Settings

ENDED = ("SUCCESS", "FAILURE", "CANCELED")


def may_be_unfinished(settings: Settings) -> bool:
    """Whether a run may be under way, or may have died; True where only Dagster can tell.

    Only Dagster can tell on Postgres, and what is wrong with a file that cannot be read.
    """
    named = os.environ.get("DAGSTER_HOME")
    home = Path(named) if named else settings.dagster_home
    runs = home.resolve() / "runs.db"
    if not runs.is_file():
        return home.exists()
    marks = ", ".join("?" * len(ENDED))
    statement = f"SELECT 1 FROM runs WHERE status NOT IN ({marks}) LIMIT 1"  # noqa: S608
    try:
        with closing(sqlite3.connect(f"{runs.as_uri()}?mode=ro", uri=True, timeout=1)) as opened:
            return opened.execute(statement, ENDED).fetchone() is not None
    except sqlite3.Error:
        return True
