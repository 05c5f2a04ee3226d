"""Makes the shops, and writes the tables of docs/statistics.md and its plots.

With BRIDGE_CART_REAL_DATA the plots show the real shops beside ours; the tables are the same
without.

Belongs here: the order of the work. Does not belong here: the tables (`page`) and the plots
(`plots`).
"""

import os
import sys

from bridge_cart_tests.generator.statistics.bgnbd import fitted
from bridge_cart_tests.generator.statistics.page import PAGE, filled, tables
from bridge_cart_tests.generator.statistics.plots import draw
from bridge_cart_tests.generator.statistics.shops import SEEDS, Real


def main() -> None:
    """Write the page and its plots."""
    real = Real.named(os.environ.get("BRIDGE_CART_REAL_DATA"))
    if real.online_retail is None:
        print("BRIDGE_CART_REAL_DATA is not set: the plots show our shop alone", file=sys.stderr)
    shops = [fitted(seed) for seed in SEEDS]
    page = filled(PAGE.read_text(encoding="utf-8"), tables(shops))
    PAGE.write_text(page, encoding="utf-8")
    draw(shops, real, PAGE.parent / "images")


if __name__ == "__main__":
    main()
