"""Every record of a file is there once, in its place, as strings or with the reason why not."""

import csv as csv_module
import io
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from bridge_cart_assets.ingestion import csv_records, text_decoding
from bridge_cart_assets.ingestion.files import Content, FileRefusedError
from bridge_cart_assets.ingestion.readers import read_objects, read_records
from bridge_cart_assets.ingestion.text_decoding import MAX_RECORD_BYTES
from bridge_cart_assets.sources.customers import CUSTOMERS
from bridge_cart_assets.transforms.amounts import read_amounts
from bridge_cart_assets.transforms.ids import is_id

HEADER = "customer_id,name,city"


def records(format: str, data: bytes | str) -> pl.DataFrame:
    content = Content(format, "f" * 64, data.encode() if isinstance(data, str) else data)
    return read_records(content, CUSTOMERS).records


def csv(*lines: str, header: str = HEADER, end: str = "\n") -> pl.DataFrame:
    return records("csv", end.join([header, *lines, ""]))


def ndjson(*lines: str) -> pl.DataFrame:
    return records("ndjson", "\n".join([*lines, ""]))


def as_parquet(**columns: Any) -> bytes:
    data = io.BytesIO()
    pl.DataFrame(columns).write_parquet(data)
    return data.getvalue()


def parquet(**columns: Any) -> pl.DataFrame:
    return records("parquet", as_parquet(**columns))


def values(frame: pl.DataFrame) -> list[tuple[str | None, ...]]:
    """id, name and city of the records that could be read."""
    return frame.filter(pl.col("_status") == "ok").select("customer_id", "name", "city").rows()


def verdicts(frame: pl.DataFrame) -> list[tuple[int, str]]:
    """Position and verdict of every record: ok, blank, or the reason."""
    return frame.select("_pos", pl.coalesce("_error_code", "_status")).rows()


def raw(frame: pl.DataFrame) -> list[str | None]:
    return frame.filter(pl.col("_status") == "quarantined")["_raw"].to_list()


def test_plain_lines_become_records_in_file_order() -> None:
    frame = csv("1,Anna,Leeds", "2,,Lyon", "3, Cy ,")
    assert values(frame) == [("1", "Anna", "Leeds"), ("2", "", "Lyon"), ("3", " Cy ", "")]
    assert verdicts(frame) == [(1, "ok"), (2, "ok"), (3, "ok")]


def test_a_record_has_the_columns_of_its_source_and_the_verdict() -> None:
    frame = csv("1,Anna,Leeds")
    verdict = ["_pos", "_status", "_error_code", "_error", "_raw", "_rescued"]
    assert frame.columns == [*CUSTOMERS.columns, *verdict]
    row = frame.row(0, named=True)
    assert [name for name, value in row.items() if value is not None] == [
        "customer_id",
        "name",
        "city",
        "_pos",
        "_status",
    ]


def test_quotes_hold_delimiters_quotes_and_line_breaks() -> None:
    frame = csv('1,"Berg, Anna","a ""b"""', '2,"one\ntwo\n\nthree",x', '"3",,""')
    assert values(frame) == [
        ("1", "Berg, Anna", 'a "b"'),
        ("2", "one\ntwo\n\nthree", "x"),
        ("3", "", ""),
    ]
    assert verdicts(frame) == [(1, "ok"), (2, "ok"), (3, "ok")]


def test_a_quote_within_an_unquoted_value_is_a_character() -> None:
    assert values(csv('1,5" nail,x', "2,b,c", '3,6" nail,y')) == [
        ("1", '5" nail', "x"),
        ("2", "b", "c"),
        ("3", '6" nail', "y"),
    ]


def test_an_unclosed_quote_costs_its_own_line_only() -> None:
    frame = csv('1,"Anna,Leeds', "2,b,c", '3,"d\ne",f', "4,g,h")
    assert verdicts(frame) == [(1, "MALFORMED"), (2, "ok"), (3, "ok"), (4, "ok")]
    assert raw(frame) == ['1,"Anna,Leeds']
    assert values(frame) == [("2", "b", "c"), ("3", "d\ne", "f"), ("4", "g", "h")]


def test_two_unclosed_quotes_cost_two_lines() -> None:
    frame = csv('1,"Anna,Leeds', "2,b,c", '3,"Cy,Lyon', "4,g,h")
    assert verdicts(frame) == [(1, "MALFORMED"), (2, "ok"), (3, "MALFORMED"), (4, "ok")]


