"""SIGINT and SIGTERM end the work within seconds, whatever it is doing.

Belongs here: how a signal reaches the work. Does not belong here: what a run is (`run_in_process`).

Python runs a signal's handler between two bytecodes of the main thread, so not while that thread
is within Polars, a fit or a wait. Both ways here therefore use a second thread. It may end the
process at any moment, because any moment is safe: a commit is made wholly or not at all, and the
next run does what is left, as after kill -9 (docs/architecture.md).
"""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import TypeVar

from bridge_cart_assets.leftovers import remove_leftovers

SIGNALS = (signal.SIGINT, signal.SIGTERM)
# What the last words may take, and what a worker has to end by itself.
_LAST_WORDS_SECONDS = 3
_GRACE_SECONDS = 2
_ANSWER_SECONDS = 0.1

# What is done with a signal before the process ends.
Farewell = Callable[[signal.Signals], None]
T = TypeVar("T")

_farewells: list[Farewell] = []


@contextmanager
def on_signal(farewell: Farewell) -> Iterator[None]:
    """Have `farewell` called before a signal ends the process within the block."""
    _farewells.append(farewell)
    try:
        yield
    finally:
        _farewells.remove(farewell)


def run_interruptibly(work: Callable[[], T]) -> T:
    """Do some work in a thread; SIGINT and SIGTERM end the process with 130 or 143 meanwhile.

    The main thread only waits, so that it answers a signal at once. Dagster handles signals in
    the main thread alone and so leaves them to this function.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    result: Future[T] = Future()
    over = threading.Event()

    def do() -> None:
        try:
            result.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is raised again in the main thread
            result.set_exception(error)
        over.set()

    # A shell that starts a job in the background has SIGINT ignored; it is meant here all the same.
    before = {s: signal.signal(s, lambda number, _: _end(signal.Signals(number))) for s in SIGNALS}
    threading.Thread(target=do, name="work", daemon=True).start()
    try:
        # Polars has SIGINT restart what it interrupts, so an endless wait would sleep through it.
        while not over.wait(_ANSWER_SECONDS):
            pass
        return result.result()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def exit_on_signals() -> None:
    """Let SIGINT and SIGTERM end this process with 130 or 143, where nothing else handles them."""
    for number in SIGNALS:
        signal.signal(number, lambda received, _: _exit(signal.Signals(received)))


@contextmanager
def ending_late_workers(farewell: Farewell) -> Iterator[None]:
    """Give the worker of a run some seconds to end after a signal; then end it.

    In a worker Dagster's handlers raise in the main thread. This watches the signals beside them,
    by the descriptor to which Python's own handler in C writes at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    over = threading.Event()

    def watch() -> None:
        while numbers := reader.recv(16):
            received = [signal.Signals(n) for n in numbers if n in set(SIGNALS)]
            if received and not over.wait(_GRACE_SECONDS):
                with on_signal(farewell):
                    _end(received[0])

    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    thread = threading.Thread(target=watch, name="signals", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        signal.set_wakeup_fd(before)
        writer.close()
        thread.join(1)
        reader.close()


def _end(received: signal.Signals) -> None:
    """Say the last words, for some seconds at most, and end the process."""
    # They may need what another thread holds: the process ends all the same.
    threading.Thread(target=_exit_later, args=(received,), daemon=True).start()
    for farewell in tuple(_farewells):
        with suppress(Exception):
            farewell(received)
    _exit(received)


def _exit_later(received: signal.Signals) -> None:
    threading.Event().wait(_LAST_WORDS_SECONDS)
    remove_leftovers()
    # Without a flush: the work may hold the stream, blocked by a reader that does not read.
    os._exit(128 + received)


def _exit(received: signal.Signals) -> None:
    remove_leftovers()
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(128 + received)
