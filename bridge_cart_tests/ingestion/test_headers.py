"""The header is found where it stands, in the spelling that it has."""

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from bridge_cart_assets.ingestion import files
from bridge_cart_assets.ingestion.files import Content, FileRefusedError, open_file, read_file
from bridge_cart_assets.ingestion.headers import MAX_PREAMBLE_LINES
from bridge_cart_assets.ingestion.landing import list_landing
from bridge_cart_assets.ingestion.raw_rows import match_column_names
from bridge_cart_assets.ingestion.readers import read_all, read_parts, read_records
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.sources.customers import CUSTOMERS
from bridge_cart_assets.sources.purchases import PURCHASES

HEADER = "order_id,customer_id,purchase_date,purchase_amount"
BODY = 'o1,C1,2024-02-01,10.00\n\no2,"C2",2024-02-02,20.00\no3,C3\n'
PLAIN = f"{HEADER}\n{BODY}"


def read(text: str | bytes) -> pl.DataFrame:
    data = text.encode() if isinstance(text, str) else text
    return read_records(Content("csv", "f", data), PURCHASES).records


def refusal(text: str) -> str:
    with pytest.raises(FileRefusedError) as error:
        read(text)
    assert error.value.reason == "HEADER_MISMATCH"
    return str(error.value)


@pytest.mark.parametrize(
    "above",
    [
        "\n",
        "\r\n\n  \n\t\n",
        "sep=,\n",
        '"sep=,"\r\n',
        "\nSEP=,\n\n",
        "Shop: Example Store\nReport generated 2024-03-01\n\n",
        "Shop;Example,,,\n,,,\n",
        'a quote " that is never closed\n',
        '"a title over\ntwo lines"\n\n',
        "sep=,\nReport\n",
    ],
)
def test_what_stands_above_the_header_is_no_record(above: str) -> None:
    assert_frame_equal(read(above + PLAIN), read(PLAIN))


def test_twenty_lines_may_stand_above_the_header_and_blank_ones_do_not_count() -> None:
    lines = [f"line {n}\n\n" for n in range(MAX_PREAMBLE_LINES)]
    assert_frame_equal(read("".join(lines) + PLAIN), read(PLAIN))
    assert "without the required column" in refusal("".join([*lines, "one more\n"]) + PLAIN)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_separator_is_found_with_and_without_its_line(delimiter: str) -> None:
    text = PLAIN.replace(",", delimiter)
    shown = read(PLAIN).drop("_raw")
    assert_frame_equal(read(text).drop("_raw"), shown)
    assert_frame_equal(read(f"sep={delimiter}\n{text}").drop("_raw"), shown)


@pytest.mark.parametrize("delimiter", ["^", ":", "~", "\x01"])
def test_a_separator_of_any_kind_may_be_declared(delimiter: str) -> None:
    text = f"sep={delimiter}\n" + PLAIN.replace(",", delimiter)
    assert_frame_equal(read(text).drop("_raw"), read(PLAIN).drop("_raw"))


LINE = st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"]), max_size=12)
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(LINE, max_size=MAX_PREAMBLE_LINES),
    st.sampled_from(["\n", "\r\n"]),
    ENCODINGS,
    st.sampled_from(["a.csv", "a.tsv", "a.txt"]),
    st.integers(1, 60),
)
def test_any_preamble_is_passed_over_and_in_parts_too(
    tmp_path: Path, preamble: list[str], end: str, encoding: str, name: str, size: int
) -> None:
    # A web page or JSON is refused as what it is.
    above = [f"# {line}" for line in preamble]
    text = end.join([*above, *PLAIN.split("\n")])
    data = text.encode(encoding)
    expected = read(PLAIN.replace("\n", end).encode(encoding))
    assert_frame_equal(read(data), expected)
    assert_frame_equal(in_parts(tmp_path, name, data, size), expected)


def in_parts(root: Path, name: str, data: bytes, size: int) -> pl.DataFrame:
    folder = root / "purchases"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    (folder / name).write_bytes(data)
    [file] = list_landing(root, "purchases")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "PART_BYTES", size)
        content = read_file(file)
        with open_file(file) as opened:
            parts = list(read_parts(content, opened, PURCHASES))
    frames, before = [], 0
    for part in parts:
        frames.append(part.read.records.with_columns(_pos=pl.col("_pos") + before))
        before += part.read.records.height
    return pl.concat(frames)


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


