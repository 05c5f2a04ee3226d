"""Bytes of one landed file: opened safely, unpacked, fingerprinted, or refused as a whole.

Belongs here: which endings of names are accepted, everything else that can make a file unusable
before its records are looked at, and reading it again from some byte on. Does not belong here:
what a record is (`readers`).

A small file is kept whole. Of a large one nothing is kept but its beginning: reading it through
gives the fingerprint and shows that it is whole; its records are read afterwards, part by part.
"""

import errno
import hashlib
import os
import re
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryFile

from bridge_cart_assets.ingestion.landing import LandedFile, Stored

FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "json",
    ".parquet": "parquet",
    ".xlsx": "xlsx",
}
# Packed by themselves.
_NEVER_GZ = ("parquet", "xlsx")
# Up to so many unpacked bytes a file is taken as a whole, and so much of a larger one at a time.
PART_BYTES = 24 * 1024**2
# What Parquet has in a byte takes several in memory.
PARQUET_SHARE = 4
# A text file's layout and header are found by its beginning. Fixed, so that they never depend on
# how a file is read.
HEAD_BYTES = 1024**2
# No export comes near: records that differ by an id and a time pack to a fifth or a twentieth, and
# deflate cannot do better than 1,032. Beyond 200 it is one line again and again, that is a mistake
# or an attack, and 10 MB of it would keep a run busy for 10 GB.
MAX_RATIO = 200
HARMLESS_BYTES = 64 * 1024**2
# Nor has a record ever taken less than a byte, packed as it may be.
HARMLESS_RECORDS = 1_000_000
# As many as the widest sheet of a workbook has.
MAX_COLUMNS = 16_384
# Unpacked bytes of a file that are in hand at a time, and packed bytes that are read at a time.
READ_BYTES = 4 * 1024**2
READ_PACKED_BYTES = 256 * 1024

Signature = tuple[int, int, int, int, int]

_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC)


class FileReplacedError(Exception):
    """An object is gone, or another one, since it was listed."""


