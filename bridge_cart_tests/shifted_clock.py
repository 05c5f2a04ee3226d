"""The `bridge-cart` command as if it started at noon of a day.

    python -m bridge_cart_tests.shifted_clock DAY VERB …

Belongs here: what the package takes for the time. Does not belong here: Dagster's own clock, which
is not shifted, or what is run.
"""

import importlib
import pkgutil
import sys
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from unittest import mock

import bridge_cart_assets
from bridge_cart_assets.cli import main


class _AnyDatetime(type):
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, datetime)


def shifted_datetime(by: timedelta) -> type:
    """A stand-in for `datetime`, whose clock is shifted; its instances are plain datetimes."""

    class ShiftedDatetime(datetime, metaclass=_AnyDatetime):
        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            return datetime(*args, **kwargs)

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.now(tz) + by

        @classmethod
        def fromtimestamp(cls, timestamp: float, tz: tzinfo | None = None) -> Any:
            # Dagster says by its own clock when a run started.
            return datetime.fromtimestamp(timestamp, tz) + by

    return ShiftedDatetime


def shift_clock(day: date) -> None:
    """Let it be noon of a day (UTC) now, for all modules of the package, in this process."""
    stand_in = shifted_datetime(datetime.combine(day, time(12), UTC) - datetime.now(UTC))
    for module in pkgutil.walk_packages(bridge_cart_assets.__path__, "bridge_cart_assets."):
        if not module.name.endswith("__main__"):
            loaded = importlib.import_module(module.name)
            if vars(loaded).get("datetime") is datetime:
                mock.patch.object(loaded, "datetime", stand_in).start()


if __name__ == "__main__":
    shift_clock(date.fromisoformat(sys.argv.pop(1)))
    main()
