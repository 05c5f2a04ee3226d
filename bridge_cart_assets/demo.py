"""`make demo`: some days of a synthetic shop, the pipeline, and again, like a calendar.

Belongs here: the order of the verbs. Does not belong here: anything that the verbs do.
"""

import itertools
import os
import shutil
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

from bridge_cart_assets.settings import Settings
from bridge_cart_assets.terminal.style import console
from bridge_cart_assets.terminal.summary import summarise

CUSTOMERS, NEWCOMERS, START = 2_000, 5, date(2024, 1, 1)
DELIVERIES = (180, 45, 45)


def main() -> int:
    """Let some days happen, run, and again; the exit code of the first verb that fails."""
    settings = Settings.from_environment()
    has_run = settings.catalogue.exists()
    shop = ("--customers", str(CUSTOMERS), "--newcomers", str(NEWCOMERS), "--start", str(START))
    seconds = 0.0
    for days in itertools.accumulate(DELIVERIES):
        last = START + timedelta(days=days - 1)
        print(f"\n— the shop up to {last}", flush=True)
        failed = _verb("generate", *shop, "--until", str(last))
        began = time.monotonic()
        failed = failed or _verb("run", "--to", str(last))
        seconds += time.monotonic() - began
        if failed:
            return failed
    if has_run:
        summarise(settings, console())
    print(f"\nThe pipeline took {seconds:.0f} s.")
    print("Where to look next:")
    print("  make dev      Dagster UI on 127.0.0.1:3000, report page on 127.0.0.1:5010")
    print(f"  {_command()} generate --until {last + timedelta(days=7)}    one more week, then run")
    print(f"  {_command()} status")
    print(f'  {_command()} sql "FROM gold.segment_metrics WHERE is_current"')
    return 0


def _verb(*arguments: str) -> int:
    return subprocess.run(  # noqa: S603 (our own command)
        [sys.executable, "-m", "bridge_cart_assets", *arguments], check=False
    ).returncode


def _command() -> str:
    installed = Path(sys.executable).with_name("bridge-cart")
    if shutil.which("bridge-cart"):
        return "bridge-cart"
    return os.path.relpath(installed)


if __name__ == "__main__":
    sys.exit(main())
