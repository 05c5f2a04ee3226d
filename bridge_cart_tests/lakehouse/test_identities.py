"""Accounts and guests with one e-mail address are one person, whatever the order of arrival."""

import hmac
import shutil
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge_cart_assets.checks.check import CheckContext
from bridge_cart_assets.checks.registry import checks_of
from bridge_cart_assets.lake.changes import Change
from bridge_cart_assets.lake.commits import Commit
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.pipeline import silver
from bridge_cart_assets.pipeline.chain import refresh_gold, refresh_silver
from bridge_cart_assets.pipeline.intake import take_in_source
from bridge_cart_assets.pipeline.rebuild import clear
from bridge_cart_assets.pipeline.silver import fold_days, fold_due_days
from bridge_cart_assets.settings import SilverSettings
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.silver import (
    ACCOUNTING,
    CUSTOMERS,
    IDENTITIES,
    INTERNAL,
    PURCHASE_REPEATS,
    PURCHASES,
)
from bridge_cart_assets.tables.silver import TABLES as SILVER
from bridge_cart_assets.tables.table import Table
from bridge_cart_tests.faults.extent import EXAMPLES
from bridge_cart_tests.lakehouse.tables import (
    WITHOUT_MODEL,
    contents,
    differences,
    stale_tables,
)

FIRST = date(2024, 1, 1)
PROFILE = "customer_id,name,email,updated_at"
LINE = "order_id,customer_id,email,purchase_date,purchase_amount,updated_at"


@dataclass
class Folder:
    """A data folder: its landing zone and its lake."""

    root: Path
    identity: str = "email"

    @property
    def lake(self) -> Lake:
        return Lake(str(self.root / "lake"))

    @property
    def settings(self) -> SilverSettings:
        key = self.root / "identity.key" if self.identity == "email" else None
        return SilverSettings(identity_key=key)

    def land(self, source: str, name: str, *lines: str) -> Path:
        """Land a file of profiles or order lines."""
        path = self.root / "landing" / source / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        header = PROFILE if source == "customers" else LINE
        path.write_text("\n".join([header, *lines, ""]))
        return path

    def run(self) -> None:
        """Take in what is new."""
        refresh_silver(self.lake, self.root / "landing", settings=self.settings)

    def rows(self, *columns: str, of: Any = PURCHASES) -> list[tuple[Any, ...]]:
        """Columns of a table, in the order of its key."""
        rows = self.lake.snapshot(of).read().sort(list(of.key))
        return rows.select(columns).rows()

    def buyers(self) -> dict[str, str | None]:
        """The customer of each order."""
        return dict(self.rows("order_id", "customer_id"))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_a_guest_with_the_address_of_an_account_is_the_account(folder: Folder) -> None:
    folder.land("purchases", "2024-01-02", "G1,, ADA@example.org,2024-01-02,1,")
    folder.run()
    [guest] = folder.buyers().values()
    assert guest is not None
    assert guest.startswith("guest-")
    folder.land("customers", "2024-01-03", "a1,Ada,ada@example.org,")
    folder.run()
    assert folder.buyers() == {"G1": "a1"}
    assert folder.rows("identity", "person_id", "reason", of=IDENTITIES) == [
        ("a1", "a1", "own"),
        (guest, "a1", "email"),
    ]


def test_a_corrected_address_splits_a_person_and_brings_the_lines_back(folder: Folder) -> None:
    folder.land("customers", "2024-01-01", "a1,Ada,ada@example.org,", "b1,Bob,ada@example.org,")
    folder.land("purchases", "2024-01-02", "A,a1,,2024-01-02,1,", "B,b1,,2024-01-02,2,")
    folder.run()
    assert folder.buyers() == {"A": "a1", "B": "a1"}
    folder.land("customers", "2024-01-03", "b1,Bob,bob@example.org,")
    folder.run()
    assert folder.buyers() == {"A": "a1", "B": "b1"}
    names = folder.rows("customer_id", "name", "is_current", of=CUSTOMERS)
    assert names == [("a1", "Ada", True), ("b1", "Bob", False), ("b1", "Bob", True)]


def test_of_several_accounts_the_one_seen_first_is_the_person(folder: Folder) -> None:
    folder.land("purchases", "2024-01-05", "O1,c9,c@example.org,2024-01-05,1,")
    folder.land("purchases", "2024-01-06", "O2,c1,c@example.org,2024-01-06,1,")
    folder.run()
    assert folder.buyers() == {"O1": "c9", "O2": "c9"}
    # A late file of an earlier day: c1 was there before.
    folder.land("purchases", "2024-01-04", "O3,c1,,2024-01-04,1,")
    folder.run()
    assert folder.buyers() == {"O1": "c1", "O2": "c1", "O3": "c1"}
    assert folder.rows("received_customer_id") == [("c9",), ("c1",), ("c1",)]


