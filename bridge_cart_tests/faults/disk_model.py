"""A disk below a file system that keeps what was forced, and of the rest as much as it likes.

Each call becomes an effect on the content of a file or on the names in a folder. An effect is sure
from the end of the fsync that covers it: of the file for its content, of the folder for a name in
it. After a power cut the sure effects are there, and of the others any part may be: a file without
its name, a name whose file is empty, a page of a write without its neighbours.

Stricter than ext4, XFS or btrfs: none of these loses a rename and keeps a later one.

Belongs here: effects, and the folders that a cut can leave. Does not belong here: which cuts are
tried (`power_cuts`).
"""

import os
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from bridge_cart_tests.faults.system_calls import SystemCall

PAGE = 4096
NEVER = 1 << 62


@dataclass(eq=False)
class Node:
    """A file or a folder, by whatever names.

    Attributes:
        is_folder: which of the two.
        first: its content before all calls; nothing for a new file.
        names: of a folder, its names after the calls so far.
        size: of a file, its size likewise.
    """

    is_folder: bool
    first: bytes = b""
    names: dict[str, "Node"] = field(default_factory=dict)
    size: int = 0


class Fate(Enum):
    """What becomes of an effect that is not sure."""

    WHOLE = "it is there"
    GONE = "it is not"
    ZEROES = "of a write, its length is there, and zeroes"
    PAGES = "of a write, some pages are there"
    CUT = "of a write, its length is there, and its beginning"


@dataclass(eq=False)
class Effect:
    """What one call changes.

    Attributes:
        node: the file whose content changes, or the folder that has the name.
        at: the place of the call's end.
        sure: the place from which no power cut undoes it.
        name: the name that changes; None for content.
        path: this name with the folders above it.
        target: what the name means then; None when it is gone.
        offset, data: what is written where; data None cuts the file off there, or extends it.
        old: of a rename, where it was.
    """

    node: Node
    at: int
    sure: int = NEVER
    name: str | None = None
    path: str = ""
    target: Node | None = None
    offset: int = 0
    data: bytes | None = None
    old: tuple[Node, str] | None = None


class Disk:
    """A folder as it was, and all effects of calls on it."""

    def __init__(self, folder: Path, base: Path) -> None:
        """Begin with a copy of the folder that is all on disk.

        Args:
            folder: how the calls name it.
            base: where its copy lies.
        """
        self._folder = folder
        self.root = Node(is_folder=True)
        self.first_names: dict[Node, dict[str, Node]] = {}
        self._load(self.root, base)
        self.effects: list[Effect] = []
        self._places: dict[tuple[int, str], int] = {}

    def play(self, calls: Iterable[SystemCall]) -> "Disk":
        """Take in calls."""
        for call in calls:
            self._play(call)
        return self

    def _play(self, call: SystemCall) -> None:
        name = call.name
        if name in ("open", "openat", "creat"):
            self._open(call)
        elif name == "lseek":
            self._places[self._file(call)] = call.result
        elif name == "write":
            self._write(call, self._places.get(self._file(call), 0))
            self._places[self._file(call)] = self._places.get(self._file(call), 0) + call.result
        elif name == "pwrite64":
            self._write(call, int(str(call.arguments[3]), 0))
        elif name in ("ftruncate", "fallocate"):
            node = self._find(call.path(0))
            if node is not None:
                at = 1 if name == "ftruncate" else 2
                size = int(str(call.arguments[at]), 0)
                if name == "fallocate":
                    size = max(node.size, size + int(str(call.arguments[3]), 0))
                self._content(node, call, size, None)
        elif name in ("fsync", "fdatasync"):
            self._force(call)
        elif name in ("mkdir", "mkdirat"):
            self._name(call, self._path_in(call, 0), Node(is_folder=True))
        elif name in ("unlink", "unlinkat", "rmdir"):
            self._name(call, self._path_in(call, 0), None)
        elif name in ("rename", "renameat", "renameat2", "link", "linkat"):
            self._second_name(call, moves=name.startswith("rename"))
        else:
            raise NotImplementedError(f"{name} is not modelled: {call.arguments}")

    def _load(self, node: Node, path: Path) -> None:
        for one in path.iterdir():
            if one.is_dir():
                node.names[one.name] = child = Node(is_folder=True)
                self._load(child, one)
            else:
                content = one.read_bytes()
                node.names[one.name] = Node(is_folder=False, first=content, size=len(content))
        self.first_names[node] = dict(node.names)

    def _path_in(self, call: SystemCall, at: int) -> str:
        """A path that may be relative to a folder before it."""
        first = call.arguments[at]
        if isinstance(first, tuple):
            return os.path.join(call.path(at), call.path(at + 1))
        return call.path(at)

    def _file(self, call: SystemCall) -> tuple[int, str]:
        opened = call.arguments[0]
        assert isinstance(opened, tuple), call
        return opened[0], opened[1].decode()

    def _open(self, call: SystemCall) -> None:
        path = self._path_in(call, 0)
        flags = next(str(a) for a in call.arguments if isinstance(a, str) and a.startswith("O_"))
        node = self._find(path)
        if node is None:
            if "O_CREAT" not in flags or not self._is_inside(path):
                return
            node = Node(is_folder=False)
            self._name(call, path, node)
        elif "O_TRUNC" in flags and node.size:
            self._content(node, call, 0, None)
        self._places[call.result, path] = node.size if "O_APPEND" in flags else 0

    def _write(self, call: SystemCall, offset: int) -> None:
        node = self._find(call.path(0))
        data = call.arguments[1]
        if node is not None:
            assert isinstance(data, bytes), call.name
            self._content(node, call, offset, data[: call.result])

    def _content(self, node: Node, call: SystemCall, offset: int, data: bytes | None) -> None:
        self.effects.append(Effect(node, call.ended, offset=offset, data=data))
        node.size = offset if data is None else max(node.size, offset + len(data))

    def _name(
        self,
        call: SystemCall,
        path: str,
        target: Node | None,
        old: tuple[Node, str] | None = None,
    ) -> None:
        folder, name = self._parent(path)
        if folder is None:
            return
        below = os.path.relpath(path, self._folder)
        self.effects.append(
            Effect(folder, call.ended, name=name, path=below, target=target, old=old)
        )
        if target is None:
            folder.names.pop(name, None)
        else:
            folder.names[name] = target

    def _second_name(self, call: SystemCall, *, moves: bool) -> None:
        has_folders = isinstance(call.arguments[0], tuple)
        before = self._path_in(call, 0)
        after = self._path_in(call, 2 if has_folders else 1)
        node = self._find(before)
        folder, name = self._parent(before)
        if node is None or folder is None:
            raise NotImplementedError(f"into the folder from outside: {before} to {after}")
        self._name(call, after, node, (folder, name) if moves else None)
        if moves:
            del folder.names[name]

    def _force(self, call: SystemCall) -> None:
        node = self._find(call.path(0))
        if node is None:
            return
        for effect in self.effects:
            if effect.node is node and effect.sure == NEVER and effect.at <= call.begun:
                effect.sure = call.ended

    def _is_inside(self, path: str) -> bool:
        return path.startswith(f"{self._folder}/")

    def _find(self, path: str) -> Node | None:
        if path == str(self._folder):
            return self.root
        if not self._is_inside(path):
            return None
        node: Node | None = self.root
        for part in Path(path).relative_to(self._folder).parts:
            node = node.names.get(part) if node is not None else None
        return node

    def _parent(self, path: str) -> tuple[Node | None, str]:
        above, name = os.path.split(path)
        return self._find(above), name


