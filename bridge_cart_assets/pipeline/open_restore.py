"""To what the lake goes back, as it is written down until it has.

Belongs here: the content of the file of an open restore. Does not belong here: the file and the
lock (`open_operations`), or going back (`restoring`).
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bridge_cart_assets.pipeline.open_operations import RESTORE
from bridge_cart_assets.settings import Settings


@dataclass
class Restore:
    """A restore that has begun.

    Attributes:
        number: tells it from others.
        moment: the lake becomes what it was then.
        targets: the version that each table goes back to, by path; None for one that was not there
            yet. None as a whole until it is known that all of them can be restored.
    """

    number: str
    moment: datetime
    targets: Mapping[str, int | None] | None = None

    def save(self, settings: Settings) -> None:
        """Write it down."""
        targets = None if self.targets is None else dict(self.targets)
        content = {"number": self.number, "moment": self.moment.isoformat(), "targets": targets}
        RESTORE.save(settings, content)

    def close(self, settings: Settings) -> None:
        """It is complete, or was refused."""
        RESTORE.close(settings)


def begin_restore(settings: Settings, moment: datetime) -> Restore:
    """Write down that the lake is to become what it was at a moment."""
    restore = Restore(secrets.token_hex(8), moment)
    restore.save(settings)
    return restore


def open_restore(settings: Settings) -> Restore | None:
    """The restore that has begun and is not complete; None when there is none."""
    written = RESTORE.read(settings)
    if written is None:
        return None
    moment = datetime.fromisoformat(written["moment"])
    return Restore(written["number"], moment, written["targets"])
