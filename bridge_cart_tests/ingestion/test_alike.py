"""Small files that are written alike are read in one go, with the result of one by one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from bridge_cart_assets.ingestion import readers
from bridge_cart_assets.ingestion.files import Content, FileRefusedError
from bridge_cart_assets.ingestion.raw_rows import ParsedRecords
from bridge_cart_assets.ingestion.readers import read_all, read_records
from bridge_cart_assets.sources.customers import CUSTOMERS
from bridge_cart_tests.faults.extent import EXAMPLES

HEADER = b"customer_id,name,tier\n"


def csv(*bodies: bytes, header: bytes = HEADER) -> list[Content]:
    return [Content("csv", str(n), header + body) for n, body in enumerate(bodies)]


def one_by_one(contents: list[Content]) -> list[ParsedRecords | FileRefusedError]:
    found: list[ParsedRecords | FileRefusedError] = []
    for content in contents:
        try:
            found.append(read_records(content, CUSTOMERS))
        except FileRefusedError as refusal:
            found.append(refusal)
    return found


def assert_equal(
    found: list[ParsedRecords | FileRefusedError], wanted: list[ParsedRecords | FileRefusedError]
) -> None:
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        if isinstance(one, FileRefusedError) or isinstance(other, FileRefusedError):
            assert (type(one), str(one)) == (type(other), str(other))
        else:
            assert_frame_equal(one.records, other.records)
            assert (one.unknown, one.missing) == (other.unknown, other.missing)


PIECE = st.sampled_from(
    [b"1,Anna,gold", b"2,b", b"3,c,d,e", b"", b" ", b",,", b'4,"x', b'y",z', b'5,"d, e",f']
)
PLACE = st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b"\n\n"])
BODY = st.lists(st.tuples(PIECE, PLACE), max_size=4).map(
    lambda parts: b"".join(piece + end for piece, end in parts)
)
LAST = st.sampled_from([b"", b"5,e,f", b"6,\xc3\xa9,f", b"7,\xff,f", b'8,"a""b",c'])
MARKED = b"\xef\xbb\xbf" + HEADER
BEGIN = st.sampled_from([HEADER, HEADER, HEADER, MARKED, b"customer_id;name\n", b"name\n", b""])


@settings(max_examples=EXAMPLES or 50, deadline=None)
@given(st.lists(st.tuples(BEGIN, BODY, LAST), max_size=6))
def test_whatever_they_say_each_file_is_read_as_by_itself(
    parts: list[tuple[bytes, bytes, bytes]],
) -> None:
    contents = [Content("csv", str(n), b"".join(part)) for n, part in enumerate(parts)]
    assert_equal(read_all(contents, CUSTOMERS), one_by_one(contents))


def test_files_with_one_header_are_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    def counted(*args: object) -> ParsedRecords:
        nonlocal calls
        calls += 1
        return read_records(*args)  # type: ignore[arg-type]

    contents = csv(b"1,a,x\n", b"", b"\n", b'2,"b, d"', "3,Zoë,y\n4,d\n".encode())
    wanted = one_by_one(contents)
    monkeypatch.setattr(readers, "read_records", counted)
    found = read_all(contents, CUSTOMERS)
    assert calls == 1
    assert_equal(found, wanted)
    heights = [read.records.height for read in found if isinstance(read, ParsedRecords)]
    assert heights == [1, 0, 1, 1, 2]


def test_an_open_quote_does_not_reach_into_the_next_file() -> None:
    found = read_all(csv(b'1,"a,x\n', b'2,b",y\n'), CUSTOMERS)
    codes = [
        read.records["_error_code"].to_list() for read in found if isinstance(read, ParsedRecords)
    ]
    assert codes == [["MALFORMED"], [None]]


def test_files_that_are_refused_are_refused_each() -> None:
    found = read_all(csv(b"1\n", b"2\n", header=b"name\n"), CUSTOMERS)
    assert [str(refusal) for refusal in found] == [
        "without the required column customer_id; it has name",
        "without the required column customer_id; it has name",
    ]
