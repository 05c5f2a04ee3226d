"""The tables of docs/statistics.md.

Belongs here: how figures and fits are written down, and where in the page. Does not belong here:
how they are computed (`figures`, `bgnbd`), nor the page's pictures (`plots`) and its prose.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bridge_cart_tests.generator.statistics.bgnbd import RECOVERY, TRUTH, Fit, Fitted, deviations
from bridge_cart_tests.generator.statistics.figures import PERSONAS, PRICES, SHOP, Statistic
from bridge_cart_tests.generator.statistics.shops import LONG, YEAR, Clean

PAGE = Path(__file__).parents[3] / "docs" / "statistics.md"


def tables(shops: list[Fitted]) -> dict[str, str]:
    """The tables of docs/statistics.md, by name."""
    reference = shops[0].year
    return {
        "shop": _shop_table(reference),
        "prices": _matrix(reference, PRICES, "category"),
        "personas": _matrix(reference, PERSONAS, "persona"),
        "fits": _fit_table(shops),
        "deviations": _deviation_table(shops),
    }


def filled(page: str, tables: Mapping[str, str]) -> str:
    """The page with its tables; each stands behind the comment that names it."""
    for name, table in tables.items():
        page, found = re.subn(rf"(<!-- {name} -->\n\n)(\|.*\n)*", rf"\g<1>{table}\n", page)
        if found != 1:
            raise ValueError(
                f"{PAGE.name} needs one line <!-- {name} --> and an empty one, and has {found}"
            )
    return page


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _shop_table(shop: Clean) -> str:
    def elsewhere(statistic: Statistic, value: float | None) -> str:
        return "–" if value is None else statistic.written(value)

    return _table(
        ["figure", "this shop", "Online Retail", "CDNOW", "band"],
        [
            [
                statistic.name,
                f"**{statistic.written(statistic.value(shop))}**",
                elsewhere(statistic, statistic.online_retail),
                elsewhere(statistic, statistic.cdnow),
                _band(statistic),
            ]
            for statistic in SHOP
        ],
    )


def _matrix(shop: Clean, statistics: tuple[Statistic, ...], about: str) -> str:
    names = list(dict.fromkeys(statistic.name for statistic in statistics))
    rows = {
        of: [
            f"**{statistic.written(statistic.value(shop))}** ({_band(statistic)})"
            for statistic in statistics
            if statistic.of == of
        ]
        for of in dict.fromkeys(statistic.of for statistic in statistics)
    }
    return _table([about, *names], [[of.replace("_", " "), *cells] for of, cells in rows.items()])


def _band(statistic: Statistic) -> str:
    low, high = statistic.band
    if statistic.form.endswith("%"):
        return f"{100 * low:g}–{100 * high:g} %"
    return f"{low:,g}–{high:,g}"


def _fit_table(shops: list[Fitted]) -> str:
    def row(name: str, truth: float) -> list[str]:
        digits = 2 - int(np.floor(np.log10(truth)))
        found = [shop.long_fit.estimates[name] for shop in shops]
        cells = [f"{value:.{digits}f} ± {error:.{digits}f}" for value, error in found]
        return [name, f"**{truth:.{digits}f}**", *cells, f"± {RECOVERY[name]:.0%}"]

    head = ["", "generator", *(f"seed {shop.seed}" for shop in shops), "band"]
    return _table(head, [row(name, truth) for name, truth in TRUTH.items()]).replace("%", " %")


def _deviation_table(shops: list[Fitted]) -> str:
    def row(days: int, fits: list[Fit]) -> list[list[str]]:
        mean = [f"{deviations(fits, name).mean():+.1%}" for name in TRUTH]
        error = [
            f"{np.mean([found.estimates[name].error for found in fits]) / truth:.1%}"
            for name, truth in TRUTH.items()
        ]
        return [
            [f"{days} days: mean deviation", *mean],
            [f"{days} days: standard error", *error],
        ]

    rows = [
        *row(LONG, [shop.long_fit for shop in shops]),
        *row(YEAR, [shop.year_fit for shop in shops]),
    ]
    return _table(["", *TRUTH], rows).replace("-", "−").replace("−−−", "---").replace("%", " %")