def test_the_sixth_account_of_an_address_dissolves_the_person(folder: Folder) -> None:
    five = [f"m{n},Desk,desk@example.org," for n in range(1, 6)]
    folder.land("customers", "2024-01-01", *five)
    folder.land(
        "purchases",
        "2024-01-02",
        "M5,m5,,2024-01-02,1,",
        "G1,,desk@example.org,2024-01-02,1,",
        "G2,,Desk@Example.org,2024-01-02,1,",
    )
    folder.run()
    assert set(folder.buyers().values()) == {"m1"}
    folder.land("customers", "2024-01-03", "m6,Desk,desk@example.org,")
    folder.run()
    buyers = folder.buyers()
    assert buyers["M5"] == "m5"
    assert buyers["G1"] == buyers["G2"]
    assert str(buyers["G1"]).startswith("guest-")


def test_the_current_profile_has_the_address_else_the_latest_order(folder: Folder) -> None:
    folder.land("customers", "2024-01-01", "a1,Ada,ada@example.org,", "b1,Bob,,")
    folder.land(
        "purchases",
        "2024-01-02",
        "A,a1,other@example.org,2024-01-02,1,",
        "B1,b1,old@example.org,2024-01-01,1,",
        "B2,b1,new@example.org,2024-01-02,1,",
        "B3,b1,,2024-01-02,1,",
    )
    folder.run()
    places = {row[0]: row[1] for row in folder.rows("identity", "address_of", of=IDENTITIES)}
    assert places == {"a1": "profile", "b1": "order"}
    folder.land(
        "purchases",
        "2024-01-03",
        *(f"G{n},,{name}@example.org,2024-01-03,1," for n, name in enumerate(("other", "old"))),
        "GN,,new@example.org,2024-01-03,1,",
        "GA,,ada@example.org,2024-01-03,1,",
    )
    folder.run()
    buyers = folder.buyers()
    assert (buyers["GA"], buyers["GN"]) == ("a1", "b1")
    assert all(str(buyers[name]).startswith("guest-") for name in ("G0", "G1"))


def test_a_profile_that_loses_its_address_leaves_it_to_the_orders(folder: Folder) -> None:
    folder.land("customers", "2024-01-01", "a1,Ada,ada@example.org,")
    folder.land("purchases", "2024-01-02", "A,a1,order@example.org,2024-01-02,1,")
    folder.land("purchases", "2024-01-03", "G,,order@example.org,2024-01-03,1,")
    folder.run()
    assert str(folder.buyers()["G"]).startswith("guest-")
    folder.land("customers", "2024-01-04", "a1,Ada,,")
    folder.run()
    assert folder.buyers()["G"] == "a1"


def test_off_leaves_customer_ids_as_received(tmp_path: Path) -> None:
    folder = Folder(tmp_path, identity="off")
    folder.land("customers", "2024-01-01", "a1,Ada,ada@example.org,", "b1,Ada,ada@example.org,")
    folder.land(
        "purchases", "2024-01-02", "B,b1,,2024-01-02,1,", "G,,ada@example.org,2024-01-02,1,"
    )
    folder.run()
    assert folder.buyers() == {"B": "b1", "G": None}
    assert folder.rows("identity", "person_id", of=IDENTITIES) == [("a1", "a1"), ("b1", "b1")]
    assert not (tmp_path / "identity.key").exists()


def test_versions_of_two_accounts_are_one_history(folder: Folder) -> None:
    folder.land("customers", "2024-01-09", "a1,Ada,ada@example.org,2024-01-01")
    folder.land("customers", "2024-01-10", "a2,Ada B,ada@example.org,2024-01-05")
    folder.land("customers", "2024-01-11", "a1,Ada B,ada@example.org,2024-01-07")
    folder.run()
    columns = ("customer_id", "received_customer_id", "name", "is_current")
    assert folder.rows(*columns, of=CUSTOMERS) == [
        ("a1", "a1", "Ada", False),
        ("a1", "a2", "Ada B", True),
    ]
    counts = ("accepted", "duplicate")
    assert folder.rows(*counts, of=ACCOUNTING) == [(1, 0), (1, 0), (0, 1)]
    # Apart again, the version of 7 January is one of its own.
    folder.land("customers", "2024-01-12", "a2,Ada B,two@example.org,2024-01-08")
    folder.run()
    assert folder.rows(*columns, of=CUSTOMERS) == [
        ("a1", "a1", "Ada", False),
        ("a1", "a1", "Ada B", True),
        ("a2", "a2", "Ada B", False),
        ("a2", "a2", "Ada B", True),
    ]
    assert folder.rows(*counts, of=ACCOUNTING) == [(1, 0)] * 4


