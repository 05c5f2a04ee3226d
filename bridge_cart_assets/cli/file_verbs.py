"""The verb about one landed file: retract, which takes it back.

Belongs here: what is asked and said. Does not belong here: the order of the steps
(`terminal.retracting`).
"""

import os

import click

from bridge_cart_assets.cli.options import CommandError, interruptible, wait_option
from bridge_cart_assets.object_store import is_uri
from bridge_cart_assets.settings import Settings


@click.command()
@click.argument("name", metavar="OBJECT")
@click.option("--yes", is_flag=True, help="Take it back; without it, only say what would leave.")
@wait_option
@click.pass_obj
@interruptible
def retract(settings: Settings, name: str, yes: bool, wait: float) -> None:
    """Take a landed file back, with all that it has brought; it can be landed again.

    OBJECT is its name below the landing zone, as status has it: purchases/2024-01-31.csv.
    """
    from bridge_cart_assets.lake.delta import Lake
    from bridge_cart_assets.pipeline.taken_objects import (
        AlreadyRetractedError,
        UnknownObjectError,
        effects_of,
        find_object,
    )
    from bridge_cart_assets.terminal.alone import having_the_lake
    from bridge_cart_assets.terminal.retracting import retract_object
    from bridge_cart_assets.terminal.retraction_summary import effects_in_lines, retracted_in_lines

    name = _below_landing(settings, name)
    try:
        if not yes:
            lake = Lake(settings.lake, settings.storage_options)
            taken = find_object(lake, settings, name)
            for line in effects_in_lines(settings, taken, effects_of(lake, settings, taken)):
                click.echo(line)
            raise click.UsageError("nothing was taken back: to do so, add --yes")
        with having_the_lake(settings, wait):
            retracted = retract_object(settings, name, wait)
    except AlreadyRetractedError as known:
        click.echo(str(known))
        return
    except UnknownObjectError as unknown:
        raise CommandError(str(unknown)) from unknown
    for line in retracted_in_lines(settings, retracted):
        click.echo(line)


def _below_landing(settings: Settings, name: str) -> str:
    """The name of a file whose path was given, as a shell completes it."""
    if is_uri(settings.landing_at):
        return name.removeprefix(f"{settings.landing_at.rstrip('/')}/")
    path, landing = os.path.abspath(name), os.path.abspath(settings.landing)
    return os.path.relpath(path, landing) if path.startswith(f"{landing}/") else name
