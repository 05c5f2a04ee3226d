"""A corpus of bad files as data: what lies in each, and what has to become of every record.

The expectations follow docs/landing.md and the rule that a record is either taken as it was
written or quarantined with its bytes.
"""

import gzip
import io
import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

# What a packed file may unpack to in the test; the real limit would take seconds to reach.
UNPACKED_LIMIT = 20 * 1024**2
LONGEST = 8 * 1024**2
NOT_THERE_YET = "not there yet"
# Columns in which a readable record's values are compared.
COMPARED = {
    "customers": ("customer_id", "name", "city"),
    "purchases": ("order_id", "customer_id", "purchase_amount"),
    "online_retail": ("InvoiceNo", "Description", "CustomerID"),
}
HEADER = b"customer_id,name,city\n"
ORDERS = b"order_id,customer_id,purchase_date,purchase_amount,quantity\n"
RETAIL = b"InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"


@dataclass(frozen=True)
class Record:
    """What has to become of one record.

    Attributes:
        verdict: ok, blank, or the reason for which it is refused.
        values: what a readable record says, in the compared columns.
        raw: bytes of one that cannot be read (of UTF-16 its text in UTF-8, if it is text).
        rescued: values of unknown columns.
    """

    verdict: str
    values: tuple[str | None, ...] | None = None
    raw: bytes | None = field(default=None, repr=False)
    rescued: dict[str, Any] | None = None


@dataclass(frozen=True)
class BadFile:
    """One file and what is expected of it.

    Attributes:
        sentence: what is wrong with it.
        name: its file name.
        data: its bytes.
        expected: its records, a refusal's code, or NOT_THERE_YET.
        source: the source that it is landed for.
        kind: file, folder, pipe, link (to a file) or folder link.
        alone: whether it gets a lake of its own, because it stops the whole intake.
    """

    sentence: str
    name: str
    data: bytes = field(repr=False)
    expected: str | list[Record]
    source: str = "customers"
    kind: str = "file"
    alone: bool = False


def ok(*values: str | None, rescued: dict[str, Any] | None = None) -> Record:
    """A record that is taken; values that are not named are null."""
    return Record("ok", (*values, *[None] * (3 - len(values))), None, rescued)


def bad(reason: str, raw: bytes | str) -> Record:
    """A record that cannot be read."""
    return Record(reason, raw=raw.encode() if isinstance(raw, str) else raw)


def senseless(reason: str, *values: str | None) -> Record:
    """A record that can be read and is refused for what it says."""
    return Record(reason, (*values, *[None] * (3 - len(values))))


BLANK = Record("blank")
GOOD = ok("2", "b", "c")
GOOD_LINE = b"2,b,c\n"


def _csv(
    sentence: str, body: bytes | str, *records: Record, header: bytes = HEADER, **more: Any
) -> BadFile:
    data = header + (body.encode() if isinstance(body, str) else body)
    name = more.pop("name", "bad.csv")
    return BadFile(sentence, name, data, list(records), **more)


def _orders(sentence: str, body: bytes, *records: Record) -> BadFile:
    return BadFile(sentence, "bad.csv", ORDERS + body, list(records), "purchases")


def _json(sentence: str, body: bytes | str, *records: Record, **more: Any) -> BadFile:
    data = body.encode() if isinstance(body, str) else body
    return BadFile(sentence, more.pop("name", "bad.ndjson"), data, list(records), **more)


def _as_parquet(**columns: Any) -> bytes:
    data = io.BytesIO()
    pl.DataFrame(columns).write_parquet(data)
    return data.getvalue()


def _parquet(sentence: str, columns: dict[str, Any], *records: Record, **more: Any) -> BadFile:
    return BadFile(sentence, "bad.parquet", _as_parquet(**columns), list(records), **more)


def _refused(sentence: str, name: str, data: bytes, reason: str, **more: Any) -> BadFile:
    return BadFile(sentence, name, data, reason, **more)


def _person(number: int, **more: Any) -> str:
    return json.dumps({"customer_id": str(number), "name": "b", "city": "c", **more}) + "\n"


_FIELDS = [
    _csv(
        "short rows",
        "1,a\n2,b,c\n3\n",
        bad("TOO_FEW_FIELDS", "1,a"),
        GOOD,
        bad("TOO_FEW_FIELDS", "3"),
    ),
    _csv(
        "long rows",
        "1,a,b,c\n2,b,c\n3,,,,\n",
        bad("TOO_MANY_FIELDS", "1,a,b,c"),
        GOOD,
        bad("TOO_MANY_FIELDS", "3,,,,"),
    ),
    _csv(
        "short and long rows with quotes",
        '1,"a"\n2,b,c\n"3",d,e,f\n',
        bad("TOO_FEW_FIELDS", '1,"a"'),
        GOOD,
        bad("TOO_MANY_FIELDS", '"3",d,e,f'),
    ),
    _csv(
        "rows of delimiters only",
        ",,\n2,b,c\n,\n",
        BLANK,
        GOOD,
        BLANK,
    ),
    _csv(
        "blank lines of every kind",
        "\n1,a,b\n   \n\t\n\r\n2,b,c\n\n\n",
        BLANK,
        ok("1", "a", "b"),
        BLANK,
        BLANK,
        BLANK,
        GOOD,
        BLANK,
        BLANK,
    ),
    _csv("no line end after the last record", "1,a,b\n2,b,c", ok("1", "a", "b"), GOOD),
    _csv(
        "no line end after a last record that is short",
        "2,b,c\n3,d",
        GOOD,
        bad("TOO_FEW_FIELDS", "3,d"),
    ),
    _csv(
        "values of blanks",
        " 1 , a ,\n  ,x,y\n2,b,c\n",
        ok(" 1 ", " a ", ""),
        senseless("MISSING_CUSTOMER_ID", "  ", "x", "y"),
        GOOD,
    ),
]

