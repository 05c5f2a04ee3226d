"""What the tidy shop is like: people, orders and their corrections."""

from typing import TYPE_CHECKING

import numpy as np
import phonenumbers
import polars as pl
import pytest

from bridge_cart_assets.generator.markets import MARKETS
from bridge_cart_assets.generator.product_catalogue import CATEGORIES, PAYMENT_METHODS
from bridge_cart_assets.generator.seasons import Calendar
from bridge_cart_tests.generator.numbers import as_number

if TYPE_CHECKING:
    from bridge_cart_tests.generator.shop_factory import Made

KEY = ["order_id", "line_number"]


def last_of(lines: pl.DataFrame) -> pl.DataFrame:
    """The last record of each line."""
    return lines.filter(pl.col("updated_at") == pl.col("updated_at").max().over(KEY))


@pytest.fixture(scope="session")
def lines(year: "Made") -> pl.DataFrame:
    return year.truth("purchases")


@pytest.fixture(scope="session")
def sales(lines: pl.DataFrame) -> pl.DataFrame:
    return last_of(lines).filter(pl.col("kind") == "sale")


@pytest.fixture(scope="session")
def buyers(sales: pl.DataFrame) -> pl.DataFrame:
    net = pl.col("purchase_amount") - pl.col("discount_amount")
    return sales.group_by("customer_id").agg(
        orders=pl.col("order_id").n_unique(), revenue=net.sum().cast(pl.Float64)
    )


def test_customers_come_back_and_many_do_not(buyers: pl.DataFrame) -> None:
    one_time = buyers.select((pl.col("orders") == 1).mean()).item()
    assert 0.30 <= one_time <= 0.60
    assert 3.0 <= as_number(buyers["orders"].mean()) <= 5.0


