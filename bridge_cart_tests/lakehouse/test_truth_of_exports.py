"""Every kind of defect that exports bring: silver is what the truth says, to the cent."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from bridge_cart_assets.generator.arguments import Shop
from bridge_cart_assets.generator.defects import EXPORTS, FORM_KINDS, defects_of, forms_of_kinds
from bridge_cart_assets.generator.landing import SOURCES, Form, Target
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.chain import refresh_silver
from bridge_cart_assets.tables import silver
from bridge_cart_tests.generator.shop_factory import Made, make
from bridge_cart_tests.lakehouse.truth import (
    expected_lines,
    expected_profiles,
    expected_refusals,
    found_lines,
    found_profiles,
    found_refusals,
    read,
)

EXPORTED = tuple(
    dict.fromkeys(
        [
            *(d.kind for source in SOURCES for d in defects_of(source, Form.CSV) if not d.in_mix),
            *FORM_KINDS,
        ]
    )
)


def taken(shop: Shop, data: Path) -> Made:
    """The shop, taken into silver in two deliveries."""
    for days in (shop.days // 2, shop.days):
        made = make(replace(shop, days=days), data)
        refresh_silver(Lake(str(data / "lake")), data / "landing")
    return made


def assert_silver_is_true(made: Made) -> None:
    assert_frame_equal(found_refusals(made), expected_refusals(made))
    assert_frame_equal(found_lines(made), expected_lines(made))
    assert_frame_equal(found_profiles(made), expected_profiles(made))


@pytest.mark.slow
@pytest.mark.parametrize("kind", EXPORTED)
def test_silver_is_the_truth_whatever_the_export_did(tmp_path: Path, kind: str) -> None:
    is_of_files = kind in FORM_KINDS
    shop = Shop(200, 40, newcomers=1.0, dirt=0, rates={kind: 1.0 if is_of_files else 0.6})
    made = taken(shop, tmp_path)
    struck = made.truth("manifest")
    assert set(struck["kind"]) == {kind}
    assert struck.height > (5 if is_of_files else 3)
    assert_silver_is_true(made)


def test_exact_repetitions_in_a_file_without_numbers_are_one_line(tmp_path: Path) -> None:
    rates = {"no_line_numbers": 1.0, "duplicate_record": 0.3}
    made = taken(Shop(60, 30, dirt=0, rates=rates), tmp_path)
    struck = made.truth("manifest")
    without = struck.filter(pl.col("kind") == "no_line_numbers")["file"]
    copies = struck.filter(pl.col("kind") == "duplicate_record", pl.col("file").is_in(without))
    assert copies.height > 3
    assert_silver_is_true(made)
    assert set(read(made, silver.PURCHASE_REPEATS)["fate"]) == {"duplicate"}


@pytest.mark.parametrize(
    "form",
    [Form.CSV, *(pytest.param(f, marks=pytest.mark.slow) for f in (Form.NDJSON, Form.PARQUET))],
)
def test_silver_is_the_truth_when_everything_goes_wrong_at_once(tmp_path: Path, form: Form) -> None:
    rates = {EXPORTS: 0.4, "corrected_later": 0.0, "corrected_first": 0.0}
    shop = Shop(1_000, 60, newcomers=3.0, dirt=0.25, rates=rates, form=form)
    made = taken(shop, tmp_path)
    kinds = set(made.truth("manifest")["kind"])
    assert {kind for kind in EXPORTED if form in forms_of_kinds()[kind]} <= kinds
    assert_silver_is_true(made)


@pytest.mark.slow
def test_what_files_decide_is_no_guess(tmp_path: Path) -> None:
    made = taken(Shop(60, 30, dirt=0, rates={"month_first": 0.5, "decimal_comma": 0.5}), tmp_path)
    for table in (silver.PURCHASES, silver.CUSTOMERS):
        assert read(made, table)["guessed"].null_count() == read(made, table).height


def test_a_file_has_one_form(tmp_path: Path) -> None:
    made = make(Shop(60, 60, dirt=0, rates={EXPORTS: 0.8}), tmp_path)
    files = made.truth("manifest").filter(pl.col("record").is_null())
    assert set(files["kind"]) <= set(FORM_KINDS)
    assert not files["file"].is_duplicated().any()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"rates": {"preamble": 0.7, "month_first": 0.4}}, "a file has one form"),
        ({"rates": {"preamble": 0.1}, "form": Form.PARQUET}, "not accepted with form=parquet"),
        (
            {"rates": {"month_first": 0.1}, "form": Form.NDJSON, "to": Target.KAFKA},
            "not accepted with to=kafka",
        ),
    ],
)
def test_forms_that_cannot_be_are_refused(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Shop(5, 5, dirt=0, **wrong)  # type: ignore[arg-type]
