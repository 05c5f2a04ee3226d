"""The checker of histories finds what is planted, and nothing in a history that is sound."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from bridge_cart_tests.faults.history import (
    LAND,
    READ_CATALOGUE,
    READ_DELTA,
    READ_PAGE,
    REBUILD,
    RUN,
    Call,
)
from bridge_cart_tests.faults.history_checker import violations
from bridge_cart_tests.faults.numbered_files import (
    LINES,
    expected_registers,
    expected_total,
    name_of,
)

RECORDS = LINES + 1
NOTHING: dict[int, int] = {}


def landed(n: int, at: float) -> Call:
    return Call("lander", LAND, {"file": n}, at, at + 0.1, {"code": 0})


def run(begin: float, end: float | None, code: int = 0, operation: str = RUN, **more: Any) -> Call:
    """A run; without an end it was killed within a second."""
    outcome = {"code": -9, "at": begin + 1} if end is None else {"code": code, "at": end}
    return Call("ingester", operation, more, begin, end, outcome)


def shown(files: list[int], **changed: Any) -> dict[str, Any]:
    """What a silver table shows that has seen these files, or something else."""
    seen = {
        "files": files,
        "registers": expected_registers(files),
        "total": expected_total(files),
        "torn": (),
        "doubled": (),
        "foreign": (),
    }
    return {**seen, **changed}


def totals(cents: int) -> dict[str, int]:
    return dict.fromkeys(("kpis_daily", "customer_features", "sales_daily"), cents)


def catalogue(at: float, files: list[int], version: int = 1, reader: str = "reader") -> Call:
    outcome = {
        "code": 0,
        "finished_at": at,
        "versions": {"silver/purchases": version},
        "silver": shown(files),
        "totals": totals(expected_total(files)),
        "accounted": RECORDS * len(files),
    }
    return Call(reader, READ_CATALOGUE, {}, at, at + 0.1, outcome)


def delta(at: float, gold: list[int], silver: list[int], raw: list[int], version: int = 1) -> Call:
    outcome = {
        "code": 0,
        "versions": dict.fromkeys(("gold/kpis_daily", "silver/purchases"), version),
        "silver": shown(silver),
        "totals": totals(expected_total(gold)),
        "raw": {name_of(n): [RECORDS, RECORDS] for n in raw},
    }
    return Call("reader", READ_DELTA, {}, at, at + 0.1, outcome)


def page(at: float, files: list[int]) -> Call:
    outcome = {"code": 0, "totals": {"kpis_daily": expected_total(files)}, "status": "ok"}
    return Call("reader", READ_PAGE, {}, at, at + 0.1, outcome)


def changed(call: Call, **outcome: Any) -> Call:
    return replace(call, outcome={**call.outcome, **outcome})


def with_silver(call: Call, **what: Any) -> Call:
    return changed(call, silver={**call.outcome["silver"], **what})


def laws(*calls: Call) -> set[str]:
    """The laws that a history breaks which begins with file 0 taken in."""
    history = [landed(0, 0), run(1, 2), *calls]
    return {violation.law for violation in violations(sorted(history, key=lambda c: c.invoked))}


SOUND: Mapping[str, list[Call]] = {
    "a run and its reads": [catalogue(3, [0]), delta(4, [0], [0], [0]), page(5, [0])],
    "a file that no run has promised": [landed(1, 3), catalogue(4, [0])],
    "a file that landed while the run was at work": [run(3, 6), landed(1, 4), catalogue(7, [0])],
    "a killed run that did something": [landed(1, 3), run(4, None), delta(6, [0], [0, 1], [0, 1])],
    "a killed run that did nothing": [landed(1, 3), run(4, None), catalogue(6, [0])],
    "gold behind silver behind raw": [landed(1, 3), landed(2, 4), delta(5, [0], [0, 1], [0, 1, 2])],
    "a rebuild on its way": [
        *(run(3, 9, operation=REBUILD), delta(2.5, [0], [0], [0], 1), delta(4, [], [], [0], 2)),
        *(catalogue(5, [0]), page(6, [0]), delta(10, [0], [0], [0], 3)),
    ],
    "a killed rebuild, completed by a run": [
        *(run(3, None, operation=REBUILD), delta(6, [], [], [0], 2), run(7, 8)),
        delta(9, [0], [0], [0], 3),
    ],
    "a correction": [landed(4, 3), run(4, 5), catalogue(6, [0, 4], 2)],
    "reads that overlap": [
        *(landed(1, 2.1), run(2.5, 5.5), catalogue(5, [0, 1], 2, "one")),
        replace(catalogue(4.9, [0], 1, "other"), completed=5.2),
    ],
    "a disturbed call that failed": [run(3, 4, code=1, disturbed="no room")],
    "a read before there was anything": [
        Call("reader", READ_PAGE, {}, 0.5, 0.6, {"code": 1, "error": "503"})
    ],
}
DONE_WITH_1 = [landed(1, 3), run(4, 5)]
BROKEN: Mapping[str, tuple[str, list[Call]]] = {
    "a catalogue without an acknowledged file": ("lost", [*DONE_WITH_1, catalogue(6, [0])]),
    "a page without an acknowledged file": ("lost", [*DONE_WITH_1, page(6, [0])]),
    "silver without an acknowledged file": ("lost", [*DONE_WITH_1, delta(6, [0, 1], [0], [0, 1])]),
    "gold without an acknowledged file": ("lost", [*DONE_WITH_1, delta(6, [0], [0, 1], [0, 1])]),
    "raw without an acknowledged file": ("lost", [*DONE_WITH_1, delta(6, [0], [0], [0])]),
    "raw without one during a rebuild": (
        "lost",
        [*DONE_WITH_1, run(5.5, 9, operation=REBUILD), delta(6, [], [], [0])],
    ),
    "a catalogue without one during a rebuild": (
        "lost",
        [*DONE_WITH_1, run(5.5, 9, operation=REBUILD), catalogue(6, [0])],
    ),
    "silver without one after a rebuild": (
        "lost",
        [run(3, 5, operation=REBUILD), delta(6, [], [], [0])],
    ),
    "silver without one after the run that completes a killed rebuild": (
        "lost",
        [run(3, None, operation=REBUILD), run(5, 6), delta(7, [0], [], [0])],
    ),
    "a line twice": ("doubled", [with_silver(catalogue(3, [0]), doubled=("F0-1",))]),
    "a register twice": ("doubled", [with_silver(delta(3, [0], [0], [0]), doubled=("R0",))]),
    "a record twice in raw": (
        "doubled",
        [changed(delta(3, [0], [0], [0]), raw={name_of(0): [8, 4]})],
    ),
    "a file twice in raw under other positions": (
        "doubled",
        [changed(delta(3, [0], [0], [0]), raw={name_of(0): [8, 8]})],
    ),
    "half a file in raw": ("torn", [changed(delta(3, [0], [0], [0]), raw={name_of(0): [2, 2]})]),
    "half a file in silver": ("torn", [landed(1, 2), with_silver(catalogue(3, [0]), torn=(1,))]),
    "a correction that silver has not": (
        "torn",
        [landed(4, 2), with_silver(catalogue(3, [0, 4]), registers={0: 100})],
    ),
    "a correction of a file that silver has not": (
        "torn",
        [landed(4, 2), with_silver(catalogue(3, [0]), registers={0: 500})],
    ),
    "gold of another state than silver": (
        *(
            "torn",
            [landed(1, 2), changed(catalogue(3, [0, 1]), totals=totals(expected_total([0])))],
        ),
    ),
    "one table of gold of another state": (
        "torn",
        [changed(catalogue(3, [0]), totals={**totals(706), "sales_daily": 0})],
    ),
    "accounting of another state": ("torn", [changed(catalogue(3, [0]), accounted=8)]),
    "an older catalogue": (
        "backwards",
        [landed(1, 2), catalogue(3, [0, 1], 2), catalogue(4, [0], 1)],
    ),
    "an older catalogue, by another reader": (
        "backwards",
        [landed(1, 2), catalogue(3, [0, 1], 2, "one"), catalogue(4, [0], 2, "two")],
    ),
    "a catalogue built earlier": (
        "backwards",
        [catalogue(3, [0]), changed(catalogue(4, [0]), finished_at=1)],
    ),
    "an older version of a table": (
        "backwards",
        [delta(3, [0], [0], [0], 5), delta(4, [0], [0], [0], 4)],
    ),
    "a page that shows less": ("backwards", [landed(1, 2), page(3, [0, 1]), page(4, [0])]),
    "raw that loses a file which no run has promised": (
        "backwards",
        [landed(1, 2.1), delta(3, [0], [0], [0, 1]), delta(4, [0], [0], [0])],
    ),
    "silver that raw does not explain": ("invented", [landed(1, 2), delta(3, [0], [0, 1], [0])]),
    "gold that silver does not explain": (
        "invented",
        [landed(1, 2), delta(3, [0, 1], [0], [0, 1])],
    ),
    "a file that has not landed": ("invented", [catalogue(3, [0, 1])]),
    "a line of no file": ("invented", [with_silver(catalogue(3, [0]), foreign=("F0-1",))]),
    "a run that fails in peace": ("failed", [run(3, 4, code=1)]),
    "a reader that cannot read": (
        "failed",
        [Call("reader", READ_CATALOGUE, {}, 3, 4, {"code": 1, "error": "IO"})],
    ),
}


@pytest.mark.parametrize("history", SOUND.values(), ids=SOUND)
def test_a_sound_history_breaks_no_law(history: list[Call]) -> None:
    assert laws(*history) == set()


@pytest.mark.parametrize(("law", "history"), BROKEN.values(), ids=BROKEN)
def test_a_planted_violation_is_found(law: str, history: list[Call]) -> None:
    assert law in laws(*history)
