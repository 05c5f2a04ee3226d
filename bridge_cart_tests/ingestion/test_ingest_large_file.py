"""A large file comes in part by part, each record once, whatever happens in between."""

import gzip
import io
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from bridge_cart_assets.ingestion import files, ingest_large_file
from bridge_cart_assets.ingestion.ingest_files import FilesTaken, ingest_files
from bridge_cart_assets.ingestion.landing import LandedFile, list_landing
from bridge_cart_assets.ingestion.ledger import new_files, refused_in_landing, transaction_of
from bridge_cart_assets.lake import delta
from bridge_cart_assets.lake.delta import Commit, CommitConflictError, Lake, Snapshot
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
# Text goes on at a byte and Parquet at a row; the other two are text.
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

    def run(self, **more: Any) -> FilesTaken:
        return ingest_files(self.lake, CUSTOMERS, self.due(), "run", **more)

    def due(self) -> list[LandedFile]:
        return new_files(self.lake, list_landing(self.landing, "customers"))

    def records(self) -> pl.DataFrame:
        raw = self.lake.snapshot(CUSTOMERS.raw).read().sort("_fingerprint", "_pos")
        return raw.drop("_ingested_at", "_batch_id")

    def versions(self) -> int:
        return self.lake.snapshot(CUSTOMERS.raw).version or 0

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
    assert shop.versions() == len(steps) > 3
    assert progress == [(0, 1)] * len(steps) + [(1, 1)]
    assert [done for _, done, _ in steps] == sorted({done for _, done, _ in steps})
    assert steps[-1][1] == steps[-1][2]
    assert shop.due() == []


