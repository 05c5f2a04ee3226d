"""A large file is read part by part and taken in one commit, whatever happens in between."""

import errno
import gzip
import io
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from bridge_cart_assets.ingestion import files, ingest_large_file
from bridge_cart_assets.ingestion import ingest_files as ingest_files_module
from bridge_cart_assets.ingestion.ingest_files import FilesTaken, ingest_files
from bridge_cart_assets.ingestion.landing import LandedFile, list_landing
from bridge_cart_assets.ingestion.ledger import (
    FileRecord,
    new_files,
    refused_in_landing,
    upsert_files,
)
from bridge_cart_assets.ingestion.raw_rows import FileProvenance
from bridge_cart_assets.ingestion.readers import read_parts
from bridge_cart_assets.lake import commits
from bridge_cart_assets.lake.commits import Commit, CommitConflictError
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.fsync import actions, entry_of
from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.lake.staging import StagedFiles
from bridge_cart_assets.sources.customers import CUSTOMERS
from bridge_cart_assets.tables.ops import FILES

NAME = "2024-01-05"
HEADER = "customer_id,name,tier"
CSV = f"{HEADER}\n" + "".join(
    f'{n},"Zoë\n{n}",\n' if n % 3 == 0 else f"{n},b\n" if n % 7 == 0 else f"{n},b,gold\n"
    for n in range(30)
)
JSON = "".join(
    f'{{"customer_id": "{n}", "{"name" if n < 20 else "tier"}": "{n}"}}\n' for n in range(30)
)


def as_parquet() -> bytes:
    data = io.BytesIO()
    rows = {"customer_id": range(30), "tier": ["x"] * 30}
    pl.DataFrame(rows).write_parquet(data, row_group_size=4)
    return data.getvalue()


FORMATS = {
    "csv": CSV.encode(),
    "csv.gz": gzip.compress(CSV.encode()),
    "ndjson": JSON.encode(),
    "parquet": as_parquet(),
}
# Text is cut at a byte and Parquet at a row; the other two are text.
EACH_READER = [
    "csv",
    "parquet",
    *(pytest.param(f, marks=pytest.mark.slow) for f in ("csv.gz", "ndjson")),
]
SMALLEST = {"csv": 60, "csv.gz": 60, "ndjson": 150, "parquet": 400 * files.PARQUET_SHARE}


class Shop:
    """A landing zone for customers and a lake."""

    def __init__(self, root: Path) -> None:
        self.landing = root / "landing"
        self.lake = Lake(str(root / "lake"))

    def land(self, name: str, data: bytes) -> Path:
        path = self.landing / "customers" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def run(self, run_id: str = "run", **more: Any) -> FilesTaken:
        return ingest_files(self.lake, CUSTOMERS, self.due(), run_id, **more)

    def due(self) -> list[LandedFile]:
        return new_files(self.lake, list_landing(self.landing, "customers"))

    def records(self) -> pl.DataFrame:
        raw = self.lake.snapshot(CUSTOMERS.raw).read().sort("_fingerprint", "_pos")
        return raw.drop("_ingested_at", "_batch_id")

    def versions(self) -> int:
        return self.lake.snapshot(CUSTOMERS.raw).version or 0

    def staged(self) -> list[Path]:
        """What lies beside the raw table and no version refers to."""
        live = set(self.lake.snapshot(CUSTOMERS.raw).file_uris)
        stored = Path(self.lake.uri(CUSTOMERS.raw)).glob("staged-*/**/*")
        return [path for path in stored if path.is_file() and str(path) not in live]

    def ledger(self, *columns: str) -> dict[str, tuple[Any, ...]]:
        rows = self.lake.snapshot(FILES).read().sort("object")
        return {row[0]: row[1:] for row in rows.select("object", *columns).iter_rows()}

    def lose_the_ledger(self) -> None:
        ledger = Path(self.lake.uri(FILES))
        ledger.rename(ledger.with_name(f"lost{self.versions()}{os.urandom(3).hex()}"))


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture
def whole(tmp_path: Path) -> Callable[[str], pl.DataFrame]:
    """The raw rows of a format's file that is taken as a whole."""

    def taken(ending: str) -> pl.DataFrame:
        other = Shop(tmp_path / f"whole-{ending}")
        other.land(f"{NAME}.{ending}", FORMATS[ending])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files, "PART_BYTES", 10**9)
            other.run()
        assert other.versions() == 1
        return other.records()

    return taken


