"""While an erasure is open, no asset writes, whoever asks for it."""

from datetime import date

import dagster as dg
import pytest

from bridge_cart_assets.batch_days import DayRange
from bridge_cart_assets.definitions import build_defs
from bridge_cart_assets.partitions import range_tags
from bridge_cart_assets.pipeline.open_erasure import begin_erasure
from bridge_cart_assets.pipeline.open_operations import OperationOpenError
from bridge_cart_assets.settings import Settings


@pytest.mark.parametrize(
    ("job", "key"),
    [
        ("refresh", "raw/customers"),
        ("refresh", "silver/purchases"),
        ("refresh", "gold/kpis_daily"),
        ("refresh", "catalogue"),
        ("maintenance", "ops/maintenance"),
    ],
)
def test_each_asset_refuses(settings: Settings, job: str, key: str) -> None:
    """The daemon starts runs that hold no lock."""
    begin_erasure(settings, ["C1"])
    day = date(2024, 1, 1)
    found = build_defs(settings).resolve_job_def(job)
    tags = range_tags(DayRange(day, day)) if job == "refresh" else {}
    with (
        dg.DagsterInstance.ephemeral() as instance,
        pytest.raises(OperationOpenError, match="bridge-cart run finishes it"),
    ):
        found.execute_in_process(
            instance=instance, tags=tags, asset_selection=[dg.AssetKey(key.split("/"))]
        )
    assert not (settings.data / "lake").exists()