def test_text_behind_a_closing_quote_is_malformed() -> None:
    assert verdicts(csv('1,"Anna"x,Leeds', "2,b,c")) == [(1, "MALFORMED"), (2, "ok")]


def test_short_and_long_rows_are_kept_with_their_text() -> None:
    frame = csv("1,Anna", "2,b,c", "3,d,e,f", '4,"g"', '5,"h",i,j')
    assert verdicts(frame) == [
        (1, "TOO_FEW_FIELDS"),
        (2, "ok"),
        (3, "TOO_MANY_FIELDS"),
        (4, "TOO_FEW_FIELDS"),
        (5, "TOO_MANY_FIELDS"),
    ]
    assert raw(frame) == ["1,Anna", "3,d,e,f", '4,"g"', '5,"h",i,j']


def test_a_refused_record_says_why_in_words() -> None:
    errors = csv("1,Anna", "2,b,c")["_error"].to_list()
    assert errors == ["fewer fields than the header has", None]


def test_a_line_break_that_is_neither_quoted_nor_at_the_end_is_malformed() -> None:
    frame = csv("1\r2", "3\r", "4", header="customer_id")
    assert verdicts(frame) == [(1, "MALFORMED"), (2, "ok"), (3, "ok")]
    assert raw(frame) == ["1\r2"]