_LINE_ENDS = [
    _csv(
        "lines that end in CR only",
        "1,a,b\r\r2,b,c\r3,d\r",
        ok("1", "a", "b"),
        BLANK,
        GOOD,
        bad("TOO_FEW_FIELDS", "3,d"),
        header=HEADER.replace(b"\n", b"\r"),
    ),
    _csv(
        "lines that end in LF and CRLF by turns",
        "1,a,b\r\n2,b,c\n3,d\r\n",
        ok("1", "a", "b"),
        GOOD,
        bad("TOO_FEW_FIELDS", "3,d"),
    ),
    _csv("one CR among LF", "1,a,b\r9,x,y\n2,b,c\n", bad("TOO_MANY_FIELDS", "1,a,b\r9,x,y"), GOOD),
    _csv(
        "one CR among LF in a file of one column",
        "1\r9\n2\n",
        bad("MALFORMED", "1\r9"),
        ok("2"),
        header=b"customer_id\n",
    ),
    _csv(
        "lines that end in CR CR LF",
        '1,a,b\r\r\n"2",b,"c"\r\r\n',
        ok("1", "a", "b\r"),
        GOOD,
        header=HEADER.replace(b"\n", b"\r\r\n"),
    ),
    _refused(
        "a header that ends in CR above lines that end in LF",
        "bad.csv",
        b"customer_id,name,city\r1,a,b\n2,b,c\n",
        "HEADER_MISMATCH",
        alone=True,
    ),
    _csv(
        "a quoted LF in lines that end in CR",
        '1,"a\nb",c\r2,b,c\r',
        ok("1", "a\nb", "c"),
        GOOD,
        header=HEADER.replace(b"\n", b"\r"),
        alone=True,
    ),
    _csv(
        "a quoted CRLF",
        '1,"a\r\nb",c\r\n2,b,c\r\n',
        ok("1", "a\r\nb", "c"),
        GOOD,
        header=HEADER.replace(b"\n", b"\r\n"),
    ),
    _csv(
        "a line separator of Unicode within a value",
        "1,a\u2028\x85\x0b\x0cb,c\n2,b,c\n",
        ok("1", "a\u2028\x85\x0b\x0cb", "c"),
        GOOD,
    ),
]

_QUOTES = [
    _csv(
        "an unclosed quote in the middle",
        '1,"a,b\n2,b,c\n3,d,e\n',
        bad("MALFORMED", '1,"a,b'),
        GOOD,
        ok("3", "d", "e"),
    ),
    _csv("an unclosed quote in the last line", '2,b,c\n3,"d,e\n', GOOD, bad("MALFORMED", '3,"d,e')),
    _csv("an unclosed quote at the very end", '2,b,c\n3,d,"', GOOD, bad("MALFORMED", '3,d,"')),
    _csv(
        "two unclosed quotes",
        '1,"a,b\n2,b,c\n3,"d,e\n4,f,g\n',
        bad("MALFORMED", '1,"a,b'),
        GOOD,
        bad("MALFORMED", '3,"d,e'),
        ok("4", "f", "g"),
    ),
    _csv(
        "an unclosed quote before a quoted line break",
        '1,"a,b\n2,b,c\n3,"d\nd",e\n4,f,g\n',
        bad("MALFORMED", '1,"a,b'),
        GOOD,
        ok("3", "d\nd", "e"),
        ok("4", "f", "g"),
    ),
    _csv("text behind a closing quote", '1,"a"x,b\n2,b,c\n', bad("MALFORMED", '1,"a"x,b'), GOOD),
    _csv(
        "quotes within unquoted values",
        '1,5" nail,6" pipe\n2,b,c\n3,7" nut,d\n',
        ok("1", '5" nail', '6" pipe'),
        GOOD,
        ok("3", '7" nut', "d"),
    ),
    _csv(
        "quoted delimiters and doubled quotes",
        '1,"Berg, ""A""",""\n2,b,c\n"3","""",x\n',
        ok("1", 'Berg, "A"', ""),
        GOOD,
        ok("3", '"', "x"),
    ),
    _csv(
        "quoted line breaks that look like records",
        '1,"x\n9,y,z\n\n9,y,z",c\n2,b,c\n',
        ok("1", "x\n9,y,z\n\n9,y,z", "c"),
        GOOD,
    ),
    _csv(
        "line breaks in two quoted values of a record",
        '1,"a\nb","c\nd"\n2,b,c\n',
        ok("1", "a\nb", "c\nd"),
        GOOD,
    ),
    _csv(
        "a quoted value of 1,200 lines that look like records",
        '1,"x' + "\n9,y,z" * 1200 + '",c\n2,b,c\n',
        ok("1", "x" + "\n9,y,z" * 1200, "c"),
        GOOD,
    ),
    _csv(
        "a quoted line of 200 kB",
        '1,"' + "a" * 200_000 + '",b\n2,b,c\n',
        ok("1", "a" * 200_000, "b"),
        GOOD,
        alone=True,
    ),
    _csv(
        "a quoted line break in a value of 200 kB",
        '1,"' + "a" * 200_000 + '\nb",c\n2,b,c\n',
        ok("1", "a" * 200_000 + "\nb", "c"),
        GOOD,
        alone=True,
    ),
]

