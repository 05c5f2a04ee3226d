"""Names that are somebody's data are masked, and others are not."""

import time

import pytest

from bridge_cart_assets.ingestion.raw_rows import shown_names
from bridge_cart_assets.transforms.masking import masked_name, masked_path


@pytest.mark.parametrize(
    "name",
    [
        *("ada@example.org", "<Ada@Example.org>", "ada+x@mail.example.org;"),
        *("07700900123", "+44 7700 900123", "(030) 1234-5678", "4111 1111 1111 1111"),
        *("0171.123.45.67", "tel 0171/1234567", "4111111111111111"),
    ],
)
def test_what_looks_like_an_address_or_a_number(name: str) -> None:
    shown = masked_name(name)
    assert "…" in shown
    assert sum(c.isdigit() for c in shown) == 0
    assert "ada" not in shown.lower()


@pytest.mark.parametrize(
    "name",
    ["note", "line 2", "q1_2024", "2024-01-31", "20240131", "31.01.2024", "№ 123456"],
)
def test_other_names_stay(name: str) -> None:
    assert masked_name(name) == name


@pytest.mark.parametrize(
    "path",
    [
        "2024/orders_2024-01-01.csv",
        "orders_2024-01-01_2024-01-31.csv.gz",
        "export-1700000000.json",
        "export-1700000000000.json",
        "20240131T235959/purchases-000123456.parquet",
    ],
)
def test_paths_that_programs_write_stay(path: str) -> None:
    assert masked_path(path) == path


def test_paths_that_are_named_after_people() -> None:
    assert masked_path("a/ada@example.org.csv") == "a/…@….csv"
    assert masked_path("+44 7700 900123/a.csv") == "…/a.csv"
    assert masked_path("4111 1111 1111 1111.csv") == "….csv"


def test_names_that_are_masked_alike_are_one() -> None:
    assert shown_names(["b@x.org", "a@x.org", "note"]) == ["note", "…@…"]


@pytest.mark.parametrize("text", ["x" * 200_000, "x" * 200_000 + "@ ", "1-" * 100_000 + "a"])
def test_a_long_name_takes_no_time(text: str) -> None:
    """A file's first line may be a name of any length."""
    began = time.process_time()
    masked_name(text)
    assert time.process_time() - began < 2
