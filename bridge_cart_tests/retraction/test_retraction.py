"""A file that was taken back is one that never landed, and it can be landed again."""

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import polars as pl
import pytest

from bridge_cart_assets.ingestion import retracted_files
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.doctor import heal
from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.pipeline import retraction, silver
from bridge_cart_assets.pipeline.losses import lost_files, missing_records
from bridge_cart_assets.pipeline.open_retraction import open_retraction
from bridge_cart_assets.pipeline.plan import plan
from bridge_cart_assets.pipeline.rebuild import clear
from bridge_cart_assets.pipeline.retraction import RetractionRefusedError, refuse_losses
from bridge_cart_assets.pipeline.stored_tables import STORED_TABLES
from bridge_cart_assets.pipeline.taken_objects import (
    AlreadyRetractedError,
    UnknownObjectError,
    effects_of,
)
from bridge_cart_assets.tables.ops import FILES
from bridge_cart_assets.tables.silver import CUSTOMERS, IDENTITIES, PURCHASES
from bridge_cart_tests.lakehouse.tables import contents, differences, stale_tables
from bridge_cart_tests.retraction.shop import SILVER, WITH_GOLD, WITH_MODELS, Folder, folder_with

LINE = "order_id,customer_id,email,purchase_date,purchase_amount,updated_at\n"
PROFILE = "customer_id,name,email,city,updated_at\n"
SHOPIFY = "Name,Email,Financial Status,Created at,Lineitem quantity,Lineitem price\n"
WRONG = "purchases/2024-01-04.csv"
# What stays: orders, corrections, profiles, second accounts and guests of one address.
GOOD = {
    "customers/2024-01-01.csv": (
        f"{PROFILE}a1,Ada,ada@example.org,Bonn,\nb1,Bob,bob@example.org,,\n"
    ),
    "purchases/2024-01-02.csv": (
        f"{LINE}O1,a1,,2024-01-02,10,\nO2,b1,,2024-01-02,20,\nG1,,ada@example.org,2024-01-02,5,\n"
    ),
    "purchases/2024-01-03.csv": f"{LINE}O3,c1,cy@example.org,2024-01-03,30,\nO4,,,2024-01-03,7,\n",
    "shopify_orders/2024-01-03.csv": (
        f"{SHOPIFY}#1,bob@example.org,paid,2024-01-03,1,5.00\n#1,,,,2,2.50\n"
    ),
    "purchases/2024-01-05.csv": f"{LINE}O1,a1,,2024-01-02,10,2024-01-03\nO5,b1,,2024-01-05,1,\n",
}
# What goes: corrections of orders, a line of another customer, one that is refused, a late one, and
# an account that is seen here first and takes a guest and another account with it.
GOES = (
    f"{LINE}O1,a1,,2024-01-02,11,2024-01-04\nO2,a1,,2024-01-02,20,2024-01-04\n"
    "O3,c1,ada@example.org,2024-01-03,30,2024-01-04\nO9,a0,ada@example.org,2024-01-04,40,\n"
    "O8,z9,,never,1,\nO4,,,2024-01-03,7,2024-01-04\nO9,a0\n"
)