_ENCODINGS = [
    _csv(
        "NUL bytes",
        b'1,a\0b,c\n2,b,c\n"3",\0,"d\0"\n\0\n',
        ok("1", "a\0b", "c"),
        GOOD,
        ok("3", "\0", "d\0"),
        bad("TOO_FEW_FIELDS", b"\0"),
    ),
    _csv(
        "a byte-order mark of UTF-8",
        "1,Zoë,b\n",
        ok("1", "Zoë", "b"),
        header=b"\xef\xbb\xbf" + HEADER,
    ),
    _csv(
        "UTF-16, little end first",
        "\ufeffcustomer_id,name,city\n1,Zoë,東\n\n3,d\n".encode("utf-16-le"),
        ok("1", "Zoë", "東"),
        BLANK,
        bad("TOO_FEW_FIELDS", "3,d"),
        header=b"",
    ),
    _csv(
        "UTF-16, big end first",
        "\ufeffcustomer_id,name,city\r\n1,Zoë,東\r\n".encode("utf-16-be"),
        ok("1", "Zoë", "東"),
        header=b"",
    ),
    _refused(
        "UTF-16 without a mark, little end first",
        "bad.csv",
        "customer_id,name\n1,a\n".encode("utf-16-le"),
        "UNREADABLE",
    ),
    _refused(
        "UTF-16 without a mark, big end first",
        "bad.csv",
        "customer_id,name\n1,a\n".encode("utf-16-be"),
        "UNREADABLE",
    ),
    _refused("UTF-32", "bad.csv", "customer_id,name\n1,a\n".encode("utf-32"), "UNREADABLE"),
    _csv(
        "half a character in UTF-16",
        "\ufeffcustomer_id,name,city\n".encode("utf-16-le")
        + b"1\0,\0\x00\xd8,\0x\0\n\0"
        + "2,b,c\n".encode("utf-16-le"),
        Record("BAD_ENCODING"),
        GOOD,
        header=b"",
    ),
    _csv(
        "UTF-16 that ends within a character",
        "\ufeffcustomer_id,name,city\n2,b,c\n3,d,eé".encode("utf-16-le")[:-1],
        GOOD,
        Record("BAD_ENCODING"),
        header=b"",
    ),
    _csv(
        "bytes of Latin-1",
        b"1,Zo\xeb,b\n2,b,c\n3,\xe9",
        bad("BAD_ENCODING", b"1,Zo\xeb,b"),
        GOOD,
        bad("BAD_ENCODING", b"3,\xe9"),
    ),
    _csv("overlong UTF-8", b"1,\xc0\xaf,b\n2,b,c\n", bad("BAD_ENCODING", b"1,\xc0\xaf,b"), GOOD),
    _csv(
        "surrogates in UTF-8",
        b"1,\xed\xa0\x80,b\n2,b,c\n",
        bad("BAD_ENCODING", b"1,\xed\xa0\x80,b"),
        GOOD,
    ),
    _csv(
        "a character of UTF-8 cut off at the end",
        b"2,b,c\n3,d,\xe2\x82",
        GOOD,
        bad("BAD_ENCODING", b"3,d,\xe2\x82"),
    ),
    _csv(
        "Latin-1 on the line of a quote that closes below",
        b'1,"\xeb\nb",x\n2,b,c\n',
        bad("BAD_ENCODING", b'1,"\xeb'),
        bad("TOO_FEW_FIELDS", b'b",x'),
        GOOD,
    ),
    _csv(
        "Latin-1 and UTF-8 in one record over three lines",
        '1,"Zoë\n'.encode() + b'\xeb\nb",x\n2,b,c\n',
        bad("BAD_ENCODING", '1,"Zoë\n'.encode() + b'\xeb\nb",x'),
        GOOD,
    ),
    _csv(
        "Latin-1 in the header",
        b"1,a,12\n",
        ok("1", "a", rescued={"Größe": "12"}),
        header="customer_id,name,Größe\n".encode("latin-1"),
    ),
]

