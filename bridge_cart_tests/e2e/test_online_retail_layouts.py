"""All of Online Retail in its three circulating layouts gives equal silver tables."""

import csv
import io
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.chain import refresh_silver
from bridge_cart_assets.tables.silver import ACCOUNTING, CUSTOMERS, PURCHASES, QUARANTINE
from bridge_cart_tests.ingestion.workbook_files import Cell, workbook

Rows = Sequence[dict[str, str]]
HEADER = (
    *("InvoiceNo", "StockCode", "Description", "Quantity"),
    *("InvoiceDate", "UnitPrice", "CustomerID", "Country"),
)
SECOND = {"InvoiceNo": "Invoice", "UnitPrice": "Price", "CustomerID": "Customer ID"}
# Where a record came from, and how it was spelt there.
PLACE = ["object", "fingerprint", "raw", "value"]
NAME = "2011-12-09"


def published_rows(folder: Path) -> Rows:
    return [
        row
        for path in sorted(folder.iterdir())
        for row in csv.DictReader(io.StringIO(path.read_bytes().decode("cp1252")))
    ]


def as_csv(rows: Rows, moment: Callable[[datetime], str]) -> bytes:
    written = io.StringIO()
    writer = csv.DictWriter(written, HEADER, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        at = datetime.fromisoformat(row["InvoiceDate"])
        writer.writerow({**row, "InvoiceDate": moment(at)})
    return written.getvalue().encode()


def as_second_workbook(rows: Rows) -> bytes:
    """Numbers as numbers, moments as the serials of a spreadsheet; two sheets, one a year."""
    sheets: dict[str, list[list[Cell]]] = {}
    for row in rows:
        at = datetime.fromisoformat(row["InvoiceDate"])
        serial = (at - datetime(1899, 12, 30)) / timedelta(days=1)
        header: list[Cell] = [SECOND.get(name, name) for name in HEADER]
        sheets.setdefault(f"Year {at.year}", [header]).append(
            [
                int(row["InvoiceNo"]) if row["InvoiceNo"].isdigit() else row["InvoiceNo"],
                *(row["StockCode"], row["Description"], int(row["Quantity"])),
                *((serial, "dd/mm/yyyy hh:mm"), float(row["UnitPrice"])),
                float(row["CustomerID"]) if row["CustomerID"] else None,
                row["Country"],
            ]
        )
    return workbook(sheets)


def silver_of(folder: Path, name: str, data: bytes) -> dict[str, pl.DataFrame]:
    landed = folder / "landing" / "online_retail" / name
    landed.parent.mkdir(parents=True)
    landed.write_bytes(data)
    lake = Lake(str(folder / "lake"))
    refresh_silver(lake, folder / "landing")
    found = {}
    for table in (PURCHASES, CUSTOMERS, ACCOUNTING, QUARANTINE):
        order = [name for name in table.key if name not in PLACE]
        rows = lake.snapshot(table).read().drop(PLACE, strict=False)
        found[table.path] = rows.sort(order)
    return found


@pytest.mark.long
def test_the_published_files_the_month_first_csv_and_the_second_workbook_give_equal_tables(
    online_retail: Path, tmp_path: Path
) -> None:
    rows = published_rows(online_retail)
    layouts = {
        f"{NAME}.csv": as_csv(rows, lambda at: f"{at:%Y-%m-%d %H:%M:%S}"),
        f"{NAME}-us.csv": as_csv(
            rows, lambda at: f"{at.month}/{at.day}/{at.year} {at.hour}:{at:%M}"
        ),
        f"{NAME}-ii.xlsx": as_second_workbook(rows),
    }
    found = [silver_of(tmp_path / name, name, data) for name, data in layouts.items()]
    first, *others = found
    assert first[PURCHASES.path].height > 500_000
    for other in others:
        differing = [path for path in first if not first[path].equals(other[path])]
        assert differing == []
