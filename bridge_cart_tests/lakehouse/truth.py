"""What silver should hold of a generated shop, by the shop's truth and its manifest."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from bridge_cart_assets.generator.landing import CUSTOMERS, PURCHASES
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.tables import silver
from bridge_cart_assets.tables.columns import QUANTITY
from bridge_cart_assets.tables.table import Table
from bridge_cart_tests.generator.shop_factory import Made

DEFAULTS = {
    "gender": "unknown",
    "coupon_used": False,
    "payment_method": "unknown",
    "product_category": "unknown",
    "quantity": 1,
    "discount_amount": 0,
}
# What stands beside an amount -> the currency; a sign of several currencies names none.
CURRENCY_KINDS = ("amount_currency", "amount_named_currency")
CURRENCIES = {
    **{"£": "GBP", "€": "EUR", "₹": "INR", "US$": "USD", "A$": "AUD", "R$": "BRL"},
    **{"zł": "PLN", "₺": "TRY", "$": None, "kr": None},
}
CODE = pl.col("expected").str.contains("^[A-Z_]+$")
PLACE = ["file", "record"]
KEY = ["order_id", "line_number"]
LINE = [
    *KEY,
    *("customer_id", "purchase_date", "purchase_amount", "discount_amount", "net_amount"),
    *("quantity", "coupon_used", "payment_method", "product_category", "kind", "batch_day"),
    *("currency", "unreadable"),
]
PROFILE = ["name", "email", "mobile", "gender", "age", "income", "city", "country", "signup_date"]
VERSION = ["customer_id", *PROFILE, "valid_from", "valid_to", "is_current"]


def read(made: Made, table: Table) -> pl.DataFrame:
    return Lake(str(made.data / "lake")).snapshot(table).read()


def delivered(made: Made, source: str) -> pl.DataFrame:
    """The clean records and where each lies, once more where a whole file came again.

    `original` is the file that was there first: what was wrong in it is wrong in its copy.
    """
    tidy = made.truth(source).with_columns(original="file")
    again = (
        made.truth("manifest")
        .filter(pl.col("kind") == "redelivered_file", pl.col("file").str.starts_with(source))
        .select(again="file", file="clean_value", again_on="settled_on")
    )
    copies = tidy.join(again, on="file").with_columns(file="again", batch_day="again_on")
    return pl.concat([tidy, copies.select(tidy.columns)])


def spoilt(made: Made, source: str) -> pl.DataFrame:
    """The defects of single records."""
    return made.truth("manifest").filter(
        pl.col("file").str.starts_with(source), pl.col("record").is_not_null()
    )


def end_of_day(day: date, zone: str) -> datetime:
    """The last microsecond of a day."""
    midnight = datetime.combine(day + timedelta(days=1), time(), ZoneInfo(zone))
    return midnight.astimezone(UTC) - timedelta(microseconds=1)


def with_defects(records: pl.DataFrame, defects: pl.DataFrame, zone: str) -> pl.DataFrame:
    """What should come of the records: those that are refused are left out."""
    ends = {day: end_of_day(day, zone) for day in records["batch_day"].unique()}
    copies = pl.col("kind").is_in(["duplicate_record", "near_duplicate"])
    changes = defects.filter(~copies).select(
        "record", "column", "dirty_value", "expected", original="file", defect="kind"
    )
    both = records.join(changes, on=["original", "record"], how="left").filter(
        ~CODE.fill_null(False)
    )
    for name, dtype in records.schema.items():
        is_it = pl.col("column") == name
        default = pl.lit(DEFAULTS.get(name), dtype)
        value = pl.col(name)
        if name == "updated_at":
            default = pl.col("batch_day").replace_strict(ends, return_dtype=dtype)
        if name == "quantity":
            value = value.cast(QUANTITY)
            default = default.cast(QUANTITY)
        if name in ("purchase_amount", "customer_id", "quantity"):
            text = pl.col("dirty_value").str.replace(",", ".", literal=True)
            dirty = text.cast(QUANTITY if name == "quantity" else dtype, strict=False)
            value = pl.when(is_it & (pl.col("expected") == "kept")).then(dirty).otherwise(value)
        is_defaulted = is_it & pl.col("expected").is_in(["defaulted", "unreadable"])
        both = both.with_columns(pl.when(is_defaulted).then(default).otherwise(value).alias(name))
    if "status" not in records.columns:
        return both.select(records.columns)
    is_free = (pl.col("kind") == "sale") & (pl.col("purchase_amount") == 0)
    sign = pl.col("dirty_value").str.replace_all(r"[-\d., ]", "")
    return both.with_columns(
        kind=pl.when(pl.col("expected") == "pending")
        .then("expected")
        .when(is_free)
        .then(pl.lit("free"))
        .otherwise("kind"),
        unreadable=pl.when(pl.col("expected") == "unreadable").then("column"),
        currency=pl.when(pl.col("defect").is_in(CURRENCY_KINDS)).then(sign).replace(CURRENCIES),
    ).select(*records.columns, "unreadable", "currency")


def expected_lines(made: Made, *wrong: pl.DataFrame) -> pl.DataFrame:
    """The rows of silver/purchases, in the columns `LINE`.

    Args:
        made: the shop.
        wrong: records that a correction replaces.
    """
    records = pl.concat([delivered(made, PURCHASES), *wrong])
    return (
        with_defects(records, spoilt(made, PURCHASES), made.shop.zone)
        .sort("updated_at", "batch_day", "file", "record")
        .unique(KEY, keep="last")
        .with_columns(net_amount=pl.col("purchase_amount") - pl.col("discount_amount"))
        .select(pl.col(name).cast(silver.PURCHASES.dtypes[name]) for name in LINE)
        .sort(KEY)
    )


def expected_profiles(made: Made) -> pl.DataFrame:
    """The rows of silver/customers, in the columns `VERSION`."""
    content = pl.struct(PROFILE)
    return (
        with_defects(delivered(made, CUSTOMERS), spoilt(made, CUSTOMERS), made.shop.zone)
        .sort("customer_id", "updated_at", "batch_day", "file", "record")
        .filter(
            (content != content.shift()).fill_null(True)
            | (pl.col("customer_id") != pl.col("customer_id").shift())
        )
        .with_columns(
            valid_from="updated_at",
            valid_to=pl.col("updated_at").shift(-1).over("customer_id"),
        )
        .with_columns(is_current=pl.col("valid_to").is_null())
        .select(pl.col(name).cast(silver.CUSTOMERS.dtypes[name]) for name in VERSION)
    )


def expected_refusals(made: Made) -> pl.DataFrame:
    """file, record and reason of the rows of silver/quarantine."""
    refused = made.truth("manifest").filter(CODE).select("file", "record", reason="expected")
    return refused.sort(refused.columns)


def found_lines(made: Made) -> pl.DataFrame:
    return read(made, silver.PURCHASES).select(LINE).sort(KEY)


def found_profiles(made: Made) -> pl.DataFrame:
    return read(made, silver.CUSTOMERS).select(VERSION).sort("customer_id", "valid_from")


def found_refusals(made: Made) -> pl.DataFrame:
    found = read(made, silver.QUARANTINE).select(
        file=pl.col("source") + "/" + pl.col("object"), record="pos", reason="reason"
    )
    return found.sort(found.columns)
