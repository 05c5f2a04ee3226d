"""The state of the pipeline in sentences: pure functions from figures to words.

Belongs here: what a reader has to know before any table, and its wording. Does not belong here:
queries, or HTML. No sentence depends on the clock: a page is kept for as long as its catalogue is
the latest, and "an hour ago" would be wrong an hour later.
"""

from collections.abc import Collection, Sequence

from bridge_cart_assets.reports.formatting import grouped, listed, moment
from bridge_cart_assets.reports.freshness import Freshness
from bridge_cart_assets.reports.pipeline.queries import (
    CheckRow,
    FindingSum,
    GoldBuild,
    RecordOutcomes,
    RefusedFile,
)
from bridge_cart_assets.transforms.intake_findings import KINDS
from bridge_cart_assets.transforms.source_days import SourceDay, last_days_in_words

NEXT_RUN = "This catalogue was built by an older version: the next run brings it."


def last_run_sentence(fresh: Freshness, seconds: float | None) -> str:
    """When the run finished that built the catalogue, and how long it took."""
    if fresh.finished_at is None:
        return "The run that built this catalogue is not recorded."
    took = f" after {grouped(seconds, 1 if seconds < 100 else 0)} seconds" if seconds else ""
    return f"The last run built this catalogue on {moment(fresh.finished_at)}{took}."


def age_of_data(fresh: Freshness) -> str:
    """How far the data lag behind the run, in days."""
    if fresh.as_of is None:
        return "Silver has no batch day yet: land files and run."
    if fresh.run_day is None:
        return f"The data end on {fresh.as_of}."
    behind = (fresh.run_day - fresh.as_of).days
    if behind <= 0:
        return f"The data end on {fresh.as_of}, the day of that run."
    days = "one day" if behind == 1 else f"{grouped(behind)} days"
    return f"The data end on {fresh.as_of}, {days} before that run."


def sources_sentence(days: Collection[SourceDay]) -> str:
    """Up to when each source goes; '' when the catalogue does not say it."""
    return f"By source: {last_days_in_words(days)}." if days else ""


def builds_sentence(builds: Sequence[GoldBuild]) -> str:
    """How many tables of gold the last run brought up to date, and how; '' when it is unknown."""
    latest = [build for build in builds if build.is_latest]
    if not builds:
        return ""
    followed = sum(build.has_followed for build in latest)
    could_not = sum(build.why is not None for build in latest)
    parts = [
        (followed, f"{_number(followed)} followed the change"),
        (
            rest := len(latest) - followed - could_not,
            f"{_are(rest, 'is', 'are')} made in one pass each time",
        ),
        (could_not, f"{_number(could_not)} could not follow and {_was(could_not)} built whole"),
        (
            kept := len(builds) - len(latest),
            f"{_number(kept)} did not change",
        ),
    ]
    return f"Of {grouped(len(builds))} tables of gold {listed([w for n, w in parts if n])}."


def _was(number: int) -> str:
    return "was" if number == 1 else "were"


def verdict(checks: Sequence[CheckRow]) -> str:
    """How the checks came out."""
    failed = [check for check in checks if check.passed is False]
    blocking = sum(check.is_blocking for check in failed)
    warnings = len(failed) - blocking
    passed = sum(check.passed is True for check in checks)
    waiting = len(checks) - passed - len(failed)
    if not passed + len(failed):
        return "No check has been evaluated yet."
    parts = [
        (blocking, f"{_are(blocking, 'blocking one', 'blocking ones')} failed"),
        (warnings, f"{_number(warnings)} gave a warning"),
        (passed, f"{_number(passed)} passed"),
        (waiting, f"{_number(waiting)} {'was' if waiting == 1 else 'were'} never evaluated"),
    ]
    return f"Of {grouped(len(checks))} checks {listed([words for n, words in parts if n])}."


def balance_sentence(fates: Sequence[RecordOutcomes]) -> str:
    """Whether every record is accounted for, with the sums over all sources."""
    if not fates:
        return "No record has come in yet."
    missing = [(f.source, f.difference) for f in fates if f.difference]
    if missing:
        named = ", ".join(f"{source} ({grouped(difference)})" for source, difference in missing)
        return f"Records are not accounted for: {named}. This must not be; see the checks."
    records = sum(f.records for f in fates)
    parts = [
        (sum(f.accepted for f in fates), "stand in silver"),
        (sum(f.duplicate for f in fates), "repeat one that stands"),
        (sum(f.superseded for f in fates), "were overtaken by a newer version"),
        (sum(f.quarantined for f in fates), "were refused"),
        (sum(f.blank for f in fates), "were empty lines"),
    ]
    parts_in_words = listed([f"{grouped(n)} {words}" for n, words in parts if n])
    return f"Every one of {grouped(records)} records is accounted for: {parts_in_words}."


def findings_sentence(sums: Sequence[FindingSum]) -> str:
    """How much of the latest files silver has otherwise than they say; '' when nothing."""
    if not sums:
        return ""
    by_kind = {found.kind: found for found in sums}
    parts = []
    for kind, words in KINDS.items():
        if (found := by_kind.get(kind)) is not None:
            noun = "record was" if found.records == 1 else "records were"
            had = words.replace("with a value that could", "kept with a value that could")
            amount = "" if found.amount is None else f" ({grouped(found.amount, 2)})"
            parts.append(f"{grouped(found.records)} {noun} {had}{amount}")
    return f"Of the files of the latest batch days, {listed(parts)}."


def refused_sentence(files: Sequence[RefusedFile], most: int) -> str:
    """How many files could not be taken; '' when all could."""
    if not files:
        return ""
    so_many = f"{grouped(most)} or more files were" if len(files) >= most else ""
    were = so_many or _are(len(files), "file was", "files were")
    return f"{_sentence(were)} refused as a whole; see below for what to do."


def _are(number: int, one: str, many: str) -> str:
    return f"{_number(number)} {one if number == 1 else many}"


def _number(number: int) -> str:
    return "one" if number == 1 else grouped(number)


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:]
