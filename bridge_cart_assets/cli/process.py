"""The command as a process of its own: how it starts quickly, and ends at once.

Belongs here: what concerns the whole process and no verb. Does not belong here: what the command
does, and with which exit code (`command`).
"""

import atexit
import gc
import os
import sys
import threading
from typing import NoReturn

from bridge_cart_assets.cli.command import main
from bridge_cart_assets.private_files import keep_files_private

# Objects that come and do not go before Python looks for cycles among them; 700 is its default.
_GARBAGE_AFTER = 50_000


def program() -> NoReturn:
    """Run the command as this process.

    A million objects of libraries stay until the end. To look for garbage among them took a tenth
    of the CPU time of a short run, and to take them apart at the end half a second.
    """
    keep_files_private()
    gc.set_threshold(_GARBAGE_AFTER)
    try:
        main()
    except SystemExit as leave:
        _end(leave)


def _end(leave: SystemExit) -> NoReturn:
    """End the process as Python does, but for taking its objects apart."""
    code = 0 if leave.code is None else leave.code
    if isinstance(code, int):
        # Joins threads, and ends those of thread pools.
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        try:
            for stream in (sys.stdout, sys.stderr):
                # There is none where the caller has closed it.
                if stream is not None:
                    stream.flush()
        except (OSError, ValueError):
            # A reader that has gone, for instance: Python says so, and with which exit code.
            raise leave from None
        os._exit(code)
    raise leave
