"""Each file is taken once and as a whole, whatever other runs do and wherever one dies."""

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from bridge_cart_assets.ingestion import ingest_files as module
from bridge_cart_assets.ingestion.ingest_files import FilesTaken, ingest_files
from bridge_cart_assets.ingestion.landing import list_landing
from bridge_cart_assets.ingestion.ledger import new_files, refused_in_landing
from bridge_cart_assets.lake.commits import CommitConflictError
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.pipeline.pending import arrived_days, pending_days
from bridge_cart_assets.sources.customers import CUSTOMERS
from bridge_cart_assets.sources.purchases import PURCHASES
from bridge_cart_assets.tables.ops import FILES
from bridge_cart_assets.tables.table import Table

HEADER = "customer_id,name"
ANNA, CY = f"{HEADER}\n1,Anna\n", f"{HEADER}\n2,Cy\n\n3\n"


class Shop:
    """A landing zone for customers and a lake."""

    def __init__(self, root: Path) -> None:
        self.landing = root / "landing"
        self.lake = Lake(str(root / "lake"))

    def land(self, name: str, text: str | bytes) -> Path:
        path = self.landing / "customers" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def run(self, run_id: str = "run") -> FilesTaken:
        """Take in what is new, as the raw asset does."""
        files = new_files(self.lake, list_landing(self.landing, "customers"))
        return ingest_files(self.lake, CUSTOMERS, files, run_id)

    def records(self) -> list[tuple[str, int, str | None, str]]:
        """File, position, id and verdict of every raw record."""
        return (
            self.lake.snapshot(CUSTOMERS.raw)
            .read()
            .sort("_object", "_pos")
            .select("_object", "_pos", "customer_id", "_status")
            .rows()
        )

    def ledger(self) -> dict[str, tuple[str, str | None]]:
        """State and reason of every file that was looked at."""
        return {
            name: (state, reason)
            for name, state, reason in self.lake.snapshot(FILES)
            .read()
            .select("object", "state", "reason")
            .iter_rows()
        }

    def refused(self) -> dict[str, str]:
        rows = refused_in_landing(self.lake, list_landing(self.landing, "customers"))
        return dict(rows.select("object", "reason").iter_rows())


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_every_record_comes_in_with_its_place_and_its_verdict(shop: Shop) -> None:
    shop.land("2024-01-01.csv", ANNA)
    shop.land("2024-01-02/b.csv", CY)
    taken = shop.run("run-1")
    assert (taken.files, taken.repeated, taken.records, taken.refused) == (2, 0, 4, [])
    assert taken.days == {date(2024, 1, 1), date(2024, 1, 2)}
    assert shop.records() == [
        ("2024-01-01.csv", 1, "1", "ok"),
        ("2024-01-02/b.csv", 1, "2", "ok"),
        ("2024-01-02/b.csv", 2, None, "blank"),
        ("2024-01-02/b.csv", 3, None, "quarantined"),
    ]
    raw = shop.lake.snapshot(CUSTOMERS.raw)
    assert raw.read()["_batch_id"].unique().to_list() == ["run-1"]
    assert raw.read()["_source"].unique().to_list() == ["customers"]
    assert raw.as_of == date(2024, 1, 2)


def test_an_unchanged_file_is_not_opened_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.land("2024-01-01.csv", ANNA)
    shop.run()
    monkeypatch.setattr(module, "read_file", _never)
    taken = shop.run()
    assert (taken.files, taken.repeated) == (0, 0)


def test_the_same_bytes_under_another_name_add_nothing(shop: Shop) -> None:
    shop.land("2024-01-01.csv", ANNA)
    shop.run()
    shop.land("2024-01-05/copy.csv", ANNA)
    taken = shop.run()
    assert (taken.files, taken.repeated, taken.records, taken.days) == (0, 1, 0, set())
    assert len(shop.records()) == 1
    assert shop.ledger()["2024-01-05/copy.csv"] == ("repeated", None)


def test_the_same_bytes_under_two_names_in_one_intake_are_taken_once(shop: Shop) -> None:
    shop.land("2024-01-02.csv", ANNA)
    shop.land("2024-01-01.csv", ANNA)
    taken = shop.run()
    assert (taken.files, taken.repeated) == (1, 1)
    assert shop.records() == [("2024-01-01.csv", 1, "1", "ok")]


def test_the_same_bytes_in_two_commits_of_one_intake_are_taken_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMMIT_BYTES", 1)
    for day in (1, 2, 3):
        shop.land(f"2024-01-0{day}.csv", ANNA)
    assert (shop.run().files, len(shop.records())) == (1, 1)


def test_other_bytes_under_the_same_name_are_a_new_file(shop: Shop) -> None:
    path = shop.land("2024-01-01.csv", ANNA)
    shop.run()
    path.write_text(f"{HEADER}\n1,Otto\n")
    taken = shop.run()
    assert (taken.files, taken.repeated) == (1, 0)
    raw = shop.lake.snapshot(CUSTOMERS.raw).read()
    assert sorted(raw["name"]) == ["Anna", "Otto"]
    assert raw["_fingerprint"].n_unique() == 2


