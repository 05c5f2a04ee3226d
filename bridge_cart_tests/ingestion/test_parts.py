"""A file read in parts has the records that it has as a whole, wherever a part ends."""

import gzip
import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from bridge_cart_assets.ingestion import csv_records, files, readers, text_decoding
from bridge_cart_assets.ingestion.files import Content, FileRefusedError, open_file, read_file
from bridge_cart_assets.ingestion.landing import LandedFile, list_landing
from bridge_cart_assets.ingestion.readers import Part, is_large, read_parts, read_records
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.sources.customers import CUSTOMERS
from bridge_cart_assets.sources.source import Source
from bridge_cart_tests.faults.bad_files import CORPUS, BadFile

SIZES = (1, 20, 33, 40)
HEADER = "customer_id,name,city,tier"
CSV = (
    f"{HEADER}\n1,Anna,Leeds,gold\n"
    '2,"Berg, ""A""","two\nlines\n\n9,x,y,z",\n3,"open,b,c\n\n4,Zoë,東京,x\n5,"d\ne",f\n'
    '6,"a\nb","c\nd",x\n7,5" nail,6" pipe,x\n8,"last\none",b,c\n9,"never closed,b,c\n10,x'
)
JSON = "".join(
    json.dumps({"customer_id": n, "name": "Zoë 東京", ("city", "tier")[n % 2]: f"{n}"}) + "\n"
    for n in range(12)
)


@pytest.fixture(params=SIZES)
def part_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """So many unpacked bytes are read at a time."""
    monkeypatch.setattr(files, "PART_BYTES", request.param)
    return int(request.param)


def land(root: Path, name: str, data: bytes, source: Source = CUSTOMERS) -> LandedFile:
    folder = root / source.name
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    (folder / name).write_bytes(data)
    [file] = list_landing(root, source.name)
    return file


def parts_of(file: LandedFile, source: Source = CUSTOMERS) -> list[Part]:
    content = read_file(file)
    with open_file(file) as opened:
        return list(read_parts(content, opened, source))


def joined(parts: list[Part]) -> pl.DataFrame:
    frames, before = [], 0
    for part in parts:
        frames.append(part.read.records.with_columns(_pos=pl.col("_pos") + before))
        before += part.read.records.height
    return pl.concat(frames)


def unpacked(name: str, data: bytes) -> bytes:
    return gzip.decompress(data) if name.lower().endswith(".gz") else data


def parquet(frame: pl.DataFrame, row_group_size: int | None = None) -> bytes:
    data = io.BytesIO()
    frame.write_parquet(data, row_group_size=row_group_size)
    return data.getvalue()


