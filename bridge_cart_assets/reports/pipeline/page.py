"""The page of the pipeline: asks the catalogue and puts the answers into the template's form.

Belongs here: which parts the page has, and what stands in for a table that an older catalogue
lacks. Does not belong here: SQL (see `queries`), tables (`tables`), wording (`sentences`), HTML.
"""

from dataclasses import dataclass

from bridge_cart_assets.reports.catalogue import Catalogue
from bridge_cart_assets.reports.charts import Chart
from bridge_cart_assets.reports.filters import PageQuery
from bridge_cart_assets.reports.freshness import (
    days_by_source,
    freshness,
    orders_stopped_sentence,
)
from bridge_cart_assets.reports.page import Page
from bridge_cart_assets.reports.pipeline import queries, sentences, tables
from bridge_cart_assets.reports.pipeline.charts import fates_chart
from bridge_cart_assets.reports.segments.queries import drift
from bridge_cart_assets.reports.tables import Sheet
from bridge_cart_assets.tables import meta, ops
from bridge_cart_assets.tables.gold import MODEL_DRIFT, MODEL_METRICS

_MOST_FILES = 50


@dataclass(frozen=True)
class Pipeline:
    """All that the page shows.

    Attributes:
        run_id: the run that built the catalogue.
        state: sentences on run, freshness, checks, records and files.
        is_complete: whether the catalogue has all that the page is made of.
    """

    run_id: str | None
    state: tuple[str, ...]
    is_complete: bool
    alerts: Sheet
    checks: Sheet
    fates: Chart
    accounting: Sheet
    refusals: Sheet
    findings: Sheet
    refused_files: Sheet
    other_columns: Sheet
    files: Sheet
    topics: Sheet
    models: Sheet
    drift: Sheet
    gold_builds: Sheet
    tables: Sheet

    @property
    def sheets(self) -> tuple[Sheet, ...]:
        """The tables of the page."""
        return (
            *(self.alerts, self.checks, self.fates.sheet, self.accounting),
            *(self.refusals, self.findings),
            *(self.refused_files, self.other_columns, self.files, self.topics),
            *(self.models, self.drift, self.gold_builds, self.tables),
        )


def pipeline(catalogue: Catalogue, asked: PageQuery) -> Pipeline:
    """Everything on the page; it is there before the first sale, too."""
    there = queries.tables_there(catalogue)
    has_checks = meta.CHECKS.path in there
    has_records = {meta.ACCOUNTING.path, meta.ACCOUNTING_DAYS.path} <= there
    has_refusals = meta.QUARANTINE.path in there
    checks = queries.checks(catalogue) if has_checks else []
    fates = queries.record_outcomes(catalogue) if has_records else []
    days = queries.fates_by_day(catalogue) if has_records else []
    refusals = queries.refused_records(catalogue) if has_refusals else []
    has_findings = meta.INTAKE_FINDINGS.path in there
    findings = queries.file_findings(catalogue, _MOST_FILES) if has_findings else []
    has_builds = meta.GOLD_BUILDS.path in there
    builds = queries.gold_builds(catalogue) if has_builds else []
    has_files = ops.FILES.path in there
    refused = queries.refused_files(catalogue, _MOST_FILES) if has_files else []
    fresh, days_of_sources = freshness(catalogue), days_by_source(catalogue)
    seconds = queries.run_seconds(catalogue) if meta.TIMES.path in there else None
    state = (
        sentences.last_run_sentence(fresh, seconds),
        sentences.age_of_data(fresh),
        sentences.sources_sentence(days_of_sources),
        orders_stopped_sentence(days_of_sources),
        sentences.builds_sentence(builds),
        sentences.verdict(checks) if has_checks else "",
        sentences.balance_sentence(fates) if has_records else "",
        sentences.refused_sentence(refused, _MOST_FILES),
        sentences.findings_sentence(queries.finding_sums(catalogue) if has_findings else []),
    )
    return Pipeline(
        run_id=fresh.run_id,
        state=tuple(sentence for sentence in state if sentence),
        is_complete=has_checks and has_records and has_refusals,
        alerts=tables.alerts(checks, has_checks),
        checks=tables.all_checks(checks),
        fates=fates_chart(days, has_records),
        accounting=tables.accounting(fates, has_records),
        refusals=tables.refusals(refusals, has_refusals),
        findings=tables.findings(findings, has_findings),
        refused_files=tables.refused_files(refused),
        other_columns=tables.other_columns(queries.other_columns(catalogue) if has_files else []),
        files=tables.files(queries.landed_files(catalogue) if has_files else []),
        topics=tables.topics(
            queries.topic_positions(catalogue) if ops.OFFSETS.path in there else []
        ),
        models=tables.metrics(queries.metrics(catalogue) if MODEL_METRICS.path in there else []),
        drift=tables.drift(drift(catalogue) if MODEL_DRIFT.path in there else []),
        gold_builds=tables.gold_builds(builds, has_builds),
        tables=tables.tables(queries.stored_tables(catalogue)),
    )


PIPELINE = Page(
    name="pipeline",
    path="/pipeline",
    title="Pipeline",
    template="pipeline.html",
    read=pipeline,
    supported_filters=frozenset(),
    filters_note="this page is about all records, tables and checks of the shop",
)
