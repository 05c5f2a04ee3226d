"""The tables of the page, from the answers of the catalogue to sheets.

Belongs here: columns, wording of cells, links into Dagster. Does not belong here: SQL (see
`queries`), what codes mean (see `reasons`), or HTML.
"""

from collections.abc import Sequence
from datetime import date, datetime
from urllib.parse import quote

from bridge_cart_assets.reports.formatting import (
    Cell,
    count,
    day,
    decimals,
    moment,
    nothing,
    percent,
    words,
)
from bridge_cart_assets.reports.pipeline import reasons
from bridge_cart_assets.reports.pipeline.queries import (
    CheckRow,
    DistributionDrift,
    FilesByState,
    ModelMetric,
    OtherColumn,
    RecordOutcomes,
    Refusal,
    RefusedFile,
    StoredTable,
    TopicPosition,
)
from bridge_cart_assets.reports.pipeline.sentences import NEXT_RUN
from bridge_cart_assets.reports.tables import Column, Row, Sheet

_FAILED, _WARNING, _PASSED, _OPEN = "is-failed", "is-warning", "is-passed", "is-open"
_AS_A_WHOLE = "the whole record"


def tables(stored: Sequence[StoredTable]) -> Sheet:
    """Every table of the lake."""
    return Sheet(
        name="tables",
        title="Tables",
        columns=(
            Column("table", "Table", "text"),
            Column("rows", "Rows"),
            Column("version", "Version", meaning="Version of the Delta table"),
            Column("as_of", "As of", "day", "Latest batch day that the table has seen"),
            Column("description", "What it has", "text"),
        ),
        rows=tuple(
            Row(
                (
                    words(f"{t.layer}/{t.name}"),
                    count(t.rows, "nothing was ever written"),
                    count(t.version, "nothing was ever written"),
                    day(t.as_of, "the table does not follow batch days"),
                    words(t.description),
                ),
                dagster="" if t.layer == "ops" else _asset(t.layer, t.name),
            )
            for t in stored
        ),
    )


_CHECK_COLUMNS = (
    Column("check", "Check", "text"),
    Column("table", "Table", "text"),
    Column("status", "Status", "text", "failed stops what is downstream, a warning does not"),
    Column("says", "What it found", "text"),
    Column("value", "Value"),
    Column("bound", "Bound", "text"),
    Column("days", "Days", "text", "The days that were looked at"),
    Column("meaning", "What it asks", "text"),
)


def alerts(checks: Sequence[CheckRow], is_there: bool) -> Sheet:
    """The checks that failed, blocking ones first."""
    failed = [check for check in checks if check.passed is False]
    none = "Every check that was evaluated passed." if is_there else NEXT_RUN
    return Sheet(
        "alerts", "What the checks found", _CHECK_COLUMNS, tuple(map(_check, failed)), empty=none
    )


def all_checks(checks: Sequence[CheckRow]) -> Sheet:
    """Every check with its latest verdict."""
    return Sheet("checks", "All checks", _CHECK_COLUMNS, tuple(map(_check, checks)), empty=NEXT_RUN)


def _check(check: CheckRow) -> Row:
    if check.passed is None:
        status, colour = "not evaluated yet", _OPEN
    elif check.passed:
        status, colour = "passed", _PASSED
    else:
        failed = ("failed", _FAILED) if check.is_blocking else ("warning", _WARNING)
        status, colour = failed
    never = "the check was never evaluated"
    return Row(
        (
            words(check.check_name),
            words(f"{check.layer}/{check.name}"),
            words(status),
            words(check.says, never),
            _figure(check.value, "the check has no single figure"),
            _bound(check),
            _span(check),
            words(check.meaning),
        ),
        colour=colour,
        dagster=f"{_asset(check.layer, check.name)}?view=checks&checkDetail="
        f"{quote(check.check_name, safe='')}",
    )


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
        name="accounting",
        title="What became of every record",
        columns=(
            Column("source", "Source", "text"),
            Column("records", "Records", meaning="As many as raw has"),
            Column("accepted", "Accepted", meaning="They stand in silver now"),
            Column("duplicate", "Duplicate", meaning="Same content as the record that stands"),
            Column("superseded", "Superseded", meaning="Other content, older version"),
            Column("quarantined", "Refused", meaning="Each has a reason"),
            Column("quarantined_share", "Share refused"),
            Column("blank", "Blank", meaning="Empty lines"),
            Column("difference", "Difference", meaning="Records minus all the others: 0"),
            Column("first_day", "First day", "day"),
            Column("last_day", "Last day", "day"),
        ),
        rows=tuple(
            Row(
                (
                    words(f.source),
                    count(f.records),
                    count(f.accepted),
                    count(f.duplicate),
                    count(f.superseded),
                    count(f.quarantined),
                    percent(f.quarantined / f.records if f.records else None, "no records"),
                    count(f.blank),
                    count(f.difference),
                    day(f.first_day),
                    day(f.last_day),
                ),
                dagster=_asset("raw", f.source),
            )
            for f in fates
        ),
        empty="No record has come in yet." if is_there else NEXT_RUN,
    )


