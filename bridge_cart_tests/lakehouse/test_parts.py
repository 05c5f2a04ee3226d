"""Days that are cleaned a few at a time give what all of them give together."""

from pathlib import Path

import polars as pl
from polars.testing import assert_frame_equal

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.cleaned_records import batches, clean_records
from bridge_cart_assets.pipeline.intake import take_in_source
from bridge_cart_assets.settings import SilverSettings
from bridge_cart_assets.sources.purchases import PURCHASES

HEADER = "order_id,line_number,customer_id,purchase_date,purchase_amount,status\n"
# The first file leaves day and month open, the second decides, the third has lines to number.
FILES = {
    "2024-02-01": "O1,1,C1,01/02/2024,1.250,paid\nO1,2,C1,,3,paid\n,1,C1,2024-01-31,5,paid\n",
    "2024-02-13": 'O2,1,C2,02/13/2024,"1.250,50",paid\nO2,2,,02/03/2024,7.125,\n',
    "2024-02-14": "O3,,C3,2024-02-14,10,refunded\nO3,,,2024-02-14,11,\nO3,,C3,x,12,paid\n",
}


def test_days_cleaned_one_by_one_give_what_they_give_together(tmp_path: Path) -> None:
    folder = tmp_path / "landing" / "purchases"
    folder.mkdir(parents=True)
    for day, lines in FILES.items():
        (folder / f"{day}.csv").write_text(HEADER + lines)
    lake = Lake(str(tmp_path / "lake"))
    take_in_source(lake, PURCHASES, tmp_path / "landing", "test")
    raw = lake.snapshot(PURCHASES.raw).scan()

    whole = clean_records(raw, PURCHASES, SilverSettings())
    days = dict(raw.group_by("_batch_day").len().collect().iter_rows())
    parts = [
        clean_records(raw.filter(pl.col("_batch_day").is_in(part)), PURCHASES, SilverSettings())
        for part in batches(days, days, most=3)
    ]

    assert len(parts) == len(FILES)
    place = ["batch_day", "pos"]
    accepted = [part.purchases.accepted for part in parts if part.purchases is not None]
    assert whole.purchases is not None
    assert_frame_equal(pl.concat(accepted).sort(place), whole.purchases.accepted.sort(place))
    refused = pl.concat([part.refused for part in parts]).sort(place)
    assert_frame_equal(refused, whole.refused.sort(place))
    assert refused["reason"].to_list() == ["MISSING_ORDER_ID", "BAD_DATE"]
