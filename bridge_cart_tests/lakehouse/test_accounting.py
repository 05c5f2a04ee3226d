"""Records that are not folded are not accounted for, even if other runs add records meanwhile."""

from pathlib import Path

import polars as pl
import pytest

from bridge_cart_assets.ingestion.ingest_files import ingest_files
from bridge_cart_assets.ingestion.landing import list_landing
from bridge_cart_assets.ingestion.ledger import new_files
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline import silver
from bridge_cart_assets.pipeline.chain import refresh_silver
from bridge_cart_assets.pipeline.pending import pending_days
from bridge_cart_assets.sources import SOURCES, Source
from bridge_cart_assets.tables.silver import ACCOUNTING, CUSTOMERS, PURCHASES

LINES = "order_id,customer_id,purchase_date,purchase_amount,updated_at"
INVOICE = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
PROFILES = "customer_id,name,country,updated_at"
AT = "2010-12-01 08:26:00"
BY_NAME = {source.name: source for source in SOURCES}


class Shop:
    """A landing zone and a lake, and records that arrive while a run is at silver."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.landing = root / "landing"
        self.lake = Lake(str(root / "lake"))
        self._monkeypatch = monkeypatch

    def land(self, source: str, name: str, *lines: str) -> Source:
        path = self.landing / source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join([*lines, ""]))
        return BY_NAME[source]

    def run(self) -> None:
        refresh_silver(self.lake, self.landing)

    def run_while(self, source: str, name: str, *lines: str) -> None:
        """A run; a file arrives and is taken in when its records are folded, before it counts."""
        quarantine, arriving = silver.update_quarantine, [lines]

        def and_meanwhile(*arguments: object) -> None:
            if arriving:
                new = self.land(source, name, *arriving.pop())
                files = new_files(self.lake, list_landing(self.landing, source))
                ingest_files(self.lake, new, files, "another run")
            quarantine(*arguments)  # type: ignore[arg-type]

        with self._monkeypatch.context() as patch:
            patch.setattr(silver, "update_quarantine", and_meanwhile)
            self.run()

    def pending(self) -> dict[str, int]:
        days = pending_days(self.lake, SOURCES)
        return {name: len(of_source) for name, of_source in days.items() if of_source}

    def is_balanced(self) -> bool:
        parts = ("blank", "quarantined", "accepted", "duplicate", "superseded")
        off = (
            self.lake.snapshot(ACCOUNTING)
            .scan()
            .filter(pl.col("records") != pl.sum_horizontal(parts))
        )
        return off.collect().is_empty()


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("folded", "left"),
    [("2024-01-01", {"purchases": 1}), ("2024-01-02", {})],
    ids=["a day touched", "the day"],
)
def test_a_record_that_arrives_while_its_day_is_counted_is_folded(
    shop: Shop, folded: str, left: dict[str, int]
) -> None:
    """By this run, when it folds the record's day; else by the next."""
    shop.land("purchases", "2024-01-02/a.csv", LINES, "O1,C1,2024-01-01,1,")
    shop.run()
    # An older version of O1, which stands on the second day, touches that day.
    shop.land("purchases", f"{folded}/b.csv", LINES, "O1,C1,2024-01-01,3,2023-12-31")
    shop.run_while("purchases", "2024-01-02/c.csv", LINES, "O2,C2,2024-01-01,2,")
    assert (shop.pending(), shop.is_balanced()) == (left, True)
    shop.run()
    assert (shop.pending(), shop.is_balanced()) == ({}, True)
    assert sorted(shop.lake.snapshot(PURCHASES).read()["order_id"]) == ["O1", "O2"]


def test_a_record_of_another_source_that_arrives_meanwhile_is_folded_by_the_next_run(
    shop: Shop,
) -> None:
    shop.land("customers", "2010-12-01/a.csv", PROFILES, f"17850,Anna,France,{AT}")
    shop.run()
    line = f"536365,85123A,HOLDER,6,{AT},2.55,17850.0,United Kingdom"
    shop.land("online_retail", "2010-12-02.csv", INVOICE, line)
    shop.run_while("customers", "2010-12-01/b.csv", PROFILES, f"2,Cy,Peru,{AT}")
    assert (shop.pending(), shop.is_balanced()) == ({"customers": 1}, True)
    shop.run()
    assert (shop.pending(), shop.is_balanced()) == ({}, True)
    assert sorted(shop.lake.snapshot(CUSTOMERS).read()["customer_id"]) == ["17850", "2"]
