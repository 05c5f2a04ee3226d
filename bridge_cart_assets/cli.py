"""The `bridge-cart` command.

Belongs here: verbs, options, words and exit codes: 0 done, 1 the work failed, 2 wrong use.
Does not belong here: the work itself. Dagster takes seconds to import, so it is imported only by
the verbs that need it.
"""

import sys
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, NoReturn

import click

from bridge_cart_assets.automation.interruption import exit_on_signals, on_signal, run_interruptibly
from bridge_cart_assets.settings import Settings, SettingsError
from bridge_cart_assets.terminal.messages import (
    say_error,
    say_warning,
    words_for,
)
from bridge_cart_assets.terminal.warnings import (
    listed_files,
    warn_interrupted_rebuild,
    warn_missing,
    warn_outside,
    warn_refused,
    warn_unfinished_rebuild,
)

if TYPE_CHECKING:
    from bridge_cart_assets.automation.run_in_process import Outcome
    from bridge_cart_assets.lake.delta import Lake
    from bridge_cart_assets.pipeline.plan import Plan

_DAY = click.DateTime(formats=["%Y-%m-%d"])
_wait = click.option(
    "--wait",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    default=600,
    show_default=True,
    help="How long to wait for another run to end.",
)


def _interruptible(verb: Callable[..., None]) -> Callable[..., None]:
    """A verb that SIGINT and SIGTERM end at once, with 130 or 143."""

    @wraps(verb)
    def run_verb(*arguments: object, **options: object) -> None:
        run_interruptibly(partial(verb, *arguments, **options))

    return run_verb


class CommandError(Exception):
    """The work failed; the message is one or two lines with cause and remedy."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.version_option(package_name="bridge-cart", prog_name="bridge-cart")
@click.pass_context
def cli(context: click.Context, debug: bool) -> None:
    """A lakehouse for a shop's orders and customers."""
    context.obj = settings = Settings.from_environment()
    if settings.encodings or settings.dates:
        from bridge_cart_assets.sources import sources_read_as

        # Refuses a name that is no source, whatever the verb.
        sources_read_as(settings.encodings, settings.dates)
    context.meta["debug"] = debug


@cli.command()
@click.option("--customers", type=int, help="How many customers there are on the first day.")
@click.option("--days", type=int, help="How many days.")
@click.option("--until", type=_DAY, help="Up to this day; a shop that is there goes on.")
@click.option("--start", type=_DAY, default="2024-01-01", show_default=True, help="First day.")
@click.option("--newcomers", type=float, default=0, show_default=True, help="Sign-ups a day.")
@click.option("--seed", type=int, default=7, show_default=True, help="Another seed, another shop.")
@click.option("--dirt", type=float, default=0.02, show_default=True, help="Share of bad records.")
@click.option(
    "--defect",
    "rates",
    metavar="KIND=RATE",
    multiple=True,
    help="Share of the records with one kind of defect; docs/generator.md names them.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "ndjson", "parquet"]),
    default="csv",
    show_default=True,
)
@click.option("--gz", is_flag=True, help="Compress the files (csv and ndjson).")
@click.option(
    "--to",
    type=click.Choice(["files", "kafka"]),
    default="files",
    show_default=True,
    help="Land files, or send messages (ndjson) to the topics.",
)
@click.pass_context
@_interruptible
def generate(context: click.Context, /, until: datetime | None, **arguments: object) -> None:
    """Land a synthetic shop's daily files, or send them to Kafka, with the truth beside them."""
    from bridge_cart_assets.generator.arguments import Shop
    from bridge_cart_assets.generator.ground_truth import AnotherShopError
    from bridge_cart_assets.generator.shop import generate as land
    from bridge_cart_assets.terminal.progress import bar

    settings: Settings = context.obj
    given = {
        name: value
        for name, value in arguments.items()
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    }
    if given.get("to") == "kafka":
        given.setdefault("form", "ndjson")
    try:
        shop = Shop.asked_for(settings.data, _date(until), **_shop_arguments(given))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if shop.to == "kafka" and not settings.kafka:
        raise click.UsageError("--to kafka needs BRIDGE_CART_KAFKA_BOOTSTRAP_SERVERS")
    try:
        with bar("generating days") as advance:
            landed = land(shop, settings.data, progress=advance, brokers=settings.kafka)
    except AnotherShopError as error:
        raise click.UsageError(str(error)) from error
    if landed.days:
        place = f"in {landed.files:,} files below {settings.landing}"
        if shop.to == "kafka":
            place = "sent to the topics bridge-cart.customers and bridge-cart.purchases"
        click.echo(
            f"{landed.lines:,} order lines of {landed.days:,} days {place}\nNext: bridge-cart run"
        )
    else:
        click.echo("all these days have landed already\nFor more: bridge-cart generate --until DAY")


