"""Silver after a dirty run is what the truth says, record by record and to the cent."""

from dataclasses import replace

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from bridge_cart_assets.generator.arguments import Shop
from bridge_cart_assets.generator.landing import CUSTOMERS, PURCHASES, Form
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.chain import refresh_silver
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables import silver
from bridge_cart_assets.tables.table import Table
from bridge_cart_tests.generator.shop_factory import Made, make

DEFAULTS = {
    "gender": "unknown",
    "coupon_used": False,
    "payment_method": "unknown",
    "product_category": "unknown",
    "quantity": 1,
}
CODE = pl.col("expected").str.contains("^[A-Z_]+$")
PLACE = ["file", "record"]
KEY = ["order_id", "line_number"]
LINE = [
    *KEY,
    *("customer_id", "purchase_date", "purchase_amount", "discount_amount", "net_amount"),
    *("quantity", "coupon_used", "payment_method", "product_category", "kind", "batch_day"),
]
PROFILE = ["name", "email", "mobile", "gender", "age", "income", "city", "country", "signup_date"]


@pytest.fixture(
    scope="module",
    # Behind the readers the formats are one program.
    params=["csv", *(pytest.param(f, marks=pytest.mark.slow) for f in ("ndjson.gz", "parquet"))],
)
def taken(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A dirty shop, taken into silver in three deliveries."""
    form, _, gz = request.param.partition(".")
    data = tmp_path_factory.mktemp(form)
    shop = Shop(1_500, 40, newcomers=8.0, dirt=0.35, form=Form(form), gz=bool(gz))
    for days in (40, 55, 90):
        made = make(replace(shop, days=days), data)
        refresh_silver(Lake(str(data / "lake")), data / "landing")
    return made


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


def with_defects(records: pl.DataFrame, defects: pl.DataFrame) -> pl.DataFrame:
    """What should come of the records: those that are refused are left out."""
    copies = pl.col("kind").is_in(["duplicate_record", "near_duplicate"])
    changes = defects.filter(~copies).select(
        "record", "column", "dirty_value", "expected", original="file"
    )
    both = records.join(changes, on=["original", "record"], how="left").filter(
        ~CODE.fill_null(False)
    )
    for name, dtype in records.schema.items():
        is_it = pl.col("column") == name
        default = pl.lit(DEFAULTS.get(name), dtype)
        value = pl.col(name)
        if name in ("purchase_amount", "customer_id"):
            dirty = pl.col("dirty_value").cast(dtype, strict=False)
            value = pl.when(is_it & (pl.col("expected") == "kept")).then(dirty).otherwise(name)
        is_defaulted = is_it & (pl.col("expected") == "defaulted")
        both = both.with_columns(pl.when(is_defaulted).then(default).otherwise(value).alias(name))
    if "kind" in records.columns:
        is_free = (pl.col("kind") == "sale") & (pl.col("purchase_amount") == 0)
        kind = pl.when(is_free).then(pl.lit("free")).otherwise("kind")
        both = both.with_columns(kind=kind)
    return both.select(records.columns)


def wrong_records(made: Made) -> pl.DataFrame:
    """The records that a correction replaces, as they landed: they are tidy but for one value."""
    tidy = delivered(made, PURCHASES)
    defects = spoilt(made, PURCHASES).filter(pl.col("kind").str.starts_with("corrected"))
    rows = []
    for file, record in defects[PLACE].iter_rows():
        read_record = made.record(file, record)
        rows.append({**{k: str(v) for k, v in read_record.items()}, "file": file, "record": record})
    texts = pl.DataFrame(rows)
    moment = pl.col("purchase_date", "updated_at").str.to_datetime(time_zone="UTC")
    return texts.with_columns(
        moment,
        coupon_used=pl.col("coupon_used").str.to_lowercase() == "true",
        kind=pl.lit("sale"),
        original="file",
        batch_day=pl.col("file").str.extract(r"(\d{4}-\d\d-\d\d)").str.to_date(),
    ).select(pl.col(name).cast(dtype) for name, dtype in tidy.schema.items())


def test_the_order_lines_are_those_of_the_truth(taken: Made) -> None:
    records = pl.concat([delivered(taken, PURCHASES), wrong_records(taken)])
    expected = (
        with_defects(records, spoilt(taken, PURCHASES))
        .sort("updated_at", "batch_day", "file", "record")
        .unique(KEY, keep="last")
        .with_columns(net_amount=pl.col("purchase_amount") - pl.col("discount_amount"))
    )
    found = read(taken, silver.PURCHASES).select(LINE).sort(KEY)
    assert found.height > 3_000
    assert_frame_equal(found, expected.select(LINE).cast(found.schema).sort(KEY))


def test_every_quarantined_record_is_expected_and_for_that_reason(taken: Made) -> None:
    expected = taken.truth("manifest").filter(CODE).select("file", "record", reason="expected")
    found = read(taken, silver.QUARANTINE).select(
        file=pl.col("source") + "/" + pl.col("object"), record="pos", reason="reason"
    )
    assert expected["reason"].n_unique() >= 8
    assert_frame_equal(found.sort(found.columns), expected.sort(found.columns))


def test_the_profiles_are_those_of_the_truth(taken: Made) -> None:
    records = delivered(taken, CUSTOMERS)
    content = pl.struct(PROFILE)
    expected = (
        with_defects(records, spoilt(taken, CUSTOMERS))
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
    )
    columns = ["customer_id", *PROFILE, "valid_from", "valid_to", "is_current"]
    found = read(taken, silver.CUSTOMERS).select(columns).sort("customer_id", "valid_from")
    assert found.height > 1_500
    assert_frame_equal(found, expected.select(columns).cast(found.schema))


def test_copies_and_replaced_records_meet_the_fate_that_was_expected(taken: Made) -> None:
    """A wrong record that was put right is superseded; a copy never changes what stands."""
    last = taken.shop.day(taken.shop.days - 1)
    fates = pl.concat(
        read(taken, table).select(
            file=pl.col("source") + "/" + pl.col("object"), record="pos", fate="fate"
        )
        for table in (silver.PURCHASE_REPEATS, silver.CUSTOMER_REPEATS)
    )
    met = taken.truth("manifest").join(fates, on=PLACE, how="left", maintain_order="left")
    wrong = met.filter(pl.col("expected") == "superseded", pl.col("settled_on") <= last)
    assert {"corrected_later", "corrected_first"} == set(wrong["kind"])
    assert set(wrong["fate"]) == {"superseded"}

    # Of equal records any may stand; the others are duplicates.
    copies = met.filter(pl.col("kind").is_in(["duplicate_record", "near_duplicate"]))
    assert copies.height > 100
    assert set(copies["fate"]) <= {"duplicate", None}
    lines = delivered(taken, PURCHASES).sort("updated_at")
    latest = lines.filter(pl.col("updated_at") == pl.col("updated_at").max().over(KEY))
    assert "superseded" not in latest.join(fates, on=PLACE)["fate"]


def test_a_file_that_came_twice_adds_nothing(taken: Made) -> None:
    """Under another name it is repeated; in other bytes, each record is there once all the same."""
    manifest = taken.truth("manifest")
    raw = {f"{source}/{name}" for source, name in raw_files(taken)}
    renamed = manifest.filter(pl.col("kind") == "renamed_file")
    assert renamed.height > 5
    for first, second in renamed["clean_value", "dirty_value"].iter_rows():
        assert len({first, second} & raw) == 1
    resent = manifest.filter(pl.col("kind") == "redelivered_file")
    assert resent.height > 5
    assert set(resent["file"]) <= raw


def raw_files(made: Made) -> set[tuple[str, str]]:
    lake = Lake(str(made.data / "lake"))
    return {
        (source.name, name)
        for source in SOURCES
        if source.name in (CUSTOMERS, PURCHASES)
        for name in lake.snapshot(source.raw).scan().select("_object").unique().collect()["_object"]
    }


def test_every_record_is_accounted_for(taken: Made) -> None:
    accounting = read(taken, silver.ACCOUNTING)
    parts = pl.sum_horizontal("blank", "quarantined", "accepted", "duplicate", "superseded")
    assert accounting.filter(pl.col("records") != parts).is_empty()
    landed = sum(
        count_of(taken, file) for file in {f"{source}/{name}" for source, name in raw_files(taken)}
    )
    assert accounting["records"].sum() == landed


def count_of(made: Made, file: str) -> int:
    if file.endswith(".parquet"):
        return pl.read_parquet(made.data / "landing" / file).height
    return len(made.lines(file))
