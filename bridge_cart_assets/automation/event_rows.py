"""Rows of the event log. The events of an asset for its days are put into words once.

Belongs here: what a row has, and the plan of an asset for the days of a run. Does not belong here:
where rows are written (`event_log`, `postgres`).

A run over two years of days has a plan and a materialization for each asset and day, ten thousand
events that differ in their day and time alone. Dagster turns each into JSON by itself, which took
a second and a half of CPU time.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dagster import AssetKey, EventLogEntry
from dagster._core.events import (
    AssetMaterializationPlannedData,
    DagsterEvent,
    DagsterEventType,
    StepMaterializationData,
)

Row = dict[str, Any]
# The first part of the keys of assets that have partitions: batch days.
_PARTITIONED = ("raw", "silver")
# What stands for the day and the time in the text of an event that is like others.
_DAY, _TIME = "bridge-cart/day", 123456789.0123


@dataclass(frozen=True)
class _Pattern:
    """An event without its day and time, and its row.

    Attributes:
        event: the event.
        row: its row.
        parts: the text of the event around the day and, behind it, the time; None where it is not
            so.
    """

    event: EventLogEntry
    row: Mapping[str, Any]
    parts: tuple[str, str, str] | None

    @classmethod
    def of(cls, event: EventLogEntry, row_of: Callable[[EventLogEntry], Row]) -> "_Pattern":
        """The pattern of an event that has neither a day nor a time any more."""
        row = row_of(event)
        text = row["event"]
        before, _, rest = text.partition(_DAY)
        between, _, after = rest.partition(str(_TIME))
        is_usable = text.count(_DAY) == text.count(str(_TIME)) == rest.count(str(_TIME)) == 1
        return cls(event, row, (before, between, after) if is_usable else None)

    def filled_in(self, day: str, entry: EventLogEntry) -> str | None:
        """The text of an event like it; None where that is not certain."""
        if self.parts is None:
            return None
        before, between, after = self.parts
        return f"{before}{json.dumps(day)[1:-1]}{between}{json.dumps(entry.timestamp)}{after}"


def event_rows(
    events: Iterable[EventLogEntry],
    row_of: Callable[[EventLogEntry], Row],
    timestamp_of: Callable[[EventLogEntry], object],
) -> list[Row]:
    """The rows of events, in their order.

    Args:
        events: any.
        row_of: makes the row of one event.
        timestamp_of: makes the timestamp in such a row.
    """
    rows: list[Row] = []
    pattern: _Pattern | None = None
    for entry in events:
        day = _day_of(entry)
        if day is None:
            rows.append(row_of(entry))
            continue
        alike = _without_day(entry)
        if pattern is None or pattern.event != alike:
            pattern = _Pattern.of(alike, row_of)
        text = pattern.filled_in(day, entry)
        if text is None:
            rows.append(row_of(entry))
        else:
            own = {"event": text, "timestamp": timestamp_of(entry), "partition": day}
            rows.append({**pattern.row, **own})
    return rows


def _day_of(entry: EventLogEntry) -> str | None:
    """The day of an event that tells of an asset's day; None for all others."""
    event = entry.dagster_event
    data = event.event_specific_data if event else None
    if isinstance(data, StepMaterializationData):
        return data.materialization.partition
    return data.partition if isinstance(data, AssetMaterializationPlannedData) else None


def _without_day(entry: EventLogEntry) -> EventLogEntry:
    event = entry.dagster_event
    data = event.event_specific_data if event else None
    if isinstance(data, StepMaterializationData):
        data = data._replace(materialization=data.materialization._replace(partition=_DAY))
    elif isinstance(data, AssetMaterializationPlannedData):
        data = data._replace(partition=_DAY)
    return entry._replace(timestamp=_TIME, dagster_event=_with_data(event, data))


def _with_data(event: DagsterEvent | None, data: Any) -> DagsterEvent | None:
    return None if event is None else event._replace(event_specific_data=data)


def plans_of_days(entry: EventLogEntry) -> Iterator[EventLogEntry]:
    """An event; the plan of an asset for several days as one event for each.

    The plan of an asset that has no partitions is one event without a day, whatever Dagster says.
    """
    event = entry.dagster_event
    if event is None or event.event_type != DagsterEventType.ASSET_MATERIALIZATION_PLANNED:
        yield entry
        return
    planned = event.asset_materialization_planned_data
    for day in _days_of_plan(planned):
        plan = AssetMaterializationPlannedData(
            planned.asset_key, partition=day, partitions_subset=None
        )
        yield entry._replace(dagster_event=event._replace(event_specific_data=plan))


def _days_of_plan(planned: AssetMaterializationPlannedData) -> Iterable[str | None]:
    if not _has_partitions(planned.asset_key):
        return [None]
    if planned.partitions_subset is None:
        return [planned.partition]
    return planned.partitions_subset.get_partition_keys()


def _has_partitions(key: AssetKey | None) -> bool:
    return key is not None and key.path[0] in _PARTITIONED
