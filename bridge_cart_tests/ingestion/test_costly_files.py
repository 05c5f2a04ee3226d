"""What a small file can cost is bounded by what it declares, else by what is found in it."""

import gzip
import io
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bridge_cart_assets.ingestion import parquet_footer, readers, workbooks
from bridge_cart_assets.ingestion.files import Content, FileRefusedError
from bridge_cart_assets.ingestion.ingest_files import FilesTaken, ingest_files
from bridge_cart_assets.ingestion.landing import list_landing
from bridge_cart_assets.ingestion.readers import read_records
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.sources import SOURCES
from bridge_cart_tests.ingestion.workbook_files import workbook

PURCHASES = next(source for source in SOURCES if source.name == "purchases")
HEADER = ["order_id", "purchase_date", "purchase_amount"]
LINE = dict(zip(HEADER, ("O1", "2024-01-01", "1"), strict=True))

Take = Callable[[str, bytes], FilesTaken]


@pytest.fixture
def take(tmp_path: Path) -> Take:
    """Land one file and take it in."""

    def taken(name: str, data: bytes) -> FilesTaken:
        folder = tmp_path / "landing" / "purchases"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
        files = list_landing(tmp_path / "landing", "purchases")
        return ingest_files(Lake(str(tmp_path / "lake")), PURCHASES, files, "run")

    return taken


def parquet(rows: int, **more: pa.Array) -> bytes:
    columns = {name: pa.array([value] * rows) for name, value in LINE.items()}
    file = io.BytesIO()
    pq.write_table(pa.table(columns | more), file, compression="zstd", row_group_size=10**9)
    return file.getvalue()


def refused_as_too_large(taken: FilesTaken) -> str:
    [seen] = taken.refused
    assert seen.reason == "TOO_LARGE", seen
    return seen.detail or ""


def test_one_long_text_for_all_rows_of_parquet(take: Take) -> None:
    """A kilobyte that was eight gigabytes as texts."""
    long = pa.DictionaryArray.from_arrays(pa.array([0] * 8000, pa.int32()), ["a" * 1_000_000])
    data = parquet(8000, note=long)
    assert len(data) < 2000
    assert "unpacks to more" in refused_as_too_large(take("a.parquet", data))


def test_one_long_text_within_the_lists_of_parquet(take: Take) -> None:
    long = pa.array([["a" * 100_000] * 1000], pa.list_(pa.string()))
    assert "unpacks to more" in refused_as_too_large(take("a.parquet", parquet(1, note=long)))


def test_pages_of_zeros_are_not_unpacked(take: Take) -> None:
    file = io.BytesIO()
    note = pa.array(["a" * 1_000_000] * 80)
    table = pa.table({name: pa.array([value] * 80) for name, value in LINE.items()} | {"n": note})
    pq.write_table(table, file, compression="zstd", use_dictionary=False)
    assert "unpacks to more" in refused_as_too_large(take("a.parquet", file.getvalue()))


def test_more_rows_than_bytes(take: Take) -> None:
    detail = refused_as_too_large(take("a.parquet", parquet(1_200_000)))
    assert "1,200,000 records" in detail


def test_one_row_of_many_nested_values(take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_footer, "MAX_NESTED_BYTES", 10 * 1024**2)
    data = parquet(1, numbers=pa.array([[0] * 1_000_000], pa.list_(pa.int64())))
    assert "nested" in refused_as_too_large(take("a.parquet", data))


def test_a_dictionary_that_is_small_is_read_as_before(take: Take) -> None:
    """Many rows, long texts, and together less than what is harmless."""
    notes = pa.array(["a" * 500, "b" * 400] * 20_000).dictionary_encode()
    taken = take("a.parquet", parquet(40_000, note=notes))
    assert (taken.records, taken.refused) == (40_000, [])


def test_texts_of_a_dictionary_come_in_parts(take: Take, tmp_path: Path) -> None:
    """More than is in hand at a time, each record once and in its order."""
    notes = pa.array([f"{n:05}" + "x" * 2000 for n in range(20_000)])
    taken = take("a.parquet", parquet(20_000, note=notes))
    assert taken.records == 20_000
    rows = Lake(str(tmp_path / "lake")).snapshot(PURCHASES.raw).read().sort("_pos")
    assert rows["_pos"].to_list() == list(range(1, 20_001))
    numbers = rows["_rescued"].str.extract(r"(\d{5})x").cast(pl.Int64)
    assert numbers.to_list() == list(range(20_000))


@pytest.mark.parametrize("header", ["", ",".join(HEADER)], ids=["only commas", "names first"])
def test_a_header_of_commas(take: Take, header: str) -> None:
    """900 kB that ran for minutes."""
    began = time.process_time()
    detail = refused_as_too_large(take("a.csv", f"{header}{',' * 900_000}\nO1\n".encode()))
    assert "columns" in detail
    assert time.process_time() - began < 5


