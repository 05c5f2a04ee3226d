"""What has to be done again after commits were taken back.

Belongs here: making the ledger and the accounting agree with the tables again, so that the next run
finds what is due. Does not belong here: finding torn commits (`lake.doctor`).
"""

from collections.abc import Iterator, Sequence

from bridge_cart_assets.ingestion.ledger import forget_untaken
from bridge_cart_assets.lake.delta import Commit, Lake, retrying
from bridge_cart_assets.lake.doctor import Finding
from bridge_cart_assets.tables.silver import ACCOUNTING

_RUN = "doctor"


def reopen(lake: Lake, findings: Sequence[Finding]) -> Iterator[str]:
    """Make due again whatever the lake no longer has; says what.

    Files that raw does not have are forgotten, so that they are taken again. When a silver table
    has lost a commit, all its days are due: after a mere power cut the last one would be enough,
    but a commit that was acknowledged may have been damaged otherwise, and a fold that finds
    nothing to change costs time only. Gold is made anew in any case.
    """
    forgotten = forget_untaken(lake, _RUN)
    if forgotten:
        yield f"{forgotten:,} files are not in raw and will be taken again"
    if any(finding.table.startswith("silver/") and finding.mended for finding in findings):
        retrying(lambda: lake.look(ACCOUNTING).replace(ACCOUNTING.empty(), Commit(_RUN)))
        yield "all days of silver will be folded again"