def test_blank_lines_are_counted_and_have_a_position() -> None:
    frame = csv("", "1,a,b", "   ", "\t", "2,c,d", "")
    assert verdicts(frame) == [
        (1, "blank"),
        (2, "ok"),
        (3, "blank"),
        (4, "blank"),
        (5, "ok"),
        (6, "blank"),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^", "-"])
def test_a_row_with_delimiters_only_is_blank(delimiter: str) -> None:
    rows = (",,", "1,a,b", ", ,", ",,,,", ",", ",,c")
    text = "\n".join(row.replace(",", delimiter) for row in (HEADER, *rows))
    found = records("csv", f"sep={delimiter}\n{text}\n")
    assert verdicts(found) == [
        *((1, "blank"), (2, "ok"), (3, "blank"), (4, "blank"), (5, "blank"), (6, "ok"))
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_lines_end_as_any_system_ends_them(end: str) -> None:
    frame = csv("1,a,b", "", '2,"c,d",e', "3,f", end=end)
    assert values(frame) == [("1", "a", "b"), ("2", "c,d", "e")]
    assert verdicts(frame) == [(1, "ok"), (2, "blank"), (3, "ok"), (4, "TOO_FEW_FIELDS")]


def test_the_last_line_needs_no_end() -> None:
    assert values(records("csv", f"{HEADER}\n1,a,b")) == [("1", "a", "b")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_part_of_the_header(encoding: str) -> None:
    data = f"{HEADER}\n1,Zoë,Łódź\n".encode(encoding)
    assert values(records("csv", data)) == [("1", "Zoë", "Łódź")]


def test_utf_16_is_read_in_both_byte_orders() -> None:
    text = f"\ufeff{HEADER}\n1,Zoë,東京\n"
    for encoding in ("utf-16-le", "utf-16-be"):
        assert values(records("csv", text.encode(encoding))) == [("1", "Zoë", "東京")]


def test_bytes_that_are_not_utf_8_cost_their_line_only() -> None:
    frame = records("csv", f"{HEADER}\n1,Zoë,a\n".encode() + b"2,Zo\xeb,b\n3,c,d\n")
    assert verdicts(frame) == [(1, "ok"), (2, "BAD_ENCODING"), (3, "ok")]
    assert raw(frame) == ["2,Zoë,b"]


def test_bytes_that_are_not_utf_8_are_found_within_a_quoted_line_break_too() -> None:
    frame = records("csv", f"{HEADER}\n".encode() + b'1,"a\n\xeb\nb",x\n2,c,d\n')
    assert "BAD_ENCODING" in frame["_error_code"].to_list()
    assert values(frame) == [("2", "c", "d")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_one_that_the_header_uses(delimiter: str) -> None:
    rows = [HEADER, "1,12.5 x,b", '2,"q,r",c']
    frame = csv(
        *(r.replace(",", delimiter) for r in rows[1:]), header=HEADER.replace(",", delimiter)
    )
    assert values(frame) == [("1", "12.5 x", "b"), ("2", f"q{delimiter}r", "c")]


def test_a_decimal_comma_stands_in_a_file_with_semicolons() -> None:
    frame = csv("1;12,50", "2;1.234,50", header="customer_id;income")
    assert frame["income"].to_list() == ["12,50", "1.234,50"]


def test_column_names_are_recognised_in_any_case() -> None:
    frame = csv("1,a", header="Customer_ID , NAME")
    assert values(frame) == [("1", "a", None)]


def test_names_of_objects_and_of_parquet_are_recognised_in_any_case() -> None:
    lines = ['{" Customer_ID": "1", "NAME": "Zoë", "Tier": "x"}'] * 300
    for frame in (
        ndjson(lines[0]),
        ndjson(*lines),
        parquet(**{" Customer_ID": ["1"], "NAME": ["Zoë"], "Tier": ["x"]}),
    ):
        assert values(frame)[0] == ("1", "Zoë", None)
        assert json.loads(frame["_rescued"][0]) == {"Tier": "x"}
    exact = ndjson('{"Customer_ID": "9", "customer_id": "1", "CUSTOMER_ID": "8"}')
    assert values(exact) == [("1", None, None)]
    assert json.loads(exact["_rescued"][0]) == {"Customer_ID": "9", "CUSTOMER_ID": "8"}


def test_unknown_columns_are_kept_in_rescued() -> None:
    frame = csv("1,a,gold,12", header="customer_id,name,tier,Größe")
    assert [json.loads(text) for text in frame["_rescued"]] == [{"tier": "gold", "Größe": "12"}]


@pytest.mark.parametrize("name", ["code", "text", "_pos", "_status", "_raw", "_rescued"])
def test_an_unknown_column_may_have_any_name(name: str) -> None:
    one = csv("1,x", '"2",y', "3", header=f"customer_id,{name}")
    assert one["customer_id"].to_list() == ["1", "2", None]
    assert verdicts(one) == [(1, "ok"), (2, "ok"), (3, "TOO_FEW_FIELDS")]
    other = ndjson(json.dumps({"customer_id": "1", name: "x"}))
    third = parquet(**{"customer_id": ["1"], name: ["x"]})
    for frame in (one, other, third):
        assert json.loads(frame["_rescued"][0]) == {name: "x"}
        assert frame["_pos"][0] == 1


def test_a_missing_optional_column_is_null() -> None:
    frame = csv("1", "2", header="customer_id")
    assert values(frame) == [("1", None, None), ("2", None, None)]


@pytest.mark.parametrize("data", ["name,city\na,b\n", "", "\n1,a,b\n", "nothing of this\n"])
def test_a_csv_file_without_a_required_column_is_refused(data: str) -> None:
    with pytest.raises(FileRefusedError) as refusal:
        records("csv", data)
    assert refusal.value.reason == "HEADER_MISMATCH"


def test_the_refusal_names_the_required_column() -> None:
    with pytest.raises(FileRefusedError, match="customer_id"):
        csv("a,b", header="name,city")


def test_a_header_that_names_a_column_twice_is_refused() -> None:
    for twice in ("name,name", "Name,NAME", "x,x"):
        with pytest.raises(FileRefusedError, match=r"(name|x) twice") as refusal:
            csv("1,a,b", header=f"customer_id,{twice}")
        assert refusal.value.reason == "HEADER_MISMATCH"


def test_an_exact_name_goes_before_one_that_only_means_it() -> None:
    for header in ("customer_id,name,NAME", "Customer ID,name,Name"):
        frame = csv("1,a,b", header=header)
        assert values(frame) == [("1", "a", None)]
        assert json.loads(frame["_rescued"][0]) == {header[-4:]: "b"}


def test_a_header_alone_is_a_file_without_records() -> None:
    assert csv().height == 0
    assert records("csv", HEADER).height == 0


def test_a_line_longer_than_8_mib_is_quarantined_and_kept() -> None:
    long = f"2,{'x' * (MAX_RECORD_BYTES + 1)},c"
    frame = csv("1,a,b", long, "3,d,e")
    assert verdicts(frame) == [(1, "ok"), (2, "LINE_TOO_LONG"), (3, "ok")]
    assert raw(frame) == [long]


def test_a_long_line_that_is_no_text_is_kept_by_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_decoding, "MAX_RECORD_BYTES", 20)
    line = b"2," + b"\xe9" * 30
    frame = records("csv", f"{HEADER}\n".encode() + line + b"\n3,d,e\n")
    assert verdicts(frame) == [(1, "LINE_TOO_LONG"), (2, "ok")]
    assert raw(frame) == [line.decode("latin-1")]
    assert frame["_error"][0] == "longer than 8 MiB; not UTF-8; _raw has the bytes as Latin-1"


def test_a_value_may_have_any_number_of_line_breaks() -> None:
    value = "x" + "\n9,y,z" * 5000
    assert values(csv(f'1,"{value}",c', "2,d,e")) == [("1", value, "c"), ("2", "d", "e")]


def test_a_record_of_several_lines_is_at_most_8_mib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_records, "MAX_RECORD_BYTES", 20)
    fits, too_long = '1,"2345678\n01234567",'[:-1], '1,"2345678\n0123456789"'
    assert len(fits) == 20
    assert values(csv(fits, header="customer_id,name")) == [("1", "2345678\n01234567", None)]
    assert [code for _, code in verdicts(csv(too_long, header="customer_id,name"))] == [
        "MALFORMED",
        "TOO_FEW_FIELDS",
    ]


BRITISH = replace(CUSTOMERS, encoding="cp1252")


def test_a_line_that_is_not_utf_8_is_read_in_the_encoding_of_its_source() -> None:
    data = f"{HEADER}\n1,Zoë,a\n".encode() + b'2,\x80 \xa33,b\n3,\x81,c\n4,"Zo\xeb\n\xc3\xa9",d\n'
    frame = read_records(Content("csv", "f", data), BRITISH).records
    assert values(frame) == [("1", "Zoë", "a"), ("2", "€ £3", "b"), ("4", "Zoë\né", "d")]
    assert verdicts(frame)[2] == (3, "BAD_ENCODING")
    assert raw(frame) == ["3,\x81,c"]
    assert frame["_error"][2] == "not UTF-8, nor cp1252; _raw has the bytes as Latin-1"


def test_the_bytes_of_a_refused_line_can_be_recovered_in_any_encoding() -> None:
    """£ is one byte in cp1252, two in UTF-8, and two others in UTF-16."""
    data = f"{HEADER}\n".encode() + b'1,\xa3\n1,\xc2\xa3\n"1\xa3",2,3,4\n'
    frame = read_records(Content("csv", "f", data), BRITISH).records
    few, many = "fewer fields than the header has", "more fields than the header has"
    assert frame.select("_raw", "_error").rows() == [
        ("1,£", f"{few}; its bytes are cp1252"),
        ("1,£", few),
        ('"1£",2,3,4', f"{many}; its bytes are cp1252"),
    ]
    wide = f"\ufeff{HEADER}\n1,£\n".encode("utf-16-le")
    frame = read_records(Content("csv", "f", wide), BRITISH).records
    assert frame["_error"].to_list() == [f"{few}; its bytes are utf-16-le"]


def test_the_header_is_read_in_the_encoding_of_its_source() -> None:
    data = b"customer_id,\x80\n1,x\n"
    assert read_records(Content("csv", "f", data), BRITISH).unknown == ["€"]


def test_json_is_read_in_the_encoding_of_its_source() -> None:
    data = b'{"customer_id": "\x80"}\n'
    assert values(read_records(Content("ndjson", "f", data), BRITISH).records)[0][0] == "€"


def test_utf_16_is_not_taken_for_the_encoding_of_its_source() -> None:
    data = f"\ufeff{HEADER}\n".encode("utf-16-le") + b"1\0,\0\x3d\xd8,\0x\0\n\0"
    frame = read_records(Content("csv", "f", data), BRITISH).records
    assert verdicts(frame) == [(1, "BAD_ENCODING")]
    assert raw(frame)[0].encode("latin-1") == b"1\0,\0\x3d\xd8,\0x\0"  # type: ignore[union-attr]


@pytest.mark.parametrize("rows", [3, 400])
def test_quoted_lines_are_read_as_pythons_strict_reader_reads_them(rows: int) -> None:
    kinds = [
        '{n},"a",b', '"{n}","a","b"', '{n},"a,b","c\nd"', '{n},"a""b",c', '{n},"a"x,b', '{n},"a"',
        '{n},"a",b,c', '{n},"",""', '"{n}",a\rb,"c"', '{n},a"b,c"d', '{n},"é东",\t', '{n},"a\r",b',
    ]  # fmt: skip
    lines = [kind.replace("{n}", str(n)) for n in range(rows) for kind in kinds]
    frame = csv(*lines)
    assert frame.height == len(lines)
    for line, row in zip(lines, frame.rows(named=True), strict=True):
        try:
            [fields] = csv_module.reader([line], strict=True)
        except csv_module.Error:
            fields = []
        if len(fields) == 3:
            assert [row["customer_id"], row["name"], row["city"]] == fields
        else:
            assert (row["_status"], row["_raw"]) == ("quarantined", line)


def test_unknown_and_missing_columns_are_named() -> None:
    def column_drift(format: str, data: str) -> tuple[list[str], list[str]]:
        read = read_records(Content(format, "f", data.encode()), CUSTOMERS)
        return read.unknown, [name for name in read.missing if name in ("name", "city", "email")]

    assert column_drift("csv", "customer_id,tier,NAME,Ö\n") == (["tier", "Ö"], ["email", "city"])
    objects = (
        '{"customer_id": "1", "tier": null, "x": 1}\n'
        '{"customer_id": "2", "city": "a", "email": null}\n'
    )
    assert column_drift("ndjson", objects) == (["x"], ["name", "email"])
    assert column_drift("ndjson", "nope\n") == ([], [])
    read = read_records(
        Content("parquet", "f", as_parquet(customer_id=["1"], tier=["x"])), CUSTOMERS
    )
    assert (read.unknown, read.missing) == (["tier"], list(CUSTOMERS.columns)[1:])


# What a spreadsheet may put into a cell; the delimiter, quotes and breaks most of all.
CELL = st.text(st.sampled_from('ab ,"\n;é'), max_size=6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=6))
def test_what_a_csv_writer_writes_is_read_back(cells: list[tuple[str, str]]) -> None:
    def quoted(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'

    lines = [f"{i},{quoted(a)},{quoted(b)}" for i, (a, b) in enumerate(cells)]
    assert values(csv(*lines)) == [(str(i), a, b) for i, (a, b) in enumerate(cells)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.sampled_from('ab,"\r \t'), max_size=8), max_size=6))
