"""What the command warns of on stderr, beside what the checks say.

Belongs here: what is looked at before a warning, and its words. Imports what it looks at when it
is asked: most verbs warn of nothing.
"""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from bridge_cart_assets.settings import Settings
from bridge_cart_assets.terminal.messages import say_warning

if TYPE_CHECKING:
    from bridge_cart_assets.ingestion.landing import LandedFile
    from bridge_cart_assets.lake.delta import Lake

_UNFINISHED_REBUILD = (
    "the rebuild (begun {began}) is not complete: silver and gold lack what it has not made "
    "yet; bridge-cart run goes on"
)


def listed_files(settings: Settings) -> "list[LandedFile]":
    """All files in the landing zone."""
    from bridge_cart_assets.ingestion.landing import list_landing
    from bridge_cart_assets.sources import SOURCES

    return [
        file
        for source in SOURCES
        for file in list_landing(settings.landing_zone, source.name, settings.timezone)
    ]


def warn_interrupted_rebuild(_: object) -> None:
    """The last words of a rebuild that a signal ends."""
    say_warning(_UNFINISHED_REBUILD.format(began="just now"))


def warn_unfinished_rebuild(lake: "Lake") -> None:
    """Silver and gold are not whole: a rebuild was cut off or failed."""
    from bridge_cart_assets.automation.liveness import clock
    from bridge_cart_assets.pipeline.open_rebuild import unfinished_rebuild

    if (began := unfinished_rebuild(lake)) is not None:
        say_warning(_UNFINISHED_REBUILD.format(began=clock(began)))


def warn_missing(lake: "Lake") -> None:
    """Raw has lost records that silver has counted."""
    from bridge_cart_assets.pipeline.losses import in_words, missing_records

    if missing := missing_records(lake):
        say_warning(
            f"{in_words(missing)}; what comes for these days waits until they are back: "
            "see bridge-cart doctor"
        )


def warn_refused(settings: Settings, lake: "Lake") -> None:
    """Files that could not be taken, and folders that are no source."""
    from bridge_cart_assets.ingestion.landing import unknown_folders
    from bridge_cart_assets.ingestion.ledger import refused_in_landing
    from bridge_cart_assets.sources import SOURCES
    from bridge_cart_assets.transforms.masking import masked_path

    for row in refused_in_landing(lake, listed_files(settings)).iter_rows(named=True):
        say_warning(
            f"{row['source']}/{masked_path(row['object'])} was refused: "
            f"{row['reason']}, {row['detail']}"
        )
    names = {source.name for source in SOURCES}
    for folder in unknown_folders(settings.landing_zone, names):
        say_warning(f"landing/{folder} is no source: there are {', '.join(sorted(names))}")


def warn_repeated(lake: "Lake", run_id: str) -> None:
    """Files that a run did not take because their content had been taken."""
    from bridge_cart_assets.ingestion.repeated import repeated_files, repeats_in_lines
    from bridge_cart_assets.sources import SOURCES

    found = [file for source in SOURCES for file in repeated_files(lake, source, run_id)]
    for line in repeats_in_lines(found):
        say_warning(line)


def warn_outside(settings: Settings, days: Sequence[date]) -> None:
    """Files and messages of days that are no partitions."""
    if days:
        say_warning(
            f"files or messages of {len(set(days)):,} day(s) wait: the batch days {min(days)} to "
            f"{max(days)} are no partitions; for older ones set BRIDGE_CART_START_DATE={min(days)}"
            f" (now {settings.start_date})"
        )
