"""Dagster's folder: made on first use, with settings that suit a laptop.

Belongs here: where DAGSTER_HOME is, what its dagster.yaml says, and what is said when Dagster's
state in it, or in Postgres, cannot be used. A folder that the user names by DAGSTER_HOME is used as
it is; on Postgres, see deploy/dagster.yaml.
"""

import hashlib
import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import dagster as dg
from alembic.util import CommandError
from dagster._core.storage.sqlite import (
    LAST_KNOWN_STAMPED_SQLITE_ALEMBIC_REVISION as LAST_KNOWN_STAMPED,
)

from bridge_cart_assets.automation.instance_file import INSTANCE_FILE
from bridge_cart_assets.automation.state_files import damaged_files
from bridge_cart_assets.lake.fsync import fsync_path
from bridge_cart_assets.settings import Settings

# What earlier versions wrote: such a file was never changed by its user, so it follows.
_WRITTEN_EARLIER = frozenset(
    {
        "621b22df45ca85044d37f5d26812159bae0f3ad0e93777056b6919e3e588eb72",
        "86686836abee1ba5c59ba43130763596274c6603185b3e635604381fa39d548b",
        "a77b4644ebdfd06c2457ff41460be304ae77bb61a628682a04ea1af0d8b6698c",
    }
)

_LONGEST = 200


class DagsterStateError(RuntimeError):
    """Dagster's own state cannot be used; the lake is not concerned."""


def unusable(home: Path | str, error: BaseException) -> DagsterStateError:
    """What is said when Dagster's state cannot be opened, read or written.

    Args:
        home: DAGSTER_HOME.
        error: what stood in the way.
    """
    cause = _first_cause(error)
    said = _words_of(cause)
    if type(cause).__module__.startswith("psycopg2") or "POSTGRES_" in said:
        return DagsterStateError(
            f"Dagster's state in Postgres cannot be used: {said}\n"
            "the lake is not concerned: see that the server runs and that POSTGRES_HOST, _PORT, "
            "_DB, _USER and _PASSWORD fit it, and run again (docs/deployment.md#postgres)"
        )
    if "locked" in said:
        return DagsterStateError(
            f"Dagster's state in {home} is being written by another process: {said}\n"
            "the lake is not concerned: run again when that process has ended"
        )
    return DagsterStateError(
        f"Dagster's state in {home} cannot be used: {said}\n"
        "the lake is not concerned: see to room and rights there, or move the folder away if it is "
        "damaged or of another version, and run again (docs/operations.md#dagsters-state)"
    )


def _first_cause(error: BaseException) -> BaseException:
    """What the driver said; SQLAlchemy's message is a statement and an address to read."""
    cause = getattr(error, "orig", None) or error.__cause__
    return error if cause is None else _first_cause(cause)


def _words_of(cause: BaseException) -> str:
    """One line; of a configuration that Dagster refuses the reason without its stack."""
    problems = "\n".join(str(problem.message) for problem in getattr(cause, "errors", ()))
    refused = re.search(r"PostProcessingError: (.+?)(\. |\.?$)", problems, re.MULTILINE)
    said = refused[1] if refused else " ".join(str(cause).split())
    return said[:_LONGEST] or type(cause).__name__


def refuse_damaged(home: Path) -> None:
    """Look at Dagster's SQLite files before they are opened.

    Dagster itself notices a damaged event log only by events that it cannot store.

    Raises:
        DagsterStateError: a database is cut off, or is none.
    """
    for file, problem in damaged_files(home):
        raise unusable(home, RuntimeError(f"{file.name} {problem}"))


def refuse_other_version(home: Path, instance: dg.DagsterInstance) -> None:
    """Refuse databases of another version of Dagster, before columns are missing within a run.

    Raises:
        DagsterStateError: there is one.
    """
    if (revisions := other_revisions(instance)) is not None:
        raise DagsterStateError(
            f"Dagster's state in {home} was written by another version of Dagster "
            f"(revision {revisions[0]}, here {revisions[1]})\n"
            "if that one was older: bridge-cart migrate; else install it again, or move "
            "the folder away and run again (docs/operations.md#dagsters-state)"
        )