def test_the_same_bytes_for_another_source_are_taken_for_it_too(shop: Shop) -> None:
    text = "order_id,customer_id,purchase_date,purchase_amount\nO1,1,2024-01-01,1\n"
    path = shop.land("2024-01-01.csv", text)
    shop.run()
    other = shop.landing / "purchases" / path.name
    other.parent.mkdir()
    path.rename(other)
    taken = ingest_files(shop.lake, PURCHASES, list_landing(shop.landing, "purchases"), "run")
    assert (taken.files, taken.records) == (1, 1)


def test_a_file_that_cannot_be_taken_is_listed_and_the_others_are_taken(shop: Shop) -> None:
    shop.land("2024-01-01.csv", ANNA)
    shop.land("2024-01-02.csv", "name\nOtto\n")
    shop.land("2024-01-03.csv.gz", b"\x1f\x8b\x08\x00")
    shop.land("notes.doc", "hello")
    taken = shop.run()
    assert (taken.files, len(taken.refused), len(shop.records())) == (1, 3, 1)
    assert shop.refused() == {
        "2024-01-02.csv": "HEADER_MISMATCH",
        "2024-01-03.csv.gz": "TRUNCATED",
        "notes.doc": "UNREADABLE",
    }


def test_a_refused_file_is_left_alone_until_it_changes_and_then_tried_again(shop: Shop) -> None:
    path = shop.land("2024-01-01.csv", "name\nAnna\n")
    shop.run()
    assert (shop.run().refused, shop.refused()) == ([], {"2024-01-01.csv": "HEADER_MISMATCH"})
    path.write_text(ANNA)
    assert shop.run().files == 1
    assert shop.refused() == {}
    assert shop.ledger() == {"2024-01-01.csv": ("taken", None)}


def test_a_refused_file_that_is_gone_is_no_longer_listed(shop: Shop) -> None:
    path = shop.land("2024-01-01.csv", "name\nAnna\n")
    shop.land("2024-01-02.csv", "name\nCy\n")
    shop.run()
    path.unlink()
    assert list(shop.refused()) == ["2024-01-02.csv"]


def test_links_and_pipes_are_refused_and_never_opened(shop: Shop) -> None:
    secret = shop.land("2024-01-01.csv", ANNA).rename(shop.landing / "secret.csv")
    folder = shop.landing / "customers"
    (folder / "link.csv").symlink_to(secret)
    os.mkfifo(folder / "pipe.csv")
    # Opening the pipe would wait for a writer for ever.
    taken = shop.run()
    assert {s.file.object: s.reason for s in taken.refused} == {
        "link.csv": "NOT_A_REGULAR_FILE",
        "pipe.csv": "NOT_A_REGULAR_FILE",
    }
    assert shop.records() == []


def test_a_name_that_is_no_text_costs_nothing_but_its_spelling(shop: Shop) -> None:
    path = shop.land("2024-01-01.csv", ANNA)
    os.rename(path, os.fsencode(path.parent) + b"/2024-01-01-\xff.csv")
    assert shop.run().files == 1
    assert [one for _, _, one, _ in shop.records()] == ["1"]
    assert shop.run().files == 0


def test_a_file_with_a_header_only_is_taken_and_adds_no_record(shop: Shop) -> None:
    shop.land("2024-01-01.csv", f"{HEADER}\n")
    assert (shop.run().files, shop.records()) == (1, [])
    assert arrived_days(shop.lake, CUSTOMERS) == {}
    shop.land("2024-01-02.csv", f"{HEADER}\n")
    assert shop.run().repeated == 1


def test_progress_is_reported_after_every_commit(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMMIT_BYTES", len(ANNA) + len(CY))
    for day, text in enumerate((ANNA, CY, f"{HEADER}\n9,Z\n"), start=1):
        shop.land(f"2024-01-0{day}.csv", text)
    steps: list[tuple[int, int]] = []
    files = list_landing(shop.landing, "customers")
    ingest_files(
        shop.lake, CUSTOMERS, files, "run", lambda done, total: steps.append((done, total))
    )
    assert steps == [(2, 3), (3, 3)]


def test_records_that_arrived_are_pending_until_they_are_accounted_for(shop: Shop) -> None:
    shop.land("2024-01-01.csv", ANNA)
    shop.land("2024-01-02.csv", CY)
    shop.run()
    assert arrived_days(shop.lake, CUSTOMERS) == {date(2024, 1, 1): 1, date(2024, 1, 2): 3}
    assert pending_days(shop.lake, [CUSTOMERS]) == {
        "customers": {date(2024, 1, 1), date(2024, 1, 2)}
    }


def between_look_and_write(
    monkeypatch: pytest.MonkeyPatch, table: Table, meanwhile: Callable[[], object]
) -> None:
    """Let something happen once, right after a table was looked at for writing."""
    look = Lake.snapshot
    waiting = [meanwhile]

    def look_and_be_overtaken(self: Lake, looked_at: Table) -> Snapshot:
        snapshot = look(self, looked_at)
        if looked_at is table and waiting:
            waiting.pop()()
        return snapshot

    monkeypatch.setattr(Lake, "snapshot", look_and_be_overtaken)


@pytest.mark.parametrize("table_is_there", [False, True], ids=["first", "later"])
def test_two_intakes_at_once_from_the_same_version_double_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, table_is_there: bool
) -> None:
    if table_is_there:
        shop.land("2023-12-31.csv", f"{HEADER}\n0,Zoë\n")
        shop.run()
    shop.land("2024-01-01.csv", ANNA)
    shop.land("2024-01-02.csv", CY)
    before = len(shop.records())
    others: list[FilesTaken] = []
    between_look_and_write(
        monkeypatch, CUSTOMERS.raw, lambda: others.append(shop.run("the other run"))
    )
    mine = shop.run("my run")
    assert (others[0].files, others[0].records) == (2, 4)
    assert (mine.files, mine.repeated, mine.records) == (0, 2, 0)
    assert len(shop.records()) == before + 4
    assert len(set(shop.records())) == before + 4


