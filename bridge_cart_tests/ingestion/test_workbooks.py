"""Every row of every sheet with a header is a record; every cell is the text that it shows."""

import io
import json
import zipfile
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from bridge_cart_assets.ingestion import files, readers, workbooks
from bridge_cart_assets.ingestion.files import Content, FileRefusedError, open_file, read_file
from bridge_cart_assets.ingestion.landing import list_landing
from bridge_cart_assets.ingestion.readers import is_large, read_parts, read_records
from bridge_cart_assets.sources.customers import CUSTOMERS
from bridge_cart_tests.ingestion.workbook_files import Cell, workbook

HEADER = ("customer_id", "name", "city")
SHEETS: dict[str, list[tuple[Cell, ...]]] = {
    "Notes": [("Customers of February",), ("printed by Anna",)],
    "January": [("Shop:", "Example"), (), HEADER, ("1", "Anna", "Leeds"), (), ("2", "Bea", None)],
    "Empty": [],
    "February": [("Customer ID", "Tier", "NAME"), ("3", "gold", "Cy"), ("4", None, "Dee")],
}


def read(data: bytes) -> pl.DataFrame:
    return read_records(Content("xlsx", "f", data), CUSTOMERS).records


def refusal(data: bytes) -> tuple[str, str]:
    with pytest.raises(FileRefusedError) as error:
        read(data)
    return error.value.reason, str(error.value)


def test_the_records_of_all_sheets_with_a_header_are_numbered_one_behind_the_other() -> None:
    frame = read(workbook(SHEETS))
    assert frame.select("_pos", "_status", "customer_id", "name", "city").rows() == [
        (1, "ok", "1", "Anna", "Leeds"),
        (2, "blank", None, None, None),
        (3, "ok", "2", "Bea", None),
        (4, "ok", "3", "Cy", None),
        (5, "ok", "4", "Dee", None),
    ]
    assert [row and json.loads(row) for row in frame["_rescued"]] == [
        None,
        None,
        None,
        {"Tier": "gold"},
        None,
    ]


def test_its_columns_are_those_of_all_sheets() -> None:
    found = read_records(Content("xlsx", "f", workbook(SHEETS)), CUSTOMERS)
    assert found.unknown == ["Tier"]
    assert not {"customer_id", "name", "city"} & set(found.missing)
    assert "email" in found.missing


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (12345, "12345"),
        (12345.0, "12345"),
        (5012345678901.0, "5012345678901"),
        (b"><v>5.012345678901E12</v>", "5012345678901"),
        (b"><v>19.989999999999998</v>", "19.99"),
        (b"><v>0.30000000000000004</v>", "0.3"),
        (b"><v>1E-2</v>", "0.01"),
        (-5.5, "-5.5"),
        ("00123", "00123"),
        ("  a ", "  a "),
        ("1.250,50", "1.250,50"),
        ('t="e" <v>', 't="e" <v>'),
        ((45323.4375, "dd/mm/yyyy hh:mm"), "2024-02-01 10:30:00"),
        ((45323, "yyyy-mm-dd"), "2024-02-01 00:00:00"),
        ((0.4375, "h:mm"), "10:30:00"),
        (b't="b"><v>1</v>', "true"),
        (b't="str"><f>A1</f><v>x</v>', "x"),
        (b"><f>A1*2</f><v>7</v>", "7"),
        (b't="d"><v>2024-02-01T10:30:00</v>', "2024-02-01T10:30:00"),
        # What fastexcel would lose or round.
        (b't="e"><v>#DIV/0!</v>', "#DIV/0!"),
        (b'  s="0" t="e"><f>1/0</f><v>#N/A</v>', "#N/A"),
        (b"><v>98765432109876543210</v>", "98765432109876543210"),
        (b't="n"><v>9007199254740993</v>', "9007199254740993"),
        (b's="0"><v>5.0123456789012E+15</v>', "5.0123456789012E+15"),
        (b"><f>A1*2</f><v>1.2345678901234E+19</v>", "1.2345678901234E+19"),
        (b"><v>1E+20</v>", "1E+20"),
    ],
)
def test_a_cell_is_the_text_that_is_read_later(cell: Cell, text: str) -> None:
    [row] = read(workbook({"S": [HEADER, ("1", cell, "x")]})).rows(named=True)
    assert (row["customer_id"], row["name"], row["city"]) == ("1", text, "x")


def test_days_are_counted_from_1904_where_the_workbook_says_so() -> None:
    rows: list[tuple[Cell, ...]] = [HEADER, ("1", (45323, "yyyy-mm-dd"), None)]
    assert read(workbook({"S": rows}, counts_from_1904=True))["name"].to_list() == [
        "2028-02-02 00:00:00"
    ]


