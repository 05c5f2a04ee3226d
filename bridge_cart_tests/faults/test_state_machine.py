"""Any sequence of deliveries, runs, crashes, rivals and upkeep ends as if nothing had happened.

Hypothesis makes up the sequences. Beside the lake stands a model in plain Python: what was landed
under which names, and what of it has been taken. After every step that touched the lake the laws
(`laws`) must hold; at the end silver and gold must be what one intake of the taken files makes.

    BRIDGE_CART_TEST_EXAMPLES=200 python -m pytest -s bridge_cart_tests/faults/test_state_machine.py
"""

import os
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, event, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bridge_cart_assets.ingestion import files
from bridge_cart_assets.ingestion.landing import list_landing
from bridge_cart_assets.ingestion.ledger import new_files, refused_in_landing
from bridge_cart_assets.lake.commits import Commit
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.chain import refresh_gold, refresh_silver
from bridge_cart_assets.pipeline.rebuild import clear
from bridge_cart_assets.tables.ops import FILES
from bridge_cart_assets.tables.silver import INTERNAL, TABLES
from bridge_cart_tests.faults.extent import EXAMPLES
from bridge_cart_tests.faults.fault_injection import CRASHES, GAPS, Crash, Once, Place, at, die
from bridge_cart_tests.faults.landed_files import (
    DAYS,
    SUFFIXES,
    VALUES,
    File,
    corrupt,
    file_of,
    records,
)
from bridge_cart_tests.faults.laws import NATIVE, held, hold_after_a_run, hold_at_any_moment
from bridge_cart_tests.lakehouse.tables import WITHOUT_MODEL, contents, differences, stale_tables

# Of the short run, which is always the same one.
SEED = int(os.environ.get("BRIDGE_CART_TEST_SEED", "4"))
SETTINGS = settings(
    max_examples=EXAMPLES or 6,
    stateful_step_count=30 if EXAMPLES else 12,
    database=None,
    deadline=None,
    print_blob=True,
    # A step costs half a second: making a failing sequence smaller takes minutes.
    phases=[Phase.generate, *([Phase.shrink] if "BRIDGE_CART_TEST_SHRINK" in os.environ else [])],
    suppress_health_check=list(HealthCheck),
)

# A file and the batch day under which it is landed.
Delivery = tuple[File, str]
Deliveries = list[Delivery]
# A place, and for which time it is reached.
Time = tuple[str, int]

sources = st.sampled_from(sorted(VALUES))
suffixes = st.sampled_from(SUFFIXES)
days = st.sampled_from(DAYS)
picks = st.integers(0, 30)
deliveries = st.tuples(
    sources.flatmap(lambda s: st.builds(file_of, st.just(s), suffixes, records(s))), days
)
# Files of more bytes are large: some of them, or none.
part_bytes = st.sampled_from([60, files.PART_BYTES])
some = st.lists(deliveries, min_size=1, max_size=2)
# How often an ingest of a few files passes a place, where it is more than once or twice.
PASSED = {
    **dict.fromkeys(("before commit", "after commit", "before fsync", "uncommitted"), 10),
    **dict.fromkeys(("a table written", "a table about to be written"), 14),
    "a part staged": 6,
    "looked": 28,
}


def times(places: dict[str, Place]) -> st.SearchStrategy[Time]:
    """One of the places, and one of the times that a run is there."""
    names = st.sampled_from(sorted(places))
    return names.flatmap(lambda n: st.tuples(st.just(n), st.integers(1, PASSED.get(n, 1))))


