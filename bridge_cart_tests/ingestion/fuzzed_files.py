"""Files of any bytes, and files that are nearly right, for tests that try many of them."""

import gzip
import io
import json
from collections.abc import Mapping

import polars as pl
from hypothesis import strategies as st

from bridge_cart_tests.ingestion.workbook_files import workbook

Fuzzed = tuple[str, str, bytes]

_LINES: list[dict[str, object]] = [
    {"order_id": "O1", "line_number": 1, "customer_id": "C1", "purchase_date": "2024-01-01",
     "purchase_amount": "1.250,50", "status": "completed", "email": "a@example.org"},
    {"order_id": "O1", "line_number": None, "customer_id": None, "purchase_date": "01/02/24",
     "purchase_amount": "(3)", "status": "refunded", "email": None},
    {"order_id": "O2", "line_number": 7, "customer_id": "='00123'", "purchase_date": 1704067200,
     "purchase_amount": "€ 5", "status": "void", "email": "<b@example.org>"},
]  # fmt: skip
_PROFILES: list[dict[str, object]] = [
    {"customer_id": "C1", "name": 'Ada "A" N', "email": "a@example.org", "mobile": "07700 900123",
     "age": 41, "income": "52.000", "country": "UK", "signup_date": "2023-11-05"},
    {"customer_id": "C2", "name": "Zoë", "email": None, "mobile": "+46 70 1234567",
     "age": "old", "income": None, "country": "NA", "signup_date": "25-Dec-2023 10:00"},
]  # fmt: skip
_ORDERS = [
    {"id": 1, "name": "#1001", "created_at": "2024-01-01T10:00:00Z", "currency": "EUR",
     "customer": {"id": 7}, "email": "a@example.org", "financial_status": "paid",
     "line_items": [{"id": 1, "price": "5.00", "quantity": 2}], "refunds": [],
     "discount_applications": [], "total_discounts": "1.00"},
]  # fmt: skip
_WOO = [
    {"id": 5, "number": "5", "date_created_gmt": "2024-01-01T10:00:00", "status": "processing",
     "customer_id": 0, "billing": {"email": "a@example.org"}, "currency": "EUR",
     "line_items": [{"id": 1, "total": "5.00", "subtotal": "6.00", "quantity": 2}], "refunds": []},
]  # fmt: skip
_RETAIL = (
    "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
    "536365,85123A,HEART,6,12/1/2010 8:26,2.55,17850.0,United Kingdom\n"
    "C5,D,Discount,-1,12/1/2010 9:41,27.5,,France\n"
)
_SHOPIFY = (
    "Name,Email,Financial Status,Created at,Lineitem quantity,Lineitem price,Discount Amount\n"
    "#1,a@example.org,paid,2024-01-05 10:00:00 +0100,1,5.00,1.00\n#1,,,,2,2.50,\n"
)


def _delimited(rows: list[dict[str, object]], separator: str) -> str:
    lines = [separator.join(rows[0])]
    lines += [separator.join("" if v is None else f'"{v}"' for v in row.values()) for row in rows]
    return "\r\n".join(lines)


def _seeds(rows: list[dict[str, object]]) -> dict[str, bytes]:
    texts = [{k: None if v is None else str(v) for k, v in row.items()} for row in rows]
    parquet = io.BytesIO()
    pl.DataFrame(texts).write_parquet(parquet)
    sheet = [list(rows[0]), *([*row.values()] for row in rows)]
    return {
        "csv": _delimited(rows, ",").encode(),
        "tsv": ("Report\n\n" + _delimited(rows, "\t")).encode("utf-16"),
        "txt": ("sep=;\n" + _delimited(rows, ";")).encode("cp1252"),
        "ndjson": "\n".join(map(json.dumps, rows)).encode(),
        "json": json.dumps(rows, indent=1).encode(),
        "parquet": parquet.getvalue(),
        "xlsx": workbook({"Sheet": sheet}),  # type: ignore[dict-item]
    }


_SEEDS: Mapping[str, Mapping[str, bytes]] = {
    "purchases": _seeds(_LINES),
    "customers": _seeds(_PROFILES),
    "online_retail": {"csv": _RETAIL.encode()},
    "shopify_orders": {"csv": _SHOPIFY.encode()},
    "shopify_api_orders": {"ndjson": "\n".join(map(json.dumps, _ORDERS)).encode()},
    "woocommerce_orders": {"json": json.dumps(_WOO).encode()},
}
_TOKENS = (
    *(b"\n", b"\r", b"\r\n", b'"', b'""', b",", b";", b"\t", b"|", b"\0", b"\x1a", b"\\", b"'"),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90"),
    *(b"[", b"]", b"{", b"}", b":", b"null", b"NaN", b"1e999", b"-0", b"[[[[[[", b'{"a":{"a":'),
    *(b"9" * 40, b"2024-02-30", b"0000-00-00", b"99999999999999", b"-1,5", b"1.234", b"=cmd|x"),
    *(
        b"\\ud800",
        b"\\u0000",
        "\u202e".encode(),
        "\u200b".encode(),
        b"sep=\n",
        b"PK\x03\x04",
        b"PAR1",
    ),
    *(b"\x1f\x8b\x08", b"<html>", b"order_id", b"customer_id,customer_id", b"line_items", b"a@b"),
)
_PLACES = st.integers(0, 4000)


@st.composite
def _nearly_right(draw: st.DrawFn) -> Fuzzed:
    """A right file of which some bytes were taken, repeated, changed or put in."""
    source = draw(st.sampled_from(sorted(_SEEDS)))
    ending = draw(st.sampled_from(sorted(_SEEDS[source])))
    data = bytearray(_SEEDS[source][ending])
    for _ in range(draw(st.integers(0, 5))):
        at, size = draw(_PLACES) % (len(data) + 1), draw(st.integers(0, 40))
        match draw(st.integers(0, 4)):
            case 0:
                del data[at : at + size]
            case 1:
                data[at:at] = data[at : at + size] * draw(st.integers(1, 20))
            case 2:
                data[at:at] = draw(st.sampled_from(_TOKENS))
            case 3:
                data[at : at + 1] = draw(st.binary(min_size=1, max_size=4))
            case _:
                del data[at:]
    return source, ending, bytes(data)


_ANY_BYTES = st.tuples(
    st.sampled_from(sorted(_SEEDS)),
    st.sampled_from(["csv", "tsv", "txt", "ndjson", "jsonl", "json", "parquet", "xlsx"]),
    st.one_of(
        st.binary(max_size=400),
        st.lists(st.sampled_from(_TOKENS), max_size=40).map(b"".join),
        _nearly_right().map(lambda fuzzed: fuzzed[2]),
    ),
)


@st.composite
def fuzzed_files(draw: st.DrawFn) -> Fuzzed:
    """A source, the ending of a file's name, and its bytes."""
    source, ending, data = draw(st.one_of(_nearly_right(), _nearly_right(), _ANY_BYTES))
    if ending not in ("parquet", "xlsx") and draw(st.integers(0, 5)) == 0:
        packed = bytearray(gzip.compress(data, mtime=0))
        if draw(st.booleans()):
            at = draw(_PLACES) % len(packed)
            packed[at : at + draw(st.integers(0, 8))] = draw(st.binary(max_size=6))
        return source, f"{ending}.gz", bytes(packed)
    return source, ending, data