def test_whatever_the_lines_are_each_is_accounted_for_and_none_behind_is_lost(
    lines: list[str],
) -> None:
    frame = csv(*lines, "last,a,b")
    assert frame["_pos"].to_list() == list(range(1, frame.height + 1))
    assert frame["_status"].is_in(["ok", "blank", "quarantined"]).all()
    assert values(frame)[-1] == ("last", "a", "b")
    refused = frame.filter(pl.col("_status") == "quarantined")
    assert refused.select("_raw", "_error_code", "_error").null_count().row(0) == (0, 0, 0)
    # A record is one line, and one more for each break that it holds in quotes.
    kept = [text for record in frame.select(*CUSTOMERS.columns, "_raw").rows() for text in record]
    assert frame.height + sum(text.count("\n") for text in kept if text) == len(lines) + 1


def test_an_object_per_line_becomes_a_record_with_nulls_for_what_it_lacks() -> None:
    frame = ndjson('{"customer_id": "1", "name": "Anna"}', '{"city": "Lyon", "customer_id": "2"}')
    assert values(frame) == [("1", "Anna", None), ("2", None, "Lyon")]


def test_numbers_keep_their_spelling() -> None:
    frame = ndjson(
        '{"customer_id": 17850, "income": 12.50, "age": 1e2}',
        '{"customer_id": 12345678901234567890123, "income": 0.1000000000000000055511151231257827}',
    )
    assert frame["customer_id"].to_list() == ["17850", "12345678901234567890123"]
    assert frame["income"].to_list() == ["12.50", "0.1000000000000000055511151231257827"]
    assert frame["age"].to_list() == ["1e2", None]


