"""The files of one table, by name: its log, and what lies below it, in a folder or in a store.

Belongs here: what is done to files beside delta-rs, once for a folder of this machine and once for
a store. Does not belong here: what is in them, or which of them are needed.

A store writes an object whole or not at all, and keeps what it has acknowledged; a folder needs
`fsync` for that.
"""

import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from bridge_cart_assets.lake.fsync import LOG, entry_of, fsync_path
from bridge_cart_assets.object_store import ObjectStore, is_uri, object_store

# What tells that an entry of a log is still the same one.
Stamp = tuple[int | str, ...]
TORN = "_torn"
_MAGIC = b"PAR1"
# So many questions cost less than a listing of all that lies below a table.
_FEW = 20


class FolderFiles:
    """The files of a table in a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has_log(self) -> bool:
        """Whether there is a table, whole or not."""
        return (self.folder / LOG).is_dir()

    def versions(self) -> list[int]:
        """The versions that the log has an entry of, in their order."""
        return _versions(entry.name for entry in (self.folder / LOG).glob("[0-9]*.json"))

    def checkpoints(self) -> list[str]:
        """The names of the checkpoints in the log."""
        return sorted(file.name for file in (self.folder / LOG).glob("*.checkpoint*.parquet"))

    def stamp(self, version: int) -> Stamp | None:
        """What tells the entry from one that takes its place; None if it is not the last one."""
        try:
            info = os.stat(entry_of(self.folder, version))
        except FileNotFoundError:
            return None
        if entry_of(self.folder, version + 1).exists():
            return None
        return (info.st_ino, info.st_mtime_ns, info.st_size)

    def read(self, path: str) -> bytes:
        """The content of a file, by its path below the table.

        Raises:
            FileNotFoundError: there is none.
        """
        return (self.folder / path).read_bytes()

    def download(self, path: str, file: IO[bytes]) -> None:
        """Write the content of a file into an open one.

        Raises:
            FileNotFoundError: there is none.
        """
        with (self.folder / path).open("rb") as opened:
            shutil.copyfileobj(opened, file)

    def sizes(self, paths: Iterable[str]) -> Mapping[str, int]:
        """Bytes of those files that are there."""
        found = {}
        for path in paths:
            with suppress(FileNotFoundError):
                found[path] = (self.folder / path).stat().st_size
        return found

    def is_parquet(self, path: str) -> bool:
        """Whether a file begins and ends as Parquet does."""
        file = self.folder / path
        with file.open("rb") as opened:
            begin = opened.read(4)
            opened.seek(max(file.stat().st_size - 4, 0))
            return begin == opened.read(4) == _MAGIC

    def remove(self, paths: Iterable[str]) -> None:
        """Remove files, as far as they are there."""
        for path in paths:
            (self.folder / path).unlink(missing_ok=True)

    def remove_folder(self, path: str) -> None:
        """Remove a folder with all that is in it, as far as it is there."""
        shutil.rmtree(self.folder / path, ignore_errors=True)

    def paths(self) -> list[str]:
        """All files below the table, the log's too."""
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return sorted(path.relative_to(self.folder).as_posix() for path in found)

    def force_log(self) -> None:
        """Have what is in the log survive a power cut."""
        log = self.folder / LOG
        for path in (*(file for file in log.iterdir() if file.is_file()), log):
            fsync_path(path)

    def replace_entry(self, version: int, text: str) -> None:
        """Put another entry in the place of one, whole."""
        entry = entry_of(self.folder, version)
        beside = entry.with_name(f".{entry.name}.new")
        beside.write_text(text, encoding="utf-8")
        fsync_path(beside)
        os.replace(beside, entry)
        fsync_path(entry.parent)

    def remove_empty_folders(self) -> None:
        """Remove folders below the table in which nothing is left, but for the log's."""
        folders = [path for path in self.folder.rglob("*") if path.is_dir()]
        for folder in sorted(folders, reverse=True):
            if folder.name != LOG and not any(folder.iterdir()):
                folder.rmdir()

    def set_aside(self, version: int) -> None:
        """Take an entry out of the log, and keep it beside."""
        aside = self.folder / LOG / TORN
        aside.mkdir(exist_ok=True)
        entry = entry_of(self.folder, version)
        entry.rename(aside / entry.name)
        self.remove([checkpoint_of(version)])
        fsync_path(aside)
        fsync_path(self.folder / LOG)


