"""Bad files: every record is accounted for, with a reason and its bytes, and no other file suffers.

Each file of the corpus lies in a batch day of its own, beside a good one: so accounting tells
them apart, and most of them are taken in together, into one lake.
"""

import csv
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from bridge_cart_assets.ingestion import files
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.chain import refresh_silver
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.ops import FILES
from bridge_cart_assets.tables.silver import IDENTITIES, INTERNAL, TABLES
from bridge_cart_assets.tables.table import Table
from bridge_cart_tests.faults.bad_files import (
    COMPARED,
    CORPUS,
    HEADER,
    NOT_THERE_YET,
    ORDERS,
    RETAIL,
    UNPACKED_LIMIT,
    BadFile,
    Record,
)

FIRST_DAY = date(2024, 1, 1)
DAYS = {bad.sentence: FIRST_DAY + timedelta(days=n) for n, bad in enumerate(CORPUS)}
# What lies beside every bad file. The first record is as awkward as a good one can be.
NEIGHBOURS = {
    "customers": HEADER + b'N1-%b,"a ""b"",\nc",d\nN2-%b,e,f\n',
    "purchases": ORDERS + b'"N1-%b",C1,2024-01-01,"12,50",1\nN2-%b,C2,2024-01-01,3,2\n',
    "online_retail": RETAIL + b'N1-%b,A,"a\nb",1,2010-12-01 08:26:00,2.55,17850,France\n'
    b"N2-%b,B,c,2,2010-12-01 08:26:00,1,17850,France\n",
}
ALL: Sequence[Table] = (*(source.raw for source in SOURCES), *TABLES, *INTERNAL, FILES)
SILVER = {source.name: source.feeds for source in SOURCES}


def object_of(bad: BadFile) -> str:
    """The file's name as the lake spells it."""
    name = bad.name.replace("\\", "\\\\")
    return os.fsencode(f"{DAYS[bad.sentence]}/{name}").decode(errors="backslashreplace")


def land(landing: Path, bad: BadFile) -> None:
    """Put a bad file down, and a good one beside it."""
    folder = landing / bad.source / str(DAYS[bad.sentence])
    path = folder / bad.name
    path.parent.mkdir(parents=True)
    day = str(DAYS[bad.sentence]).encode()
    (folder / "neighbour.csv").write_bytes(NEIGHBOURS[bad.source].replace(b"%b", day))
    if bad.kind == "file":
        path.write_bytes(bad.data)
    elif bad.kind == "folder":
        path.mkdir()
    elif bad.kind == "pipe":
        os.mkfifo(path)
    else:
        elsewhere = landing.parent / "elsewhere"
        elsewhere.mkdir(exist_ok=True)
        (elsewhere / "bad.csv").write_bytes(bad.data)
        path.symlink_to(elsewhere if bad.kind == "folder link" else elsewhere / "bad.csv")


class Shop:
    """A lake that has taken in some bad files, read once."""

    def __init__(self, root: Path, corpus: Iterable[BadFile]) -> None:
        self.landing = root / "landing"
        self.lake = Lake(str(root / "lake"))
        for bad in corpus:
            land(self.landing, bad)
        self.run()

    def run(self) -> None:
        refresh_silver(self.lake, self.landing)

    def state(self) -> dict[str, tuple[int | None, pl.DataFrame]]:
        """Version and rows of every table."""
        looks = [self.lake.snapshot(table) for table in ALL]
        return {s.table.path: (s.version, s.read().sort(s.table.key)) for s in looks}

    @cached_property
    def tables(self) -> dict[str, dict[tuple[str, date], list[dict[str, Any]]]]:
        """The rows of every table by source and batch day."""
        found: dict[str, dict[tuple[str, date], list[dict[str, Any]]]] = {}
        for path, (_, rows) in self.state().items():
            if path == IDENTITIES.path:
                # A person is of no source and no day.
                continue
            mark = "_" if path.startswith("raw/") else ""
            days = rows.partition_by(f"{mark}source", f"{mark}batch_day", as_dict=True)
            found[path] = {day: part.to_dicts() for day, part in days.items()}
        return found

    def rows(self, path: str, bad: BadFile) -> list[dict[str, Any]]:
        """The rows of the file's day, that is its own and those of the good file beside it."""
        return self.tables[path].get((bad.source, DAYS[bad.sentence]), [])

    def raw(self, bad: BadFile, name: str | None = None) -> list[dict[str, Any]]:
        wanted = name or object_of(bad)
        rows = [row for row in self.rows(f"raw/{bad.source}", bad) if row["_object"] == wanted]
        return sorted(rows, key=lambda row: row["_pos"])