def left_after(
    disk: Disk, cut: int, fate_of: Callable[[Effect], Fate], chance: random.Random
) -> dict[str, bytes | None]:
    """The folder that a power cut leaves.

    Args:
        disk: with all effects.
        cut: the place of the cut; later effects are not there.
        fate_of: what becomes of an effect that is not sure.
        chance: which pages of a torn write are there.

    Returns:
        The content of each file by its path, and the folders, which have none.
    """
    names = {node: dict(there) for node, there in disk.first_names.items()}
    contents: dict[Node, bytearray] = {}
    for effect in disk.effects:
        if effect.at > cut:
            break
        fate = Fate.WHOLE if effect.sure <= cut else fate_of(effect)
        if fate is Fate.GONE:
            continue
        if effect.name is None:
            content = contents.setdefault(effect.node, bytearray(effect.node.first))
            _write(content, effect, fate, chance)
            continue
        if effect.old is not None:
            names.setdefault(effect.old[0], {}).pop(effect.old[1], None)
        if effect.target is None:
            names.setdefault(effect.node, {}).pop(effect.name, None)
        else:
            names.setdefault(effect.node, {})[effect.name] = effect.target
    return dict(_walk(disk.root, "", names, contents))


def _write(content: bytearray, effect: Effect, fate: Fate, chance: random.Random) -> None:
    """Do to a content what one effect does."""
    data, begin = effect.data, effect.offset
    end = begin if data is None else begin + len(data)
    if data is None:
        del content[begin:]
    content.extend(bytes(max(0, end - len(content))))
    if data is None or fate is Fate.ZEROES:
        return
    if fate is Fate.CUT:
        data = data[: chance.randrange(len(data) + 1)]
        content[begin : begin + len(data)] = data
        return
    for page in range(begin - begin % PAGE, end, PAGE):
        if fate is Fate.WHOLE or chance.random() < 0.5:
            low, high = max(page, begin), min(page + PAGE, end)
            content[low:high] = data[low - begin : high - begin]


def _walk(
    node: Node,
    path: str,
    names: dict[Node, dict[str, Node]],
    contents: dict[Node, bytearray],
) -> Iterator[tuple[str, bytes | None]]:
    for name, one in names.get(node, {}).items():
        below = f"{path}/{name}" if path else name
        if one.is_folder:
            yield below, None
            yield from _walk(one, below, names, contents)
        else:
            yield below, bytes(contents.get(one, one.first))


def write_folder(files: dict[str, bytes | None], folder: Path) -> None:
    """Make a folder that has these files."""
    folder.mkdir(parents=True)
    for path, content in files.items():
        target = folder / path
        if content is None:
            target.mkdir(exist_ok=True, parents=True)
        else:
            target.parent.mkdir(exist_ok=True, parents=True)
            target.write_bytes(content)
