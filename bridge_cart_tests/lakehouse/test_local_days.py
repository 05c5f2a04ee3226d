"""A shop somewhere else: its days, computed a second time by plain Python and zoneinfo."""

import csv
import itertools
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest

from bridge_cart_assets import pipeline
from bridge_cart_assets.generator.arguments import Shop
from bridge_cart_assets.generator.shop import generate
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.chain import refresh_silver
from bridge_cart_assets.pipeline.rebuild import clear
from bridge_cart_assets.settings import SilverSettings
from bridge_cart_assets.tables.gold import COHORT_RETENTION, KPIS_DAILY
from bridge_cart_assets.tables.silver import PURCHASES
from bridge_cart_tests.lakehouse.tables import WITHOUT_MODEL, contents, differences

HERE = "America/Los_Angeles"


@dataclass(frozen=True)
class Sale:
    """A line of the landed files that is a sale, as a person in the shop reads it."""

    order: str
    customer: str
    day: date
    moment: datetime
    amount: Decimal


def sales_of(landing: Path, zone: str) -> list[Sale]:
    """The sales, once for each line of an order, by their latest record."""
    there = ZoneInfo(zone)
    lines: dict[tuple[str, str], dict[str, str]] = {}
    for file in sorted((landing / "purchases").glob("*.csv")):
        with file.open(newline="") as opened:
            for row in csv.DictReader(opened):
                key = row["order_id"], row["line_number"]
                if key not in lines or row["updated_at"] >= lines[key]["updated_at"]:
                    lines[key] = row
    found = []
    for row in lines.values():
        clock = datetime.fromisoformat(row["purchase_date"])
        amount = Decimal(row["purchase_amount"]) - Decimal(row["discount_amount"])
        if row["status"] == "completed" and amount > 0:
            moment = clock.replace(tzinfo=there).astimezone(UTC)
            day = moment.astimezone(there).date()
            found.append(Sale(row["order_id"], row["customer_id"], day, moment, amount))
    return found


@dataclass(frozen=True)
class Figures:
    """What a day's sales come to, of every day on which something was sold."""

    orders: dict[date, int]
    revenue: dict[date, Decimal]
    new_customers: dict[date, int]
    active_customers: dict[date, int]

    @classmethod
    def of(cls, sales: list[Sale], day_of: Callable[[Sale], date]) -> "Figures":
        orders, active = defaultdict(set), defaultdict(set)
        revenue: dict[date, Decimal] = defaultdict(Decimal)
        first: dict[str, date] = {}
        for sale in sales:
            day = day_of(sale)
            orders[day].add(sale.order)
            active[day].add(sale.customer)
            revenue[day] += sale.amount
            first[sale.customer] = min(day, first.get(sale.customer, day))
        return cls(
            orders={day: len(ids) for day, ids in orders.items()},
            revenue=dict(revenue),
            new_customers=dict(Counter(first.values())),
            active_customers={day: len(ids) for day, ids in active.items()},
        )


def cohorts_of(sales: list[Sale]) -> dict[tuple[str, int], tuple[int, int, Decimal]]:
    """Cohort and months since -> its customers, those of them who bought, their revenue."""
    first: dict[str, date] = {}
    for sale in sales:
        first[sale.customer] = min(sale.day, first.get(sale.customer, sale.day))
    months = {customer: day.replace(day=1) for customer, day in first.items()}
    size = Counter(months.values())
    active = defaultdict(set)
    revenue: dict[tuple[date, int], Decimal] = defaultdict(Decimal)
    for sale in sales:
        cohort = months[sale.customer]
        since = (sale.day.year - cohort.year) * 12 + sale.day.month - cohort.month
        active[cohort, since].add(sale.customer)
        revenue[cohort, since] += sale.amount
    return {
        (f"{cohort:%Y-%m}", since): (size[cohort], len(who), revenue[cohort, since])
        for (cohort, since), who in active.items()
    }


def taken(data: Path, zone: str) -> Lake:
    lake = Lake(str(data / "lake"))
    pipeline.run(
        lake,
        data / "landing",
        catalogue=data / "bridge_cart.duckdb",
        settings=SilverSettings(timezone=zone),
    )
    return lake


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tidy shop in Los Angeles, over both changes of the clock of a year, taken in at once."""
    data = tmp_path_factory.mktemp("los-angeles")
    generate(Shop(250, 260, start=date(2024, 2, 25), dirt=0.0, newcomers=0.5, zone=HERE), data)
    taken(data, HERE)
    return data


@pytest.fixture(scope="module")
def sales(data: Path) -> list[Sale]:
    found = sales_of(data / "landing", HERE)
    assert len(found) > 1_000
    return found


def test_most_evenings_are_another_day_of_utc(sales: list[Sale]) -> None:
    """Else the other tests could not tell local days from UTC's."""
    elsewhere = sum(sale.moment.date() != sale.day for sale in sales)
    assert elsewhere > len(sales) / 4
    by_utc = Figures.of(sales, lambda sale: sale.moment.date())
    assert by_utc.orders != Figures.of(sales, lambda sale: sale.day).orders