@pytest.fixture(scope="module")
def never(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A folder in which the wrong file never landed."""
    return folder_with(tmp_path_factory.mktemp("never"), GOOD.items(), gold=True)


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A folder in which it did, in the middle; tests take a copy."""
    folder = Folder(tmp_path_factory.mktemp("landed"))
    files = {**GOOD, WRONG: GOES}
    for name in sorted(files, key=lambda name: name.partition("/")[2]):
        folder.land(name, files[name])
        folder.run(gold=name in (WRONG, "purchases/2024-01-05.csv"))
    return folder


@pytest.fixture
def folder(landed: Folder, tmp_path: Path) -> Folder:
    root = tmp_path / "data"
    shutil.copytree(landed.root, root)
    return Folder(root)


def test_the_file_has_touched_every_table_that_is_compared(landed: Folder, never: Folder) -> None:
    unlike = {found.partition(":")[0] for found in landed.unlike(never, WITH_GOLD)}
    assert {"silver/identities", "silver/quarantine", "silver/purchase_repeats"} <= unlike
    assert {"silver/accounting", "gold/kpis_daily", "gold/cohort_retention"} <= unlike
    assert {"silver/purchases", "gold/customer_features", "gold/sales_daily"} <= unlike


def test_taken_back_is_never_landed(folder: Folder, never: Folder) -> None:
    folder.take_back(WRONG)
    folder.run(gold=True)
    assert folder.unlike(never, WITH_GOLD) == []
    assert stale_tables(folder.lake) == []
    # Nothing is due, missing or broken.
    assert plan(folder.settings, folder.lake).files == ()
    assert heal(folder.lake, STORED_TABLES) == []
    assert missing_records(folder.lake) == []
    assert lost_files(folder.lake, ()).height == 0
    assert not folder.lake.snapshot(_raw("purchases")).read()["_object"].is_in([WRONG[10:]]).any()


@pytest.mark.slow
def test_a_rebuild_afterwards_gives_the_same(folder: Folder, never: Folder) -> None:
    folder.take_back(WRONG)
    clear(folder.lake)
    folder.run()
    assert folder.unlike(never) == []


@pytest.mark.slow
def test_landed_again_is_landed_only_then(folder: Folder, landed: Folder, tmp_path: Path) -> None:
    retracted = folder.take_back(WRONG).taken
    assert retracted is not None
    assert retracted.place is not None
    folder.run()
    lies_in = folder.root / "landing" / retracted.place
    assert lies_in == folder.root / "landing/_retracted/purchases/2024-01-04.csv"
    assert lies_in.read_text() == GOES
    # Moved back as it was, by its time too: the same tables as before.
    lies_in.rename(folder.root / "landing" / WRONG)
    folder.run()
    assert folder.unlike(landed) == []
    # And once more under the right name.
    folder.take_back(WRONG)
    right = "purchases/2024-01-06.csv"
    lies_in.rename(folder.root / "landing" / right)
    folder.run()
    other = folder_with(tmp_path / "other", {**GOOD, right: GOES}.items())
    assert folder.unlike(other) == []


def test_profiles_are_as_if_it_had_never_landed(never: Folder, tmp_path: Path) -> None:
    """Versions in between, equal neighbours, an address that makes two accounts one person."""
    wrong = "customers/2024-01-04.csv"
    profiles = (
        f"{PROFILE}a1,Ada,ada@example.org,Kiel,2024-01-03\nb1,Bob,ada@example.org,,2024-01-02\n"
        "c1,Cy,,,\nb1,Bob,bob@example.org,,2024-01-04\n"
        "b1,Bob,bob@example.org,,2024-01-05\n"
    )
    folder = folder_with(tmp_path, {**GOOD, wrong: profiles}.items())
    assert {"silver/customers", "silver/customer_repeats"} <= {
        found.partition(":")[0] for found in folder.unlike(never)
    }
    folder.take_back(wrong)
    folder.run()
    assert folder.unlike(never) == []


@pytest.mark.slow
def test_the_only_file_leaves_tables_without_rows(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, [(WRONG, GOES)], gold=True)
    folder.take_back(WRONG)
    folder.run(gold=True)
    left = {path: rows.height for path, rows in contents(folder.lake).items() if rows.height}
    assert left == {}
    for name, text in GOOD.items():
        folder.land(name, text)
    folder.run(gold=True)
    assert stale_tables(folder.lake) == []


def test_the_latest_day_goes_back_with_the_file_that_brought_it(
    never: Folder, tmp_path: Path
) -> None:
    late = "purchases/2024-06-30.csv"
    folder = folder_with(tmp_path, {**GOOD, late: GOES}.items(), gold=True)
    assert folder.lake.snapshot(PURCHASES).as_of is not None
    folder.take_back(late)
    folder.run(gold=True)
    assert folder.lake.snapshot(PURCHASES).as_of == never.lake.snapshot(PURCHASES).as_of
    assert folder.lake.snapshot(_raw("purchases")).as_of == never.lake.snapshot(PURCHASES).as_of
    # The models too: none of a day that has not come may be in effect.
    assert folder.unlike(never, WITH_MODELS) == []


@pytest.mark.slow
def test_all_contents_of_a_name_go(folder: Folder, never: Folder) -> None:
    folder.land(WRONG, f"{GOES}O10,a1,,2024-01-04,1,\n")
    folder.run()
    taken = folder.take_back(WRONG).taken
    assert taken is not None
    assert len(taken.fingerprints) == 2
    folder.run()
    assert folder.unlike(never) == []


@pytest.mark.slow
def test_a_content_that_came_after_is_a_later_landing(folder: Folder, tmp_path: Path) -> None:
    mended = f"{LINE}O9,b1,,2024-01-04,4,\n"
    folder.land(WRONG, mended)
    taken = folder.take_back(WRONG).taken
    assert taken is not None
    assert taken.place is None
    assert (folder.root / "landing" / WRONG).read_text() == mended
    folder.run()
    other = folder_with(tmp_path / "other", {**GOOD, WRONG: mended}.items())
    assert folder.unlike(other) == []


@pytest.mark.slow
def test_the_same_bytes_under_another_name_are_taken_from_there(
    folder: Folder, tmp_path: Path
) -> None:
    twice = "purchases/2024-01-06.csv"
    folder.land(twice, GOES)
    folder.run()
    assert effects_of(folder.lake, folder.settings, folder.find(WRONG)).same == [twice]
    folder.take_back(WRONG)
    folder.run()
    other = folder_with(tmp_path / "other", {**GOOD, twice: GOES}.items())
    assert folder.unlike(other) == []
    assert _states(folder)[twice] == "taken"


def test_a_repetition_goes_alone(folder: Folder, landed: Folder) -> None:
    twice = "purchases/2024-01-06.csv"
    folder.land(twice, GOES)
    folder.run()
    taken = folder.take_back(twice).taken
    assert taken is not None
    assert (taken.records, taken.fingerprints) == ({}, frozenset())
    folder.run()
    assert folder.unlike(landed) == []
    assert _states(folder)[twice] == "retracted"
    assert not (folder.root / "landing" / twice).exists()


@pytest.mark.slow
def test_a_repetition_that_is_gone_is_not_lost(folder: Folder, never: Folder) -> None:
    twice = folder.land("purchases/2024-01-06.csv", GOES)
    folder.run()
    twice.unlink()
    folder.take_back(WRONG)
    folder.run()
    assert folder.unlike(never) == []
    assert lost_files(folder.lake, ()).height == 0


def test_a_refused_file_goes_and_comes_again(folder: Folder, landed: Folder) -> None:
    folder.land("purchases/2024-01-06.csv", "no,header\n1,2\n")
    folder.run()
    taken = folder.take_back("purchases/2024-01-06.csv").taken
    assert taken is not None
    assert taken.place is not None
    folder.run()
    assert folder.unlike(landed) == []
    assert _states(folder)["purchases/2024-01-06.csv"] == "retracted"
    again = folder.root / "landing" / taken.place
    again.rename(folder.root / "landing/purchases/2024-01-06.csv")
    folder.run()
    assert _states(folder)["purchases/2024-01-06.csv"] == "refused"


@pytest.mark.slow
def test_a_file_without_records_can_be_landed_again(folder: Folder, landed: Folder) -> None:
    folder.land("purchases/2024-01-06.csv", LINE)
    folder.run()
    folder.take_back("purchases/2024-01-06.csv")
    lies_in = folder.root / "landing/_retracted/purchases/2024-01-06.csv"
    lies_in.rename(folder.root / "landing/purchases/2024-01-07.csv")
    folder.run()
    assert _states(folder)["purchases/2024-01-07.csv"] == "taken"
    assert folder.unlike(landed) == []


@pytest.mark.slow
def test_a_large_file_goes_and_comes_again(never: Folder, tmp_path: Path) -> None:
    large = "purchases/2024-01-04.csv.gz"
    with patch("bridge_cart_assets.ingestion.files.PART_BYTES", 100):
        folder = folder_with(tmp_path / "large", GOOD.items())
        folder.land(large, gzip.compress(GOES.encode(), mtime=0))
        folder.run()
        with_it = contents(folder.lake, SILVER)
        folder.take_back(large)
        folder.run()
        assert folder.unlike(never) == []
        lies_in = folder.root / "landing/_retracted" / large
        lies_in.rename(folder.root / "landing" / large)
        folder.run()
    assert differences(with_it, contents(folder.lake, SILVER)) == []


@pytest.mark.slow
def test_a_lost_ledger_does_not_bring_it_back(folder: Folder, never: Folder) -> None:
    shutil.rmtree(folder.root / "lake" / FILES.path)
    folder.take_back(WRONG)
    shutil.rmtree(folder.root / "lake" / FILES.path, ignore_errors=True)
    folder.run()
    assert folder.unlike(never) == []


def test_a_place_that_is_taken_is_left_alone(folder: Folder) -> None:
    folder.land(f"_retracted/{WRONG}", "another")
    taken = folder.take_back(WRONG).taken
    assert taken is not None
    assert taken.place == f"_retracted-2/{WRONG}"
    assert (folder.root / "landing/_retracted" / WRONG).read_text() == "another"


def test_a_folder_that_does_not_let_it_go_changes_nothing(folder: Folder, landed: Folder) -> None:
    with (
        patch.object(retracted_files.os, "rename", side_effect=PermissionError(13, "no")),
        pytest.raises(RetractionRefusedError, match=r"cannot be moved to _retracted/.*: no"),
    ):
        folder.take_back(WRONG)
    assert folder.unlike(landed) == []


def test_days_of_which_raw_has_lost_records_are_left_alone(folder: Folder) -> None:
    taken = folder.find(WRONG)
    refuse_losses(folder.lake, taken)
    raw = folder.lake.snapshot(_raw("purchases"))
    raw.replace(raw.read().filter(pl.col("_pos") < 3), retraction.Commit("lost"))
    with pytest.raises(RetractionRefusedError, match="doctor"):
        refuse_losses(folder.lake, folder.find(WRONG))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("purchases/2024-01-05.csvv", "near it are purchases/2024-01-05.csv"),
        ("2024-01-04.csv", "near it are purchases/2024-01-04.csv"),
        ("customers/2024-01-04.csv", "purchases/2024-01-04.csv"),
        ("purchases", "near it are purchases/"),
        ("purchases/bridge-cart.purchases-0", "messages cannot be taken back"),
        ("purchases/bridge-cart.purchases-2024.csv", "no file was taken under the name"),
        ("bridge-cart.purchases-0", "messages cannot be taken back"),
        ("purchases/2024-01-09.csv", "has not been taken in yet"),
    ],
)
def test_a_name_under_which_nothing_was_taken_is_said_so(
    folder: Folder, name: str, says: str
) -> None:
    folder.land("purchases/2024-01-09.csv", GOES)
    with pytest.raises(UnknownObjectError, match=says):
        folder.find(name)


