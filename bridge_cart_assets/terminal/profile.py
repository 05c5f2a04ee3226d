"""Where the time and the memory of a command went, as a table on stderr.

Belongs here: the words and the table. Does not belong here: what is measured, and how
(`pipeline.phases`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console

from bridge_cart_assets.pipeline.phases import REST, PhaseUsage, recording
from bridge_cart_assets.terminal.escaping import EscapingConsole
from bridge_cart_assets.terminal.style import format_percent, grid, heading

_MEGABYTE = 1_000_000


@contextmanager
def profiled() -> Iterator[None]:
    """Show at the end where time and memory went, also of what failed."""
    with recording() as recorder:
        try:
            yield
        finally:
            recorder.stop()
            show_usage(recorder.usage, _stderr())


def show_usage(usage: Mapping[str, PhaseUsage], console: Console) -> None:
    """A row for each phase in the order in which they began, what is in none, and the sum.

    CPU seconds are those of all threads: with two cores there are up to twice as many. Memory is by
    how much the most that the process ever had grew; what fits into that shows nothing.
    """
    heading(console, "profile", "of this process; each phase without those within it")
    table = grid("", "times", "seconds", "share", "CPU\nseconds", "peak memory\n+ MB")
    whole = PhaseUsage()
    for one in usage.values():
        whole.seconds += one.seconds
        whole.cpu_seconds += one.cpu_seconds
        whole.peak_growth += one.peak_growth
    for name, one in sorted(usage.items(), key=lambda item: item[0] == REST):
        table.add_row(name, f"{one.entered:,}", *_figures(one, whole))
    table.add_section()
    table.add_row("all", "", *_figures(whole, whole), style="bold")
    console.print(table)


def _stderr() -> EscapingConsole:
    """Wide enough for every name where no terminal says how wide it is."""
    there = EscapingConsole(stderr=True, highlight=False)
    return there if there.is_terminal else EscapingConsole(stderr=True, width=120, highlight=False)


def _figures(usage: PhaseUsage, whole: PhaseUsage) -> tuple[str, str, str, str]:
    share = usage.seconds / whole.seconds if whole.seconds else None
    return (
        f"{usage.seconds:,.2f}",
        format_percent(share),
        f"{usage.cpu_seconds:,.2f}",
        f"{usage.peak_growth / _MEGABYTE:,.0f}",
    )