def test_every_day_has_the_figures_of_its_local_sales(data: Path, sales: list[Sale]) -> None:
    kpis = Lake(str(data / "lake")).snapshot(KPIS_DAILY).read().sort("day")
    wanted = Figures.of(sales, lambda sale: sale.day)
    for name, nothing in (
        ("orders", 0),
        ("revenue", Decimal(0)),
        ("new_customers", 0),
        ("active_customers", 0),
    ):
        by_day = getattr(wanted, name)
        assert dict(kpis.select("day", name).iter_rows()) == {
            day: by_day.get(day, nothing) for day in kpis["day"]
        }, name
    assert set(wanted.orders) <= set(kpis["day"])


def test_no_day_is_missing_or_there_twice_where_the_clock_changes(data: Path) -> None:
    days = Lake(str(data / "lake")).snapshot(KPIS_DAILY).read()["day"].sort().to_list()
    assert {date(2024, 3, 10), date(2024, 11, 3)} < set(days)
    assert all(b - a == timedelta(days=1) for a, b in itertools.pairwise(days))


def test_cohorts_are_those_of_local_months(data: Path, sales: list[Sale]) -> None:
    rows = Lake(str(data / "lake")).snapshot(COHORT_RETENTION).read()
    columns = ("cohort_month", "month_index", "cohort_size", "active_customers", "revenue")
    found = {
        (cohort, since): rest
        for cohort, since, *rest in rows.select(columns).iter_rows()
        if rest[1]
    }
    assert {key: tuple(rest) for key, rest in found.items()} == cohorts_of(sales)


def test_duckdb_has_local_days_and_moments_in_utc(data: Path, sales: list[Sale]) -> None:
    wanted = {sale.order: (sale.day, sale.moment.replace(tzinfo=None)) for sale in sales}
    with duckdb.connect(str(data / "bridge_cart.duckdb"), read_only=True) as connection:
        rows = connection.execute(
            "SELECT order_id, purchase_day, epoch_us(purchase_date) FROM silver.purchases "
            "WHERE kind = 'sale'"
        ).fetchall()
        zone = connection.execute("SELECT timezone FROM meta.run").fetchall()
    origin = datetime(1970, 1, 1)
    found = {order: (day, origin + timedelta(microseconds=us)) for order, day, us in rows}
    assert found == wanted
    assert zone == [(HERE,)]


@pytest.mark.parametrize(
    "zone",
    [HERE, "Pacific/Auckland", "Europe/London", "Asia/Kolkata", "Australia/Lord_Howe"],
)
def test_in_any_zone_the_same_clock_gives_the_same_days(tmp_path: Path, zone: str) -> None:
    """The files have times without a zone: their days are the clock's, wherever the shop is."""
    data = tmp_path / "shop"
    generate(Shop(60, 50, start=date(2024, 3, 1), dirt=0.0, zone=zone), data)
    lake = Lake(str(data / "lake"))
    refresh_silver(lake, data / "landing", settings=SilverSettings(timezone=zone))
    lines = lake.snapshot(PURCHASES).read()
    wanted = sales_of(data / "landing", zone)
    found = lines.filter(kind="sale").select("order_id", "purchase_day", "purchase_date")
    assert set(found.iter_rows()) == {(sale.order, sale.day, sale.moment) for sale in wanted}
    assert len(wanted) > 30


@pytest.mark.slow
def test_day_after_day_at_once_and_rebuilt_give_equal_tables(tmp_path: Path) -> None:
    """A dirty shop around a day of 23 hours: late, corrected and repeated records."""
    zone = SilverSettings(timezone=HERE)
    at_once, by_days = tmp_path / "at-once", tmp_path / "by-days"
    shop = {"start": date(2024, 3, 3), "dirt": 0.2, "zone": HERE}
    for days in (7, 8, 14):
        generate(Shop(80, days, **shop), by_days)  # type: ignore[arg-type]
        lake = taken(by_days, HERE)
    generate(Shop(80, 14, **shop), at_once)  # type: ignore[arg-type]
    whole = taken(at_once, HERE)
    assert differences(contents(whole, WITHOUT_MODEL), contents(lake, WITHOUT_MODEL)) == []
    clear(lake)
    pipeline.run(lake, Path("nowhere"), settings=zone)
    assert differences(contents(whole), contents(lake)) == []
