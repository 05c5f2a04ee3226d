"""What is wrong with the landed files, and that the manifest says exactly that."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import polars as pl
import pytest

from bridge_cart_assets.generator import spellings
from bridge_cart_assets.generator.dirt import CUSTOMER_DEFECTS, PURCHASE_DEFECTS
from bridge_cart_assets.generator.landing import COLUMNS, as_text

if TYPE_CHECKING:
    from bridge_cart_tests.generator.conftest import Made


def as_utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def amount(text: str) -> Decimal:
    return Decimal(text)


READERS: dict[str, Callable[[str], object]] = {
    "date_with_zone": datetime.fromisoformat,
    "date_epoch": lambda text: datetime.fromtimestamp(int(text), UTC),
    "amount_thousands": lambda text: amount(text.replace(",", "")),
    "amount_currency": lambda text: amount(text.lstrip("$£€")),
    "amount_comma": lambda text: amount(text.replace(",", ".")),
    "amount_parentheses": lambda text: -amount(text.strip("()")),
}


def test_every_manifest_row_points_at_a_record_that_has_the_dirty_value(dirty: "Made") -> None:
    records = dirty.records()
    manifest = dirty.truth("manifest")
    assert manifest.height > 2_000
    for row in manifest.iter_rows(named=True):
        record = records[row["file"], row["record"]]
        if row["column"] is None:
            assert ",".join(record.values()) == row["dirty_value"]
            assert row["clean_value"] is None
        else:
            assert record[row["column"]] == row["dirty_value"]
            assert row["clean_value"] != row["dirty_value"]


def test_every_landed_record_is_a_tidy_one_or_in_the_manifest(dirty: "Made") -> None:
    landed = dirty.records()
    spoilt = {
        (file, record): (column, clean)
        for file, record, column, clean in dirty.truth("manifest")[
            "file", "record", "column", "clean_value"
        ].iter_rows()
    }
    copies = {place for place, (column, _) in spoilt.items() if column is None}
    tidy = {}
    for source in COLUMNS:
        truth = dirty.truth(source)
        places = truth["file", "record"].iter_rows()
        text = as_text(truth, source).select(COLUMNS[source]).iter_rows(named=True)
        tidy.update(zip(places, text, strict=True))
    repaired = {
        place: record | {spoilt[place][0]: spoilt[place][1]} if place in spoilt else record
        for place, record in landed.items()
        if place not in copies
    }
    assert repaired == tidy
    assert len(landed) == len(tidy) + len(copies)


def test_a_copy_stands_behind_its_original_and_its_original_is_the_last_word(
    dirty: "Made",
) -> None:
    landed = dirty.records()
    stands = {
        tuple(place): stands
        for *place, stands in dirty.truth("purchases")["file", "record", "stands"].iter_rows()
    }
    copies = dirty.truth("manifest").filter(pl.col("kind") == "duplicate_record")
    assert copies.height > 50
    for file, record in copies["file", "record"].iter_rows():
        same = [n for n in range(1, record) if landed[file, n] == landed[file, record]]
        assert len(same) == 1
        assert file.startswith("customers/") or stands[file, same[0]]


@pytest.mark.parametrize("kind", READERS)
def test_another_spelling_says_the_same(dirty: "Made", kind: str) -> None:
    spelt = dirty.truth("manifest").filter(pl.col("kind") == kind)
    plain = as_utc if kind.startswith("date") else amount
    assert spelt.height > 3
    assert set(spelt["expected"]) == {"repaired"}
    for clean, other in spelt["clean_value", "dirty_value"].iter_rows():
        assert READERS[kind](other) == plain(clean)


def test_a_day_first_date_says_the_same(dirty: "Made") -> None:
    spelt = dirty.truth("manifest").filter(pl.col("kind") == "date_day_first")
    for column, clean, other in spelt["column", "clean_value", "dirty_value"].iter_rows():
        form = "%d/%m/%Y" if column == "signup_date" else "%d/%m/%Y %H:%M:%S"
        assert datetime.strptime(other, form) == datetime.fromisoformat(clean)


def test_a_thousand_is_only_separated_where_there_is_one() -> None:
    tidy = pl.DataFrame({"a": ["1234.50", "12345.00", "1234567.89", "999.99"]})
    spelt = tidy.select(spellings.with_thousands("a")).to_series().to_list()
    assert spelt == ["1,234.50", "12,345.00", "1,234,567.89", "999.99"]


def test_every_kind_of_defect_occurs(dirty: "Made") -> None:
    manifest = dirty.truth("manifest")
    found = set(manifest.select("column", "kind", "expected").unique().iter_rows())
    assert found == {
        (defect.column, defect.kind, defect.expected)
        for defect in (*PURCHASE_DEFECTS, *CUSTOMER_DEFECTS)
    }


def test_only_completed_lines_get_a_negative_amount(dirty: "Made") -> None:
    negative = dirty.truth("manifest").filter(pl.col("kind") == "negative_amount")
    lines = negative.join(dirty.truth("purchases"), on=["file", "record"], how="left")
    assert negative.height > 10
    assert set(lines["status"]) == {"completed"}


def test_the_share_of_records_with_a_defect_is_the_dirt(dirty: "Made") -> None:
    tidy = sum(dirty.truth(source).height for source in COLUMNS)
    manifest = dirty.truth("manifest")
    assert abs(manifest.height / tidy - dirty.shop.dirt) < 0.03
    assert not manifest.select("file", "record").is_duplicated().any()
