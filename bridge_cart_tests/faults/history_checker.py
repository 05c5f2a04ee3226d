"""What a history must not show: each law of docs/reliability.md, "What a reader sees", by its name.

Belongs here: judging a history, purely. Does not belong here: making one (`recorder`), or what the
files of it have in them (`numbered_files`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bridge_cart_tests.faults.history import (
    LAND,
    READ_CATALOGUE,
    READ_DELTA,
    READ_PAGE,
    READS,
    REBUILD,
    RUN,
    Call,
)
from bridge_cart_tests.faults.numbered_files import (
    LINES,
    expected_registers,
    expected_total,
    name_of,
)

LOST, DOUBLED, TORN, BACKWARDS, INVENTED, FAILED = (
    *("lost", "doubled", "torn", "backwards"),
    *("invented", "failed"),
)
RECORDS = LINES + 1


@dataclass(frozen=True)
class Violation:
    """A law that a history breaks.

    Attributes:
        law: its name.
        call: the call that shows it.
        problem: what is wrong.
    """

    law: str
    call: Call
    problem: str

    def __str__(self) -> str:
        return f"{self.law}: {self.call.describe()}: {self.problem}"


def violations(history: Sequence[Call]) -> list[Violation]:
    """All violations of a history, those of each law in the order of the calls."""
    reads = [call for call in history if call.operation in READS and call.outcome.get("code") == 0]
    return [
        *_failed(history),
        *(found for read in reads for found in _torn(read)),
        *(found for read in reads for found in _doubled(read)),
        *_invented(history, reads),
        *_lost(history, reads),
        *_backwards(history, reads),
    ]


def _failed(history: Sequence[Call]) -> Iterator[Violation]:
    """A call that was left in peace does what it should; a reader can read at any time.

    There is nothing to read before the first run has built a catalogue, and a call that was
    disturbed (`disturbed` among its arguments) may fail.
    """
    first = min((_end(c) for c in history if c.operation == RUN and _is_done(c)), default=None)
    for call in history:
        was_early = call.operation in READS and (first is None or call.invoked < first)
        if call.completed is None or was_early or call.arguments.get("disturbed"):
            continue
        if call.outcome.get("code") != 0:
            yield Violation(FAILED, call, str(call.outcome.get("error", call.outcome))[-300:])


def _torn(read: Call) -> Iterator[Violation]:
    """A version of a table has a file wholly or not at all, and one catalogue has one state."""
    outcome = read.outcome
    silver = outcome.get("silver")
    if silver is None:
        return
    files = silver["files"]
    if silver["torn"]:
        yield Violation(TORN, read, f"files {silver['torn']} are there in part")
    wanted = {str(r): cents for r, cents in expected_registers(files).items()}
    registers = {str(r): cents for r, cents in silver["registers"].items()}
    if not silver["torn"] and registers != wanted:
        yield Violation(TORN, read, f"registers are {registers}, of its files {wanted}")
    if read.operation != READ_CATALOGUE:
        return
    total = expected_total(files)
    for table, cents in outcome["totals"].items():
        if cents != total:
            yield Violation(TORN, read, f"gold/{table} adds up to {cents}, silver to {total}")
    if outcome["accounted"] != RECORDS * len(files):
        yield Violation(
            TORN, read, f"accounting has {outcome['accounted']} records of {len(files)} files"
        )


def _doubled(read: Call) -> Iterator[Violation]:
    """A record is in a table once."""
    if doubled := read.outcome.get("silver", {}).get("doubled"):
        yield Violation(DOUBLED, read, f"silver has {doubled} more than once")
    for name, (records, places) in read.outcome.get("raw", {}).items():
        if records != places or records > RECORDS:
            yield Violation(DOUBLED, read, f"raw has {records} records of {name}")
        elif records < RECORDS:
            yield Violation(TORN, read, f"raw has {records} records of {name}")


def _invented(history: Sequence[Call], reads: Iterable[Call]) -> Iterator[Violation]:
    """What is seen had landed; what stands further down had been seen further up.

    A reader that looks at gold, then silver, then raw finds nothing in one that is not in the next.
    """
    landed = {c.arguments["file"]: c.invoked for c in history if c.operation == LAND}
    windows = _rebuilds(history)
    for read in reads:
        silver = read.outcome.get("silver")
        if silver is None:
            continue
        ended = _end(read)
        if silver["foreign"]:
            yield Violation(INVENTED, read, f"no file has {silver['foreign']}")
        if early := [n for n in silver["files"] if landed.get(n, ended + 1) > ended]:
            yield Violation(INVENTED, read, f"files {early} had not landed")
        if read.operation != READ_DELTA:
            continue
        raw = read.outcome["raw"]
        if missing := [n for n in silver["files"] if name_of(n) not in raw]:
            yield Violation(INVENTED, read, f"silver has files {missing}, raw has not")
        most = expected_total(silver["files"])
        for table, cents in read.outcome["totals"].items():
            if cents > most and not _within(read, windows):
                yield Violation(INVENTED, read, f"gold/{table} has {cents}, silver {most}")


def _lost(history: Sequence[Call], reads: Iterable[Call]) -> Iterator[Violation]:
    """What had landed before a run that then said it was done is seen by each later reader.

    While a rebuild is under way, or was killed and not completed by a run, silver and gold as Delta
    tables have less. The catalogue and the page have not.
    """
    lands = [c for c in history if c.operation == LAND]
    done = [c for c in history if c.operation in {RUN, REBUILD} and _is_done(c)]
    windows = _rebuilds(history)
    for read in reads:
        before = [c for c in done if _end(c) < read.invoked]
        latest = max((c.invoked for c in before), default=None)
        if latest is None:
            continue
        due = {c.arguments["file"] for c in lands if _end(c) < latest}
        raw = read.outcome.get("raw")
        if raw is not None and (gone := sorted(n for n in due if name_of(n) not in raw)):
            yield Violation(LOST, read, f"raw has not files {gone}")
        if read.operation == READ_DELTA and _within(read, windows):
            continue
        silver = read.outcome.get("silver")
        if silver is not None and (gone := sorted(due - set(silver["files"]))):
            yield Violation(LOST, read, f"silver has not files {gone}")
        least = expected_total(due)
        for table, cents in read.outcome["totals"].items():
            if cents < least:
                yield Violation(LOST, read, f"gold/{table} has {cents}, acknowledged {least}")


def _backwards(history: Sequence[Call], reads: Sequence[Call]) -> Iterator[Violation]:
    """After a state no reader sees an older one, if it began when the other had read.

    Versions only grow. What is seen only grows too, as files only land; but for silver and gold as
    Delta tables while they are rebuilt.
    """
    windows = _rebuilds(history)
    for operation in (READ_CATALOGUE, READ_DELTA, READ_PAGE):
        mine = [read for read in reads if read.operation == operation]
        for at, read in enumerate(mine):
            before = [one for one in mine[:at] if _end(one) < read.invoked]
            if not before:
                continue
            # Those that ended before began before the latest of them: it stands for all.
            earlier = max(before, key=_end)
            if problem := _older(earlier.outcome, read.outcome):
                yield Violation(BACKWARDS, read, f"{problem} (after {earlier.describe()})")
            if operation == READ_DELTA and (_within(read, windows) or _within(earlier, windows)):
                continue
            if problem := _less(earlier.outcome, read.outcome):
                yield Violation(BACKWARDS, read, f"{problem} (after {earlier.describe()})")


def _older(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> str | None:
    then, now = earlier.get("versions", {}), later.get("versions", {})
    # The chain without Dagster does not list the tables of ops in its catalogue.
    older = {
        t: (v, now.get(t))
        for t, v in then.items()
        if now.get(t, -1) < v and not t.startswith("ops/")
    }
    if older:
        return f"versions were and are {older}"
    if later.get("finished_at", 0) < earlier.get("finished_at", 0):
        return f"built {earlier['finished_at'] - later['finished_at']:.1f} s earlier"
    if gone := sorted(set(earlier.get("raw", {})) - set(later.get("raw", {}))):
        return f"raw has no longer {gone}"
    return None


def _less(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> str | None:
    gone = set(earlier.get("silver", {}).get("files", ())) - set(
        later.get("silver", {}).get("files", ())
    )
    if gone:
        return f"silver has no longer files {sorted(gone)}"
    for table, cents in earlier["totals"].items():
        if later["totals"][table] < cents:
            return f"gold/{table} was {cents}, is {later['totals'][table]}"
    return None


def _rebuilds(history: Sequence[Call]) -> list[tuple[float, float]]:
    """When silver and gold were being rebuilt: a rebuild that was ended lasts until the end of the
    first call after it that was done.
    """
    done = [c for c in history if c.operation in {RUN, REBUILD} and _is_done(c)]
    windows = []
    for call in history:
        if call.operation != REBUILD:
            continue
        ended = call.outcome["at"] if call.completed is None else call.completed
        after = (_end(c) for c in done if c.invoked >= ended)
        windows.append(
            (call.invoked, ended if _is_done(call) else min(after, default=float("inf")))
        )
    return windows


def _within(read: Call, windows: Iterable[tuple[float, float]]) -> bool:
    return any(begin <= _end(read) and read.invoked <= end for begin, end in windows)


def _is_done(call: Call) -> bool:
    return call.is_done


def _end(call: Call) -> float:
    return float("inf") if call.completed is None else call.completed
