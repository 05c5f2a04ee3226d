"""In a run the checks look at what has changed since the last one, and see what is wrong there."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from bridge_cart_assets.checks import check as checks_check
from bridge_cart_assets.checks.check import CheckContext
from bridge_cart_assets.checks.registry import checks_of
from bridge_cart_assets.lake.catalogue import build_catalogue
from bridge_cart_assets.lake.changes import Change
from bridge_cart_assets.lake.commits import Commit
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.tables.gold import CUSTOMER_HISTORY
from bridge_cart_assets.tables.meta import CHECKS
from bridge_cart_assets.tables.silver import IDENTITIES
from bridge_cart_assets.tables.table import Table

MANY = 50
FIRST, THEN = date(2024, 1, 1), date(2024, 2, 1)
Row = dict[str, Any]


@pytest.fixture(autouse=True)
def small_tables_are_followed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks_check, "WORTH_ROWS", 1)


def key(n: int) -> str:
    return f"{n:032x}"


def identity(n: int, **columns: Any) -> Row:
    name = f"C{n:03}"
    return {
        **{"identity": name, "person_id": name, "reason": "own", "first_seen": FIRST},
        **{"email_key": key(n), "address_of": "profile"},
        **columns,
    }


def state(n: int, **columns: Any) -> Row:
    return {
        **{"customer_id": f"C{n:03}", "segment_id": 1, "segment_name": "All"},
        **{"lifecycle": "active", "valid_from": FIRST, "valid_to": None, "is_current": True},
        **{"change_reason": "first_seen"},
        **columns,
    }


class Shop:
    """A lake whose tables were checked as they are in the catalogue."""

    def __init__(self, folder: Path) -> None:
        self.lake, self.catalogue = Lake(str(folder / "lake")), folder / "bridge_cart.duckdb"
        for table, make in ((IDENTITIES, identity), (CUSTOMER_HISTORY, state)):
            self.change(table, inserts=[make(n) for n in range(MANY)])

    def change(self, table: Table, **rows: Sequence[Row]) -> None:
        frames = {name: pl.DataFrame(some, schema=table.dtypes) for name, some in rows.items()}
        none = table.empty()
        change = Change(
            frames.get("inserts", none),
            frames.get("updates", none),
            frames.get("deletes", none).select(table.key),
        )
        self.lake.snapshot(table).apply(change, Commit("run", FIRST))

    def complete_run(self, *, passed: bool = True, checked: Sequence[int | None] = ()) -> "Shop":
        """What a run does at its end, having looked at these versions of the tables."""
        tables = (IDENTITIES, CUSTOMER_HISTORY)
        versions = checked or [self.lake.snapshot(table).version for table in tables]
        verdicts = [
            {
                **{"layer": table.layer, "name": table.name, "check_name": check.name},
                **{"meaning": "", "severity": "blocking", "passed": passed, "version": version},
            }
            for table, version in zip(tables, versions, strict=True)
            for check in checks_of(table)
            if check.blocking
        ]
        build_catalogue(
            self.catalogue,
            self.lake,
            [CUSTOMER_HISTORY],
            [IDENTITIES],
            [],
            "run",
            datetime.now(UTC),
            [(CHECKS, pl.DataFrame(verdicts, schema=CHECKS.dtypes))],
        )
        return self

    def failed(self, table: Table, *, in_a_run: bool = True) -> set[str]:
        """The checks that fail."""
        context = CheckContext(self.lake, last_catalogue=self.catalogue if in_a_run else None)
        assert (context.changed(table) is not None) == in_a_run
        return {check.name for check in checks_of(table) if not check.compute(context).passed}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path).complete_run()
    assert [shop.failed(table) for table in (IDENTITIES, CUSTOMER_HISTORY)] == [set(), set()]
    return shop


# What a fault of the program could write, and the check that must see it.
FAULTS = [
    (IDENTITIES, {"inserts": [identity(3)]}, "keys_unique"),
    (IDENTITIES, {"updates": [identity(3, person_id="C999")]}, "persons_are_identities"),
    (IDENTITIES, {"updates": [identity(3, reason="email")]}, "persons_are_identities"),
    # Its person is there, but is another's.
    (
        IDENTITIES,
        {
            "inserts": [identity(90, person_id="C003", reason="email")],
            "updates": [identity(3, person_id="C004", reason="email")],
        },
        "persons_are_identities",
    ),
    (
        IDENTITIES,
        {"updates": [identity(3, email_key="ada@example.org")]},
        "no_address_in_identities",
    ),
    # Five of these have had the address before.
    (IDENTITIES, {"updates": [identity(9, email_key=key(1))]}, "few_share_an_address"),
    (CUSTOMER_HISTORY, {"inserts": [state(3)]}, "keys_unique"),
    (CUSTOMER_HISTORY, {"inserts": [state(3, valid_from=THEN)]}, "intervals_touch"),
    (
        CUSTOMER_HISTORY,
        {"updates": [state(3, valid_to=THEN, is_current=False)]},
        "intervals_touch",
    ),
    (
        CUSTOMER_HISTORY,
        {"updates": [state(3, valid_to=FIRST, is_current=False)]},
        "intervals_touch",
    ),
]


@pytest.mark.parametrize(("table", "written", "check"), FAULTS)
def test_a_fault_in_what_was_written_since_is_seen(
    shop: Shop, table: Table, written: dict[str, list[Row]], check: str
) -> None:
    shop.change(IDENTITIES, updates=[identity(n, email_key=key(1)) for n in range(2, 6)])
    shop.complete_run()
    assert check not in shop.failed(table)

    shop.change(table, **written)

    assert check in shop.failed(table)
    assert check in shop.failed(table, in_a_run=False)
    # The run ends before the catalogue: the next one sees it too, whatever it brings itself.
    sound = identity(70) if table is IDENTITIES else state(70)
    shop.change(table, inserts=[sound])
    assert check in shop.failed(table)


@pytest.mark.parametrize("table", [IDENTITIES, CUSTOMER_HISTORY])
def test_an_identity_or_state_that_goes_leaves_nothing_wrong_unseen(
    shop: Shop, table: Table
) -> None:
    if table is IDENTITIES:
        shop.change(table, updates=[identity(4, person_id="C003", reason="email")])
    else:
        shop.change(
            table,
            updates=[state(3, valid_to=THEN, is_current=False)],
            inserts=[state(3, valid_from=THEN, change_reason="segment_changed")],
        )
    shop.complete_run()
    assert shop.failed(table) == set()

    gone = identity(3) if table is IDENTITIES else state(3, valid_from=THEN)
    shop.change(table, deletes=[gone])

    wrong = "persons_are_identities" if table is IDENTITIES else "intervals_touch"
    assert shop.failed(table) == {wrong}


def test_a_run_looks_only_at_what_changed_and_a_check_by_itself_at_all(shop: Shop) -> None:
    shop.change(CUSTOMER_HISTORY, inserts=[state(3)])
    # As if it had been there for long: no run would have completed with it.
    shop.complete_run()
    shop.change(CUSTOMER_HISTORY, inserts=[state(70)])
    context = CheckContext(shop.lake, last_catalogue=shop.catalogue)
    assert context.touched(CUSTOMER_HISTORY).collect()["customer_id"].to_list() == ["C070"]
    assert shop.failed(CUSTOMER_HISTORY) == set()
    assert shop.failed(CUSTOMER_HISTORY, in_a_run=False) >= {"keys_unique"}


def test_without_a_catalogue_or_with_much_changed_all_rows_are_looked_at(shop: Shop) -> None:
    shop.change(CUSTOMER_HISTORY, inserts=[state(3)])
    shop.complete_run()
    shop.lake.snapshot(CUSTOMER_HISTORY).replace(
        pl.DataFrame([*map(state, range(MANY)), state(3)], schema=CUSTOMER_HISTORY.dtypes),
        Commit("run", THEN),
    )
    context = CheckContext(shop.lake, last_catalogue=shop.catalogue)
    assert context.changed(CUSTOMER_HISTORY) is None
    assert context.touched(CUSTOMER_HISTORY).collect().height == MANY + 1
    shop.catalogue.unlink()
    context = CheckContext(shop.lake, last_catalogue=shop.catalogue)
    assert context.changed(IDENTITIES) is None


def test_what_a_catalogue_has_without_being_checked_is_looked_at_whole(shop: Shop) -> None:
    """As after a run that was killed before its checks, and one of the catalogue alone."""
    checked = [shop.lake.snapshot(table).version for table in (IDENTITIES, CUSTOMER_HISTORY)]
    shop.change(CUSTOMER_HISTORY, inserts=[state(0)])
    shop.complete_run(checked=checked)
    shop.change(CUSTOMER_HISTORY, inserts=[state(MANY)])

    context = CheckContext(shop.lake, last_catalogue=shop.catalogue)
    wrong = {c.name for c in checks_of(CUSTOMER_HISTORY) if not c.compute(context).passed}

    assert context.changed(CUSTOMER_HISTORY) is None
    assert "keys_unique" in wrong


def test_what_has_failed_a_check_is_looked_at_whole(shop: Shop) -> None:
    shop.complete_run(passed=False)
    shop.change(CUSTOMER_HISTORY, inserts=[state(MANY)])
    assert CheckContext(shop.lake, last_catalogue=shop.catalogue).changed(CUSTOMER_HISTORY) is None
