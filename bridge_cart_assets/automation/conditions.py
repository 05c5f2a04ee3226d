"""When Dagster re-materializes an asset on its own: after somebody has materialized by hand.

Plain eager() asks for more and for less: for partitions because they are new (every midnight one
is, before anything has arrived for it), only for the latest partition, and with no regard to
failed blocking checks.
"""

from typing import cast

import dagster as dg

# Not all_deps_blocking_checks_passed(): a source that has never had a file has no passed check.
_HELD_BY_CHECKS = ~dg.AutomationCondition.any_deps_match(
    dg.AutomationCondition.any_checks_match(
        dg.AutomationCondition.check_failed(), blocking_only=True
    )
)


def follow() -> dg.AutomationCondition[dg.AssetKey]:
    """Once whatever lies upstream was updated since, unless a blocking check failed there.

    A day on which a source had no file is missing in that source, and that is no reason to wait.
    """
    follows = (
        dg.AutomationCondition.any_deps_updated().since_last_handled()
        & ~dg.AutomationCondition.any_deps_in_progress()
        & ~dg.AutomationCondition.in_progress()
        & _HELD_BY_CHECKS
    ).with_label("follows, held by failed blocking checks")
    return cast("dg.AutomationCondition[dg.AssetKey]", follows)
