"""A history: every call of every process, when it was made, and how it ended.

One call is one line of a file. A call of a process that was killed has no end: what it did may be
there or not.

Belongs here: the form of a line. Does not belong here: making calls (`recorder`) or judging them
(`history_checker`).
"""

import json
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LAND, RUN, REBUILD, MAINTAIN = "land", "run", "rebuild", "maintain"
READ_CATALOGUE, READ_DELTA, READ_PAGE = "read catalogue", "read delta", "read page"
READS = (READ_CATALOGUE, READ_DELTA, READ_PAGE)


@dataclass(frozen=True)
class Call:
    """One call.

    Attributes:
        process: who made it; a reader sees its own calls in their order.
        operation: what it was.
        arguments: with what.
        invoked: when, in seconds of a clock that all processes of the machine share.
        completed: when it ended; None where the process was killed.
        outcome: how it ended, or what was seen; `at` is when the process was gone that was killed.
    """

    process: str
    operation: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    invoked: float = 0.0
    completed: float | None = None
    outcome: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_done(self) -> bool:
        """Whether it came to its end and says that all went well."""
        return self.completed is not None and self.outcome.get("code") == 0

    def describe(self) -> str:
        """The call in a few words."""
        end = "killed" if self.completed is None else f"{self.completed:.2f}"
        return f"{self.process} {self.operation} {self.invoked:.2f}-{end}"


class Recorder:
    """Writes calls down, from several threads."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()

    def write(self, call: Call) -> None:
        """Add a call to the file."""
        with self._lock, self._file.open("a") as lines:
            lines.write(json.dumps(call.__dict__) + "\n")


def now() -> float:
    """The clock of the histories."""
    return time.monotonic()


def read_history(files: Iterable[Path]) -> list[Call]:
    """The calls of some files, in the order in which they were made."""
    lines = (line for file in files for line in file.read_text().splitlines())
    return sorted((Call(**json.loads(line)) for line in lines), key=lambda call: call.invoked)