def test_nested_values_and_flags_become_json() -> None:
    frame = ndjson('{"customer_id": "1", "name": {"first": "Zoë"}, "city": ["a"], "age": true}')
    assert frame.select("name", "city", "age").row(0) == ('{"first": "Zoë"}', '["a"]', "true")


def test_lines_that_are_no_objects_are_malformed_each_on_its_own() -> None:
    good = '{"customer_id": "1"}'
    bad = ['{"customer_id": "2"', "[1]", '"text"', "12", "null", "nope", '{"customer_id": "3",}']
    frame = ndjson(good, *bad, good, "", good)
    assert verdicts(frame) == [
        (1, "ok"),
        *((position, "MALFORMED") for position in range(2, 9)),
        (9, "ok"),
        (10, "blank"),
        (11, "ok"),
    ]
    assert raw(frame) == bad


def test_a_line_nested_deeper_than_can_be_read_is_malformed() -> None:
    deep = "[" * 100_000
    assert verdicts(ndjson(deep, '{"customer_id": "1"}')) == [(1, "MALFORMED"), (2, "ok")]


@pytest.mark.parametrize("column", ["customer_id", "tier"])
def test_half_a_character_costs_its_line_only(column: str) -> None:
    # A surrogate without its other half is valid JSON, but no text.
    broken = f'{{"customer_id": "1", "{column}": "\\ud800"}}'
    frame = ndjson(broken, '{"customer_id": "2", "name": "\\ud83d\\ude00"}')
    assert verdicts(frame) == [(1, "MALFORMED"), (2, "ok")]
    assert values(frame) == [("2", "\U0001f600", None)]


