"""An array of objects is its objects, however it is laid out and wherever a part ends."""

import gzip
import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from bridge_cart_assets.ingestion import files, readers, text_decoding
from bridge_cart_assets.ingestion.files import Content, FileRefusedError, open_file, read_file
from bridge_cart_assets.ingestion.landing import list_landing
from bridge_cart_assets.ingestion.readers import is_large, read_parts, read_records
from bridge_cart_assets.sources.customers import CUSTOMERS

PEOPLE = [
    {"customer_id": f"{n}", "name": 'Zoë "東京" [x], {y}', "n": n / 4, "city": None}
    for n in range(7)
]
LINES = [json.dumps(person, ensure_ascii=False) for person in PEOPLE]


def read(data: bytes | str, format: str = "json") -> pl.DataFrame:
    data = data.encode() if isinstance(data, str) else data
    return read_records(Content(format, "f", data), CUSTOMERS).records


def in_parts(root: Path, name: str, data: bytes) -> pl.DataFrame:
    folder = root / "customers"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    (folder / name).write_bytes(data)
    [file] = list_landing(root, "customers")
    content = read_file(file)
    with open_file(file) as opened:
        parts = list(read_parts(content, opened, CUSTOMERS))
    assert parts[-1].stop == parts[-1].total
    frames, before = [], 0
    for part in parts:
        frames.append(part.read.records.with_columns(_pos=pl.col("_pos") + before))
        before += part.read.records.height
    return pl.concat(frames)


LAYOUTS = {
    "an array on a line": json.dumps(PEOPLE, ensure_ascii=False),
    "an array over lines": json.dumps(PEOPLE, ensure_ascii=False, indent=2) + "\n",
    "an array with an object on each line": "[\n" + ",\n".join(LINES) + "\n]\n",
    "arrays behind each other": f"[{','.join(LINES[:3])}]\n[]\n[{','.join(LINES[3:])}]\n",
    "objects over lines": "\n".join(json.dumps(p, ensure_ascii=False, indent=1) for p in PEOPLE),
    "objects on lines": "\n".join(LINES) + "\n",
}


@pytest.mark.parametrize("format", ["json", "ndjson"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_has_the_same_records(layout: str, format: str) -> None:
    assert_frame_equal(read(LAYOUTS[layout], format), read("\n".join(LINES), "ndjson"))


@pytest.mark.parametrize("size", [7, 150])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_parts_of_a_file_are_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str, encoding: str, size: int
) -> None:
    data = LAYOUTS[layout].encode(encoding)
    whole = read(data)
    for name in ("PART_BYTES", "READ_BYTES", "READ_PACKED_BYTES"):
        monkeypatch.setattr(files, name, size)
    assert_frame_equal(in_parts(tmp_path, "a.json", data), whole)
    monkeypatch.setattr(readers, "PART_RECORDS", 2)
    assert_frame_equal(in_parts(tmp_path, "a.json.gz", gzip.compress(data)), whole)


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('a"\\,[]{}é\n', max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(VALUE, min_size=1, max_size=5), st.integers(1, 40), st.sampled_from([None, 0, 3]))
def test_whatever_the_objects_say_the_parts_are_the_whole(
    tmp_path: Path, values: list[object], size: int, indent: int | None
) -> None:
    objects = [{"customer_id": "1", "name": value} for value in values]
    data = json.dumps(objects, indent=indent).encode()
    expected = read("\n".join(map(json.dumps, objects)), "ndjson")
    assert_frame_equal(read(data), expected)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "PART_BYTES", size)
        patch.setattr(files, "READ_BYTES", size)
        assert_frame_equal(in_parts(tmp_path, "a.json", data), expected)


@pytest.mark.parametrize("size", range(1, 12))
def test_a_number_may_be_cut_by_the_end_of_a_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(files, "PART_BYTES", size)
    monkeypatch.setattr(files, "READ_BYTES", size)
    frame = in_parts(
        tmp_path, "a.json", b'[{"customer_id": "0"}, 12345, true, -6.25e3, {"customer_id": "1"}]'
    )
    assert frame["_raw"].to_list() == [None, "12345", "true", "-6.25e3", None]


