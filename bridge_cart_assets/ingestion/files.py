"""Bytes of one landed file: opened safely, unpacked, fingerprinted, or refused as a whole.

Belongs here: everything that can make a file unusable before its records are looked at. Does not
belong here: what a record is (`records`).
"""

import hashlib
import os
import stat
import zlib
from dataclasses import dataclass

from bridge_cart_assets.ingestion.landing import LandedFile

FORMATS = {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson", ".parquet": "parquet"}
MAX_BYTES = 2 * 1024**3


class FileRefused(Exception):
    """A file cannot be taken at all; `reason` is a code, the message is for people."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True)
class Content:
    """A file that could be read: its format, its fingerprint and its unpacked bytes."""

    format: str
    fingerprint: str
    data: bytes


def read_file(file: LandedFile) -> Content:
    """Read a landed file.

    Raises:
        FileRefused: NOT_A_REGULAR_FILE, TOO_LARGE, TRUNCATED, BAD_CHECKSUM or UNREADABLE.
    """
    if not file.is_regular:
        raise FileRefused("NOT_A_REGULAR_FILE", "only regular files are opened: land a copy")
    name = file.object.lower()
    packed = name.endswith(".gz")
    suffix = os.path.splitext(name.removesuffix(".gz"))[1]
    kind = FORMATS.get(suffix)
    if kind is None or (packed and kind == "parquet"):
        accepted = ".csv, .ndjson, .jsonl (each also .gz) and .parquet"
        raise FileRefused("UNREADABLE", f"unknown kind of file: accepted are {accepted}")
    if file.size > MAX_BYTES:
        raise FileRefused("TOO_LARGE", f"{file.size:,} bytes; at most {MAX_BYTES:,}: split it")
    data = _bytes_of(file)
    fingerprint = hashlib.sha256(data).hexdigest()
    return Content(kind, fingerprint, _unpack(data) if packed else data)


def _bytes_of(file: LandedFile) -> bytes:
    try:
        # A link or a pipe may have taken its place since the look: neither followed nor waited for.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(file.path, flags), "rb") as opened:
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                raise FileRefused(
                    "NOT_A_REGULAR_FILE", "only regular files are opened: land a copy"
                )
            return opened.read()
    except OSError as error:
        raise FileRefused("UNREADABLE", f"cannot be opened: {error.strerror}") from error


def _unpack(data: bytes) -> bytes:
    if not data:
        raise FileRefused("TRUNCATED", "the file is empty, and a gzip file never is: land it again")
    try:
        unpacked = zlib.decompressobj(wbits=31)
        parts, rest, total = [], data, 0
        while rest:
            part = unpacked.decompress(rest, MAX_BYTES - total + 1)
            parts.append(part)
            total += len(part)
            if total > MAX_BYTES:
                raise FileRefused(
                    "TOO_LARGE", f"unpacks to more than {MAX_BYTES:,} bytes: split it"
                )
            if not unpacked.eof:
                raise FileRefused("TRUNCATED", "the gzip stream ends too early: land it again")
            rest = unpacked.unused_data
            unpacked = zlib.decompressobj(wbits=31)
        return b"".join(parts)
    except zlib.error as error:
        if "data check" in str(error) or "length check" in str(error):
            raise FileRefused(
                "BAD_CHECKSUM", "the gzip checksum is wrong: land it again"
            ) from error
        raise FileRefused("UNREADABLE", f"not a gzip stream: {error}") from error