FILES: dict[str, tuple[str, bytes]] = {
    "CSV": ("a.csv", CSV.encode()),
    "CSV with CRLF": ("a.csv", CSV.replace("\n", "\r\n").encode()),
    "CSV with CR": ("a.csv", CSV.replace("\n", "\r").encode()),
    "CSV with CR and quoted LF": ("a.csv", b'customer_id,name\r1,"a\nb"\r2,"c"\r3,"d\r\ne"\r'),
    "CSV with a mark": ("a.csv", CSV.encode("utf-8-sig")),
    "CSV in UTF-16, little end first": ("a.csv", CSV.encode("utf-16")),
    "CSV in UTF-16, big end first": ("a.csv", f"\ufeff{CSV}\n".encode("utf-16-be")),
    "CSV in UTF-16 with CRLF": ("a.csv", CSV.replace("\n", "\r\n").encode("utf-16")),
    "UTF-16 with a code that has LF in its bytes": (
        "a.csv",
        "\ufeffcustomer_id,name\n1,Ċ਀ਊ\n2,\u0a0a\n".encode("utf-16-le"),
    ),
    "UTF-16 with LF across two codes, little end first": (
        "a.csv",
        "\ufeffcustomer_id,name\n1,\u0a41Ā\u0a41Ā\n2,\u0a41Ā".encode("utf-16-le"),
    ),
    "UTF-16 with LF across two codes, big end first": (
        "a.csv",
        "\ufeffcustomer_id,name\n1,Ā\u0a41Ā\u0a41\n2,Ā\u0a41".encode("utf-16-be"),
    ),
    "UTF-16 with half a character and an odd byte": (
        "a.csv",
        "\ufeffcustomer_id,name\n1,\U0001f600\n".encode("utf-16-le")
        + b"2\0,\0\x3d\xd8\n\x00"
        + '3,"a\n'.encode("utf-16-le")
        + b"\x3d\xd8\n\0"
        + 'b"\n4,é'.encode("utf-16-le")[:-1],
    ),
    "CSV with Latin-1": ("a.csv", CSV.encode().replace("東京".encode(), b"\xe9\xff")),
    "CSV packed": ("a.csv.gz", gzip.compress(CSV.encode())),
    "CSV packed in two": (
        "a.csv.gz",
        gzip.compress(CSV[:90].encode()) + gzip.compress(CSV[90:].encode()),
    ),
    "a header alone": ("a.csv", HEADER.encode()),
    "a header over two lines": ("a.csv", b'customer_id,"full\nname"\n1,a\n2,b\n'),
    "JSON lines": ("a.ndjson", JSON.encode()),
    "JSON lines in UTF-16": ("a.ndjson", JSON.encode("utf-16")),
    "JSON lines packed": ("a.jsonl.gz", gzip.compress(JSON.encode())),
    "Parquet": (
        "a.parquet",
        parquet(
            pl.DataFrame({"customer_id": range(40), "tier": [None, "x"] * 20}), row_group_size=7
        ),
    ),
    "Parquet without rows": ("a.parquet", parquet(pl.DataFrame({"customer_id": [""]}).head(0))),
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.usefixtures("part_bytes")
def test_the_parts_of_a_file_are_the_whole(tmp_path: Path, kind: str) -> None:
    name, data = FILES[kind]
    file = land(tmp_path, name, data)
    whole = read_records(Content(read_file(file).format, "f", unpacked(name, data)), CUSTOMERS)
    parts = parts_of(file)
    assert_frame_equal(joined(parts), whole.records)
    assert {name for part in parts for name in part.read.unknown} == set(whole.unknown)
    stops = [part.stop for part in parts]
    assert stops == sorted(set(stops))
    assert {stops[-1]} == {part.total for part in parts}


def test_a_small_part_has_few_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PART_BYTES", 64)
    for kind in ("CSV", "JSON lines", "Parquet"):
        assert len(parts_of(land(tmp_path, *FILES[kind]))) > 2


CELL = st.text(st.sampled_from('ab ,"\n\ré'), max_size=6)


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.one_of(CELL, st.tuples(CELL, CELL)), max_size=8),
    st.integers(1, 40),
    st.sampled_from(["utf-8", "utf-16"]),
)
def test_whatever_a_file_says_its_parts_are_the_whole(
    tmp_path: Path, cells: list[str | tuple[str, str]], size: int, encoding: str
) -> None:
    def written(cell: str | tuple[str, str]) -> str:
        if isinstance(cell, str):
            return cell
        return ",".join('"' + value.replace('"', '""') + '"' for value in cell)

    text = "\n".join(["customer_id,name", *map(written, cells)])
    file = land(tmp_path, "a.csv", text.encode(encoding))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "PART_BYTES", size)
        parts = parts_of(file)
    whole = read_records(Content("csv", "f", text.encode(encoding)), CUSTOMERS)
    assert_frame_equal(joined(parts), whole.records)


BAD = [bad for bad in CORPUS if bad.kind == "file" and len(bad.data) < 10_000 and "." in bad.name]
BY_NAME = {source.name: source for source in SOURCES}


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.sentence)
def test_a_bad_file_is_as_bad_in_parts(
    bad: BadFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = BY_NAME[bad.source]
    monkeypatch.setattr(files, "PART_BYTES", 40)

    def outcome(read: Callable[[LandedFile], pl.DataFrame]) -> pl.DataFrame | str:
        try:
            return read(file)
        except FileRefusedError as refusal:
            return refusal.reason

    def whole(file: LandedFile) -> pl.DataFrame:
        kind = read_file(file).format
        return read_records(Content(kind, "f", unpacked(bad.name, bad.data)), source).records

    landed = list(_landed(tmp_path, bad, source))
    for file in landed:
        expected, found = outcome(whole), outcome(lambda file: joined(parts_of(file, source)))
        if isinstance(expected, str) or isinstance(found, str):
            assert (found, expected) == (expected, found)
        else:
            assert_frame_equal(found, expected)


def _landed(root: Path, bad: BadFile, source: Source) -> Iterator[LandedFile]:
    """The file, if its name lets it be there."""
    folder = root / source.name
    folder.mkdir()
    (folder / "bad").with_suffix("".join(Path(bad.name.lower()).suffixes[-2:])).write_bytes(
        bad.data
    )
    yield from list_landing(root, source.name)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
@pytest.mark.parametrize("size", [1, 10, 1000])
def test_a_line_that_is_longer_than_what_is_kept_costs_itself_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, size: int
) -> None:
    for module in (text_decoding, csv_records):
        monkeypatch.setattr(module, "MAX_RECORD_BYTES", 20)
    monkeypatch.setattr(text_decoding, "KEPT_BYTES", 31)
    mark = "\ufeff" if encoding != "utf-8" else ""
    long = ["x" * 31, "y" * 32, "é" * 40, "\U0001f600" * 40, '"' + "q" * 50, "z" * 500]
    text = mark + "customer_id\n" + "".join(f"{line}\n{n}\n" for n, line in enumerate(long))
    data = text.encode(encoding)
    whole = read_records(Content("csv", "f", data), CUSTOMERS).records
    assert whole.filter(pl.col("_status") == "ok")["customer_id"].to_list() == list("012345")
    refused = whole.filter(pl.col("_error_code") == "LINE_TOO_LONG")
    assert refused["_raw"].to_list() == [
        "x" * 31, "y" * 31, "é" * 15, "\U0001f600" * 7, '"' + "q" * 30, "z" * 31
    ]  # fmt: skip
    assert ["first" in text for text in refused["_error"]] == [False, *[True] * 5]
    monkeypatch.setattr(files, "PART_BYTES", size)
    assert_frame_equal(joined(parts_of(land(tmp_path, "a.csv", data))), whole)


