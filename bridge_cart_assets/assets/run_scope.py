"""What one run is asked to do, as tags of the Dagster run.

Belongs here: the tags that the command and the sensors write and the assets read. Does not belong
here: finding out what is due (`pipeline.plan`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bridge_cart_assets.batch_days import DayRange
from bridge_cart_assets.partitions import partition_range, range_tags
from bridge_cart_assets.pipeline.plan import ALL_ARRIVALS, Plan

# Take only `files` or only `messages`; both without the tag.
ARRIVALS = "bridge_cart/arrivals"
# Fold what is pending between these days, whatever partitions the run has.
ONLY_PENDING = "bridge_cart/only_pending"


@dataclass(frozen=True)
class RunScope:
    """What one run is asked to do.

    Attributes:
        days: its batch days; None for a run without partitions.
        pending_in: silver folds only what is pending, and only between these days; None when it
            folds all of `days`.
        arrivals: what raw takes in, files or messages or both.
    """

    days: DayRange | None
    pending_in: DayRange | None = None
    arrivals: frozenset[str] = ALL_ARRIVALS

    @classmethod
    def of_plan(cls, plan: Plan) -> "RunScope":
        """The scope of the run that does what is due."""
        return cls(plan.days, pending_in=plan.allowed_days, arrivals=plan.arrivals)

    @classmethod
    def from_tags(cls, tags: Mapping[str, str]) -> "RunScope":
        """The scope of a run with these tags."""
        pending, arrivals = tags.get(ONLY_PENDING), tags.get(ARRIVALS)
        return cls(
            partition_range(tags),
            DayRange.parse(pending) if pending else None,
            frozenset({arrivals}) if arrivals else ALL_ARRIVALS,
        )

    @property
    def tags(self) -> dict[str, str]:
        """The tags of a run with this scope."""
        days = range_tags(self.days) if self.days else {}
        pending = {ONLY_PENDING: str(self.pending_in)} if self.pending_in else {}
        only = {ARRIVALS: min(self.arrivals)} if len(self.arrivals) == 1 else {}
        return {**days, **pending, **only}