def test_the_widest_header_that_is_read_takes_no_time(take: Take) -> None:
    names = [*HEADER, *(f"c{n}" for n in range(16_000))]
    line = ",".join(["O1", "2024-01-01", "1", *([""] * 16_000)])
    began = time.process_time()
    assert take("a.csv", f"{','.join(names)}\n{line}\n".encode()).records == 1
    assert time.process_time() - began < 5


def test_gzipped_commas(take: Take) -> None:
    """Four kilobytes that are more than a million records."""
    data = gzip.compress(f"{','.join(HEADER)}\n".encode() + b",,\n" * 1_300_000)
    assert len(data) < 10_000
    assert "records or more" in refused_as_too_large(take("a.csv.gz", data))


def test_a_million_plain_lines_are_not_too_many(
    take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge_cart_assets.ingestion.files.HARMLESS_RECORDS", 10)
    lines = "".join(f"O{n},2024-01-01,1\n" for n in range(100))
    assert take("a.csv", f"{','.join(HEADER)}\n{lines}".encode()).records == 100


def test_a_quote_in_every_line_costs_what_lines_cost() -> None:
    """It took a millisecond a line, and columns were looked up line by line."""

    def seconds(lines: int) -> float:
        data = f"{','.join(HEADER)}\n".encode() + b'"a\n' * lines
        began = time.process_time()
        assert read_records(Content("csv", "f", data), PURCHASES).records.height == lines
        return time.process_time() - began

    seconds(100)
    assert seconds(40_000) < 4


def test_json_nested_a_million_deep(take: Take) -> None:
    deep = b'{"order_id":' + b"[" * 1_000_000
    good = b'{"order_id":"1","purchase_date":"2024-01-01","purchase_amount":"1"}'
    taken = take("a.ndjson", deep + b"\n" + good + b"\n")
    assert (taken.records, taken.refused) == (2, [])
    [seen] = take("a.json", b'[{"order_id":' + b'{"a":' * 1_000_000).refused
    assert seen.reason == "UNREADABLE"


def test_one_huge_value_of_json(take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its smallest parts take thirty times as much in memory."""
    monkeypatch.setattr(readers, "MAX_VALUE_BYTES", 1024**2)
    monkeypatch.setattr("bridge_cart_assets.ingestion.files.PART_BYTES", 1024**2)
    data = b'[{"order_id":[' + b"[]," * 3_000_000 + b"[]]}]"
    assert "one value" in refused_as_too_large(take("a.json", data))


def sheet_with(**parts: str) -> bytes:
    """A workbook with some of its parts replaced."""
    plain = workbook({"Orders": [HEADER, list(LINE.values())]})
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(plain)) as old, zipfile.ZipFile(file, "w", 8) as new:
        for name in old.namelist():
            text = old.read(name).decode()
            for found, instead in parts.items():
                text = text.replace(found, instead)
            new.writestr(name, text)
    return file.getvalue()


def test_a_stray_cell_in_the_last_row_and_column(take: Take) -> None:
    stray = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    data = sheet_with(**{"</sheetData>": stray})
    assert "row 1,048,576 and column 16,384" in refused_as_too_large(take("a.xlsx", data))


def test_one_long_text_that_many_cells_share(take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbooks, "MAX_SHARED_BYTES", 10 * 1024**2)
    cells = '<row><c t="s"><v>0</v></c></row>' * 500
    shared = f"<sst><si><t>{'a' * 30_000}</t></si><si><t>b</t></si></sst>"
    data = io.BytesIO(sheet_with(**{"</sheetData>": f"{cells}</sheetData>"}))
    with zipfile.ZipFile(data, "a", 8) as archive:
        archive.writestr("xl/sharedStrings.xml", shared)
    assert "texts of its cells" in refused_as_too_large(take("a.xlsx", data.getvalue()))
    few = io.BytesIO(sheet_with(**{"</sheetData>": cells.replace(">0<", ">1<") + "</sheetData>"}))
    with zipfile.ZipFile(few, "a", 8) as archive:
        archive.writestr("xl/sharedStrings.xml", shared)
    assert not [s for s in take("b.xlsx", few.getvalue()).refused if s.file.object == "b.xlsx"]


def test_a_workbook_of_zeros(take: Take) -> None:
    data = sheet_with(**{"</sheetData>": f"</sheetData>{' ' * 80_000_000}"})
    assert "unpacks to more" in refused_as_too_large(take("a.xlsx", data))


def test_a_footer_that_is_none(take: Take) -> None:
    whole = parquet(3)
    for cut in (10, 40, 100):
        broken = whole[:-cut] + bytes(cut - 4) + b"PAR1"
        [seen] = take("a.parquet", broken).refused
        assert seen.reason == "UNREADABLE"


def test_declared_sizes_are_those_of_the_footer() -> None:
    declared = parquet_footer.declared_size(parquet(5, list=pa.array([[1, 2]] * 5)))
    assert (declared.rows, declared.columns, declared.nested) == (5, 4, 160)
    with pytest.raises(FileRefusedError):
        parquet_footer.declared_size(b"PAR1 nothing PAR1")
