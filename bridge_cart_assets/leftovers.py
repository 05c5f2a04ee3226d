"""What a process leaves in the file system for itself alone, and takes away when a signal ends it.

Belongs here: the list of such paths. Does not belong here: signals (`automation.interruption`).
"""

import atexit
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_paths: set[Path] = set()


def remove_with_process(path: Path) -> None:
    """Have a file or folder removed when the process ends, by itself or by a signal."""
    _paths.add(path)


@contextmanager
def leftover(path: Path) -> Iterator[Path]:
    """A file or folder for as long as the block lasts, or the process."""
    _paths.add(path)
    try:
        yield path
    finally:
        _remove(path)


@atexit.register
def remove_leftovers() -> None:
    """Remove all of them; the process ends."""
    for path in tuple(_paths):
        _remove(path)


def _remove(path: Path) -> None:
    _paths.discard(path)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)
