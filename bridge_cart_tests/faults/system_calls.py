"""What a process asked the kernel to do with the files of a folder, by strace.

Belongs here: running under strace, and reading its lines. Does not belong here: what a disk makes
of the calls (`disk_model`).
"""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_TRACED = (
    *("open", "openat", "creat", "lseek", "write", "pwrite64", "writev", "pwritev", "pwritev2"),
    *("ftruncate", "truncate", "fallocate", "rename", "renameat", "renameat2", "link", "linkat"),
    *("symlink", "symlinkat", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "fsync"),
    *("fdatasync", "sync_file_range", "msync", "copy_file_range", "sendfile"),
)
_LINE = re.compile(r"(\d+) +(.*)", re.DOTALL)
_CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+)", re.DOTALL)
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)", re.DOTALL)
_HEX = re.compile(r"(?:\\x[0-9a-f]{2})+")
_ARGUMENT = re.compile(
    r'"((?:\\x[0-9a-f]{2})*)"(?:\.\.\.)?|(AT_FDCWD|\d+)<((?:\\x[0-9a-f]{2}|[^>\\])*)>|([\w|.]+)'
)


@dataclass(frozen=True)
class SystemCall:
    """A call that succeeded.

    Attributes:
        name: which.
        arguments: paths and data as bytes, open files as (number, path), others as text.
        result: the number that it returned.
        opened: the path of the file that it opened.
        begun: its place among all calls when it began.
        ended: its place when it ended.
    """

    name: str
    arguments: tuple["bytes | tuple[int, bytes] | str", ...]
    result: int
    begun: int
    ended: int

    def path(self, at: int) -> str:
        """An argument that is a path, or the path of an open file."""
        value = self.arguments[at]
        if isinstance(value, tuple):
            value = value[1]
        assert isinstance(value, bytes), self
        return value.decode()


def traced(
    command: Sequence[str], environment: Mapping[str, str], log: Path
) -> "subprocess.CompletedProcess[str] | None":
    """Run a command under strace; None where that cannot be."""
    strace = shutil.which("strace")
    if strace is None:
        return None
    options = ["--seccomp-bpf", "-f", "-y", "-xx", "-s", str(1 << 26), "-o", str(log)]
    done = subprocess.run(
        [strace, *options, "-e", f"trace={','.join(_TRACED)}", *command],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    return None if "ptrace" in done.stderr else done


def system_calls(log: Path, folder: Path) -> Iterator[SystemCall]:
    """The calls of a log that succeeded and name a folder, in the order of their ends."""
    inside = "".join(f"\\x{byte:02x}" for byte in str(folder).encode())
    begun: dict[str, tuple[int, str]] = {}
    with log.open(encoding="ascii", errors="replace") as lines:
        for place, line in enumerate(lines):
            matched = _LINE.match(line)
            if matched is None:
                continue
            pid, text = matched[1], matched[2].rstrip("\n")
            start = place
            if text.endswith(" <unfinished ...>"):
                begun[pid] = place, text.removesuffix(" <unfinished ...>")
                continue
            if (resumed := _RESUMED.match(text)) is not None:
                if pid not in begun:
                    continue
                start, first = begun.pop(pid)
                text = first + resumed[2]
            if inside not in text or (call := _CALL.match(text)) is None or int(call[3]) < 0:
                continue
            arguments = tuple(_parsed(call[2]))
            yield SystemCall(call[1], arguments, int(call[3]), start, place)


def _parsed(text: str) -> Iterator["bytes | tuple[int, bytes] | str"]:
    for found in _ARGUMENT.finditer(text):
        if found[1] is not None:
            yield _bytes(found[1])
        elif found[3] is not None:
            number = -1 if found[2] == "AT_FDCWD" else int(found[2])
            yield number, _bytes(found[3])
        else:
            yield found[4]


def _bytes(text: str) -> bytes:
    if _HEX.fullmatch(text):
        return bytes.fromhex(text.replace("\\x", ""))
    return text.encode()
