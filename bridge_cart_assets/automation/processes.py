"""Which process executes a run, and whether it still lives.

Belongs here: the identity of a process, on this machine or another. Does not belong here: what
follows for a run (`liveness`).

A process number alone says little: it is given again, and a container counts for itself. So an
identity names the boot of the machine, the namespace that counts the processes, the number, and
the moment at which the kernel started it. In the same namespace of the same boot it is certain
whether that process lives; elsewhere only its heartbeat tells.
"""

import json
import os
import socket
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True)
class ProcessIdentity:
    """A process, so that it cannot be mistaken for another one.

    Attributes:
        host: name of its machine or container, for people.
        boot: the kernel's id of the boot; empty where there is none (macOS, Windows).
        namespace: the kernel's id of the namespace that counts the processes.
        pid: its number there.
        started: when the kernel started it, in clock ticks since the boot.
    """

    host: str
    boot: str
    namespace: str
    pid: int
    started: int

    @classmethod
    def current(cls) -> "ProcessIdentity":
        """This process."""
        boot, namespace = _counted_by()
        pid = os.getpid()
        state = _state(pid)
        return cls(socket.gethostname(), boot, namespace, pid, state[1] if state else 0)

    @classmethod
    def parse(cls, text: str) -> "ProcessIdentity | None":
        """The identity that `text` wrote down; None when it is none."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            return None

    @property
    def text(self) -> str:
        """The identity in one line."""
        return json.dumps(asdict(self))

    def __str__(self) -> str:
        """For people: `process 4711 on shop-1`."""
        return f"process {self.pid} on {self.host}"

    @property
    def is_visible(self) -> bool:
        """Whether this process can look at that one."""
        return bool(self.boot) and (self.boot, self.namespace) == _counted_by()

    @property
    def is_alive(self) -> bool | None:
        """Whether the process lives; None when it cannot be seen from here."""
        if not self.is_visible:
            return None
        state = _state(self.pid)
        # A zombie has ended; only its parent has not asked yet how.
        return state is not None and state[1] == self.started and state[0] not in "ZX"


@cache
def _counted_by() -> tuple[str, str]:
    """The boot and the namespace of this process; empty where the kernel does not say."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return boot, str((_PROC / "self/ns/pid").readlink())
    except OSError:
        return "", ""


def _state(pid: int) -> tuple[str, int] | None:
    """A process's state and start; None when there is no such process."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    # The name stands in parentheses and may hold blanks and parentheses itself.
    fields = text.rpartition(")")[2].split()
    return fields[0], int(fields[19])
