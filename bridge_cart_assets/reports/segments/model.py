"""The model behind the segments, and how to look up a day of the past.

Belongs here: versions, drift and the question in SQL. Does not belong here: the segments
themselves (see `profiles`).
"""

from collections.abc import Sequence
from datetime import date

from bridge_cart_assets.reports.formatting import count, day, decimals, grouped, words
from bridge_cart_assets.reports.segments.queries import ModelVersion, SegmentDrift
from bridge_cart_assets.reports.tables import Column, Row, Sheet
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
    because = _BECAUSE.get(latest.trained_because, latest.trained_because)
    gate = ""
    if latest.gate is not None and latest.passed is not None:
        verdict = "it is" if latest.passed else "it is not"
        gate = f" Its stability has to be {_gate(latest.gate)}: {verdict}."
    return (
        f"Version {latest.model_version}, trained as of {latest.trained_as_of} on "
        f"{grouped(latest.trained_on)} customers because {because}.{gate}"
    )


def _gate(gate: str) -> str:
    return gate.replace(">=", "at least").replace("<=", "at most")


def versions_sheet(versions: Sequence[ModelVersion]) -> Sheet:
    """The latest versions of the model, the latest first."""
    meaning = SEGMENT_MODEL.meaning
    return Sheet(
        name="model",
        title="The model behind the segments",
        columns=(
            Column("model_version", "Version", meaning=meaning("model_version")),
            Column("trained_as_of", "Trained as of", "day", meaning("trained_as_of")),
            Column("trained_because", "Because", "text", meaning("trained_because")),
            Column("trained_on", "Customers", meaning=meaning("trained_on")),
            Column("segments", "Segments"),
            Column("stability", "Stability", meaning=meaning("stability")),
            Column("silhouette", "Silhouette", meaning=meaning("silhouette")),
        ),
        rows=tuple(
            Row(
                (
                    count(version.model_version),
                    day(version.trained_as_of),
                    words(_BECAUSE.get(version.trained_because, version.trained_because)),
                    count(version.trained_on),
                    count(version.segments),
                    decimals(version.stability, 3, _NOT_MEASURED),
                    decimals(version.silhouette, 3, _NOT_MEASURED),
                )
            )
            for version in versions
        ),
        empty="No segment model yet: it needs a shop with some customers and a run.",
    )


def drift_sheet(drift: Sequence[SegmentDrift]) -> Sheet:
    """How far each distribution has moved since the training."""
    meaning = MODEL_DRIFT.meaning
    return Sheet(
        name="drift",
        title=_drift_headline(drift),
        columns=(
            Column("subject", "What is watched", "text", meaning("subject")),
            Column("psi", "Moved by (PSI)", meaning=meaning("psi")),
            Column("bound", "Bound", meaning=meaning("bound")),
            Column("verdict", "Verdict", "text", meaning("has_drifted")),
        ),
        rows=tuple(
            Row(
                (
                    words(_SUBJECTS.get(of.subject, of.subject)),
                    decimals(of.psi, 3, "there is nothing to compare"),
                    decimals(of.bound, 3),
                    words("has drifted" if of.has_drifted else "within the bound"),
                )
            )
            for of in drift
        ),
        empty="Drift is measured as soon as there is a segment model.",
    )


def _drift_headline(drift: Sequence[SegmentDrift]) -> str:
    if not drift:
        return "Drift since the training"
    drifted = sum(of.has_drifted for of in drift)
    if not drifted:
        return "The customers are as they were at the training"
    return f"{grouped(drifted)} of {grouped(len(drift))} distributions have drifted"


def time_travel_sql(customer_id: str, on: date) -> str:
    """The question in which segment a customer was on a day; one row, or none before a sale."""
    quoted = customer_id.replace("'", "''")
    return (
        "SELECT segment_name, lifecycle, valid_from, valid_to\n"
        "FROM gold.customer_history\n"
        f"WHERE customer_id = '{quoted}'\n"
        f"  AND valid_from <= DATE '{on}' AND (valid_to IS NULL OR valid_to > DATE '{on}');"
    )