def test_json_bytes_that_are_not_utf_8_cost_their_line_only() -> None:
    frame = records("ndjson", b'{"customer_id": "\xeb"}\n{"customer_id": "2"}\n')
    assert verdicts(frame) == [(1, "BAD_ENCODING"), (2, "ok")]


def test_unknown_json_names_are_rescued_and_only_where_they_are() -> None:
    frame = ndjson('{"customer_id": "1"}', '{"customer_id": "2", "tier": "gold"}')
    assert frame["_rescued"].to_list() == [None, '{"tier":"gold"}']


def test_a_json_file_in_which_no_object_has_a_required_name_is_refused() -> None:
    with pytest.raises(FileRefusedError, match="customer_id") as refusal:
        ndjson('{"name": "Anna"}', "nope")
    assert refusal.value.reason == "HEADER_MISMATCH"


def test_a_json_record_without_a_required_name_is_a_record_with_a_null() -> None:
    frame = ndjson('{"customer_id": "1"}', '{"name": "Anna"}')
    assert values(frame) == [("1", None, None), (None, "Anna", None)]


def test_a_json_file_of_broken_lines_only_keeps_them_all() -> None:
    assert verdicts(ndjson("nope", "", "[")) == [(1, "MALFORMED"), (2, "blank"), (3, "MALFORMED")]
    assert records("ndjson", "").height == 0


def test_parquet_values_become_the_strings_that_are_read_later() -> None:
    frame = parquet(
        customer_id=[17850, 2],
        income=pl.Series([Decimal("12.50"), None], dtype=pl.Decimal(10, 2)),
        signup_date=[date(2024, 1, 5), None],
        updated_at=[datetime(2024, 1, 5, 10, 20, tzinfo=UTC), None],
        tier=["gold", None],
    )
    assert frame.select("customer_id", "income", "signup_date").row(0) == (
        "17850",
        "12.50",
        "2024-01-05",
    )
    assert frame["updated_at"].to_list() == ["2024-01-05 10:20:00.000000+00:00", None]
    assert frame["_rescued"].to_list() == ['{"tier":"gold"}', None]
    assert verdicts(frame) == [(1, "ok"), (2, "ok")]


@pytest.mark.parametrize(
    "incomes",
    [
        pl.Series([Decimal("150.000"), Decimal("-1.500"), None], dtype=pl.Decimal(18, 3)),
        pl.Series([150.0, -1.125, None], dtype=pl.Float64),
    ],
)
def test_a_parquet_number_cannot_be_taken_for_thousands(incomes: pl.Series) -> None:
    texts = parquet(customer_id=["1", "2", "3"], income=incomes).select(
        income=read_amounts(pl.col("income"), pl.lit("a"), pl.lit("JPY"))
    )
    read = texts.unnest("income")
    expected = incomes.cast(pl.Decimal(18, 4)).round(2, mode="half_away_from_zero")
    assert read["value"].to_list() == expected.to_list()
    assert not read["guessed"].any()


def test_a_parquet_time_of_another_zone_is_the_same_moment() -> None:
    at = pl.Series([datetime(2024, 1, 5, 10, 20, tzinfo=UTC)]).dt.convert_time_zone("Asia/Kolkata")
    assert parquet(customer_id=["1"], updated_at=at)["updated_at"].to_list() == [
        "2024-01-05 15:50:00.000000+05:30"
    ]


