"""`make dev`: the Dagster UI with its daemon, and the report page; Ctrl-C ends both.

Belongs here: starting the two and ending them together. Does not belong here: what they serve.
"""

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from bridge_cart_assets.automation.instance import DagsterStateError, dagster_instance
from bridge_cart_assets.automation.liveness import end_dead_runs
from bridge_cart_assets.private_files import keep_files_private
from bridge_cart_assets.settings import Settings, SettingsError
from bridge_cart_assets.terminal.messages import words_for

_GRACE_SECONDS = 15


def main() -> int:
    """Run both until Ctrl-C or until one of them ends."""
    keep_files_private()
    try:
        settings = Settings.from_environment()
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for what, host, port in _ports(settings):
        if _is_taken(host, port):
            variable = "DAGSTER" if what == "Dagster UI" else "REPORT"
            print(
                f"error: {what}: something else listens on port {port}\n"
                f"end it, or choose another port: make dev BRIDGE_CART_{variable}_PORT={port + 1}",
                file=sys.stderr,
            )
            return 1
    try:
        with dagster_instance(settings) as instance:
            for dead in end_dead_runs(instance):
                print(f"ended {dead}")
    except (DagsterStateError, SQLAlchemyError) as error:
        print(f"error: {words_for(error)}", file=sys.stderr)
        return 1
    landing = settings.landing_zone
    if isinstance(landing, Path):
        for folder in ("customers", "purchases"):
            (landing / folder).mkdir(parents=True, exist_ok=True)
    # Before the others start: a shell may have had SIGINT ignored, and they would inherit that.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, lambda *_: _interrupt())
    processes = [_start(command) for command in _commands(settings)]
    print(
        f"Dagster UI   http://127.0.0.1:{settings.dagster_port}/\n"
        f"Report page  http://{settings.report_host}:{settings.report_port}/\n"
        f"Drop files below {settings.landing_at or landing}; Ctrl-C ends both.",
        flush=True,
    )
    try:
        while all(process.poll() is None for process in processes):
            time.sleep(0.5)
    except KeyboardInterrupt:
        print("\nending both", flush=True)
        # A second Ctrl-C would leave some of them running.
        for ending in (signal.SIGINT, signal.SIGTERM):
            signal.signal(ending, signal.SIG_IGN)
        _end(processes)
        return 0
    _end(processes)
    return max(abs(process.returncode or 0) for process in processes) and 1


def _commands(settings: Settings) -> list[list[str]]:
    port = str(settings.dagster_port)
    return [
        [
            *(sys.executable, "-m", "bridge_cart_assets.webserver", "dev"),
            *("--host", "127.0.0.1", "--port", port),
            *("--module-name", "bridge_cart_assets.definitions", "--log-level", "warning"),
        ],
        [sys.executable, "-m", "bridge_cart_assets", "report"],
    ]


def _ports(settings: Settings) -> tuple[tuple[str, str, int], ...]:
    return (
        ("Dagster UI", "127.0.0.1", settings.dagster_port),
        ("report page", settings.report_host, settings.report_port),
    )


def _is_taken(host: str, port: int) -> bool:
    """Whether a server is there; any other trouble with the address is its own program's to say."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def _start(command: Sequence[str]) -> "subprocess.Popen[bytes]":
    # A session of its own: Ctrl-C reaches only this process, which ends the others in order.
    return subprocess.Popen(command, env=os.environ, start_new_session=True)  # noqa: S603


def _end(processes: Sequence["subprocess.Popen[bytes]"]) -> None:
    for process in processes:
        if process.poll() is None:
            # The whole session, as a terminal would: runs under way are canceled by it too.
            os.killpg(process.pid, signal.SIGINT)
    deadline = time.monotonic() + _GRACE_SECONDS
    for process in processes:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _interrupt() -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
