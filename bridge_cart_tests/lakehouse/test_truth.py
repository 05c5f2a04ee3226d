"""Silver after a dirty run is what the truth says, record by record and to the cent."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from bridge_cart_assets.generator.arguments import Shop
from bridge_cart_assets.generator.landing import CUSTOMERS, PURCHASES, Form
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.chain import refresh_silver
from bridge_cart_assets.settings import SilverSettings
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables import silver
from bridge_cart_assets.tables.columns import TIMESTAMP
from bridge_cart_tests.generator.shop_factory import Made, make
from bridge_cart_tests.lakehouse.truth import (
    KEY,
    PLACE,
    delivered,
    expected_lines,
    expected_profiles,
    expected_refusals,
    found_lines,
    found_profiles,
    found_refusals,
    read,
    spoilt,
)


@pytest.fixture(
    scope="module",
    # Behind the readers the formats are one program. In Los Angeles the clock skips an hour of a
    # day of this shop, and most of its evenings are the next day of UTC.
    params=[
        "csv",
        "csv in America/Los_Angeles",
        *(pytest.param(f, marks=pytest.mark.slow) for f in ("ndjson.gz", "parquet")),
    ],
)
def taken(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A dirty shop, taken into silver in three deliveries."""
    written, _, zone = request.param.partition(" in ")
    form, _, gz = written.partition(".")
    data = tmp_path_factory.mktemp(form)
    kind: dict[str, Any] = {"form": Form(form), "gz": bool(gz), "zone": zone or "UTC"}
    shop = Shop(1_500, 40, newcomers=8.0, dirt=0.35, **kind)
    for days in (40, 55, 90):
        made = make(replace(shop, days=days), data)
        settings = SilverSettings(timezone=shop.zone)
        refresh_silver(Lake(str(data / "lake")), data / "landing", settings=settings)
    return made


def wrong_records(made: Made) -> pl.DataFrame:
    """The records that a correction replaces, as they landed: they are tidy but for one value."""
    tidy = delivered(made, PURCHASES)
    defects = spoilt(made, PURCHASES).filter(pl.col("kind").str.starts_with("corrected"))
    rows = []
    for file, record in defects[PLACE].iter_rows():
        read_record = made.record(file, record)
        rows.append({**{k: str(v) for k, v in read_record.items()}, "file": file, "record": record})
    texts = pl.DataFrame(rows)
    there = ZoneInfo(made.shop.zone)
    moments = {
        name: [datetime.fromisoformat(text).replace(tzinfo=there) for text in texts[name]]
        for name in ("purchase_date", "updated_at")
    }
    return texts.with_columns(
        *(
            pl.Series(name, [at.astimezone(UTC) for at in found], dtype=TIMESTAMP)
            for name, found in moments.items()
        ),
        coupon_used=pl.col("coupon_used").str.to_lowercase() == "true",
        kind=pl.lit("sale"),
        original="file",
        batch_day=pl.col("file").str.extract(r"(\d{4}-\d\d-\d\d)").str.to_date(),
    ).select(pl.col(name).cast(dtype) for name, dtype in tidy.schema.items())


def test_the_order_lines_are_those_of_the_truth(taken: Made) -> None:
    found = found_lines(taken)
    assert found.height > 3_000
    assert_frame_equal(found, expected_lines(taken, wrong_records(taken)))


def test_every_quarantined_record_is_expected_and_for_that_reason(taken: Made) -> None:
    expected = expected_refusals(taken)
    assert expected["reason"].n_unique() >= 8
    assert_frame_equal(found_refusals(taken), expected)


def test_the_profiles_are_those_of_the_truth(taken: Made) -> None:
    found = found_profiles(taken)
    assert found.height > 1_500
    assert_frame_equal(found, expected_profiles(taken))


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
