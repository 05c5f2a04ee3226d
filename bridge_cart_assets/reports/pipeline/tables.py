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
from bridge_cart_assets.reports.tables import (
    Column,
    Heading,
    Row,
    Sheet,
    count_column,
    day_column,
    sheet_of,
    text_column,
)

_FAILED, _WARNING, _PASSED, _OPEN = "is-failed", "is-warning", "is-passed", "is-open"
_AS_A_WHOLE = "the whole record"


def tables(stored: Sequence[StoredTable]) -> Sheet:
    """Every table of the lake."""
    column = Column[StoredTable]
    return sheet_of(
        "tables",
        "Tables",
        (
            column("table", "Table", lambda t: words(f"{t.layer}/{t.name}"), "text"),
            column("rows", "Rows", lambda t: count(t.rows, "nothing was ever written")),
            column(
                "version",
                "Version",
                lambda t: count(t.version, "nothing was ever written"),
                meaning="Version of the Delta table",
            ),
            column(
                "as_of",
                "As of",
                lambda t: day(t.as_of, "the table does not follow batch days"),
                "day",
                "Latest batch day that the table has seen",
            ),
            text_column("description", "What it has"),
        ),
        stored,
        dagster=lambda t: "" if t.layer == "ops" else _asset(t.layer, t.name),
    )


