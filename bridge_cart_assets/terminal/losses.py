"""What `doctor` says of records that raw should have: lost, or due again."""

from collections.abc import Sequence

from bridge_cart_assets.automation.liveness import clock
from bridge_cart_assets.ingestion.ingest_messages import lagging_partitions
from bridge_cart_assets.ingestion.kafka_admin import BrokersUnreachableError
from bridge_cart_assets.ingestion.landing import LandedFile
from bridge_cart_assets.ingestion.offsets import MessagesLostError
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.losses import Missing, cannot_come_again, lost_files
from bridge_cart_assets.pipeline.open_rebuild import unfinished_rebuild
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.sources import SOURCES

_MOST_LINES = 10


def losses_in_lines(
    settings: Settings, lake: Lake, listed: Sequence[LandedFile], missing: Sequence[Missing]
) -> tuple[list[str], list[str]]:
    """What is lost, and what is due again, each a line.

    Args:
        settings: which brokers there are.
        lake: the tables.
        listed: the files in the landing zone.
        missing: what raw lacked before anything was mended.
    """
    gone = cannot_come_again(lake, missing, listed, _sources_with_messages(settings, lake))
    lost = [str(m) for m in gone]
    days = {(m.source, m.batch_day) for m in gone}
    for row in lost_files(lake, listed).iter_rows(named=True):
        words = f"{row['source']}/{row['object']}: {row['records'] or 0:,} records"
        at = (row["source"], row["batch_day"])
        lost.append(words if at not in days else f"{words}, among these")
    due = [f"{m}, which wait to be taken again" for m in missing if m not in gone]
    if (began := unfinished_rebuild(lake)) is not None:
        due.append(f"the rebuild that began {clock(began)} is not complete")
    return _shortened(lost), _shortened(due)


def _shortened(lines: list[str]) -> list[str]:
    rest = len(lines) - _MOST_LINES
    return lines if rest <= 0 else [*lines[:_MOST_LINES], f"and {rest:,} more"]


def _sources_with_messages(settings: Settings, lake: Lake) -> list[str]:
    """Sources whose topics have messages that raw has not."""
    waiting = []
    for source in SOURCES if settings.kafka else ():
        try:
            if any(lagging_partitions(lake, source, settings.kafka)):
                waiting.append(source.name)
        except (BrokersUnreachableError, MessagesLostError):
            continue
    return waiting
