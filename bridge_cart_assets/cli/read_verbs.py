"""The verbs that only read: status, sql, report and try."""

from pathlib import Path

import click

from bridge_cart_assets.cli.options import CommandError, interruptible
from bridge_cart_assets.settings import Settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
@interruptible
def status(settings: Settings, as_json: bool) -> None:
    """Tables, accounting, refused files, checks and the last run."""
    from bridge_cart_assets.automation.status import collect
    from bridge_cart_assets.terminal.status import show
    from bridge_cart_assets.terminal.style import console

    found = collect(settings)
    if as_json:
        import json

        click.echo(json.dumps(found, indent=2, default=str))
    else:
        show(found, console())


@click.command()
@click.argument("statement")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
)
@click.option("--unmasked", is_flag=True, help="Show the values of silver's personal columns.")
@click.pass_obj
@interruptible
def sql(settings: Settings, statement: str, form: str, unmasked: bool) -> None:
    """Ask the lakehouse in DuckDB's SQL, read-only."""
    from bridge_cart_assets.lake.query import QueryRefusedError, reading
    from bridge_cart_assets.terminal.rows import print_rows
    from bridge_cart_assets.terminal.style import console

    try:
        with reading(
            settings.catalogue, statement, settings.sql_memory, is_unmasked=unmasked
        ) as rows:
            print_rows(rows, form, console())
    except QueryRefusedError as refusal:
        raise CommandError(str(refusal)) from refusal


@click.command()
@click.option("--host", help="Address to listen on; BRIDGE_CART_REPORT_HOST otherwise.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port; BRIDGE_CART_REPORT_PORT.")
@click.option(
    "--save",
    "file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the report of the latest week as one HTML file instead.",
)
@click.pass_obj
def report(settings: Settings, host: str | None, port: int | None, file: Path | None) -> None:
    """Serve the report page, or save the week as a file."""
    if file is not None:
        if host is not None or port is not None:
            raise click.UsageError("--save writes a file; --host and --port are for the page")
        _save_report(settings, file)
        return
    from bridge_cart_assets.reports.serving import serve

    serve(settings, host=host, port=port)


def _save_report(settings: Settings, file: Path) -> None:
    from bridge_cart_assets.reports.catalogue import NoCatalogueError
    from bridge_cart_assets.reports.weekly.report import weekly_report

    try:
        last, html = weekly_report(settings.catalogue, settings.currency, settings.messages.shop)
    except NoCatalogueError as error:
        raise CommandError(f"{error}: bridge-cart run makes it") from error
    try:
        file.write_bytes(html)
    except OSError as error:
        raise CommandError(f"cannot write {file}: {error.strerror}") from error
    click.echo(f"the week to {last} is in {file}")


@click.command("try")
@click.argument("source_name", metavar="SOURCE")
@click.argument(
    "path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--records",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="How many records to show one by one.",
)
@click.pass_obj
@interruptible
def try_file(settings: Settings, source_name: str, path: Path, records: int) -> None:
    """Read a FILE as SOURCE would, and show what would become of it; nothing is written."""
    from bridge_cart_assets.ingestion.files import FileRefusedError
    from bridge_cart_assets.lake.delta import Lake
    from bridge_cart_assets.pipeline.dry_run import dry_run
    from bridge_cart_assets.pipeline.remembered_settings import refuse_other_settings
    from bridge_cart_assets.sources import sources_read_as
    from bridge_cart_assets.terminal.dry_run import show_dry_run
    from bridge_cart_assets.terminal.style import console

    sources = sources_read_as(settings.encodings, settings.dates, settings.currency)
    known = {source.name: source for source in sources}
    if source_name not in known:
        raise click.UsageError(f"unknown source {source_name!r}: there are {', '.join(known)}")
    source = known[source_name]
    lake = Lake(settings.lake, settings.storage_options)
    refuse_other_settings(lake, settings.silver)
    try:
        found = dry_run(path, source, lake, settings.landing_zone, settings.silver)
    except FileRefusedError as refusal:
        raise CommandError(f"{path} would be refused: {refusal.reason}, {refusal}") from refusal
    show_dry_run(found, source, records, console())
    click.echo("\nnothing was written")
    if found.taken is None:
        place = settings.landing_at or settings.landing
        click.echo(f"Next: copy it to {place}/{source.name}, then bridge-cart run")
