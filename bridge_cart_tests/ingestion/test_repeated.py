"""A file whose content had been taken is named, with what it was taken as."""

from pathlib import Path

import pytest

from bridge_cart_assets.ingestion import files
from bridge_cart_assets.ingestion.landing import list_landing
from bridge_cart_assets.ingestion.ledger import forget
from bridge_cart_assets.ingestion.repeated import (
    MOST_LINES,
    RepeatedFile,
    repeated_files,
    repeats_in_lines,
)
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.intake import take_in_source
from bridge_cart_assets.sources.customers import CUSTOMERS
from bridge_cart_assets.tables.ops import FILES

PERIOD = "customers_2024-01-01_2024-01-31.csv"
TEXT = "customer_id,name\nC1,Anna\nC2,Bea\n"
AGAIN = (
    f"customers/until_2024-02-01.csv adds nothing: its content was taken as {PERIOD} of 2024-01-31"
)


class Shop:
    """A landing zone for customers and a lake."""

    def __init__(self, root: Path) -> None:
        self.landing = root / "landing"
        self.lake = Lake(str(root / "lake"))

    def land(self, name: str, text: str = TEXT) -> None:
        path = self.landing / "customers" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(self, run_id: str) -> list[str]:
        """What a run says of the files."""
        return take_in_source(self.lake, CUSTOMERS, self.landing, run_id).warnings(CUSTOMERS)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture(params=["small", "large"])
def part_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are taken whole, or part by part."""
    if request.param == "large":
        monkeypatch.setattr(files, "PART_BYTES", 20)


@pytest.mark.usefixtures("part_bytes")
def test_the_run_that_finds_it_names_it_and_no_other_does(shop: Shop) -> None:
    shop.land(PERIOD)
    assert shop.run("first") == []
    shop.land("until_2024-02-01.csv")
    assert shop.run("second") == [AGAIN]
    assert shop.run("third") == []
    assert [str(file) for file in repeated_files(shop.lake, CUSTOMERS, "second")] == [AGAIN]


def test_of_two_that_land_together_the_second_is_named(shop: Shop) -> None:
    shop.land("until_2024-02-01.csv")
    shop.land(PERIOD)
    assert shop.run("run") == [AGAIN]


@pytest.mark.parametrize("lost", ["replaced", "forgotten"])
def test_raw_knows_the_first_name_when_the_ledger_does_not(shop: Shop, lost: str) -> None:
    shop.land(PERIOD)
    shop.run("first")
    if lost == "replaced":
        shop.land(PERIOD, TEXT + "C3,Cy\n")
    else:
        (shop.landing / "customers" / PERIOD).unlink()
        forget(shop.lake, shop.lake.snapshot(FILES).read(), "loss")
    shop.land("until_2024-02-01.csv")
    assert shop.run("second") == [AGAIN]


def test_a_file_landed_again_under_its_own_name_is_no_repetition(shop: Shop) -> None:
    shop.land(PERIOD)
    shop.run("first")
    shop.land(PERIOD)
    [file] = list_landing(shop.landing, "customers")
    assert file.object == PERIOD
    assert shop.run("second") == []


def test_ten_are_named_and_the_others_counted() -> None:
    many = [RepeatedFile("customers", f"{n}.csv", None, None) for n in range(MOST_LINES + 3)]
    lines = repeats_in_lines(many)
    assert len(lines) == MOST_LINES + 1
    assert lines[0] == "customers/0.csv adds nothing: its content was taken"
    assert lines[-1] == "3 more files add nothing: see ops.files"
    assert repeats_in_lines(many[:MOST_LINES]) == lines[:MOST_LINES]