SPELLINGS: list[Callable[[str], str]] = [
    str,
    str.upper,
    str.title,
    camel,
    lambda name: camel(name).capitalize(),
    lambda name: name.replace("_", " "),
    lambda name: name.replace("_", " ").title(),
    lambda name: name.replace("_", "-"),
    lambda name: name.replace("_", ""),
    lambda name: f"  {name} ",
    lambda name: name.replace("_", "\u00a0"),
    lambda name: name.replace("_", " - "),
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(SPELLINGS), min_size=12, max_size=12), st.data())
def test_any_spelling_of_a_name_means_its_column(
    spellings: list[Callable[[str], str]], data: st.DataObject
) -> None:
    for source in SOURCES:
        names = data.draw(st.permutations(list(source.columns)))
        spelt = [spell(name) for spell, name in zip(spellings, names, strict=False)]
        assert match_column_names(spelt, source) == names[: len(spelt)]


def test_no_two_columns_of_a_source_are_one_name_in_another_spelling() -> None:
    for source in SOURCES:
        upper = [name.upper().replace("_", " ") for name in source.columns]
        assert match_column_names(upper, source) == list(source.columns)


def test_a_refused_header_shows_the_names_that_it_has() -> None:
    assert refusal("Orders of May\norder_no,client,when,total\n1,2,3,4\n").endswith(
        "; it has order_no, client, when, total"
    )
    assert refusal("order_id,cust\x1b[2Jomer,\u202ex\n").endswith(
        r"; it has order_id, cust\x1b[2Jomer, \u202ex"
    )
    assert refusal("H1,ada@example.org,1.00\n").endswith("; it has H1, …@…, 1.00")
    many = ",".join(f"column_{n}" for n in range(500))
    assert refusal(many).endswith("column_19 and 480 more")
    assert len(refusal("x" * 10_000 + ",y")) < 250


def test_fields_without_a_name_at_the_end_are_no_columns() -> None:
    for extra in (",", ",,,", ", ,"):
        text = "".join(f"{line}{extra}\n" for line in (HEADER, "o1,C1,2024-02-01,10.00"))
        found = read_records(Content("csv", "f", text.encode()), PURCHASES)
        assert found.unknown == []
        assert found.records.select(
            "order_id", "purchase_amount", "_status", "_rescued"
        ).rows() == [("o1", "10.00", "ok", None)]


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_value_in_a_field_without_a_name_is_a_field_too_many(quote: str) -> None:
    def row(*fields: str) -> str:
        return ",".join(f"{quote}{field}{quote}" for field in fields) + "\n"

    text = (
        f"{HEADER},,\n"
        + row("o1", "C1", "2024-02-01", "10", "05", "")
        + row("o2", "C1", "2024-02-01", "10", "", "")
        + row("o3", "C1", "2024-02-01", "10")
        + row("o4", "C1", "2024-02-01", "10", "")
        + row("o5", "C1", "2024-02-01", "10", "", "", "")
        + row("o6", "C1", "2024-02-01")
        + row("o7", "", "", "", "", "")
    )
    assert read(text)["_error_code"].to_list() == [
        "TOO_MANY_FIELDS",
        None,
        None,
        "TOO_MANY_FIELDS",
        "TOO_MANY_FIELDS",
        "TOO_FEW_FIELDS",
        None,
    ]


def test_a_field_without_a_name_before_others_goes_by_its_place() -> None:
    found = read(f",{HEADER},,tier\n0,o1,C1,2024-02-01,10,,gold\n")
    assert json.loads(found["_rescued"][0]) == {"column 1": "0", "column 6": "", "tier": "gold"}


@pytest.mark.parametrize(
    "again",
    ["customer_id,Full Name,city", '"customer_id","Full Name","city"', "\ufeffcustomer_id,,city"],
)
def test_a_header_among_the_records_is_malformed(again: str) -> None:
    text = f"customer_id,Full Name,city\n1,a,b\n{again}\n2,c,d\ncustomer_id,x,y\nname,name,z\n"
    frame = read_records(Content("csv", "f", text.encode()), CUSTOMERS).records
    assert frame.select("customer_id", "_error_code", "_error", "_raw").rows() == [
        ("1", None, None, None),
        (None, "MALFORMED", "the header again", again),
        ("2", None, None, None),
        ("customer_id", None, None, None),
        ("name", None, None, None),
    ]


def test_small_files_with_a_preamble_are_read_each_as_by_itself() -> None:
    texts = [f"sep=,\n{HEADER}\no{n},C1,2024-02-01,{n}\n" for n in range(3)]
    texts += [f"{HEADER}\no{n},C1,2024-02-01,{n}\n" for n in range(3)]
    contents = [Content("csv", str(n), text.encode()) for n, text in enumerate(texts)]
    for found, content in zip(read_all(contents, PURCHASES), contents, strict=True):
        assert not isinstance(found, FileRefusedError)
        assert_frame_equal(found.records, read_records(content, PURCHASES).records)
        assert found.records.height == 1
