"""`make demo`: some days of a synthetic shop, the pipeline, and again, up to yesterday.

Belongs here: the order of the verbs. Does not belong here: anything that the verbs do.
"""

import argparse
import itertools
import os
import shutil
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

from bridge_cart_assets.batch_days import today
from bridge_cart_assets.generator.ground_truth import arguments_of
from bridge_cart_assets.private_files import keep_files_private
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.terminal.style import console
from bridge_cart_assets.terminal.summary import summarise

CUSTOMERS, NEWCOMERS = 2_000, 5
DELIVERIES = (180, 45, 45)


def main() -> int:
    """Let some days happen, run, and again; the exit code of the first verb that fails."""
    keep_files_private()
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    settings = Settings.from_environment()
    parser.add_argument(
        "--until",
        type=date.fromisoformat,
        default=yesterday(settings.timezone),
        help="last day; yesterday without",
    )
    has_run = settings.catalogue.exists()
    start, ends = deliveries(settings.data, parser.parse_args().until)
    seconds = 0.0
    for last in ends:
        print(f"\n— the shop up to {last}", flush=True)
        generate, run = delivery_commands(start, last)
        failed = _verb(*generate)
        began = time.monotonic()
        failed = failed or _verb(*run)
        seconds += time.monotonic() - began
        if failed:
            return failed
    if has_run:
        summarise(settings, console())
    print(f"\nThe pipeline took {seconds:.0f} s.")
    print("Where to look next:")
    print(
        f"  make dev      Dagster UI on 127.0.0.1:{settings.dagster_port}, "
        f"report page on {settings.report_host}:{settings.report_port}"
    )
    print(f"  {_command()} generate --until {last + timedelta(days=1)}    one more day, then run")
    print(f"  {_command()} status")
    print(f'  {_command()} sql "FROM gold.segment_metrics WHERE is_current"')
    return 0


def yesterday(zone: str) -> date:
    """The last day that is over in a time zone."""
    return today(zone) - timedelta(days=1)


def deliveries(data: Path, until: date) -> tuple[date, list[date]]:
    """The first day of the folder's shop, and the last day of each delivery.

    A new shop is as old on `until` as all deliveries are long. A shop that is there goes on.
    """
    known = arguments_of(data, must_be=False)
    if not known:
        start = until - timedelta(days=sum(DELIVERIES) - 1)
        return start, [start + timedelta(days=n - 1) for n in itertools.accumulate(DELIVERIES)]
    start = date.fromisoformat(known["start"])
    return start, [max(start, until)]


def delivery_commands(start: date, last: date) -> tuple[list[str], list[str]]:
    """The arguments of `bridge-cart` that make a delivery up to its last day, and take it in."""
    shop = ["--customers", str(CUSTOMERS), "--newcomers", str(NEWCOMERS), "--start", str(start)]
    return ["generate", *shop, "--until", str(last)], ["run", "--to", str(last)]


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
