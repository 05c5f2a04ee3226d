"""The plots of docs/statistics.md, by Matplotlib.

Belongs here: what a plot shows and how it looks. Does not belong here: figures that anything else
needs (`figures`, `bgnbd`). Matplotlib is imported where it draws.
"""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from bridge_cart_assets.generator.personas import NAMES
from bridge_cart_tests.generator.numbers import as_number
from bridge_cart_tests.generator.statistics.bgnbd import RECOVERY, TRUTH, Fitted, deviations
from bridge_cart_tests.generator.statistics.figures import gini
from bridge_cart_tests.generator.statistics.shops import LONG, YEAR, Clean, Real

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

OURS, LIGHT, RETAIL, CDNOW = "#1f5a8a", "#85add0", "#d9822b", "#7b8794"
PALE, INK = "#d5dbe1", "#2b3440"
STYLE: "dict[RcKeyType, Any]" = {
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#9aa5b1",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e8ecf0",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
}
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def draw(shops: list[Fitted], real: Real, folder: Path) -> None:
    """Write the plots."""
    import matplotlib
    from matplotlib.figure import Figure
    from PIL import Image

    ours = shops[0].year
    plots: dict[str, tuple[float, Callable[[Figure], None]]] = {
        "orders": (3.0, lambda figure: _draw_orders(figure.subplots(), ours, real)),
        "lorenz": (3.6, lambda figure: _draw_lorenz(figure.subplots(), ours, real)),
        "gaps": (2.8, lambda figure: _draw_gaps(figure.subplots(), ours, real)),
        "year": (2.8, lambda figure: _draw_year(figure.subplots(), ours)),
        "week": (
            1.9 * len(_beside(ours, real)),
            lambda figure: _draw_week(figure, _beside(ours, real)),
        ),
        "prices": (3.2, lambda figure: _draw_prices(figure.subplots(), _beside(ours, real))),
        "personas": (2.6, lambda figure: _draw_personas(figure, ours)),
        "bgnbd": (3.6, lambda figure: _draw_fits(figure.subplots(), shops)),
    }
    folder.mkdir(exist_ok=True)
    with matplotlib.rc_context(STYLE):
        for name, (height, plot) in plots.items():
            figure = Figure(figsize=(7, height), layout="constrained")
            plot(figure)
            drawn = BytesIO()
            figure.savefig(drawn, dpi=150)
            file = folder / f"statistics-{name}.png"
            Image.open(drawn).convert("RGB").quantize(256).save(file, optimize=True)


def _beside(ours: Clean, real: Real) -> list[tuple[str, str, Clean]]:
    """Name, colour and shop: ours, and Online Retail where it is known."""
    shops = [("synthetic shop", OURS, ours)]
    return shops + [("Online Retail", RETAIL, shop) for shop in real[:1] if shop]


def _draw_orders(axes: "Axes", ours: Clean, real: Real) -> None:
    counts = [
        (name, colour, shop.buyers["orders"].to_numpy())
        for name, colour, shop in _beside(ours, real)
    ]
    if real.cdnow is not None:
        counts.append(("CDNOW (39 weeks)", CDNOW, 1 + real.cdnow["x"].to_numpy().astype(int)))
    for name, colour, orders in counts:
        share = np.bincount(orders)[:0:-1].cumsum()[::-1] / orders.size
        axes.plot(np.arange(1, share.size + 1), share, color=colour, label=name, linewidth=1.8)
    axes.set(xscale="log", yscale="log", xlim=(1, 220), ylim=(1e-4, 1.2))
    axes.set(xlabel="orders", ylabel="buyers with at least so many")
    axes.xaxis.set_major_formatter("{x:.0f}")
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:.4%}".rstrip("0%").rstrip(".") + " %")
    axes.minorticks_off()
    axes.legend(loc="lower left")