def test_a_parquet_file_on_which_the_reader_gives_up_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Broken pages behind a good footer can end in a panic, which is no ordinary exception.
    def panics(*arguments: object) -> pl.DataFrame:
        raise pl.exceptions.PanicException("range end index 7260 out of range")

    monkeypatch.setattr(pl, "read_parquet", panics)
    with pytest.raises(FileRefusedError) as refusal:
        records("parquet", b"PAR1 PAR1")
    assert refusal.value.reason == "UNREADABLE"


@pytest.mark.parametrize(
    "shortage",
    [
        pl.exceptions.PanicException("Os { code: 24, kind: TooManyOpenFiles }"),
        pl.exceptions.ComputeError("Too many open files (os error 24)"),
    ],
)
def test_a_machine_without_handles_refuses_no_parquet_file(
    monkeypatch: pytest.MonkeyPatch, shortage: BaseException
) -> None:
    def short(*arguments: object) -> pl.DataFrame:
        raise shortage

    monkeypatch.setattr(pl, "read_parquet", short)
    with pytest.raises(type(shortage)):
        records("parquet", b"PAR1 PAR1")


def test_a_parquet_file_without_a_required_column_is_refused() -> None:
    with pytest.raises(FileRefusedError, match="customer_id") as refusal:
        parquet(name=["Anna"])
    assert refusal.value.reason == "HEADER_MISMATCH"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"PAR1 the beginning of a file", "TRUNCATED"),
        (b"PAR1 no footer at all PAR1", "UNREADABLE"),
        (b"customer_id,name\n1,a\n", "UNREADABLE"),
        (b"", "UNREADABLE"),
    ],
)
def test_a_parquet_file_that_cannot_be_read_is_refused_as_a_whole(data: bytes, reason: str) -> None:
    with pytest.raises(FileRefusedError) as refusal:
        records("parquet", data)
    assert refusal.value.reason == reason


def objects(*values: bytes | str | None) -> pl.DataFrame:
    dtype = pl.String if any(isinstance(value, str) for value in values) else pl.Binary
    return read_objects(pl.Series(values, dtype=dtype), CUSTOMERS).records


def test_messages_are_read_one_by_one() -> None:
    frame = objects(
        b'{"customer_id": "1", "tier": 1.50}', None, b"\xff", b" ", b"nope", b'{"name": "a"}'
    )
    assert verdicts(frame) == [
        (1, "ok"), (2, "MALFORMED"), (3, "BAD_ENCODING"), (4, "blank"), (5, "MALFORMED"), (6, "ok"),
    ]  # fmt: skip
    assert raw(frame) == [None, "\xff", "nope"]
    assert frame["_error"][1] == "a message without a value"
    assert values(frame) == [("1", None, None), (None, "a", None)]
    assert frame["_rescued"][0] == '{"tier":"1.50"}'
    assert frame.columns == csv().columns
    assert objects('{\n"customer_id": "1"\n}')["customer_id"].to_list() == ["1"]
    assert objects().height == 0


def test_a_required_name_that_no_message_has_is_null() -> None:
    assert values(objects('{"name": "a"}')) == [(None, "a", None)]


TEXTS = st.text(st.sampled_from('ab"\\/é\x00\x1f\x7f\u2028\U0001f600 {}:,'), max_size=5)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS)
VALUES = st.one_of(LEAVES, st.lists(LEAVES, max_size=2), st.dictionaries(TEXTS, LEAVES, max_size=2))
NAMES = st.sampled_from(["customer_id", "name", "city", "tier", "Ø", "a b", 'q"', "\\", ""])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(NAMES, VALUES, max_size=4), min_size=1, max_size=6), st.booleans())
def test_objects_of_one_shape_are_read_together_as_they_are_read_alone(
    rows: list[dict[str, Any]], is_compact: bool
) -> None:
    separators = (",", ":") if is_compact else None
    lines = [json.dumps(row, ensure_ascii=False, separators=separators) for row in rows]
    # A line of every shape, and one that has lost its end; often enough to be read together.
    lines += [line[:-1] for line in lines] + [line.replace(",", ",,") for line in lines]
    together = objects(*lines * 70)
    alone = pl.concat([objects(line) for line in lines] * 70).drop("_pos")
    assert_frame_equal(together.drop("_pos"), alone)
    for line, row in zip(lines, together.head(len(lines)).rows(named=True), strict=True):
        try:
            said = json.loads(line, parse_float=str, parse_int=str)
        except ValueError:
            assert (row["_error_code"], row["_raw"]) == ("MALFORMED", line)
            continue
        name = said.get("name")
        assert row["name"] == (
            name if name is None or isinstance(name, str) else json.dumps(name, ensure_ascii=False)
        )
        extra = {n: v for n, v in said.items() if n not in CUSTOMERS.columns and v is not None}
        assert set(json.loads(row["_rescued"] or "{}")) == set(extra)