@dataclass(frozen=True)
class File:
    """A file of profiles or order lines, as its rows."""

    source: str
    name: str
    rows: Sequence[tuple[Any, ...]]

    @property
    def day(self) -> date:
        return date.fromisoformat(self.name[:10])

    def land(self, folder: Folder) -> None:
        lines = (",".join("" if one is None else f"{one}" for one in row) for row in self.rows)
        folder.land(self.source, self.name, *lines)


@st.composite
def deliveries(draw: st.DrawFn) -> list[File]:
    """Files of few accounts and fewer addresses.

    Records are corrected, addresses are shared, given up and taken by others, guests have them or
    have none, and lines are sent again for another customer. No two files are equal.
    """
    accounts = st.sampled_from([f"c{n}" for n in range(8)])
    address = st.sampled_from([None, None, "x@e.org", "X@E.org", " x@e.org", "y@e.org", "z@e.org"])
    files = []
    for number in range(draw(st.integers(2, 7))):
        day = FIRST + timedelta(days=draw(st.integers(0, 6)))
        moment = st.sampled_from([None, None, day, FIRST, FIRST + timedelta(days=3)])
        name = f"{day}/{number}"
        if draw(st.booleans()):
            some = draw(st.lists(accounts, min_size=1, max_size=6))
            names = st.sampled_from(["Ada", "Bob"])
            rows = [(one, draw(names), draw(address), draw(moment)) for one in some]
            files.append(File("customers", name, [*rows, (f"f{number}", "File", None, None)]))
            continue
        orders = draw(st.lists(st.integers(1, 8), min_size=1, max_size=6, unique=True))
        bought = st.dates(FIRST, day)
        buyer = st.one_of(accounts, accounts, st.none())
        lines = [
            (f"O{n}", draw(buyer), draw(address), draw(bought), number + 1, draw(moment))
            for n in orders
        ]
        files.append(File("purchases", name, lines))
    return files


LAW = settings(
    max_examples=EXAMPLES or 8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.mark.slow
@LAW
@given(files=deliveries(), data=st.data())
def test_any_order_and_batching_give_what_a_rebuild_gives(
    tmp_path_factory: pytest.TempPathFactory,
    files: list[File],
    data: st.DataObject,
) -> None:
    order = data.draw(st.permutations(files))
    cuts = data.draw(st.sets(st.integers(1, len(files) - 1), max_size=4))
    folder = Folder(tmp_path_factory.mktemp("any"))
    for first, last in pairwise([0, *sorted(cuts), len(order)]):
        for file in order[first:last]:
            file.land(folder)
        folder.run()
        refresh_gold(folder.lake)
        assert broken_laws(folder, order[:last]) == []
        assert stale_tables(folder.lake) == []
    found = contents(folder.lake, WITHOUT_MODEL)
    clear(folder.lake)
    folder.run()
    refresh_gold(folder.lake)
    assert differences(contents(folder.lake, WITHOUT_MODEL), found) == []
    shutil.rmtree(folder.root)


@pytest.mark.slow
@LAW
@given(files=deliveries(), deaths=st.lists(st.integers(0, 8), max_size=3))
def test_a_run_that_dies_between_two_commits_loses_and_leaves_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    files: list[File],
    deaths: list[int],
) -> None:
    folder = Folder(tmp_path_factory.mktemp("dying"))
    for number, file in enumerate(files):
        file.land(folder)
        allowed = deaths[number] if number < len(deaths) else None
        if allowed is None or run_that_dies_after(folder, allowed):
            folder.run()
    folder.run()
    assert broken_laws(folder, files) == []
    found = contents(folder.lake, SILVER)
    clear(folder.lake)
    folder.run()
    assert differences(contents(folder.lake, SILVER), found) == []
    shutil.rmtree(folder.root)