def refusals(found: Sequence[Refusal], is_there: bool) -> Sheet:
    """Refused records by reason, with what to do."""
    return Sheet(
        name="refusals",
        title="Refused records",
        columns=(
            Column("reason", "Reason", "text"),
            Column("source", "Source", "text"),
            Column("column", "Column", "text"),
            Column("records", "Records"),
            Column("last_seen", "Last seen", "day", "Last batch day that has one"),
            Column("examples", "Such as", "text", "Letters are shown as a, digits as 9"),
            Column("means", "What it means", "text"),
            Column("remedy", "What to do", "text"),
        ),
        rows=tuple(
            Row(
                (
                    words(r.reason),
                    words(r.source),
                    words(r.column or None, _AS_A_WHOLE),
                    count(r.records),
                    day(r.last_seen),
                    words(" · ".join(r.examples) or None, "no value, or one of a person"),
                    words(reasons.of_record(r.reason).means),
                    words(reasons.of_record(r.reason).remedy),
                )
            )
            for r in found
        ),
        empty="No record was refused." if is_there else NEXT_RUN,
    )


def files(landed: Sequence[FilesByState]) -> Sheet:
    """Landed files by source and state."""
    return Sheet(
        name="files",
        title="Landed files",
        columns=(
            Column("source", "Source", "text"),
            Column("state", "State", "text"),
            Column("files", "Files"),
            Column("records", "Records in them"),
            Column("latest_day", "Latest batch day", "day"),
            Column("seen_at", "Last looked at", "text"),
        ),
        rows=tuple(
            Row(
                (
                    words(f.source),
                    words(f.state),
                    count(f.files),
                    count(f.records, "they could not be read"),
                    day(f.latest_day),
                    _moment(f.seen_at),
                )
            )
            for f in landed
        ),
        empty="No file has been landed yet.",
    )


def refused_files(found: Sequence[RefusedFile]) -> Sheet:
    """Files that could not be taken, with what to do."""
    return Sheet(
        name="refused-files",
        title="Refused files",
        columns=(
            Column("object", "File", "text"),
            Column("source", "Source", "text"),
            Column("batch_day", "Batch day", "day"),
            Column("bytes", "Bytes"),
            Column("reason", "Reason", "text"),
            Column("detail", "What was found", "text"),
            Column("means", "What it means", "text"),
            Column("remedy", "What to do", "text"),
        ),
        rows=tuple(
            Row(
                (
                    words(f.object),
                    words(f.source),
                    day(f.batch_day),
                    count(f.size),
                    words(f.reason),
                    words(f.detail),
                    words(reasons.of_file(f.reason or "").means),
                    words(reasons.of_file(f.reason or "").remedy),
                )
            )
            for f in found
        ),
        empty="Every file that was landed could be taken.",
    )


