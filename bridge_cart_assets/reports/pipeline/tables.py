"""The tables of the page, from the answers of the catalogue to sheets.

Belongs here: columns, wording of cells, links into Dagster. Does not belong here: SQL (see
`queries`), what codes mean (see `reasons`), or HTML.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from bridge_cart_assets.reports.formatting import (
    Cell,
    count,
    day,
    decimals,
    moment,
    money,
    nothing,
    percent,
    three_decimals,
    words,
)
from bridge_cart_assets.reports.pipeline import reasons
from bridge_cart_assets.reports.pipeline.queries import (
    CheckRow,
    FilesByState,
    FindingRow,
    GoldBuild,
    ModelMetric,
    OtherColumn,
    RecordOutcomes,
    Refusal,
    RefusedFile,
    StoredTable,
    TopicPosition,
)
from bridge_cart_assets.reports.pipeline.sentences import NEXT_RUN
from bridge_cart_assets.reports.segments.queries import SegmentDrift
from bridge_cart_assets.reports.tables import Column, Sheet, column
from bridge_cart_assets.tables.meta import GOLD_BUILDS, INTAKE_FINDINGS
from bridge_cart_assets.transforms.intake_findings import KINDS
from bridge_cart_assets.transforms.masking import masked_path

_FAILED, _WARNING, _PASSED, _OPEN = "is-failed", "is-warning", "is-passed", "is-open"
_AS_A_WHOLE = "the whole record"


def tables(stored: Sequence[StoredTable]) -> Sheet:
    """Every table of the lake."""
    never = "nothing was ever written"
    return Sheet(
        "tables",
        "Tables",
        (
            column("table", "Table", words, of=lambda t: f"{t.layer}/{t.name}"),
            column("rows", "Rows", count, missing=never),
            column("version", "Version", count, "Version of the Delta table", never),
            column(
                "as_of",
                "As of",
                day,
                "Latest batch day that the table has seen",
                "the table does not follow batch days",
            ),
            column("description", "What it has", words),
        ),
        stored,
        dagster=lambda t: "" if t.layer == "ops" else _asset(t.layer, t.name),
    )


def gold_builds(builds: Sequence[GoldBuild], is_there: bool) -> Sheet:
    """How the tables of gold were built."""
    return Sheet(
        "gold-builds",
        "How gold was built",
        (
            column("name", "Table", words, GOLD_BUILDS),
            column("mode", "Mode", words, GOLD_BUILDS),
            Column[GoldBuild]("why", "Why", _why, "text", GOLD_BUILDS.meaning("why")),
            column("rows_changed", "Rows written", count, GOLD_BUILDS),
            column("seconds", "Seconds", three_decimals, GOLD_BUILDS),
            Column[GoldBuild]("built_at", "Built", lambda b: _moment(b.built_at), "text"),
            column(
                "is_latest",
                "In the last run",
                words,
                "Without a change of its rows a table keeps the commit that it has",
                of=lambda b: "yes" if b.is_latest else "no change since",
            ),
        ),
        builds,
        colour=lambda b: _WARNING if b.why else _PASSED,
        dagster=lambda b: _asset("gold", b.name),
        empty="No table of gold has been built yet." if is_there else NEXT_RUN,
    )


def _why(build: GoldBuild) -> Cell:
    if build.why is not None:
        return words(build.why)
    if build.has_followed:
        return nothing("it followed the change")
    return words("made in one pass each time")


def alerts(checks: Sequence[CheckRow], is_there: bool) -> Sheet:
    """The checks that failed, blocking ones first."""
    failed = [check for check in checks if check.passed is False]
    none = "Every check that was evaluated passed." if is_there else NEXT_RUN
    return _checks("alerts", "What the checks found", failed, none)


def all_checks(checks: Sequence[CheckRow]) -> Sheet:
    """Every check with its latest verdict."""
    return _checks("checks", "All checks", checks, NEXT_RUN, ("value", "bound", "days"))


def _checks(
    name: str,
    title: str,
    checks: Sequence[CheckRow],
    empty: str,
    only_in_csv: Sequence[str] = (),
) -> Sheet:
    stops = "failed stops what is downstream, a warning does not"
    return Sheet(
        name,
        title,
        (
            column("check", "Check", words, of="check_name"),
            column("table", "Table", words, of=lambda c: f"{c.layer}/{c.name}"),
            column("status", "Status", words, stops, of=lambda c: _status(c)[0]),
            column("says", "What it found", words, missing="the check was never evaluated"),
            column("value", "Value", _figure, missing="the check has no single figure"),
            Column[CheckRow]("bound", "Bound", _bound, "text"),
            Column[CheckRow]("days", "Days", _span, "text", "The days that were looked at"),
            column("meaning", "What it asks", words),
        ),
        checks,
        colour=lambda c: _status(c)[1],
        dagster=lambda c: (
            f"{_asset(c.layer, c.name)}?view=checks&checkDetail={quote(c.check_name, safe='')}"
        ),
        empty=empty,
        only_in_csv=only_in_csv,
    )


def _status(check: CheckRow) -> tuple[str, str]:
    """The state of a check in a word, and its colour."""
    if check.passed is None:
        return "not evaluated yet", _OPEN
    if check.passed:
        return "passed", _PASSED
    return ("failed", _FAILED) if check.is_blocking else ("warning", _WARNING)


def _figure(value: float | None, why: str) -> Cell:
    """A figure of a check, whatever it counts: whole when it is, else four decimals at most."""
    if value is None:
        return nothing(why)
    if value == int(value):
        return Cell(count(int(value)).text, count(int(value)).title, str(int(value)))
    shown = decimals(value, 2 if abs(value) >= 10 else 4)
    return Cell(shown.text.rstrip("0").rstrip("."), shown.title, shown.value)


def _bound(check: CheckRow) -> Cell:
    none = "the check compares with no single figure"
    if check.bound is not None:
        return _figure(check.bound, none)
    low, high = _figure(check.lower_bound, none), _figure(check.upper_bound, none)
    if check.lower_bound is None and check.upper_bound is None:
        return nothing(none)
    if check.upper_bound is None:
        return words(f"at least {low.text}")
    if check.lower_bound is None:
        return words(f"at most {high.text}")
    return words(f"{low.text} to {high.text}")


def _span(check: CheckRow) -> Cell:
    if check.first_day is None and check.last_day is None:
        covers = check.covers and check.covers.removeprefix("batch days ")
        return words(covers, "the check was never evaluated")
    if check.first_day is None or check.last_day in (None, check.first_day):
        return words(f"{check.first_day or check.last_day}")
    return words(f"{check.first_day} to {check.last_day}")


def accounting(fates: Sequence[RecordOutcomes], is_there: bool) -> Sheet:
    """What became of the records, by source."""
    return Sheet(
        "accounting",
        "What became of every record",
        (
            column("source", "Source", words),
            column("records", "Records", count, "As many as raw has"),
            column("accepted", "Accepted", count, "They stand in silver now"),
            column("duplicate", "Duplicate", count, "Same content as the record that stands"),
            column("superseded", "Superseded", count, "Other content, older version"),
            column("quarantined", "Refused", count, "Each has a reason"),
            Column[RecordOutcomes](
                "quarantined_share",
                "Share refused",
                lambda f: percent(f.quarantined / f.records if f.records else None, "no records"),
            ),
            column("blank", "Blank", count, "Empty lines"),
            column("difference", "Difference", count, "Records minus all the others: 0"),
            column("first_day", "First day", day),
            column("last_day", "Last day", day),
        ),
        fates,
        dagster=lambda f: _asset("raw", f.source),
        empty="No record has come in yet." if is_there else NEXT_RUN,
    )


def refusals(found: Sequence[Refusal], is_there: bool) -> Sheet:
    """Refused records by reason, with what to do."""
    return Sheet(
        "refusals",
        "Refused records",
        (
            column("reason", "Reason", words),
            column("source", "Source", words),
            column("column", "Column", words, "", _AS_A_WHOLE, of=lambda r: r.column or None),
            column("records", "Records", count),
            column("last_seen", "Last seen", day, "Last batch day that has one"),
            column(
                "examples",
                "Such as",
                words,
                "Letters are shown as a, digits as 9",
                "no value, or one of a person",
                of=lambda r: " · ".join(r.examples) or None,
            ),
            *_reason_columns(reasons.of_record),
        ),
        found,
        empty="No record was refused." if is_there else NEXT_RUN,
    )


def findings(found: Sequence[FindingRow], is_there: bool) -> Sheet:
    """What of the files is not in silver as they say, with what to do."""
    none = "The files of these days are in silver as they say."
    return Sheet(
        "findings",
        "Findings by file",
        (
            column("object", "File", words, of=lambda f: masked_path(f.object)),
            column("source", "Source", words),
            column("batch_day", "Batch day", day),
            column("kind", "What became of it", words, of=lambda f: KINDS[f.kind]),
            column(
                "subject",
                "Reason or column",
                words,
                "",
                _AS_A_WHOLE,
                of=lambda f: f.subject or None,
            ),
            column("records", "Records", count, INTAKE_FINDINGS),
            column("of_records", "Of", count, INTAKE_FINDINGS),
            column("amount", "Amount", money, INTAKE_FINDINGS, "no amount could be read"),
            column(
                "means",
                "What it means",
                words,
                of=lambda f: reasons.of_finding(f.kind, f.subject).means,
            ),
            column(
                "remedy",
                "What to do",
                words,
                of=lambda f: reasons.of_finding(f.kind, f.subject).remedy,
            ),
        ),
        found,
        colour=lambda f: _FAILED if f.is_whole_file else _WARNING,
        empty=none if is_there else NEXT_RUN,
    )


def files(landed: Sequence[FilesByState]) -> Sheet:
    """Landed files by source and state."""
    return Sheet(
        "files",
        "Landed files",
        (
            column("source", "Source", words),
            column("state", "State", words),
            column("files", "Files", count),
            column("records", "Records in them", count, missing="they could not be read"),
            column("latest_day", "Latest batch day", day),
            Column[FilesByState]("seen_at", "Last looked at", lambda f: _moment(f.seen_at), "text"),
        ),
        landed,
        empty="No file has been landed yet.",
    )


def _reason_columns(reason_of: Callable[[str], reasons.Reason]) -> tuple[Column[Any], ...]:
    """What the reason of a refusal means, and what to do about it."""
    return (
        column("means", "What it means", words, of=lambda r: reason_of(r.reason or "").means),
        column("remedy", "What to do", words, of=lambda r: reason_of(r.reason or "").remedy),
    )


def refused_files(found: Sequence[RefusedFile]) -> Sheet:
    """Files that could not be taken, with what to do."""
    return Sheet(
        "refused-files",
        "Refused files",
        (
            column("object", "File", words, of=lambda f: masked_path(f.object)),
            column("source", "Source", words),
            column("batch_day", "Batch day", day),
            column("bytes", "Bytes", count, of="size"),
            column("reason", "Reason", words),
            column("detail", "What was found", words),
            *_reason_columns(reasons.of_file),
        ),
        found,
        empty="Every file that was landed could be taken.",
    )


def other_columns(found: Sequence[OtherColumn]) -> Sheet:
    """Columns of files that are not those of their source."""
    meanings = {
        "unknown": "The source does not know it; its values are kept in _rescued.",
        "missing": "These files lack it: its value is null or the default.",
    }
    return Sheet(
        "columns",
        "Columns that differ",
        (
            column("column", "Column", words),
            column("source", "Source", words),
            column("kind", "Kind", words),
            column("files", "Files", count),
            column("first_day", "First seen", day),
            column("latest_day", "Last seen", day),
            column("means", "What it means", words, of=lambda c: meanings.get(c.kind)),
        ),
        found,
        empty="Every file has exactly the columns of its source.",
    )


def topics(taken: Sequence[TopicPosition]) -> Sheet:
    """How far the Kafka topics have been taken."""
    return Sheet(
        "topics",
        "Kafka topics",
        (
            column("topic", "Topic", words),
            column("partition", "Partition", count),
            column("source", "Source", words),
            column("next_offset", "Next offset", count),
            column("records", "Messages", count),
            column("quarantined", "Unreadable", count),
            column("latest_day", "Latest batch day", day),
            Column[TopicPosition]("seen_at", "Last taken", lambda t: _moment(t.seen_at), "text"),
        ),
        taken,
        empty="No message has been taken: records come as files.",
    )


def metrics(found: Sequence[ModelMetric]) -> Sheet:
    """How good the models in effect are."""
    unasked = "nothing is asked of it"
    return Sheet(
        "models",
        "How good the models are",
        (
            column("metric", "Metric", words),
            column("model", "Model", words),
            column("value", "Value", _figure, missing="the metric could not be computed"),
            column("gate", "Asked", words, "What is asked of the metric", unasked),
            column("passed", "Verdict", words, "", unasked, of=lambda m: _VERDICTS[m.passed][0]),
            column("model_version", "Version", words, of=lambda m: str(m.model_version)),
            column("trained_as_of", "Trained on", day),
        ),
        found,
        colour=lambda m: _VERDICTS[m.passed][1],
        dagster=lambda m: _asset("gold", "model_metrics"),
        empty="No model has been judged yet.",
    )


_VERDICTS = {
    True: ("passed", _PASSED),
    False: ("missed", _WARNING),
    None: (None, _OPEN),
}


def drift(found: Sequence[SegmentDrift]) -> Sheet:
    """How far the customers have moved since the segment model was trained."""
    return Sheet(
        "drift",
        "Have the customers changed?",
        (
            column("subject", "Distribution", words),
            column(
                "psi",
                "Index",
                three_decimals,
                "Population stability index against the training",
                "there is nothing to compare",
            ),
            column("bound", "Allowed", three_decimals),
            column(
                "has_drifted",
                "Verdict",
                words,
                of=lambda d: "moved" if d.has_drifted else "as at the training",
            ),
            column("trained_as_of", "Trained on", day),
            column("as_of", "Compared on", day),
        ),
        found,
        colour=lambda d: _WARNING if d.has_drifted else _PASSED,
        dagster=lambda d: _asset("gold", "model_drift"),
        empty="No segment model to compare with yet.",
    )


def _asset(layer: str, name: str) -> str:
    """Where Dagster shows a table, below its own address."""
    return f"assets/{quote(layer, safe='')}/{quote(name, safe='')}"


def _moment(value: datetime) -> Cell:
    return Cell(moment(value), moment(value), value.isoformat())
