"""What is to be taken back, as it is written down until that is done.

Belongs here: the content of the file of an open retraction. Does not belong here: the file and the
lock (`open_operations`), or taking back (`retraction`).
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from bridge_cart_assets.pipeline.open_operations import RETRACTION
from bridge_cart_assets.settings import Settings


@dataclass(frozen=True)
class TakenObject:
    """A landed file as the tables know it.

    Attributes:
        source: whose file it is.
        object: its path below the source's folder.
        fingerprints: SHA-256 of the contents that were taken under this name.
        records: records of it in raw, by batch day.
        entry: size and times by which the file in the landing zone is the one that was taken; None
            when it does not lie there, or another one does.
        place: where that file goes, as a path below the landing zone.
    """

    source: str
    object: str
    fingerprints: frozenset[str]
    records: dict[date, int]
    entry: tuple[int, int, int] | None = None
    place: str | None = None

    @property
    def name(self) -> str:
        """Its name as `status` has it."""
        return f"{self.source}/{self.object}"


@dataclass
class Retraction:
    """What is to be taken back.

    Attributes:
        name: of the file, as it was asked for.
        began: when it began.
        taken: the file; None until it is known.
    """

    name: str
    began: datetime
    taken: TakenObject | None = None

    def save(self, settings: Settings) -> None:
        """Write it down."""
        RETRACTION.save(settings, self._as_json())

    def close(self, settings: Settings) -> None:
        """Forget what was to be taken back."""
        RETRACTION.close(settings)

    def _as_json(self) -> dict[str, Any]:
        taken = self.taken
        return {
            "name": self.name,
            "began": self.began.isoformat(),
            "taken": None
            if taken is None
            else {
                "source": taken.source,
                "object": taken.object,
                "fingerprints": sorted(taken.fingerprints),
                "records": {day.isoformat(): n for day, n in sorted(taken.records.items())},
                "entry": taken.entry,
                "place": taken.place,
            },
        }


def begin_retraction(settings: Settings, name: str) -> Retraction:
    """Write down that a file is to be taken back."""
    retraction = Retraction(name, datetime.now(UTC))
    retraction.save(settings)
    return retraction


def open_retraction(settings: Settings) -> Retraction | None:
    """The retraction that has begun and is not complete; None when there is none."""
    written = RETRACTION.read(settings)
    if written is None:
        return None
    taken = written["taken"]
    return Retraction(
        written["name"],
        datetime.fromisoformat(written["began"]),
        None
        if taken is None
        else TakenObject(
            source=taken["source"],
            object=taken["object"],
            fingerprints=frozenset(taken["fingerprints"]),
            records={date.fromisoformat(day): n for day, n in taken["records"].items()},
            entry=None if taken["entry"] is None else tuple(taken["entry"]),
            place=taken["place"],
        ),
    )
