"""Which files a run was reading when it died.

Belongs here: a note of the files in hand, and what notes of dead processes say. Does not belong
here: what is done with a file that two runs have died of (`ingest_files`).

What a file declares bounds what it may cost. One that declares less than it takes ends the process
without a word, and the next run would read it again, and the next. So each process notes which
files it has opened and not yet parsed, in a file that it holds locked. The kernel takes the lock
away when the process dies, however it does. A process that a signal ends takes its note along.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from bridge_cart_assets.ingestion.landing import LandedFile
from bridge_cart_assets.leftovers import leftover

# Died once with others: tried alone. Died alone: refused.
MOST_DEATHS = 2


class Attempts:
    """The files in hand of one intake of a source, and how many runs have died of each before."""

    def __init__(self, deaths: dict[str, int], descriptor: int | None) -> None:
        self._deaths = deaths
        self._descriptor = descriptor
        self._in_hand: dict[str, None] = {}
        self._write()

    def deaths(self, file: LandedFile) -> int:
        """How many runs have died while they had the file in hand."""
        return self._deaths.get(_key(file), 0)

    def opening(self, file: LandedFile) -> None:
        """Note a file before its first byte is read."""
        self._in_hand[_key(file)] = None
        if self._descriptor is not None:
            os.write(self._descriptor, f"{_key(file)}\n".encode())

    def parsed(self, files: Iterable[LandedFile]) -> None:
        """Forget files whose records are in memory or staged, or that are refused."""
        for file in files:
            self._in_hand.pop(_key(file), None)
            self._deaths.pop(_key(file), None)
        self._write()

    def _write(self) -> None:
        if self._descriptor is None:
            return
        text = "\n".join([json.dumps(self._deaths), *self._in_hand, ""])
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        os.write(self._descriptor, text.encode())


@contextmanager
def attempts(folder: Path | None, source: str) -> Iterator[Attempts]:
    """Note which files are in hand as long as the block lasts.

    Args:
        folder: where the notes lie; nothing is noted without, or where none can be written.
        source: whose files.
    """
    if folder is None:
        yield Attempts({}, None)
        return
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        note = folder / f"{source}-{uuid4().hex}"
        descriptor = os.open(note, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Under its name of a note only once it is locked.
        os.rename(note, note := note.with_suffix(".note"))
    except OSError:
        yield Attempts({}, None)
        return
    try:
        with leftover(note):
            dead = _dead(folder, source)
            deaths: dict[str, int] = {}
            for text in dead.values():
                deaths |= _read(text)
            tried = Attempts(deaths, descriptor)
            # Only now that the new note has what they say.
            for path in dead:
                path.unlink(missing_ok=True)
            yield tried
    finally:
        os.close(descriptor)


def _dead(folder: Path, source: str) -> dict[Path, str]:
    """The notes of processes that have died, with what they say."""
    found = {}
    for path in folder.glob(f"{source}-*.note"):
        with suppress(OSError), path.open("rb") as note:
            fcntl.flock(note, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found[path] = note.read().decode(errors="replace")
    return found


def _read(text: str) -> dict[str, int]:
    first, *in_hand = text.splitlines() or ["{}"]
    try:
        deaths = {str(key): int(times) for key, times in json.loads(first).items()}
    except (ValueError, AttributeError, TypeError):
        deaths = {}
    # A line that was not written to its end is of a file that was not opened.
    return deaths | {key: deaths.get(key, 0) + 1 for key in in_hand}


def _key(file: LandedFile) -> str:
    return json.dumps(file.signature)