@pytest.mark.slow
@LAW
@given(files=deliveries(), commits=st.integers(0, 14), ends=st.booleans())
def test_a_run_that_another_run_comes_into_gives_the_same(
    tmp_path_factory: pytest.TempPathFactory, files: list[File], commits: int, ends: bool
) -> None:
    folder = Folder(tmp_path_factory.mktemp("rival"))
    half = len(files) // 2
    for file in files[:half]:
        file.land(folder)
    folder.run()
    for file in files[half:-1]:
        file.land(folder)
    apply, left = Snapshot.apply, commits

    def rival_before(snapshot: Snapshot, change: Change, commit: Commit, **options: bool) -> int:
        nonlocal left
        left -= 1
        if left == -1:
            files[-1].land(folder)
            folder.run()
        version = apply(snapshot, change, commit, **options)
        if left < 0 and ends:
            raise Killed
        return version

    with patch.object(Snapshot, "apply", rival_before), suppress(Killed):
        folder.run()
    if left >= 0:
        files[-1].land(folder)
    folder.run()
    assert broken_laws(folder, files) == []
    found = contents(folder.lake, SILVER)
    clear(folder.lake)
    folder.run()
    assert differences(contents(folder.lake, SILVER), found) == []
    shutil.rmtree(folder.root)


def merge_beside(folder: Folder) -> None:
    """Another run, over one day (`run --from --to`), makes b1 the person a1; b1 has no line yet."""
    folder.land("customers", "2024-01-03", "b1,Bob,ada@example.org,")
    source, day = SOURCES[0], date(2024, 1, 3)
    take_in_source(folder.lake, source, folder.root / "landing", "rival")
    fold_days(folder.lake, source, [day], "rival", folder.settings)


@pytest.fixture
def with_a_line_of_b1(folder: Folder) -> Folder:
    folder.land("customers", "2024-01-01", "a1,Ada,ada@example.org,", "b1,Bob,bob@example.org,")
    folder.run()
    folder.land("purchases", "2024-01-02", "B,b1,,2024-01-02,1,")
    return folder


def test_a_merge_turns_away_who_writes_a_line_by_the_identities_before(
    with_a_line_of_b1: Folder,
) -> None:
    apply, due = Snapshot.apply, [merge_beside]

    def rival_before(snapshot: Snapshot, change: Change, commit: Commit, **options: bool) -> int:
        if snapshot.table is PURCHASE_REPEATS and due:
            due.pop()(with_a_line_of_b1)
        return apply(snapshot, change, commit, **options)

    with patch.object(Snapshot, "apply", rival_before):
        with_a_line_of_b1.run()
    assert with_a_line_of_b1.buyers() == {"B": "a1"}


def test_identities_are_opened_after_the_lines_that_follow_them(with_a_line_of_b1: Folder) -> None:
    snapshot, fold = Lake.snapshot, silver.fold_records
    once, due = [merge_beside], list[Callable[[Folder], None]]()

    def begin(*arguments: Any) -> Any:
        while once:
            due.append(once.pop())
        with patch.object(silver, "fold_records", fold):
            return fold(*arguments)

    def rival_behind(lake: Lake, table: Table) -> Snapshot:
        opened = snapshot(lake, table)
        if table is IDENTITIES and due:
            due.pop()(with_a_line_of_b1)
        return opened

    with patch.object(silver, "fold_records", begin), patch.object(Lake, "snapshot", rival_behind):
        with_a_line_of_b1.run()
    assert with_a_line_of_b1.buyers() == {"B": "a1"}


def test_only_the_rows_of_those_who_have_another_person_are_written(folder: Folder) -> None:
    some = [(f"a{n}", f"a{n}@example.org") for n in range(50)]
    folder.land("customers", "2024-01-01", *(f"{one},Ada,{has}," for one, has in some))
    folder.land(
        "purchases",
        "2024-01-02",
        *(f"O{n}-{m},{one},,2024-01-02,1," for m, (one, _) in enumerate(some) for n in range(4)),
    )
    folder.run()
    before = {table.path: folder.lake.snapshot(table).version or 0 for table in SILVER}
    folder.land("customers", "2024-01-03", "a7,Ada,a3@example.org,")
    folder.run()
    written = {}
    for table in (PURCHASES, CUSTOMERS, IDENTITIES):
        feed = folder.lake.snapshot(table).change_feed(before[table.path])
        owner = "identity" if table is IDENTITIES else "received_customer_id"
        rows = feed.filter(feed["_change_type"].is_in(["insert", "update_postimage"]))
        written[table.path] = sorted(rows[owner])
    assert written == {
        PURCHASES.path: ["a7"] * 4,
        # Of the two versions of one moment that of a7, the later one in the file; and the new one.
        CUSTOMERS.path: ["a7"] * 2,
        IDENTITIES.path: ["a7"],
    }


