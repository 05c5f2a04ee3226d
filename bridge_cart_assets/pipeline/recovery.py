"""What has to be done again after commits were taken back.

Belongs here: making the ledger and the accounting agree with the tables again, so that the next run
finds what is due. Does not belong here: finding torn commits (`lake.doctor`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from bridge_cart_assets.ingestion.landing import LandedFile
from bridge_cart_assets.ingestion.ledger import forget, in_landing, not_in_raw
from bridge_cart_assets.lake.commits import Commit, retry_on_conflict
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.doctor import Damage
from bridge_cart_assets.lake.snapshot import DamagedTableError
from bridge_cart_assets.tables.silver import ACCOUNTING

_RUN = "doctor"


def recount(lake: Lake, findings: Sequence[Damage]) -> list[Damage]:
    """Empty an accounting that has lost rows: a fold of all days counts them again.

    Returns:
        The findings, with those of accounting mended.
    """
    is_lost = any(f.table == ACCOUNTING.path and not f.mended for f in findings)
    if not is_lost:
        return list(findings)
    try:
        empty = partial(_empty_accounting, lake)
        retry_on_conflict(empty)
    except DamagedTableError:
        return list(findings)
    return [replace(f, mended=True) if f.table == ACCOUNTING.path else f for f in findings]


def _empty_accounting(lake: Lake) -> int:
    return lake.snapshot(ACCOUNTING).replace(ACCOUNTING.empty(), Commit(_RUN))


def reopen(lake: Lake, findings: Sequence[Damage], listed: Sequence[LandedFile]) -> Iterator[str]:
    """Make due again what the lake has lost and landing still has; a line for each.

    Files that raw does not have and that still lie in the landing zone are forgotten, so that they
    are taken again; those that do not stay in the ledger, as lost. When a silver table has lost a
    commit, all its days are due: after a mere power cut the last one would be enough, but a commit
    that was acknowledged may have been damaged otherwise, and a fold that finds nothing to change
    costs time only. Gold is made again in any case.
    """
    rows = not_in_raw(lake)
    again = rows.filter(in_landing(rows, listed))
    forget(lake, again, _RUN)
    if again.height:
        yield f"{again.height:,} files are not in raw, lie in landing and will be taken again"
    if any(finding.table.startswith("silver/") and finding.mended for finding in findings):
        retry_on_conflict(partial(_empty_accounting, lake))
        yield "all days of silver will be folded again"
