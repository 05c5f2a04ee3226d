"""Landed files that were taken back: out of the sources' folders, and not lost.

Belongs here: where such a file goes, and moving it. Does not belong here: which file, or its
records (`pipeline.retraction`).

They lie below the landing zone, in `_retracted/<source>/…`, where no source looks: the same disk or
bucket, so a move is a change of name and loses nothing.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from bridge_cart_assets.ingestion.landing import (
    LandedFile,
    folders_of,
    is_there,
    list_landing,
)
from bridge_cart_assets.lake.fsync import fsync_path
from bridge_cart_assets.object_store import ObjectStore

FOLDER = "_retracted"


def retracted_files(
    landing: Path | ObjectStore, source: str, zone: str = "UTC"
) -> Iterator[tuple[str, LandedFile]]:
    """The files of a source that were taken back, each with its path below the landing zone."""
    for folder in folders_of(landing):
        if folder.startswith(FOLDER):
            for file in list_landing(landing, source, zone, folder):
                yield f"{folder}/{source}/{file.object}", file


def free_place(landing: Path | ObjectStore, file: LandedFile) -> str:
    """A path below the landing zone where nothing lies yet, for a file that is taken back."""
    at = _path_below(landing, file)
    return next(place for place in _places(at) if not is_there(landing, place))


def move_out(landing: Path | ObjectStore, file: LandedFile, place: str) -> None:
    """Move a landed file to a path below the landing zone.

    Raises:
        OSError: the folder does not let it.
        StoreError: the store does not.
    """
    if isinstance(landing, ObjectStore):
        landing.move(_path_below(landing, file), place)
        return
    target = landing / place
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.rename(file.path, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # The source's folder is a disk of its own.
        beside = target.with_name(f".{target.name}.new")
        shutil.copy2(file.path, beside, follow_symlinks=False)
        fsync_path(beside)
        os.replace(beside, target)
        file.path.unlink()
    for folder in (target.parent, file.path.parent):
        fsync_path(folder)


def _path_below(landing: Path | ObjectStore, file: LandedFile) -> str:
    if file.stored is not None or isinstance(landing, ObjectStore):
        return file.path.as_posix() if file.stored is None else file.stored.path
    return file.path.relative_to(landing).as_posix()


def _places(path: str) -> Iterator[str]:
    """The places that a file may go to, the usual one first."""
    yield f"{FOLDER}/{path}"
    for number in count(2):
        yield f"{FOLDER}-{number}/{path}"