def other_revisions(instance: dg.DagsterInstance) -> tuple[str | None, str] | None:
    """The revision of a database that another version of Dagster wrote, and the one here."""
    storages = (instance.run_storage, instance.event_log_storage, instance.schedule_storage)
    for storage in storages:
        revisions = storage.alembic_version() if storage is not None else None
        is_unstamped = revisions and revisions[0] == LAST_KNOWN_STAMPED
        if storage is not None and is_unstamped and not instance.get_runs_count():
            # A process died between making the tables and noting their revision: Dagster takes
            # that for an older database.
            instance.upgrade()
            revisions = storage.alembic_version()
        if revisions and revisions[0] != revisions[1] and revisions[1] is not None:
            return revisions[0], str(revisions[1])
    return None


def other_revisions_in(settings: Settings) -> tuple[str | None, str] | None:
    """The same of the state that there is; None where there is none yet.

    Raises:
        DagsterStateError: it cannot be used.
    """
    home = dagster_home(settings)
    refuse_damaged(home)
    with _opened(home) as instance:
        return other_revisions(instance)


def upgrade_state(settings: Settings) -> None:
    """Bring the databases of an older version of Dagster to this one's columns and indexes.

    Each step looks first whether it has been done, so one that was cut off is done again.

    Raises:
        DagsterStateError: they are of a later version, or cannot be used.
    """
    home = dagster_home(settings)
    refuse_damaged(home)
    with _opened(home) as instance:
        revisions = other_revisions(instance)
        if revisions is None:
            return
        # Dagster prints how far it is.
        said = io.StringIO()
        try:
            with redirect_stdout(said), redirect_stderr(said):
                instance.upgrade()
        except CommandError as error:
            raise DagsterStateError(
                f"Dagster's state in {home} was written by a later version of Dagster (revision "
                f"{revisions[0]}, which this one does not know)\n"
                "install that version again, or move the folder away: the lake is not concerned"
            ) from error
        except Exception as error:
            raise unusable(home, error) from error


@contextmanager
def _opened(home: Path) -> Iterator[dg.DagsterInstance]:
    try:
        opened = dg.DagsterInstance.get()
    except Exception as error:
        # Whatever stands in the way, it is in what Dagster keeps in that folder or database.
        raise unusable(home, error) from error
    with opened as instance:
        yield instance


def dagster_home(settings: Settings) -> Path:
    """The folder of Dagster's state; `DAGSTER_HOME` is set to it for this process.

    Raises:
        DagsterStateError: the folder cannot be made or written.
    """
    named = os.environ.get("DAGSTER_HOME")
    if named:
        return Path(named)
    home = settings.dagster_home
    instance = home / "dagster.yaml"
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not instance.exists() or _was_written_earlier(instance):
            # Beside it first: others may be reading it. And forced first: an empty file would
            # stand for Dagster's own settings, with telemetry.
            new = home / f"dagster.yaml.{os.getpid()}"
            new.write_text(INSTANCE_FILE)
            fsync_path(new)
            new.replace(instance)
            fsync_path(home)
    except OSError as error:
        raise unusable(home, error) from error
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def _was_written_earlier(instance: Path) -> bool:
    """Whether an earlier version wrote it. It forced nothing: a power cut may have emptied it."""
    written = instance.read_bytes()
    return not written.strip(b"\0") or hashlib.sha256(written).hexdigest() in _WRITTEN_EARLIER


@contextmanager
def dagster_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance of DAGSTER_HOME, or of the data folder.

    Raises:
        DagsterStateError: its configuration or its databases cannot be used.
    """
    home = dagster_home(settings)
    refuse_damaged(home)
    with _opened(home) as instance:
        refuse_other_version(home, instance)
        yield instance