_HEADERS = [
    _refused("no header", "bad.csv", b"1,a,b\n2,b,c\n", "HEADER_MISMATCH"),
    _refused("an empty CSV file", "bad.csv", b"", "HEADER_MISMATCH"),
    _refused("a CSV file of one line end", "bad.csv", b"\n", "HEADER_MISMATCH"),
    _csv("only a header", b""),
    _csv("only a header, without a line end", b"", header=b"customer_id,name,city,age"),
    _refused(
        "a header without a required column", "bad.csv", b"name,city\na,b\n", "HEADER_MISMATCH"
    ),
    _refused(
        "a header that names a column twice",
        "bad.csv",
        b"customer_id,name,name\n1,a,b\n",
        "HEADER_MISMATCH",
    ),
    _refused(
        "a header with two spellings of a column, and neither is its own",
        "bad.csv",
        b"customer_id,Name,NAME\n1,a,b\n",
        "HEADER_MISMATCH",
    ),
    _csv(
        "a header with a column's own name and another spelling of it",
        b"1,x,b\n",
        ok("1", "b", rescued={"NAME": "x"}),
        header=b"customer_id,NAME,name\n",
    ),
    _refused(
        "a header that names an unknown column twice",
        "bad.csv",
        b"customer_id,tier,tier\n1,a,b\n",
        "HEADER_MISMATCH",
    ),
    _csv(
        "a header in other case, other order, with blanks and quotes",
        b"c,1,b\n",
        ok("1", "b", "c"),
        header=b' CITY,Customer_Id ,"NAME"\n',
    ),
    _csv(
        "a header without an optional column", b"1\n2\n", ok("1"), ok("2"), header=b"CUSTOMER_ID\n"
    ),
    _csv(
        "unknown columns",
        b'1,gold,12\n2,,"1,5"\n',
        ok("1", rescued={"tier": "gold", "Ø": "12"}),
        ok("2", rescued={"tier": "", "Ø": "1,5"}),
        header="customer_id,tier,Ø\n".encode(),
    ),
    _csv(
        "unknown columns with names of our own",
        b"1,a,b,c\n",
        ok("1", rescued={"_pos": "a", "_status": "b", "_rescued": "c"}),
        header=b"customer_id,_pos,_status,_rescued\n",
    ),
    _csv(
        "a name with a NUL byte in the header",
        b"1,x\n",
        ok("1", rescued={"\0text": "x"}),
        header=b"customer_id,\0text\n",
        alone=True,
    ),
    _csv(
        "a line break in the header",
        "1,a,b\n",
        ok("1", None, "b", rescued={"full\nname": "a"}),
        header=b'customer_id,"full\nname",city\n',
    ),
    _csv(
        "a delimiter at the end of the header",
        b'1,a,\n2,b\n3,c,d\n"4",e, \n5\n',
        ok("1", "a"),
        ok("2", "b"),
        bad("TOO_MANY_FIELDS", "3,c,d"),
        ok("4", "e"),
        bad("TOO_FEW_FIELDS", "5"),
        header=b"customer_id,name,\n",
    ),
    _csv(
        "columns without a name before others",
        b"0,1,x\n",
        ok("1", rescued={"column 1": "0", "tier": "x"}),
        header=b",customer_id,tier\n",
    ),
    _csv(
        "the header again among the records",
        b'1,a,b\ncustomer_id,name,city\n2,b,c\n"customer_id","name",city\n3,name,city\n',
        ok("1", "a", "b"),
        bad("MALFORMED", "customer_id,name,city"),
        GOOD,
        bad("MALFORMED", '"customer_id","name",city'),
        ok("3", "name", "city"),
    ),
    _csv(
        "blank lines and a preamble above the header",
        b"1,a,b\n\n",
        ok("1", "a", "b"),
        BLANK,
        header=b'\n"Export of\n2024",,\n\n' + HEADER,
    ),
    _csv(
        "semicolons",
        b"1;12,50;b\n2;b;c\n3,d,e\n",
        ok("1", "12,50", "b"),
        GOOD,
        bad("TOO_FEW_FIELDS", "3,d,e"),
        header=HEADER.replace(b",", b";"),
    ),
    _csv(
        "tabs",
        b'1\ta, b\t"c\td"\n2\tb\tc\n',
        ok("1", "a, b", "c\td"),
        GOOD,
        header=HEADER.replace(b",", b"\t"),
    ),
    _csv(
        "bars",
        b"1|a|b|c\n2|b|c\n",
        bad("TOO_MANY_FIELDS", "1|a|b|c"),
        GOOD,
        header=HEADER.replace(b",", b"|"),
    ),
    _refused(
        "a first line of 200 kB",
        "bad.csv",
        b"x" * 200_000 + b"\n1,a,b\n",
        "HEADER_MISMATCH",
        alone=True,
    ),
    _refused(
        "binary rubbish",
        "bad.csv",
        b'\x89PNG\0\rIHDR,\xff"\0\n\n\x01\x02',
        "UNREADABLE",
        alone=True,
    ),
]

