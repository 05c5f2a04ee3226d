"""What a file is by its first bytes, whatever its name says.

Belongs here: magic bytes, and simple tests of text. Does not belong here: reading any of these
(`readers`).

A file is opened by its name. One that is something else is refused by what it is, so that the
reader of the message knows what to land instead.
"""

import re

_LOOKED_AT = 4096
PARQUET = "Parquet"
WORKBOOK = "an Excel workbook (.xlsx)"
_MAGIC = (
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "Zstandard"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"PAR1", PARQUET),
    (b"%PDF-", "a PDF"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook with a password, or a .xls of old"),
    (b"Obj\x01", "Avro"),
    (b"ORC", "ORC"),
    (b"ARROW1", "Arrow"),
    (b"SQLite format 3\x00", "a SQLite database"),
    (b"{\\rtf", "RTF"),
    (b"\x89PNG", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
)
_ZIP = b"PK\x03\x04"
_IN_A_ZIP = (
    (b"xl/workbook.bin", "a binary Excel workbook (.xlsb)"),
    (b"xl/", WORKBOOK),
    (b"opendocument.spreadsheet", "an OpenDocument spreadsheet (.ods)"),
    (b"word/", "a Word document (.docx)"),
)
_HTML = re.compile(
    rb"<(?:!doctype\s+html|html|head|body|script|style|table|div|meta)\b", re.IGNORECASE
)
_XML = re.compile(rb"<(?:\?xml|!--|!DOCTYPE|[A-Za-z][\w:.-]*[\s/>])")
_JSON = re.compile(rb'\{\s*(?:"|\}|$)|\[\s*(?:[{\]]|$)')


def disguise(head: bytes) -> str | None:
    """What a file is that begins like no text with records in it.

    Args:
        head: the first bytes of the file, unpacked.

    Returns:
        Words for it, or None when it may be text.
    """
    if head.startswith(_ZIP):
        # The names of what is in it stand before each part, those of the first parts here.
        return next((words for name, words in _IN_A_ZIP if name in head), "a zip archive")
    for magic, words in _MAGIC:
        if head.startswith(magic):
            return words
    head = head[:_LOOKED_AT]
    if b"\x00" in head and (wide := _wide(head)) is not None:
        return wide
    text = _beginning(head)
    if text.startswith(b"<"):
        # A declaration or a comment says nothing of what stands behind it.
        is_open = text.startswith((b"<?xml", b"<!--"))
        if _HTML.match(text) or (is_open and _HTML.search(text)):
            return "a web page (HTML)"
        if _XML.match(text):
            return "XML"
    return None


def is_json(head: bytes) -> bool:
    """Whether text begins as objects of JSON do, or an array of them."""
    return _JSON.match(_beginning(head[:_LOOKED_AT])) is not None


def _beginning(head: bytes) -> bytes:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()


def _wide(head: bytes) -> str | None:
    """UTF-16 of a language with Latin letters has a zero in most places of one parity."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return None
    even, odd = head[::2], head[1::2]
    if max(even.count(0), odd.count(0)) * 10 < len(head) * 3:
        return None
    if min(even.count(0), odd.count(0)) * 10 > len(head):
        return "UTF-32 without a mark (BOM)" if len(head) % 4 == 0 else None
    return "UTF-16 without a mark (BOM)"