class FileRefusedError(Exception):
    """A file cannot be taken at all; `reason` is a code, the message is for people."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def refuse_unpacked(unpacked: int, stored: int) -> None:
    """Refuse a file that unpacks to more than records do.

    Args:
        unpacked: its bytes when they are unpacked, as far as they are known.
        stored: its bytes as they lie there.

    Raises:
        FileRefusedError: TOO_LARGE.
    """
    if unpacked > max(HARMLESS_BYTES, MAX_RATIO * stored):
        raise FileRefusedError(
            "TOO_LARGE",
            f"unpacks to more than {MAX_RATIO} times its {stored:,} bytes, which no records do: "
            "land it unpacked if it is right",
        )


def refuse_too_many_records(records: int, stored: int) -> None:
    """Refuse a file with more records than bytes.

    Raises:
        FileRefusedError: TOO_LARGE.
    """
    if records > max(HARMLESS_RECORDS, stored):
        raise FileRefusedError(
            "TOO_LARGE",
            f"has {records:,} records or more in {stored:,} bytes, which no export has: land it "
            "as plain text if it is right",
        )


def refuse_too_many_columns(columns: int) -> None:
    """Refuse a file with more columns than any sheet has.

    Raises:
        FileRefusedError: TOO_LARGE.
    """
    if columns > MAX_COLUMNS:
        raise FileRefusedError(
            "TOO_LARGE", f"has {columns:,} columns, and {MAX_COLUMNS:,} are allowed"
        )


def is_shortage(error: BaseException) -> bool:
    """Whether the machine ran short of handles, memory or disk.

    That says nothing about the file, so it must not be refused for it: the run fails, and the
    next one reads it. Polars tells of it in the text of an error or of a panic only.
    """
    if isinstance(error, OSError):
        return error.errno in _SHORTAGES
    said = re.search(r"(?:os error |code: )(\d+)", str(error))
    return said is not None and int(said[1]) in _SHORTAGES


@dataclass(frozen=True)
class Content:
    """A file that could be read to its end.

    Attributes:
        format: csv (delimited text of any name), ndjson, json, parquet or xlsx.
        fingerprint: SHA-256 of its bytes as they lie there.
        data: its unpacked bytes; of a large file only the first HEAD_BYTES of them.
        is_whole: whether these are all.
        size: how many there are.
        signature: what tells that the file is still the one that was read.
    """

    format: str
    fingerprint: str
    data: bytes
    is_whole: bool = True
    size: int = 0
    signature: Signature | None = None


class Opened:
    """A landed file that was opened, whatever happens to its name."""

    def __init__(
        self, descriptor: int, is_packed: bool, signature: Signature | None = None
    ) -> None:
        self._descriptor = descriptor
        self._is_packed = is_packed
        self._signature = signature

    @property
    def signature(self) -> Signature:
        """What tells that it has not changed."""
        if self._signature is not None:
            return self._signature
        info = os.fstat(self._descriptor)
        return (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)

    @property
    def size(self) -> int:
        """Bytes as they lie there."""
        return os.fstat(self._descriptor).st_size

    @property
    def path(self) -> str:
        """A name for what is open, for readers that want one."""
        return f"/dev/fd/{self._descriptor}"

    def stored(self, start: int, size: int) -> bytes:
        """Some bytes as they lie there."""
        try:
            return os.pread(self._descriptor, size, start)
        except OSError as error:
            raise FileRefusedError("UNREADABLE", f"cannot be read: {error.strerror}") from error

    def pieces(
        self, start: int = 0, on_stored: Callable[[bytes], object] = lambda piece: None
    ) -> Iterator[bytes]:
        """The unpacked bytes from `start` on, piece by piece.

        Args:
            start: how many unpacked bytes are left out.
            on_stored: gets the bytes as they lie there.

        Raises:
            FileRefusedError: TRUNCATED, BAD_CHECKSUM, UNREADABLE or TOO_LARGE.
        """
        if not self._is_packed:
            yield from self._stored_pieces(start, READ_BYTES, on_stored)
            return
        for piece in self._unpacked(self._stored_pieces(0, READ_PACKED_BYTES, on_stored)):
            if start < len(piece):
                yield piece[start:]
            start = max(0, start - len(piece))

    def _stored_pieces(
        self, start: int, size: int, on_stored: Callable[[bytes], object]
    ) -> Iterator[bytes]:
        while piece := self.stored(start, size):
            on_stored(piece)
            yield piece
            start += len(piece)

    def _unpacked(self, stored: Iterator[bytes]) -> Iterator[bytes]:
        unpacked, size = 0, self.size
        try:
            for piece in inflate(stored):
                unpacked += len(piece)
                refuse_unpacked(unpacked, size)
                yield piece
        except zlib.error as error:
            if "data check" in str(error) or "length check" in str(error):
                raise FileRefusedError(
                    "BAD_CHECKSUM", "the gzip checksum is wrong: land it again"
                ) from error
            raise FileRefusedError("UNREADABLE", f"not a gzip stream: {error}") from error


@contextmanager
def open_file(file: LandedFile) -> Iterator[Opened]:
    """Open a landed file, and nothing else that may have taken its place.

    Raises:
        FileRefusedError: NOT_A_REGULAR_FILE or UNREADABLE.
    """
    if not file.is_regular:
        raise FileRefusedError("NOT_A_REGULAR_FILE", "only regular files are opened: land a copy")
    is_packed = file.object.lower().endswith(".gz")
    if file.stored is not None:
        signature = (0, 0, file.size, file.modified_ns, file.changed_ns)
        # Held here: the next object takes its place among those that are kept.
        copy = _local_copy(file.stored)
        yield Opened(copy.file.fileno(), is_packed, signature)
        return
    # A link or a pipe may have taken its place since the look: neither followed nor waited for.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = _open_below(file, flags)
    except OSError as error:
        if is_shortage(error):
            raise
        raise FileRefusedError("UNREADABLE", f"cannot be opened: {error.strerror}") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileRefusedError(
                "NOT_A_REGULAR_FILE", "only regular files are opened: land a copy"
            )
        yield Opened(descriptor, is_packed)
    finally:
        os.close(descriptor)


class _LocalCopy:
    """An object's content in a file without a name, for as long as somebody holds it."""

    def __init__(self) -> None:
        self.file = TemporaryFile(prefix="bridge-cart-")  # noqa: SIM115

    def __del__(self) -> None:
        self.file.close()