@contextmanager
def fresh_process() -> Iterator[None]:
    """What a process begins with, and a limit that a test can reach."""
    limit = csv.field_size_limit(128 * 1024)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "HARMLESS_BYTES", UNPACKED_LIMIT)
        yield
    csv.field_size_limit(limit)


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """All the files but those that would stop the others."""
    with fresh_process():
        return Shop(tmp_path_factory.mktemp("together"), (b for b in CORPUS if not b.alone))


def test_the_corpus_has_at_least_60_files_and_no_two_are_alike() -> None:
    assert len(CORPUS) >= 60
    assert len({bad.sentence for bad in CORPUS}) == len(CORPUS)
    taken = [(bad.source, bad.data) for bad in CORPUS if isinstance(bad.expected, list)]
    assert len(set(taken)) == len(taken)


@pytest.mark.slow
@pytest.mark.parametrize("bad", CORPUS, ids=lambda bad: bad.sentence)
def test_nothing_of_a_bad_file_and_of_the_good_one_beside_it_is_lost(
    bad: BadFile, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if bad.alone:
        with fresh_process():
            shop = Shop(tmp_path, [bad])
        changes_nothing_when_run_again(shop)
    else:
        shop = request.getfixturevalue("together")
    is_known_as_it_should_be(shop, bad)
    has_its_records(shop, bad)
    is_accounted_for(shop, bad)
    leaves_the_good_file_whole(shop, bad)


def is_known_as_it_should_be(shop: Shop, bad: BadFile) -> None:
    """The ledger has the file, with what became of it."""
    rows = {row["object"]: row for row in shop.rows("ops/files", bad)}
    row = rows.pop(object_of(bad), None)
    assert list(rows) == [f"{DAYS[bad.sentence]}/neighbour.csv"]
    if bad.expected == NOT_THERE_YET:
        assert row is None
        return
    assert row is not None
    known = (row["state"], row["reason"], row["records"])
    if isinstance(bad.expected, str):
        assert known == ("refused", bad.expected, None)
        assert row["detail"]
    else:
        assert known == ("taken", None, len(bad.expected))


def records_of(bad: BadFile) -> list[Record]:
    return bad.expected if isinstance(bad.expected, list) else []


def has_its_records(shop: Shop, bad: BadFile) -> None:
    """Raw has each of the file's records in its place, as it was written."""
    found = shop.raw(bad)
    assert [row["_pos"] for row in found] == list(range(1, len(records_of(bad)) + 1))
    for row, wanted in zip(found, records_of(bad), strict=True):
        if wanted.verdict == "blank":
            assert row["_status"] == "blank"
        elif wanted.values is None:
            assert (row["_status"], row["_error_code"]) == ("quarantined", wanted.verdict)
            assert row["_error"]
            has_the_bytes(row["_raw"], wanted)
        else:
            assert (row["_status"], row["_error_code"]) == ("ok", None)
            assert tuple(row[name] for name in COMPARED[bad.source]) == wanted.values
            if wanted.rescued is not None:
                # A name that only other records of the file have may stand there as null.
                rescued = json.loads(row["_rescued"])
                assert {n: v for n, v in rescued.items() if v is not None} == wanted.rescued


def has_the_bytes(text: str | None, wanted: Record) -> None:
    """The bytes of an unreadable record can be recovered from its text in raw."""
    assert text is not None
    data = text.encode("latin-1" if wanted.verdict == "BAD_ENCODING" else "utf-8")
    if wanted.raw is not None:
        assert data == wanted.raw


def is_accounted_for(shop: Shop, bad: BadFile) -> None:
    """Every record is counted once, and stands in exactly one of silver's tables."""
    records = records_of(bad)
    verdicts = Counter(record.verdict for record in records)
    fine, blank = verdicts.pop("ok", 0), verdicts.pop("blank", 0)
    [row] = shop.rows("silver/accounting", bad)
    counts = {name: row[name] for name in ("records", "blank", "quarantined")}
    # The two records of the good file are counted on the same day.
    assert counts == {
        "records": len(records) + 2,
        "blank": blank,
        "quarantined": verdicts.total(),
    }
    assert row["accepted"] + row["duplicate"] + row["superseded"] == fine + 2

    fates = {
        "quarantined": places(shop, "silver/quarantine", bad),
        "accepted": places(shop, SILVER[bad.source].path, bad),
        "repeated": places(shop, f"{SILVER[bad.source].path[:-1]}_repeats", bad),
    }
    refused = [n for n, r in enumerate(records, start=1) if r.verdict not in ("ok", "blank")]
    taken = [n for n, r in enumerate(records, start=1) if r.verdict == "ok"]
    assert fates["quarantined"] == refused
    assert sorted(fates["accepted"] + fates["repeated"]) == taken
    for row in of_file(shop.rows("silver/quarantine", bad), bad):
        wanted = records[row["pos"] - 1]
        assert row["reason"] == wanted.verdict
        if wanted.values is None:
            has_the_bytes(row["raw"], wanted)
        else:
            received = json.loads(row["raw"])
            assert tuple(received.get(n) for n in COMPARED[bad.source]) == wanted.values


def of_file(rows: Iterable[dict[str, Any]], bad: BadFile) -> list[dict[str, Any]]:
    return [row for row in rows if row["object"] == object_of(bad)]


def places(shop: Shop, path: str, bad: BadFile) -> list[int]:
    return sorted(row["pos"] for row in of_file(shop.rows(path, bad), bad))


def leaves_the_good_file_whole(shop: Shop, bad: BadFile) -> None:
    name = f"{DAYS[bad.sentence]}/neighbour.csv"
    assert [row["_status"] for row in shop.raw(bad, name)] == ["ok", "ok"]
    standing = [row for row in shop.rows(SILVER[bad.source].path, bad) if row["object"] == name]
    ids = {row["customer_id" if bad.source == "customers" else "order_id"] for row in standing}
    assert ids == {f"N1-{DAYS[bad.sentence]}", f"N2-{DAYS[bad.sentence]}"}
    assert len(standing) == 2


def test_running_again_changes_nothing(together: Shop) -> None:
    changes_nothing_when_run_again(together)


def changes_nothing_when_run_again(shop: Shop) -> None:
    before = shop.state()
    with fresh_process():
        shop.run()
    for path, (version, rows) in shop.state().items():
        assert version == before[path][0], path
        assert rows.equals(before[path][1]), path


@pytest.mark.slow
def test_bad_files_under_other_names_add_nothing(tmp_path: Path) -> None:
    small = [b for b in CORPUS if not b.alone and b.kind == "file" and len(b.data) < 1_000_000]
    with fresh_process():
        shop = Shop(tmp_path, small)
        before = shop.state()
        for source in shop.landing.iterdir():
            source.rename(source.with_name(f"{source.name}.away"))
            (shop.landing / source.name).mkdir()
            os.rename(f"{source}.away", source / "again")
        shop.run()
    after = shop.state()
    for table in ALL:
        if table is not FILES:
            assert after[table.path][1].equals(before[table.path][1]), table.path
    states = after[FILES.path][1].filter(pl.col("object").str.starts_with("again/"))["state"]
    assert set(states) == {"repeated", "refused"}


def test_json_nested_at_every_depth_about_the_limit_stops_nothing(tmp_path: Path) -> None:
    depths = range(100, 1100)
    lines = [f'{{"customer_id": "{n}", "name": {"[" * n}{"]" * n}}}\n' for n in depths]
    folder = tmp_path / "landing" / "customers"
    folder.mkdir(parents=True)
    (folder / f"{FIRST_DAY}.ndjson").write_text("".join(lines))
    lake = Lake(str(tmp_path / "lake"))
    refresh_silver(lake, tmp_path / "landing")
    raw = lake.snapshot(SOURCES[0].raw).read()
    assert raw.height == len(depths)
    assert set(raw["_error_code"]) <= {None, "MALFORMED"}
    assert set(raw.filter(pl.col("_status") == "quarantined")["_raw"]) <= {s[:-1] for s in lines}


def test_a_name_that_is_no_text_and_one_that_is_spelt_like_it_are_two_files(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "landing" / "customers" / str(FIRST_DAY)
    folder.mkdir(parents=True)
    lake = Lake(str(tmp_path / "lake"))
    for first, second in (("1", "2"), ("3", "4")):
        (folder / "\udcff.csv").write_text(f"customer_id\n{first}\n")
        (folder / "\\xff.csv").write_text(f"customer_id\n{second}\n")
        refresh_silver(lake, tmp_path / "landing")
    assert sorted(lake.snapshot(SOURCES[0].raw).read()["customer_id"]) == ["1", "2", "3", "4"]
    assert not lake.snapshot(FILES).read().select(FILES.key).is_duplicated().any()