_CHECK_COLUMNS = (
    Heading("check", "Check", "text"),
    Heading("table", "Table", "text"),
    Heading("status", "Status", "text", "failed stops what is downstream, a warning does not"),
    Heading("says", "What it found", "text"),
    Heading("value", "Value"),
    Heading("bound", "Bound", "text"),
    Heading("days", "Days", "text", "The days that were looked at"),
    Heading("meaning", "What it asks", "text"),
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
    column = Column[RecordOutcomes]
    return sheet_of(
        "accounting",
        "What became of every record",
        (
            text_column("source", "Source"),
            count_column("records", "Records", "As many as raw has"),
            count_column("accepted", "Accepted", "They stand in silver now"),
            count_column("duplicate", "Duplicate", "Same content as the record that stands"),
            count_column("superseded", "Superseded", "Other content, older version"),
            count_column("quarantined", "Refused", "Each has a reason"),
            column(
                "quarantined_share",
                "Share refused",
                lambda f: percent(f.quarantined / f.records if f.records else None, "no records"),
            ),
            count_column("blank", "Blank", "Empty lines"),
            count_column("difference", "Difference", "Records minus all the others: 0"),
            day_column("first_day", "First day"),
            day_column("last_day", "Last day"),
        ),
        fates,
        dagster=lambda f: _asset("raw", f.source),
        empty="No record has come in yet." if is_there else NEXT_RUN,
    )


def refusals(found: Sequence[Refusal], is_there: bool) -> Sheet:
    """Refused records by reason, with what to do."""
    column = Column[Refusal]
    return sheet_of(
        "refusals",
        "Refused records",
        (
            text_column("reason", "Reason"),
            text_column("source", "Source"),
            column("column", "Column", lambda r: words(r.column or None, _AS_A_WHOLE), "text"),
            count_column("records", "Records"),
            day_column("last_seen", "Last seen", "Last batch day that has one"),
            column(
                "examples",
                "Such as",
                lambda r: words(" · ".join(r.examples) or None, "no value, or one of a person"),
                "text",
                "Letters are shown as a, digits as 9",
            ),
            column(
                "means", "What it means", lambda r: words(reasons.of_record(r.reason).means), "text"
            ),
            column(
                "remedy", "What to do", lambda r: words(reasons.of_record(r.reason).remedy), "text"
            ),
        ),
        found,
        empty="No record was refused." if is_there else NEXT_RUN,
    )


def files(landed: Sequence[FilesByState]) -> Sheet:
    """Landed files by source and state."""
    column = Column[FilesByState]
    return sheet_of(
        "files",
        "Landed files",
        (
            text_column("source", "Source"),
            text_column("state", "State"),
            count_column("files", "Files"),
            column(
                "records", "Records in them", lambda f: count(f.records, "they could not be read")
            ),
            day_column("latest_day", "Latest batch day"),
            column("seen_at", "Last looked at", lambda f: _moment(f.seen_at), "text"),
        ),
        landed,
        empty="No file has been landed yet.",
    )


def refused_files(found: Sequence[RefusedFile]) -> Sheet:
    """Files that could not be taken, with what to do."""
    column = Column[RefusedFile]
    return sheet_of(
        "refused-files",
        "Refused files",
        (
            text_column("object", "File"),
            text_column("source", "Source"),
            day_column("batch_day", "Batch day"),
            column("bytes", "Bytes", lambda f: count(f.size)),
            text_column("reason", "Reason"),
            text_column("detail", "What was found"),
            column(
                "means",
                "What it means",
                lambda f: words(reasons.of_file(f.reason or "").means),
                "text",
            ),
            column(
                "remedy",
                "What to do",
                lambda f: words(reasons.of_file(f.reason or "").remedy),
                "text",
            ),
        ),
        found,
        empty="Every file that was landed could be taken.",
    )


def other_columns(found: Sequence[OtherColumn]) -> Sheet:
    """Columns of files that are not those of their source."""
    column = Column[OtherColumn]
    meanings = {
        "unknown": "The source does not know it; its values are kept in _rescued.",
        "missing": "These files lack it: its value is null or the default.",
    }
    return sheet_of(
        "columns",
        "Columns that differ",
        (
            text_column("column", "Column"),
            text_column("source", "Source"),
            text_column("kind", "Kind"),
            count_column("files", "Files"),
            day_column("first_day", "First seen"),
            day_column("latest_day", "Last seen"),
            column("means", "What it means", lambda c: words(meanings.get(c.kind)), "text"),
        ),
        found,
        empty="Every file has exactly the columns of its source.",
    )


def topics(taken: Sequence[TopicPosition]) -> Sheet:
    """How far the Kafka topics have been taken."""
    column = Column[TopicPosition]
    return sheet_of(
        "topics",
        "Kafka topics",
        (
            text_column("topic", "Topic"),
            count_column("partition", "Partition"),
            text_column("source", "Source"),
            count_column("next_offset", "Next offset"),
            count_column("records", "Messages"),
            count_column("quarantined", "Unreadable"),
            day_column("latest_day", "Latest batch day"),
            column("seen_at", "Last taken", lambda t: _moment(t.seen_at), "text"),
        ),
        taken,
        empty="No message has been taken: records come as files.",
    )


def metrics(found: Sequence[ModelMetric]) -> Sheet:
    """How good the models in effect are."""
    column = Column[ModelMetric]
    return sheet_of(
        "models",
        "How good the models are",
        (
            text_column("metric", "Metric"),
            text_column("model", "Model"),
            column(
                "value", "Value", lambda m: _figure(m.value, "the metric could not be computed")
            ),
            column(
                "gate",
                "PageQuery",
                lambda m: words(m.gate, "nothing is asked of it"),
                "text",
                "What is asked of the metric",
            ),
            column(
                "passed",
                "Verdict",
                lambda m: words(_VERDICTS[m.passed][0], "nothing is asked of it"),
                "text",
            ),
            column("model_version", "Version", lambda m: words(str(m.model_version)), "text"),
            day_column("trained_as_of", "Trained on"),
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


def drift(found: Sequence[DistributionDrift]) -> Sheet:
    """How far the customers have moved since the segment model was trained."""
    column = Column[DistributionDrift]
    return sheet_of(
        "drift",
        "Have the customers changed?",
        (
            text_column("subject", "Distribution"),
            column(
                "psi",
                "Index",
                lambda d: decimals(d.psi, 3, "there is nothing to compare"),
                meaning="Population stability index against the training",
            ),
            column("bound", "Allowed", lambda d: decimals(d.bound, 3)),
            column(
                "has_drifted",
                "Verdict",
                lambda d: words("moved" if d.has_drifted else "as at the training"),
                "text",
            ),
            day_column("trained_as_of", "Trained on"),
            day_column("as_of", "Compared on"),
        ),
        found,
        colour=lambda d: _WARNING if d.has_drifted else _PASSED,
        dagster=lambda d: _asset("gold", "model_drift"),
        empty="No segment model to compare with yet.",
    )


def _asset(layer: str, name: str) -> str:
    """Where Dagster shows a table, below its own address."""
    return f"assets/{quote(layer, safe='')}/{quote(name, safe='')}"


def _moment(value: datetime | date) -> Cell:
    assert isinstance(value, datetime)  # noqa: S101 - DuckDB's answer to a timestamp
    return Cell(moment(value), moment(value), value.isoformat())