def test_a_header_again_is_malformed_and_cells_beside_the_table_are_kept() -> None:
    rows = [(*HEADER, None, None), ("1", "a", "b", None, "total"), HEADER, ("2", "c", "d")]
    frame = read(workbook({"S": rows}))
    assert frame.select("customer_id", "_error_code").rows() == [
        ("1", None),
        (None, "MALFORMED"),
        ("2", None),
    ]
    assert json.loads(frame["_rescued"][0]) == {"column 5": "total"}
    assert frame["_raw"][1].startswith("customer_id\tname\tcity")


def test_a_workbook_without_the_header_is_refused_with_the_names_that_it_has() -> None:
    rows = [("Shop",), ("no", "client", "tot"), ("1", "2", "3")]
    assert refusal(workbook({"A": [("x",)], "B": rows})) == (
        "HEADER_MISMATCH",
        "without the required column customer_id; it has no, client, tot",
    )
    assert refusal(workbook({"A": []}))[0] == "HEADER_MISMATCH"


def test_a_header_in_which_two_cells_mean_one_column_is_refused() -> None:
    reason, words = refusal(workbook({"A": [("customer_id", "Name", "NAME"), ("1", "a", "b")]}))
    assert (reason, "name twice" in words) == ("HEADER_MISMATCH", True)


def test_a_damaged_workbook_is_refused() -> None:
    whole = workbook({"S": [HEADER, *[(str(n), "name", "city") for n in range(500)]]})
    assert refusal(whole[: len(whole) // 2])[0] == "TRUNCATED"
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        start = archive.getinfo("xl/worksheets/sheet1.xml").header_offset
    flipped = bytearray(whole)
    flipped[start + 200] ^= 0xFF
    assert refusal(bytes(flipped))[0] == "BAD_CHECKSUM"
    assert refusal(b"customer_id\n1\n") == ("UNREADABLE", "it is not an Excel workbook (.xlsx)")
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("orders.csv", "customer_id\n1\n")
    assert refusal(other.getvalue())[1].startswith("it is a zip archive")
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("xl/nothing.xml", "<x/>")
    assert refusal(other.getvalue())[0] == "UNREADABLE"


@pytest.mark.parametrize("value", [0x00, 0x0E, 0x5C, 0x80, 0xFF])
def test_any_byte_of_its_directory_may_be_wrong(value: int) -> None:
    whole = workbook({"S": [HEADER, ("1", "name", "city")]})
    reasons = set()
    for at in range(whole.index(b"PK\x01\x02"), len(whole)):
        for damaged in (
            whole[:at] + bytes([value]) + whole[at + 1 :],
            whole[:at] + whole[at + 1 :],
        ):
            try:
                read(damaged)
            except FileRefusedError as refused:
                reasons.add(refused.reason)
    assert {"TRUNCATED", "BAD_CHECKSUM"} <= reasons


def test_a_workbook_that_unpacks_to_more_than_the_bound_is_too_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = workbook(SHEETS)
    size = workbooks.unpacked_size(data)
    monkeypatch.setattr(workbooks, "MAX_UNPACKED_BYTES", size)
    assert read(data).height == 5
    monkeypatch.setattr(workbooks, "MAX_UNPACKED_BYTES", size - 1)
    assert refusal(data)[0] == "TOO_LARGE"


def test_a_large_workbook_is_taken_sheet_by_sheet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = workbook(SHEETS)
    folder = tmp_path / "customers"
    folder.mkdir()
    (folder / "a.xlsx").write_bytes(data)
    [file] = list_landing(tmp_path, "customers")
    assert not is_large(read_file(file))
    monkeypatch.setattr(files, "PART_BYTES", 10)
    monkeypatch.setattr(readers, "PART_RECORDS", 2)
    content = read_file(file)
    assert is_large(content)
    with open_file(file) as opened:
        parts = list(read_parts(content, opened, CUSTOMERS))
    assert [part.read.records.height for part in parts] == [2, 1, 2]
    assert [(part.stop, part.total) for part in parts] == [(2, 4), (2, 4), (4, 4)]
    joined = pl.concat(part.read.records for part in parts)
    assert_frame_equal(joined.drop("_pos"), read(data).drop("_pos"))


def test_pieces_of_a_sheet_may_end_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[tuple[Cell, ...]] = [(str(n), b't="e"><v>#REF!</v>', "c") for n in range(50)]
    data = workbook({"S": [HEADER, *rows]})
    whole = read(data)
    assert set(whole["name"]) == {"#REF!"}
    for size in (1, 7, 64, 1000):
        monkeypatch.setattr(workbooks, "PIECE_BYTES", size)
        assert_frame_equal(read(data), whole)