def other_columns(found: Sequence[OtherColumn]) -> Sheet:
    """Columns of files that are not those of their source."""
    meanings = {
        "unknown": "The source does not know it; its values are kept in _rescued.",
        "missing": "These files lack it: its value is null or the default.",
    }
    return Sheet(
        name="columns",
        title="Columns that differ",
        columns=(
            Column("column", "Column", "text"),
            Column("source", "Source", "text"),
            Column("kind", "Kind", "text"),
            Column("files", "Files"),
            Column("first_day", "First seen", "day"),
            Column("latest_day", "Last seen", "day"),
            Column("means", "What it means", "text"),
        ),
        rows=tuple(
            Row(
                (
                    words(c.column),
                    words(c.source),
                    words(c.kind),
                    count(c.files),
                    day(c.first_day),
                    day(c.latest_day),
                    words(meanings.get(c.kind)),
                )
            )
            for c in found
        ),
        empty="Every file has exactly the columns of its source.",
    )


def topics(taken: Sequence[TopicPosition]) -> Sheet:
    """How far the Kafka topics have been taken."""
    return Sheet(
        name="topics",
        title="Kafka topics",
        columns=(
            Column("topic", "Topic", "text"),
            Column("partition", "Partition"),
            Column("source", "Source", "text"),
            Column("next_offset", "Next offset"),
            Column("records", "Messages"),
            Column("quarantined", "Unreadable"),
            Column("latest_day", "Latest batch day", "day"),
            Column("seen_at", "Last taken", "text"),
        ),
        rows=tuple(
            Row(
                (
                    words(t.topic),
                    count(t.partition),
                    words(t.source),
                    count(t.next_offset),
                    count(t.records),
                    count(t.quarantined),
                    day(t.latest_day),
                    _moment(t.seen_at),
                )
            )
            for t in taken
        ),
        empty="No message has been taken: records come as files.",
    )


def metrics(found: Sequence[ModelMetric]) -> Sheet:
    """How good the models in effect are."""
    return Sheet(
        name="models",
        title="How good the models are",
        columns=(
            Column("metric", "Metric", "text"),
            Column("model", "Model", "text"),
            Column("value", "Value"),
            Column("gate", "PageQuery", "text", "What is asked of the metric"),
            Column("passed", "Verdict", "text"),
            Column("model_version", "Version", "text"),
            Column("trained_as_of", "Trained on", "day"),
        ),
        rows=tuple(
            Row(
                (
                    words(m.metric),
                    words(m.model),
                    _figure(m.value, "the metric could not be computed"),
                    words(m.gate, "nothing is asked of it"),
                    words(_VERDICTS[m.passed][0], "nothing is asked of it"),
                    words(str(m.model_version)),
                    day(m.trained_as_of),
                ),
                colour=_VERDICTS[m.passed][1],
                dagster=_asset("gold", "model_metrics"),
            )
            for m in found
        ),
        empty="No model has been judged yet.",
    )


_VERDICTS = {
    True: ("passed", _PASSED),
    False: ("missed", _WARNING),
    None: (None, _OPEN),
}


def drift(found: Sequence[DistributionDrift]) -> Sheet:
    """How far the customers have moved since the segment model was trained."""
    return Sheet(
        name="drift",
        title="Have the customers changed?",
        columns=(
            Column("subject", "Distribution", "text"),
            Column("psi", "Index", meaning="Population stability index against the training"),
            Column("bound", "Allowed"),
            Column("has_drifted", "Verdict", "text"),
            Column("trained_as_of", "Trained on", "day"),
            Column("as_of", "Compared on", "day"),
        ),
        rows=tuple(
            Row(
                (
                    words(d.subject),
                    decimals(d.psi, 3, "there is nothing to compare"),
                    decimals(d.bound, 3),
                    words("moved" if d.has_drifted else "as at the training"),
                    day(d.trained_as_of),
                    day(d.as_of),
                ),
                colour=_WARNING if d.has_drifted else _PASSED,
                dagster=_asset("gold", "model_drift"),
            )
            for d in found
        ),
        empty="No segment model to compare with yet.",
    )


def _asset(layer: str, name: str) -> str:
    """Where Dagster shows a table, below its own address."""
    return f"assets/{quote(layer, safe='')}/{quote(name, safe='')}"


def _moment(value: datetime | date) -> Cell:
    assert isinstance(value, datetime)  # noqa: S101 - DuckDB's answer to a timestamp
    return Cell(moment(value), moment(value), value.isoformat())
