"""Files whose records say which of them a table has seen.

File n has three lines of its own, and one line of a register: an order that each fourth file
corrects with a later version and a larger amount. So what a reader finds is a set of files, and for
each set there is one answer: which lines there are, and what all of them add up to.

Belongs here: the files and what a table shows of them. Does not belong here: what may be seen when
(`history_checker`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

LINES = 3
REGISTERS = 4
FILES_OF_A_DAY = 6
FIRST_DAY = date(2024, 3, 1)
CENTS = 100
_HEADER = (
    "order_id,line_number,customer_id,purchase_date,purchase_amount,product_category,updated_at"
)


@dataclass(frozen=True)
class Seen:
    """What a table, or a set of tables of one state, shows of the files.

    Attributes:
        files: those of which all lines of their own are there.
        registers: the amount of each register, in cents.
        total: what all lines add up to, in cents.
        torn: files of which some lines are there and others are not.
        doubled: lines that are there more than once.
        foreign: lines that no file has.
    """

    files: frozenset[int]
    registers: Mapping[int, int]
    total: int
    torn: tuple[int, ...] = ()
    doubled: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()


def name_of(n: int) -> str:
    """The file's path below the source's landing folder."""
    return f"{batch_day(n)}/part-{n}.csv"


def batch_day(n: int) -> date:
    return FIRST_DAY + timedelta(days=n // FILES_OF_A_DAY)


def content_of(n: int) -> str:
    """The file's text.

    >>> print(content_of(5))
    order_id,line_number,customer_id,purchase_date,purchase_amount,product_category,updated_at
    F5-1,1,C5,2024-03-01,6.01,Books,2024-03-01T00:00:05
    F5-2,1,C5,2024-03-01,6.02,Books,2024-03-01T00:00:05
    F5-3,1,C5,2024-03-01,6.03,Books,2024-03-01T00:00:05
    R1,1,C1,2024-03-01,6.00,Books,2024-03-01T00:00:05
    <BLANKLINE>
    """
    day = batch_day(n)
    moment = f"{day}T{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}"
    own = [
        f"F{n}-{k},1,C{n % 7},{day},{_money(own_cents(n, k))},Books,{moment}"
        for k in range(1, LINES + 1)
    ]
    r = n % REGISTERS
    register = f"R{r},1,C{r},{FIRST_DAY},{_money(register_cents(n))},Books,{moment}"
    return "\n".join([_HEADER, *own, register, ""])


def own_cents(n: int, k: int) -> int:
    """The amount of the file's kth line."""
    return (n + 1) * CENTS + k


def register_cents(n: int) -> int:
    """The amount that the file gives its register: later files give more."""
    return (n + 1) * CENTS


def _money(cents: int) -> str:
    return f"{cents // CENTS}.{cents % CENTS:02}"


def expected_registers(files: Iterable[int]) -> dict[int, int]:
    """The registers of a table that has seen these files.

    >>> expected_registers([1, 5, 2])
    {1: 600, 2: 300}
    """
    registers: dict[int, int] = {}
    for n in files:
        r = n % REGISTERS
        registers[r] = max(register_cents(n), registers.get(r, 0))
    return registers


def expected_total(files: Iterable[int]) -> int:
    """What all lines of these files add up to, in cents; more files never add up to less.

    >>> expected_total([1])
    806
    """
    seen = set(files)
    own = sum(own_cents(n, k) for n in seen for k in range(1, LINES + 1))
    return own + sum(expected_registers(seen).values())


def seen_in(lines: Iterable[tuple[str, int, int]]) -> Seen:
    """What a table shows.

    Args:
        lines: order, how often it is there, its amount in cents.

    >>> seen = seen_in([("F1-1", 1, 201), ("F1-2", 1, 202), ("F1-3", 1, 203), ("R1", 2, 200)])
    >>> sorted(seen.files), dict(seen.registers), seen.total, seen.doubled
    ([1], {1: 200}, 1006, ('R1',))
    """
    own: dict[int, set[int]] = {}
    registers: dict[int, int] = {}
    doubled, foreign, total = [], [], 0
    for order, times, cents in lines:
        total += times * cents
        if times > 1:
            doubled.append(order)
        if order.startswith("R"):
            registers[int(order[1:])] = cents
            continue
        n, _, k = order[1:].partition("-")
        if cents != own_cents(int(n), int(k)):
            foreign.append(order)
        own.setdefault(int(n), set()).add(int(k))
    whole = frozenset(n for n, there in own.items() if len(there) == LINES)
    return Seen(
        files=whole,
        registers=registers,
        total=total,
        torn=tuple(sorted(set(own) - whole)),
        doubled=tuple(doubled),
        foreign=tuple(foreign),
    )
