"""The death of a process between two of its commits, without a process that dies.

Belongs here: dying after a number of writes. Does not belong here: a real kill, which
`test_rivals_and_kills` has.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bridge_cart_assets.lake import snapshot


class Killed(BaseException):
    """Stands for the death of the process: nobody tidies up after it."""


def dies_after(writes: int, patch: pytest.MonkeyPatch) -> None:
    """Let what writes rows die when so many writes are committed."""
    left = iter(range(writes - 1, -1, -1))
    for name in ("write_rows", "merge_rows"):
        patch.setattr(snapshot, name, _dying(getattr(snapshot, name), left))


def _dying(write: Callable[..., None], left: Iterator[int]) -> Callable[..., None]:
    """A write after which the process dies when none is left."""

    def call(*arguments: Any) -> None:
        write(*arguments)
        if not next(left):
            raise Killed

    return call
