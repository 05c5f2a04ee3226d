"""The demo's shop with a fixed last day, and what README quotes of it; for `make screenshots`.

Belongs here: making that shop, on the day after its last one, and README's block. Does not belong
here: what the demo does (`bridge_cart_assets.demo`), or the pictures (`screenshots`).
"""

import re
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

from bridge_cart_assets.demo import deliveries, delivery_commands
from bridge_cart_tests.conftest import environment_of

README = Path(__file__).parents[1] / "README.md"
# Its first day is 2024-01-01.
LAST_DAY = date(2024, 9, 26)
_BLOCK = re.compile(
    r"(?<=<!-- made by make screenshots -->\n```text\n).*?(?=```\n<!-- end -->)", re.DOTALL
)
_SUMMARY = re.compile(r"^KPIs .*?(?=^Next: )", re.DOTALL | re.MULTILINE)


def make_demo_shop(data: Path) -> str:
    """What `make demo` makes of an empty folder on the day after LAST_DAY.

    Returns:
        What the last run prints.
    """
    start, ends = deliveries(data, LAST_DAY)
    printed = [
        _printed(data, last + timedelta(days=1), arguments)
        for last in ends
        for arguments in delivery_commands(start, last)
    ]
    return printed[-1]


def _printed(data: Path, today: date, arguments: list[str]) -> str:
    env = environment_of(data, NO_COLOR="1")
    env.pop("FORCE_COLOR", None)
    return subprocess.run(
        [sys.executable, "-m", "bridge_cart_tests.shifted_clock", str(today), *arguments],
        env=env,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


def summary(printed: str) -> str:
    """The KPIs, the segments and what is worth a look, out of what a run prints."""
    [found] = _SUMMARY.findall(printed)
    return "".join(f"{line.rstrip()}\n" for line in found.splitlines())


def quoted(readme: str) -> str:
    """The block of README that quotes the demo."""
    [block] = _BLOCK.findall(readme)
    return str(block)


def with_quote(readme: str, block: str) -> str:
    """README with another block in the place of the one that quotes the demo."""
    return readme.replace(quoted(readme), block)