def test_days_folded_again_make_no_commit(folder: Folder) -> None:
    folder.land("customers", "2024-01-01", "a1,Ada,ada@example.org,", "b1,Bob,,")
    folder.land(
        "purchases",
        "2024-01-02",
        "A,a1,ada@example.org,2024-01-02,1,",
        "B,b1,ada@example.org,2024-01-02,1,",
        "G,,ada@example.org,2024-01-02,1,",
    )
    folder.run()
    before = {table.path: folder.lake.snapshot(table).version for table in (*SILVER, *INTERNAL)}
    due = {source.name: {FIRST, FIRST + timedelta(days=1)} for source in SOURCES}
    fold_due_days(folder.lake, SOURCES, due, "again", settings=folder.settings)
    now = {table.path: folder.lake.snapshot(table).version for table in (*SILVER, *INTERNAL)}
    assert now == before


class Killed(BaseException):
    """As if the process had died."""


def run_that_dies_after(folder: Folder, commits: int) -> bool:
    """A run that dies after some commits of silver; the next one then has another file too."""
    apply, left = Snapshot.apply, commits

    def dies(snapshot: Snapshot, change: Change, commit: Commit, **options: bool) -> int:
        nonlocal left
        if not left:
            raise Killed
        left -= 1
        return apply(snapshot, change, commit, **options)

    with patch.object(Snapshot, "apply", dies):
        try:
            folder.run()
        except Killed:
            return False
    return True


def broken_laws(folder: Folder, landed: Sequence[File]) -> list[str]:
    """Persons that are others than those of `expected_persons`, and checks that fail."""
    expected, line_of = expected_persons(landed, folder)
    found = []
    stored = dict(folder.rows("identity", "person_id", of=IDENTITIES))
    if stored != expected:
        found.append(f"persons {stored}, expected {expected}")
    buyers = {order: expected.get(identity or "") for order, identity in line_of.items()}
    if folder.buyers() != buyers:
        found.append(f"buyers {folder.buyers()}, expected {buyers}")
    context = CheckContext(folder.lake)
    return found + [
        f"{table.path} {check.name}: {result.message}"
        for table in SILVER
        for check in checks_of(table)
        if check.blocking and not (result := check.compute(context)).passed
    ]


def expected_persons(
    landed: Sequence[File], folder: Folder
) -> tuple[dict[str, str], dict[str, str | None]]:
    """Who is whom by loops over what landed, and the identity of each order."""
    key = bytes.fromhex((folder.root / "identity.key").read_text())

    def tidy(address: str | None) -> str | None:
        return None if address is None else address.strip().lower()

    def guest(address: str | None) -> str | None:
        if address is None:
            return None
        return f"guest-{hmac.digest(key, address.encode(), 'sha256').hex()[:32]}"

    seen: dict[str, date] = {}
    profiles: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    orders: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    guests: dict[str, str] = {}
    for file in landed:
        for position, row in enumerate(file.rows):
            moment = row[-1] if row[-1] and row[-1] <= file.day + timedelta(days=1) else None
            place = (file.day, f"{file.name}.csv", position)
            # Without a moment a profile holds from the start of its day, and wins until its end.
            version = (moment or file.day + timedelta(days=1), moment is not None, *place)
            if file.source == "customers":
                identity: str | None = row[0]
                profiles[row[0]].append((moment or file.day, version, tidy(row[2])))
            else:
                address = tidy(row[2])
                identity = row[1] or guest(address)
                if row[1] is None and address is not None:
                    guests[f"{identity}"] = address
                orders[row[0]].append((version, row[3], row[1], address))
            if identity is not None:
                seen[identity] = min(seen.get(identity, file.day), file.day)
    standing = {order: max(records) for order, records in orders.items()}
    addressed: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for version, bought, account, address in standing.values():
        if account is not None and address is not None:
            addressed[account].append((bought, version, address))
    address_of = {}
    for identity in seen.keys() - guests.keys():
        current = max(profiles[identity])[2] if identity in profiles else None
        latest = max(addressed[identity])[2] if identity in addressed else None
        address_of[identity] = current or latest
    persons = {identity: identity for identity in seen}
    for address in {*address_of.values(), *guests.values()} - {None}:
        accounts = [one for one, has in address_of.items() if has == address]
        if 1 <= len(accounts) <= 5:
            head = min(accounts, key=lambda one: (seen[one], one))
            others = [one for one, has in guests.items() if has == address]
            persons |= dict.fromkeys([*accounts, *others], head)
    identities = {order: row[2] or guest(row[3]) for order, row in standing.items()}
    return persons, identities
