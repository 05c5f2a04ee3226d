"""Power cuts during one run of the command, and what is asked of the folder after each.

Belongs here: recording a run, choosing moments and what they leave, and the way back. Does not
belong here: what a disk may lose (`disk_model`).
"""

import hashlib
import random
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge_cart_tests.conftest import environment_of
from bridge_cart_tests.faults.disk_model import NEVER, Disk, Effect, Fate, left_after
from bridge_cart_tests.faults.numbered_files import FIRST_DAY, content_of, name_of
from bridge_cart_tests.faults.system_calls import system_calls, traced

FateOf = Callable[[Effect], Fate]
COMMAND = ("-m", "bridge_cart_assets")
# SQLite's index of its write-ahead log: memory that processes share, made anew by the first one.
_SHARED_MEMORY = "-shm"
_ENTRY = re.compile(r"lake/.*/_delta_log/\d{20}\.json")


@dataclass(frozen=True)
class Recording:
    """A run that was watched.

    Attributes:
        data: the folder, which has what the run has left.
        disk: what the run did to it, and what was there before.
        last: the place of the last call.
    """

    data: Path
    disk: Disk
    last: int

    def cut(self, place: int, fate_of: FateOf, chance: random.Random) -> dict[str, bytes | None]:
        """The folder after a power cut at a place."""
        left = left_after(self.disk, place, fate_of, chance)
        return {path: what for path, what in left.items() if not path.endswith(_SHARED_MEMORY)}

    def acknowledged(self, place: int) -> set[str]:
        """The log entries of commits that counted as done: their folder was forced with them."""
        return {
            effect.path
            for effect in self.disk.effects
            if effect.target is not None and effect.sure <= place and _ENTRY.fullmatch(effect.path)
        }

    def moments(self, chance: random.Random) -> Iterator[int]:
        """Moments of power cuts, without end: half of them around a name that changes."""
        names = [effect.at for effect in self.disk.effects if effect.name is not None]
        forced = sorted({e.sure for e in self.disk.effects if e.sure != NEVER})
        while True:
            yield chance.choice(names)
            yield chance.choice(forced) - 1
            yield chance.choice(self.disk.effects).at


def record(data: Path, command: Sequence[str], log: Path) -> Recording | None:
    """Watch a run over a folder, which has what it leaves afterwards; None without strace."""
    before = data.with_name(f"{data.name}-before")
    shutil.copytree(data, before, copy_function=shutil.copy2)
    environment = environment_of(data, BRIDGE_CART_START_DATE=str(FIRST_DAY))
    done = traced([sys.executable, *command], environment, log)
    if done is None:
        return None
    assert done.returncode == 0, done.stderr
    disk = Disk(data, before).play(system_calls(log, data))
    log.unlink()
    return Recording(data, disk, disk.effects[-1].at)


def strategies(chance: random.Random) -> dict[str, FateOf]:
    """Ways in which a disk loses what it was not asked to force."""
    before = chance.random()
    fates = {Fate.WHOLE: 5, Fate.GONE: 3, Fate.ZEROES: 1, Fate.PAGES: 1, Fate.CUT: 1}

    def any_part(effect: Effect) -> Fate:
        [fate] = chance.choices(list(fates), list(fates.values()))
        return fate if effect.name is None or fate is Fate.GONE else Fate.WHOLE

    return {
        "nothing more": lambda _: Fate.GONE,
        "names without content": lambda e: Fate.GONE if e.name is None else Fate.WHOLE,
        "names and zeroes": lambda e: Fate.ZEROES if e.name is None else Fate.WHOLE,
        "content without names": lambda e: Fate.WHOLE if e.name is None else Fate.GONE,
        "names and half the content": lambda e: Fate.CUT if e.name is None else Fate.WHOLE,
        "any part": any_part,
        "most": lambda _: Fate.GONE if chance.random() < before / 5 else Fate.WHOLE,
        "everything": lambda _: Fate.WHOLE,
    }


def digest(left: dict[str, bytes | None]) -> str:
    """What tells a folder from another."""
    whole = hashlib.sha256()
    for path in sorted(left):
        content = left[path]
        whole.update(repr((path, content is None, len(content or b""))).encode())
        whole.update(content or b"")
    return whole.hexdigest()


def land(data: Path, files: Sequence[int]) -> None:
    """Files that have landed, and lie on disk."""
    for n in files:
        file = data / "landing" / "purchases" / name_of(n)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content_of(n))
