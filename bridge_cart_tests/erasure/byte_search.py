"""Searching for words through every byte below a folder: Parquet decoded, gzip opened."""

import gzip
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl


def found_in(root: Path, words: Iterable[str]) -> list[tuple[str, str]]:
    """The files below a folder that have a word anywhere, each with the word."""
    spelt = {word: [word.encode(code) for code in ("utf-8", "utf-16-le")] for word in words}
    return [
        (path.relative_to(root).as_posix(), word)
        for path in sorted(root.rglob("*"))
        if path.is_file()
        for word, spellings in spelt.items()
        if any(spelling in data for data in contents_of(path) for spelling in spellings)
    ]


def contents_of(path: Path) -> Iterator[bytes]:
    """The bytes of a file, and what they say when they are packed."""
    data = path.read_bytes()
    yield data
    if data.startswith(b"PAR1") and data.endswith(b"PAR1"):
        yield repr(pl.read_parquet(io.BytesIO(data)).to_dicts()).encode()
    if data.startswith(b"\x1f\x8b"):
        yield gzip.decompress(data)
