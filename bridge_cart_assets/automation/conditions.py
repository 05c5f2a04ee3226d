"""When Dagster re-materializes an asset on its own: after somebody has materialized by hand.

Plain eager() looks at the latest partition only and ignores failed blocking checks.
"""

import dagster as dg

_HELD_BY_CHECKS = dg.AutomationCondition.all_deps_blocking_checks_passed()


def follow_partitions() -> dg.AutomationCondition[dg.AssetKey]:
    """For silver: any partition follows its raw partition, unless a blocking check failed."""
    eager = dg.AutomationCondition.eager().without(dg.AutomationCondition.in_latest_time_window())
    return (eager & _HELD_BY_CHECKS).with_label("follows raw, held by failed blocking checks")


def follow_all() -> dg.AutomationCondition[dg.AssetKey]:
    """For gold and the catalogue: they follow any change, although days may be missing."""
    eager = dg.AutomationCondition.eager().without(~dg.AutomationCondition.any_deps_missing())
    return (eager & _HELD_BY_CHECKS).with_label("follows, held by failed blocking checks")
