"""Which problems each channel knows of, so that each is sent once, and its end too.

Belongs here: the file that remembers it, and what is news against it. Does not belong here: how
news is sent (`delivery`).
"""

import fcntl
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from bridge_cart_assets.alerts.problems import Problem

FILE_NAME = "alerts.json"
_LOCK_NAME = ".alerts.lock"
LOCK_SECONDS = 30.0
_POLL_SECONDS = 0.1
_ONLY_OWNER = 0o600


@dataclass(frozen=True)
class KnownProblem:
    """A problem that a channel was sent, and since when it is known there."""

    problem: Problem
    since: str


@dataclass(frozen=True)
class News:
    """What a channel has not been sent yet: problems that began, and known ones that ended."""

    began: tuple[Problem, ...]
    ended: tuple[KnownProblem, ...]

    @property
    def is_none(self) -> bool:
        """Whether there is nothing to send."""
        return not self.began and not self.ended


@dataclass
class Register:
    """What was sent, by channel and key; and the command that failed last, until one succeeds.

    Attributes:
        sent: by channel and by the key of the problem.
        failure: the words of the command that failed, and when; None after one has succeeded.
    """

    sent: dict[str, dict[str, KnownProblem]] = field(default_factory=dict)
    failure: tuple[str, str] | None = None

    def news(self, channel: str, problems: Iterable[Problem]) -> News:
        """What the channel has not been sent, of all that is wrong now."""
        known, now = self.sent.get(channel, {}), {problem.key: problem for problem in problems}
        return News(
            tuple(problem for key, problem in now.items() if key not in known),
            tuple(sent for key, sent in known.items() if key not in now),
        )

    def note(self, channel: str, news: News, at: datetime) -> None:
        """The channel has been sent this."""
        known = self.sent.setdefault(channel, {})
        for ended in news.ended:
            del known[ended.problem.key]
        for problem in news.began:
            known[problem.key] = KnownProblem(problem, at.isoformat(timespec="seconds"))


@contextmanager
def open_register(data: Path) -> Iterator[Register]:
    """The register of a data folder; written at the end, also when the block fails.

    One process has it at a time.

    Raises:
        TimeoutError: another process has it, and is still sending.
    """
    data.mkdir(parents=True, exist_ok=True)
    lock = os.open(data / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _ONLY_OWNER)
    try:
        _wait_for(lock)
        path = data / FILE_NAME
        register = _read(path)
        try:
            yield register
        finally:
            _write(path, register)
    finally:
        os.close(lock)


def _wait_for(lock: int) -> None:
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TimeoutError("another process is still sending alerts") from None
            time.sleep(_POLL_SECONDS)
        else:
            return


def _read(path: Path) -> Register:
    """What the file says; nothing was sent when it is gone or damaged, so all is sent again."""
    try:
        stored = json.loads(path.read_text())
        sent = {
            channel: {key: _known(value) for key, value in problems.items()}
            for channel, problems in stored["sent"].items()
        }
        failure = stored["failure"]
        return Register(sent, None if failure is None else (failure[0], failure[1]))
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return Register()


def _known(value: Mapping[str, Any]) -> KnownProblem:
    return KnownProblem(Problem(**value["problem"]), value["since"])


def _write(path: Path, register: Register) -> None:
    text = json.dumps(asdict(register), indent=1)
    unfinished = path.with_suffix(".tmp")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _ONLY_OWNER)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(handle)
    unfinished.replace(path)
