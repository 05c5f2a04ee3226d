"""What lies in the landing zone: names, sizes and times, without opening a file.

Belongs here: listing and the rules for names. Does not belong here: reading (`files`,
`readers`) or remembering (`ledger`).
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

from bridge_cart_assets.batch_days import local_day
from bridge_cart_assets.object_store import ObjectStore, StoredObject

_ISO_DAY = re.compile(r"(?<!\d)(\d{4}-\d{2}-\d{2})(?!\d)")


@dataclass(frozen=True)
class Stored:
    """An object in a store, as it was listed.

    Attributes:
        store: where it lies.
        path: its path there.
        etag: what its content is known by.
    """

    store: ObjectStore
    path: str
    etag: str


@dataclass(frozen=True)
class LandedFile:
    """One file below a source's landing folder, by name.

    Attributes:
        source: the source's name.
        object: path below the source's folder, with `/`.
        path: where to open it.
        size: bytes.
        modified_ns: last change of the content.
        changed_ns: last change of the entry; moves when content of equal size and time replaces.
            Of an object a number made of its ETag.
        batch_day: latest ISO date in `object`, else the shop's day of the modification time.
        is_regular: False for links, pipes and the like, which are never opened.
        stored: the object that is opened instead of the path, when files land in a store.
    """

    source: str
    object: str
    path: Path
    size: int
    modified_ns: int
    changed_ns: int
    batch_day: date
    is_regular: bool
    stored: Stored | None = None

    @property
    def signature(self) -> tuple[str, str, int, int, int]:
        """What tells that the file has not changed since it was last seen."""
        return (self.source, self.object, self.size, self.modified_ns, self.changed_ns)


def list_landing(
    landing: Path | ObjectStore, source: str, zone: str = "UTC", below: str = ""
) -> list[LandedFile]:
    """The finished files of a source, ordered by batch day and name.

    The zone is the shop's, for the day of a file whose path names none. `below` is a folder of the
    landing zone that has the source's instead.

    Names that start with `.` or `_`, or end in `.tmp` or `.partial`, are not there yet. Links to
    folders are not followed: one counts as a file that is not regular, the source's own folder too.

    Raises:
        StoreError: the store that files land in cannot be listed.
    """
    if isinstance(landing, ObjectStore):
        stored = _list_store(landing, source, zone, below)
        return sorted(stored, key=lambda f: (f.batch_day, f.object))
    root = landing / below / source
    if root.is_symlink():
        link = landed_file(source, root.parent, root, zone)
        return [link] if link else []
    found = [
        landed_file(source, root, Path(folder) / name, zone)
        for folder, folders, names in os.walk(root, followlinks=False)
        for name in _visible(folders, names, folder)
    ]
    return sorted((f for f in found if f), key=lambda f: (f.batch_day, f.object))


def unknown_folders(landing: Path | ObjectStore, sources: Iterable[str]) -> list[str]:
    """The folders of the landing zone that belong to no source."""
    if isinstance(landing, ObjectStore):
        names = landing.folders()
    else:
        folders = landing.iterdir() if landing.is_dir() else ()
        names = sorted(folder.name for folder in folders if folder.is_dir())
    known = set(sources)
    return [name for name in names if not name.startswith((".", "_")) and name not in known]


def folders_of(landing: Path | ObjectStore) -> list[str]:
    """The names of the folders of a landing zone, without links to folders."""
    if isinstance(landing, ObjectStore):
        return landing.folders()
    found = landing.iterdir() if landing.is_dir() else iter(())
    return sorted(path.name for path in found if path.is_dir() and not path.is_symlink())


def is_there(landing: Path | ObjectStore, place: str) -> bool:
    """Whether something lies at a path below the landing zone."""
    if isinstance(landing, ObjectStore):
        return landing.size(place) is not None
    return os.path.lexists(landing / place)


def unfinished_files(landing: Path | ObjectStore, source: str) -> list[str]:
    """The paths below the landing zone of those files of a source that are not there yet."""
    if isinstance(landing, ObjectStore):
        paths = [found.path for found in landing.objects(source)]
    else:
        found = (landing / source).rglob("*")
        files = (path for path in found if path.is_file() and not path.is_symlink())
        paths = [path.relative_to(landing).as_posix() for path in files]
    return sorted(path for path in paths if not all(map(_is_finished, path.split("/")[1:])))


def object_as_it_is(file: LandedFile) -> LandedFile | None:
    """A landed file as it lies there now, when it is an object; None when it is gone."""
    if file.stored is None:
        return file
    path = file.stored.path
    folder = path.rpartition("/")[0]
    # Not by asking for the object: a listing tells its time more exactly.
    found = next((one for one in file.stored.store.objects(folder) if one.path == path), None)
    if found is None:
        return None
    return replace(
        file,
        size=found.size,
        modified_ns=_modified_ns(found),
        changed_ns=_number_of(found.etag),
        stored=Stored(file.stored.store, path, found.etag),
    )


def _list_store(landing: ObjectStore, source: str, zone: str, below: str) -> Iterator[LandedFile]:
    folder = f"{below}/{source}" if below else source
    for found in landing.objects(folder):
        path = found.path.removeprefix(f"{folder}/")
        if not all(part and _is_finished(part) for part in path.split("/")):
            continue
        name = path.replace("\\", "\\\\")
        modified_ns = _modified_ns(found)
        yield LandedFile(
            source=source,
            object=name,
            path=Path(found.path),
            size=found.size,
            modified_ns=modified_ns,
            changed_ns=_number_of(found.etag),
            batch_day=batch_day_of(name, modified_ns, zone),
            is_regular=True,
            stored=Stored(landing, found.path, found.etag),
        )


def _modified_ns(found: StoredObject) -> int:
    return int(found.modified.timestamp() * 1e6) * 1_000


def _number_of(etag: str) -> int:
    # Fits a column of whole numbers with a sign.
    return int.from_bytes(hashlib.sha256(etag.encode()).digest()[:8]) >> 1


def landed_file(source: str, root: Path, path: Path, zone: str = "UTC") -> LandedFile | None:
    """The file that would be landed as a path below a root; None when there is none."""
    try:
        info = path.lstat()
    except FileNotFoundError:
        return None
    # A name need not be text; bytes that are none are written as \xNN, and a backslash is doubled,
    # or a name that is spelt so would be taken for the same file.
    spelt = os.fsencode(path.relative_to(root).as_posix()).replace(b"\\", b"\\\\")
    name = spelt.decode(errors="backslashreplace")
    return LandedFile(
        source=source,
        object=name,
        path=path,
        size=info.st_size,
        modified_ns=info.st_mtime_ns,
        changed_ns=info.st_ctime_ns,
        batch_day=batch_day_of(name, info.st_mtime_ns, zone),
        is_regular=stat.S_ISREG(info.st_mode),
    )


def batch_day_of(name: str, modified_ns: int, zone: str = "UTC") -> date:
    """The batch day of a file, from its path below the source's folder or its time in a zone.

    A path with several dates names a period, and the file is of its end: what it brings of the
    days before was not there earlier.
    """
    named = day_in_path(name)
    return named or local_day(datetime.fromtimestamp(modified_ns / 1e9, tz=UTC), zone)


def day_in_path(name: str) -> date | None:
    """The latest day that a path names; None when it names none."""
    days = []
    for match in _ISO_DAY.finditer(name):
        with suppress(ValueError):
            days.append(date.fromisoformat(match[1]))
    return max(days, default=None)


def _visible(folders: list[str], names: list[str], folder: str) -> list[str]:
    links = [d for d in folders if (Path(folder) / d).is_symlink()]
    folders[:] = sorted(d for d in folders if _is_finished(d) and d not in links)
    return [name for name in (*names, *links) if _is_finished(name)]


def _is_finished(name: str) -> bool:
    return not name.startswith((".", "_")) and not name.endswith((".tmp", ".partial"))