_LONG = [
    _csv(
        "a line of 8 MiB and one of a byte more",
        b"1," + b"x" * (LONGEST - 4) + b",y\n3," + b"x" * (LONGEST - 3) + b",y\n2,b,c\n",
        ok("1", "x" * (LONGEST - 4), "y"),
        bad("LINE_TOO_LONG", b"3," + b"x" * (LONGEST - 3) + b",y"),
        GOOD,
    ),
    _csv(
        "a line of 5 MB of Latin-1",
        b"1," + b"\xe9" * 5_000_000 + b",y\n2,b,c\n",
        bad("BAD_ENCODING", b"1," + b"\xe9" * 5_000_000 + b",y"),
        GOOD,
    ),
    _json(
        "a JSON line longer than 8 MiB",
        _person(2) + '{"name": "' + "x" * LONGEST + '"}\n',
        GOOD,
        bad("LINE_TOO_LONG", '{"name": "' + "x" * LONGEST + '"}'),
    ),
]

_VALUES = [
    _orders(
        "numbers that are none",
        b"O1,1,2024-01-01,1e400,1\nO2,1,2024-01-01,NaN,1\n"
        b"O3,1,2024-01-01,inf,1\nO4,1,2024-01-01,1e2,1\nO5,1,2024-01-01,12,0.0\n"
        b"O6,1,2024-01-01,0.004,1.5\nO7,1,2024-01-01,99999999999999999999,1\n",
        senseless("BAD_AMOUNT", "O1", "1", "1e400"),
        senseless("MISSING_AMOUNT", "O2", "1", "NaN"),
        senseless("BAD_AMOUNT", "O3", "1", "inf"),
        ok("O4", "1", "1e2"),
        senseless("BAD_QUANTITY", "O5", "1", "12"),
        ok("O6", "1", "0.004"),
        senseless("BAD_AMOUNT", "O7", "1", "99999999999999999999"),
    ),
    _orders(
        "values that are not there",
        b",1,2024-01-01,1,1\nO1,,2024-01-01,1,1\nO2,1,,1,1\n"
        b"O3,1,2024-01-01,,1\nO4,1,2024-02-30,1,1\nO5,1,2199-01-01,1,1\nO6,1,2024-01-01,1,1\n",
        senseless("MISSING_ORDER_ID", "", "1", "1"),
        ok("O1", "", "1"),
        senseless("MISSING_DATE", "O2", "1", "1"),
        senseless("MISSING_AMOUNT", "O3", "1", ""),
        senseless("BAD_DATE", "O4", "1", "1"),
        senseless("FUTURE_DATE", "O5", "1", "1"),
        ok("O6", "1", "1"),
    ),
    _orders(
        "the same line twice and once with another amount",
        b"O1,1,2024-01-01,5,1\nO1,1,2024-01-01,7,1\nO1,1,2024-01-01,7,1\n"
        b"O1,1,2024-01-01,x,1\nO1,1,2024-01-01,x,1\n",
        ok("O1", "1", "5"),
        ok("O1", "1", "7"),
        ok("O1", "1", "7"),
        senseless("BAD_AMOUNT", "O1", "1", "x"),
        senseless("BAD_AMOUNT", "O1", "1", "x"),
    ),
    BadFile(
        "numbers in JSON",
        "bad.ndjson",
        b'{"order_id":1,"customer_id":1,"purchase_date":"2024-01-01","purchase_amount":1e400}\n'
        b'{"order_id":2,"customer_id":1,"purchase_date":20240101,"purchase_amount":12.50}\n'
        b'{"order_id":3,"customer_id":1,"purchase_date":"2024-01-01","purchase_amount":NaN}\n'
        b'{"order_id":4,"customer_id":1,"purchase_date":"2024-01-01",'
        b'"purchase_amount":-Infinity}\n'
        b'{"order_id":123456789012345678901234567890,"customer_id":1,"purchase_date":1704067200,'
        b'"purchase_amount":1}\n',
        [
            senseless("BAD_AMOUNT", "1", "1", "1e400"),
            ok("2", "1", "12.50"),
            senseless("MISSING_AMOUNT", "3", "1", "NaN"),
            senseless("BAD_AMOUNT", "4", "1", "-Infinity"),
            ok("123456789012345678901234567890", "1", "1"),
        ],
        "purchases",
    ),
    BadFile(
        "a foreign source's file with short rows and Latin-1",
        "bad.csv",
        RETAIL + b'1,A,"Cup, ""red""",2,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n'
        b"2,A,Price \xa33,1,2010-12-01 08:26:00,3,17850,United Kingdom\n"
        b"3,A,Cup,1,2010-12-01 08:26:00,3,17850\n\n"
        b"5,A,Price \xa33 \x81,1,2010-12-01 08:26:00,3,17850,United Kingdom\n"
        b"4,A,Cup,1,2010-12-01 08:26:00,3,,United Kingdom\n",
        [
            ok("1", 'Cup, "red"', "17850.0"),
            ok("2", "Price £3", "17850"),
            bad("TOO_FEW_FIELDS", "3,A,Cup,1,2010-12-01 08:26:00,3,17850"),
            BLANK,
            bad(
                "BAD_ENCODING",
                b"5,A,Price \xa33 \x81,1,2010-12-01 08:26:00,3,17850,United Kingdom",
            ),
            ok("4", "Cup", ""),
        ],
        "online_retail",
    ),
]