def _draw_lorenz(axes: "Axes", ours: Clean, real: Real) -> None:
    axes.plot([0, 1], [0, 1], color=CDNOW, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.text(0.5, 0.53, "if all were equal", color=CDNOW, ha="right")
    for name, colour, shop in _beside(ours, real):
        revenue = np.sort(shop.buyers["revenue"].to_numpy())
        share = np.append(0, revenue.cumsum() / revenue.sum())
        rank = np.linspace(0, 1, share.size)
        label = f"{name}, Gini {gini(shop):.2f}"
        axes.plot(rank, share, color=colour, label=label, linewidth=1.8)
    axes.set(xlabel="buyers, from the smallest", ylabel="revenue", xlim=(0, 1), ylim=(0, 1))
    _percent(axes.xaxis, axes.yaxis)
    axes.legend(loc="upper left")


def _draw_gaps(axes: "Axes", ours: Clean, real: Real) -> None:
    for name, colour, shop in _beside(ours, real):
        share = np.bincount(shop.gaps.to_numpy()).cumsum() / shop.gaps.len()
        label = f"{name}, median {as_number(shop.gaps.median()):.0f} days"
        axes.step(np.arange(share.size)[1:], share[1:], color=colour, label=label, where="post")
    axes.set(xscale="log", xlim=(1, 365), ylim=(0, 1))
    axes.set(xlabel="days until the next order", ylabel="orders that are followed")
    axes.set_xticks(
        [1, 2, 7, 14, 30, 90, 180, 365], ["1", "2", "7", "14", "30", "90", "180", "365"]
    )
    axes.minorticks_off()
    _percent(axes.yaxis)
    axes.legend(loc="upper left")


def _draw_year(axes: "Axes", ours: Clean) -> None:
    from matplotlib.dates import DateFormatter, MonthLocator

    is_sale = pl.col("day").is_in(list(ours.flash_sales))
    usual = pl.when(~is_sale).then("orders")
    days = ours.days.with_columns(week=usual.rolling_mean(7, min_samples=5, center=True))
    sales = days.filter(is_sale)
    axes.plot(days["day"], days["orders"], color=OURS, alpha=0.35, linewidth=0.9, label="a day")
    axes.plot(
        days["day"], days["week"], color=OURS, linewidth=1.8, label="mean of seven, without sales"
    )
    axes.plot(sales["day"], sales["orders"], "o", color=RETAIL, markersize=5, label="flash sale")
    axes.set(ylabel="orders", xlim=(days["day"][0], days["day"][-1]))
    axes.set_ylim(0, 1.25 * as_number(days["orders"].max()))
    axes.xaxis.set_major_locator(MonthLocator())  # type: ignore[no-untyped-call] # it has no types
    axes.xaxis.set_major_formatter(DateFormatter("%b"))  # type: ignore[no-untyped-call] # nor has it
    axes.legend(loc="upper right", ncols=3)


def _draw_week(figure: "Figure", shops: list[tuple[str, str, Clean]]) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    panels = figure.subplots(len(shops), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, colour, shop) in zip(panels, shops, strict=True):
        moment = shop.orders["purchase_date"]
        cells = np.zeros((7, 24))
        np.add.at(cells, (moment.dt.weekday().to_numpy() - 1, moment.dt.hour().to_numpy()), 1)
        shades = LinearSegmentedColormap.from_list(name, ["#f6f8fa", colour])
        axes.pcolormesh(cells, cmap=shades, edgecolor="white", linewidth=1.2)
        axes.set_title(name)
        axes.set_yticks(np.arange(7) + 0.5, WEEKDAYS)
        axes.set_xticks(np.arange(0, 24, 3) + 0.5, [f"{hour}:00" for hour in range(0, 24, 3)])
        axes.invert_yaxis()
        axes.grid(visible=False)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)


