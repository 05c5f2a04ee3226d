"""SIGINT and SIGTERM end the work within seconds, whatever it is doing.

Belongs here: how a signal reaches the work. Does not belong here: what a run is (`execute`).

Python runs a signal's handler between two bytecodes of the main thread, so not while that thread
is within Polars, a fit or a wait. Both ways here therefore use a thread of their own. It may end
the process at any moment, because any moment is safe: a commit is made wholly or not at all, and
the next run does what is left, as after kill -9 (docs/architecture.md).
"""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

SIGNALS = (signal.SIGINT, signal.SIGTERM)
# What a signal's last words may take, and what a worker has to end by itself.
_LAST_WORDS_SECONDS = 3
_GRACE_SECONDS = 2.5

# What is done with the signal before the process ends; set by whoever has something to say.
Farewell = Callable[[signal.Signals], None]


class Interruption:
    """What a signal does before the process ends: nothing, until `farewell` is set."""

    def __init__(self) -> None:
        self.farewell: Farewell | None = None

    def end(self, received: signal.Signals) -> None:
        """Say the last words, for some seconds at most, and end the process: 130 or 143."""
        # The last words may need what the main thread holds: the process ends all the same.
        threading.Thread(target=_exit_after, args=(received,), daemon=True).start()
        if self.farewell is not None:
            with suppress(Exception):
                self.farewell(received)
        _exit(received)


@contextmanager
def ending_on_signals() -> Iterator[Interruption]:
    """Let SIGINT and SIGTERM end this process at once, in any phase of the block.

    All threads block the two signals, those that Polars and delta-rs start later too, and one
    thread waits for them.
    """
    interruption = Interruption()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    # A shell that starts a job in the background has SIGINT ignored; it is meant here all the same.
    handlers = {s: signal.signal(s, signal.SIG_DFL) for s in SIGNALS}

    def wait() -> None:
        interruption.end(signal.Signals(signal.sigwait(SIGNALS)))

    threading.Thread(target=wait, name="signals", daemon=True).start()
    try:
        yield interruption
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def ending_late_workers(farewell: Farewell) -> Iterator[None]:
    """Give the worker of a run some seconds to end after a signal; then end it.

    Within a worker Dagster's handlers raise in the main thread. This watches the signals beside
    them, by the descriptor to which Python's own C handler writes at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interruption = Interruption()
    interruption.farewell = farewell
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    over = threading.Event()

    def watch() -> None:
        while numbers := ours.recv(16):
            received = [signal.Signals(n) for n in numbers if n in set(SIGNALS)]
            if received and not over.wait(_GRACE_SECONDS):
                interruption.end(received[0])

    before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    thread = threading.Thread(target=watch, name="signals", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        signal.set_wakeup_fd(before)
        theirs.close()
        thread.join(1)
        ours.close()


def _exit_after(received: signal.Signals) -> None:
    threading.Event().wait(_LAST_WORDS_SECONDS)
    _exit(received)


def _exit(received: signal.Signals) -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(128 + received)
