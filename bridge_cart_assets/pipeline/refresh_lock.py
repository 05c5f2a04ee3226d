"""One run at a time brings silver, gold and the catalogue up to date.

Any number of runs could write raw and silver: a plan that was overtaken is refused. Gold and the
catalogue are made of many tables as they were at one moment. Of two runs at once the slower one
would put an older state over a newer one, and a catalogue built meanwhile would have tables of
both. The kernel keeps the lock, and takes it from a process that has died.

Belongs here: the lock. Does not belong here: what is said while a run waits (`terminal.running`).
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_POLL_SECONDS = 0.1
_ONLY_OWNER = 0o600


@contextmanager
def refreshing_alone(
    data: Path, still_waiting: Callable[[float], None] = lambda _: None
) -> Iterator[bool]:
    """A time in which no other process of this machine brings gold up to date.

    Args:
        data: the data folder; runs over one lake from two data folders do not see each other.
        still_waiting: is told now and then how many seconds have passed; raises to give up.

    Returns:
        Whether it came at once.
    """
    data.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    came_at_once = True
    handle = os.open(data / ".refresh.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _ONLY_OWNER)
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                came_at_once = False
            still_waiting(time.monotonic() - began)
            time.sleep(_POLL_SECONDS)
        yield came_at_once
    finally:
        os.close(handle)