class StoreFiles:
    """The files of a table in an object store."""

    def __init__(self, store: ObjectStore, prefix: str) -> None:
        self._store = store
        self._prefix = prefix

    def has_log(self) -> bool:
        """Whether there is a table, whole or not."""
        return any(True for _ in self._store.objects(f"{self._prefix}/{LOG}"))

    def versions(self) -> list[int]:
        """The versions that the log has an entry of, in their order."""
        return _versions(self._log())

    def checkpoints(self) -> list[str]:
        """The names of the checkpoints in the log."""
        return sorted(n for n in self._log() if ".checkpoint" in n and n.endswith(".parquet"))

    def stamp(self, version: int) -> Stamp | None:
        """What tells the entry from one that takes its place; None if it is not the last one.

        One request: names are in order, so the entry comes first and the next one soon after.
        """
        folder = f"{self._prefix}/{LOG}"
        entry, following = f"{version:020}.json", f"{version + 1:020}.json"
        stamp: Stamp | None = None
        for found in self._store.objects(folder, after=f"{folder}/{version:020}"):
            name = found.path.removeprefix(f"{folder}/")
            if name == entry:
                stamp = (found.etag, found.modified.isoformat(), found.size)
            elif name == following:
                return None
        return stamp

    def read(self, path: str) -> bytes:
        """The content of a file, by its path below the table.

        Raises:
            FileNotFoundError: there is none.
        """
        return self._store.read(f"{self._prefix}/{path}")

    def download(self, path: str, file: IO[bytes]) -> None:
        """Write the content of a file into an open one.

        Raises:
            FileNotFoundError: there is none.
        """
        self._store.download(f"{self._prefix}/{path}", file)

    def sizes(self, paths: Iterable[str]) -> Mapping[str, int]:
        """Bytes of those files that are there."""
        wanted = set(paths)
        if len(wanted) <= _FEW:
            sizes = {path: self._store.size(f"{self._prefix}/{path}") for path in wanted}
            return {path: size for path, size in sizes.items() if size is not None}
        below = len(self._prefix) + 1
        there = ((o.path[below:], o.size) for o in self._store.objects(self._prefix))
        return {path: size for path, size in there if path in wanted}

    def is_parquet(self, path: str) -> bool:
        """Whether a file that is there is Parquet: yes, a store writes it whole."""
        return bool(path)

    def remove(self, paths: Iterable[str]) -> None:
        """Remove files, as far as they are there."""
        if found := [f"{self._prefix}/{path}" for path in paths]:
            self._store.delete(found)

    def remove_folder(self, path: str) -> None:
        """Remove a folder with all that is in it, as far as it is there."""
        found = [o.path for o in self._store.objects(f"{self._prefix}/{path}")]
        if found:
            self._store.delete(found)

    def paths(self) -> list[str]:
        """All files below the table, the log's too."""
        below = len(self._prefix) + 1
        return [found.path[below:] for found in self._store.objects(self._prefix)]

    def force_log(self) -> None:
        """Nothing: a store keeps what it has acknowledged."""

    def replace_entry(self, version: int, text: str) -> None:
        """Put another entry in the place of one, whole."""
        self._store.write(f"{self._prefix}/{LOG}/{version:020}.json", text.encode())

    def remove_empty_folders(self) -> None:
        """Nothing: a store has no folders."""

    def set_aside(self, version: int) -> None:
        """Take an entry out of the log, and keep it beside."""
        name = f"{version:020}.json"
        log = f"{self._prefix}/{LOG}"
        self._store.write(f"{log}/{TORN}/{name}", self._store.read(f"{log}/{name}"))
        self.remove([f"{LOG}/{name}", checkpoint_of(version)])

    def _log(self) -> list[str]:
        log = f"{self._prefix}/{LOG}/"
        names = (found.path.removeprefix(log) for found in self._store.objects(log.rstrip("/")))
        return [name for name in names if "/" not in name]


TableFiles = FolderFiles | StoreFiles


def table_files(root: str, path: str, options: Mapping[str, str] | None) -> TableFiles:
    """The files of a table.

    Args:
        root: where all tables lie, a folder or an address.
        path: the table below it.
        options: of the store.
    """
    if not is_uri(root):
        return FolderFiles(Path(root, path))
    return StoreFiles(object_store(root, options or {}), path)


def read_entry(files: TableFiles, version: int) -> str:
    """The text of a log's entry.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is no text.
    """
    return files.read(f"{LOG}/{version:020}.json").decode("utf-8")


def checkpoint_of(version: int) -> str:
    """Path of a version's checkpoint below the table."""
    return f"{LOG}/{version:020}.checkpoint.parquet"


def _versions(names: Iterable[str]) -> list[int]:
    stems = (name.removesuffix(".json") for name in names if name.endswith(".json"))
    return sorted(int(stem) for stem in stems if stem.isdigit())
