"""Dagster's migration scripts, read once in a process.

Belongs here: only that. Dagster compares the revision of each of its SQLite files with its 90
migration scripts and reads all of them for each comparison: when it opens the runs, the event log,
the schedules, and the file of each run (0.06 s each, a tenth of a run of the command).
"""

from alembic.config import Config
from alembic.script import ScriptDirectory

# As alembic has it: once for each comparison.
read_scripts = ScriptDirectory.from_config
_scripts_by_location: dict[str | None, ScriptDirectory] = {}


def read_once() -> None:
    """Let all comparisons of this process share the scripts that the first one reads."""
    ScriptDirectory.from_config = _shared_scripts  # type: ignore[method-assign]


def _shared_scripts(config: Config) -> ScriptDirectory:
    location = config.get_main_option("script_location")
    if location not in _scripts_by_location:
        _scripts_by_location[location] = read_scripts(config)
    return _scripts_by_location[location]
