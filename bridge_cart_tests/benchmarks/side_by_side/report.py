"""The figures as tables, on the screen and as Markdown.

Belongs here: medians, ratios, cells, the exit code. Does not belong here: how the figures come
about.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from bridge_cart_tests.benchmarks.side_by_side.measuring import Measured
from bridge_cart_tests.benchmarks.side_by_side.programs import PRODUCT

STEPS = ("full build", "one more day", "late correction")
BEGIN, END = "<!-- make bench: begin -->", "<!-- make bench: end -->"
_NONE = "–"
_FIGURES = ("wall", "cpu", "memory", "job")


@dataclass
class Row:
    """One program over one history.

    Attributes:
        program: its name.
        days: length of the history.
        steps: what each repetition of each step took.
        megabytes: what it keeps on disk at the end.
        wrong: what is wrong with its answers, or why there are none.
    """

    program: str
    days: int
    steps: dict[str, list[Measured]] = field(default_factory=lambda: {step: [] for step in STEPS})
    megabytes: float | None = None
    wrong: str | None = None

    def figure(self, step: str, name: str) -> float | None:
        """The median of a step's figure; None when there is none."""
        return middle(self.steps[step], name)


def middle(runs: Iterable[Measured], name: str) -> float | None:
    """The median of a figure over some runs; None when none has it."""
    values = [value for run in runs if (value := getattr(run, name)) is not None]
    return median(values) if values else None


def exit_code(rows: Iterable[Row]) -> int:
    """1 when an answer is wrong, else 0."""
    return int(any(row.wrong for row in rows))


@dataclass(frozen=True)
class Sheet:
    """A table: a title, headers, lines of cells, and which lines are wrong."""

    title: str
    headers: Sequence[str]
    lines: Sequence[Sequence[str]]
    wrong: frozenset[int] = frozenset()
    notes: Sequence[str] = ()

    def markdown(self) -> str:
        """As Markdown, with wrong lines in bold."""
        heads = [" | ".join(self.headers), " | ".join(["---", *["--:"] * (len(self.headers) - 1)])]
        body = [
            " | ".join(f"**{cell}**" if n in self.wrong and cell else cell for cell in line)
            for n, line in enumerate(self.lines)
        ]
        table = [f"| {line} |" for line in [*heads, *body]]
        return "\n".join([f"{self.title}:", "", *table, *(f"\n{note}" for note in self.notes)])

    def show(self, console: Console) -> None:
        """On the screen, with wrong lines in red."""
        table = Table(title=self.title, title_justify="left", box=None, pad_edge=False)
        for n, header in enumerate(self.headers):
            table.add_column(header, justify="right" if n else "left", overflow="fold")
        for n, line in enumerate(self.lines):
            table.add_row(*line, style="bold red" if n in self.wrong else None)
        console.print(table)
        for note in self.notes:
            console.print(note, style="bold red", markup=False)


def side_by_side(rows: Sequence[Row], lines: int) -> Sheet:
    """All programs over one history, then how the product compares with each peer."""
    headers = ["wall, CPU, memory, in the job", *STEPS]
    body = [_cells(row) for row in rows]
    ours = next((row for row in rows if row.program == PRODUCT), None)
    peers = [row for row in rows if row.program != PRODUCT]
    ratios = [_ratios(ours, row) for row in peers if ours]
    wrong = frozenset(n for n, row in enumerate(rows) if row.wrong)
    return Sheet(
        f"{rows[0].days} days, {lines:,} order lines",
        [*headers, "on disk", "answers"],
        [*body, *ratios],
        wrong,
        [f"{row.program}, {row.wrong}" for row in rows if row.wrong],
    )


def growth(rows: Sequence[Row]) -> Sheet:
    """What a step costs after the longest history against the shortest."""
    short, long = min(row.days for row in rows), max(row.days for row in rows)
    by_key = {(row.program, row.days): row for row in rows}
    steps = STEPS[1:]
    body = []
    for program in dict.fromkeys(row.program for row in rows):
        before, after = by_key[program, short], by_key[program, long]
        body.append([program, *(_ratios_of(after, before, step) for step in steps)])
    return Sheet(
        f"After {long} days against after {short}",
        ["wall, CPU, memory, in the job", *steps],
        body,
    )


def product_alone(figures: Mapping[str, Sequence[Measured]]) -> Sheet:
    """Runs of the product that no peer has."""
    return Sheet(
        "The product alone",
        ["", *map(_label, _FIGURES)],
        [
            [name, *(_shown(figure, middle(runs, figure)) for figure in _FIGURES)]
            for name, runs in figures.items()
        ],
    )


def write_between_marks(page: Path, text: str) -> None:
    """Put text between the marks of a page.

    Raises:
        ValueError: the page does not have both marks, in their order.
    """
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has not the lines {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


def _label(name: str) -> str:
    return {"cpu": "CPU", "job": "in the job"}.get(name, name)


def _cells(row: Row) -> list[str]:
    steps = [_joined(_shown(name, row.figure(step, name)) for name in _FIGURES) for step in STEPS]
    verdict = "wrong" if row.wrong else "equal"
    return [row.program, *steps, _shown("memory", row.megabytes), verdict]


def _ratios(ours: Row, peer: Row) -> list[str]:
    steps = [_ratios_of(ours, peer, step) for step in STEPS]
    return [f"{ours.program} / {peer.program}", *steps, _ratio(ours.megabytes, peer.megabytes), ""]


def _ratios_of(one: Row, other: Row, step: str) -> str:
    return _joined(_ratio(one.figure(step, name), other.figure(step, name)) for name in _FIGURES)


def _joined(cells: Iterable[str]) -> str:
    """Figures in one cell; what there is not is left out."""
    return ", ".join(cell for cell in cells if cell != _NONE) or _NONE


def _ratio(one: float | None, other: float | None) -> str:
    return f"× {one / other:.2f}" if one and other else _NONE


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return _NONE
    return f"{value:,.0f} MB" if name == "memory" else f"{value:.1f} s"
