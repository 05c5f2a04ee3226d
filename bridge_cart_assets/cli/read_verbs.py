"""The verbs that only read: status, sql and report."""

import click

from bridge_cart_assets.cli.options import CommandError, interruptible
from bridge_cart_assets.settings import Settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
@interruptible
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


@click.command()
@click.argument("statement")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
)
@click.pass_obj
@interruptible
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


@click.command()
@click.option("--host", help="Address to listen on; BRIDGE_CART_REPORT_HOST otherwise.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port; BRIDGE_CART_REPORT_PORT.")
@click.pass_obj
def report(settings: Settings, host: str | None, port: int | None) -> None:
    """Serve the report page."""
    from bridge_cart_assets.reports.serving import serve

    serve(settings, host=host, port=port)
