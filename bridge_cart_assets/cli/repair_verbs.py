"""The verbs for what stands in the way of a run: doctor and topics."""

import click

from bridge_cart_assets.cli.options import CommandError, interruptible
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.terminal.warnings import listed_files


@click.command()
@click.pass_obj
@interruptible
def doctor(settings: Settings) -> None:
    """Look for what is wrong with the lake, mend what can be, and say what mends the rest."""
    from bridge_cart_assets.lake.delta import Lake
    from bridge_cart_assets.lake.doctor import heal
    from bridge_cart_assets.pipeline.diagnosis import disagreements, orphans
    from bridge_cart_assets.pipeline.lake_format import refuse_without_lake
    from bridge_cart_assets.pipeline.losses import missing_records
    from bridge_cart_assets.pipeline.open_operations import open_operation
    from bridge_cart_assets.pipeline.recovery import recount, reopen
    from bridge_cart_assets.pipeline.stored_tables import STORED_TABLES
    from bridge_cart_assets.terminal.diagnosis import around_the_tables, in_a_line, notes
    from bridge_cart_assets.terminal.escaping import printable
    from bridge_cart_assets.terminal.losses import losses_in_lines

    lake = Lake(settings.lake, settings.storage_options)
    findings = recount(lake, heal(lake, STORED_TABLES))
    if not findings:
        refuse_without_lake(lake)
    broken = {finding.table for finding in findings if not finding.mended}
    begun = open_operation(settings)
    if begun is None:
        findings += disagreements(lake, settings, broken)
    lost: list[str] = []
    due: list[str] = []
    is_hopeless = any(not finding.mended and not finding.is_due for finding in findings)
    if begun is not None:
        # Until it is complete raw and silver do not agree, and nothing is lost.
        due.append(f"{begun.words} is not complete: bridge-cart run finishes it")
    elif not is_hopeless:
        missing = missing_records(lake)
        due += reopen(lake, findings, listed_files(settings))
        lost, waiting = losses_in_lines(settings, lake, listed_files(settings), missing)
        due += waiting
        findings += around_the_tables(settings, lake)
        for line in (*orphans(lake), *notes(settings, lake)):
            click.echo(f"note    {printable(line)}")
    for finding in findings:
        click.echo(printable(in_a_line(finding)))
    for line in due:
        click.echo(f"due     {printable(line)}")
    for line in lost:
        click.echo(f"LOST    {printable(line)}")
    hopeless = [finding for finding in findings if not finding.mended and not finding.is_due]
    if hopeless:
        raise CommandError(
            f"{len(hopeless)} of {len(findings)} findings are left to mend\n"
            f"{hopeless[0].table}: {hopeless[0].remedy}"
        )
    if lost:
        raise CommandError(
            "records that silver has counted are neither in raw nor in landing\n"
            "land their files again, or put raw back from a backup; silver and gold still have "
            "them, so do not rebuild"
        )
    click.echo("Next: bridge-cart run" if findings or due else "the lake is sound")


@click.command()
@click.option(
    "--accept-loss",
    "accepted",
    metavar="TOPIC",
    help="Go on with what the brokers still have of this topic.",
)
@click.pass_obj
@interruptible
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
