"""Progress on stderr: a bar where a terminal is there, nothing where not."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import Progress

from bridge_cart_assets.terminal.escaping import EscapingConsole


@contextmanager
def bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar that is moved by calling it with what is done and what there is."""
    console = EscapingConsole(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
