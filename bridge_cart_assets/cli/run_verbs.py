"""The verbs that run a job: run, check, retrain and rebuild.

Belongs here: which run it is, and what is said before and after it. Does not belong here: the turn
and the progress (`terminal.running`).
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge_cart_assets.automation.interruption import on_signal
from bridge_cart_assets.cli.alert_verbs import alerting
from bridge_cart_assets.cli.options import (
    DAY,
    CommandError,
    date_of,
    interruptible,
    profile_option,
    wait_option,
)
from bridge_cart_assets.pipeline.phases import phase
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.terminal.messages import say_warning
from bridge_cart_assets.terminal.warnings import (
    warn_interrupted_rebuild,
    warn_missing,
    warn_outside,
    warn_refused,
    warn_repeated,
    warn_unfinished_rebuild,
)

if TYPE_CHECKING:
    from bridge_cart_assets.automation.run_in_process import Outcome
    from bridge_cart_assets.lake.delta import Lake
    from bridge_cart_assets.pipeline.findings import FileFinding
    from bridge_cart_assets.pipeline.plan import Plan


@click.command()
@click.option("--source", "source_name", help="Only this source.")
@click.option("--from", "first", type=DAY, help="Only batch days from this day on.")
@click.option("--to", "last", type=DAY, help="Only batch days up to this day.")
@profile_option
@wait_option
@click.pass_obj
@interruptible
@alerting
def run(
    settings: Settings,
    source_name: str | None,
    first: datetime | None,
    last: datetime | None,
    wait: float,
) -> None:
    """Take in what is new and bring silver, gold, models, checks and catalogue up to date."""
    from bridge_cart_assets.automation.state_files import may_be_unfinished
    from bridge_cart_assets.lake.delta import Lake
    from bridge_cart_assets.pipeline.plan import plan
    from bridge_cart_assets.sources import SOURCES
    from bridge_cart_assets.terminal.alone import finish_operations

    known = {source.name: source for source in SOURCES}
    if source_name is not None and source_name not in known:
        raise click.UsageError(f"unknown source {source_name!r}: there are {', '.join(known)}")
    if first and last and first > last:
        raise click.UsageError(f"--from {first:%Y-%m-%d} is after --to {last:%Y-%m-%d}")
    sources = SOURCES if source_name is None else (known[source_name],)
    finish_operations(settings, wait)
    landing = settings.landing_zone
    if isinstance(landing, Path) and not landing.is_dir() and not settings.kafka:
        raise CommandError(
            f"there is no landing folder {landing}\n"
            "create it and drop files in, or try: bridge-cart generate --customers 1000 --days 90"
        )
    lake = Lake(settings.lake, settings.storage_options)
    find_due = partial(plan, settings, lake, sources, date_of(first), date_of(last))
    due = find_due()
    if due.days is not None or may_be_unfinished(settings):
        due = _refresh(settings, lake, due, find_due, wait)
    else:
        _say_nothing_new(settings, lake, due)
    if due.kafka_problem:
        raise CommandError(due.kafka_problem)


@click.command()
@wait_option
@click.pass_obj
@interruptible
def check(settings: Settings, wait: float) -> None:
    """Run all asset checks over whole tables."""
    from bridge_cart_assets.lake.delta import Lake
    from bridge_cart_assets.pipeline.lake_format import refuse_other_format
    from bridge_cart_assets.pipeline.remembered_settings import refuse_other_settings
    from bridge_cart_assets.terminal.alone import finish_operations
    from bridge_cart_assets.terminal.running import turn

    lake = Lake(settings.lake, settings.storage_options)
    refuse_other_format(lake)
    finish_operations(settings, wait)
    refuse_other_settings(lake, settings.silver)
    with turn(settings, wait, only_looks=True) as this_turn:
        outcome = this_turn.check()
    for verdict in outcome.checks:
        mark = "ok  " if verdict.passed else ("FAIL" if verdict.blocking else "warn")
        click.echo(
            f"{mark} {verdict.asset_key.to_user_string()} {verdict.check_name}: "
            f"{verdict.description}"
        )
    if not outcome.success:
        raise CommandError(_failure(outcome))


@click.command()
@wait_option
@click.pass_obj
@interruptible
@alerting
def retrain(settings: Settings, wait: float) -> None:
    """Train a new segment model, in effect from as_of on, and fit the value model."""
    from bridge_cart_assets.assets.run_scope import RunScope
    from bridge_cart_assets.batch_days import DayRange
    from bridge_cart_assets.lake.delta import Lake
    from bridge_cart_assets.lake.doctor import refuse_torn
    from bridge_cart_assets.pipeline.lake_format import refuse_other_format
    from bridge_cart_assets.pipeline.pending import latest_day
    from bridge_cart_assets.pipeline.remembered_settings import refuse_other_settings
    from bridge_cart_assets.pipeline.stored_tables import STORED_TABLES
    from bridge_cart_assets.terminal.alone import finish_operations
    from bridge_cart_assets.terminal.running import refuse_without_engine, turn

    lake = Lake(settings.lake, settings.storage_options)
    refuse_other_format(lake)
    finish_operations(settings, wait)
    config = {"ops": {"gold": {"config": {"retrain": True}}}}
    with turn(settings, wait) as this_turn:
        refuse_torn(lake, STORED_TABLES)
        refuse_other_settings(lake, settings.silver)
        as_of = latest_day(lake)
        if as_of is None:
            raise CommandError("silver is empty: land files and run first")
        refuse_without_engine(settings)
        today = DayRange(as_of, as_of)
        scope = RunScope(today, pending_in=today)
        finish(settings, this_turn.refresh(scope, config=config))


@click.command()
@click.option("--accept-loss", is_flag=True, help="Rebuild although raw has lost records.")
@wait_option
@click.pass_obj
@interruptible
@alerting
def rebuild(settings: Settings, accept_loss: bool, wait: float) -> None:
    """Rebuild silver and gold from raw from nothing, models too."""
    from bridge_cart_assets.assets.run_scope import RunScope
    from bridge_cart_assets.batch_days import DayRange, last_batch_day
    from bridge_cart_assets.ingestion.ledger import forget, not_in_raw
    from bridge_cart_assets.lake.delta import Lake
    from bridge_cart_assets.lake.doctor import refuse_torn
    from bridge_cart_assets.pipeline.findings import by_file, latest_findings
    from bridge_cart_assets.pipeline.lake_format import refuse_later_format, stored_format
    from bridge_cart_assets.pipeline.plan import plan
    from bridge_cart_assets.pipeline.rebuild import begin_rebuild, refuse_to_lose
    from bridge_cart_assets.pipeline.remembered_settings import adopt_settings_of_nothing
    from bridge_cart_assets.pipeline.stored_tables import STORED_TABLES
    from bridge_cart_assets.sources import SOURCES
    from bridge_cart_assets.terminal.alone import finish_operations
    from bridge_cart_assets.terminal.running import refuse_without_engine, turn

    lake = Lake(settings.lake, settings.storage_options)
    refuse_later_format(lake, stored_format(lake))
    finish_operations(settings, wait)
    with turn(settings, wait) as this_turn:
        refuse_torn(lake, STORED_TABLES)
        partitions = DayRange(settings.start_date, last_batch_day(settings.timezone))
        refuse_to_lose(lake, partitions, accept_loss)
        if not any(lake.snapshot(source.raw).rows for source in SOURCES):
            adopt_settings_of_nothing(lake, settings.silver, "rebuild")
            click.echo("raw is empty: nothing to rebuild")
            return
        refuse_without_engine(settings)
        if accept_loss:
            forget(lake, not_in_raw(lake), "rebuild")
        with on_signal(warn_interrupted_rebuild):
            begin_rebuild(lake, datetime.now(UTC), settings.silver)
            due = plan(settings, lake, arrivals=())
            outcome = this_turn.refresh(RunScope.of_plan(due))
        warn_unfinished_rebuild(lake)
        finish(settings, outcome, by_file(latest_findings(lake)))


def _refresh(
    settings: Settings, lake: "Lake", due: "Plan", find_due: Callable[[], "Plan"], wait: float
) -> "Plan":
    """Wait for the turn, then do what is due by then.

    A plan from before the turn still holds if no other run was in the way and none has written.
    """
    with phase("loading Dagster"):
        from bridge_cart_assets.assets.run_scope import RunScope
    from bridge_cart_assets.pipeline.findings import by_file, findings_of_run
    from bridge_cart_assets.pipeline.pending import pending_days
    from bridge_cart_assets.pipeline.plan import table_versions
    from bridge_cart_assets.sources import SOURCES
    from bridge_cart_assets.terminal.intake_summary import warn_findings
    from bridge_cart_assets.terminal.running import refuse_without_engine, turn

    with turn(settings, wait) as this_turn:
        if not this_turn.was_free or table_versions(lake) != due.versions:
            due = find_due()
        if due.days is None:
            _say_nothing_new(settings, lake, due)
            return due
        warn_outside(settings, due.outside)
        refuse_without_engine(settings)
        waiting = pending_days(lake, SOURCES)
        outcome = this_turn.refresh(RunScope.of_plan(due), due.sources)
        with phase("looking at what came in"):
            findings = by_file(findings_of_run(lake, outcome.run_id, waiting))
        warn_findings(findings)
        warn_refused(settings, lake)
        warn_repeated(lake, outcome.run_id)
        warn_missing(lake)
        warn_unfinished_rebuild(lake)
        finish(settings, outcome, findings)
    return due


def _say_nothing_new(settings: Settings, lake: "Lake", due: "Plan") -> None:
    warn_outside(settings, due.outside)
    warn_refused(settings, lake)
    warn_missing(lake)
    if due.kafka_problem is None:
        topics = ", and no message waits" if settings.kafka else ""
        click.echo(f"nothing new among {len(due.listed):,} files{topics}")


def finish(settings: Settings, outcome: "Outcome", findings: "Sequence[FileFinding]" = ()) -> None:
    """Say what a run came to.

    Raises:
        CommandError: it failed.
    """
    if not outcome.success:
        raise CommandError(_failure(outcome))
    for warning in outcome.warnings:
        say_warning(f"{warning.check_name}: {warning.description}")
    from bridge_cart_assets.terminal.style import console
    from bridge_cart_assets.terminal.summary import summarise

    summarise(settings, console(), findings)


def _failure(outcome: "Outcome") -> str:
    if outcome.failed_checks:
        first = outcome.failed_checks[0]
        return (
            f"{len(outcome.failed_checks)} blocking checks failed, downstream was held back: "
            f"{first.asset_key.to_user_string()} {first.check_name}: {first.description}\n"
            "see bridge-cart status, mend the cause, then bridge-cart run"
        )
    problem = outcome.problems[0] if outcome.problems else f"see run {outcome.run_id}"
    if "\n" in problem:
        return f"the run failed: {problem}; nothing was half-written"
    return f"the run failed: {problem}\nnothing was half-written; mend the cause and run again"