def test_numbers_keep_their_spelling() -> None:
    frame = read('[{"customer_id": 98765432109876543210, "income": 12.50}]')
    assert frame.select("customer_id", "income").rows() == [("98765432109876543210", "12.50")]


def test_a_value_that_is_no_record_costs_itself_only() -> None:
    data = b'[{"customer_id": "1"}, 2, "x", [3], {"customer_id": "\xe9"}, {"customer_id": "5"}]'
    frame = read(data)
    assert frame["_error_code"].to_list() == [
        None,
        "MALFORMED",
        "MALFORMED",
        "MALFORMED",
        "BAD_ENCODING",
        None,
    ]
    assert frame["_raw"].to_list()[1:5] == ["2", '"x"', "[3]", '{"customer_id": "é"}']


@pytest.mark.parametrize("size", [None, 1, 7])
@pytest.mark.parametrize(
    ("data", "reason", "words"),
    [
        ('[{"customer_id": "1"}', "TRUNCATED", "not closed"),
        ('[{"customer_id": "1"}, {"customer_id": "2', "TRUNCATED", "within a value"),
        ('[{"customer_id": "1"},', "TRUNCATED", "not closed"),
        ('[{"customer_id": "1"} {"customer_id": "2"}]', "UNREADABLE", "at byte 23: ','"),
        ('[{"customer_id": "1"}, ]                              ', "UNREADABLE", "at byte 24"),
        ('[{"customer_id": "1"}] x                              ', "UNREADABLE", "at byte 24"),
        ("customer_id,name\n1,a\n", "UNREADABLE", "delimited text"),
        ("hello\n", "UNREADABLE", "no object and no array"),
        ('{"name": "a"}', "HEADER_MISMATCH", "customer_id; it has name"),
        ('{"orders": [{"customer_id": "1"}]}', "HEADER_MISMATCH", "it has orders"),
    ],
)
def test_what_is_no_whole_json_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    data: str,
    reason: str,
    words: str,
    size: int | None,
) -> None:
    def taken() -> pl.DataFrame:
        return read(data) if size is None else in_parts(tmp_path, "a.json", data.encode())

    for name in ("PART_BYTES", "READ_BYTES"):
        monkeypatch.setattr(files, name, size or getattr(files, name))
    with pytest.raises(FileRefusedError) as refusal:
        taken()
    assert refusal.value.reason == reason
    assert words in str(refusal.value)


@pytest.mark.parametrize("data", ["", " \n", "[]", "[ ]\n"])
def test_json_of_nothing_has_no_records(tmp_path: Path, data: str) -> None:
    ok = pl.col("_status") != "blank"
    assert read(data).filter(ok).height == 0
    assert in_parts(tmp_path, "a.json", data.encode()).filter(ok).height == 0


def test_a_value_larger_than_what_is_kept_is_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_decoding, "KEPT_BYTES", 40)
    monkeypatch.setattr(files, "PART_BYTES", 16)
    monkeypatch.setattr(files, "READ_BYTES", 8)
    fits = json.dumps([{"customer_id": "1"}] * 20).encode()
    assert in_parts(tmp_path, "a.json", fits).height == 20
    with pytest.raises(FileRefusedError) as refusal:
        in_parts(tmp_path, "a.json", fits[:-1] + b', {"customer_id": "' + b"x" * 90 + b'"}]')
    assert refusal.value.reason == "TOO_LARGE"


def test_many_small_objects_on_a_line_are_a_large_file(monkeypatch: pytest.MonkeyPatch) -> None:
    data = json.dumps([{"customer_id": "1"}] * 50).encode()
    assert not is_large(Content("json", "f", data))
    monkeypatch.setattr(readers, "PART_RECORDS", 40)
    assert is_large(Content("json", "f", data))
