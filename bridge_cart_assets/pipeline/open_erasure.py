"""Whether an erasure has begun and is not complete, and keeping runs and erasures apart.

Belongs here: the file that says what is to be erased, and the lock. Does not belong here: erasing
(`erasure`).

An erasure removes files that no version of a table has. A run that is about to commit such files
must not be beside it, so this is no courtesy: whoever runs a job at the terminal holds a lock that
any number may share, and an erasure holds it alone. What Dagster's daemon starts is refused by the
file, which is there from before the erasure waits for the last run until it is complete.
"""

import fcntl
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from bridge_cart_assets.lake.fsync import fsync_path
from bridge_cart_assets.pipeline.person_index import PersonIndex
from bridge_cart_assets.settings import Settings

# The tag of the run by which gold follows an erasure.
ERASING_TAG = "bridge_cart/erasure"
_POLL_SECONDS = 0.5
_SILENT_SECONDS = 5
_ONLY_OWNER = 0o600


class ErasureOpenError(RuntimeError):
    """An erasure is under way, or has been cut off; the message says what to do."""


@dataclass
class Erasure:
    """What is to be erased, as it is written down until that is done.

    Attributes:
        receipt: the number of its receipt.
        began: when it began.
        ids: the customer_ids that were named.
        index: whose they are and where their records are; None until it is known.
        counts: rows about them by table, before anything was erased.
    """

    receipt: str
    began: datetime
    ids: Sequence[str]
    index: PersonIndex | None = None
    counts: dict[str, int] = field(default_factory=dict)

    def save(self, settings: Settings) -> None:
        """Write it down, so that a power cut leaves it whole or as it was."""
        path = erasing_file(settings)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.new")
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _ONLY_OWNER)
        with os.fdopen(handle, "w") as file:
            json.dump(self._as_json(), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
        fsync_path(path.parent)

    def close(self, settings: Settings) -> None:
        """Forget what was to be erased."""
        path = erasing_file(settings)
        path.with_name(f".{path.name}.new").unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        fsync_path(path.parent)

    def _as_json(self) -> dict[str, Any]:
        index = self.index
        return {
            "receipt": self.receipt,
            "began": self.began.isoformat(),
            "ids": list(self.ids),
            "counts": self.counts,
            "index": None
            if index is None
            else {
                "persons": sorted(index.persons),
                "identities": sorted(index.identities),
                "accounts": sorted(index.accounts),
                "addresses": sorted(index.addresses),
                "orders": sorted(index.orders),
                "texts": sorted(index.texts),
                "days": {
                    source: sorted(day.isoformat() for day in days)
                    for source, days in index.days.items()
                },
                "fingerprints": sorted(index.fingerprints),
                "records": index.records,
            },
        }


def begin_erasure(settings: Settings, ids: Sequence[str]) -> Erasure:
    """Write down that some persons are to be erased."""
    erasure = Erasure(secrets.token_hex(8), datetime.now(UTC), ids)
    erasure.save(settings)
    return erasure


def open_erasure(settings: Settings) -> Erasure | None:
    """The erasure that has begun and is not complete; None when there is none."""
    try:
        written = json.loads(erasing_file(settings).read_text())
    except FileNotFoundError:
        return None
    index = written["index"]
    return Erasure(
        written["receipt"],
        datetime.fromisoformat(written["began"]),
        written["ids"],
        None if index is None else _index_of(index),
        written["counts"],
    )


def _index_of(written: Mapping[str, Any]) -> PersonIndex:
    return PersonIndex(
        persons=set(written["persons"]),
        identities=set(written["identities"]),
        accounts=set(written["accounts"]),
        addresses=set(written["addresses"]),
        orders={(source, order_id) for source, order_id in written["orders"]},
        texts=set(written["texts"]),
        days={
            source: {date.fromisoformat(day) for day in days}
            for source, days in written["days"].items()
        },
        fingerprints=set(written["fingerprints"]),
        records=dict(written["records"]),
    )


def is_erasing(settings: Settings) -> bool:
    """Whether an erasure has begun and is not complete."""
    return erasing_file(settings).exists()


def erasing_file(settings: Settings) -> Path:
    """Where it stands what is to be erased."""
    return settings.data / "erasing.json"


def refuse_while_erasing(settings: Settings, tags: Mapping[str, str]) -> None:
    """Refuse a run that is not the erasure's own.

    Raises:
        ErasureOpenError: an erasure is not complete.
    """
    if ERASING_TAG not in tags and is_erasing(settings):
        raise ErasureOpenError("an erasure is not complete: bridge-cart run finishes it")


@contextmanager
def no_erasure(
    settings: Settings, wait_seconds: float, say: Callable[[str], None]
) -> Iterator[None]:
    """A time in which nothing is erased; others may have it too.

    Raises:
        ErasureOpenError: an erasure is under way for longer than was to be waited.
    """
    with _locked(settings, fcntl.LOCK_SH, wait_seconds, say, "an erasure or migration"):
        if is_erasing(settings):
            raise ErasureOpenError("an erasure was cut off\nfinish it with: bridge-cart run")
        yield


@contextmanager
def erasing_alone(
    settings: Settings, wait_seconds: float, say: Callable[[str], None]
) -> Iterator[None]:
    """A time in which nobody else runs a job at the terminal, or erases.

    Raises:
        ErasureOpenError: somebody does for longer than was to be waited.
    """
    with _locked(settings, fcntl.LOCK_EX, wait_seconds, say, "another run, erasure or migration"):
        yield


@contextmanager
def _locked(
    settings: Settings, kind: int, wait_seconds: float, say: Callable[[str], None], whom: str
) -> Iterator[None]:
    settings.data.mkdir(parents=True, exist_ok=True)
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
                raise ErasureOpenError(
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