def test_the_best_tenth_of_the_customers_brings_half_of_the_revenue(buyers: pl.DataFrame) -> None:
    best = buyers["revenue"].sort(descending=True).head(-(-buyers.height // 10))
    assert 0.40 <= as_number(best.sum()) / as_number(buyers["revenue"].sum()) <= 0.60


def test_some_who_sign_up_never_buy(year: "Made", buyers: pl.DataFrame) -> None:
    assert 0.80 <= buyers.height / year.landed.customers <= 0.97


def test_the_first_day_s_customers_signed_up_before_and_newcomers_on_their_day(
    year: "Made",
) -> None:
    first = year.truth("customers").sort("updated_at").unique("customer_id", keep="first")
    there = first.filter(pl.col("signup_date") < year.shop.start)
    assert there.height == year.shop.customers
    assert set(there["batch_day"]) == {year.shop.start}
    came = first.filter(pl.col("signup_date") >= year.shop.start)
    assert (came["signup_date"] == came["batch_day"]).all()
    assert came.height / (year.shop.days - 1) == pytest.approx(year.shop.newcomers, rel=0.1)


def test_every_month_has_first_orders(sales: pl.DataFrame) -> None:
    first = sales.group_by("customer_id").agg(pl.col("purchase_date").min())
    by_month = first.group_by(pl.col("purchase_date").dt.month()).len()
    assert by_month.height == 12
    assert as_number(by_month["len"].min()) > 100


def test_no_customer_orders_twice_on_a_day(sales: pl.DataFrame) -> None:
    orders = sales.unique("order_id").select("customer_id", pl.col("purchase_date").dt.date())
    assert not orders.is_duplicated().any()


def test_personas_differ_and_are_never_landed(year: "Made", buyers: pl.DataFrame) -> None:
    people = year.truth("personas")
    assert people.height == year.landed.customers
    assert people["persona"].n_unique() == 5
    assert as_number(people["persona"].value_counts()["count"].min()) > people.height / 12
    kinds = (
        people.join(buyers, on="customer_id").group_by("persona").agg(pl.selectors.numeric().mean())
    )
    kind = {row["persona"]: row for row in kinds.iter_rows(named=True)}
    assert kind["regular"]["orders"] > 3 * kind["gift_giver"]["orders"]
    assert kind["passer_by"]["drop_out"] > 3 * kind["regular"]["drop_out"]
    assert kind["big_spender"]["spending_level"] > 3 * kind["bargain_hunter"]["spending_level"]
    assert kind["bargain_hunter"]["coupon_inclination"] > 2 * kind["regular"]["coupon_inclination"]
    names = {"regular", "big_spender", "bargain_hunter", "gift_giver", "passer_by"}
    for source in ("customers", "purchases"):
        text = "".join(p.read_text() for p in (year.data / "landing" / source).iterdir())
        assert not any(name in text for name in names)


def test_rate_drop_out_and_spending_do_not_depend_on_each_other(year: "Made") -> None:
    people = year.truth("personas")
    for one, other in (
        ("orders_per_day", "drop_out"),
        ("orders_per_day", "spending_level"),
        ("drop_out", "spending_level"),
    ):
        assert abs(people.select(pl.corr(one, other, method="spearman")).item()) < 0.04


def test_a_few_days_a_year_are_flash_sales(year: "Made", sales: pl.DataFrame) -> None:
    calendar = Calendar(year.shop.start, year.shop.days, year.shop.seed)
    days = [calendar.day(n) for n in np.flatnonzero(calendar.flash_sales).tolist()]
    assert 3 <= len(days) <= 5
    by_day = sales.group_by(day=pl.col("purchase_date").dt.date()).agg(
        pl.col("order_id").n_unique(),
        discount=pl.col("discount_amount").sum() / pl.col("purchase_amount").sum(),
    )
    flash = by_day.filter(pl.col("day").is_in(days))
    usual = by_day.filter(~pl.col("day").is_in(days))
    assert as_number(flash["order_id"].mean()) > 1.6 * as_number(usual["order_id"].mean())
    assert as_number(flash["discount"].min()) > as_number(usual["discount"].mean())


def test_some_weekdays_are_busier_than_others(sales: pl.DataFrame) -> None:
    by_weekday = sales.group_by(pl.col("purchase_date").dt.weekday()).len().sort("len")
    assert by_weekday["purchase_date"][-1] == 6
    assert by_weekday["len"][-1] > 1.15 * by_weekday["len"][0]


def test_customers_have_favourites(sales: pl.DataFrame) -> None:
    often = sales.filter(pl.len().over("customer_id") >= 12)
    shares = often.group_by("customer_id").agg(
        pl.col(name)
        .value_counts(sort=True, normalize=True)
        .first()
        .struct.field("proportion")
        .alias(name)
        for name in ("product_category", "payment_method")
    )
    assert as_number(shares["product_category"].mean()) > 0.5
    assert as_number(shares["payment_method"].mean()) > 0.7


def test_customers_have_a_spending_level_of_their_own(sales: pl.DataFrame) -> None:
    price = (pl.col("purchase_amount").cast(pl.Float64) / pl.col("quantity")).log()
    groceries = sales.filter(
        pl.col("product_category") == "Groceries", pl.len().over("customer_id") > 4
    )
    twice = (
        groceries.group_by("customer_id")
        .agg(pl.len(), first=price.first(), last=price.last())
        .filter(pl.col("len") > 1)
    )
    assert 0.4 < twice.select(pl.corr("first", "last")).item() < 0.9


def test_amounts_discounts_and_names_are_within_bounds(sales: pl.DataFrame) -> None:
    assert sales.filter(pl.col("discount_amount") < 0).is_empty()
    assert sales.filter(pl.col("discount_amount") > pl.col("purchase_amount")).is_empty()
    assert as_number(sales["purchase_amount"].min()) > 0
    assert set(sales["quantity"].unique()) == {1, 2, 3, 4}
    assert set(sales["product_category"].unique()) == set(CATEGORIES)
    assert set(sales["payment_method"].unique()) == set(PAYMENT_METHODS)
    assert as_number(sales.filter("coupon_used")["discount_amount"].max()) > 0


def test_a_cart_has_one_to_four_lines_numbered_from_one(lines: pl.DataFrame) -> None:
    sold = lines.filter(pl.col("kind") == "sale")
    carts = sold.group_by("order_id").agg(pl.len(), pl.col("line_number").max().alias("last"))
    assert (carts["len"] == carts["last"]).all()
    assert set(carts["len"].unique()) == {1, 2, 3, 4}
    assert not sold.select(KEY).is_duplicated().any()


def test_order_ids_ascend_with_time(lines: pl.DataFrame) -> None:
    sold = lines.filter(pl.col("kind") == "sale").sort("purchase_date", *KEY)
    assert sold["order_id"].is_sorted()
    day = pl.col("purchase_date").dt.strftime("O%Y%m%d-")
    assert sold.select(pl.col("order_id").str.starts_with(day)).to_series().all()


def test_a_cancellation_is_a_newer_record_of_the_same_line(lines: pl.DataFrame) -> None:
    cancelled = lines.filter(pl.col("kind") == "cancelled")
    both = cancelled.join(lines.filter(pl.col("kind") == "sale"), on=KEY, suffix="_before")
    same = ("purchase_amount", "discount_amount", "purchase_date", "customer_id", "quantity")
    assert cancelled.height > 0
    assert both.height == cancelled.height
    assert both.select(pl.col("updated_at") > pl.col("updated_at_before")).to_series().all()
    assert all((both[name] == both[f"{name}_before"]).all() for name in same)
    assert (cancelled["batch_day"] == cancelled["updated_at"].dt.date()).all()


def test_one_record_of_a_line_is_its_last(lines: pl.DataFrame) -> None:
    assert not last_of(lines).select(KEY).is_duplicated().any()


def test_a_refund_is_a_later_order_that_gives_back_what_was_paid(lines: pl.DataFrame) -> None:
    refunds = lines.filter(pl.col("kind") == "refund")
    sold = lines.filter(pl.col("kind") == "sale").with_columns(
        order_id=pl.col("order_id").str.replace("O", "R-")
    )
    both = refunds.join(sold, on=KEY, suffix="_sold")
    paid = pl.col("purchase_amount_sold") - pl.col("discount_amount_sold")
    assert refunds.height > 0
    assert both.height == refunds.height
    assert both.select(pl.col("purchase_amount") == -paid).to_series().all()
    assert both.select(pl.col("purchase_date") > pl.col("purchase_date_sold")).to_series().all()
    assert set(refunds["status"].unique()) == {"refunded"}


def test_a_few_percent_of_the_orders_are_taken_back(lines: pl.DataFrame) -> None:
    orders = lines.group_by("kind").agg(pl.col("order_id").n_unique())
    count = dict(orders.iter_rows())
    assert 0.01 <= count["cancelled"] / count["sale"] <= 0.04
    assert 0.02 <= count["refund"] / count["sale"] <= 0.05


def test_no_customer_orders_before_signing_up(year: "Made", lines: pl.DataFrame) -> None:
    since = year.truth("customers").group_by("customer_id").agg(pl.col("updated_at").min())
    both = lines.join(since, on="customer_id", how="left", suffix="_signup")
    assert both["updated_at_signup"].null_count() == 0
    assert both.filter(pl.col("purchase_date") < pl.col("updated_at_signup")).is_empty()


def test_profiles_change_now_and_then_and_every_version_differs(year: "Made") -> None:
    versions = year.truth("customers").sort("customer_id", "updated_at")
    changed = versions.filter(pl.col("customer_id") == pl.col("customer_id").shift())
    content = pl.struct("mobile", "income", "city")
    same = versions.filter(
        (pl.col("customer_id") == pl.col("customer_id").shift()) & (content == content.shift())
    )
    assert 0.25 <= changed.height / year.shop.customers <= 0.45
    assert same.is_empty()
    assert not versions.select("customer_id", "batch_day").is_duplicated().any()


def test_mobile_numbers_are_written_as_in_their_country_and_belong_to_no_person(
    year: "Made",
) -> None:
    regions = {market.country: market.region for market in MARKETS}
    people = year.truth("customers").head(1_000)
    landed = {
        row["customer_id"]: row["mobile"]
        for row in pl.read_csv(
            year.data / "landing/customers/2024-01-01.csv", infer_schema=False
        ).iter_rows(named=True)
    }
    seen = set()
    for customer, country, e164 in people.select("customer_id", "country", "mobile").iter_rows():
        written = landed[customer]
        number = phonenumbers.parse(written, regions[country])
        assert phonenumbers.is_possible_number(number), written
        assert phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) == e164
        if country in ("Germany", "India"):
            assert not phonenumbers.is_valid_number(number), "it has been given out"
        else:
            assert e164.startswith(("+447700900", "+3363998", "+1")), "not kept for fiction"
            assert country != "United States" or e164[5:10] == "55501"
        seen.add((country, written.startswith("+")))
    assert seen == {(country, way) for country in regions for way in (True, False)}


def test_people_are_plausible(year: "Made") -> None:
    people = year.truth("customers").unique("customer_id", keep="first", maintain_order=True)
    assert people["email"].is_unique().all()
    assert people["email"].str.contains(r"^[a-z0-9]+\.[a-z0-9]+@example\.(com|org|net)$").all()
    texts = people.select("name", "city")
    assert texts.equals(texts.select(pl.all().str.strip_chars().str.replace_all("  ", " ")))
    assert as_number(people["age"].min()) >= 18
    assert as_number(people["age"].max()) <= 85


def test_income_depends_on_age_a_little(year: "Made") -> None:
    people = year.truth("customers").unique("customer_id", keep="first", maintain_order=True)
    income = pl.col("income").cast(pl.Float64)
    relative = people.with_columns(relative=income / income.median().over("country"))
    middle = as_number(relative.filter(pl.col("age").is_between(40, 60))["relative"].mean())
    young = as_number(relative.filter(pl.col("age") < 26)["relative"].mean())
    assert 1.1 < middle / young < 1.5
    assert relative.select(pl.corr("age", "relative")).item() < 0.4
