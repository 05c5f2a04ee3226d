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

# Of the files that wait these are named.
_MOST_NAMED = 3
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


def warn_outside(settings: Settings, days: Sequence[date], files: "Sequence[LandedFile]") -> None:
    """Files and messages of days that are no partitions.

    Args:
        settings: from when on there are partitions.
        days: the days that are none.
        files: all files of the landing zone; some of those that wait are named.
    """
    earlier = {day for day in days if day < settings.start_date}
    if earlier:
        say_warning(
            f"{_waiting(earlier, files)}: partitions begin on {settings.start_date}; to take them "
            f"in set BRIDGE_CART_START_DATE={min(earlier)}"
        )
    later = {*days} - earlier
    if later:
        say_warning(
            f"{_waiting(later, files)}: that is later than today, so they wait until then; if the "
            "day in the name is wrong, rename the file"
        )


def _waiting(days: "set[date]", files: "Sequence[LandedFile]") -> str:
    """What waits of some days, with the names of the first files."""
    from bridge_cart_assets.transforms.masking import masked_path

    names = [masked_path(f"{f.source}/{f.object}") for f in files if f.batch_day in days]
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    what = f"{', '.join(names[:_MOST_NAMED])}{more}" if names else "messages"
    span = f"{min(days)}" if len(days) == 1 else f"{min(days)} to {max(days)}"
    return f"{what} of {span} not taken in"
