"""How the pipeline reports progress."""

from collections.abc import Callable

# Gets one line for each step of long work.
ProgressCallback = Callable[[str], None]


def silent(line: str) -> None:
    """Report no progress."""