def test_a_last_line_that_is_longer_than_what_is_kept_ends_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_decoding, "MAX_RECORD_BYTES", 20)
    monkeypatch.setattr(text_decoding, "KEPT_BYTES", 30)
    monkeypatch.setattr(files, "PART_BYTES", 8)
    [*_, last] = parts_of(land(tmp_path, "a.csv", b"customer_id\n1\n" + b"x" * 100))
    assert last.stop == last.total
    assert last.read.records["_raw"].to_list() == ["x" * 30]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_of_an_endless_line_no_more_is_in_memory_than_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.setattr(text_decoding, "MAX_RECORD_BYTES", 20)
    monkeypatch.setattr(text_decoding, "KEPT_BYTES", 30)
    monkeypatch.setattr(files, "PART_BYTES", 10)
    read, sizes = readers.read_csv, []

    def watched(block: bytes, *more: Any) -> Any:
        sizes.append(len(block))
        return read(block, *more)

    monkeypatch.setattr(readers, "read_csv", watched)
    text = "customer_id\n1\n" + "x" * 5000 + "\u0a41Ā" * 50 + "\n2\n"
    parts = parts_of(land(tmp_path, "a.csv", text.encode(encoding)))
    assert joined(parts)["customer_id"].to_list() == ["1", None, "2"]
    assert max(sizes) < 50


def test_many_short_lines_are_not_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = b"customer_id\n" + b"".join(b"%d\n" % n for n in range(1000))
    whole = read_records(Content("csv", "f", data), CUSTOMERS).records
    monkeypatch.setattr(readers, "PART_RECORDS", 100)
    file = land(tmp_path, "a.csv", data)
    assert is_large(read_file(file))
    parts = parts_of(file)
    assert max(part.read.records.height for part in parts) < 150
    assert_frame_equal(joined(parts), whole)


def test_parquet_of_many_rows_in_few_bytes_is_not_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "PART_RECORDS", 100)
    file = land(tmp_path, "a.parquet", parquet(pl.DataFrame({"customer_id": ["1"] * 1000})))
    assert is_large(read_file(file))
    assert [part.read.records.height for part in parts_of(file)] == [100] * 10


def test_of_a_large_file_only_the_beginning_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = b"customer_id\n" + b"1\n" * 1000
    whole = read_file(land(tmp_path, "a.csv", data))
    assert (whole.data, whole.is_whole) == (data, True)
    monkeypatch.setattr(files, "PART_BYTES", 100)
    monkeypatch.setattr(files, "HEAD_BYTES", 50)
    for name, stored in (("a.csv", data), ("a.csv.gz", gzip.compress(data))):
        content = read_file(land(tmp_path, name, stored))
        assert (content.data, content.size, content.is_whole) == (data[:50], len(data), False)
    assert read_file(land(tmp_path, "a.csv", data)).fingerprint == whole.fingerprint


def test_a_large_parquet_file_is_read_from_what_is_open(tmp_path: Path) -> None:
    file = land(tmp_path, *FILES["Parquet"])
    content = read_file(file)
    with open_file(file) as opened:
        os.unlink(file.path)
        [part] = read_parts(content, opened, CUSTOMERS)
    assert part.read.records.height == 40