def test_a_name_that_is_shown_masked_is_found(folder: Folder) -> None:
    folder.land("purchases/2024-01-06/ada@example.org.csv", f"{LINE}O7,a1,,2024-01-06,1,\n")
    folder.run()
    assert folder.find("purchases/2024-01-06/…@….csv").object == "2024-01-06/ada@example.org.csv"


def test_what_was_taken_back_before_is_said_so(folder: Folder) -> None:
    folder.take_back(WRONG)
    with pytest.raises(
        AlreadyRetractedError, match=r"lies in _retracted/purchases/2024-01-04\.csv"
    ):
        folder.find(WRONG)


def test_what_would_leave_is_counted(folder: Folder) -> None:
    taken = folder.find(WRONG)
    effects = effects_of(folder.lake, folder.settings, taken)
    assert sum(taken.records.values()) == 7
    assert (effects.lines, effects.refused, effects.profiles) == (5, 2, 0)
    assert str(effects.net_revenue) == "108.00"


# What is cut off there, and after how many calls.
POINTS: dict[str, tuple[Any, str, int]] = {
    "the file moved": (retraction, "move_file", 1),
    "raw rewritten": (Snapshot, "rewrite", 1),
    "the ledger written": (retraction, "mark_retracted", 1),
    "identities written": (silver, "fold_records", 1),
    "a merge": (Snapshot, "apply", 2),
    "another merge": (Snapshot, "apply", 4),
    "the last merge of lines": (Snapshot, "apply", 6),
    "quarantine written": (silver, "update_quarantine", 1),
    "counted": (silver, "update_accounting", 1),
    "silver done": (retraction, "fold_due_days", 1),
}
QUICK = ("raw rewritten", "another merge")


