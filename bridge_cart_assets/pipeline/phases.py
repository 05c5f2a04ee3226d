"""Where the time and the memory of a run go.

Belongs here: the recorder, and the phases that work is done in. Does not belong here: how it is
shown (`terminal.profile`). Nothing is recorded unless somebody asked; then a phase costs a few
microseconds.

Time is counted for the innermost phase alone, so the phases add up to the whole.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START = "starting, loading libraries"
REST = "everything else"


@dataclass
class PhaseUsage:
    """What a phase has used.

    Attributes:
        entered: how many times it was entered.
        seconds: time that passed.
        cpu_seconds: time of all threads together.
        peak_growth: by how many bytes the peak of the memory grew.
    """

    entered: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_growth: int = 0


class Recorder:
    """What the phases of this process have used, in the order in which they were first entered.

    >>> recorder = Recorder()
    >>> with recorder.record("outer"), recorder.record("inner"):
    ...     pass
    >>> {name: usage.entered for name, usage in recorder.usage.items()}
    {'starting, loading libraries': 1, 'outer': 1, 'inner': 1, 'everything else': 1}
    """

    def __init__(self) -> None:
        self._open = [START]
        self._seen = (time.perf_counter() - _age(), 0.0, 0)
        self.usage: dict[str, PhaseUsage] = {START: PhaseUsage(entered=1)}

    @contextmanager
    def record(self, name: str) -> Iterator[None]:
        """A phase, within the one that is open."""
        self._count()
        if self._open == [START]:
            self._open = [REST]
        self._open.append(name)
        self.usage.setdefault(name, PhaseUsage()).entered += 1
        try:
            yield
        finally:
            self._count()
            self._open.pop()
            if self._open == [REST]:
                self.usage.setdefault(REST, PhaseUsage(entered=1))

    def stop(self) -> None:
        """Count what has been used since the last phase."""
        self._count()

    def _count(self) -> None:
        """Add what was used since the last time to the innermost phase."""
        now = (time.perf_counter(), time.process_time(), _peak_memory())
        usage = self.usage.setdefault(self._open[-1], PhaseUsage())
        usage.seconds += now[0] - self._seen[0]
        usage.cpu_seconds += now[1] - self._seen[1]
        usage.peak_growth += now[2] - self._seen[2]
        self._seen = now


# Of the whole process: the command works in another thread than the one that began to record.
_RECORDING: list[Recorder] = []


@contextmanager
def recording() -> Iterator[Recorder]:
    """Record the phases of what this process does meanwhile."""
    recorder = Recorder()
    _RECORDING.append(recorder)
    try:
        yield recorder
    finally:
        recorder.stop()
        _RECORDING.remove(recorder)


@contextmanager
def phase(name: str) -> Iterator[None]:
    """A part of the work whose time and memory are of interest.

    Args:
        name: in plain words; the same name again adds to it.

    >>> with recording() as recorder, phase("gold: kpis_daily"):
    ...     pass
    >>> "gold: kpis_daily" in recorder.usage
    True
    """
    if not _RECORDING:
        yield
        return
    with _RECORDING[-1].record(name):
        yield


def _peak_memory() -> int:
    """The most bytes that this process has had in memory so far; 0 where nobody knows."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _age() -> float:
    """Seconds since this process was started; its CPU time where the kernel does not say."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started
    except (OSError, AttributeError):
        return time.process_time()
