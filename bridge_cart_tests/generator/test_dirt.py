"""What is wrong with the landed files, and that the manifest says exactly that."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from bridge_cart_assets.generator import spellings
from bridge_cart_assets.generator.arguments import Shop
from bridge_cart_assets.generator.days import blocks
from bridge_cart_assets.generator.defects import (
    EXPORTS,
    FILE_KINDS,
    FORM_KINDS,
    KINDS,
    How,
    defects_of,
    shares,
)
from bridge_cart_assets.generator.landing import COLUMNS, SOURCES, Form, Target, as_text
from bridge_cart_tests.generator.numbers import as_number
from bridge_cart_tests.generator.shop_factory import Made, make

FILLED = ("customer_id", "purchase_date", "payment_method", "coupon_used")
COPIES = ("duplicate_record", "near_duplicate")


def as_utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def amount(text: str) -> Decimal:
    return Decimal(text)


def zoned(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def either(*formats: str) -> Callable[[str], object]:
    def read(text: str) -> datetime:
        for form in formats:
            try:
                return datetime.strptime(text, form).replace(tzinfo=UTC)
            except ValueError:
                continue
        raise ValueError(text)

    return read


CURRENCY = "$£€₹USEDRGBP "
READERS: dict[str, Callable[[str], object]] = {
    "date_with_zone": zoned,
    "date_epoch": lambda text: datetime.fromtimestamp(int(text), UTC),
    "date_epoch_ms": lambda text: datetime.fromtimestamp(int(text) / 1_000, UTC),
    "date_day_first": either("%d/%m/%Y %H:%M:%S", "%d/%m/%Y", "%d/%m/%Y %H:%M"),
    "date_month_name": either("%d-%b-%Y %H:%M:%S", "%d-%b-%Y"),
    "date_iso_basic": zoned,
    "date_compact": either("%Y%m%d"),
    "date_without_seconds": either("%d/%m/%Y %H:%M", "%d-%b-%Y %H:%M", "%Y-%m-%d %H:%M"),
    "amount_thousands": lambda text: amount(text.replace(",", "")),
    "amount_european": lambda text: amount(text.replace(".", "").replace(",", ".")),
    "amount_currency": lambda text: amount(text.strip(CURRENCY)),
    "amount_comma": lambda text: amount(text.replace(",", ".")),
    "amount_parentheses": lambda text: -amount(text.strip("()")),
}


@pytest.fixture(scope="module")
def manifest(dirty: Made) -> pl.DataFrame:
    return dirty.truth("manifest")


def of_records(manifest: pl.DataFrame) -> pl.DataFrame:
    """The defects of single records in the files that came first."""
    return manifest.filter(pl.col("record").is_not_null(), ~pl.col("file").str.contains("again"))


@pytest.mark.parametrize("form", Form)
def test_every_manifest_row_points_at_a_record_that_has_the_dirty_value(
    tmp_path: Path, form: Form
) -> None:
    made = make(Shop(customers=250, days=80, dirt=0.6, form=form), tmp_path)
    manifest = made.truth("manifest").filter(pl.col("record").is_not_null())
    assert manifest.height > 400
    for row in manifest.iter_rows(named=True):
        if row["kind"] == "late_arrival":
            assert row["dirty_value"] > row["clean_value"]
        elif row["column"] is None and form is not Form.PARQUET:
            assert made.lines(row["file"])[row["record"] - 1] == row["dirty_value"]
        elif row["kind"] == "bad_encoding":
            assert row["dirty_value"] in made.lines(row["file"])[row["record"] - 1]
        elif row["column"] is not None:
            found = made.record(row["file"], row["record"])[row["column"]]
            assert ("" if found is None else found) == row["dirty_value"]
            assert row["clean_value"] != row["dirty_value"]


@pytest.mark.parametrize("form", Form)
def test_every_landed_record_is_a_tidy_one_or_in_the_manifest(tmp_path: Path, form: Form) -> None:
    made = make(Shop(customers=250, days=80, dirt=0.6, form=form), tmp_path)
    kinds = {
        (file, number): kind
        for file, number, kind in made.truth("manifest")["file", "record", "kind"].iter_rows()
    }
    for source in SOURCES:
        truth = made.truth(source)
        texts = truth.select(as_text(truth, source)).rows(named=True)
        tidy = dict(zip(truth.select("file", "record").iter_rows(), texts, strict=True))
        first = [f for f in made.files() if f.startswith(source) and f.count("-") == 2]
        for file in (f for f in first if "twice" not in f):
            for number in range(1, count_of(made, file) + 1):
                kind = kinds.get((file, number))
                if kind in (None, "late_arrival"):
                    same_but_for_phones(made.record(file, number), tidy.pop((file, number)))
                elif kind not in (*COPIES, "corrected_later", "corrected_first"):
                    tidy.pop((file, number))
        assert not tidy


def same_but_for_phones(found: dict[str, object], tidy: dict[str, object]) -> None:
    """Phones are written in another way than the truth has them; flags of JSON are no words."""
    for column, value in found.items():
        if column != "mobile":
            said = str(value).lower() if isinstance(value, bool) else str(value)
            assert said == tidy[column]


def count_of(made: Made, file: str) -> int:
    if file.endswith(".parquet"):
        return pl.read_parquet(made.data / "landing" / file).height
    return len(made.lines(file))


def test_every_kind_of_defect_occurs_with_what_is_expected(manifest: pl.DataFrame) -> None:
    found = set(of_records(manifest).select("column", "kind", "expected").unique().iter_rows())
    declared = {
        (None if defect.how is How.COPY else defect.column, defect.kind, defect.expected)
        for source in SOURCES
        for defect in defects_of(source, Form.CSV)
        if defect.in_mix
    }
    # What the order's other lines say.
    declared |= {(column, "missing_value", "repaired") for column in FILLED}
    assert found == declared
    assert set(FILE_KINDS) <= set(manifest["kind"])


@pytest.mark.parametrize("kind", READERS)
def test_another_spelling_says_the_same(manifest: pl.DataFrame, kind: str) -> None:
    spelt = of_records(manifest).filter(pl.col("kind") == kind)
    plain = as_utc if kind.startswith("date") else amount
    assert spelt.height > 3
    assert set(spelt["expected"]) == {"repaired"}
    for clean, other in spelt["clean_value", "dirty_value"].iter_rows():
        assert READERS[kind](other) == plain(clean)


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        ("boolean_spelling", spellings.BOOLEANS),
        ("gender_spelling", spellings.GENDERS),
        ("payment_spelling", spellings.PAYMENT_METHODS),
    ],
)
def test_every_spelling_is_used_and_for_its_own_word(
    tmp_path: Path, kind: str, table: dict[str, tuple[str, ...]]
) -> None:
    made = make(Shop(customers=6_000, days=60, dirt=0, rates={kind: 0.8}), tmp_path)
    found = made.truth("manifest").select("clean_value", "dirty_value").unique().iter_rows()
    assert set(found) == {(word, other) for word, others in table.items() for other in others}


def test_every_country_and_status_is_written_in_its_own_other_ways(tmp_path: Path) -> None:
    rates = {"country_spelling": 0.4, "status_spelling": 0.4}
    made = make(Shop(customers=6_000, days=60, dirt=0, rates=rates), tmp_path)
    found = made.truth("manifest").select("clean_value", "dirty_value").unique().iter_rows()
    tables = {**spellings.COUNTRIES, **spellings.STATUSES}
    assert set(found) == {(word, other) for word, others in tables.items() for other in others}


def test_kinds_that_exports_bring_are_left_out_where_nobody_asks_for_them(
    manifest: pl.DataFrame,
) -> None:
    asked_for = {
        defect.kind
        for source in SOURCES
        for defect in defects_of(source, Form.CSV)
        if not defect.in_mix
    }
    assert len(asked_for) >= 13
    assert not set(manifest["kind"]) & (asked_for | set(FORM_KINDS))


@pytest.mark.parametrize("form", Form)
def test_a_shop_with_other_forms_goes_on_like_one_that_was_made_at_once(
    tmp_path: Path, form: Form
) -> None:
    shop = Shop(customers=60, days=40, newcomers=1, dirt=0.2, rates={EXPORTS: 0.4}, form=form)
    whole = make(shop, tmp_path / "whole")
    for days in (15, 16, 40):
        made = make(replace(shop, days=days), tmp_path / "parts")
    assert made.files() == whole.files()
    for file in whole.files():
        landed = [(data / "landing" / file).read_bytes() for data in (made.data, whole.data)]
        assert landed[0] == landed[1]
    key = ["file", "record", "kind"]
    assert made.truth("manifest").sort(key).equals(whole.truth("manifest").sort(key))


def test_messages_say_nothing_for_each_other_and_have_no_form() -> None:
    rates = {EXPORTS: 0.1, "word_for_nothing": 0.15}
    shop = Shop(1_500, 60, dirt=0.05, rates=rates, form=Form.NDJSON)
    of_files, of_messages = (
        pl.concat(block.truth["manifest"] for block in blocks(replace(shop, to=to), 0))
        for to in Target
    )
    blank = pl.col("kind").is_in(["missing_value", "word_for_nothing"])
    assert of_files.filter(blank, pl.col("expected") == "repaired").height > 10
    assert of_messages.filter(blank, pl.col("expected") == "repaired").is_empty()
    assert set(FORM_KINDS) & set(of_files["kind"])
    assert not set(FORM_KINDS) & set(of_messages["kind"])


def test_a_thousand_is_only_separated_where_there_is_one() -> None:
    tidy = pl.DataFrame({"a": ["1234.50", "12345.00", "1234567.89", "999.99"]})
    assert tidy.select(spellings.with_thousands("a")).to_series().to_list() == [
        *("1,234.50", "12,345.00", "1,234,567.89", "999.99")
    ]
    assert tidy.select(spellings.european("a")).to_series()[0] == "1.234,50"


def test_only_completed_lines_get_a_negative_amount(dirty: Made, manifest: pl.DataFrame) -> None:
    negative = of_records(manifest).filter(pl.col("kind") == "negative_amount")
    lines = negative.join(dirty.truth("purchases"), on=["file", "record"], how="left")
    assert negative.height > 10
    assert set(lines["status"]) == {"completed"}


def test_an_outlier_is_a_hundred_times_as_much(manifest: pl.DataFrame) -> None:
    outliers = of_records(manifest).filter(pl.col("kind") == "outlier_amount")
    assert outliers.height > 10
    for clean, dirty_value in outliers["clean_value", "dirty_value"].iter_rows():
        assert Decimal(dirty_value) == 100 * Decimal(clean)


def test_an_orphan_is_of_no_customer_who_signed_up(dirty: Made, manifest: pl.DataFrame) -> None:
    orphans = of_records(manifest).filter(pl.col("kind") == "orphan")
    assert orphans.height > 10
    assert not set(orphans["dirty_value"]) & set(dirty.truth("customers")["customer_id"])


def test_late_records_come_one_to_sixty_days_after_their_day(manifest: pl.DataFrame) -> None:
    late = of_records(manifest).filter(pl.col("kind") == "late_arrival")
    days = late.select(
        (pl.col("dirty_value").str.to_date() - pl.col("clean_value").str.to_date()).dt.total_days()
    ).to_series()
    assert (days.min(), 50 < as_number(days.max()) <= 60) == (1, True)
    in_name = late["file"].str.extract(r"(\d{4}-\d\d-\d\d)")
    assert (in_name == late["dirty_value"]).all()


@pytest.mark.parametrize("kind", ["corrected_later", "corrected_first"])
def test_a_corrected_record_has_a_newer_one_in_another_file(
    dirty: Made, manifest: pl.DataFrame, kind: str
) -> None:
    wrong = of_records(manifest).filter(pl.col("kind") == kind)
    last = dirty.shop.day(dirty.shop.days - 1)
    truth = {(row["order_id"], str(row["line_number"])): row for row in rows_of(dirty)}
    assert wrong.height > 20
    for row in wrong.filter(pl.col("settled_on") <= last).iter_rows(named=True):
        record = dirty.record(row["file"], row["record"])
        right = truth[record["order_id"], record["line_number"]]
        landed = date.fromisoformat(row["file"].partition("/")[2][:10])
        assert right["updated_at"] > as_utc(record["updated_at"])
        assert (right["batch_day"] > landed) == (kind == "corrected_later")
        assert row["settled_on"] == max(right["batch_day"], landed)
        assert str(right[row["column"]]) == row["clean_value"]
        assert record[row["column"]] == row["dirty_value"]


def rows_of(made: Made) -> list[dict[str, Any]]:
    return made.truth("purchases").rows(named=True)


@pytest.mark.parametrize("form", [Form.CSV, Form.NDJSON])
def test_a_copy_stands_behind_its_original_and_is_the_same_to_the_letter(
    tmp_path: Path, form: Form
) -> None:
    rates = {"duplicate_record": 0.3}
    made = make(Shop(customers=300, days=60, dirt=0, rates=rates, form=form), tmp_path)
    copies = made.truth("manifest")
    assert copies.height > 100
    for file, lines in copies.group_by("file"):
        landed = made.lines(file[0])
        for number in lines["record"]:
            assert landed[number - 1] in landed[: number - 1]


def test_a_spoilt_ndjson_record_is_written_like_a_tidy_one_but_for_the_defect(
    tmp_path: Path,
) -> None:
    rates = {"payment_spelling": 0.5}
    shop = Shop(customers=200, days=40, dirt=0, rates=rates, form=Form.NDJSON)
    made = make(shop, tmp_path / "spoilt")
    tidy = make(replace(shop, rates={}), tmp_path / "tidy")
    spoilt = made.truth("manifest")
    assert spoilt.height > 50
    for file, number, clean, dirty_value in spoilt.select(
        "file", "record", "clean_value", "dirty_value"
    ).iter_rows():
        line, other = tidy.lines(file)[number - 1], made.lines(file)[number - 1]
        assert other == line.replace(f'"{clean}"', f'"{dirty_value}"')


def test_what_silver_should_have_of_a_record_is_not_said_of_one_that_is_cancelled_later(
    dirty: Made, manifest: pl.DataFrame
) -> None:
    lines = dirty.truth("purchases")
    latest = pl.col("updated_at").max().over("order_id", "line_number")
    replaced = lines.filter(pl.col("updated_at") < latest).select("file", "record")
    defects = of_records(manifest).join(replaced, on=["file", "record"])
    assert defects.height > 20
    assert defects.filter(~pl.col("expected").str.contains("^[A-Z_]+$")).is_empty()


def test_a_near_copy_is_the_same_but_for_case_blanks_and_phone_format(
    dirty: Made, manifest: pl.DataFrame
) -> None:
    copies = of_records(manifest).filter(pl.col("kind") == "near_duplicate")
    assert copies.height > 50
    for file, lines in copies.filter(~pl.col("file").str.contains("-01-01")).group_by("file"):
        numbers = lines["record"].to_list()
        before = [plain(dirty.record(file[0], n)) for n in range(1, max(numbers) + 1)]
        for number in numbers:
            assert before[number - 1] in before[: number - 1]
            said = dirty.record(file[0], number)
            assert all(dirty.record(file[0], n) != said for n in range(1, number))


def plain(record: dict[str, str | None]) -> dict[str, str]:
    values = {name: (value or "").strip().lower() for name, value in record.items()}
    if "mobile" in values:
        digits = "".join(letter for letter in values["mobile"] if letter.isdigit())
        values["mobile"] = digits[-8:]
    return values


def test_a_file_that_is_sent_again_has_the_same_records_in_other_bytes(dirty: Made) -> None:
    again = dirty.truth("manifest").filter(pl.col("kind") == "redelivered_file")
    landing = dirty.data / "landing"
    assert again.height > 5
    for original, copy in again["clean_value", "dirty_value"].iter_rows():
        assert dirty.lines(original) == dirty.lines(copy)
        assert (landing / original).read_bytes() != (landing / copy).read_bytes()
        assert original.partition("/")[2][:10] < copy.partition("/")[2][:10]


def test_a_file_under_a_second_name_has_the_same_bytes_and_batch_day(dirty: Made) -> None:
    renamed = dirty.truth("manifest").filter(pl.col("kind") == "renamed_file")
    landing = dirty.data / "landing"
    assert renamed.height > 5
    for original, copy in renamed["clean_value", "dirty_value"].iter_rows():
        assert (landing / original).read_bytes() == (landing / copy).read_bytes()
        assert original.partition("/")[2][:10] == copy.partition("/")[2][:10]


def test_a_record_has_one_defect_at_most(manifest: pl.DataFrame) -> None:
    of_record = manifest.filter(pl.col("record").is_not_null())
    assert not of_record.select("file", "record").is_duplicated().any()


def test_the_share_of_records_with_a_defect_is_the_dirt(dirty: Made) -> None:
    tidy = sum(dirty.truth(source).height for source in COLUMNS)
    struck = of_records(dirty.truth("manifest")).height
    assert abs(struck / tidy - dirty.shop.dirt) < 0.03


def test_a_kind_has_the_rate_that_is_asked_for(tmp_path: Path) -> None:
    rates = {"orphan": 0.10, "negative_amount": 0.05, "redelivered_file": 0.0, "missing_value": 0.0}
    made = make(Shop(customers=3_000, days=60, dirt=0.1, rates=rates), tmp_path)
    kinds = Counter(made.truth("manifest")["kind"])
    lines = made.truth("purchases").height
    records = lines + made.truth("customers").height
    assert kinds["orphan"] / lines == pytest.approx(0.10, abs=0.015)
    assert kinds["negative_amount"] / lines == pytest.approx(0.05, abs=0.01)
    assert not kinds["redelivered_file"]
    assert not kinds["missing_value"]
    others = (
        sum(kinds.values()) - kinds["orphan"] - kinds["negative_amount"] - kinds["renamed_file"]
    )
    assert others / records == pytest.approx(0.10, abs=0.015)


def test_shares_do_not_overlap_and_add_up() -> None:
    moving, others = shares(defects_of("purchases", Form.CSV), 0.3, {"orphan": 0.2})
    both = sorted([*moving, *others], key=lambda share: share.lower)
    assert [share.lower for share in both] == [0.0, *(share.upper for share in both[:-1])]
    assert both[-1].upper == pytest.approx(0.5)


def test_a_shop_without_dirt_has_an_empty_manifest(year: Made) -> None:
    assert year.truth("manifest").is_empty()
    assert all("again" not in file and "twice" not in file for file in year.files())


def test_compressed_files_hold_the_same_records(tmp_path: Path) -> None:
    shop = Shop(customers=80, days=30, dirt=0.5)
    plain_shop = make(shop, tmp_path / "plain")
    packed = make(replace(shop, gz=True), tmp_path / "packed")
    assert packed.files() == [f"{file}.gz" for file in plain_shop.files()]
    for file in plain_shop.files():
        assert packed.lines(f"{file}.gz") == plain_shop.lines(file)


def test_the_guide_names_every_kind() -> None:
    guide = (Path(__file__).parents[2] / "docs/generator.md").read_text()
    rows = [line.split("|")[1] for line in guide.splitlines() if line.startswith("| `")]
    named = {kind for row in rows for kind in re.findall(r"`([a-z_]+)`", row)}
    assert set(KINDS) <= named
    assert f"--defect {EXPORTS}=" in guide