class KilledError(BaseException):
    """As if the process had been killed."""


def cut_off_after(function: Callable[..., Any], times: int) -> Callable[..., Any]:
    left = [times]

    def call(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        left[0] -= 1
        if not left[0]:
            raise KilledError
        return result

    return call


@pytest.mark.parametrize(
    "point", [pytest.param(p, marks=() if p in QUICK else pytest.mark.slow) for p in POINTS]
)
def test_cut_off_anywhere_the_next_call_completes_it(
    folder: Folder, never: Folder, point: str
) -> None:
    owner, name, times = POINTS[point]
    disturbed = cut_off_after(getattr(owner, name), times)
    with patch.object(owner, name, disturbed), pytest.raises(KilledError):
        folder.take_back(WRONG)
    assert open_retraction(folder.settings) is not None
    folder.take_back("")
    folder.run()
    assert folder.unlike(never) == []
    assert (folder.root / "landing/_retracted" / WRONG).read_text() == GOES


def test_persons_are_told_apart_again(folder: Folder) -> None:
    """The account a0 was the first with the address, and others were it."""
    persons = dict(_rows(folder, IDENTITIES, "identity", "person_id"))
    assert persons["c1"] == "a1" or persons["a0"] == "a1"
    folder.take_back(WRONG)
    after = dict(_rows(folder, IDENTITIES, "identity", "person_id"))
    assert "a0" not in after
    assert after["c1"] == "c1"
    names = _rows(folder, CUSTOMERS, "customer_id", "name")
    assert names == [("a1", "Ada"), ("b1", "Bob")]


def _rows(folder: Folder, table: Any, *columns: str) -> list[tuple[Any, ...]]:
    return folder.lake.snapshot(table).read().select(columns).sort(columns[0]).rows()


def _states(folder: Folder) -> dict[str, str]:
    rows = folder.lake.snapshot(FILES).read()
    return {f"{row['source']}/{row['object']}": row["state"] for row in rows.iter_rows(named=True)}


def _raw(name: str) -> Any:
    from bridge_cart_assets.sources import SOURCES

    return next(source.raw for source in SOURCES if source.name == name)


@pytest.mark.slow
def test_another_source_with_the_same_bytes_keeps_them(tmp_path: Path) -> None:
    """Fingerprints are of one source's raw table."""
    both = {"purchases/2024-01-02.csv": GOES, "customers/2024-01-02.csv": GOES}
    folder = folder_with(tmp_path / "both", both.items())
    folder.take_back("purchases/2024-01-02.csv")
    folder.run()
    lake: Lake = folder.lake
    assert lake.snapshot(_raw("purchases")).rows == 0
    assert lake.snapshot(_raw("customers")).rows == 7
