"""The model behind the segments, and how to look up a day of the past.

Belongs here: versions, drift and the question in SQL. Does not belong here: the segments
themselves (see `profiles`).
"""

from collections.abc import Sequence
from datetime import date

from bridge_cart_assets.lake.fence import literal
from bridge_cart_assets.reports.formatting import count, day, grouped, three_decimals, words
from bridge_cart_assets.reports.segments.queries import ModelVersion, SegmentDrift
from bridge_cart_assets.reports.tables import Sheet, column
from bridge_cart_assets.tables.gold import MODEL_DRIFT, SEGMENT_MODEL

_BECAUSE = {
    "first": "there was none before",
    "asked": "it was asked for",
    "age": "the one before had grown old",
    "drift": "the customers had changed",
}
_NOT_MEASURED = "too few customers to measure it"
_SUBJECTS = {
    "recency_days": "Days since the last sale",
    "frequency": "Repeat purchases",
    "revenue": "Revenue",
    "coupon_habit": "Coupon habit",
    "segment_shares": "Sizes of the segments",
}


def model_sentence(versions: Sequence[ModelVersion]) -> str:
    """Which model is in use and why; '' before there is one."""
    if not versions:
        return ""
    latest = versions[0]
    gate = ""
    if latest.gate is not None and latest.passed is not None:
        verdict = "it is" if latest.passed else "it is not"
        gate = f" Its stability has to be {_gate(latest.gate)}: {verdict}."
    return (
        f"Version {latest.model_version}, trained as of {latest.trained_as_of} on "
        f"{grouped(latest.trained_on)} customers because {_because(latest)}.{gate}"
    )


def _because(version: ModelVersion) -> str:
    return _BECAUSE.get(version.trained_because, version.trained_because)


def _gate(gate: str) -> str:
    return gate.replace(">=", "at least").replace("<=", "at most")


def versions_sheet(versions: Sequence[ModelVersion]) -> Sheet:
    """The latest versions of the model, the latest first."""
    return Sheet(
        "model",
        "The model behind the segments",
        (
            column("model_version", "Version", count, SEGMENT_MODEL),
            column("trained_as_of", "Trained as of", day, SEGMENT_MODEL),
            column("trained_because", "Because", words, SEGMENT_MODEL, of=_because),
            column("trained_on", "Customers", count, SEGMENT_MODEL),
            column("segments", "Segments", count),
            column("stability", "Stability", three_decimals, SEGMENT_MODEL, _NOT_MEASURED),
            column("silhouette", "Silhouette", three_decimals, SEGMENT_MODEL, _NOT_MEASURED),
        ),
        versions,
        empty="No segment model yet: it needs a shop with some customers and a run.",
    )


def drift_sheet(drift: Sequence[SegmentDrift]) -> Sheet:
    """How far each distribution has moved since the training."""
    missing = "there is nothing to compare"
    return Sheet(
        "drift",
        _drift_headline(drift),
        (
            column("subject", "What is watched", words, MODEL_DRIFT, of=_subject),
            column("psi", "Moved by (PSI)", three_decimals, MODEL_DRIFT, missing),
            column("bound", "Bound", three_decimals, MODEL_DRIFT),
            column("verdict", "Verdict", words, MODEL_DRIFT.meaning("has_drifted"), of=_verdict),
        ),
        drift,
        empty="Drift is measured as soon as there is a segment model.",
    )


def _subject(drift: SegmentDrift) -> str:
    return _SUBJECTS.get(drift.subject, drift.subject)


def _verdict(drift: SegmentDrift) -> str:
    return "has drifted" if drift.has_drifted else "within the bound"


def _drift_headline(drift: Sequence[SegmentDrift]) -> str:
    if not drift:
        return "Drift since the training"
    drifted = sum(of.has_drifted for of in drift)
    if not drifted:
        return "The customers are as they were at the training"
    return f"{grouped(drifted)} of {grouped(len(drift))} distributions have drifted"


def time_travel_sql(customer_id: str, on: date) -> str:
    """The question in which segment a customer was on a day; one row, or none before a sale."""
    return (
        "SELECT segment_name, lifecycle, valid_from, valid_to\n"
        "FROM gold.customer_history\n"
        f"WHERE customer_id = {literal(customer_id)}\n"
        f"  AND valid_from <= DATE '{on}' AND (valid_to IS NULL OR valid_to > DATE '{on}');"
    )