@pytest.mark.parametrize("ending", EACH_READER)
@pytest.mark.parametrize("at", ["before the commit", "after the commit"])
def test_a_run_that_dies_is_gone_on_with(
    shop: Shop,
    whole: Callable[[str], pl.DataFrame],
    ending: str,
    at: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    in_parts(monkeypatch, ending)
    shop.land(f"{NAME}.{ending}", FORMATS[ending])
    append = Snapshot.append
    runs = 0
    while shop.due():
        calls: list[int] = []

        def dies(
            self: Snapshot, frame: pl.DataFrame, commit: Commit, calls: list[int] = calls
        ) -> int:
            if self.table is not CUSTOMERS.raw:
                return append(self, frame, commit)
            calls.append(1)
            if at == "before the commit" and len(calls) == 2:
                raise SystemExit
            version = append(self, frame, commit)
            if at == "after the commit" and len(calls) == 2:
                raise SystemExit
            return version

        with monkeypatch.context() as patch:
            patch.setattr(Snapshot, "append", dies)
            before = shop.versions()
            try:
                shop.run()
            except SystemExit:
                assert shop.ledger("state")[f"{NAME}.{ending}"] == ("partial",)
        # What is in raw already is not read into it again.
        assert shop.versions() - before == len(calls) - (
            at == "before the commit" and len(calls) == 2
        )
        runs += 1
    assert runs > 2
    assert_frame_equal(shop.records(), whole(ending))
    assert shop.ledger("state", "records")[f"{NAME}.{ending}"] == ("taken", 30)


def between(
    monkeypatch: pytest.MonkeyPatch, times: int, meanwhile: Callable[[], object]
) -> list[int]:
    """Let something happen each time right before a part would be added, some times."""
    append = Snapshot.append
    left = [times]

    def overtaken(self: Snapshot, frame: pl.DataFrame, commit: Commit) -> int:
        if self.table is CUSTOMERS.raw and left[0] > 0 and commit.run_id == "run":
            left[0] -= 1
            meanwhile()
        return append(self, frame, commit)

    monkeypatch.setattr(Snapshot, "append", overtaken)
    return left


@pytest.mark.parametrize("ending", EACH_READER)
def test_two_runs_at_one_large_file_take_each_record_once(
    shop: Shop,
    whole: Callable[[str], pl.DataFrame],
    ending: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    in_parts(monkeypatch, ending)
    shop.land(f"{NAME}.{ending}", FORMATS[ending])
    listed = list_landing(shop.landing, "customers")

    def another_adds_two_parts() -> None:
        def stop(file: LandedFile, done: int, total: int) -> None:
            parts.append(done)
            if len(parts) == 2:
                raise KeyboardInterrupt

        parts: list[int] = []
        with suppress(KeyboardInterrupt):
            ingest_files(shop.lake, CUSTOMERS, listed, "another", within=stop)

    between(monkeypatch, 2, another_adds_two_parts)
    taken = ingest_files(shop.lake, CUSTOMERS, listed, "run")
    assert_frame_equal(shop.records(), whole(ending))
    assert (taken.files, taken.repeated) == (1, 0)
    assert 0 < taken.records < 30
    assert shop.ledger("state", "records")[f"{NAME}.{ending}"] == ("taken", 30)


def test_of_two_runs_the_one_that_finds_the_file_taken_adds_nothing(
    shop: Shop, whole: Callable[[str], pl.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_parts(monkeypatch, "csv")
    shop.land(f"{NAME}.csv", FORMATS["csv"])
    listed = list_landing(shop.landing, "customers")
    between(monkeypatch, 1, lambda: ingest_files(shop.lake, CUSTOMERS, listed, "another"))
    taken = ingest_files(shop.lake, CUSTOMERS, listed, "run")
    assert (taken.records, taken.refused) == (0, [])
    assert_frame_equal(shop.records(), whole("csv"))


def test_a_run_that_is_overtaken_again_and_again_gives_up_and_doubles_nothing(
    shop: Shop, whole: Callable[[str], pl.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_parts(monkeypatch, "csv")
    shop.land(f"{NAME}.csv", FORMATS["csv"])

    def overtaken(*arguments: object) -> int:
        raise CommitConflictError("raw/customers was changed by another run")

    with monkeypatch.context() as patch:
        patch.setattr(Snapshot, "append", overtaken)
        patch.setattr(delta, "RETRY_SECONDS", 0)
        with pytest.raises(CommitConflictError):
            shop.run()
    assert shop.records().height == 0
    shop.run()
    assert_frame_equal(shop.records(), whole("csv"))


def test_parts_of_another_size_go_on_where_the_first_have_stopped(
    shop: Shop, whole: Callable[[str], pl.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.land(f"{NAME}.csv", FORMATS["csv"])
    for size in (50, 33, 120):
        monkeypatch.setattr(files, "PART_BYTES", size)

        def stop(file: LandedFile, done: int, total: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            shop.run(within=stop)
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
    stand = shop.records().height
    assert 0 < stand < 30
    assert (seen.reason, taken.records) == ("UNREADABLE", stand)
    assert seen.detail == (
        f"it changed while it was read: its first {stand} records stand in raw; land it again"
    )
    assert (shop.run().files, shop.due()) == (1, [])
    assert shop.records()["_fingerprint"].n_unique() == 2
    assert shop.records().height == stand + 31


def test_a_file_that_gets_shorter_while_it_is_read_has_changed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_parts(monkeypatch, "csv")
    monkeypatch.setattr(files, "READ_BYTES", 64)
    path = shop.land(f"{NAME}.csv", CSV.encode())
    taken = shop.run(within=lambda *step: os.truncate(path, 100))
    assert "it changed while it was read" in (taken.refused[0].detail or "")


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


def test_what_a_reader_does_not_expect_in_a_later_part_refuses_the_file_and_says_what_stands(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_parts(monkeypatch, "csv")
    read = files.Opened.pieces

    def fails(self: files.Opened, start: int = 0, **more: Any) -> Any:
        if start > 100:
            raise ValueError("never seen before")
        return read(self, start, **more)

    shop.land(f"{NAME}.csv", CSV.encode())
    shop.land("2024-01-06.csv", f"{HEADER}\n1,a,b\n".encode())
    with pytest.raises(KeyboardInterrupt):
        shop.run(within=_interrupt_after(3))
    monkeypatch.setattr(files.Opened, "pieces", fails)
    taken = shop.run()
    [seen] = taken.refused
    assert (seen.reason, taken.files) == ("UNREADABLE", 1)
    assert seen.detail == (
        f"ValueError: never seen before; its first {shop.records().height - 1} records stand in raw"
    )


def _interrupt_after(parts: int) -> Callable[..., None]:
    left = [parts]

    def step(*arguments: object) -> None:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt

    return step


def test_the_same_bytes_under_another_name_go_on_under_the_first(
    shop: Shop, whole: Callable[[str], pl.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_parts(monkeypatch, "csv")
    shop.land(f"{NAME}.csv", CSV.encode())
    with pytest.raises(KeyboardInterrupt):
        shop.run(within=_interrupt_after(2))
    shop.land("2024-01-01.csv", CSV.encode())
    taken = shop.run()
    assert (taken.files, taken.repeated) == (0, 2)
    assert_frame_equal(shop.records(), whole("csv"))
    assert shop.ledger("state") == {"2024-01-01.csv": ("repeated",), f"{NAME}.csv": ("taken",)}


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
    assert not any("stand" in (s.detail or "") for s in taken.refused)


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
    with pytest.raises(KeyboardInterrupt):
        shop.run(within=_interrupt_after(2))
    shop.run()
    assert shop.ledger(*facts) == small.ledger(*facts)
    assert shop.ledger("version")[f"{NAME}.{ending}"] == (shop.versions(),)
    # And it is found again.
    before = shop.ledger(*facts, "version")
    shop.lose_the_ledger()
    taken = shop.run()
    assert (taken.files, taken.repeated, taken.records) == (0, 1, 0)
    assert shop.ledger(*facts, "version") == before


def test_how_far_a_file_has_got_stands_in_the_commits_of_its_rows(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_parts(monkeypatch, "csv")
    shop.land(f"{NAME}.csv", CSV.encode())
    [file] = list_landing(shop.landing, "customers")
    fingerprint = files.read_file(file).fingerprint

    def step(file: LandedFile, done: int, total: int) -> None:
        raw = shop.lake.snapshot(CUSTOMERS.raw)
        assert raw.transaction(f"part:{fingerprint}") == done
        assert raw.transaction(f"part-records:{fingerprint}") == raw.rows
        is_done = raw.transaction(transaction_of(fingerprint)) is not None
        assert is_done == (done == total == len(CSV.encode()))

    assert shop.run(within=step).files == 1


def taken_in_part(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of which a run has taken some parts when it was killed."""
    in_parts(monkeypatch, "csv")
    path = shop.land(f"{NAME}.csv", FORMATS["csv"])
    append = Snapshot.append
    calls: list[int] = []

    def dies(self: Snapshot, frame: pl.DataFrame, commit: Commit) -> int:
        calls.append(self.table is CUSTOMERS.raw)
        if sum(calls) > 2:
            raise SystemExit
        return append(self, frame, commit)

    with monkeypatch.context() as patch, suppress(SystemExit):
        patch.setattr(Snapshot, "append", dies)
        shop.run()
    assert 0 < shop.records().height < 30
    return path


def refusals(shop: Shop) -> list[tuple[str, str]]:
    rows = refused_in_landing(shop.lake, list_landing(shop.landing, "customers"))
    assert all("records stand in raw: land it again" in text for text in rows["detail"])
    return rows.select("object", "reason").rows()


@pytest.mark.parametrize("then", ["gone", "other bytes", "refused"])
def test_a_file_that_goes_away_half_taken_is_reported_until_the_rest_has_come(
    shop: Shop,
    whole: Callable[[str], pl.DataFrame],
    then: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = taken_in_part(shop, monkeypatch)
    assert refusals(shop) == []  # the next run goes on
    path.unlink()
    if then != "gone":
        shop.land(f"{NAME}.csv", b"customer_id\n99\n" if then == "other bytes" else b"no\n1\n")
    taken = shop.run()
    assert taken.files == (then == "other bytes")
    shown = dict(refusals(shop)) if then != "refused" else {}
    if then == "gone":
        assert shown == {f"{NAME}.csv": "UNREADABLE"}
    elif then == "other bytes":
        assert [(name[: len(NAME) + 12], why) for name, why in shown.items()] == [
            (f"{NAME}.csv (bytes ", "UNREADABLE")
        ]
    else:
        listed = list_landing(shop.landing, "customers")
        assert sorted(refused_in_landing(shop.lake, listed)["reason"]) == [
            "HEADER_MISMATCH",
            "UNREADABLE",
        ]
    shop.land("again.csv", FORMATS["csv"])
    shop.run()
    rows = refused_in_landing(shop.lake, list_landing(shop.landing, "customers"))
    assert rows["reason"].to_list() == (["HEADER_MISMATCH"] if then == "refused" else [])
    [fingerprint] = whole("csv")["_fingerprint"].unique()
    assert shop.records().filter(_fingerprint=fingerprint).height == 30
