"""A file that is something else than its name says is refused by what it is."""

import gzip
import io
import zipfile

import polars as pl
import pytest

from bridge_cart_assets.ingestion.file_kinds import disguise, is_json
from bridge_cart_assets.ingestion.files import Content, FileRefusedError
from bridge_cart_assets.ingestion.readers import is_large, read_records
from bridge_cart_assets.sources.customers import CUSTOMERS
from bridge_cart_tests.ingestion.workbook_files import workbook

TEXT = "customer_id,name\n1,Zoë\n2,b\n"


def zipped(*names: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name in names:
            archive.writestr(name, TEXT)
    return data.getvalue()


def parquet() -> bytes:
    data = io.BytesIO()
    pl.DataFrame({"customer_id": ["1"]}).write_parquet(data)
    return data.getvalue()


KINDS = {
    "a zip archive": zipped("orders.csv"),
    "an empty zip archive": zipped(),
    "an Excel workbook (.xlsx)": workbook({"S": [("customer_id",), ("1",)]}),
    "a binary Excel workbook (.xlsb)": zipped("xl/workbook.bin"),
    "a Word document (.docx)": zipped("word/document.xml"),
    "an Excel workbook with a password, or a .xls of old": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" * 9,
    "gzip": gzip.compress(TEXT.encode()),
    "Parquet": parquet(),
    "a PDF": b"%PDF-1.7\n%\xe2\xe3\n",
    "a web page (HTML)": b"\xef\xbb\xbf\n <!DOCTYPE html>\n<html><body>customer_id</body></html>",
    "XML": b'<?xml version="1.0"?>\n<orders><order id="1"/></orders>',
    "UTF-16 without a mark (BOM)": TEXT.encode("utf-16-le"),
    "UTF-32": TEXT.encode("utf-32"),
    "UTF-32 without a mark (BOM)": ("x" + TEXT).encode("utf-32-be"),
}
NAMED = {"Parquet": "parquet", "an Excel workbook (.xlsx)": "xlsx"}


@pytest.mark.parametrize("format", ["csv", "ndjson", "json", "parquet", "xlsx"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_disguised_file_is_named(kind: str, format: str) -> None:
    assert disguise(KINDS[kind]) == kind
    content = Content(format, "f", KINDS[kind])
    if NAMED.get(kind) == format:
        assert read_records(content, CUSTOMERS).records["customer_id"].to_list() == ["1"]
        return
    for read in (is_large, lambda content: read_records(content, CUSTOMERS)):
        with pytest.raises(FileRefusedError) as refusal:
            read(content)
        assert refusal.value.reason == "UNREADABLE"
        assert f"it is {kind}, not " in str(refusal.value)


@pytest.mark.parametrize(
    "page",
    [
        b"<html>",
        b"<!doctype HTML public>",
        b"<HEAD><title>x</title>",
        b'<?xml version="1.0"?><!DOCTYPE html><html xmlns="x">',
        b"\r\n<!-- saved from the shop -->\n<!DOCTYPE html>\n<html>",
        b"<table><tr><td>customer_id</td></tr></table>",
    ],
)
def test_a_page_may_begin_in_many_ways(page: bytes) -> None:
    assert disguise(page) == "a web page (HTML)"


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        TEXT.encode("utf-16"),
        TEXT.encode("utf-8-sig"),
        "客户,customer_id\n".encode("utf-16"),
        b"",
        b"1\0,a\n",
        b"<1,a\n",
        b"< 5,customer_id\n",
        b"PKW,customer_id\n",
    ],
)
def test_text_is_no_disguise(data: bytes) -> None:
    assert disguise(data) is None
    assert not is_json(data)


@pytest.mark.parametrize(
    "data",
    [b'{"customer_id": "1"}', b"[\n {", b" [ ]", b"{}\n", b"{", b"[", b'\xef\xbb\xbf{"a":1}'],
)
def test_json_is_told_by_its_beginning(data: bytes) -> None:
    assert is_json(data)
    with pytest.raises(FileRefusedError, match="it is JSON") as refusal:
        read_records(Content("csv", "f", data), CUSTOMERS)
    assert refusal.value.reason == "UNREADABLE"


@pytest.mark.parametrize("data", [b"[customer_id],[name]\n1,a\n", b"{guid},customer_id\n"])
def test_brackets_in_a_header_are_no_json(data: bytes) -> None:
    assert not is_json(data)