def _draw_prices(axes: "Axes", shops: list[tuple[str, str, Clean]]) -> None:
    _, _, ours = shops[0]
    rows = [
        (of, OURS, rows["price"])
        for (of,), rows in ours.sales.sort("product_category").group_by(
            ["product_category"], maintain_order=True
        )
    ]
    rows.sort(key=lambda row: as_number(row[2].median()))
    rows = [(f"{name} (£)", colour, shop.sales["price"]) for name, colour, shop in shops[1:]] + rows
    for place, (_, colour, prices) in enumerate(rows):
        low, first, middle, third, high = (
            as_number(prices.quantile(share)) for share in (0.01, 0.25, 0.5, 0.75, 0.99)
        )
        axes.plot([low, high], [place, place], color=colour, linewidth=1.2)
        axes.plot([first, third], [place, place], color=colour, linewidth=7, solid_capstyle="butt")
        axes.plot(middle, place, "o", color="white", markersize=4)
        axes.annotate(
            f"{middle:.2f}", (high, place), (6, 0), textcoords="offset points", va="center"
        )
    axes.set(xscale="log", xlim=(0.15, 3_000), xlabel="price of a piece (median at the right)")
    axes.set_yticks(range(len(rows)), [of for of, _, _ in rows])
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.minorticks_off()
    axes.grid(visible=False, axis="y")


def _draw_personas(figure: "Figure", ours: Clean) -> None:
    buyers = ours.buyers.join(ours.people.select("customer_id", "persona"), on="customer_id")
    shown = buyers.filter(pl.col("revenue") > 0).sample(6_000, seed=1)
    rng = np.random.default_rng(1)
    spread = shown["orders"].to_numpy() * np.exp(rng.uniform(-0.15, 0.15, shown.height))
    revenue, persona = shown["revenue"].to_numpy(), shown["persona"].to_numpy()
    panels = figure.subplots(1, len(NAMES), sharex=True, sharey=True)
    for axes, name in zip(panels, NAMES, strict=True):
        own = persona == name
        dots = {"s": 2.5, "linewidth": 0}
        axes.scatter(spread[~own], revenue[~own], color=PALE, alpha=0.5, **dots)
        axes.scatter(spread[own], revenue[own], color=OURS, alpha=0.45, **dots)
        axes.set(xscale="log", yscale="log", xlim=(0.8, 110), ylim=(1, 40_000), xlabel="orders")
        axes.set_title(name.replace("_", " "))
        axes.set_xticks([1, 10, 100], ["1", "10", "100"])
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.minorticks_off()
    panels[0].set_ylabel("revenue")


def _draw_fits(axes: "Axes", shops: list[Fitted]) -> None:
    looks = (
        (f"{LONG} days", OURS, -0.22, [shop.long_fit for shop in shops]),
        (f"{YEAR} days", LIGHT, 0.22, [shop.year_fit for shop in shops]),
    )
    for place, (name, truth) in enumerate(TRUTH.items()):
        band = RECOVERY[name]
        axes.plot(
            [-band, band],
            [place, place],
            color="#eef1f4",
            linewidth=30,
            zorder=0,
            solid_capstyle="butt",
        )
        for label, colour, side, fits in looks:
            at = place + side + np.linspace(-0.12, 0.12, len(fits))
            axes.errorbar(
                deviations(fits, name),
                at,
                xerr=[2 * found.estimates[name].error / truth for found in fits],
                fmt="o",
                color=colour,
                markersize=3.5,
                elinewidth=1,
                label=None if place else label,
            )
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_yticks(range(len(TRUTH)), list(TRUTH))
    axes.set(xlabel="estimate against the generator's figure", ylim=(len(TRUTH) - 0.5, -0.5))
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_formatter(
        lambda share, _: f"{share:+.0%}".translate({37: " %", 43: "+" if share else "", 45: "−"})
    )
    axes.legend(loc="lower right")


def _percent(*sides: Any) -> None:
    for side in sides:
        side.set_major_formatter(lambda share, _: f"{share:.0%}".replace("%", " %"))