class Landing:
    """A landing zone, and the model of what lies in it and of what ever did.

    Attributes:
        lying: the files that lie there, by source and object.
        names: the names under which each file's bytes have ever lain, by source and fingerprint.
        files: the files that can be taken, by source and fingerprint.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lying: dict[tuple[str, str], File] = {}
        self.names: dict[tuple[str, str], set[str]] = defaultdict(set)
        self.files: dict[tuple[str, str], File] = {}

    def put(self, file: File, name: str) -> None:
        path = self.root / file.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.data)
        self._note(file, name)

    def rename(self, file: File, old: str, new: str) -> None:
        path = self.root / file.source / new
        path.parent.mkdir(parents=True, exist_ok=True)
        (self.root / file.source / old).rename(path)
        del self.lying[file.source, old]
        self._note(file, new)

    def _note(self, file: File, name: str) -> None:
        self.lying[file.source, name] = file
        if file.raw_records is not None:
            self.files[file.source, file.fingerprint] = file
            self.names[file.source, file.fingerprint].add(name)


class LakeMachine(RuleBasedStateMachine):
    """A lake and its landing zone; each rule is something that happens to them."""

    steps: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.landing = Landing(self.folder / "landing")
        self.taken: dict[tuple[str, str], str] = {}
        self.number = 0
        self.is_touched = self.is_quiet = False
        self.is_sound = True

    @property
    def lake(self) -> Lake:
        """The lake, opened again: nothing is kept in memory from one step to the next."""
        return Lake(str(self.folder / "lake"))

    # What arrives.

    @rule(arriving=st.lists(deliveries, min_size=1, max_size=3))
    def land(self, arriving: Deliveries) -> None:
        for file, day in arriving:
            self._land(file, day)
        self._count("landed", len(arriving))

    @precondition(lambda self: self.landing.lying)
    @rule(
        what=st.sampled_from(["renamed", "delivered again", "replaced"]), pick=picks, data=st.data()
    )
    def change(self, what: str, pick: int, data: st.DataObject) -> None:
        (_, name), file = sorted(self.landing.lying.items())[pick % len(self.landing.lying)]
        if what == "renamed":
            self.landing.rename(file, name, self._name(data.draw(days), file))
        elif what == "delivered again":
            self._land(file, data.draw(days))
        else:
            self._replace(name, file, data)
        self._count(what)

    @rule(source=sources, suffix=suffixes, day=days, mending=st.booleans(), data=st.data())
    def corrupt(
        self, source: str, suffix: str, day: str, mending: bool, data: st.DataObject
    ) -> None:
        bad = self._corrupt()
        if mending and bad:
            self._replace(bad[0][1], self.landing.lying[bad[0]], data)
            self._count("mended")
        else:
            self._land(corrupt(source, suffix, data.draw(records(source))), day)
            self._count("landed corrupt")

    # What runs.

    @rule(with_gold=st.sampled_from([False, False, False, True]))
    def run(self, with_gold: bool) -> None:
        self._touch(quiet=True)
        refresh_silver(self.lake, self.landing.root, sources=NATIVE)
        if with_gold:
            refresh_gold(self.lake)
            assert stale_tables(self.lake) == []
        self._count("run with gold" if with_gold else "run")

    @rule(due=some, part=part_bytes, crash=times(CRASHES))
    def crash(self, due: Deliveries, part: int, crash: Time) -> None:
        self._disturbed(due, part, crash=crash)

    @rule(
        due=some,
        part=part_bytes,
        gap=times(GAPS),
        late=st.none() | deliveries,
        crash=st.none() | times(CRASHES),
    )
    def run_beside_another(
        self, due: Deliveries, part: int, gap: Time, late: Delivery | None, crash: Time | None
    ) -> None:
        self._disturbed(due, part, gap, late, crash)

    # What is done to the lake.

    @precondition(lambda self: (self.folder / "lake").exists())
    @rule(
        what=st.sampled_from(["compacted", "compacted and vacuumed", "ledger lost", "emptied"]),
        left=st.integers(1, 12),
    )
    def keep_house(self, what: str, left: int) -> None:
        """Upkeep that may be killed on the way."""
        self._touch()
        work = {
            "compacted": lambda: self._compact(vacuuming=False),
            "compacted and vacuumed": lambda: self._compact(vacuuming=True),
            "ledger lost": lambda: shutil.rmtree(self.folder / "lake" / FILES.path, True),
            "emptied": lambda: clear(self.lake),
        }
        died = Once(left, die)
        self._until_it_dies([at(CRASHES["before fsync"], died)], work[what])
        self._count(f"{what}, killed on the way" if died.done else what)

    # What must hold.

    @invariant()
    def the_laws_hold(self) -> None:
        if not self.is_touched:
            return
        self._raw_has_each_file_once()
        hold_at_any_moment(self.lake)
        if self.is_quiet:
            self._everything_was_taken()
            hold_after_a_run(self.lake)
        self.is_touched, self.is_sound = False, True

    def _raw_has_each_file_once(self) -> None:
        found = held(self.lake)
        for key, (name, raw_records) in found.items():
            landed = self.landing.files[key].raw_records
            assert raw_records == list(landed or ()), f"{key}: other records"
            assert name in self.landing.names[key], f"{key} never lay under {name}"
            assert self.taken.setdefault(key, name) == name, f"{key} has got another name"
        assert self.taken.keys() <= found.keys(), "raw has lost a file"

    def _everything_was_taken(self) -> None:
        lying = self.landing.lying
        good = {(s, f.fingerprint) for (s, _), f in lying.items() if f.raw_records is not None}
        assert good <= self.taken.keys(), "a file that lies there was not taken"
        listed = [f for s in NATIVE for f in list_landing(self.landing.root, s.name)]
        named = refused_in_landing(self.lake, listed).select("source", "object").rows()
        assert sorted(named) == self._corrupt()
        assert new_files(self.lake, listed) == []

    def teardown(self) -> None:
        try:
            if self.is_sound:
                self.run(with_gold=True)
                self.the_laws_hold()
                self._is_as_if_nothing_had_happened()
        finally:
            shutil.rmtree(self.folder)

    def _is_as_if_nothing_had_happened(self) -> None:
        """Compare with a lake that took in at once what this one took in bit by bit."""
        fresh = Lake(str(self.folder / "fresh" / "lake"))
        due = sorted(self.taken.items())
        while due:
            # Two files may have been taken under one name; they can only lie there in turn.
            now = {(source, name): (source, print_) for (source, print_), name in due}
            landing = Landing(self.folder / "fresh" / "landing")
            for (_, name), key in now.items():
                landing.put(self.landing.files[key], name)
            refresh_silver(fresh, landing.root, sources=NATIVE)
            due = [(key, name) for key, name in due if key not in now.values()]
        refresh_gold(fresh)
        found = differences(contents(fresh, WITHOUT_MODEL), contents(self.lake, WITHOUT_MODEL))
        assert found == []

    # How.

    def _touch(self, quiet: bool = False) -> None:
        self.is_touched, self.is_quiet, self.is_sound = True, quiet, False

    def _count(self, what: str, times: int = 1) -> None:
        self.steps[what] += times
        event(what)

    def _name(self, day: str, file: File) -> str:
        # Later names must not always be the greater ones: the name decides between equal versions.
        self.number += 1
        return f"{day}/{(7 * self.number) % 10}-{self.number}{file.suffix}"

    def _land(self, file: File, day: str) -> None:
        self.landing.put(file, self._name(day, file))

    def _replace(self, name: str, file: File, data: st.DataObject) -> None:
        lines = data.draw(records(file.source))
        self.landing.put(file_of(file.source, file.suffix, lines), name)

    def _compact(self, vacuuming: bool) -> None:
        for table in (*(source.raw for source in NATIVE), *TABLES, *INTERNAL, FILES):
            if self.lake.snapshot(table).version is not None:
                self.lake.snapshot(table).compact(Commit("house"))
                if vacuuming:
                    self.lake.snapshot(table).vacuum(timedelta(0))

    def _corrupt(self) -> list[tuple[str, str]]:
        return sorted(key for key, file in self.landing.lying.items() if file.raw_records is None)

    def _disturbed(
        self,
        due: Deliveries,
        part: int,
        gap: Time | None = None,
        late: Delivery | None = None,
        crash: Time | None = None,
    ) -> None:
        """A run; another one comes in between, and it dies, both when a place is reached."""
        for file, day in due:
            self._land(file, day)
        self._touch()
        rival = Once(gap[1] if gap else 0, lambda: self._other_run(late))
        died = Once(crash[1] if crash else 0, die)
        died.may = lambda: gap is None or rival.done
        around: list[AbstractContextManager[Any]] = [patch.object(files, "PART_BYTES", part)]
        if crash:
            around.append(at(CRASHES[crash[0]], died))
        if gap:
            around.append(at(GAPS[gap[0]], rival))
        self._until_it_dies(
            around, lambda: refresh_silver(self.lake, self.landing.root, sources=NATIVE)
        )
        if gap:
            self._count(f"rival: {gap[0]}" if rival.done else "rival: place not reached")
        if crash:
            self._count(f"crash: {crash[0]}" if died.done else "crash: place not reached")

    def _other_run(self, late: Delivery | None) -> None:
        if late:
            self._land(*late)
        refresh_silver(self.lake, self.landing.root, sources=NATIVE)

    @staticmethod
    def _until_it_dies(around: list, work: Callable[[], None]) -> None:  # type: ignore[type-arg]
        with ExitStack() as stack:
            for manager in around:
                stack.enter_context(manager)
            try:
                work()
            except Crash:
                return


@pytest.mark.long
def test_any_sequence_of_events_ends_as_if_nothing_had_happened() -> None:
    LakeMachine.steps.clear()
    machine = LakeMachine if EXAMPLES else seed(SEED)(LakeMachine)
    run_state_machine_as_test(machine, settings=SETTINGS)
    print(*(f"{count:5} {what}" for what, count in sorted(LakeMachine.steps.items())), sep="\n")
    assert LakeMachine.steps["run"]
