"""The model behind the segments, and how to look up a day of the past.

Belongs here: versions, drift and the question in SQL. Does not belong here: the segments
themselves (see `profiles`).
"""

from collections.abc import Sequence
from datetime import date

from bridge_cart_assets.reports.formatting import decimals, grouped, words
from bridge_cart_assets.reports.segments.queries import ModelVersion, SegmentDrift
from bridge_cart_assets.reports.tables import Column, Sheet, count_column, day_column, sheet_of
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
    column = Column[ModelVersion]
    meaning = SEGMENT_MODEL.meaning
    return sheet_of(
        "model",
        "The model behind the segments",
        (
            count_column("model_version", "Version", meaning("model_version")),
            day_column("trained_as_of", "Trained as of", meaning("trained_as_of")),
            column(
                "trained_because",
                "Because",
                lambda version: words(
                    _BECAUSE.get(version.trained_because, version.trained_because)
                ),
                "text",
                meaning("trained_because"),
            ),
            count_column("trained_on", "Customers", meaning("trained_on")),
            count_column("segments", "Segments"),
            column(
                "stability",
                "Stability",
                lambda version: decimals(version.stability, 3, _NOT_MEASURED),
                meaning=meaning("stability"),
            ),
            column(
                "silhouette",
                "Silhouette",
                lambda version: decimals(version.silhouette, 3, _NOT_MEASURED),
                meaning=meaning("silhouette"),
            ),
        ),
        versions,
        empty="No segment model yet: it needs a shop with some customers and a run.",
    )


def drift_sheet(drift: Sequence[SegmentDrift]) -> Sheet:
    """How far each distribution has moved since the training."""
    column = Column[SegmentDrift]
    meaning = MODEL_DRIFT.meaning
    return sheet_of(
        "drift",
        _drift_headline(drift),
        (
            column(
                "subject",
                "What is watched",
                lambda of: words(_SUBJECTS.get(of.subject, of.subject)),
                "text",
                meaning("subject"),
            ),
            column(
                "psi",
                "Moved by (PSI)",
                lambda of: decimals(of.psi, 3, "there is nothing to compare"),
                meaning=meaning("psi"),
            ),
            column("bound", "Bound", lambda of: decimals(of.bound, 3), meaning=meaning("bound")),
            column(
                "verdict",
                "Verdict",
                lambda of: words("has drifted" if of.has_drifted else "within the bound"),
                "text",
                meaning("has_drifted"),
            ),
        ),
        drift,
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