def _shop_arguments(given: Mapping[str, object]) -> dict[str, Any]:
    """The options that were given as arguments of a shop.

    Raises:
        ValueError: a `KIND=RATE` is none.
    """
    arguments = dict(given)
    if "start" in arguments:
        arguments["start"] = _date(arguments["start"])  # type: ignore[arg-type]
    if "rates" in arguments:
        rates = [_rate(text) for text in arguments["rates"]]  # type: ignore[attr-defined]
        twice = {kind for kind, _ in rates if [k for k, _ in rates].count(kind) > 1}
        if twice:
            raise ValueError(f"--defect {min(twice)} was said twice")
        arguments["rates"] = dict(rates)
    return arguments


def _rate(text: str) -> tuple[str, float]:
    kind, _, rate = text.partition("=")
    try:
        return kind, float(rate)
    except ValueError as error:
        raise ValueError(
            f"--defect {text} is not accepted: KIND=RATE, late_arrival=0.05"
        ) from error


@cli.command()
@click.option("--source", "source_name", help="Only this source.")
@click.option("--from", "first", type=_DAY, help="Only batch days from this day on.")
@click.option("--to", "last", type=_DAY, help="Only batch days up to this day.")
@_wait
@click.pass_obj
@_interruptible
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

    known = {source.name: source for source in SOURCES}
    if source_name is not None and source_name not in known:
        raise click.UsageError(f"unknown source {source_name!r}: there are {', '.join(known)}")
    if first and last and first > last:
        raise click.UsageError(f"--from {first:%Y-%m-%d} is after --to {last:%Y-%m-%d}")
    sources = SOURCES if source_name is None else (known[source_name],)
    if not settings.landing.is_dir() and not settings.kafka:
        raise CommandError(
            f"there is no landing folder {settings.landing}\n"
            "create it and drop files in, or try: bridge-cart generate --customers 1000 --days 90"
        )
    lake = Lake(settings.lake, settings.storage_options)
    find_due = partial(plan, settings, lake, sources, _date(first), _date(last))
    due = find_due()
    if due.days is not None or may_be_unfinished(settings):
        due = _refresh(settings, lake, find_due, wait)
    else:
        _say_nothing_new(settings, lake, due)
    if due.kafka_problem:
        raise CommandError(due.kafka_problem)


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
@_interruptible
def status(settings: Settings, as_json: bool) -> None:
    """Tables, accounting, refused files, checks and the last run."""
    from bridge_cart_assets.terminal.status import collect, show
    from bridge_cart_assets.terminal.style import console

    found = collect(settings)
    if as_json:
        import json

        click.echo(json.dumps(found, indent=2, default=str))
    else:
        show(found, console())


@cli.command()
@_wait
@click.pass_obj
@_interruptible
def check(settings: Settings, wait: float) -> None:
    """Run all asset checks over whole tables."""
    from bridge_cart_assets.terminal.running import turn

    with turn(settings, wait) as this_turn:
        outcome = this_turn.check()
    for verdict in outcome.checks:
        mark = "ok  " if verdict.passed else ("FAIL" if verdict.blocking else "warn")
        click.echo(
            f"{mark} {verdict.asset_key.to_user_string()} {verdict.check_name}: "
            f"{verdict.description}"
        )
    if not outcome.success:
        raise CommandError(_failure(outcome))


@cli.command()
@click.argument("statement")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
)
@click.pass_obj
@_interruptible
def sql(settings: Settings, statement: str, form: str) -> None:
    """Ask the lakehouse in DuckDB's SQL, read-only."""
    from bridge_cart_assets.lake.query import QueryRefusedError, query
    from bridge_cart_assets.terminal.rows import print_rows
    from bridge_cart_assets.terminal.style import console

    try:
        answer = query(settings.catalogue, statement)
    except QueryRefusedError as refusal:
        raise CommandError(str(refusal)) from refusal
    print_rows(answer, form, console())


@cli.command()
@_wait
@click.pass_obj
@_interruptible
def retrain(settings: Settings, wait: float) -> None:
    """Train a new segment model, in effect from as_of on, and fit the value model."""
    _again(settings, wait, {"ops": {"gold": {"config": {"retrain": True}}}})