_NDJSON = [
    _json("an empty JSON file", b""),
    _json(
        "broken lines among good ones",
        '{"customer_id": "1"\n' + _person(2) + 'nope\n\n{"customer_id": "3",}\n{}\n',
        bad("MALFORMED", '{"customer_id": "1"'),
        GOOD,
        bad("MALFORMED", "nope"),
        BLANK,
        bad("MALFORMED", '{"customer_id": "3",}'),
        senseless("MISSING_CUSTOMER_ID"),
    ),
    _json(
        "a last line that is cut off",
        _person(2) + '{"customer_id": "3", "na',
        GOOD,
        bad("MALFORMED", '{"customer_id": "3", "na'),
    ),
    _json(
        "two objects on a line",
        _person(2) + '{"customer_id": "3"} {"customer_id": "4"}\n',
        GOOD,
        bad("MALFORMED", '{"customer_id": "3"} {"customer_id": "4"}'),
    ),
    _json(
        "an array of objects",
        '[{"customer_id": "1"}, {"customer_id": 2, "customer_id": 3}, 7]\n',
        ok("1"),
        bad("MALFORMED", '{"customer_id": 2, "customer_id": 3}'),
        bad("MALFORMED", "7"),
    ),
    _json(
        "an object over several lines",
        '{\n"customer_id": "1"\n}\n',
        ok("1"),
    ),
    _json(
        "an object that breaks off at the end of the first line",
        '{"customer_id": "1",\n' + _person(2),
        bad("MALFORMED", '{"customer_id": "1",'),
        GOOD,
    ),
    _refused(
        "an array that is not closed", "bad.json", b'[{"customer_id": "1"}, {"cust', "TRUNCATED"
    ),
    _refused(
        "an array with a comma too many", "bad.json", b'[{"customer_id": "1"},]\n', "UNREADABLE"
    ),
    _json(
        "scalars",
        _person(2) + '"text"\n12\nnull\ntrue\nNaN\n',
        GOOD,
        bad("MALFORMED", '"text"'),
        bad("MALFORMED", "12"),
        bad("MALFORMED", "null"),
        bad("MALFORMED", "true"),
        bad("MALFORMED", "NaN"),
    ),
    _json(
        "nesting that is too deep",
        "[" * 100_000 + "\n" + _person(2),
        bad("MALFORMED", "[" * 100_000),
        GOOD,
    ),
    _json(
        "a name twice in an object",
        '{"customer_id": "1", "customer_id": "7"}\n' + _person(2),
        bad("MALFORMED", '{"customer_id": "1", "customer_id": "7"}'),
        GOOD,
    ),
    _json(
        "extra names",
        _person(1, tier="gold") + _person(2, Ø=1.50) + _person(3),
        ok("1", "b", "c", rescued={"tier": "gold"}),
        ok("2", "b", "c", rescued={"Ø": "1.5"}),
        ok("3", "b", "c"),
    ),
    _json("a name of nothing", '{"customer_id": "1", "": "x"}\n', ok("1", rescued={"": "x"})),
    _json(
        "a name with a NUL that has a code's name",
        '{"customer_id": "1", "\\u0000code": "x"}\n',
        ok("1", rescued={"\0code": "x"}),
        alone=True,
    ),
    _json(
        "a name with a NUL that has a text's name",
        '{"customer_id": "1", "\\u0000text": "x"}\nnope\n',
        ok("1", rescued={"\0text": "x"}),
        bad("MALFORMED", "nope"),
    ),
    _json(
        "null and nested values",
        '{"customer_id": null, "name": "x"}\n{"customer_id": 2, "name":'
        ' {"first": "Zoë", "last": [1, null]}, "city": true}\n',
        senseless("MISSING_CUSTOMER_ID", None, "x"),
        ok("2", '{"first": "Zoë", "last": ["1", null]}', "true"),
    ),
    _json(
        "whole numbers that no machine holds",
        '{"customer_id": ' + "9" * 5000 + "}\n",
        ok("9" * 5000),
    ),
    _json(
        "surrogates escaped, alone and in pairs",
        '{"customer_id": "1", "name": "\\ud800"}\n'
        '{"customer_id": "2", "name": "\\ud83d\\ude00", "\\udc00": 1}\n'
        '{"customer_id": "3", "name": "\\ud83d\\ude00"}\n',
        bad("MALFORMED", '{"customer_id": "1", "name": "\\ud800"}'),
        bad("MALFORMED", '{"customer_id": "2", "name": "\\ud83d\\ude00", "\\udc00": 1}'),
        ok("3", "\U0001f600"),
    ),
    _json(
        "JSON bytes of Latin-1, and a NUL",
        b'{"customer_id": "\xeb"}\n{"customer_id": "\0"}\n' + _person(2).encode(),
        bad("BAD_ENCODING", b'{"customer_id": "\xeb"}'),
        bad("MALFORMED", b'{"customer_id": "\0"}'),
        GOOD,
    ),
    _json(
        "JSON lines that end in CR, after a mark",
        "\ufeff" + _person(2).replace("\n", "\r") + "\r" + '{"customer_id": "3"}\r',
        GOOD,
        BLANK,
        ok("3"),
        name="bad.jsonl",
    ),
    _json(
        "JSON in UTF-16",
        ("\ufeff" + _person(2) + "nope\n").encode("utf-16-be"),
        GOOD,
        bad("MALFORMED", "nope"),
    ),
    _refused(
        "JSON in UTF-16 without a mark",
        "bad.ndjson",
        '{"customer_id": "1"}\n'.encode("utf-16-be"),
        "UNREADABLE",
    ),
    _refused("CSV that is called JSON lines", "bad.ndjson", HEADER + b"1,j,b\n", "UNREADABLE"),
    _refused("JSON that is called CSV", "bad.csv", _person(8).encode(), "UNREADABLE"),
    _refused(
        "JSON in which no object has a required name",
        "bad.ndjson",
        b'{"name": "a"}\nnope\n',
        "HEADER_MISMATCH",
    ),
    _json(
        "only broken JSON lines",
        "nope\n\n[\n",
        bad("MALFORMED", "nope"),
        BLANK,
        bad("MALFORMED", "["),
    ),
]

