"""Batch days as Dagster's daily partitions."""

from collections.abc import Mapping
from datetime import date

import dagster as dg

from bridge_cart_assets.batch_days import DayRange

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
_SINGLE = "dagster/partition"


def daily_partitions(start: date, zone: str = "UTC") -> dg.DailyPartitionsDefinition:
    """One partition per batch day, from the first one to tomorrow in a time zone."""
    return dg.DailyPartitionsDefinition(start_date=start.isoformat(), end_offset=2, timezone=zone)


def range_tags(days: DayRange) -> dict[str, str]:
    """The tags by which Dagster runs a range of partitions as one run."""
    return {RANGE_START: days.first.isoformat(), RANGE_END: days.last.isoformat()}


def partition_range(tags: Mapping[str, str]) -> DayRange | None:
    """The partitions of a run with these tags; None when it has none."""
    single = tags.get(_SINGLE)
    first, last = tags.get(RANGE_START, single), tags.get(RANGE_END, single)
    if first is None or last is None:
        return None
    return DayRange(date.fromisoformat(first), date.fromisoformat(last))