@cli.command()
@click.option("--accept-loss", is_flag=True, help="Rebuild although raw has lost records.")
@_wait
@click.pass_obj
@_interruptible
def rebuild(settings: Settings, accept_loss: bool, wait: float) -> None:
    """Rebuild silver and gold from raw from nothing, models too."""
    from bridge_cart_assets.assets.run_scope import RunScope
    from bridge_cart_assets.batch_days import DayRange, last_batch_day
    from bridge_cart_assets.ingestion.ledger import forget, not_in_raw
    from bridge_cart_assets.lake.delta import Lake
    from bridge_cart_assets.lake.doctor import refuse_torn
    from bridge_cart_assets.pipeline.plan import plan
    from bridge_cart_assets.pipeline.rebuild import begin_rebuild, refuse_to_lose
    from bridge_cart_assets.pipeline.stored_tables import STORED_TABLES
    from bridge_cart_assets.sources import SOURCES
    from bridge_cart_assets.terminal.running import turn

    lake = Lake(settings.lake, settings.storage_options)
    with turn(settings, wait) as this_turn:
        refuse_torn(lake, STORED_TABLES)
        partitions = DayRange(settings.start_date, last_batch_day())
        refuse_to_lose(lake, partitions, accept_loss)
        if not any(lake.snapshot(source.raw).rows for source in SOURCES):
            click.echo("raw is empty: nothing to rebuild")
            return
        if accept_loss:
            forget(lake, not_in_raw(lake), "rebuild")
        with on_signal(warn_interrupted_rebuild):
            begin_rebuild(lake, datetime.now(UTC))
            due = plan(settings, lake, arrivals=())
            outcome = this_turn.refresh(RunScope.of_plan(due))
        warn_unfinished_rebuild(lake)
        _finish(settings, outcome)


@cli.command()
@click.pass_obj
@_interruptible
def doctor(settings: Settings) -> None:
    """Look for what a power cut left behind and for lost records, and mend what can be mended."""
    from bridge_cart_assets.ingestion.losses import missing_records
    from bridge_cart_assets.ingestion.recovery import reopen
    from bridge_cart_assets.lake.delta import Lake
    from bridge_cart_assets.lake.doctor import heal
    from bridge_cart_assets.pipeline.stored_tables import STORED_TABLES
    from bridge_cart_assets.terminal.losses import losses_in_lines

    lake = Lake(settings.lake, settings.storage_options)
    if not lake.is_local:
        click.echo(f"{settings.lake} is an object store, which keeps what it acknowledges")
    findings = heal(lake, STORED_TABLES)
    for finding in findings:
        click.echo(
            f"{'mended' if finding.mended else 'BROKEN'}  {finding.table}: {finding.problem}"
        )
    hopeless = [finding for finding in findings if not finding.mended]
    if hopeless:
        raise CommandError(
            f"{len(hopeless)} of {len(findings)} findings cannot be mended from the log\n"
            f"{hopeless[0].table}: {hopeless[0].remedy}"
        )
    missing = missing_records(lake)
    again = list(reopen(lake, findings, listed_files(settings)))
    lost, waiting = losses_in_lines(settings, lake, listed_files(settings), missing)
    for line in (*again, *waiting):
        click.echo(f"due     {line}")
    for line in lost:
        click.echo(f"LOST    {line}")
    if lost:
        raise CommandError(
            "records that silver has counted are neither in raw nor in landing\n"
            "land their files again, or put raw back from a backup; silver and gold still have "
            "them, so do not rebuild"
        )
    click.echo("Next: bridge-cart run" if findings or again or waiting else "the lake is sound")


@cli.command()
@click.option(
    "--accept-loss",
    "accepted",
    metavar="TOPIC",
    help="Go on with what the brokers still have of this topic.",
)
@click.pass_obj
@_interruptible
def topics(settings: Settings, accepted: str | None) -> None:
    """How far the Kafka topics have been taken, and what stands in the way."""
    from bridge_cart_assets.ingestion.kafka_admin import partitions_of
    from bridge_cart_assets.ingestion.offsets import accept_loss, positions
    from bridge_cart_assets.lake.delta import Lake
    from bridge_cart_assets.sources import SOURCES
    from bridge_cart_assets.terminal.style import console
    from bridge_cart_assets.terminal.topics import table_of_positions

    if not settings.kafka:
        raise click.UsageError("Kafka is not configured: set BRIDGE_CART_KAFKA_BOOTSTRAP_SERVERS")
    by_topic = {source.topic: source for source in SOURCES if source.topic}
    if accepted is not None and accepted not in by_topic:
        raise click.UsageError(f"unknown topic {accepted!r}: there are {', '.join(by_topic)}")
    lake = Lake(settings.lake, settings.storage_options)
    there = {topic: partitions_of(settings.kafka, topic) for topic in by_topic}
    if accepted is not None:
        for position in accept_loss(lake, by_topic[accepted], there[accepted]):
            click.echo(f"accepted: {position.partition.name}: {position.problem}")
    found = [
        position
        for topic, source in by_topic.items()
        for position in positions(lake.snapshot(source.raw), topic, there[topic])
    ]
    console().print(table_of_positions(found))
    for topic in [topic for topic in by_topic if not there[topic]]:
        click.echo(f"{topic} is not there: create it, or let producers do so")
    if any(position.problem for position in found):
        raise CommandError(
            "messages that were not taken are gone\n"
            "to go on with what is left: bridge-cart topics --accept-loss TOPIC"
        )