_TEXT = HEADER + b"1,a,b\n2,b,c\n" * 40
_PACKED = gzip.compress(_TEXT, mtime=0)
_TAKEN = [ok("1", "a", "b"), GOOD]


def _packed(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def _flipped(position: int) -> bytes:
    data = bytearray(_PACKED)
    data[position] ^= 0xFF
    return bytes(data)


_GZIP = [
    _refused("gzip that ends too early", "bad.csv.gz", _PACKED[: len(_PACKED) // 2], "TRUNCATED"),
    _refused("gzip without its last byte", "bad.csv.gz", _PACKED[:-1], "TRUNCATED"),
    _refused("gzip with a wrong CRC", "bad.csv.gz", _flipped(-8), "BAD_CHECKSUM"),
    _refused("gzip with a wrong length", "bad.csv.gz", _flipped(-4), "BAD_CHECKSUM"),
    BadFile(
        "gzip of two members, a record torn between them",
        "bad.csv.gz",
        _packed(HEADER + b"1,a,b\n2,") + _packed(b"b,c\n3,d\n"),
        [*_TAKEN, bad("TOO_FEW_FIELDS", "3,d")],
    ),
    _refused(
        "gzip whose second member is cut off", "bad.csv.gz", _PACKED + _PACKED[:-3], "TRUNCATED"
    ),
    _refused("gzip with rubbish behind it", "bad.csv.gz", _PACKED + b"rubbish", "UNREADABLE"),
    _refused(
        "a .csv.gz of no bytes",
        "bad.csv.gz",
        b"",
        "TRUNCATED",
    ),
    _refused(
        "a .ndjson.gz of no bytes",
        "bad.ndjson.gz",
        b"",
        "TRUNCATED",
    ),
    BadFile("gzip of nothing, as JSON lines", "bad.ndjson.gz", _packed(b""), []),
    _refused("text that is called gzip", "bad.csv.gz", _TEXT, "UNREADABLE"),
    _refused("gzip that is called CSV", "bad.csv", _PACKED, "UNREADABLE"),
    _refused(
        "a small file that unpacks to more than is allowed",
        "bad.csv.gz",
        _packed(HEADER + b"1,a,b\n" * (UNPACKED_LIMIT // 6)),
        "TOO_LARGE",
    ),
    _refused("gzip of gzip", "bad.csv.gz", _packed(_PACKED), "UNREADABLE"),
    _refused("gzip of gzip by name too", "bad.csv.gz.gz", _packed(_PACKED), "UNREADABLE"),
    BadFile(
        "packed JSON lines, one broken",
        "bad.jsonl.gz",
        _packed(b'{"a\n' + _person(2).encode()),
        [bad("MALFORMED", '{"a'), GOOD],
    ),
]

_WHOLE = _as_parquet(customer_id=[str(n) for n in range(300)], name=["x"] * 300)
_IDS = {"customer_id": ["1", "2"]}
_NOON = datetime(2024, 1, 5, 12, tzinfo=UTC)
_PARQUET = [
    _refused("Parquet that ends too early", "bad.parquet", _WHOLE[: len(_WHOLE) // 2], "TRUNCATED"),
    _refused("Parquet whose footer is cut off", "bad.parquet", _WHOLE[:-4], "TRUNCATED"),
    _refused(
        "Parquet with a footer longer than the file",
        "bad.parquet",
        _WHOLE[:-8] + b"\xff\xff\xff\x7f" + _WHOLE[-4:],
        "UNREADABLE",
    ),
    _refused(
        "Parquet with pages missing before the footer",
        "bad.parquet",
        _WHOLE[:4] + _WHOLE[60:],
        "UNREADABLE",
    ),
    _refused(
        "Parquet with broken pages",
        "bad.parquet",
        _WHOLE[:40] + bytes(b ^ 0xFF for b in _WHOLE[40:60]) + _WHOLE[60:],
        "UNREADABLE",
    ),
    _refused(
        "Parquet with wrong magic", "bad.parquet", b"PARX" + _WHOLE[4:-4] + b"PARX", "UNREADABLE"
    ),
    _refused("a Parquet file of no bytes", "bad.parquet", b"", "UNREADABLE"),
    _refused("CSV that is called Parquet", "bad.parquet", _TEXT, "UNREADABLE"),
    _refused("Parquet that is called CSV", "bad.csv", _WHOLE, "UNREADABLE"),
    _refused(
        "Parquet without a required column",
        "bad.parquet",
        _as_parquet(name=["a"]),
        "HEADER_MISMATCH",
    ),
    _parquet("Parquet of no rows", {"customer_id": pl.Series([], dtype=pl.String)}),
    _parquet(
        "Parquet of typed columns and nulls",
        {
            "customer_id": [1, None],
            "name": pl.Series([Decimal("1.50"), None]),
            "city": [date(2024, 1, 5), None],
            "x": [_NOON, None],
            "y": [True, None],
            "z": pl.Series(["a", None], dtype=pl.Categorical),
        },
        ok(
            "1",
            "1.50",
            "2024-01-05",
            rescued={"x": "2024-01-05 12:00:00.000000+00:00", "y": "true", "z": "a"},
        ),
        senseless("MISSING_CUSTOMER_ID"),
    ),
    _parquet(
        "Parquet of NaN and infinity",
        {**_IDS, "name": [float("nan"), float("inf")]},
        ok("1", "NaN"),
        ok("2", "inf"),
    ),
    _parquet(
        "Parquet of nested columns",
        {**_IDS, "x": [["a"], ["b", None]], "y": [{"z": 1}, {"z": None}]},
        ok("1", rescued={"x": '["a"]', "y": '{"z":1}'}),
        ok("2", rescued={"x": '["b",null]', "y": '{"z":null}'}),
    ),
    _parquet(
        "Parquet with a null in a nested column",
        {**_IDS, "name": [["a"], None]},
        ok("1", '["a"]'),
        ok("2"),
    ),
    _parquet(
        "Parquet of a binary column",
        {**_IDS, "x": [b"\xff\0", None]},
        ok("1", rescued={"x": "\ufffdff00"}),
        ok("2"),
    ),
    _parquet(
        "Parquet of a nested binary column",
        {**_IDS, "x": [[b"\xff\0"], [b""]]},
        ok("1"),
        ok("2"),
        alone=True,
    ),
    _parquet(
        "Parquet of a duration",
        {**_IDS, "x": [timedelta(days=1), None]},
        ok("1"),
        ok("2"),
        alone=True,
    ),
    _parquet(
        "Parquet with a NUL in a name",
        {**_IDS, "\0pos": ["x", "y"]},
        ok("1", rescued={"\0pos": "x"}),
        ok("2", rescued={"\0pos": "y"}),
        alone=True,
    ),
]


def _named(sentence: str, name: str, expected: str | None = None, **more: Any) -> BadFile:
    """A good file, but for its name."""
    data = HEADER + f'1,"{sentence}",b\n'.encode()
    records = [ok("1", sentence, "b")]
    return BadFile(sentence, name, data, expected or records, **more)


_NAMES = [
    _named("a name without an ending", "bad", "UNREADABLE"),
    _named("an unknown ending", "bad.doc", "UNREADABLE"),
    _named("packed text of unknown kind", "bad.gz", "UNREADABLE"),
    _named("an ending in capitals", "BAD.CSV"),
    _named("a file that is still written", "bad.csv.tmp", NOT_THERE_YET),
    _named("a file that is there in part", "bad.csv.partial", NOT_THERE_YET),
    _named("a hidden file", ".bad.csv", NOT_THERE_YET),
    _named("a file with an underscore", "_bad.csv", NOT_THERE_YET),
    _named("a link to a file", "link.csv", "NOT_A_REGULAR_FILE", kind="link"),
    _named("a link to a folder", "folder", "NOT_A_REGULAR_FILE", kind="folder link"),
    _named("a pipe", "pipe.csv", "NOT_A_REGULAR_FILE", kind="pipe"),
    _named("a folder that is called as a file", "folder.csv", NOT_THERE_YET, kind="folder"),
    _named("a file in a folder that is called as a file", "folder.csv/bad.csv"),
    _named("characters of patterns in the name", "[ab]*?{1,2}.csv"),
    _named("blanks and percent signs in the name", " bad %20 %2F%.csv"),
    _named("a line break and quotes in the name", "bad\n'\"\\.csv"),
    _named("letters of many scripts in the name", "żółć-東京-\U0001f600.csv"),
    _named("a name that is no text", "caf\udce9.csv"),
    _named("another date in the name", "1999-12-31.csv"),
]

CORPUS: list[BadFile] = [
    *_FIELDS,
    *_LINE_ENDS,
    *_QUOTES,
    *_ENCODINGS,
    *_HEADERS,
    *_LONG,
    *_VALUES,
    *_NDJSON,
    *_GZIP,
    *_PARQUET,
    *_NAMES,
]
