"""Consoles that keep what is printed to them."""

import io

from rich.console import Console


def recorded(*, terminal: bool = False, width: int = 80) -> Console:
    """A console of this width that records; with colours when it is a terminal."""
    return Console(
        record=True,
        width=width,
        force_terminal=terminal,
        highlight=False,
        file=io.StringIO(),
        _environ={"TERM": "xterm"},
    )


def lines(console: Console) -> list[str]:
    """What was printed, without colours and without what fills up the lines."""
    return [line.rstrip() for line in console.export_text(clear=False).splitlines()]
