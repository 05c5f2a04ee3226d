"""Whether landed files that cannot be read as records have some words anywhere in their bytes.

Belongs here: searching bytes. Does not belong here: reading records (`readers`), or which words
these are (`pipeline.person_index`).
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from bridge_cart_assets.ingestion.files import FileRefusedError, open_file
from bridge_cart_assets.ingestion.landing import LandedFile
from bridge_cart_assets.object_store import ObjectStore

_OVERLAP = 1024
_READ_BYTES = 2**22


def file_has(file: LandedFile, words: Sequence[str]) -> bool:
    """Whether a landed file has one of some words, unpacked if it can be."""
    if not file.is_regular:
        return False
    try:
        with open_file(file) as opened:
            return _any_of(words, opened.pieces())
    except FileRefusedError:
        if file.stored is not None:
            return place_has(file.stored.store, file.stored.path, words)
        return place_has(file.path.parent, file.path.name, words)


def place_has(landing: Path | ObjectStore, place: str, words: Sequence[str]) -> bool:
    """Whether the bytes that lie at a path below the landing zone have one of some words."""
    if not isinstance(landing, ObjectStore):
        with (landing / place).open("rb") as opened:
            return _any_of(words, _pieces(opened))
    with TemporaryFile(prefix="bridge-cart-") as copy:
        try:
            landing.download(place, copy)
        except FileNotFoundError:
            return False
        copy.seek(0)
        return _any_of(words, _pieces(copy))


def _pieces(opened: IO[bytes]) -> Iterator[bytes]:
    return iter(partial(opened.read, _READ_BYTES), b"")


def _any_of(words: Sequence[str], pieces: Iterator[bytes]) -> bool:
    """Whether one of some words stands in bytes, in UTF-8 or UTF-16."""
    spelt = [word.encode(code) for word in words for code in ("utf-8", "utf-16-le", "utf-16-be")]
    rest = b""
    for piece in pieces:
        block = rest + piece
        if any(word in block for word in spelt):
            return True
        rest = block[-_OVERLAP:]
    return False