@lru_cache(maxsize=1)
def _local_copy(stored: Stored) -> _LocalCopy:
    """An object's content, fetched once however often it is read in a row.

    Raises:
        FileRefusedError: UNREADABLE: it is gone, or another one by now.
        StoreError: the store does not give it.
    """
    copy = _LocalCopy()
    try:
        stored.store.download(stored.path, copy.file, stored.etag)
    except FileNotFoundError as error:
        raise FileRefusedError(
            "UNREADABLE", "it was removed or replaced while the run began: land it again"
        ) from error
    copy.file.flush()
    return copy


def _open_below(file: LandedFile, flags: int) -> int:
    """Open a file folder by folder: none on the way may be a link, now either.

    Up to the landing zone links are somebody's own.
    """
    steps = file.object.count("/") + 1
    # The source's folder is the first that may not be one.
    steps += file.path.parts[-steps - 1] == file.source
    *folders, name = file.path.parts[-steps:]
    at = os.open(Path(*file.path.parts[:-steps]), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder in folders:
            below = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            parent = at
            try:
                at = os.open(folder, below, dir_fd=parent)
            except OSError as error:
                if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                    raise
                raise FileRefusedError(
                    "NOT_A_REGULAR_FILE", "its path leads over a link: land a copy"
                ) from error
            os.close(parent)
        return os.open(name, flags, dir_fd=at)
    finally:
        os.close(at)


def read_file(file: LandedFile) -> Content:
    """Read a landed file to its end.

    Raises:
        FileRefusedError: NOT_A_REGULAR_FILE, TOO_LARGE, TRUNCATED, BAD_CHECKSUM or UNREADABLE.
    """
    kind = _format_of(file) if file.is_regular else ""
    with open_file(file) as opened:
        signature = opened.signature
        whole, kept = (
            (PART_BYTES // PARQUET_SHARE, 0) if kind == "parquet" else (PART_BYTES, HEAD_BYTES)
        )
        digest = hashlib.sha256()
        data = bytearray()
        size = 0
        for piece in opened.pieces(on_stored=digest.update):
            size += len(piece)
            if size <= whole or len(data) < kept:
                data += piece
            if size > whole:
                del data[kept:]
        return Content(kind, digest.hexdigest(), bytes(data), size <= whole, size, signature)


def inflate(stored: Iterator[bytes]) -> Iterator[bytes]:
    """Unpack gzip members, one after another, into pieces of at most READ_BYTES.

    Args:
        stored: the packed bytes, in pieces of any size.

    Raises:
        FileRefusedError: TRUNCATED.
        zlib.error: the bytes are no gzip members.
    """
    unpacker = zlib.decompressobj(wbits=31)
    is_empty = True
    for rest in stored:
        is_empty = False
        while rest:
            if unpacker.eof:
                unpacker = zlib.decompressobj(wbits=31)
            # What is left behind a full piece comes with the next: a member ends with a checksum.
            piece = unpacker.decompress(rest, READ_BYTES)
            rest = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail  # noqa: PLW2901
            if piece:
                yield piece
    if is_empty:
        raise FileRefusedError(
            "TRUNCATED", "the file is empty, and a gzip file never is: land it again"
        )
    if not unpacker.eof:
        raise FileRefusedError("TRUNCATED", "the gzip stream ends too early: land it again")


def _format_of(file: LandedFile) -> str:
    name = file.object.lower()
    kind = FORMATS.get(os.path.splitext(name.removesuffix(".gz"))[1])
    if kind is None or (name.endswith(".gz") and kind in _NEVER_GZ):
        accepted = ".csv, .tsv, .txt, .ndjson, .jsonl, .json (each also .gz), .parquet and .xlsx"
        raise FileRefusedError("UNREADABLE", f"unknown kind of file: accepted are {accepted}")
    return kind
