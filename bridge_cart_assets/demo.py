"""`make demo`: a synthetic shop through the whole pipeline, in several increments.

Belongs here: the order of the verbs. Does not belong here: anything that the verbs do.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console

from bridge_cart_assets.settings import Settings
from bridge_cart_assets.terminal.summary import summarise

CUSTOMERS, DAYS, INCREMENTS = 3_000, 270, (180, 45, 45)


def main() -> int:
    """Generate, then run the days in increments; the exit code of the first verb that fails."""
    settings = Settings.from_environment()
    if settings.landing.exists() and not (settings.data / "truth" / "shop.json").exists():
        print(
            f"error: {settings.landing} has files of yours: set BRIDGE_CART_DATA", file=sys.stderr
        )
        return 2
    # Files written again look new: a second demo would take in the same shop once more.
    is_new = not (settings.data / "truth" / "manifest.parquet").exists()
    if is_new:
        failed = _verb("generate", "--customers", str(CUSTOMERS), "--days", str(DAYS))
        if failed:
            return failed
    began = time.monotonic()
    for last in _last_days(settings):
        print(f"\n— increment up to {last}")
        failed = _verb("run", "--to", last)
        if failed:
            return failed
    if not is_new:
        summarise(settings, Console())
    print(f"\nThe pipeline took {time.monotonic() - began:.0f} s.")
    print("Where to look next:")
    print("  make dev      Dagster UI on 127.0.0.1:3000, report page on 127.0.0.1:5010")
    print(f"  {_command()} status")
    print(f'  {_command()} sql "FROM gold.segment_metrics WHERE is_current"')
    return 0


def _last_days(settings: Settings) -> list[str]:
    """The last day of each increment, by the landed purchases files."""
    days = sorted(path.stem for path in (settings.landing / "purchases").glob("*.csv"))
    ends = [sum(INCREMENTS[: i + 1]) - 1 for i in range(len(INCREMENTS))]
    return [days[min(end, len(days) - 1)] for end in ends]


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
