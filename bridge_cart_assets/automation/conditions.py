"""When Dagster re-materializes an asset on its own: after somebody has materialized by hand.

Plain eager() looks at the latest partition only and ignores failed blocking checks.
"""

import dagster as dg

# Not all_deps_blocking_checks_passed(): a source that has never had a file has no passed check.
_HELD_BY_CHECKS = ~dg.AutomationCondition.any_deps_match(
    dg.AutomationCondition.any_checks_match(
        dg.AutomationCondition.check_failed(), blocking_only=True
    )
)


def follow_partitions() -> dg.AutomationCondition[dg.AssetKey]:
    """For silver: any partition follows its raw partitions, unless a blocking check failed.

    A day on which a source had no file is missing in that source, and that is no reason to wait.
    """
    eager = (
        dg.AutomationCondition.eager()
        .without(dg.AutomationCondition.in_latest_time_window())
        .without(~dg.AutomationCondition.any_deps_missing())
    )
    return (eager & _HELD_BY_CHECKS).with_label("follows raw, held by failed blocking checks")


def follow_all() -> dg.AutomationCondition[dg.AssetKey]:
    """For gold and the catalogue: they follow any change, although days may be missing."""
    eager = dg.AutomationCondition.eager().without(~dg.AutomationCondition.any_deps_missing())
    return (eager & _HELD_BY_CHECKS).with_label("follows, held by failed blocking checks")