def in_parts(monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    monkeypatch.setattr(files, "PART_BYTES", SMALLEST[ending])


@pytest.mark.parametrize("ending", FORMATS)
def test_a_file_in_parts_gives_the_records_that_it_gives_as_a_whole(
    shop: Shop,
    whole: Callable[[str], pl.DataFrame],
    ending: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    in_parts(monkeypatch, ending)
    shop.land(f"{NAME}.{ending}", FORMATS[ending])
    progress: list[tuple[int, int]] = []
    steps: list[tuple[str, int, int]] = []
    taken = shop.run(
        progress=lambda *step: progress.append(step),
        within=lambda file, *step: steps.append((file.object, *step)),
    )
    assert (taken.files, taken.repeated, taken.records) == (1, 0, 30)
    assert_frame_equal(shop.records(), whole(ending))
    assert len(steps) > 3
    assert shop.versions() == 1
    assert shop.staged() == []
    assert progress == [(0, 1)] * len(steps) + [(1, 1)]
    assert [done for _, done, _ in steps] == sorted({done for _, done, _ in steps})
    assert steps[-1][1] == steps[-1][2]
    assert shop.due() == []


# Where a run dies, and which commit of raw there is then.
PLACES = {
    "within the file": (StagedFiles, "add", 0),
    "before the commit": (Snapshot, "append_staged", 0),
    "after the commit": (ingest_files_module, "upsert_files", 1),
}


@pytest.mark.parametrize("ending", EACH_READER)
@pytest.mark.parametrize("place", PLACES)
def test_after_a_run_that_dies_the_next_one_takes_the_file_whole(
    shop: Shop,
    whole: Callable[[str], pl.DataFrame],
    ending: str,
    place: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    in_parts(monkeypatch, ending)
    shop.land(f"{NAME}.{ending}", FORMATS[ending])
    owner, name, version = PLACES[place]
    method = getattr(owner, name)
    calls: list[int] = []

    def dies(*arguments: Any) -> Any:
        calls.append(1)
        if place != "within the file" or len(calls) == 3:
            raise SystemExit
        return method(*arguments)

    for _ in range(2 if version == 0 else 1):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, dies)
            with pytest.raises(SystemExit):
                shop.run()
        assert shop.versions() == version
        assert shop.records().height == (30 if version else 0)
        calls.clear()
    taken = shop.run()
    assert (taken.files, taken.repeated) == ((0, 1) if version else (1, 0))
    assert_frame_equal(shop.records(), whole(ending))
    assert shop.versions() == 1
    assert shop.ledger("state", "records")[f"{NAME}.{ending}"] == ("taken", 30)
    # What the dead runs have left is removed when it is a day old, and nothing else.
    left = shop.staged()
    assert version or len({path.relative_to(shop.landing.parent).parts[3] for path in left}) == 2
    for path in left:
        os.utime(path, (0, 0))
    shop.lake.snapshot(CUSTOMERS.raw).vacuum(timedelta(0))
    assert shop.staged() == []
    assert_frame_equal(shop.records(), whole(ending))


def between(monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object]) -> None:
    """Let something happen once, right before a large file would be committed."""
    append = Snapshot.append_staged
    left = [meanwhile]

    def overtaken(self: Snapshot, staged: StagedFiles, commit: Commit) -> int:
        if left and commit.run_id == "run":
            left.pop()()
        return append(self, staged, commit)

    monkeypatch.setattr(Snapshot, "append_staged", overtaken)


@pytest.mark.parametrize("ending", EACH_READER)
def test_of_two_runs_at_one_large_file_the_slower_one_adds_nothing(
    shop: Shop,
    whole: Callable[[str], pl.DataFrame],
    ending: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    in_parts(monkeypatch, ending)
    shop.land(f"{NAME}.{ending}", FORMATS[ending])
    listed = list_landing(shop.landing, "customers")
    between(monkeypatch, lambda: ingest_files(shop.lake, CUSTOMERS, listed, "another"))
    taken = ingest_files(shop.lake, CUSTOMERS, listed, "run")
    assert (taken.files, taken.repeated, taken.records, taken.refused) == (0, 1, 0, [])
    assert_frame_equal(shop.records(), whole(ending))
    assert (shop.versions(), shop.staged()) == (1, [])
    assert shop.ledger("state", "records", "version")[f"{NAME}.{ending}"] == ("taken", 30, 1)


def test_a_commit_that_another_run_was_faster_with_is_made_again_without_reading_the_file(
    shop: Shop, whole: Callable[[str], pl.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_parts(monkeypatch, "csv")
    shop.land(f"{NAME}.csv", FORMATS["csv"])
    listed = list_landing(shop.landing, "customers")
    shop.land("2024-01-06.csv", b"customer_id\n99\n")
    _, other = list_landing(shop.landing, "customers")
    between(monkeypatch, lambda: ingest_files(shop.lake, CUSTOMERS, [other], "another"))
    read: list[Any] = []
    parts = ingest_large_file.read_parts

    def counted(*arguments: Any) -> Any:
        read.append(arguments)
        return parts(*arguments)

    monkeypatch.setattr(ingest_large_file, "read_parts", counted)
    taken = ingest_files(shop.lake, CUSTOMERS, listed, "run")
    assert (taken.files, taken.records, len(read)) == (1, 30, 1)
    [fingerprint] = whole("csv")["_fingerprint"].unique()
    assert_frame_equal(shop.records().filter(_fingerprint=fingerprint), whole("csv"))
    assert (shop.records().height, shop.versions(), shop.staged()) == (31, 2, [])
    assert shop.ledger("version")[f"{NAME}.csv"] == (2,)


def test_a_run_that_is_overtaken_again_and_again_gives_up_and_doubles_nothing(
    shop: Shop, whole: Callable[[str], pl.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_parts(monkeypatch, "csv")
    shop.land(f"{NAME}.csv", FORMATS["csv"])

    def overtaken(*arguments: object) -> int:
        raise CommitConflictError("raw/customers was changed by another run")

    with monkeypatch.context() as patch:
        patch.setattr(Snapshot, "append_staged", overtaken)
        patch.setattr(commits, "RETRY_SECONDS", 0)
        with pytest.raises(CommitConflictError):
            shop.run()
    assert (shop.records().height, shop.staged()) == (0, [])
    shop.run()
    assert_frame_equal(shop.records(), whole("csv"))


def test_a_file_that_changes_while_it_is_read_is_stopped_and_then_taken_as_another(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_parts(monkeypatch, "csv")
    path = shop.land(f"{NAME}.csv", CSV.encode())

    def change(file: LandedFile, done: int, total: int) -> None:
        if not path.read_text().endswith("99,x,y\n"):
            path.write_text(CSV + "99,x,y\n")

    taken = shop.run(within=change)
    [seen] = taken.refused
    assert (seen.reason, taken.records) == ("UNREADABLE", 0)
    assert seen.detail == "it changed while it was read; land it again"
    assert (shop.versions(), shop.records().height, shop.staged()) == (0, 0, [])
    assert (shop.run().files, shop.due()) == (1, [])
    assert shop.records()["_fingerprint"].n_unique() == 1
    assert shop.records().height == 31


def test_a_file_that_gets_shorter_while_it_is_read_has_changed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_parts(monkeypatch, "csv")
    monkeypatch.setattr(files, "READ_BYTES", 64)
    path = shop.land(f"{NAME}.csv", CSV.encode())
    taken = shop.run(within=lambda *step: os.truncate(path, 100))
    assert "it changed while it was read" in (taken.refused[0].detail or "")
    assert (shop.records().height, shop.staged()) == (0, [])


def test_another_file_under_the_name_between_two_looks_has_changed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_parts(monkeypatch, "csv")
    path = shop.land(f"{NAME}.csv", CSV.encode())
    opened = files.open_file

    def replaced(file: LandedFile) -> Any:
        other = shop.land(".other", CSV.replace("gold", "lead").encode())
        other.replace(path)
        return opened(file)

    monkeypatch.setattr(ingest_large_file, "open_file", replaced)
    [seen] = shop.run().refused
    assert seen.detail == "it changed while it was read; land it again"
    assert shop.records().height == 0


def test_what_a_reader_does_not_expect_in_a_later_part_refuses_the_whole_file(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_parts(monkeypatch, "csv")
    monkeypatch.setattr(files, "READ_BYTES", 64)
    read = files.Opened.stored

    def fails(self: files.Opened, start: int, size: int) -> Any:
        if steps and start > 100:
            raise ValueError("never seen before")
        return read(self, start, size)

    steps: list[Any] = []
    shop.land(f"{NAME}.csv", CSV.encode())
    shop.land("2024-01-06.csv", f"{HEADER}\n1,a,b\n".encode())
    monkeypatch.setattr(files.Opened, "stored", fails)
    taken = shop.run(within=lambda *step: steps.append(step))
    [seen] = taken.refused
    assert len(steps) > 0
    assert (seen.reason, seen.detail) == ("UNREADABLE", "ValueError: never seen before")
    assert (taken.files, taken.records, shop.records().height) == (1, 1, 1)
    assert shop.staged() == []


def test_the_machines_shortage_is_not_the_files_fault_and_leaves_nothing(
    shop: Shop, whole: Callable[[str], pl.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_parts(monkeypatch, "csv")
    shop.land(f"{NAME}.csv", CSV.encode())
    add = StagedFiles.add

    def full(self: StagedFiles, frame: pl.DataFrame) -> None:
        if self.height > 10:
            raise OSError(errno.ENOSPC, "No space left on device")
        add(self, frame)

    with monkeypatch.context() as patch:
        patch.setattr(StagedFiles, "add", full)
        with pytest.raises(OSError, match="No space"):
            shop.run()
    assert (shop.staged(), len(shop.due())) == ([], 1)
    shop.run()
    assert_frame_equal(shop.records(), whole("csv"))


@pytest.mark.parametrize("ledger", ["known", "lost"])
def test_the_same_bytes_under_another_name_add_nothing(
    shop: Shop,
    whole: Callable[[str], pl.DataFrame],
    ledger: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    in_parts(monkeypatch, "csv")
    shop.land(f"{NAME}.csv", CSV.encode())
    shop.run()
    if ledger == "lost":
        shop.lose_the_ledger()
    shop.land("2024-01-01.csv", CSV.encode())
    steps: list[Any] = []
    taken = shop.run(within=lambda *step: steps.append(step))
    # What the ledger knows is not read again, only hashed.
    assert bool(steps) == (ledger == "lost")
    assert (taken.files, taken.repeated, taken.records) == (0, 2 if ledger == "lost" else 1, 0)
    assert_frame_equal(shop.records(), whole("csv"))
    assert (shop.versions(), shop.staged()) == (1, [])
    facts = ("records", "quarantined", "unknown_columns", "missing_columns", "version")
    assert shop.ledger("state") == {"2024-01-01.csv": ("repeated",), f"{NAME}.csv": ("taken",)}
    assert len(set(shop.ledger(*facts).values())) == 1


def test_a_file_that_raw_lost_between_two_looks_is_not_said_to_be_taken(
    shop: Shop, whole: Callable[[str], pl.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_parts(monkeypatch, "csv")
    path = shop.land(f"{NAME}.csv", CSV.encode())
    shop.run()
    path.touch()
    with monkeypatch.context() as patch:
        patch.setattr(ingest_files_module, "taken_by", lambda *arguments: {})
        patch.setattr(commits, "RETRY_SECONDS", 0)
        with pytest.raises(CommitConflictError, match="put back"):
            shop.run()
    assert (shop.run().repeated, shop.versions()) == (1, 1)
    assert_frame_equal(shop.records(), whole("csv"))


def test_a_large_file_that_cannot_be_taken_leaves_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PART_BYTES", 60)
    shop.land("2024-01-01.csv", b"name\n" + b"a\n" * 100)
    shop.land("2024-01-02.ndjson", b'{"name": "a"}\n' * 100)
    shop.land("2024-01-03.parquet", as_parquet()[:-4])
    shop.land("2024-01-04.csv.gz", gzip.compress(CSV.encode())[:-1])
    shop.land("2024-01-05.csv", f"{HEADER}\n1,a,b\n".encode())
    taken = shop.run()
    assert {s.file.object: s.reason for s in taken.refused} == {
        "2024-01-01.csv": "HEADER_MISMATCH",
        "2024-01-02.ndjson": "HEADER_MISMATCH",
        "2024-01-03.parquet": "TRUNCATED",
        "2024-01-04.csv.gz": "TRUNCATED",
    }
    assert (taken.files, shop.records().height) == (1, 1)
    assert shop.staged() == []


def test_a_large_file_without_records_is_taken(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    in_parts(monkeypatch, "parquet")
    monkeypatch.setattr(files, "PART_BYTES", 4)
    data = io.BytesIO()
    pl.DataFrame(schema={"customer_id": pl.String}).write_parquet(data)
    shop.land(f"{NAME}.parquet", data.getvalue())
    assert (shop.run().files, shop.due()) == (1, [])
    assert shop.ledger("state", "records", "version")[f"{NAME}.parquet"] == ("taken", 0, 1)
    shop.lose_the_ledger()
    assert (shop.run().repeated, shop.versions(), shop.staged()) == (1, 1, [])


@pytest.mark.parametrize("ending", FORMATS)
def test_the_ledger_has_what_it_has_of_a_file_that_is_taken_as_a_whole(
    shop: Shop, ending: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    facts = ("state", "records", "quarantined", "fingerprint", "unknown_columns", "missing_columns")
    small = Shop(tmp_path / "small")
    small.land(f"{NAME}.{ending}", FORMATS[ending])
    small.run()
    in_parts(monkeypatch, ending)
    shop.land(f"{NAME}.{ending}", FORMATS[ending])
    shop.run()
    assert shop.ledger(*facts) == small.ledger(*facts)
    assert shop.ledger("version")[f"{NAME}.{ending}"] == (shop.versions(),)
    # And it is found again.
    before = shop.ledger(*facts, "version")
    shop.lose_the_ledger()
    taken = shop.run()
    assert (taken.files, taken.repeated, taken.records) == (0, 1, 0)
    assert shop.ledger(*facts, "version") == before


def test_the_commit_of_a_large_file_is_like_that_of_a_small_one(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Shop(tmp_path / "small")
    small.land(f"{NAME}.csv", FORMATS["csv"])
    small.run()
    in_parts(monkeypatch, "csv")
    shop.land(f"{NAME}.csv", FORMATS["csv"])
    shop.run()

    def entry(shop: Shop) -> list[dict[str, Any]]:
        return list(actions(entry_of(Path(shop.lake.uri(CUSTOMERS.raw)), 1), "txn", "add"))

    assert [a for a in entry(shop) if "appId" in a] == [a for a in entry(small) if "appId" in a]
    added, [alone] = ([a for a in entry(s) if "path" in a] for s in (shop, small))
    assert len(added) > 3
    for one in added:
        assert (one["dataChange"], one["partitionValues"]) == (True, alone["partitionValues"])
        stats, others = json.loads(one["stats"]), json.loads(alone["stats"])
        assert stats["nullCount"].keys() == others["nullCount"].keys()
        assert not stats["nullCount"].keys() & set(CUSTOMERS.raw.pii)
    assert sum(json.loads(one["stats"])["numRecords"] for one in added) == 30


def half_taken(shop: Shop, name: str, stop: int) -> None:
    """What version 0.1 has left when it was killed within a large file: it committed each part."""
    [file] = [f for f in list_landing(shop.landing, "customers") if f.object == name]
    content = files.read_file(file)
    records = 0
    with files.open_file(file) as opened:
        for part in islice(read_parts(content, opened, CUSTOMERS), stop):
            fingerprint = content.fingerprint
            provenance = FileProvenance("customers", file.object, fingerprint, file.batch_day)
            rows = provenance.put(part.read, records, "0.1", datetime.now(UTC))
            records += rows.height
            got = {
                f"part:{fingerprint}": part.stop,
                f"part-records:{fingerprint}": records,
                f"part-quarantined:{fingerprint}": 0,
            }
            commit = Commit("0.1", file.batch_day, got)
            shop.lake.snapshot(CUSTOMERS.raw).append(rows, commit)
    seen = FileRecord(file, "partial", content.fingerprint, records, quarantined=0)
    upsert_files(shop.lake, [seen], "0.1", datetime.now(UTC))
    assert 0 < shop.records().height == records < 30


@pytest.mark.parametrize("ending", EACH_READER)
@pytest.mark.parametrize("ledger", ["kept", "lost"])
def test_of_a_file_that_version_0_1_has_begun_the_others_are_taken(
    shop: Shop,
    whole: Callable[[str], pl.DataFrame],
    ending: str,
    ledger: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    in_parts(monkeypatch, ending)
    shop.land(f"{NAME}.{ending}", FORMATS[ending])
    half_taken(shop, f"{NAME}.{ending}", 2)
    begun = shop.records().height
    if ledger == "lost":
        shop.lose_the_ledger()
    # Parts of another size begin elsewhere.
    monkeypatch.setattr(files, "PART_BYTES", SMALLEST[ending] * 3 // 2)
    # And another run may die before it has the rest.
    with monkeypatch.context() as patch:
        patch.setattr(Snapshot, "append_staged", lambda *arguments: sys.exit())
        with pytest.raises(SystemExit):
            shop.run()
    taken = shop.run()
    assert (taken.files, taken.repeated, taken.records) == (1, 0, 30 - begun)
    assert_frame_equal(shop.records(), whole(ending))
    assert shop.versions() == 3
    facts = shop.ledger("state", "records", "quarantined", "version")
    bad = whole(ending).filter(_status="quarantined").height
    assert facts[f"{NAME}.{ending}"] == ("taken", 30, bad, 3)
    assert (shop.due(), shop.run().records) == ([], 0)


def test_the_others_of_a_file_that_version_0_1_has_begun_come_under_the_first_name(
    shop: Shop, whole: Callable[[str], pl.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_parts(monkeypatch, "csv")
    path = shop.land(f"{NAME}.csv", FORMATS["csv"])
    half_taken(shop, f"{NAME}.csv", 2)
    path.unlink()
    shop.land("2024-01-09.csv", CSV.encode())
    between(monkeypatch, lambda: shop.run(run_id="another"))
    taken = shop.run()
    assert (taken.files, taken.repeated, taken.records) == (0, 1, 0)
    assert_frame_equal(shop.records(), whole("csv"))
    assert shop.ledger("state")["2024-01-09.csv"] == ("repeated",)
    assert shop.lake.snapshot(CUSTOMERS.raw).as_of == date(2024, 1, 5)


def test_a_file_that_went_away_after_version_0_1_had_begun_it_is_listed_until_it_comes_again(
    shop: Shop, whole: Callable[[str], pl.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_parts(monkeypatch, "csv")
    path = shop.land(f"{NAME}.csv", FORMATS["csv"])
    half_taken(shop, f"{NAME}.csv", 2)
    assert unfinished(shop) == []  # the next run takes the others
    path.unlink()
    shop.run()
    assert unfinished(shop) == [(f"{NAME}.csv", "UNREADABLE")]
    shop.land("again.csv", FORMATS["csv"])
    shop.run()
    assert unfinished(shop) == []
    assert_frame_equal(shop.records(), whole("csv"))


def unfinished(shop: Shop) -> list[tuple[str, str]]:
    rows = refused_in_landing(shop.lake, list_landing(shop.landing, "customers"))
    assert all("records stand in raw: land it again" in text for text in rows["detail"])
    return rows.select("object", "reason").rows()