def test_two_intakes_of_different_files_at_once_lose_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.land("2024-01-01.csv", ANNA)
    listed = list_landing(shop.landing, "customers")
    shop.land("2024-01-02.csv", CY)

    def the_other() -> None:
        other = [f for f in list_landing(shop.landing, "customers") if f not in listed]
        assert ingest_files(shop.lake, CUSTOMERS, other, "the other run").files == 1

    between_look_and_write(monkeypatch, CUSTOMERS.raw, the_other)
    assert ingest_files(shop.lake, CUSTOMERS, listed, "my run").files == 1
    assert len(shop.records()) == 4


def test_an_intake_that_is_overtaken_again_and_again_gives_up_and_writes_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.land("2024-01-01.csv", ANNA)
    tries: list[int] = []

    def overtaken(*arguments: object) -> int:
        tries.append(1)
        raise CommitConflictError("raw/customers was changed by another run")

    monkeypatch.setattr(Snapshot, "append", overtaken)
    with pytest.raises(CommitConflictError):
        shop.run()
    monkeypatch.undo()
    assert len(tries) == 8
    assert shop.records() == []
    assert shop.run().files == 1


def test_a_crash_between_the_records_and_the_ledger_loses_and_doubles_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.land("2024-01-01.csv", ANNA)
    shop.land("2024-01-02.csv", CY)
    monkeypatch.setattr(module, "upsert_files", _dies)
    with pytest.raises(SystemExit):
        shop.run()
    monkeypatch.undo()
    landed = shop.records()
    assert len(landed) == 4
    again = shop.run()
    assert (again.files, again.repeated) == (0, 2)
    assert shop.records() == landed
    assert shop.run() == FilesTaken()


def test_a_crash_before_the_records_are_committed_loses_and_doubles_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.land("2024-01-01.csv", ANNA)
    monkeypatch.setattr(Snapshot, "append", _dies)
    with pytest.raises(SystemExit):
        shop.run()
    monkeypatch.undo()
    assert shop.ledger() == {}
    assert shop.run().files == 1
    assert len(shop.records()) == 1


def test_the_ledger_can_be_lost_without_losing_or_doubling_a_record(shop: Shop) -> None:
    shop.land("2024-01-01.csv", ANNA)
    shop.run()
    ledger = Path(shop.lake.uri(FILES))
    ledger.rename(ledger.with_name("lost"))
    assert (shop.run().repeated, len(shop.records())) == (1, 1)


def test_files_can_be_taken_in_any_order(shop: Shop, tmp_path: Path) -> None:
    for day, text in enumerate((ANNA, CY, f"{HEADER}\n9,Z\n"), start=1):
        shop.land(f"2024-01-0{day}.csv", text)
    shop.run()
    other = Lake(str(tmp_path / "other"))
    for file in reversed(list_landing(shop.landing, "customers")):
        ingest_files(other, CUSTOMERS, [file], "run")
    order = ["_object", "_pos"]
    one, two = (
        lake.snapshot(CUSTOMERS.raw).read().drop("_ingested_at").sort(order)
        for lake in (shop.lake, other)
    )
    assert one.equals(two)


def test_raw_has_strings_only_and_no_statistics_of_them(shop: Shop) -> None:
    shop.land("2024-01-01.csv", ANNA)
    shop.run()
    raw = shop.lake.snapshot(CUSTOMERS.raw)
    own = {name: dtype for name, dtype in raw.read().schema.items() if name in CUSTOMERS.columns}
    assert set(own.values()) == {pl.String}
    log = Path(shop.lake.uri(CUSTOMERS.raw)) / "_delta_log"
    assert not [file for file in log.glob("*.json") if "Anna" in file.read_text()]


def _never(*arguments: object) -> object:
    raise AssertionError("opened again")


def _dies(*arguments: object) -> object:
    raise SystemExit("killed")
