"""The lake for one process alone: what operations at the terminal have in common.

Belongs here: keeping others out, and completing first what was cut off. Does not belong here: what
an operation does (`erasing`, `retracting`, `restoring`).
"""

from collections.abc import Iterator
from contextlib import contextmanager

from bridge_cart_assets.pipeline.open_operations import lake_alone, open_operation
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.terminal.erasing import complete_erasure
from bridge_cart_assets.terminal.restoring import complete_restore
from bridge_cart_assets.terminal.retracting import complete_retraction
from bridge_cart_assets.terminal.running import say_on_console


@contextmanager
def having_the_lake(settings: Settings, wait_seconds: float) -> Iterator[None]:
    """A time in which no other process runs a job at the terminal or has an operation.

    What was cut off is completed first, and said on stderr.

    Raises:
        OperationOpenError: others are under way for longer than was to be waited.
        ErasureFailedError: an erasure could not be completed.
    """
    with lake_alone(settings, wait_seconds, say_on_console):
        complete_operations(settings, wait_seconds)
        yield


def complete_operations(settings: Settings, wait_seconds: float) -> None:
    """Complete what was cut off. This process has the lake for itself (`lake_alone`)."""
    if (moment := complete_restore(settings, wait_seconds)) is not None:
        say_on_console(f"completed a restore that was cut off: the lake is what it was at {moment}")
    if (retracted := complete_retraction(settings, wait_seconds)) is not None:
        say_on_console(f"completed a retraction that was cut off: {retracted}")
    if (receipt := complete_erasure(settings, wait_seconds)) is not None:
        say_on_console(f"completed an erasure that was cut off: {receipt}")


def finish_operations(settings: Settings, wait_seconds: float) -> None:
    """Complete the operations that were cut off, if there are any."""
    if open_operation(settings) is not None:
        with having_the_lake(settings, wait_seconds):
            pass