@cli.command()
@click.option("--host", help="Address to listen on; BRIDGE_CART_REPORT_HOST otherwise.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port; BRIDGE_CART_REPORT_PORT.")
@click.pass_obj
def report(settings: Settings, host: str | None, port: int | None) -> None:
    """Serve the report page."""
    from bridge_cart_assets.reports.serving import serve

    serve(settings, host=host, port=port)


def main() -> NoReturn:
    """Run the command; errors are one or two lines on stderr, tracebacks only with --debug."""
    debug = "--debug" in sys.argv
    exit_on_signals()
    try:
        cli(standalone_mode=False)
    except click.exceptions.Exit as leave:
        sys.exit(leave.exit_code)
    except click.Abort:
        sys.exit(1)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        context = error.ctx if isinstance(error, click.UsageError) else None
        remedy = f" (see {context.command_path} --help)" if context else ""
        say_error(error.format_message() + remedy)
        sys.exit(2)
    except SettingsError as error:
        say_error(str(error))
        sys.exit(2)
    except BaseException as error:
        # A panic of a Rust library, without file handles for instance, is not an Exception.
        if debug or isinstance(error, (SystemExit, KeyboardInterrupt)):
            raise
        say_error(words_for(error))
        sys.exit(1)
    sys.exit(0)


def _again(settings: Settings, wait: float, config: dict[str, object]) -> None:
    """Run the chain for the day as_of, although nothing is new."""
    from bridge_cart_assets.assets.run_scope import RunScope
    from bridge_cart_assets.batch_days import DayRange
    from bridge_cart_assets.ingestion.pending import latest_day
    from bridge_cart_assets.lake.delta import Lake
    from bridge_cart_assets.lake.doctor import refuse_torn
    from bridge_cart_assets.pipeline.stored_tables import STORED_TABLES
    from bridge_cart_assets.terminal.running import turn

    lake = Lake(settings.lake, settings.storage_options)
    with turn(settings, wait) as this_turn:
        refuse_torn(lake, STORED_TABLES)
        as_of = latest_day(lake)
        if as_of is None:
            raise CommandError("silver is empty: land files and run first")
        today = DayRange(as_of, as_of)
        scope = RunScope(today, pending_in=today)
        _finish(settings, this_turn.refresh(scope, config=config))


def _refresh(
    settings: Settings, lake: "Lake", find_due: Callable[[], "Plan"], wait: float
) -> "Plan":
    """Wait for the turn, then do what is due by then."""
    from bridge_cart_assets.assets.run_scope import RunScope
    from bridge_cart_assets.terminal.running import turn

    with turn(settings, wait) as this_turn:
        due = find_due()
        if due.days is None:
            _say_nothing_new(settings, lake, due)
            return due
        warn_outside(settings, due.outside)
        outcome = this_turn.refresh(RunScope.of_plan(due), due.sources)
        warn_refused(settings, lake)
        warn_missing(lake)
        warn_unfinished_rebuild(lake)
        _finish(settings, outcome)
    return due


def _say_nothing_new(settings: Settings, lake: "Lake", due: "Plan") -> None:
    warn_outside(settings, due.outside)
    warn_refused(settings, lake)
    warn_missing(lake)
    if due.kafka_problem is None:
        topics = ", and no message waits" if settings.kafka else ""
        click.echo(f"nothing new among {len(due.listed):,} files{topics}")


def _finish(settings: Settings, outcome: "Outcome") -> None:
    if not outcome.success:
        raise CommandError(_failure(outcome))
    for warning in outcome.warnings:
        say_warning(f"{warning.check_name}: {warning.description}")
    from bridge_cart_assets.terminal.style import console
    from bridge_cart_assets.terminal.summary import summarise

    summarise(settings, console())


def _failure(outcome: "Outcome") -> str:
    if outcome.failed_checks:
        first = outcome.failed_checks[0]
        return (
            f"{len(outcome.failed_checks)} blocking checks failed, downstream was held back: "
            f"{first.asset_key.to_user_string()} {first.check_name}: {first.description}\n"
            "see bridge-cart status, mend the cause, then bridge-cart run"
        )
    problem = outcome.problems[0] if outcome.problems else f"see run {outcome.run_id}"
    return f"the run failed: {problem}\nnothing was half-written; mend the cause and run again"


def _date(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()
