"""Operations that change what the lake has taken in: which one is open, and keeping runs away.

Belongs here: the files that say what is to be done, and the lock. Does not belong here: what they
say (`open_erasure`, `open_retraction`, `open_restore`), or doing it.

A run must not be beside such an operation: it would commit files that an erasure takes for
leftovers, fold records that a retraction is about to take away, or write to a table that a restore
is about to bring back. So a run at the terminal holds a lock that any number may share, and an
operation, a migration too, holds it alone. What Dagster's daemon starts is
refused by the file, which is there from before the operation waits for the last run until it is
complete.
"""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge_cart_assets.lake.fsync import fsync_path
from bridge_cart_assets.settings import Settings

# The tag of the run by which gold follows an erasure.
ERASING_TAG = "bridge_cart/erasure"
_POLL_SECONDS = 0.5
_SILENT_SECONDS = 5
_ONLY_OWNER = 0o600
_OTHERS = "erasure, retraction, restore or migration"


class OperationOpenError(RuntimeError):
    """An operation is under way, or has been cut off; the message says what to do."""


@dataclass(frozen=True)
class Operation:
    """A kind of operation that has the lake for itself.

    Attributes:
        words: what it is, for people.
        file_name: of the file in the data folder that says what is to be done.
    """

    words: str
    file_name: str

    def file(self, settings: Settings) -> Path:
        """Where it stands what is to be done."""
        return settings.data / self.file_name

    def is_open(self, settings: Settings) -> bool:
        """Whether one has begun and is not complete."""
        return self.file(settings).exists()

    def save(self, settings: Settings, content: Mapping[str, Any]) -> None:
        """Write down what is to be done, so that a power cut leaves it whole or as it was."""
        path = self.file(settings)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.new")
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _ONLY_OWNER)
        with os.fdopen(handle, "w") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
        fsync_path(path.parent)

    def read(self, settings: Settings) -> dict[str, Any] | None:
        """What is to be done; None when nothing is open."""
        try:
            written: dict[str, Any] = json.loads(self.file(settings).read_text())
        except FileNotFoundError:
            return None
        return written

    def close(self, settings: Settings) -> None:
        """Forget what was to be done."""
        path = self.file(settings)
        path.with_name(f".{path.name}.new").unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        fsync_path(path.parent)


ERASURE = Operation("an erasure", "erasing.json")
RETRACTION = Operation("a retraction", "retracting.json")
RESTORE = Operation("a restore", "restoring.json")
_OPERATIONS = (RESTORE, RETRACTION, ERASURE)


def open_operation(settings: Settings) -> Operation | None:
    """The operation that has begun and is not complete; None when there is none."""
    return next((one for one in _OPERATIONS if one.is_open(settings)), None)


def refuse_while_open(settings: Settings, tags: Mapping[str, str]) -> None:
    """Refuse a run that is not an erasure's own.

    Raises:
        OperationOpenError: an operation is not complete.
    """
    found = None if ERASING_TAG in tags else open_operation(settings)
    if found is not None:
        raise OperationOpenError(f"{found.words} is not complete: bridge-cart run finishes it")


@contextmanager
def closed_unless_begun(
    operation: Operation, settings: Settings, has_begun: Callable[[], bool]
) -> Iterator[None]:
    """Forget an operation that was refused, or gave up waiting, before it changed anything.

    Else the next run would complete, unasked, what its user takes for refused.
    """
    try:
        yield
    except BaseException:
        if not has_begun():
            operation.close(settings)
        raise


@contextmanager
def lake_shared(
    settings: Settings, wait_seconds: float, say: Callable[[str], None]
) -> Iterator[None]:
    """A time in which no operation is under way; others may have it too.

    Raises:
        OperationOpenError: an operation is under way for longer than was to be waited.
    """
    with _locked(settings, fcntl.LOCK_SH, wait_seconds, say, _OTHERS):
        found = open_operation(settings)
        if found is not None:
            raise OperationOpenError(f"{found.words} was cut off\nfinish it with: bridge-cart run")
        yield


@contextmanager
def lake_alone(
    settings: Settings, wait_seconds: float, say: Callable[[str], None]
) -> Iterator[None]:
    """A time in which no other process runs a job at the terminal or has an operation.

    Raises:
        OperationOpenError: somebody does for longer than was to be waited.
    """
    with _locked(settings, fcntl.LOCK_EX, wait_seconds, say, f"another run, {_OTHERS}"):
        yield


@contextmanager
def _locked(
    settings: Settings, kind: int, wait_seconds: float, say: Callable[[str], None], whom: str
) -> Iterator[None]:
    settings.data.mkdir(parents=True, exist_ok=True)
    # The name is that of the first version that had it: processes of both keep apart.
    path = settings.data / ".erasing.lock"
    began = time.monotonic()
    has_said = False
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _ONLY_OWNER)
    try:
        while True:
            try:
                fcntl.flock(handle, kind | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waited = time.monotonic() - began
            if waited >= wait_seconds:
                raise OperationOpenError(
                    f"{whom} is still under way after {wait_seconds:,.0f} s of waiting\n"
                    "try again later, or wait longer: --wait SECONDS"
                )
            if waited >= _SILENT_SECONDS and not has_said:
                say(f"waiting for {whom}; gives up after {wait_seconds:,.0f} s")
                has_said = True
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(handle)