@pytest.mark.parametrize(
    "odd",
    [
        '{"customer_id": "1", "customer_id": "2"}', '{"customer_id": 01}', '{"customer_id": 1.}',
        '{"customer_id": +1}', '{"customer_id": .5}', '{"customer_id": 1e}', '{"customer_id": tru}',
        '{"customer_id": "a\tb"}', '{"customer_id": "1"} x', '{"customer_id": "1"',
        "{'customer_id': 1}",
        '{"customer_id": "\\ud800"}', '{"customer_id" "1"}', '{"customer_id": "1",}',
    ],
)  # fmt: skip
def test_what_only_looks_like_the_others_is_malformed(odd: str) -> None:
    frame = ndjson(*['{"customer_id": "1"}'] * 300, odd, *['{"customer_id": 1}'] * 300)
    assert [v for v in verdicts(frame) if v[1] != "ok"] == [(301, "MALFORMED")]
    assert raw(frame) == [odd]


@pytest.mark.parametrize(
    ("spelt", "text"),
    [
        ("12.50", "12.50"), ("-0", "-0"), ("1E+2", "1E+2"), ("true", "true"), ("null", None),
        ('"null"', "null"), ('""', ""), ("NaN", "NaN"), ('"\\u0041"', "A"), ("[1]", '["1"]'),
    ],
)  # fmt: skip
def test_a_value_is_the_same_among_many_and_alone(spelt: str, text: str | None) -> None:
    line = f' {{"customer_id" : {spelt}\t, "name":"x"}} '
    for often in (1, 300):
        frame = ndjson(*[line] * often)
        assert set(frame["customer_id"]) == {text}
        assert set(frame["name"]) == {"x"}


def test_parquet_values_within_values_become_text() -> None:
    frame = parquet(
        customer_id=["1"],
        name=[[b"\xff", None]],
        city=[{"a": [b"x"], "b": timedelta(hours=1)}],
        tier=pl.Series([[b"y"]], dtype=pl.Array(pl.Binary, 1)),
    )
    assert frame.select("name", "city", "_rescued").row(0) == (
        '["\ufffdff",null]',
        '{"a":["x"],"b":"PT1H"}',
        json.dumps({"tier": '["y"]'}, separators=(",", ":")),
    )


def test_parquet_binary_is_the_text_that_it_is_or_marked_as_none() -> None:
    frame = parquet(customer_id=["Zoë".encode(), b"\xff\xfe\x01", None], name=[b"", b"a", b"\0"])
    assert frame.select("customer_id", "name").rows() == [
        ("Zoë", ""),
        ("\ufffdfffe01", "a"),
        (None, "\0"),
    ]


@pytest.mark.parametrize("dtype", [pl.Float32, pl.Float64])
def test_whole_floats_of_parquet_have_no_point(dtype: type[pl.DataType]) -> None:
    numbers = pl.Series([12345.0, -3.0, 0.5, -0.0, 1e7, None, float("nan"), float("inf")]).cast(
        dtype
    )
    frame = parquet(customer_id=["1"] * 8, income=numbers)
    assert frame["income"].to_list() == [
        "12345", "-3", "0.5", "0", "10000000", None, "NaN", "inf"
    ]  # fmt: skip


@given(st.lists(st.integers(-(2**53), 2**53), min_size=1, max_size=9))
@settings(deadline=None)
def test_any_whole_number_that_a_float_holds_exactly_comes_back(numbers: list[int]) -> None:
    frame = parquet(customer_id=[float(number) for number in numbers])
    assert frame["customer_id"].to_list() == [str(number) for number in numbers]


def test_parquet_floats_too_large_to_be_exact_are_no_ids() -> None:
    # 2^53 + 1 has no float: it would be the id of somebody else.
    large = [2.0**53 + 2, -(2.0**53) - 2, 1e16, 5.01235e20]
    found = parquet(customer_id=large)["customer_id"]
    assert found.to_list() == [
        *("9.007199254740994e+15", "-9.007199254740994e+15", "1e+16", "5.01235e+20")
    ]
    assert [float(text) for text in found] == large
    assert not pl.select(is_id(pl.lit(found))).to_series().any()
