"""`bridge-cart topics`: how far each partition has been taken."""

from collections.abc import Iterable

from rich.table import Table as Shown

from bridge_cart_assets.ingestion.offsets import Position

_COLUMNS = ("partition", "first", "next", "end", "lag", "state")


def table_of_positions(positions: Iterable[Position]) -> Shown:
    """A row per partition: first offset that the brokers have, next to take, end, lag, problem."""
    grid = Shown(box=None, pad_edge=False)
    for name in _COLUMNS:
        is_text = name in ("partition", "state")
        grid.add_column(name, justify="left" if is_text else "right", no_wrap=not is_text)
    for position in positions:
        there = position.partition
        figures = (there.low, position.next, there.high, position.lag)
        state = position.problem or ("messages wait" if position.lag else "up to date")
        grid.add_row(there.name, *(f"{figure:,}" for figure in figures), state)
    return grid
